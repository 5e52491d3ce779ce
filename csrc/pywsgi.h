/* WSGI (PEP 3333): applications called straight from C. */
#ifndef PYHOST_PYWSGI_H
#define PYHOST_PYWSGI_H

#include "interp.h"
#include "request.h"

/* Calls the application of r->conf->wsgi_application with r; the response is written, not finished. Returns PY_OK, or an HTTP status (exceptions are
 * logged here). Context: a worker greenlet of the right interpreter, GIL held. SWITCHES. */
int pywsgi_run(struct request *r);

#endif
