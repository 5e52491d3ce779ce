/* A request body that cannot be read to its end is the client's fault: the exception that says so carries the status it deserves, so that a
 * handler that lets it pass answers 400, 408 or 413, with a line in the log instead of a traceback. */
#ifndef PYHOST_PYBODY_H
#define PYHOST_PYBODY_H

#include "request.h"

/* Context of both: the GIL held, an exception set (and still set afterwards). */
/* Marks the exception that has been set for errno error of request_body_read. */
void pybody_mark(int error);
/* The status of a marked exception, after logging it; 0: not a marked one, the handler's own fault. */
int pybody_status(const struct request *r);

#endif
