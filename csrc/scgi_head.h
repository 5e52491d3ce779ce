/* SCGI and uwsgi: the head of a request as variables. Pure parsers: slices of the input, nothing copied. */
#ifndef PYHOST_SCGI_HEAD_H
#define PYHOST_SCGI_HEAD_H

#include "cgi_head.h"

enum pack_result { PACK_MORE, PACK_DONE, PACK_BAD };

struct pack {
    struct cgi_pair pairs[CGI_PAIRS_MAX];
    int count;
    size_t used;       /* bytes of the head when PACK_DONE */
    const char *fault; /* when PACK_BAD: what is wrong (static text) */
};

/* Context of both: any thread; pure. max: bytes the head may have. */
/* SCGI: netstring "length:" (name NUL value NUL)* ","; CONTENT_LENGTH first, SCGI=1 there. */
enum pack_result scgi_head_parse(struct pack *p, const char *bytes, size_t len, size_t max);
/* uwsgi: modifier1, size (16 bits, little endian), modifier2, then (size name size value)*. Modifiers other than 0 0 are refused. */
enum pack_result uwsgi_head_parse(struct pack *p, const char *bytes, size_t len, size_t max);

#endif
