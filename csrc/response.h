/* Answers: from status, headers and body bytes to what goes on the wire. One response per request, always well framed.
 * Producers (static files, Python handlers) write; when the connection is congested they wait on req->on_drain. */
#ifndef PYHOST_RESPONSE_H
#define PYHOST_RESPONSE_H

#include "request.h"

/* Context of all: the loop thread (hub or handler greenlet); no GIL needed; none of them switches. */

/* Appends body bytes; nothing is sent before response_flush or response_finish unless more than the high-water mark has gathered.
 * 0, or -1 with errno: EPIPE client gone, EINVAL after the end, ENOMEM, EPROTO a header or status that must not go out. */
int response_write(struct request *r, const void *data, size_t n);
/* Takes as many of n bytes as the connection has room for without passing half of the high-water mark, the socket first: > 0 bytes taken; 0: congested,
 * wait on on_drain and come again; -1 with errno as above. The way to write for those who can wait. Sends the head (flushing). */
long response_write_some(struct request *r, const void *data, size_t n);
/* Sends the head if it has not been sent, and hands over everything written so far. As response_write. */
int response_flush(struct request *r);
/* The same, but that it may wait until the turn is over, for more of this answer as well: for a few milliseconds at most, whatever its handler does. */
int response_flush_soon(struct request *r);
/* Hands over len bytes of a file from offset by sendfile; takes a duplicate of fd. As response_write. */
int response_send_file(struct request *r, int fd, int64_t offset, int64_t len);
/* The body is whole: sends what is left (with Content-Length when nothing was sent before) and lets the connection go on. */
void response_finish(struct request *r);
/* Throws away unsent body bytes and the headers_out (err_headers_out stay); keeps the status. Only in RESPONSE_OPEN. */
void response_reset(struct request *r);
/* Allow, with 405 and 501: what r->allowed and r->allowed_more say, unless a handler has said it. */
void response_allow(struct request *r, int status);
/* A complete built-in page for the status, escaped, with the right headers (Allow, Retry-After, WWW-Authenticate as set). The connection
 * closes after it when close is true. Finishes the response. ErrorDocument is serve's business, not this one's. */
void response_error(struct request *r, int status, bool close);
/* What is written from now on is the whole answer, head included, and ends with the connection (nph- scripts). -1: the protocol of the connection has no
 * such answers, or one has begun. */
int response_begin_raw(struct request *r);
/* Sends "103 Early Hints" or another 1xx with these fields at once (HTTP/1.1 only). */
int response_interim(struct request *r, int status, const struct table *fields);
/* The high-water mark of what a connection may hold unsent: PyOutputBuffer. */
size_t response_high_bytes(const struct request *r);
/* True while the connection holds more than half of the high-water mark: wait on on_drain before writing more. */
bool response_is_congested(const struct request *r);
/* "Not Found" for 404 …; "Unknown" otherwise. */
const char *response_reason(int status);

/* The request body. */
/* Takes up to n bytes that have arrived. > 0: bytes; 0: the end (or no body); -1 with errno EAGAIN: nothing now, wait on on_body;
 * ETIMEDOUT, ECONNRESET (cut short), EBADMSG (malformed), EFBIG (LimitRequestBody): it never comes. Sends 100 Continue when due. */
long request_body_read(struct request *r, void *to, size_t n);

#endif
