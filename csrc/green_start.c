/* Start of room green in a worker: where libpython is, and the handler of the synthetic signal. */
#include "green_python.h"

#include <string.h>

#include "log.h"
#include "pystate.h"

static PyObject *raise_thrown(PyObject *self, PyObject *args)
{
    (void)self;
    (void)args;
    PyObject *exception = green_take_thrown();
    if (!exception)
        Py_RETURN_NONE;
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
    return NULL;
}

static PyMethodDef raise_method = {"raise_thrown", raise_thrown, METH_VARARGS, "Raises what was thrown into the greenlet that waits."};

static int install_handler(void)
{
    PyObject *module = PyImport_ImportModule("signal"), *handler = PyCFunction_New(&raise_method, NULL);
    PyObject *was = module && handler ? PyObject_CallMethod(module, "signal", "iO", pystate_signal_number(), handler) : NULL;
    int bad = was ? 0 : -1;
    Py_XDECREF(was);
    Py_XDECREF(handler);
    Py_XDECREF(module);
    return bad;
}

bool green_init(void)
{
    green_real_fill();
    if (!green_find_libpython((const void *)(uintptr_t)&PyEval_RestoreThread)) {
        log_error(NULL, LEVEL_NOTICE, "green", "libpython is part of this program: blocking calls of handlers block the worker");
        return false;
    }
    return install_handler() == 0;
}
