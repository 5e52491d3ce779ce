/* The extension permessage-deflate as clients offer it and as it is agreed on (RFC 7692 7.1). Pure. */
#ifndef PYHOST_WS_OFFER_H
#define PYHOST_WS_OFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

enum { WS_WINDOW_BITS_MIN = 9 /* zlib compresses with no smaller window */, WS_WINDOW_BITS_MAX = 15, WS_TERMS_BYTES = 128 };

/* What both sides keep to. As wishes of the server: keep what may be kept, bits at most. */
struct ws_terms {
    bool keep_out, keep_in;    /* is the window of what we send (receive) kept from message to message? */
    uint8_t out_bits, in_bits; /* of the window, as a power of two */
    bool in_bits_told;         /* the client understands how large its window may be */
};

enum ws_offer_result { WS_OFFER_NONE /* nothing that can be agreed on */, WS_OFFER_TAKEN, WS_OFFER_MALFORMED /* not even a list of extensions */ };

/* Context of both: any. */
/* Reads the value of Sec-WebSocket-Extensions: the first offer of permessage-deflate that can be taken. */
enum ws_offer_result ws_offer_choose(struct slice value, const struct ws_terms *wishes, struct ws_terms *agreed);
/* Writes the answer; returns its length. */
size_t ws_offer_answer(const struct ws_terms *agreed, char to[WS_TERMS_BYTES]);

#endif
