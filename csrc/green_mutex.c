/* Mutexes and condition variables of C libraries. A mutex that another greenlet of this thread holds must be waited for by giving way, or the
 * thread waits for itself. CPython's own (the GIL) pass through: they are known by the caller's address.
 *
 * libc unlocks a mutex inside pthread_cond_wait without asking us, so a wait for a mutex looks again every now and then by itself. */
#include "green.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "green_hooks.h"

#define HOOKED() (green_coro && !green_in_libpython(GREEN_CALLER()))
enum { LOOK_AGAIN_NS = 10000000, RECURSIVE_SLOTS = 256 };

/* glibc lets the same thread lock a recursive mutex again; here the same thread may be another greenlet. */
struct owned_mutex {
    struct owned_mutex *next;
    pthread_mutex_t *mutex;
    struct coro *owner;
    unsigned depth;
};
static _Thread_local struct owned_mutex *owned[RECURSIVE_SLOTS];

static bool is_recursive(const pthread_mutex_t *m) { return (m->__data.__kind & 3) == PTHREAD_MUTEX_RECURSIVE_NP; }

static struct owned_mutex **owned_at(const pthread_mutex_t *m)
{
    struct owned_mutex **at = &owned[((uintptr_t)m >> 4) % RECURSIVE_SLOTS];
    while (*at && (*at)->mutex != m)
        at = &(*at)->next;
    return at;
}

static bool others_own(const pthread_mutex_t *m)
{
    struct owned_mutex *o = is_recursive(m) ? *owned_at(m) : NULL;
    return o && o->owner != green_coro;
}

static void note_locked(pthread_mutex_t *m)
{
    if (!is_recursive(m))
        return;
    struct owned_mutex **at = owned_at(m);
    if (!*at && (*at = calloc(1, sizeof **at)))
        **at = (struct owned_mutex){.mutex = m, .owner = green_coro};
    if (*at)
        (*at)->depth++;
}

static void note_unlocked(pthread_mutex_t *m)
{
    struct owned_mutex **at = owned_at(m), *o = *at;
    if (o && --o->depth == 0) {
        *at = o->next;
        free(o);
    }
}

static int try_lock(pthread_mutex_t *m)
{
    if (others_own(m))
        return EBUSY;
    int result = green_real.pthread_mutex_trylock(m);
    if (result == 0)
        note_locked(m);
    return result;
}

struct lock_try { pthread_mutex_t *mutex; int result; };

static bool lock_busy(void *arg)
{
    struct lock_try *t = arg;
    t->result = try_lock(t->mutex);
    return t->result == EBUSY;
}

static int64_t look_by(int64_t until_ns)
{
    int64_t look_ns = green_now_ns() + LOOK_AGAIN_NS;
    return until_ns != GREEN_FOREVER && until_ns < look_ns ? until_ns : look_ns;
}

/* EBUSY: it cannot be waited for here. */
static int lock_until(pthread_mutex_t *m, int64_t until_ns, const void *caller)
{
    int error = errno;
    struct lock_try t = {m, try_lock(m)};
    if (t.result == EBUSY && (!green_may_yield(caller) || green_on_stack(m)))
        return EBUSY;
    while (t.result == EBUSY) {
        if (green_wait_address(m, lock_busy, &t, look_by(until_ns)) != GREEN_READY || t.result == EBUSY)
            t.result = try_lock(m);
        if (t.result == EBUSY && until_ns != GREEN_FOREVER && green_now_ns() >= until_ns)
            t.result = ETIMEDOUT;
    }
    errno = error;
    return t.result;
}

static int locked_for_real(pthread_mutex_t *m, int result)
{
    if (result == 0 && green_coro)
        note_locked(m);
    return result;
}

static int lock_green(pthread_mutex_t *m, const void *caller)
{
    int result = lock_until(m, GREEN_FOREVER, caller);
    if (result != EBUSY)
        return result;
    return locked_for_real(m, green_real.pthread_mutex_lock(m));
}

int pthread_mutex_lock(pthread_mutex_t *m) { return HOOKED() ? lock_green(m, GREEN_CALLER()) : green_real.pthread_mutex_lock(m); }
int pthread_mutex_trylock(pthread_mutex_t *m) { return HOOKED() ? try_lock(m) : green_real.pthread_mutex_trylock(m); }

int pthread_mutex_timedlock(pthread_mutex_t *restrict m, const struct timespec *restrict until)
{
    int result = HOOKED() ? lock_until(m, green_until(CLOCK_REALTIME, until), GREEN_CALLER()) : EBUSY;
    return result == EBUSY ? locked_for_real(m, green_real.pthread_mutex_timedlock(m, until)) : result;
}

int pthread_mutex_clocklock(pthread_mutex_t *restrict m, clockid_t clock, const struct timespec *restrict until)
{
    int result = HOOKED() ? lock_until(m, green_until(clock, until), GREEN_CALLER()) : EBUSY;
    return result == EBUSY ? locked_for_real(m, green_real.pthread_mutex_clocklock(m, clock, until)) : result;
}

static int unlock_any(pthread_mutex_t *m)
{
    if (green_coro && is_recursive(m))
        note_unlocked(m);
    int result = green_real.pthread_mutex_unlock(m);
    if (atomic_load_explicit(&green_address_waiters, memory_order_relaxed))
        green_wake_address(m, 1);
    return result;
}

int pthread_mutex_unlock(pthread_mutex_t *m) { return unlock_any(m); }

/* --- condition variables: waking without cause is allowed, so a signal wakes a greenlet and a thread --- */

static bool unlock_and_wait(void *mutex)
{
    unlock_any(mutex);
    return true;
}

/* One that processes share (bit 0 of its wrefs) is signalled where nobody here sees it: its waiters look at what they wait for now and then. */
static int cond_green(pthread_cond_t *cond, pthread_mutex_t *m, int64_t until_ns, const void *caller)
{
    int64_t by_ns = cond->__data.__wrefs & 1 ? look_by(until_ns) : until_ns;
    int result = green_wait_address(cond, unlock_and_wait, m, by_ns);
    if (result == GREEN_BLOCK)
        return -1;
    lock_green(m, caller);
    return result == ETIMEDOUT && by_ns == until_ns ? ETIMEDOUT : 0;
}

static bool can_wait(const pthread_cond_t *cond, const pthread_mutex_t *m, const void *caller)
{
    return green_may_yield(caller) && !green_on_stack(cond) && !green_on_stack(m);
}

int pthread_cond_wait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict m)
{
    int result = HOOKED() && can_wait(cond, m, GREEN_CALLER()) ? cond_green(cond, m, GREEN_FOREVER, GREEN_CALLER()) : -1;
    return result < 0 ? green_real.pthread_cond_wait(cond, m) : result;
}

/* A condition variable made for CLOCK_MONOTONIC has bit 1 of its wrefs set. */
int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict m, const struct timespec *restrict until)
{
    int result = -1;
    if (HOOKED() && can_wait(cond, m, GREEN_CALLER())) {
        clockid_t clock = cond->__data.__wrefs & 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
        result = cond_green(cond, m, green_until(clock, until), GREEN_CALLER());
    }
    return result < 0 ? green_real.pthread_cond_timedwait(cond, m, until) : result;
}

int pthread_cond_clockwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict m, clockid_t clock, const struct timespec *restrict until)
{
    int result = -1;
    if (HOOKED() && can_wait(cond, m, GREEN_CALLER()))
        result = cond_green(cond, m, green_until(clock, until), GREEN_CALLER());
    return result < 0 ? green_real.pthread_cond_clockwait(cond, m, clock, until) : result;
}

int pthread_cond_signal(pthread_cond_t *cond)
{
    int result = green_real.pthread_cond_signal(cond);
    if (atomic_load_explicit(&green_address_waiters, memory_order_relaxed))
        green_wake_address(cond, 1);
    return result;
}

int pthread_cond_broadcast(pthread_cond_t *cond)
{
    int result = green_real.pthread_cond_broadcast(cond);
    if (atomic_load_explicit(&green_address_waiters, memory_order_relaxed))
        green_wake_address(cond, INT_MAX);
    return result;
}

int pthread_join(pthread_t thread, void **value)
{
    int64_t pause_ns = 1000000;
    while (green_coro && green_gil_released() && green_may_yield(GREEN_CALLER())) {
        int result = pthread_tryjoin_np(thread, value);
        if (result != EBUSY)
            return result;
        if (green_sleep_until(green_now_ns() + pause_ns) == GREEN_BLOCK)
            break;
        pause_ns = pause_ns * 2 > 30000000 ? 30000000 : pause_ns * 2;
    }
    return green_real.pthread_join(thread, value);
}
