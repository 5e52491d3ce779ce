/* read and write on what may block: sockets, pipes, terminals. Regular files stay blocking: the disk cannot be waited for. */
#include "green.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "green_hooks.h"

#define HOOKED() (green_coro && green_gil_released())

/* Standard output and error are shared with everybody else of this terminal or log: they are neither made non-blocking nor waited on. The input is
 * waited on, and its flags stay as they are. */
enum { FIRST_OWN_FD = 3 };

static bool is_for_output(int fd) { return fd == 1 || fd == 2; }

static bool ready(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    return green_real.poll(&p, 1, 0) != 0;
}

/* A direction that the descriptor was not opened for must fail at once instead of waiting for ever. */
static bool opened_for(int fd, int mode)
{
    int flags = green_real.fcntl(fd, F_GETFL);
    return flags >= 0 && ((flags & O_ACCMODE) == O_RDWR || (flags & O_ACCMODE) == mode);
}

static ssize_t read_vector(int fd, const struct iovec *iov, int count, enum green_kind kind, const void *caller)
{
    struct green_try state = {0};
    bool no_nowait = kind != GREEN_PIPE;
    if (no_nowait && !opened_for(fd, O_RDONLY))
        return green_real.readv(fd, iov, count);
    for (;;) {
        ssize_t r = -1;
        errno = EAGAIN;
        if (!no_nowait)
            r = preadv2(fd, iov, count, -1, RWF_NOWAIT);
        if (r < 0 && errno == EOPNOTSUPP) {
            no_nowait = true;
            errno = EAGAIN;
        }
        if (no_nowait && ready(fd, POLLIN))
            return green_real.readv(fd, iov, count);
        if (r >= 0 || errno != EAGAIN)
            return r;
        int again = green_again(fd, EPOLLIN, 0, &state, caller);
        if (again <= 0)
            return again < 0 ? -1 : green_real.readv(fd, iov, count);
    }
}

ssize_t green_read(int fd, void *to, size_t n, const void *caller)
{
    if (!HOOKED())
        return green_real.read(fd, to, n);
    enum green_kind kind = is_for_output(fd) ? GREEN_FILE : green_fd_kind(fd);
    if (kind == GREEN_SOCKET && n) {
        struct iovec one = {to, n};
        struct msghdr m = {.msg_iov = &one, .msg_iovlen = 1};
        return green_recvmsg(fd, &m, 0, caller);
    }
    if (kind == GREEN_FILE || kind == GREEN_UNKNOWN || kind == GREEN_SOCKET)
        return green_real.read(fd, to, n);
    struct iovec one = {to, n};
    return read_vector(fd, &one, 1, kind, caller);
}

ssize_t read(int fd, void *to, size_t n) { return green_read(fd, to, n, GREEN_CALLER()); }
ssize_t __read(int fd, void *to, size_t n) { return green_read(fd, to, n, GREEN_CALLER()); }

ssize_t __read_chk(int fd, void *to, size_t n, size_t room)
{
    if (n > room)
        abort();
    return green_read(fd, to, n, GREEN_CALLER());
}

ssize_t readv(int fd, const struct iovec *iov, int count)
{
    if (!HOOKED() || is_for_output(fd) || count <= 0)
        return green_real.readv(fd, iov, count);
    enum green_kind kind = green_fd_kind(fd);
    if (kind == GREEN_SOCKET) {
        struct msghdr m = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
        return green_recvmsg(fd, &m, 0, GREEN_CALLER());
    }
    if (kind == GREEN_FILE || kind == GREEN_UNKNOWN)
        return green_real.readv(fd, iov, count);
    return read_vector(fd, iov, count, kind, GREEN_CALLER());
}

/* One try at a pipe: what fits now, or -1 with EAGAIN. A poll that says "room" promises PIPE_BUF bytes and no more. */
static ssize_t write_now(int fd, const char *from, size_t n, bool *no_nowait)
{
    struct iovec one = {(void *)from, n};
    if (!*no_nowait) {
        ssize_t r = pwritev2(fd, &one, 1, -1, RWF_NOWAIT);
        if (r >= 0 || errno != EOPNOTSUPP)
            return r;
        *no_nowait = true;
    }
    if (ready(fd, POLLOUT))
        return green_real.write(fd, from, n < PIPE_BUF ? n : PIPE_BUF);
    errno = EAGAIN;
    return -1;
}

static ssize_t write_pipe(int fd, const char *from, size_t n, const void *caller)
{
    struct green_try state = {0};
    bool no_nowait = false;
    size_t sent = 0;
    for (;;) {
        ssize_t r = write_now(fd, from + sent, n - sent, &no_nowait);
        if (r >= 0) {
            sent += (size_t)r;
            if (sent >= n || (!state.known && green_fd_nonblocking(fd)))
                return (ssize_t)sent;
            continue;
        }
        if (errno != EAGAIN)
            return sent ? (ssize_t)sent : -1;
        int again = green_again(fd, EPOLLOUT, 0, &state, caller);
        if (again == 0)
            r = green_real.write(fd, from + sent, n - sent);
        if (again <= 0)
            return r >= 0 ? (ssize_t)sent + r : sent ? (ssize_t)sent : -1;
    }
}

static ssize_t write_green(int fd, const void *from, size_t n, const void *caller)
{
    enum green_kind kind = fd < FIRST_OWN_FD ? GREEN_FILE : green_fd_kind(fd);
    if (kind == GREEN_SOCKET) {
        struct iovec one = {(void *)from, n};
        struct msghdr m = {.msg_iov = &one, .msg_iovlen = 1};
        return green_sendmsg(fd, &m, 0, caller);
    }
    if (kind == GREEN_PIPE && n)
        return write_pipe(fd, from, n, caller);
    return green_real.write(fd, from, n);
}

ssize_t write(int fd, const void *from, size_t n) { return HOOKED() ? write_green(fd, from, n, GREEN_CALLER()) : green_real.write(fd, from, n); }
ssize_t __write(int fd, const void *from, size_t n) { return HOOKED() ? write_green(fd, from, n, GREEN_CALLER()) : green_real.write(fd, from, n); }

/* A vector to a pipe goes piece by piece; only the first piece may fail the call. */
ssize_t writev(int fd, const struct iovec *iov, int count)
{
    enum green_kind kind = !HOOKED() || fd < FIRST_OWN_FD || count <= 0 ? GREEN_FILE : green_fd_kind(fd);
    if (kind == GREEN_SOCKET) {
        struct msghdr m = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
        return green_sendmsg(fd, &m, 0, GREEN_CALLER());
    }
    if (kind != GREEN_PIPE)
        return green_real.writev(fd, iov, count);
    ssize_t sent = 0;
    for (int i = 0; i < count; i++) {
        ssize_t r = iov[i].iov_len ? write_pipe(fd, iov[i].iov_base, iov[i].iov_len, GREEN_CALLER()) : 0;
        if (r < 0)
            return sent ? sent : -1;
        sent += r;
        if ((size_t)r < iov[i].iov_len)
            break;
    }
    return sent;
}
