/* mod_python's objects over the C ones: mp_request, mp_conn, mp_server, mp_table, mp_finfo, mp_hlist, mp_filter. */
#ifndef PYHOST_PYREQUEST_H
#define PYHOST_PYREQUEST_H

#include <Python.h>

#include "request.h"

/* Makes the types in the current interpreter (heap types; each interpreter has its own) and the module `_apache`. Context: hub, GIL. */
PyObject *PyInit__apache(void);
/* The one Python object of this request in this interpreter, made on first use: a new reference, or NULL with an exception. */
PyObject *pyrequest_of(struct request *r);
/* A live view of a table that belongs to owner (kept alive by it); owner NULL: the table object owns a table of its own (table is copied). */
PyObject *pytable_view(struct table *table, PyObject *owner);

#endif
