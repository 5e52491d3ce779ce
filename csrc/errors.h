/* The pages that the server itself writes: error pages and directory listings share one look. Everything from a client is escaped. */
#ifndef PYHOST_ERRORS_H
#define PYHOST_ERRORS_H

#include "buf.h"
#include "slice.h"

struct request;

/* Context of all: any thread that owns the buffer; no GIL. All return 0, or -1 with errno of buf_add. */

/* Appends text with & < > " ' and control bytes escaped. */
int html_escape(struct buf *to, struct slice text);
/* Percent-encodes a path for an href or a Location: what is left is safe in an attribute, and never reads as a scheme. */
int url_escape(struct buf *to, struct slice path);
/* A whole HTML page for the status; one sentence says what happened, none says more than the client may know. r may be NULL. */
int errors_page(struct buf *to, int status, const char *reason, const struct request *r);
/* The frame of every page: everything before the content of <main>, and everything behind it with the signature. style: more CSS, or "". */
int page_begin(struct buf *to, struct slice title, const char *style);
int page_end(struct buf *to, const struct request *r);

#endif
