/* Output queues. A piece is either bytes (in one allocation with its header) or a stretch of a file. */
#include "outq.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sock.h"

/* PIECE_MAX_BYTES: a piece is freed when all of it is sent, so large ones would keep what has long gone out. */
enum { FILE_COUNTS_AS_BYTES = 4096, FLUSH_MAX_BYTES = 1 << 20, COPY_BYTES = 16384, PIECE_MAX_BYTES = 16384, GATHER = 8 };

struct outq_piece {
    struct outq_piece *next;
    int file_fd; /* -1: bytes */
    bool copied; /* of a file: read and sent, not handed to sendfile */
    int64_t offset;
    int64_t left;
    size_t counted;
    char bytes[];
};

static bool is_full(int error) { return error == EAGAIN || error == EWOULDBLOCK; }
static enum outq_result outq_fault(void) { return is_full(errno) ? OUTQ_WAITING : OUTQ_BROKEN; }

static void piece_free(struct outq_piece *p)
{
    if (p->file_fd >= 0)
        close(p->file_fd);
    free(p);
}

static struct outq_piece *piece_push(struct outq *q, size_t bytes)
{
    struct outq_piece *p = malloc(sizeof *p + bytes);
    if (!p) {
        errno = ENOMEM;
        return NULL;
    }
    *p = (struct outq_piece){.file_fd = -1, .left = (int64_t)bytes, .counted = bytes};
    p->next = q->last ? q->last->next : p;
    if (q->last)
        q->last->next = p;
    q->last = p;
    return p;
}

static enum outq_result outq_keep(struct outq *q, const char *at, size_t len)
{
    while (len) {
        size_t n = len < PIECE_MAX_BYTES ? len : PIECE_MAX_BYTES;
        struct outq_piece *p = piece_push(q, n);
        if (!p)
            return OUTQ_BROKEN;
        memcpy(p->bytes, at, n);
        q->pending += n;
        at += n;
        len -= n;
    }
    return q->last ? OUTQ_WAITING : OUTQ_EMPTY;
}

/* What the socket takes of the parts right now; -1: it is broken. */
static ssize_t send_now(int fd, const struct slice *parts, int count, int flags)
{
    struct iovec vector[OUTQ_PARTS];
    int used = 0;
    flags |= MSG_DONTWAIT | MSG_NOSIGNAL;
    for (int i = 0; i < count; i++)
        if (parts[i].len)
            vector[used++] = (struct iovec){(void *)parts[i].at, parts[i].len};
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = (size_t)used};
    ssize_t n = used == 0   ? 0
                : used == 1 ? sock_send(fd, vector[0].iov_base, vector[0].iov_len, flags)
                            : sendmsg(fd, &message, flags);
    if (n < 0 && errno != EINTR && outq_fault() == OUTQ_BROKEN)
        return -1;
    return n < 0 ? 0 : n;
}

static enum outq_result send_or_keep(struct outq *q, int fd, const struct slice *parts, int count, int flags)
{
    ssize_t now = q->last ? 0 : send_now(fd, parts, count, flags);
    if (now < 0)
        return OUTQ_BROKEN;
    size_t sent = (size_t)now;
    q->sent += (uint32_t)sent;
    enum outq_result result = q->last ? OUTQ_WAITING : OUTQ_EMPTY;
    for (int i = 0; i < count; i++) {
        size_t skip = sent < parts[i].len ? sent : parts[i].len;
        sent -= skip;
        result = outq_keep(q, parts[i].at + skip, parts[i].len - skip);
        if (result == OUTQ_BROKEN)
            break;
    }
    return result;
}

long outq_send_now(struct outq *q, int fd, struct slice bytes)
{
    ssize_t n = q->last ? 0 : send_now(fd, &bytes, 1, 0);
    q->sent += n > 0 ? (uint32_t)n : 0;
    return n;
}

enum outq_result outq_send(struct outq *q, int fd, const struct slice *parts, int count) { return send_or_keep(q, fd, parts, count, 0); }
enum outq_result outq_send_last(struct outq *q, int fd, const struct slice *parts, int count) { return send_or_keep(q, fd, parts, count, MSG_MORE); }

enum outq_result outq_sent(struct outq *q, long result, struct slice bytes)
{
    if (result < 0 && !is_full((int)-result)) {
        errno = (int)-result;
        return OUTQ_BROKEN;
    }
    size_t sent = result > 0 ? (size_t)result : 0;
    q->sent += (uint32_t)sent;
    return outq_keep(q, bytes.at + sent, bytes.len - sent);
}

static ssize_t file_copy(const struct outq_piece *p, int fd, size_t part)
{
    char bytes[COPY_BYTES];
    ssize_t n = pread(p->file_fd, bytes, part < sizeof bytes ? part : sizeof bytes, p->offset);
    return n > 0 ? send(fd, bytes, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) : n;
}

static ssize_t file_send(const struct outq_piece *p, int fd)
{
    if (!p->left)
        return 0;
    off_t offset = p->offset;
    size_t part = p->left < FLUSH_MAX_BYTES ? (size_t)p->left : FLUSH_MAX_BYTES;
    ssize_t n = p->copied ? -1 : sendfile(fd, p->file_fd, &offset, part);
    if (p->copied || (n < 0 && (errno == EINVAL || errno == ENOSYS))) /* some file systems cannot */
        n = file_copy(p, fd, part);
    if (n == 0) { /* the file has become shorter than what was promised */
        errno = EIO;
        return -1;
    }
    return n;
}

/* The first pieces of the queue that lie in memory, in one call. */
static ssize_t bytes_send(const struct outq *q, int fd)
{
    struct iovec vector[GATHER];
    int used = 0;
    struct outq_piece *p = q->last;
    do {
        p = p->next;
        if (p->file_fd >= 0)
            break;
        vector[used++] = (struct iovec){p->bytes + p->offset, (size_t)p->left};
    } while (p != q->last && used < GATHER);
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = (size_t)used};
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void first_done(struct outq *q)
{
    struct outq_piece *p = q->last->next;
    q->pending -= p->counted;
    if (p == q->last)
        q->last = NULL;
    else
        q->last->next = p->next;
    piece_free(p);
}

/* n bytes have gone: pieces that are over go too. */
static void outq_advance(struct outq *q, int64_t n)
{
    q->sent += (uint32_t)n;
    while (q->last && (n || !q->last->next->left)) {
        struct outq_piece *p = q->last->next;
        int64_t part = n < p->left ? n : p->left;
        p->offset += part;
        p->left -= part;
        n -= part;
        if (p->file_fd < 0) {
            p->counted -= (size_t)part;
            q->pending -= (size_t)part;
        }
        if (p->left)
            break;
        first_done(q);
    }
}

uint32_t outq_taken(struct outq *q, int fd)
{
    int unacked = 0;
    if (ioctl(fd, SIOCOUTQ, &unacked) < 0)
        return 0;
    uint32_t before = q->taken;
    q->taken = q->sent - (uint32_t)unacked;
    return q->taken - before;
}

/* A reader as fast as the disk never fills its socket: without a bound it would have the loop for itself. */
enum outq_result outq_flush(struct outq *q, int fd)
{
    uint32_t before = q->sent;
    while (q->last) {
        if (q->sent - before >= (uint32_t)FLUSH_MAX_BYTES)
            return OUTQ_MORE;
        ssize_t n = q->last->next->file_fd < 0 ? bytes_send(q, fd) : file_send(q->last->next, fd);
        if (n >= 0)
            outq_advance(q, n);
        else if (errno != EINTR)
            return outq_fault();
    }
    return OUTQ_EMPTY;
}

enum outq_result outq_send_file(struct outq *q, int fd, int file_fd, int64_t offset, int64_t len, bool copied)
{
    struct outq_piece *p = piece_push(q, 0);
    if (!p) {
        close(file_fd);
        return OUTQ_BROKEN;
    }
    p->file_fd = file_fd;
    p->copied = copied;
    p->offset = offset;
    p->left = len;
    p->counted = FILE_COUNTS_AS_BYTES;
    q->pending += FILE_COUNTS_AS_BYTES;
    return p->next == p ? outq_flush(q, fd) : OUTQ_WAITING;
}

void outq_clear(struct outq *q)
{
    while (q->last)
        first_done(q);
    *q = (struct outq){0};
}
