/* Applications of WSGI and ASGI: found, imported, kept per interpreter, and loaded again when their files have changed. */
#ifndef PYHOST_PYAPP_H
#define PYHOST_PYAPP_H

#include <Python.h>

#include "request.h"

/* What r->conf names (PyWSGIAlias, PyWSGIApplication) in the current interpreter: a WSGI callable, or with asgi a Hosted object of
 * pyhost.gateway.asgi. A new reference, or NULL with an exception. While nothing has changed this is a look at one number. SWITCHES when it loads.
 * Context: a worker greenlet, GIL held. */
PyObject *pyapp_get(const struct request *r, bool asgi);

/* Where PythonDebug is on and nothing has been sent, the exception that is set becomes the response, as a page; it stays set. Was it? */
bool pyapp_show_exception(struct request *r);

/* The exception that is set goes to the log with its traceback, and is cleared. gateway: wsgi or asgi; where: what it came from. */
void pyapp_log_exception(struct request *r, const char *gateway, const char *where);

#endif
