/* Under which name the client knows us: scheme, host and port, by UseCanonicalName. What redirects, SERVER_NAME and construct_url say. */
#ifndef PYHOST_ORIGIN_H
#define PYHOST_ORIGIN_H

#include "request.h"

/* Context of all: the loop thread; no GIL. */
const char *origin_scheme(const struct request *r); /* "http" or "https"; static text */
/* The Host that was asked for (UseCanonicalName Off), else ServerName, else the local address as text; arena or configuration text, never NULL. */
const char *origin_host(struct request *r);
int origin_port(const struct request *r); /* as the client sees it; 80 or 443 when nothing says otherwise */
/* "scheme://host[:port]" + path (taken as it is); arena; NULL with ENOMEM. */
char *origin_url(struct request *r, struct slice path);
/* Addresses as text into out (at least 46 bytes): the client's by a trusted proxy or the connection, ours by the socket. Empty for unix sockets. */
void origin_client_text(const struct request *r, char out[46]);
void origin_local_text(const struct request *r, char out[46]);
int origin_local_port(const struct request *r);
int origin_client_port(const struct request *r); /* of the connection; 0: unix socket, or gone */

#endif
