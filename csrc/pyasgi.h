/* ASGI 3: applications that are coroutines of an asyncio loop, which is a guest of the hub (pyhost/gateway/asgi.py). This file is its C half:
 * scope, receive and send over a request. */
#ifndef PYHOST_PYASGI_H
#define PYHOST_PYASGI_H

#include <Python.h>

#include "request.h"

PyMODINIT_FUNC PyInit__asgi(void);
/* Hands the request to its application. Returns PY_LATER (serve_finish will be called), or a status. Context: a worker greenlet, GIL held. */
int pyasgi_run(struct request *r);

/* The process leaves: applications of all interpreters get their lifespan.shutdown, in greenlets. Returns how many interpreters have not ended theirs;
 * to be called again after each turn of the loop until that is 0. Context: hub, GIL held. */
int pyasgi_leave(void);

#endif
