/* WebSocket frames (RFC 6455): a reader of what clients send and a writer of frame heads. Pure: bytes come in any pieces, nothing is kept but the
 * head of the frame that is being read and the payload of a control frame. */
#ifndef PYHOST_WS_FRAME_H
#define PYHOST_WS_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

enum ws_opcode { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

enum { WS_HEAD_BYTES = 10 /* of a frame without a mask */, WS_CLIENT_HEAD_BYTES = 14, WS_CONTROL_BYTES = 125, WS_REASON_BYTES = 123 };

/* Close codes that the server itself sends or tells (RFC 6455 7.4.1). */
enum ws_code {
    WS_CODE_NORMAL = 1000, WS_CODE_GOING_AWAY = 1001, WS_CODE_PROTOCOL = 1002, WS_CODE_NONE = 1005, WS_CODE_ABNORMAL = 1006,
    WS_CODE_NOT_TEXT = 1007, WS_CODE_TOO_BIG = 1009, WS_CODE_ERROR = 1011
};

/* Where a check of UTF-8 stands between two pieces; all zero at first. */
struct ws_utf8 { uint8_t need, low, high; };

struct ws_reader {
    uint64_t limit;         /* largest message in bytes; 0: any */
    uint64_t left;          /* payload bytes of the frame that have not come yet */
    uint64_t message_bytes; /* of the message so far, all of the frame that is being read included */
    const char *why;        /* after WS_BAD */
    struct ws_utf8 text;
    uint16_t code;          /* after WS_BAD: what the connection is closed with; after a WS_CLOSE: its code, WS_CODE_NONE without one */
    uint8_t head[WS_CLIENT_HEAD_BYTES], head_have;
    uint8_t key[4], key_at; /* of the mask: the byte that is next */
    uint8_t opcode;         /* of the frame; of a message's frames: WS_TEXT or WS_BINARY */
    uint8_t message;        /* WS_TEXT or WS_BINARY while a message is not finished, else 0 */
    uint8_t control_len;
    bool fin, in_payload;
    bool deflate;           /* it was agreed that messages may be compressed */
    bool compressed;        /* the message is */
    char control[WS_CONTROL_BYTES]; /* unmasked */
};

enum ws_result {
    WS_MORE,    /* everything was used; more has to come */
    WS_DATA,    /* a piece of a message: give it to ws_reader_take before anything else */
    WS_MESSAGE, /* the message is whole; opcode says its kind */
    WS_CONTROL, /* opcode, control and control_len */
    WS_BAD      /* code and why; nothing more may be read */
};

/* Context of all: any. */
void ws_reader_init(struct ws_reader *r, uint64_t limit);
/* Reads up to the next result. *used: how many bytes were used. *data, for WS_DATA: the masked piece, a part of bytes. */
enum ws_result ws_reader_feed(struct ws_reader *r, struct slice bytes, size_t *used, struct slice *data);
/* Unmasks the piece into to (as many bytes; may be the same place). False: not UTF-8 in a text message that is not compressed (as WS_BAD). */
bool ws_reader_take(struct ws_reader *r, struct slice data, char *to);
/* Writes the head of a frame without a mask; returns its length. compressed: it begins a message that is. */
size_t ws_write_head(char to[WS_HEAD_BYTES], enum ws_opcode opcode, bool fin, bool compressed, uint64_t len);
/* May this code stand in a close frame? */
bool ws_code_is_sendable(unsigned code);
/* Goes on with the check; false: it is not UTF-8. At the end of the text need must be 0. */
bool ws_utf8_feed(struct ws_utf8 *s, const char *bytes, size_t n);

#endif
