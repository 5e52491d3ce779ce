/* What is not public in CPython and differs between its versions: one file, one function per matter.
 * An unknown version is refused when pystate.c is compiled. */
#ifndef PYHOST_PYSTATE_H
#define PYHOST_PYSTATE_H

#include <Python.h>

/* Tells PyGILState which thread state this OS thread has. 3.12 does so in PyThreadState_Swap. Context: GIL held, tstate current. */
void pystate_bind_gilstate(PyThreadState *tstate);
/* Heap types that several interpreters share must not be changed per interpreter: their version tags would collide in the type cache (3.12+). */
void pystate_freeze_type(PyTypeObject *type);

#endif
