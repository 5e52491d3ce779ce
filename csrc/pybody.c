/* The mark is an attribute of the exception: it survives "raise … from" of nobody else, and needs no class that applications would have to know. */
#include "pybody.h"

#include <Python.h>
#include <errno.h>

#include "log.h"

static const char mark[] = "_pyhost_status";

/* Takes the exception that is set, normalized; put it back with PyErr_Restore. */
static void fetch(PyObject **type, PyObject **value, PyObject **trace)
{
    PyErr_Fetch(type, value, trace);
    PyErr_NormalizeException(type, value, trace);
}

void pybody_mark(int error)
{
    PyObject *type, *value, *trace;
    fetch(&type, &value, &trace);
    PyObject *status = PyLong_FromLong(error == EFBIG ? 413 : error == ETIMEDOUT ? 408 : 400);
    if (!status || PyObject_SetAttrString(value, mark, status) < 0)
        PyErr_Clear();
    Py_XDECREF(status);
    PyErr_Restore(type, value, trace);
}

int pybody_status(const struct request *r)
{
    PyObject *type, *value, *trace;
    fetch(&type, &value, &trace);
    PyObject *status = value ? PyObject_GetAttrString(value, mark) : NULL;
    int result = status ? (int)PyLong_AsLong(status) : 0;
    PyErr_Clear();
    if (result > 0) {
        PyObject *text = PyObject_Str(value);
        const char *why = text ? PyUnicode_AsUTF8(text) : NULL;
        log_request(r, LEVEL_INFO, "python", "answered %d: %s", result, why ? why : "the request body cannot be read");
        PyErr_Clear();
        Py_XDECREF(text);
    }
    Py_XDECREF(status);
    PyErr_Restore(type, value, trace);
    return result > 0 ? result : 0;
}
