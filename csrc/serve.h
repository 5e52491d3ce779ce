/* The life of a request, from its head to its log line. The only file that calls both the wire and Python. */
#ifndef PYHOST_SERVE_H
#define PYHOST_SERVE_H

#include "request.h"

/* A head is whole and within the limits: go through the phases. Context: hub. */
void serve_request(struct request *r);
/* The connection has a handler of its own (PythonConnectionHandler): it runs before anything is read. Context: hub. */
void serve_connection(struct request *r);
/* The head was refused, or the client was too slow: answer and close. */
void serve_fault(struct request *r, int status, const char *why, const char *directive);
/* The response is out (or the client is gone): log, clean up, let go. Called by the gate, once. */
void serve_done(struct request *r);
/* The content that said PY_LATER is over: status 0: the response is what was written; else end with this status. Context: loop thread, GIL held. */
void serve_finish(struct request *r, int status);
/* The same, the other way: what is at uri, a path on this server, is the answer, asked for with GET. */
void serve_finish_elsewhere(struct request *r, const char *uri);
/* Runs all phases for another URI inside the running request (internal_redirect, error documents, DirectoryIndex). The output goes into the same
 * response. Returns what the last phase returned. Context: worker greenlet with the GIL (SWITCHES), or the hub when nothing in it needs Python. */
int serve_internal_redirect(struct request *r, const char *uri);
/* Runs a job on the hub, soon. Context: loop thread. */
void serve_hub_job(struct job *job);

#endif
