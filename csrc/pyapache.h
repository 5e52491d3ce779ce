/* The module _apache: what mod_python's Python half needs of C beside the objects. */
#ifndef PYHOST_PYAPACHE_H
#define PYHOST_PYAPACHE_H

#include <Python.h>

/* Context of all: the GIL held; NULL or -1 with an exception. */
/* Calls callable(data) when the process ends, in the interpreter that is current now. Returns None. */
PyObject *pyapache_at_exit(PyObject *callable, PyObject *data);
extern PyMethodDef pyapache_methods[];
int pyapache_add_constants(PyObject *module);
/* parse_qs and parse_qsl (pyapache_query.c). */
PyObject *pyapache_parse_qs(PyObject *module, PyObject *args);
PyObject *pyapache_parse_qsl(PyObject *module, PyObject *args);
/* _global_lock and its kin (pyapache_lock.c). */
PyObject *pyapache_global_lock(PyObject *module, PyObject *args);
PyObject *pyapache_global_trylock(PyObject *module, PyObject *args);
PyObject *pyapache_global_unlock(PyObject *module, PyObject *args);
/* _wait and _wake (pyapache_wait.c). */
PyObject *pyapache_wait(PyObject *module, PyObject *args);
PyObject *pyapache_wake(PyObject *module, PyObject *args);

#endif
