/* Text at the border. A str whose characters all fit into latin-1 is stored by CPython as exactly those bytes, so nothing is encoded. */
#include "pytext.h"

#include "log.h"

PyObject *pytext_or_none(const char *text)
{
    return text ? pytext_from(slice_text(text)) : Py_NewRef(Py_None);
}

int pytext_slice(PyObject *object, struct slice *out)
{
    if (PyUnicode_Check(object)) {
        if (PyUnicode_KIND(object) != PyUnicode_1BYTE_KIND) {
            PyErr_SetString(PyExc_TypeError, "not an ISO-8859-1 string");
            return -1;
        }
        *out = slice_of((const char *)PyUnicode_1BYTE_DATA(object), (size_t)PyUnicode_GET_LENGTH(object));
        return 0;
    }
    if (PyBytes_Check(object)) {
        *out = slice_of(PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object));
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "expected str or bytes, not %.100s", Py_TYPE(object)->tp_name);
    return -1;
}

int pytext_c_slice(PyObject *object, struct slice *out)
{
    if (pytext_slice(object, out))
        return -1;
    if (memchr(out->at, 0, out->len)) {
        PyErr_SetString(PyExc_ValueError, "embedded null byte");
        return -1;
    }
    return 0;
}

char *pytext_arena(struct request *r, PyObject *object)
{
    struct slice s;
    if (pytext_c_slice(object, &s))
        return NULL;
    char *copy = request_strdup(r, s);
    if (!copy)
        PyErr_NoMemory();
    return copy;
}

int pytext_body(PyObject *object, struct slice *out, Py_buffer *view)
{
    view->obj = NULL;
    if (PyBytes_CheckExact(object)) {
        *out = slice_of(PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object));
        return 0;
    }
    if (PyUnicode_Check(object)) {
        Py_ssize_t len;
        const char *at = PyUnicode_AsUTF8AndSize(object, &len);
        *out = slice_of(at, (size_t)len);
        return at ? 0 : -1;
    }
    if (PyObject_CheckBuffer(object)) {
        if (PyObject_GetBuffer(object, view, PyBUF_SIMPLE))
            return -1;
        *out = slice_of(view->buf, (size_t)view->len);
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "expected str or bytes, not %.100s", Py_TYPE(object)->tp_name);
    return -1;
}

PyObject *pytext_log(struct request *r, const struct server_conf *server, PyObject *message, int level)
{
    struct slice text;
    Py_buffer view;
    /* A lone surrogate, as in a file's name that is no UTF-8, must not keep a message from the log. */
    PyObject *bytes = PyUnicode_Check(message) ? PyUnicode_AsEncodedString(message, "utf-8", "backslashreplace") : Py_NewRef(message);
    if (!bytes || pytext_body(bytes, &text, &view)) {
        Py_XDECREF(bytes);
        return NULL;
    }
    level = level & 15 ? level & 15 : LEVEL_ERROR; /* above the four bits: mod_python's APLOG_NOERRNO and its like */
    log_message(r ? r->server : server, r, level, "python", text);
    if (r)
        log_echo(r, text);
    if (view.obj)
        PyBuffer_Release(&view);
    Py_DECREF(bytes);
    Py_RETURN_NONE;
}

PyObject *pytext_log_error(struct request *r, const struct server_conf *server, PyObject *args)
{
    PyObject *message;
    int level = LEVEL_ERROR;
    return PyArg_ParseTuple(args, "O|i:log_error", &message, &level) ? pytext_log(r, server, message, level) : NULL;
}
