/* From the variables of a gateway protocol (FastCGI, SCGI, uwsgi) to the HTTP head they stand for, so that everything behind sees the same request
 * whatever way it came, and HTTP's strictness holds for all of them. Pure but for the buffer. */
#ifndef PYHOST_CGI_HEAD_H
#define PYHOST_CGI_HEAD_H

#include "buf.h"
#include "slice.h"

enum { CGI_PAIRS_MAX = 512 }; /* variables of one request */

struct cgi_pair { struct slice name, value; };

struct cgi_vars { /* what of them is not part of the head; slices of the input */
    struct slice remote_addr, remote_port, server_addr, server_port, server_name, https, scheme, remote_user, auth_type, content_length;
};

/* Context: any thread; no I/O. */
/* Writes "METHOD target HTTP/1.x CRLF fields CRLF CRLF" into head (emptied first): HTTP_* become fields ('_' becomes '-'), CONTENT_TYPE and
 * CONTENT_LENGTH too; the target is REQUEST_URI, else SCRIPT_NAME PATH_INFO [? QUERY_STRING] escaped. Host is added from SERVER_NAME where
 * HTTP_HOST is missing. NULL when good, else what is wrong (static text): a variable twice, a control byte, no REQUEST_METHOD … */
const char *cgi_head_build(const struct cgi_pair *pairs, int count, struct buf *head, struct cgi_vars *vars);
/* A value of digits only that fits in 63 bits, or -1. */
int64_t cgi_number(struct slice text);

#endif
