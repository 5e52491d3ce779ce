/* The mark is an attribute of the exception object: it needs no class that applications would have to know. */
#include "pyclient.h"

#include <Python.h>
#include <errno.h>

#include "log.h"

static const char mark[] = "_pyhost_client_fault";

/* Takes the exception that is set, normalized; put it back with PyErr_Restore. */
static void fetch(PyObject **type, PyObject **value, PyObject **trace)
{
    PyErr_Fetch(type, value, trace);
    PyErr_NormalizeException(type, value, trace);
}

void pyclient_mark_status(int answer)
{
    PyObject *type, *value, *trace;
    fetch(&type, &value, &trace);
    PyObject *status = PyLong_FromLong(answer);
    if (!status || PyObject_SetAttrString(value, mark, status) < 0)
        PyErr_Clear();
    Py_XDECREF(status);
    PyErr_Restore(type, value, trace);
}

int pyclient_status(int error) { return error == EFBIG ? 413 : error == ETIMEDOUT ? 408 : 400; }

void pyclient_mark(int error) { pyclient_mark_status(pyclient_status(error)); }

static void log_fault(const struct request *r, PyObject *value, int status)
{
    PyObject *text = PyObject_Str(value);
    const char *why = text ? PyUnicode_AsUTF8(text) : NULL;
    if (r->conn)
        log_request(r, LEVEL_INFO, "python", "answered %d: %s", status, why ? why : "the client is to blame");
    else
        log_request(r, LEVEL_INFO, "python", "the client has gone: %s", why ? why : "");
    PyErr_Clear();
    Py_XDECREF(text);
}

int pyclient_fault(const struct request *r)
{
    PyObject *type, *value, *trace;
    fetch(&type, &value, &trace);
    PyObject *status = value ? PyObject_GetAttrString(value, mark) : NULL;
    int result = status ? (int)PyLong_AsLong(status) : 0;
    PyErr_Clear();
    if (result > 0)
        log_fault(r, value, result);
    Py_XDECREF(status);
    PyErr_Restore(type, value, trace);
    return result > 0 ? result : 0;
}
