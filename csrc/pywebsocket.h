/* The WebSocket of a request for blocking code: receive() and send() park the greenlet. */
#ifndef PYHOST_PYWEBSOCKET_H
#define PYHOST_PYWEBSOCKET_H

#include "pyroom.h"

/* Context of all: a handler greenlet, GIL held. */
/* Answers 101 with the first of protocols (an iterable of str) that the client offers. A new reference; NULL with an exception, which makes the
 * answer 400 or 426 where the handler lets it pass. */
PyObject *pywebsocket_open(struct request *r, PyObject *protocols);
/* A callable that does it, for WSGI's environ; holds a reference on the request. */
PyObject *pywebsocket_opener(struct request *r);
/* req.websocket(protocols=()). */
PyObject *pyrequest_websocket(PyObject *object, PyObject *args, PyObject *kwargs);

#endif
