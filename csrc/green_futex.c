/* futex through syscall(): what C++ and Rust libraries wait on. A wait parks on the address; a wake of any thread finds those who are parked
 * beside those who are in the kernel. Only for libraries that are known to bear it: many that call futex themselves keep an idea of their own
 * of which thread they are in. Who wakes from another process, or without libc, is not seen here, so a wait looks at the value now and then. */
#include "green.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

#include "green_hooks.h"

enum { LOOK_AGAIN_NS = 10000000 };

struct futex_wait { const _Atomic uint32_t *word; uint32_t value; bool changed; };

static bool unchanged(void *arg)
{
    struct futex_wait *w = arg;
    w->changed = atomic_load(w->word) != w->value;
    return !w->changed;
}

/* FUTEX_WAIT counts from now, FUTEX_WAIT_BITSET names a moment of one of two clocks. */
static int64_t end_of(int op, const struct timespec *timeout)
{
    if (!timeout || (op & FUTEX_CMD_MASK) == FUTEX_WAIT)
        return green_after(timeout);
    return green_until(op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, timeout);
}

static int64_t earlier(int64_t look_ns, int64_t until_ns) { return until_ns != GREEN_FOREVER && until_ns < look_ns ? until_ns : look_ns; }

/* 0: woken, or the value is another one by now; an errno; or GREEN_BLOCK. */
static int wait_green(struct futex_wait *w, int64_t until_ns)
{
    if (!unchanged(w))
        return EAGAIN;
    for (;;) {
        int result = green_wait_address((const void *)w->word, unchanged, w, earlier(green_now_ns() + LOOK_AGAIN_NS, until_ns));
        if (result == ECANCELED)
            return EINTR; /* callers look at the value and come again */
        if (result != ETIMEDOUT)
            return result;
        if (!unchanged(w))
            return 0;
        if (until_ns != GREEN_FOREVER && green_now_ns() >= until_ns)
            return ETIMEDOUT;
    }
}

static bool waits(int op) { return (op & FUTEX_CMD_MASK) == FUTEX_WAIT || (op & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET; }
static bool wakes_some(int op) { return (op & FUTEX_CMD_MASK) == FUTEX_WAKE || (op & FUTEX_CMD_MASK) == FUTEX_WAKE_BITSET; }
static bool moves(int op)
{
    int command = op & FUTEX_CMD_MASK;
    return command == FUTEX_REQUEUE || command == FUTEX_CMP_REQUEUE || command == FUTEX_WAKE_OP;
}

/* After the kernel has woken `woken` of the `count` that the caller wants awake. Waking without cause is allowed. */
static long wake_parked(int op, const void *address, int count, long woken)
{
    if (woken < 0 || !atomic_load(&green_address_waiters))
        return woken;
    if (wakes_some(op) && count > woken)
        return woken + green_wake_address(address, count - (int)woken);
    if (moves(op))
        green_wake_address(address, INT_MAX);
    return woken;
}

static long futex(const long args[6], const void *caller)
{
    void *address = (void *)args[0];
    int op = (int)args[1];
    if (green_coro && waits(op) && green_may_yield(caller) && !green_on_stack(address)) {
        struct futex_wait w = {address, (uint32_t)args[2], false};
        int result = wait_green(&w, end_of(op, (const struct timespec *)args[3]));
        if (result != GREEN_BLOCK) {
            if (result)
                errno = result;
            return result ? -1 : 0;
        }
    }
    long done = green_real.syscall(SYS_futex, args[0], args[1], args[2], args[3], args[4], args[5]);
    return wake_parked(op, address, (int)args[2], done);
}

long syscall(long number, ...)
{
    long args[6];
    va_list list;
    va_start(list, number);
    for (int n = 0; n < 6; n++)
        args[n] = va_arg(list, long);
    va_end(list);
    if (!green_real.syscall)
        green_real_fill();
    if (number == SYS_futex)
        return futex(args, GREEN_CALLER());
    return green_real.syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
