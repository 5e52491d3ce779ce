/* The pages that the server itself writes: error pages and directory listings share one look. Everything from a client is escaped. */
#ifndef PYHOST_ERRORS_H
#define PYHOST_ERRORS_H

#include "buf.h"
#include "slice.h"

struct request;

/* Appends text with & < > " ' escaped. 0, or -1 with errno of buf_add. */
int html_escape(struct buf *to, struct slice text);
/* Percent-encodes a path for an href. */
int url_escape(struct buf *to, struct slice path);
/* A whole HTML page for the status; one sentence says what happened, none says more than the client may know. r may be NULL. */
int errors_page(struct buf *to, int status, const char *reason, const struct request *r);

#endif
