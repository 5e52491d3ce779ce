/* Read-write locks of C libraries. libc takes a greenlet that wants a lock which another one writes under for the same thread, and answers
 * EDEADLK, or waits for itself; here it gives way until the other has let go. Unlocking has one door, so whoever waits is always woken. */
#include "green.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "green_hooks.h"

#define HOOKED() (green_coro && !green_in_libpython(GREEN_CALLER()))
enum { LOOK_AGAIN_NS = 10000000 };

struct rw_try {
    pthread_rwlock_t *lock;
    int (*attempt)(pthread_rwlock_t *);
    int result;
};

static bool rw_busy(void *arg)
{
    struct rw_try *t = arg;
    t->result = t->attempt(t->lock);
    return t->result == EBUSY;
}

/* One that processes share is unlocked where nobody here sees it. */
static int64_t look_by(const pthread_rwlock_t *lock, int64_t until_ns)
{
    int64_t look_ns = green_now_ns() + LOOK_AGAIN_NS;
    return !lock->__data.__shared || (until_ns != GREEN_FOREVER && until_ns < look_ns) ? until_ns : look_ns;
}

/* 0 or what libc's function would say; -1: do the real call. A wait for a lock cannot be ended: an exception comes behind it. */
static int rw_green(struct rw_try *t, int64_t until_ns, const void *caller)
{
    int error = errno;
    if (!rw_busy(t))
        return t->result;
    if (!green_may_yield(caller) || green_on_stack(t->lock))
        return -1;
    while (t->result == EBUSY) {
        int64_t by_ns = look_by(t->lock, until_ns);
        int waited = green_wait_address(t->lock, rw_busy, t, by_ns);
        if (t->result == EBUSY && !rw_busy(t))
            break;
        if (t->result == EBUSY && (waited == GREEN_BLOCK || (waited == ETIMEDOUT && by_ns == until_ns))) {
            errno = error;
            return waited == ETIMEDOUT ? ETIMEDOUT : -1;
        }
    }
    errno = error;
    return t->result;
}

static int rw_lock(pthread_rwlock_t *lock, int (*attempt)(pthread_rwlock_t *), int64_t until_ns, const void *caller)
{
    struct rw_try t = {lock, attempt, EBUSY};
    return rw_green(&t, until_ns, caller);
}

static int read_lock(pthread_rwlock_t *lock, int64_t until_ns, const void *caller)
{
    return rw_lock(lock, pthread_rwlock_tryrdlock, until_ns, caller);
}

static int write_lock(pthread_rwlock_t *lock, int64_t until_ns, const void *caller)
{
    return rw_lock(lock, pthread_rwlock_trywrlock, until_ns, caller);
}

int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    int result = HOOKED() ? read_lock(lock, GREEN_FOREVER, GREEN_CALLER()) : -1;
    return result < 0 ? green_real.pthread_rwlock_rdlock(lock) : result;
}

int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    int result = HOOKED() ? write_lock(lock, GREEN_FOREVER, GREEN_CALLER()) : -1;
    return result < 0 ? green_real.pthread_rwlock_wrlock(lock) : result;
}

int pthread_rwlock_timedrdlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict until)
{
    int result = HOOKED() ? read_lock(lock, green_until(CLOCK_REALTIME, until), GREEN_CALLER()) : -1;
    return result < 0 ? green_real.pthread_rwlock_timedrdlock(lock, until) : result;
}

int pthread_rwlock_timedwrlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict until)
{
    int result = HOOKED() ? write_lock(lock, green_until(CLOCK_REALTIME, until), GREEN_CALLER()) : -1;
    return result < 0 ? green_real.pthread_rwlock_timedwrlock(lock, until) : result;
}

int pthread_rwlock_clockrdlock(pthread_rwlock_t *restrict lock, clockid_t clock, const struct timespec *restrict until)
{
    int result = HOOKED() ? read_lock(lock, green_until(clock, until), GREEN_CALLER()) : -1;
    return result < 0 ? green_real.pthread_rwlock_clockrdlock(lock, clock, until) : result;
}

int pthread_rwlock_clockwrlock(pthread_rwlock_t *restrict lock, clockid_t clock, const struct timespec *restrict until)
{
    int result = HOOKED() ? write_lock(lock, green_until(clock, until), GREEN_CALLER()) : -1;
    return result < 0 ? green_real.pthread_rwlock_clockwrlock(lock, clock, until) : result;
}

int pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    int result = green_real.pthread_rwlock_unlock(lock);
    if (atomic_load_explicit(&green_address_waiters, memory_order_relaxed))
        green_wake_address(lock, INT_MAX);
    return result;
}
