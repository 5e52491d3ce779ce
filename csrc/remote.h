/* Who the client is when a proxy that we trust says so: RemoteIPHeader (X-Forwarded-For, Forwarded, X-Real-IP …) and the scheme it came by. */
#ifndef PYHOST_REMOTE_H
#define PYHOST_REMOTE_H

#include "request.h"

/* Sets r->useragent_ip to the rightmost address that no trusted proxy stands for, takes what was believed out of the field, and r->secure from the
 * same proxies' X-Forwarded-Proto or Forwarded proto. Believes nobody but RemoteIPTrustedProxy, RemoteIPInternalProxy and unix sockets (only who may
 * open them is at their other end). Call it for servers with remoteip_header. Context: the loop thread, before any phase; no I/O. */
void remote_apply(struct request *r);

#endif
