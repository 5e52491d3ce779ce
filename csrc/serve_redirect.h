/* Requests made from requests. serve.c runs them. */
#ifndef PYHOST_SERVE_REDIRECT_H
#define PYHOST_SERVE_REDIRECT_H

#include "request.h"

/* Context of all: the loop thread; none switches. NULL: not possible (too many redirects, client gone, no memory; logged). */
/* A new request for uri ("/path?query", path decoded) that takes over connection, body and output of from; from becomes its prev. */
struct request *redirect_take_over(struct request *from, const char *uri);
/* The same as a GET without a body: a script named uri as its answer (RFC 3875 6.2.2). */
struct request *redirect_script(struct request *from, const char *uri);
/* The same as a GET with the status of an error. */
struct request *redirect_error_document(struct request *from, int status, const char *uri);
/* A sub-request that only looks: nothing is taken over; from becomes its main_request. */
struct request *redirect_look_up(struct request *from, const char *uri);

#endif
