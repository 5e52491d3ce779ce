/* The head of a response as bytes. response.c decides when, this decides what. */
#ifndef PYHOST_RESPONSE_HEAD_H
#define PYHOST_RESPONSE_HEAD_H

#include "response.h"

struct loop;

/* Decides the framing (r->clength, chunked_out, close_after, no_body_out) and writes the head into to (emptied first). cgi: as CGI fields. last: all
 * of the body is in r->out. 0, or -1 with errno EPROTO (something in it must not be sent; logged) or ENOMEM. Context: loop thread. */
int response_head_build(struct request *r, bool cgi, bool may_chunk, bool last, struct buf *to);
/* "Date: …\r\nServer: …\r\n" of this second; valid until the next call. */
struct slice response_common_fields(const struct loop *loop, const struct server_conf *server);
bool response_has_no_body(const struct request *r);
/* The answer ends here: is there more of the request's body than is read away (LIMIT_DISCARD_BYTES), so that the connection has to close? */
bool response_leaves_too_much(const struct request *r);

#endif
