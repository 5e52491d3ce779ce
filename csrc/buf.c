/* Growable buffers: doubling up to the ceiling, no memory while empty. */
#include "buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_BYTES = 256, BUF_MAX_BYTES = 1 << 30 };

static int buf_grow(struct buf *b, size_t need)
{
    size_t max = b->max ? b->max : BUF_MAX_BYTES;
    if (need > max) {
        errno = ENOBUFS;
        return -1;
    }
    size_t cap = b->cap ? b->cap : BUF_FIRST_BYTES;
    while (cap < need)
        cap *= 2;
    if (cap > max)
        cap = max;
    char *at = realloc(b->at, cap);
    if (!at) {
        errno = ENOMEM;
        return -1;
    }
    b->at = at;
    b->cap = (uint32_t)cap;
    return 0;
}

char *buf_room(struct buf *b, size_t n)
{
    if (b->cap - b->len < n && buf_grow(b, (size_t)b->len + n) < 0)
        return NULL;
    return b->at + b->len;
}

int buf_reserve(struct buf *b, size_t n)
{
    return b->cap - b->len < n && buf_grow(b, (size_t)b->len + n) < 0 ? -1 : 0;
}

int buf_add_number(struct buf *b, uint64_t n)
{
    char text[20], *at = text + sizeof text;
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    return buf_add(b, at, (size_t)(text + sizeof text - at));
}

int buf_addf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int need = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *room = need < 0 ? NULL : buf_room(b, (size_t)need + 1);
    if (!room)
        return -1;
    va_start(args, format);
    vsnprintf(room, (size_t)need + 1, format, args);
    va_end(args);
    b->len += (uint32_t)need;
    return 0;
}

void buf_drop(struct buf *b, size_t n)
{
    if (n >= b->len) {
        buf_clear(b);
        return;
    }
    b->len -= (uint32_t)n;
    memmove(b->at, b->at + n, b->len);
}

void buf_clear(struct buf *b)
{
    free(b->at);
    b->at = NULL;
    b->len = b->cap = 0;
}
