/* The module `_coro`: what package pyhost.coro stands on. Built once per interpreter. */
#ifndef PYHOST_PYCORO_H
#define PYHOST_PYCORO_H

#include <Python.h>

PyObject *PyInit__coro(void); /* for PyImport_AppendInittab("_coro", …), before Py_Initialize */

#endif
