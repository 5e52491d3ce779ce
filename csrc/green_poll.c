/* poll, select and epoll: look without blocking, wait in the hub for any of the descriptors, look again. Sets are copied to the heap, and the
 * caller's are changed only when the call has succeeded. */
#include "green.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "green_hooks.h"

#define HOOKED() (green_coro && green_gil_released())

static int64_t deadline_ms(int timeout_ms) { return timeout_ms < 0 ? GREEN_FOREVER : green_now_ns() + (int64_t)timeout_ms * 1000000; }

/* 1: look again; 0: the time is over; -1: errno; -2: do the real call. */
static int wait_any(const struct pollfd *fds, size_t count, int64_t until_ns)
{
    int result = green_wait_fds(fds, count, until_ns);
    if (result == GREEN_READY)
        return 1;
    if (result == ETIMEDOUT)
        return 0;
    if (result == EBADF)
        return 1;
    if (result == GREEN_BLOCK)
        return -2;
    errno = result;
    return -1;
}

static int poll_green(struct pollfd *fds, nfds_t count, int64_t until_ns)
{
    for (;;) {
        int again = wait_any(fds, count, until_ns);
        if (again < 0)
            return again;
        int n = green_real.poll(fds, count, 0);
        if (n || !again)
            return n;
    }
}

/* What Python's sockets with a timeout do before each recv: nothing to read has just been seen, so only what comes now is of interest, and what came
 * is the answer. Somebody else may have taken it meanwhile, as between threads. */
static bool is_plain_read(const struct pollfd *fds, nfds_t count)
{
    return count == 1 && fds->events == POLLIN && fds->fd >= 0 && green_fd_kind(fds->fd) == GREEN_SOCKET;
}

static int poll_read(struct pollfd *one, int64_t until_ns)
{
    uint32_t got;
    int result = green_wait_events(one->fd, EPOLLIN | EPOLLET, until_ns, &got);
    switch (result) {
    case GREEN_READY:
        one->revents = (short)got;
        return 1;
    case GREEN_BLOCK:
        return -2;
    case ETIMEDOUT: case EBADF:
        return green_real.poll(one, 1, 0);
    default:
        errno = result;
        return -1;
    }
}

static int poll_any(struct pollfd *fds, nfds_t count, int timeout_ms, const void *caller)
{
    int n = green_real.poll(fds, count, 0);
    if (n || timeout_ms == 0)
        return n;
    if (!green_may_yield(caller))
        return green_real.poll(fds, count, timeout_ms);
    n = is_plain_read(fds, count) ? poll_read(fds, deadline_ms(timeout_ms)) : poll_green(fds, count, deadline_ms(timeout_ms));
    return n == -2 ? green_real.poll(fds, count, timeout_ms) : n;
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    return HOOKED() ? poll_any(fds, count, timeout_ms, GREEN_CALLER()) : green_real.poll(fds, count, timeout_ms);
}
int __poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    return HOOKED() ? poll_any(fds, count, timeout_ms, GREEN_CALLER()) : green_real.poll(fds, count, timeout_ms);
}
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t room)
{
    if (count > room / sizeof *fds)
        abort();
    return HOOKED() ? poll_any(fds, count, timeout_ms, GREEN_CALLER()) : green_real.poll(fds, count, timeout_ms);
}

/* With a signal mask the call is about signals, and is left alone. */
static int ppoll_any(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, const void *caller)
{
    if (mask || !HOOKED())
        return green_real.ppoll(fds, count, timeout, mask);
    int n = green_real.poll(fds, count, 0);
    if (n || (timeout && !timeout->tv_sec && !timeout->tv_nsec))
        return n;
    n = green_may_yield(caller) ? poll_green(fds, count, green_after(timeout)) : -2;
    return n == -2 ? green_real.ppoll(fds, count, timeout, mask) : n;
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    return ppoll_any(fds, count, timeout, mask, GREEN_CALLER());
}
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t room)
{
    if (count > room / sizeof *fds)
        abort();
    return ppoll_any(fds, count, timeout, mask, GREEN_CALLER());
}

/* --- select --- */

struct sets { /* one heap block: the caller's three sets as they came, three to look with, and what to wait on */
    int count;
    size_t bytes;
    fd_set *asked[3], *seen[3];
    struct pollfd *fds;
    size_t fd_count;
    struct timeval left;
    bool timed;
};

static const short select_events[3] = {POLLIN, POLLOUT, POLLPRI};

static bool in_set(const fd_set *set, int fd) { return set && (((const unsigned long *)set)[fd / (int)(8 * sizeof(long))] >> (fd % (int)(8 * sizeof(long))) & 1); }

static struct sets *sets_new(int count, fd_set *const given[3])
{
    size_t bytes = ((size_t)count + 63) / 64 * 8;
    struct sets *s = calloc(1, sizeof *s + 6 * bytes + (size_t)count * sizeof *s->fds);
    if (!s)
        return NULL;
    s->count = count;
    s->bytes = bytes;
    s->fds = (struct pollfd *)(s + 1);
    char *at = (char *)(s->fds + count);
    for (int k = 0; k < 3; k++, at += 2 * bytes) {
        if (!given[k])
            continue;
        s->asked[k] = (fd_set *)at;
        s->seen[k] = (fd_set *)(at + bytes);
        memcpy(at, given[k], bytes);
    }
    for (int fd = 0; fd < count; fd++) {
        short events = 0;
        for (int k = 0; k < 3; k++)
            events |= in_set(s->asked[k], fd) ? select_events[k] : 0;
        if (events)
            s->fds[s->fd_count++] = (struct pollfd){.fd = fd, .events = events};
    }
    return s;
}

static int sets_look(struct sets *s, fd_set *const given[3])
{
    struct timeval now = {0, 0};
    for (int k = 0; k < 3; k++)
        if (s->asked[k])
            memcpy(s->seen[k], s->asked[k], s->bytes);
    int n = green_real.select(s->count, s->seen[0], s->seen[1], s->seen[2], &now);
    if (n < 0)
        return n;
    for (int k = 0; k < 3 && n > 0; k++)
        if (given[k])
            memcpy(given[k], s->seen[k], s->bytes);
    return n;
}

/* -2: do the real call; the caller's sets are as they came. */
static int select_green(int count, fd_set *const given[3], int64_t until_ns, bool look_only, const void *caller)
{
    struct sets *s = sets_new(count, given);
    if (!s)
        return -2;
    int n = sets_look(s, given), again = 1;
    if (n == 0 && !look_only && !green_may_yield(caller))
        n = again = -2;
    while (n == 0 && again > 0 && !look_only) {
        again = wait_any(s->fds, s->fd_count, until_ns);
        n = again < 0 ? again : sets_look(s, given);
    }
    for (int k = 0; k < 3 && n == 0; k++)
        if (given[k])
            memset(given[k], 0, s->bytes);
    int error = errno;
    free(s);
    errno = error;
    return n;
}

int select(int count, fd_set *restrict in, fd_set *restrict out, fd_set *restrict except, struct timeval *restrict timeout)
{
    if (!HOOKED() || count < 0 || count > 1 << 20)
        return green_real.select(count, in, out, except, timeout);
    fd_set *given[3] = {in, out, except};
    int64_t until = timeout ? green_now_ns() + (int64_t)timeout->tv_sec * 1000000000 + (int64_t)timeout->tv_usec * 1000 : GREEN_FOREVER;
    int n = select_green(count, given, until, timeout && !timeout->tv_sec && !timeout->tv_usec, GREEN_CALLER());
    if (n == -2)
        return green_real.select(count, in, out, except, timeout);
    if (timeout) {
        int64_t left = until - green_now_ns();
        *timeout = left > 0 ? (struct timeval){left / 1000000000, left / 1000 % 1000000} : (struct timeval){0, 0};
    }
    return n;
}

int pselect(int count, fd_set *restrict in, fd_set *restrict out, fd_set *restrict except, const struct timespec *restrict timeout,
            const sigset_t *restrict mask)
{
    if (mask || !HOOKED() || count < 0 || count > 1 << 20)
        return green_real.pselect(count, in, out, except, timeout, mask);
    fd_set *given[3] = {in, out, except};
    int n = select_green(count, given, green_after(timeout), timeout && !timeout->tv_sec && !timeout->tv_nsec, GREEN_CALLER());
    return n == -2 ? green_real.pselect(count, in, out, except, timeout, mask) : n;
}

/* --- epoll: an epoll descriptor can itself be waited on --- */

static int epoll_green(int fd, struct epoll_event *events, int room, int timeout_ms, const void *caller)
{
    int n = green_real.epoll_wait(fd, events, room, 0);
    if (n || timeout_ms == 0)
        return n;
    if (!green_may_yield(caller))
        return green_real.epoll_wait(fd, events, room, timeout_ms);
    struct pollfd one = {.fd = fd, .events = POLLIN};
    int64_t until_ns = deadline_ms(timeout_ms);
    for (;;) {
        int again = wait_any(&one, 1, until_ns);
        if (again < 0)
            return again == -1 ? -1 : green_real.epoll_wait(fd, events, room, timeout_ms);
        n = green_real.epoll_wait(fd, events, room, 0);
        if (n || !again)
            return n;
    }
}

int epoll_wait(int fd, struct epoll_event *events, int room, int timeout_ms)
{
    return HOOKED() ? epoll_green(fd, events, room, timeout_ms, GREEN_CALLER()) : green_real.epoll_wait(fd, events, room, timeout_ms);
}

int epoll_pwait(int fd, struct epoll_event *events, int room, int timeout_ms, const sigset_t *mask)
{
    if (mask || !HOOKED())
        return green_real.epoll_pwait(fd, events, room, timeout_ms, mask);
    return epoll_green(fd, events, room, timeout_ms, GREEN_CALLER());
}
