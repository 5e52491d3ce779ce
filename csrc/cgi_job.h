/* A CGI script that answers a request: from the order to run it to the end of the last process it has started. Streams both ways without Python. */
#ifndef PYHOST_CGI_JOB_H
#define PYHOST_CGI_JOB_H

#include "cgi_pool.h"
#include "request.h"

enum cgi_outcome {
    CGI_ANSWERED,  /* the response is what has been written; finish it */
    CGI_STATUS,    /* end with status; what it needs is in err_headers_out */
    CGI_ELSEWHERE  /* answer with what is at uri (a path on this server) */
};
struct cgi_result { enum cgi_outcome outcome; int status; const char *uri; /* arena of the request */ };

/* Context of all: the loop thread; no GIL needed unless over does. */
/* Runs r->filename. over is called once, at the end of a turn, when the response is decided and all its bytes are written; what the script does from
 * then on is this room's affair. sitter not NULL: nothing happens by itself; it is woken whenever cgi_job_turn has something to do, which may switch,
 * and over is not called.
 * Returns the job (it frees itself; borrowed until over), or NULL: r's status to answer is in *status (logged). */
struct cgi_job *cgi_job_start(struct cgi_pool *pool, struct request *r, struct waker *sitter, void (*over)(struct request *, const struct cgi_result *),
                              int *status);
/* The sitter's: goes on as far as it can. True: it is over, with *result; the job is not the sitter's any more. */
bool cgi_job_turn(struct cgi_job *job, struct cgi_result *result);
/* Ends the script; the next turn tells it. */
void cgi_job_cancel(struct cgi_job *job);
/* The server stops: ends every script. True: some are not quite gone yet; turn the loop. */
bool cgi_job_end_all(struct cgi_pool *pool);

#endif
