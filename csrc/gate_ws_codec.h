/* Messages of WebSockets compressed and expanded (RFC 7692 7.2), by zlib. Where no window is kept between messages all connections of the process
 * share what zlib needs, and a message that goes to many is compressed once. Knows no connection. */
#ifndef PYHOST_GATE_WS_CODEC_H
#define PYHOST_GATE_WS_CODEC_H

#include "buf.h"
#include "ws_offer.h"

struct z_stream_s;

/* Messages outside of these bounds go out as they are: short ones would not get shorter, and long ones would hold up the worker. */
enum { WS_DEFLATE_MIN_BYTES = 64, WS_DEFLATE_MAX_BYTES = 1 << 20 };

struct ws_codec {
    struct ws_terms terms;
    struct z_stream_s *deflater, *inflater; /* owned, made on first use; NULL where the shared ones serve */
};

enum ws_expand { WS_EXPANDED, WS_EXPAND_BAD /* no deflate stream */, WS_EXPAND_TOO_BIG /* above the limit, or there is no memory */ };

/* Context of all: the loop thread. */
void ws_codec_clear(struct ws_codec *c);
/* The message as it goes over the wire: compressed, valid until the next call for any codec, or {NULL, 0}: it has to go out as it is. */
struct slice ws_codec_compress(struct ws_codec *c, struct slice message);
/* Appends what a message expands to, at most limit bytes (0: as many as a buffer takes). */
enum ws_expand ws_codec_expand(struct ws_codec *c, struct slice packed, uint64_t limit, struct buf *to);

#endif
