/* What holds for variables that any of the protocols gave: they lie within the input, and the head they make is one head or none. */
#ifndef PYHOST_FUZZ_GATE_HEAD_H
#define PYHOST_FUZZ_GATE_HEAD_H

#include "cgi_head.h"
#include "fuzz.h"
#include "http_head.h"
#include "scgi_head.h"

static inline void check_inside(const struct pack *p, const char *bytes, size_t len)
{
    MUST(p->count >= 0 && p->count <= CGI_PAIRS_MAX);
    for (int i = 0; i < p->count; i++) {
        MUST(p->pairs[i].name.at >= bytes && p->pairs[i].name.at + p->pairs[i].name.len <= bytes + len);
        MUST(p->pairs[i].value.at >= bytes && p->pairs[i].value.at + p->pairs[i].value.len <= bytes + len);
    }
}

static inline void check_head(const struct pack *p)
{
    struct buf head = {0};
    struct cgi_vars vars;
    if (!cgi_head_build(p->pairs, p->count, &head, &vars)) {
        struct http_field fields[600];
        struct http_head h;
        size_t used = 0;
        enum http_fault fault = FAULT_NONE;
        http_head_init(&h, fields, 1 << 20, 1 << 20, 600);
        enum http_result result = http_head_parse(&h, head.at, head.len, &used, &fault);
        MUST(result != HTTP_DONE || used == head.len); /* nothing smuggled behind it */
        MUST(result != HTTP_DONE || !h.chunked);
    }
    buf_clear(&head);
}

#endif
