/* Sockets: try without blocking, wait in the hub, try again. A blocking send sends all; MSG_WAITALL waits for all. */
#include "green.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>

#include "green_hooks.h"
#include "green_real.h"
#include "kernel.h"

#define HOOKED() (green_coro && green_gil_released())

static ssize_t receive_now(int fd, void *to, size_t n, int flags, struct sockaddr *from, socklen_t *from_len)
{
    return kernel_call(SYS_recvfrom, fd, (long)to, (long)n, flags | MSG_DONTWAIT, (long)from, (long)from_len);
}

static ssize_t send_now(int fd, const void *from, size_t n, int flags, const struct sockaddr *to, socklen_t to_len)
{
    return kernel_call(SYS_sendto, fd, (long)from, (long)n, flags | MSG_DONTWAIT, (long)to, (long)to_len);
}

/* Nothing is there: only what comes now is of interest. Not so where flags look past what is there. */
static uint32_t readable(int flags) { return flags & (MSG_OOB | MSG_ERRQUEUE) ? EPOLLIN : EPOLLIN | EPOLLET; }

struct incoming { void *to; size_t n; int flags; struct sockaddr *from; socklen_t *from_len; };

/* r: what the first try said. */
static ssize_t receive(int fd, const struct incoming *in, ssize_t r, const void *caller)
{
    struct green_try state = {0};
    size_t got = 0;
    for (;; r = receive_now(fd, (char *)in->to + got, in->n - got, in->flags, in->from, in->from_len)) {
        if (r > 0 && (in->flags & MSG_WAITALL) && got + (size_t)r < in->n) {
            got += (size_t)r;
            continue;
        }
        if (r >= 0)
            return (ssize_t)got + r;
        if (errno != EAGAIN || (in->flags & MSG_DONTWAIT))
            return got ? (ssize_t)got : -1;
        int again = green_again(fd, readable(in->flags), SO_RCVTIMEO, &state, caller);
        if (again == 0)
            r = green_real.recvfrom(fd, (char *)in->to + got, in->n - got, in->flags, in->from, in->from_len);
        if (again <= 0)
            return r >= 0 ? (ssize_t)got + r : got ? (ssize_t)got : -1;
    }
}

/* The way of a call that finds what it wants is kept short; whether the caller may wait is asked when it has to. */
static inline ssize_t receive_try(int fd, void *to, size_t n, int flags, struct sockaddr *from, socklen_t *from_len, const void *caller)
{
    ssize_t r = receive_now(fd, to, n, flags, from, from_len);
    if (__builtin_expect(r >= 0, 1) && ((size_t)r == n || !(flags & MSG_WAITALL)))
        return r;
    return receive(fd, &(struct incoming){to, n, flags, from, from_len}, r, caller);
}

ssize_t recv(int fd, void *to, size_t n, int flags)
{
    return green_coro ? receive_try(fd, to, n, flags, NULL, NULL, GREEN_CALLER()) : green_real.recv(fd, to, n, flags);
}

ssize_t recvfrom(int fd, void *restrict to, size_t n, int flags, __SOCKADDR_ARG from, socklen_t *restrict from_len)
{
    if (!green_coro)
        return green_real.recvfrom(fd, to, n, flags, from.__sockaddr__, from_len);
    return receive_try(fd, to, n, flags, from.__sockaddr__, from_len, GREEN_CALLER());
}

/* The fortified twins have checked nothing yet: room is what the buffer has. */
ssize_t __recv_chk(int fd, void *to, size_t n, size_t room, int flags)
{
    if (n > room)
        abort();
    return green_coro ? receive_try(fd, to, n, flags, NULL, NULL, GREEN_CALLER()) : green_real.recv(fd, to, n, flags);
}

ssize_t __recvfrom_chk(int fd, void *restrict to, size_t n, size_t room, int flags, __SOCKADDR_ARG from, socklen_t *restrict from_len)
{
    if (n > room)
        abort();
    if (!green_coro)
        return green_real.recvfrom(fd, to, n, flags, from.__sockaddr__, from_len);
    return receive_try(fd, to, n, flags, from.__sockaddr__, from_len, GREEN_CALLER());
}

ssize_t green_recvmsg(int fd, struct msghdr *m, int flags, const void *caller)
{
    struct green_try state = {0};
    socklen_t name_len = m->msg_namelen;
    size_t control_len = m->msg_controllen;
    for (;;) {
        ssize_t r = green_real.recvmsg(fd, m, flags | MSG_DONTWAIT);
        if (r >= 0 || errno != EAGAIN || (flags & MSG_DONTWAIT))
            return r;
        int again = green_again(fd, readable(flags), SO_RCVTIMEO, &state, caller);
        m->msg_namelen = name_len;
        m->msg_controllen = control_len;
        if (again <= 0)
            return again < 0 ? -1 : green_real.recvmsg(fd, m, flags);
    }
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    return HOOKED() ? green_recvmsg(fd, m, flags, GREEN_CALLER()) : green_real.recvmsg(fd, m, flags);
}

struct outgoing { const void *from; size_t n; int flags; const struct sockaddr *to; socklen_t to_len; };

/* r: what the first try said. */
static ssize_t transmit(int fd, const struct outgoing *out, ssize_t r, const void *caller)
{
    struct green_try state = {0};
    size_t sent = 0;
    for (;; r = send_now(fd, (const char *)out->from + sent, out->n - sent, out->flags, out->to, out->to_len)) {
        if (r >= 0) {
            sent += (size_t)r;
            if (sent >= out->n || (out->flags & MSG_DONTWAIT) || (!state.known && green_fd_nonblocking(fd)))
                return (ssize_t)sent;
            continue;
        }
        if (errno != EAGAIN || (out->flags & MSG_DONTWAIT))
            return sent ? (ssize_t)sent : -1;
        int again = green_again(fd, EPOLLOUT, SO_SNDTIMEO, &state, caller);
        if (again == 0)
            r = green_real.sendto(fd, (const char *)out->from + sent, out->n - sent, out->flags, out->to, out->to_len);
        if (again <= 0)
            return r >= 0 ? (ssize_t)sent + r : sent ? (ssize_t)sent : -1;
    }
}

static inline ssize_t send_try(int fd, const void *from, size_t n, int flags, const struct sockaddr *to, socklen_t to_len, const void *caller)
{
    ssize_t r = send_now(fd, from, n, flags, to, to_len);
    if (__builtin_expect((size_t)r == n, 1))
        return r;
    return transmit(fd, &(struct outgoing){from, n, flags, to, to_len}, r, caller);
}

ssize_t send(int fd, const void *from, size_t n, int flags)
{
    return green_coro ? send_try(fd, from, n, flags, NULL, 0, GREEN_CALLER()) : green_real.send(fd, from, n, flags);
}

ssize_t sendto(int fd, const void *from, size_t n, int flags, __CONST_SOCKADDR_ARG to, socklen_t to_len)
{
    if (!green_coro)
        return green_real.sendto(fd, from, n, flags, to.__sockaddr__, to_len);
    return send_try(fd, from, n, flags, to.__sockaddr__, to_len, GREEN_CALLER());
}

static size_t total_of(const struct iovec *iov, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += iov[i].iov_len;
    return total;
}

/* The rest of a message of which sent bytes are gone; control data went with the first. A heap copy of the vector. */
static struct iovec *rest_of(const struct msghdr *m, size_t sent, struct msghdr *rest)
{
    struct iovec *iov = malloc((m->msg_iovlen + 1) * sizeof *iov);
    if (!iov)
        return NULL;
    *rest = *m;
    rest->msg_control = NULL;
    rest->msg_controllen = 0;
    rest->msg_iov = iov;
    rest->msg_iovlen = 0;
    for (size_t i = 0; i < m->msg_iovlen; i++) {
        size_t skip = sent < m->msg_iov[i].iov_len ? sent : m->msg_iov[i].iov_len;
        sent -= skip;
        if (skip < m->msg_iov[i].iov_len)
            iov[rest->msg_iovlen++] = (struct iovec){(char *)m->msg_iov[i].iov_base + skip, m->msg_iov[i].iov_len - skip};
    }
    return iov;
}

static ssize_t send_rest(int fd, const struct msghdr *m, int flags, size_t sent, size_t total, const void *caller)
{
    struct green_try state = {0};
    while (sent < total) {
        struct msghdr rest;
        struct iovec *iov = rest_of(m, sent, &rest);
        if (!iov)
            break;
        int again = 1;
        ssize_t r = green_real.sendmsg(fd, &rest, flags | MSG_DONTWAIT);
        if (r < 0 && errno == EAGAIN) {
            again = green_again(fd, EPOLLOUT, SO_SNDTIMEO, &state, caller);
            if (again == 0)
                r = green_real.sendmsg(fd, &rest, flags);
        } else if (r < 0)
            again = -1;
        free(iov);
        if (r > 0)
            sent += (size_t)r;
        if (again < 0 || (again == 0 && r < 0))
            break;
    }
    return sent ? (ssize_t)sent : -1;
}

ssize_t green_sendmsg(int fd, const struct msghdr *m, int flags, const void *caller)
{
    struct green_try state = {0};
    for (;;) {
        ssize_t r = green_real.sendmsg(fd, m, flags | MSG_DONTWAIT);
        if (r >= 0) {
            size_t total = total_of(m->msg_iov, m->msg_iovlen);
            if ((size_t)r >= total || (flags & MSG_DONTWAIT) || green_fd_nonblocking(fd))
                return r;
            return send_rest(fd, m, flags, (size_t)r, total, caller);
        }
        if (errno != EAGAIN || (flags & MSG_DONTWAIT))
            return -1;
        int again = green_again(fd, EPOLLOUT, SO_SNDTIMEO, &state, caller);
        if (again <= 0)
            return again < 0 ? -1 : green_real.sendmsg(fd, m, flags);
    }
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    return HOOKED() ? green_sendmsg(fd, m, flags, GREEN_CALLER()) : green_real.sendmsg(fd, m, flags);
}

/* Looked for first: O_NONBLOCK on a listener would be seen by every process that shares it. */
static int accept_once(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (green_real.poll(&p, 1, 0) != 0)
        return green_real.accept4(fd, from, len, flags);
    errno = EAGAIN;
    return -1;
}

static int accept_green(int fd, struct sockaddr *from, socklen_t *len, int flags, const void *caller)
{
    struct green_try state = {0};
    if (green_fd_nonblocking(fd))
        return green_real.accept4(fd, from, len, flags);
    for (;;) {
        int got = accept_once(fd, from, len, flags);
        if (got >= 0 || errno != EAGAIN)
            return got;
        int again = green_again(fd, EPOLLIN, SO_RCVTIMEO, &state, caller);
        if (again <= 0)
            return again < 0 ? -1 : green_real.accept4(fd, from, len, flags);
    }
}

int accept(int fd, __SOCKADDR_ARG from, socklen_t *restrict len)
{
    return HOOKED() ? accept_green(fd, from.__sockaddr__, len, 0, GREEN_CALLER()) : green_real.accept(fd, from.__sockaddr__, len);
}

int accept4(int fd, __SOCKADDR_ARG from, socklen_t *restrict len, int flags)
{
    return HOOKED() ? accept_green(fd, from.__sockaddr__, len, flags, GREEN_CALLER()) : green_real.accept4(fd, from.__sockaddr__, len, flags);
}

ssize_t sendfile(int out_fd, int in_fd, off_t *offset, size_t n)
{
    if (!HOOKED() || !green_library_allowed(GREEN_CALLER()) || green_fd_nonblocking(out_fd))
        return green_real.sendfile(out_fd, in_fd, offset, n);
    struct green_try state = {.until_ns = GREEN_FOREVER, .known = true};
    for (;;) {
        int flags = green_real.fcntl(out_fd, F_GETFL);
        green_real.fcntl(out_fd, F_SETFL, flags | O_NONBLOCK);
        ssize_t r = green_real.sendfile(out_fd, in_fd, offset, n);
        int error = errno;
        green_real.fcntl(out_fd, F_SETFL, flags);
        errno = error;
        if (r >= 0 || error != EAGAIN)
            return r;
        int again = green_again(out_fd, EPOLLOUT, 0, &state, GREEN_CALLER());
        if (again <= 0)
            return again < 0 ? -1 : green_real.sendfile(out_fd, in_fd, offset, n);
    }
}

ssize_t sendfile64(int out_fd, int in_fd, off64_t *offset, size_t n) __attribute__((alias("sendfile")));
