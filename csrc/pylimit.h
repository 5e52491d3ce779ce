/* What the configuration bounds in a handler: green calls, deadline, client, time slice, blocking. */
#ifndef PYHOST_PYLIMIT_H
#define PYHOST_PYLIMIT_H

#include "request.h"

/* Around a phase's handlers. cancels: a client that goes, or has gone, may end them. Context: handler greenlet, GIL held. 0, or -1 with an exception. */
int pylimit_begin(struct request *r, bool cancels);
/* What coroutines get that a service spawns. Context: the hub. */
void pylimit_for_services(const struct dir_conf *conf);
/* last: the handler's own work is over, what comes is the server's. */
void pylimit_end(struct request *r, bool last);
/* The status of an exception that one of these bounds raised: 504, 408 for a client that is gone; 0: it is the handler's own. */
int pylimit_status(void);
/* Of a request that holds others up: method, path, Location, and the how manieth time that happens there, which it counts. Context: the loop thread,
 * signal handlers on it. */
void pylimit_describe(void *request, char *to, size_t room);

#endif
