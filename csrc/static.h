/* Files without Python: opened below the root with openat2, conditions, ranges, sendfile, directories. */
#ifndef PYHOST_STATIC_H
#define PYHOST_STATIC_H

#include "request.h"

/* Answers a GET or HEAD of r->filename (r->finfo may not be known yet). Returns 0 when the response has been finished, else the status that serve
 * answers with an error document (404, 403, 405 with Allow set, 304 and 412 are finished here). For a directory: redirect to the trailing slash,
 * DirectoryIndex (returns STATIC_REDIRECT with the index URI in *index, arena: serve goes on with it inside), or a listing.
 * Context: the loop thread; no GIL. */
enum { STATIC_REDIRECT = -1 };
int static_answer(struct request *r, char **index);
/* RFC 9110 13.2.2 over what the response says (ETag and Last-Modified in headers_out, mtime): 0 (go on), 304 or 412. Also req.meets_conditions(). */
int conditions_check(struct request *r);
/* ETag of a file by FileETag, into out; returns its length, 0: none. */
int static_etag(const struct request *r, const struct stat *st, char *out, int room);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (29 bytes and NUL); and back: seconds, or -1. */
void http_date(int64_t seconds, char out[30]);
int64_t http_date_parse(struct slice text);

#endif
