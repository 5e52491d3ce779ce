/* CGI scripts as content: which file may run, and what becomes of the request that it answers. */
#ifndef PYHOST_SERVE_CGI_H
#define PYHOST_SERVE_CGI_H

#include "request.h"

enum {
    SERVE_CGI_LATER = -2,    /* the script runs; serve_finish or serve_finish_elsewhere will be called */
    SERVE_CGI_ELSEWHERE = -3 /* a path on this server answers: *uri */
};

/* Answers with the script that r->filename is. Returns 0 when the response is written, the status to answer, or one of the above.
 * Context: loop thread, GIL held; it switches when a filter in Python takes what the script writes. */
int serve_cgi(struct request *r, char **uri);

#endif
