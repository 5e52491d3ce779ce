/* A message ends with an empty block of which the last four bytes are not sent (RFC 7692 7.2.1). What a client sends is expanded in steps, so that a
 * bomb costs no more than the limit of messages and a step. */
#include "gate_ws_codec.h"

#include <stdlib.h>
#include <zlib.h>

enum {
    MEMORY_LEVEL = 8, TAIL_BYTES = 4,
    EXPAND_BYTES = 16384,       /* one step */
    SAME_BYTES = 65536          /* the largest message that is kept in case it goes to the next client, too */
};
static const unsigned char tail[TAIL_BYTES] = {0, 0, 0xff, 0xff};

/* Of all connections that keep no window. message: what packed came from. */
static struct {
    z_stream *deflaters[WS_WINDOW_BITS_MAX + 1], *inflater;
    struct buf packed, message;
    uint8_t bits;               /* the window with which packed was made; 0: there is none that could serve again */
} shared;

static z_stream *new_deflater(int bits)
{
    z_stream *z = calloc(1, sizeof *z);
    if (z && deflateInit2(z, Z_BEST_SPEED, Z_DEFLATED, -bits, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(z);
        z = NULL;
    }
    return z;
}

static z_stream *new_inflater(int bits)
{
    z_stream *z = calloc(1, sizeof *z);
    if (z && inflateInit2(z, -bits) != Z_OK) {
        free(z);
        z = NULL;
    }
    return z;
}

void ws_codec_clear(struct ws_codec *c)
{
    if (c->deflater)
        deflateEnd(c->deflater);
    if (c->inflater)
        inflateEnd(c->inflater);
    free(c->deflater);
    free(c->inflater);
    c->deflater = c->inflater = NULL;
}

/* ---- out ---- */

static z_stream *deflater_of(struct ws_codec *c)
{
    z_stream **at = c->terms.keep_out ? &c->deflater : &shared.deflaters[c->terms.out_bits];
    if (!*at)
        *at = new_deflater(c->terms.out_bits);
    else if (!c->terms.keep_out)
        deflateReset(*at);
    return *at;
}

/* Into shared.packed, without the tail. False: there is no memory. */
static bool deflate_whole(z_stream *z, struct slice message)
{
    size_t most = deflateBound(z, message.len) + 16; /* the empty block at the end is not in zlib's bound */
    shared.packed.len = 0;
    if (shared.packed.cap > 2 * SAME_BYTES)
        buf_clear(&shared.packed);
    z->next_out = (Bytef *)buf_room(&shared.packed, most);
    if (!z->next_out)
        return false;
    z->avail_out = (uInt)most;
    z->next_in = (Bytef *)(uintptr_t)message.at;
    z->avail_in = (uInt)message.len;
    if (deflate(z, Z_SYNC_FLUSH) != Z_OK || z->avail_in || !z->avail_out)
        return false;
    shared.packed.len = (uint32_t)(most - z->avail_out) - TAIL_BYTES;
    return true;
}

static bool is_same(const struct ws_codec *c, struct slice message)
{
    return !c->terms.keep_out && shared.bits == c->terms.out_bits && shared.message.len == message.len &&
           memcmp(shared.message.at, message.at, message.len) == 0;
}

static void keep(const struct ws_codec *c, struct slice message)
{
    shared.message.len = 0;
    shared.bits = 0;
    if (!c->terms.keep_out && message.len <= SAME_BYTES && buf_add(&shared.message, message.at, message.len) == 0)
        shared.bits = c->terms.out_bits;
}

/* Of a window that is kept everything has to go out that went into it. */
static struct slice packed_of(const struct ws_codec *c, struct slice message)
{
    bool shorter = shared.packed.len < message.len;
    return shorter || c->terms.keep_out ? slice_of(shared.packed.at, shared.packed.len) : slice_of(NULL, 0);
}

/* Its window is not the client's any more; a new one refers to nothing that came before. */
static void drop_deflater(struct ws_codec *c)
{
    deflateEnd(c->deflater);
    free(c->deflater);
    c->deflater = NULL;
}

struct slice ws_codec_compress(struct ws_codec *c, struct slice message)
{
    if (message.len < WS_DEFLATE_MIN_BYTES || message.len > WS_DEFLATE_MAX_BYTES)
        return slice_of(NULL, 0);
    if (is_same(c, message))
        return packed_of(c, message);
    z_stream *z = deflater_of(c);
    shared.bits = 0;
    if (!z || !deflate_whole(z, message)) {
        if (z && c->terms.keep_out)
            drop_deflater(c);
        return slice_of(NULL, 0);
    }
    keep(c, message);
    return packed_of(c, message);
}

/* ---- in ---- */

static z_stream *inflater_of(struct ws_codec *c)
{
    z_stream **at = c->terms.keep_in ? &c->inflater : &shared.inflater;
    int bits = !c->terms.keep_in ? WS_WINDOW_BITS_MAX : c->terms.in_bits < WS_WINDOW_BITS_MIN ? WS_WINDOW_BITS_MIN : c->terms.in_bits;
    if (!*at)
        *at = new_inflater(bits);
    else if (!c->terms.keep_in)
        inflateReset(*at);
    return *at;
}

static enum ws_expand expand_piece(z_stream *z, struct slice piece, uint64_t limit, struct buf *to)
{
    z->next_in = (Bytef *)(uintptr_t)piece.at;
    z->avail_in = (uInt)piece.len;
    do {
        z->next_out = (Bytef *)buf_room(to, EXPAND_BYTES);
        if (!z->next_out)
            return WS_EXPAND_TOO_BIG;
        z->avail_out = EXPAND_BYTES;
        int result = inflate(z, Z_SYNC_FLUSH);
        to->len += EXPAND_BYTES - z->avail_out;
        if (limit && to->len > limit)
            return WS_EXPAND_TOO_BIG;
        if (result == Z_STREAM_END) /* a client may end a stream (7.2.3.5); what follows is a new one */
            inflateReset(z);
        else if (result == Z_BUF_ERROR && z->avail_out)
            return WS_EXPANDED;
        else if (result != Z_OK && result != Z_BUF_ERROR)
            return WS_EXPAND_BAD;
    } while (z->avail_in || !z->avail_out);
    return WS_EXPANDED;
}

enum ws_expand ws_codec_expand(struct ws_codec *c, struct slice packed, uint64_t limit, struct buf *to)
{
    z_stream *z = inflater_of(c);
    if (!z)
        return WS_EXPAND_TOO_BIG;
    enum ws_expand result = expand_piece(z, packed, limit, to);
    return result == WS_EXPANDED ? expand_piece(z, slice_of((const char *)tail, TAIL_BYTES), limit, to) : result;
}
