/* connect: O_NONBLOCK for the moment, then wait for writable. A unix socket whose listen queue is full is another matter: the kernel tells nobody
 * when it has room, so try, and try again after 1 to 20 ms. */
#include "green.h"

#include <errno.h>
#include <fcntl.h>

#include "green_hooks.h"

#define HOOKED() (green_coro && green_gil_released())
enum { PAUSE_FIRST_NS = 1000000, PAUSE_MAX_NS = 20000000 };

int64_t green_connect_pause(int64_t pause_ns);
int64_t green_connect_pause(int64_t pause_ns) { return !pause_ns ? PAUSE_FIRST_NS : pause_ns < PAUSE_MAX_NS / 2 ? pause_ns * 2 : PAUSE_MAX_NS; }

static int64_t send_deadline(int fd)
{
    struct timeval tv = {0, 0};
    socklen_t size = sizeof tv;
    if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &size) || (!tv.tv_sec && !tv.tv_usec))
        return GREEN_FOREVER;
    return green_now_ns() + (int64_t)tv.tv_sec * 1000000000 + (int64_t)tv.tv_usec * 1000;
}

/* Until there is room or SO_SNDTIMEO is over (EAGAIN, as the kernel has it). */
static int connect_back(int fd, const struct sockaddr *to, socklen_t len)
{
    int64_t until_ns = send_deadline(fd), pause_ns = 0;
    while (green_real.connect(fd, to, len)) {
        int64_t now = green_now_ns();
        if (errno != EAGAIN || (until_ns >= 0 && now >= until_ns))
            return -1;
        pause_ns = green_connect_pause(pause_ns);
        int64_t again_ns = until_ns >= 0 && now + pause_ns > until_ns ? until_ns : now + pause_ns;
        int result = green_wait_fd(fd, 0, again_ns);
        if (result != ETIMEDOUT && result != GREEN_READY) {
            errno = result == GREEN_BLOCK ? EAGAIN : result;
            return -1;
        }
    }
    return 0;
}

/* EINTR: the attempt goes on, as with a signal; a second connect() says EALREADY and is waited for like the first. */
static int connect_wait(int fd)
{
    int result = green_wait_fd(fd, EPOLLOUT, send_deadline(fd));
    if (result != GREEN_READY && result != GREEN_BLOCK) {
        errno = result == ETIMEDOUT ? EINPROGRESS : result;
        return -1;
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size))
        return -1;
    errno = error;
    return error ? -1 : 0;
}

/* The caller's own O_NONBLOCK. libmariadb tries again at once for as long as a unix socket says EAGAIN: others must have their turn. */
static int connect_nonblocking(int fd, const struct sockaddr *to, socklen_t len)
{
    int result = green_real.connect(fd, to, len);
    if (!result || errno != EAGAIN || to->sa_family != AF_UNIX)
        return result;
    int waited = green_wait_fd(fd, 0, green_now_ns() + PAUSE_FIRST_NS);
    errno = waited > 0 && waited != ETIMEDOUT ? waited : EAGAIN;
    return -1;
}

int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t len)
{
    if (!HOOKED() || !green_library_allowed(GREEN_CALLER()))
        return green_real.connect(fd, to.__sockaddr__, len);
    int flags = green_real.fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_NONBLOCK))
        return connect_nonblocking(fd, to.__sockaddr__, len);
    green_real.fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    int result = green_real.connect(fd, to.__sockaddr__, len);
    if (result && errno == EAGAIN)
        result = connect_back(fd, to.__sockaddr__, len);
    else if (result && (errno == EINPROGRESS || errno == EALREADY))
        result = connect_wait(fd);
    int error = errno;
    if (result == 0 || error != EBADF)
        green_real.fcntl(fd, F_SETFL, flags);
    errno = error;
    return result;
}
