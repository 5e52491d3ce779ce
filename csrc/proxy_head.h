/* The PROXY protocol's header, versions 1 (a line of text) and 2 (binary): which client a proxy in front speaks for.
 * https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt. Pure: no allocation, no I/O. */
#ifndef PYHOST_PROXY_HEAD_H
#define PYHOST_PROXY_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "peer.h"

enum {
    PROXY_V1_BYTES = 107,  /* longest line, with CRLF */
    PROXY_V2_BYTES = 2048  /* longest binary header we take, TLVs included */
};

enum proxy_result {
    PROXY_MORE, /* a header has begun; call again with more bytes from its start */
    PROXY_DONE, /* *used bytes are the header */
    PROXY_BAD   /* this is none */
};

/* client is written when the header names one over TCP; a health check of the proxy itself (LOCAL, UNKNOWN) and other families leave it alone. */
enum proxy_result proxy_head_read(const char *at, size_t len, struct peer *client, size_t *used);

#endif
