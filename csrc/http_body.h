/* Request bodies by Content-Length and chunked: a resumable decoder. Pure, like http_head. */
#ifndef PYHOST_HTTP_BODY_H
#define PYHOST_HTTP_BODY_H

#include "http_head.h"

struct http_body {
    uint64_t left;        /* bytes left of the length or of the current chunk */
    uint64_t total;       /* payload bytes so far */
    uint64_t limit;       /* LimitRequestBody, 0: none */
    uint32_t line;        /* bytes of the chunk line or trailer line so far */
    uint32_t extensions;  /* bytes of chunk extensions of the message so far */
    uint32_t trailer_fields;
    uint32_t limit_field, limit_fields;
    uint8_t state;
    bool chunked;
    uint8_t spare[64];    /* room for the decoder's own state; see http_body.c */
};

enum body_result {
    BODY_MORE, /* everything given was used; more must come */
    BODY_DATA, /* *data is payload (a slice of the input); call again with the rest */
    BODY_END,  /* the body is whole; what was not used belongs to the next request */
    BODY_BAD   /* *fault says why; the connection cannot be used again */
};

/* Context of all: any thread; pure. */
void http_body_init(struct http_body *b, bool chunked, uint64_t length, uint64_t limit, uint32_t limit_field, uint32_t limit_fields);
/* Consumes from in. *used: bytes consumed, always set. */
enum body_result http_body_feed(struct http_body *b, struct slice in, size_t *used, struct slice *data, enum http_fault *fault);
static inline bool http_body_is_empty(bool chunked, uint64_t length) { return !chunked && length == 0; }

#endif
