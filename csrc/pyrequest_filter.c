/* Filters that a handler registers and adds for its request. */
#include "pyfilt.h"
#include "pytext.h"

static PyObject *add_filter(PyObject *object, PyObject *name, bool is_input)
{
    struct pyrequest *self = pyreq(object);
    char *text = pyrequest_check_live(self) ? NULL : pytext_arena(self->r, name);
    return text && !pyfilter_add(self->r, text, is_input) ? Py_NewRef(Py_None) : NULL;
}

PyObject *pyrequest_add_input_filter(PyObject *object, PyObject *name) { return add_filter(object, name, true); }
PyObject *pyrequest_add_output_filter(PyObject *object, PyObject *name) { return add_filter(object, name, false); }

/* (name, handler[, directory]) */
static PyObject *register_filter(PyObject *object, PyObject *args, bool is_input)
{
    struct pyrequest *self = pyreq(object);
    PyObject *name, *handler, *directory = Py_None;
    if (!PyArg_ParseTuple(args, "OO|O", &name, &handler, &directory) || pyrequest_check_live(self))
        return NULL;
    const char *n = pytext_arena(self->r, name), *h = n ? pytext_arena(self->r, handler) : NULL;
    const char *d = h ? pyrequest_directory(self->r, directory) : NULL;
    if (!h || PyErr_Occurred() || pyfilter_register(self->r, n, h, d, is_input))
        return NULL;
    Py_RETURN_NONE;
}

PyObject *pyrequest_register_input_filter(PyObject *object, PyObject *args) { return register_filter(object, args, true); }
PyObject *pyrequest_register_output_filter(PyObject *object, PyObject *args) { return register_filter(object, args, false); }
