/* mp_hlist: the list of handlers that is being walked. */
#ifndef PYHOST_PYHLIST_H
#define PYHOST_PYHLIST_H

#include "pyreq.h"

/* Context: the GIL held. A view of the walk of a request (or a filter's own hook when fixed is given); a new reference, or NULL with an exception. */
PyObject *pyhlist_new(struct pyrequest *req, const struct hook_conf *fixed);

#endif
