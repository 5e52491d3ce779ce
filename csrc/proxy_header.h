/* The PROXY protocol, versions 1 and 2 (haproxy's specification): who the client behind a load balancer is. Pure. */
#ifndef PYHOST_PROXY_HEADER_H
#define PYHOST_PROXY_HEADER_H

#include "peer.h"
#include "scgi_head.h"

struct proxy_header {
    struct peer client, local; /* valid when known */
    bool known;                /* false: LOCAL, UNKNOWN or a family we do not carry: the connection's own addresses hold */
    size_t used;
    const char *fault;
};
/* Context: any thread; pure. Bytes since the connection began. */
enum pack_result proxy_header_parse(struct proxy_header *p, const char *bytes, size_t len);

#endif
