/* CPython's internals, per version. Nothing else in pyhost includes its internal headers. */
#include <Python.h>

/* a macro of the public headers hides the inline function of the internal ones */
#undef _PyGC_FINALIZED
#define Py_BUILD_CORE 1
#include <internal/pycore_runtime.h>
#undef Py_BUILD_CORE

#include "pystate.h"

#if PY_VERSION_HEX < 0x030b0000 || PY_VERSION_HEX >= 0x030e0000
#error "pyhost knows the internals of CPython 3.11, 3.12 and 3.13; add this version to pystate.c"
#endif

void pystate_bind_gilstate(PyThreadState *tstate)
{
#if PY_VERSION_HEX < 0x030c0000
    PyThread_tss_set(&_PyRuntime.gilstate.autoTSSkey, tstate);
#else
    (void)tstate;
#endif
}

void pystate_freeze_type(PyTypeObject *type)
{
#if PY_VERSION_HEX >= 0x030c0000
    type->tp_flags |= Py_TPFLAGS_IMMUTABLETYPE;
#else
    (void)type;
#endif
}
