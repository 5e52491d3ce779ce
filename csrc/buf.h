/* A growable byte buffer that is born with a ceiling.
 * Empty means no memory at all: an idle connection holds none. */
#ifndef PYHOST_BUF_H
#define PYHOST_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    char *at; /* owned; NULL while empty */
    uint32_t len;
    uint32_t cap;
    uint32_t max; /* ceiling in bytes; 0 means 1 GiB */
};

/* All of these: Context: any thread that owns the buffer; no GIL needed. */

/* Makes room for n more bytes and returns where they go; NULL with errno ENOBUFS (ceiling) or ENOMEM. */
char *buf_room(struct buf *b, size_t n);
/* Makes room for n more bytes. 0, or -1 with errno as buf_room. */
int buf_reserve(struct buf *b, size_t n);
/* Appends a copy. 0, or -1 with errno as buf_room. */
static inline int buf_add(struct buf *b, const void *data, size_t n)
{
    if (b->cap - b->len < n && buf_reserve(b, n) < 0)
        return -1;
    if (n)
        memcpy(b->at + b->len, data, n);
    b->len += (uint32_t)n;
    return 0;
}
/* Appends printf text. 0, or -1 with errno as buf_room. */
int buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends a decimal number; much cheaper than printf. As buf_add. */
int buf_add_number(struct buf *b, uint64_t n);
/* Drops the first n bytes (n <= len), moving the rest to the front; frees the memory when nothing is left. */
void buf_drop(struct buf *b, size_t n);
/* Frees the memory; the ceiling stays. */
void buf_clear(struct buf *b);
/* Empties it; no more than keep bytes of memory stay for the next use. */
static inline void buf_rest(struct buf *b, uint32_t keep)
{
    b->len = 0;
    if (b->cap > keep)
        buf_clear(b);
}

#endif
