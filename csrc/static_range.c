/* Pieces of files on their way out: whole, one range, or multipart/byteranges. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "range.h"
#include "response.h"
#include "static_room.h"

enum {
    PIECE_READ_BYTES = 16384,     /* read instead of sendfile up to here */
    PARTS_READ_BYTES = 4096,      /* the same for a part of a multipart answer: there may be many */
    PARTS_MEMORY_BYTES = 65536,   /* and all of these together */
    PARTS_BY_FILE = 16,           /* parts that each hold a descriptor while they wait to be sent */
    PART_HEAD_BYTES = 320
};

int static_send_piece(struct request *r, int fd, int64_t offset, int64_t len)
{
    char bytes[PIECE_READ_BYTES];
    if (len > PIECE_READ_BYTES)
        return response_send_file(r, fd, offset, len);
    while (len > 0) {
        ssize_t n = pread(fd, bytes, (size_t)len, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) { /* shorter than it was: the response room closes a connection that owes bytes */
            errno = n ? errno : EIO;
            return -1;
        }
        if (response_write(r, bytes, (size_t)n) < 0)
            return -1;
        offset += n;
        len -= n;
    }
    return 0;
}

static int64_t range_bytes(const struct range *range) { return range->last - range->first + 1; }

bool range_is_bounded(const struct range *ranges, int count)
{
    int by_file = 0;
    int64_t memory = 0;
    for (int i = 0; count > 1 && i < count; i++) {
        memory += PART_HEAD_BYTES;
        if (range_bytes(&ranges[i]) <= PARTS_READ_BYTES)
            memory += range_bytes(&ranges[i]);
        else
            by_file++;
    }
    return by_file <= PARTS_BY_FILE && memory <= 2 * PARTS_MEMORY_BYTES;
}

static char *arena_format(struct request *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static char *arena_format(struct request *r, const char *format, ...)
{
    char text[PART_HEAD_BYTES];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return n < 0 ? NULL : request_strdup(r, slice_text(text));
}

static int range_send_one(struct request *r, int fd, int64_t length, const struct range *range)
{
    char *value = arena_format(r, "bytes %" PRId64 "-%" PRId64 "/%" PRId64, range->first, range->last, length);
    if (value)
        static_header(r, SLICE("Content-Range"), slice_text(value));
    r->clength = range_bytes(range);
    return static_finish(r, static_send_piece(r, fd, range->first, range_bytes(range)));
}

static int part_head(char *to, size_t room, const char *boundary, const char *type, const struct range *range, int64_t length)
{
    return snprintf(to, room, "\r\n--%s\r\n%s%.180s%sContent-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64 "\r\n\r\n", boundary,
                    type ? "Content-Type: " : "", type ? type : "", type ? "\r\n" : "", range->first, range->last, length);
}

static int range_send_part(struct request *r, int fd, const struct range *range)
{
    return range_bytes(range) <= PARTS_READ_BYTES ? static_send_piece(r, fd, range->first, range_bytes(range))
                                                  : response_send_file(r, fd, range->first, range_bytes(range));
}

static int range_send_parts(struct request *r, int fd, int64_t length, const struct range *ranges, int count, const char *type, const char *boundary)
{
    char head[PART_HEAD_BYTES];
    for (int i = 0; i < count; i++) {
        int n = part_head(head, sizeof head, boundary, type, &ranges[i], length);
        if (response_write(r, head, (size_t)n) < 0 || range_send_part(r, fd, &ranges[i]) < 0)
            return -1;
    }
    int n = snprintf(head, sizeof head, "\r\n--%s--\r\n", boundary);
    return response_write(r, head, (size_t)n);
}

int range_send(struct request *r, int fd, int64_t length, const struct range *ranges, int count)
{
    uint64_t random[2] = {r->id, (uint64_t)r->start_us};
    char boundary[33], head[PART_HEAD_BYTES];
    const char *type = r->content_type;
    r->status = 206;
    if (count == 1)
        return range_send_one(r, fd, length, ranges);
    /* Nobody who writes files can know the boundary beforehand; without randomness it is at least unique. */
    (void)!getrandom(random, sizeof random, GRND_NONBLOCK);
    snprintf(boundary, sizeof boundary, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    r->content_type = arena_format(r, "multipart/byteranges; boundary=%s", boundary);
    r->clength = (int64_t)strlen(boundary) + 8;
    for (int i = 0; i < count; i++)
        r->clength += part_head(head, sizeof head, boundary, type, &ranges[i], length) + range_bytes(&ranges[i]);
    return static_finish(r, range_send_parts(r, fd, length, ranges, count, type, boundary));
}
