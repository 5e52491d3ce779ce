/* What kind of thing a descriptor is, remembered until it is closed; and what happens when it is. */
#include "green.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "green_hooks.h"

enum { KINDS = 65536 };
static _Atomic unsigned char kinds[KINDS];

/* Descriptors that were seen to block and to have no timeout, per direction, in this generation. A generation ends when any descriptor's
 * flags or timeouts are changed: another one may share them. */
static struct { _Atomic uint32_t in, out; } plain[KINDS];
static _Atomic uint32_t generation = 1;
static _Atomic uint32_t closes[KINDS]; /* twice how often this number was closed: green_fd_closes is never 0 */

static enum green_kind look(int fd)
{
    struct stat st;
    if (fstat(fd, &st))
        return GREEN_UNKNOWN;
    switch (st.st_mode & S_IFMT) {
    case S_IFSOCK: return GREEN_SOCKET;
    case S_IFIFO: return GREEN_PIPE;
    case S_IFCHR: return GREEN_CHAR;
    case S_IFREG: case S_IFDIR: case S_IFBLK: return GREEN_FILE;
    default: return GREEN_OTHER; /* eventfd, timerfd, inotify … */
    }
}

enum green_kind green_fd_kind(int fd)
{
    if (fd < 0 || fd >= KINDS)
        return look(fd);
    enum green_kind kind = atomic_load_explicit(&kinds[fd], memory_order_relaxed);
    if (kind == GREEN_UNKNOWN) {
        int error = errno;
        kind = look(fd);
        errno = error;
        atomic_store_explicit(&kinds[fd], kind, memory_order_relaxed);
    }
    return kind;
}

uint32_t green_fd_closes(int fd) { return fd < 0 || fd >= KINDS ? GREEN_CLOSES_UNKNOWN : atomic_load(&closes[fd]) | 1; }

void green_fd_forget(int fd)
{
    if (fd >= 0 && fd < KINDS) {
        atomic_store_explicit(&kinds[fd], GREEN_UNKNOWN, memory_order_relaxed);
        atomic_fetch_add(&closes[fd], 2);
        atomic_store_explicit(&plain[fd].in, 0, memory_order_relaxed);
        atomic_store_explicit(&plain[fd].out, 0, memory_order_relaxed);
    }
}

void green_fds_forget(unsigned first, unsigned last)
{
    for (unsigned fd = first; fd <= last && fd < KINDS; fd++)
        green_fd_forget((int)fd);
}

void green_flags_changed(void) { atomic_fetch_add_explicit(&generation, 1, memory_order_relaxed); }

static _Atomic uint32_t *plain_at(int fd, uint32_t events)
{
    if (fd < 0 || fd >= KINDS)
        return NULL;
    return events & EPOLLIN ? &plain[fd].in : &plain[fd].out;
}

bool green_fd_nonblocking(int fd)
{
    int flags = green_real.fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK);
}

static int64_t option_deadline(int fd, int option)
{
    struct timeval tv = {0, 0};
    socklen_t size = sizeof tv;
    if (!option || getsockopt(fd, SOL_SOCKET, option, &tv, &size) || (!tv.tv_sec && !tv.tv_usec))
        return GREEN_FOREVER;
    return green_now_ns() + (int64_t)tv.tv_sec * 1000000000 + (int64_t)tv.tv_usec * 1000;
}

int green_again(int fd, uint32_t events, int option, struct green_try *state, const void *caller)
{
    _Atomic uint32_t *seen = plain_at(fd, events);
    uint32_t now = atomic_load_explicit(&generation, memory_order_relaxed);
    if (!state->known && seen && atomic_load_explicit(seen, memory_order_relaxed) == now)
        *state = (struct green_try){GREEN_FOREVER, true};
    if (!state->known) {
        if (green_fd_nonblocking(fd)) {
            errno = EAGAIN;
            return -1;
        }
        state->until_ns = option_deadline(fd, option);
        state->known = true;
        if (seen && state->until_ns == GREEN_FOREVER)
            atomic_store_explicit(seen, now, memory_order_relaxed);
    }
    if (!green_may_yield(caller))
        return 0;
    int result = green_wait_fd(fd, events, state->until_ns);
    if (result == GREEN_READY)
        return 1;
    if (result == GREEN_BLOCK)
        return 0;
    errno = result == ETIMEDOUT ? EAGAIN : result;
    return -1;
}

/* --- what the generation of flags and timeouts hangs on; fcntl(F_SETFL) is in green_lock.c --- */

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    if (level == SOL_SOCKET && (option == SO_RCVTIMEO || option == SO_SNDTIMEO))
        green_flags_changed();
    return green_real.setsockopt(fd, level, option, value, len);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list list;
    va_start(list, request);
    void *arg = va_arg(list, void *);
    va_end(list);
    if (request == FIONBIO)
        green_flags_changed();
    return green_real.ioctl(fd, request, arg);
}

/* --- closing: those who wait on the descriptor must hear of it first --- */

int close(int fd)
{
    green_fd_closing(fd);
    return green_real.close(fd);
}

int dup2(int from, int to)
{
    if (from != to)
        green_fd_closing(to);
    return green_real.dup2(from, to);
}

int dup3(int from, int to, int flags)
{
    green_fd_closing(to);
    return green_real.dup3(from, to, flags);
}

/* Libc's, and the kernel where libc is older. */
static int close_range_now(unsigned first, unsigned last, int flags)
{
    return green_real.close_range ? green_real.close_range(first, last, flags) : (int)syscall(SYS_close_range, first, last, flags);
}

int close_range(unsigned first, unsigned last, int flags)
{
    if (!(flags & CLOSE_RANGE_CLOEXEC))
        green_fds_closing(first, last);
    return close_range_now(first, last, flags);
}

void closefrom(int first)
{
    unsigned from = first > 0 ? (unsigned)first : 0;
    green_fds_closing(from, UINT_MAX);
    if (green_real.closefrom)
        green_real.closefrom(first); /* it has another way where the kernel knows no close_range */
    else
        close_range_now(from, UINT_MAX, 0);
}

int fclose(FILE *file)
{
    green_fd_closing(fileno(file));
    return green_real.fclose(file);
}
