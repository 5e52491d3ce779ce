/* The websocket half of a cycle: what pyhost/gateway/asgi_ws.py asks of it. */
#ifndef PYHOST_PYASGI_WS_H
#define PYHOST_PYASGI_WS_H

#include "pyasgi_impl.h"

/* Context of all: a greenlet, GIL held, the interpreter of the cycle current. */
/* Why there can be no WebSocket: a status, after logging it; 0: there can. */
int asgi_ws_refused(struct request *r);
/* The coroutine of the application with a websocket scope, or NULL with an exception. Takes scope. */
PyObject *asgi_ws_call(struct cycle *c, PyObject *scope);
/* Something has happened to a cycle that has a session. 0, or -1 with an exception. */
int asgi_ws_collect(struct cycle *c);
void asgi_ws_unhook(struct cycle *c);

/* Methods of the cycle. */
PyObject *asgi_ws_accept(struct cycle *c, PyObject *args);
PyObject *asgi_ws_take(struct cycle *c, PyObject *none);
PyObject *asgi_ws_end(struct cycle *c, PyObject *none);
PyObject *asgi_ws_push(struct cycle *c, PyObject *args);
PyObject *asgi_ws_close(struct cycle *c, PyObject *args);

#endif
