/* mp_conn: the connection of a request, and the connection that a connection handler is given. */
#ifndef PYHOST_PYCONN_H
#define PYHOST_PYCONN_H

#include "pyrequest.h"

/* Context: the GIL held. A new reference, or NULL with an exception. */
PyObject *pyconn_of(struct request *r);
/* (address, port). */
PyObject *pyconn_address(const char *ip, int port);

#endif
