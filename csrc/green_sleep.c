/* Sleeping is a timer of the hub. */
#include "green.h"

#include <errno.h>
#include <unistd.h>

#include "green_hooks.h"
#include "timer.h"

#define HOOKED() (green_coro && green_gil_released())
enum { NS = 1000000000 };

/* now_ns and what lies between two times, as far as it can be counted: what was over before the system's start is over at 0. */
static int64_t later(int64_t now_ns, const struct timespec *to, const struct timespec *from)
{
    int64_t ns;
    if (__builtin_sub_overflow((int64_t)to->tv_sec, (int64_t)from->tv_sec, &ns) || __builtin_mul_overflow(ns, (int64_t)NS, &ns) ||
        __builtin_add_overflow(ns, to->tv_nsec - from->tv_nsec, &ns) || __builtin_add_overflow(ns, now_ns, &ns))
        return to->tv_sec < from->tv_sec ? 0 : INT64_MAX;
    return ns < 0 ? 0 : ns;
}

int64_t green_until(int clock, const struct timespec *moment)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return later(green_now_ns(), moment, &now);
}

static int64_t after(int64_t now_ns, const struct timespec *wait) { return later(now_ns, wait, &(struct timespec){0}); }

int64_t green_after(const struct timespec *wait) { return wait ? after(green_now_ns(), wait) : GREEN_FOREVER; }

static bool valid(const struct timespec *t) { return t->tv_sec >= 0 && t->tv_sec < INT32_MAX && t->tv_nsec >= 0 && t->tv_nsec < NS; }

/* 0, an errno, or GREEN_BLOCK. */
static int sleep_until(int64_t now_ns, int64_t until_ns, struct timespec *left)
{
    int result = green_sleep_until(timer_together(now_ns, until_ns));
    int64_t rest = left && result != ETIMEDOUT ? until_ns - green_now_ns() : 0;
    if (left && result != ETIMEDOUT)
        *left = rest > 0 ? (struct timespec){rest / NS, rest % NS} : (struct timespec){0, 0};
    return result == ETIMEDOUT ? 0 : result;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *want, struct timespec *left)
{
    bool known = clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME;
    if (!HOOKED() || !known || !valid(want) || !green_may_yield(GREEN_CALLER()))
        return green_real.clock_nanosleep(clock, flags, want, left);
    bool moment = flags & TIMER_ABSTIME;
    int64_t now_ns = green_now_ns();
    int error = errno, result = sleep_until(now_ns, moment ? green_until(clock, want) : after(now_ns, want), moment ? NULL : left);
    errno = error;
    return result == GREEN_BLOCK ? green_real.clock_nanosleep(clock, flags, want, left) : result;
}

static int nanosleep_green(const struct timespec *want, struct timespec *left, const void *caller)
{
    if (!HOOKED() || !valid(want) || !green_may_yield(caller))
        return green_real.nanosleep(want, left);
    int64_t now_ns = green_now_ns();
    int result = sleep_until(now_ns, after(now_ns, want), left);
    if (result == GREEN_BLOCK)
        return green_real.nanosleep(want, left);
    if (result)
        errno = result;
    return result ? -1 : 0;
}

int nanosleep(const struct timespec *want, struct timespec *left) { return nanosleep_green(want, left, GREEN_CALLER()); }

int usleep(useconds_t us)
{
    struct timespec want = {us / 1000000, us % 1000000 * 1000};
    return nanosleep_green(&want, NULL, GREEN_CALLER());
}

unsigned sleep(unsigned seconds)
{
    struct timespec want = {seconds, 0}, left = {0, 0};
    return nanosleep_green(&want, &left, GREEN_CALLER()) ? (unsigned)left.tv_sec + (left.tv_nsec > 0) : 0;
}
