/* Request bodies by Content-Length and chunked: a resumable decoder. Pure, like http_head. */
#ifndef PYHOST_HTTP_BODY_H
#define PYHOST_HTTP_BODY_H

#include "http_head.h"

struct http_body {
    uint64_t left;        /* bytes left of the length or of the current chunk */
    uint64_t total;       /* payload bytes so far */
    uint64_t limit;       /* LimitRequestBody, 0: none; may be set later, when it is known */
    uint32_t line;        /* bytes of the chunk line or trailer line so far */
    uint32_t extensions;  /* bytes of chunk extensions of the message so far */
    uint32_t trailer_fields;
    uint32_t limit_field, limit_fields;
    uint8_t state;
    bool chunked;
    bool over;            /* the last byte has been seen: the next feed says BODY_END, also when it is given nothing */
    uint8_t digits;       /* of the chunk size so far */
};

enum body_result {
    BODY_MORE, /* everything given was used; more must come */
    BODY_DATA, /* *data is payload (a slice of the input); call again with the rest */
    BODY_TRAILER, /* *data is a piece of the trailer section; gather it if trailers are wanted (http_trailer_fields); call again with the rest */
    BODY_END,  /* the body is whole; what was not used belongs to the next request */
    BODY_BAD   /* *fault says why; the connection cannot be used again */
};

/* Context of all: any thread; pure. */
void http_body_init(struct http_body *b, bool chunked, uint64_t length, uint64_t limit, uint32_t limit_field, uint32_t limit_fields);
/* Consumes from in. *used: bytes consumed, always set. */
enum body_result http_body_feed(struct http_body *b, struct slice in, size_t *used, struct slice *data, enum http_fault *fault);
/* Fields of the whole trailer section as gathered from BODY_TRAILER (offsets into bytes), without those that frame, route or authenticate.
 * Returns how many of them stand in fields (room for max); stops at the first line that is not a field. */
uint32_t http_trailer_fields(const char *bytes, uint32_t len, struct http_field *fields, uint32_t max);
static inline bool http_body_is_empty(bool chunked, uint64_t length) { return !chunked && length == 0; }

#endif
