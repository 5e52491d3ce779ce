/* What a connection still has to send: bytes and pieces of files, in order. Writes go straight to the socket while nothing is queued.
 * A queue holds no memory while empty. */
#ifndef PYHOST_OUTQ_H
#define PYHOST_OUTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

struct outq_piece;

struct outq {
    struct outq_piece *last; /* owned, in a ring: its next is the first */
    size_t pending; /* bytes in memory; file pieces count as one page */
    uint32_t sent;  /* bytes that the socket took, so far; these two are to be compared only, for they start again at 2^32 */
    uint32_t taken; /* bytes that the client had, when outq_taken was last asked */
};

enum outq_result {
    OUTQ_EMPTY,
    OUTQ_WAITING, /* the socket is full: wait for EPOLLOUT */
    OUTQ_MORE,    /* the socket takes more, but others have a turn first: flush again on the next one */
    OUTQ_BROKEN   /* errno; the client is gone */
};

/* Context of all: the loop thread. fd: a non-blocking socket. */
/* Sends the parts (at most OUTQ_PARTS, some may be empty) at once as far as the socket takes them, queues a copy of the rest. */
enum { OUTQ_PARTS = 4 };
enum outq_result outq_send(struct outq *q, int fd, const struct slice *parts, int count);
/* The same for the last bytes before the socket is closed at once: they may wait for that, and go out in one packet with the end. */
enum outq_result outq_send_last(struct outq *q, int fd, const struct slice *parts, int count);
/* Sends as many bytes as the socket takes at once and keeps nothing: > 0 bytes taken; 0: none (others wait before them, or the socket is full); -1: the
 * socket is broken. */
long outq_send_now(struct outq *q, int fd, struct slice bytes);
/* Queues len bytes of file_fd from offset (takes the descriptor over, closes it when done) and sends what the socket takes.
 * copied: by read and send instead of sendfile (EnableSendfile Off). */
enum outq_result outq_send_file(struct outq *q, int fd, int file_fd, int64_t offset, int64_t len, bool copied);
/* The bytes were sent past the queue, which is empty: how many the socket took, or a negative errno. Queues a copy of the rest. */
enum outq_result outq_sent(struct outq *q, long result, struct slice bytes);
/* How many bytes the client has taken since the last call. The kernel reports room only in large steps, which a slow reader may need minutes for. */
uint32_t outq_taken(struct outq *q, int fd);
/* Goes on sending. */
enum outq_result outq_flush(struct outq *q, int fd);
void outq_clear(struct outq *q);

#endif
