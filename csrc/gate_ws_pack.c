/* A message on its way out: compressed where that was agreed on, and kept while it goes out in several frames. */
#include "gate_ws.h"

struct slice websocket_pack(struct websocket *ws, struct slice message)
{
    struct slice packed = ws->deflate ? ws_codec_compress(&ws->codec, message) : slice_of(NULL, 0);
    ws->packed.len = 0;
    if (packed.len > WS_FRAGMENT_BYTES) {
        int failed = buf_add(&ws->packed, packed.at, packed.len);
        if (failed && ws->codec.terms.keep_out) /* the client would miss it in its window */
            websocket_close(ws, WS_CODE_ERROR, slice_of(NULL, 0));
        packed = failed ? slice_of(NULL, 0) : slice_of(ws->packed.at, ws->packed.len);
    }
    ws->packed_now = packed.at != NULL;
    return ws->packed_now ? packed : message;
}

struct slice websocket_packed(const struct websocket *ws, struct slice message)
{
    return ws->packed_now ? slice_of(ws->packed.at, ws->packed.len) : message;
}

void websocket_pack_end(struct websocket *ws)
{
    ws->packed_now = false;
    buf_clear(&ws->packed);
}
