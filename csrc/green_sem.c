/* Semaphores are CPython's locks: who must wait for one waits on its address, and sem_post of any thread wakes him. Those that processes share
 * (multiprocessing's locks, queues and pools) are posted where nobody here sees it, so a wait tries them again after 1 to 30 ms. */
#include "green.h"

#include <errno.h>
#include <stdatomic.h>

#include "green_hooks.h"

#define HOOKED() (green_coro && green_gil_released())
enum { BACK_OFF_FIRST_NS = 1000000, BACK_OFF_MAX_NS = 30000000 };

static bool still_taken(void *sem) { return sem_trywait(sem) != 0; }

/* A semaphore on the stack of a greenlet (3.13's parking lot) is not where others look for it while that greenlet is away. */
static bool can_wait(const sem_t *sem, const void *caller) { return green_may_yield(caller) && !green_on_stack(sem); }

/* 0, -1 with errno, or -2: do the real call. The trial inside the wait may already have taken it, so it says which it was. */
struct sem_try { sem_t *sem; bool taken; };

static bool try_again(void *arg)
{
    struct sem_try *t = arg;
    t->taken = !still_taken(t->sem);
    return !t->taken;
}

/* glibc's sem_t: the value (with the count of waiters, in a word of 64 bits), then whether it is one of sem_init(…, 1, …) or sem_open(). */
static bool is_shared(const sem_t *sem) { return ((const int *)sem)[sizeof(long) == 8 ? 2 : 1] != 0; }

static int sem_green(sem_t *sem, int64_t until_ns)
{
    int error = errno;
    struct sem_try t = {sem, false};
    int64_t pause_ns = is_shared(sem) ? BACK_OFF_FIRST_NS : 0;
    for (;;) {
        int64_t look_ns = pause_ns ? green_now_ns() + pause_ns : until_ns;
        bool last = !pause_ns || (until_ns != GREEN_FOREVER && until_ns <= look_ns);
        int result = green_wait_address(sem, try_again, &t, last ? until_ns : look_ns);
        if (t.taken || !still_taken(sem)) {
            errno = error;
            return 0;
        }
        if (result == ETIMEDOUT && !last) {
            pause_ns = pause_ns * 2 > BACK_OFF_MAX_NS ? BACK_OFF_MAX_NS : pause_ns * 2;
            continue;
        }
        if (result == GREEN_READY)
            continue;
        if (result == GREEN_BLOCK)
            return -2;
        if (result == ECANCELED) /* a lock wait cannot fail but by a signal */
            continue;
        errno = result;
        return -1;
    }
}

int sem_wait(sem_t *sem)
{
    if (!HOOKED() || sem_trywait(sem) == 0)
        return HOOKED() ? 0 : green_real.sem_wait(sem);
    int result = can_wait(sem, GREEN_CALLER()) ? sem_green(sem, GREEN_FOREVER) : -2;
    return result == -2 ? green_real.sem_wait(sem) : result;
}

int sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until)
{
    if (!HOOKED())
        return green_real.sem_clockwait(sem, clock, until);
    if (sem_trywait(sem) == 0)
        return 0;
    int result = can_wait(sem, GREEN_CALLER()) ? sem_green(sem, green_until(clock, until)) : -2;
    return result == -2 ? green_real.sem_clockwait(sem, clock, until) : result;
}

int sem_timedwait(sem_t *sem, const struct timespec *until)
{
    if (!HOOKED())
        return green_real.sem_timedwait(sem, until);
    if (sem_trywait(sem) == 0)
        return 0;
    int result = can_wait(sem, GREEN_CALLER()) ? sem_green(sem, green_until(CLOCK_REALTIME, until)) : -2;
    return result == -2 ? green_real.sem_timedwait(sem, until) : result;
}

int sem_post(sem_t *sem)
{
    int result = green_real.sem_post(sem);
    if (atomic_load(&green_address_waiters))
        green_wake_address(sem, 1);
    return result;
}
