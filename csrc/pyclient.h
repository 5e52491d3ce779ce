/* What the client is to blame for: a body that never comes whole, a connection that is gone. The exception that says so carries a mark, so that a
 * handler that lets it pass answers 400, 408 or 413 (to whom it may concern) with one line in the log instead of a traceback: no client can
 * fill the error log with those. */
#ifndef PYHOST_PYCLIENT_H
#define PYHOST_PYCLIENT_H

#include "request.h"

/* The status for errno error of request_body_read or response_write (EPIPE). Context: any. */
int pyclient_status(int error);

/* Context of the others: the GIL held, an exception set (and still set afterwards). */
/* Marks the exception that has been set for errno error of request_body_read or response_write (EPIPE). */
void pyclient_mark(int error);
/* The same with the status that it answers. */
void pyclient_mark_status(int status);
/* The status of a marked exception, after logging it; 0: not a marked one, the handler's own fault. */
int pyclient_fault(const struct request *r);

#endif
