/* A connection that has become a WebSocket (RFC 6455): frames in and out, messages for whoever receives them, pings, the close handshake.
 * Knows no Python: a handler greenlet or a coroutine waits on its wakers. */
#ifndef PYHOST_GATE_WS_H
#define PYHOST_GATE_WS_H

#include "gate_ws_codec.h"
#include "request.h"
#include "ws_frame.h"

struct ws_message {
    struct ws_message *next;
    struct buf bytes; /* owned */
    bool text;        /* it is UTF-8 */
};

enum { WS_FRAGMENT_BYTES = 32768 /* longer messages go out in frames of this size */ };

/* Lives until the connection and the user have let it go. */
struct websocket {
    uint32_t refs;
    struct conn *conn;      /* borrowed; NULL when it is gone */
    struct ws_reader reader;
    struct buf message;     /* owned: what has come of the message that is being read */
    struct ws_message *first, *last; /* owned: whole messages that nobody has taken */
    size_t waiting_bytes;
    bool deflate;           /* messages may be compressed */
    bool packed_now;        /* the message that goes out is */
    struct ws_codec codec;
    struct buf packed;      /* owned: a compressed message that goes out in several frames */
    int64_t ping_ms;        /* 0: none are sent */
    bool close_sent, close_received, failed /* the client broke the protocol */, heard /* since the last look */, ping_unanswered;
    uint16_t code;          /* how it was closed; 0: it is open */
    uint8_t reason_len;
    char reason[WS_REASON_BYTES];
    struct waker *on_message; /* borrowed: a message has come, or none will any more */
    struct waker *on_drain;   /* borrowed: there is room for more, or the connection is gone */
};

struct ws_refusal { int status; const char *why; }; /* status 0: none */

/* Context of all: the loop thread (hub or handler greenlet); none of them switches. */
/* Does the client ask for a WebSocket at all? */
bool websocket_wanted(struct request *r);
/* May it have one? For 426 the version that we speak is put into err_headers_out. */
struct ws_refusal websocket_check(struct request *r);
/* Does the client offer this subprotocol? */
bool websocket_offers(struct request *r, struct slice protocol);
/* Answers 101 and takes the connection over; protocol may be empty. A reference is the caller's. NULL with errno (as response_flush). */
struct websocket *websocket_open(struct request *r, struct slice protocol);
void websocket_unref(struct websocket *ws);
/* The next message, now the caller's; NULL: none. */
struct ws_message *websocket_take(struct websocket *ws);
void websocket_free_message(struct ws_message *m);
/* Will no message come any more, when the ones that wait have been taken? */
static inline bool websocket_at_end(const struct websocket *ws) { return !ws->conn || ws->code; }
/* May nothing be sent any more? */
static inline bool websocket_is_shut(const struct websocket *ws) { return !ws->conn || ws->close_sent; }
/* Wait on on_drain before sending more. */
bool websocket_congested(const struct websocket *ws);
/* A message begins: what of it goes over the wire in one or more frames, itself or compressed; the latter lives until websocket_pack_end, or when it
 * fits into one frame until anything is sent. One message at a time. */
struct slice websocket_pack(struct websocket *ws, struct slice message);
/* The same again for the message that is on its way; and its last frame is out, or none will come any more. */
struct slice websocket_packed(const struct websocket *ws, struct slice message);
void websocket_pack_end(struct websocket *ws);
/* Sends one frame; the first one of a message behind websocket_pack. 0, or -1: it is shut (errno EPIPE) or there is no memory. */
int websocket_send(struct websocket *ws, enum ws_opcode opcode, bool fin, struct slice payload);
/* Sends the close frame, once. WS_CODE_NONE: without a code. */
void websocket_close(struct websocket *ws, unsigned code, struct slice reason);

#endif
