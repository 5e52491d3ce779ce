/* recvmmsg and sendmmsg: several messages in one call. For a handler greenlet each is a recvmsg or sendmsg that gives way; what libc's do in one system
 * call takes one for each message then. */
#include "green.h"

#include "green_hooks.h"
#include "green_real.h"

#define HOOKED() (green_coro && green_gil_released())

/* The kernel looks at the time behind each message only, and so does this. A fault behind the first
 * is not told: the next call meets it again, unless it is one that a datagram socket tells once. */
static int receive_all(int fd, struct mmsghdr *messages, unsigned count, int flags, const struct timespec *timeout, const void *caller)
{
    int64_t end_ns = green_after(timeout);
    bool for_one = flags & MSG_WAITFORONE;
    flags &= ~MSG_WAITFORONE;
    unsigned got = 0;
    while (got < count) {
        ssize_t n = green_recvmsg(fd, &messages[got].msg_hdr, got && for_one ? flags | MSG_DONTWAIT : flags, caller);
        if (n < 0)
            break;
        messages[got++].msg_len = (unsigned)n;
        if (timeout && green_now_ns() >= end_ns)
            break;
    }
    return got || !count ? (int)got : -1;
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    return HOOKED() ? receive_all(fd, messages, count, flags, timeout, GREEN_CALLER()) : green_real.recvmmsg(fd, messages, count, flags, timeout);
}

static int send_all(int fd, struct mmsghdr *messages, unsigned count, int flags, const void *caller)
{
    unsigned sent = 0;
    for (; sent < count; sent++) {
        ssize_t n = green_sendmsg(fd, &messages[sent].msg_hdr, flags, caller);
        if (n < 0)
            break;
        messages[sent].msg_len = (unsigned)n;
    }
    return sent || !count ? (int)sent : -1;
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    return HOOKED() ? send_all(fd, messages, count, flags, GREEN_CALLER()) : green_real.sendmmsg(fd, messages, count, flags);
}
