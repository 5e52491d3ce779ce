/* mp_filter: what a filter function is given. */
#include "pyfilt.h"

#include <errno.h>
#include <stdlib.h>

#include "pyhook.h"
#include "pytext.h"

enum { READ_STEP_BYTES = 8192 };

struct pyfilter {
    PyObject_HEAD
    struct pyrequest *req;      /* strong */
    struct filter_place *place; /* borrowed: in the arena of req->r; NULL without req */
    int softspace;
};

static struct pyfilter *filter_of(PyObject *object) { return (struct pyfilter *)object; }

PyObject *pyfilter_object(struct filter_place *place, struct pyrequest *req)
{
    PyTypeObject *type = pyroom_type(TYPE_FILTER);
    struct pyfilter *f = (struct pyfilter *)type->tp_alloc(type, 0);
    if (!f)
        return NULL;
    f->req = (struct pyrequest *)Py_NewRef((PyObject *)req);
    f->place = place;
    return (PyObject *)f;
}

static int filter_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(filter_of(object)->req);
    return 0;
}

static int filter_clear(PyObject *object)
{
    filter_of(object)->place = NULL;
    Py_CLEAR(filter_of(object)->req);
    return 0;
}

static void filter_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    filter_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

/* The filter's place, usable now; NULL with ValueError or RuntimeError. */
static struct filter_place *filter_live(PyObject *object)
{
    struct filter_place *f = filter_of(object)->place;
    if (!f) {
        PyErr_SetString(PyExc_RuntimeError, "this filter is over");
        return NULL;
    }
    if (pyrequest_check_live(filter_of(object)->req))
        return NULL;
    if (f->closed) {
        PyErr_SetString(PyExc_ValueError, "I/O operation on closed filter");
        return NULL;
    }
    return f;
}

static PyObject *bytes_taken(struct buf *from, size_t n)
{
    PyObject *bytes = PyBytes_FromStringAndSize(from->at ? from->at : "", (Py_ssize_t)n);
    if (bytes)
        buf_drop(from, n);
    return bytes;
}

/* Fills the line buffer of an input filter from its source, waiting for it. > 0, 0 at the end, -1 with an exception. SWITCHES. */
static long filter_fill(struct filter_place *f)
{
    for (;;) {
        char *room = buf_room(&f->line, READ_STEP_BYTES);
        long got = room ? pyfilter_pull(f->r, f->next, room, READ_STEP_BYTES) : -1;
        if (got > 0)
            f->line.len += (uint32_t)got;
        if (got == 0)
            f->eos = true;
        if (got >= 0)
            return got;
        if (errno != EAGAIN)
            return pyrequest_body_failed(errno);
        if (pyrequest_wait(&f->r->on_body))
            return -1;
    }
}

/* Output: what has come since the last call. Input: what the client sends next. b"" for nothing now, None at the end. */
static PyObject *filter_read_line(PyObject *object, Py_ssize_t limit, bool line)
{
    struct filter_place *f = filter_live(object);
    if (!f)
        return NULL;
    struct buf *from = f->is_input ? &f->line : &f->data;
    const char *end = NULL;
    for (;;) {
        end = line && from->len ? memchr(from->at, '\n', from->len) : NULL;
        bool enough = end || (from->len && !line) || (limit >= 0 && from->len >= (size_t)limit);
        if (enough || !f->is_input || f->eos)
            break;
        if (filter_fill(f) < 0)
            return NULL;
    }
    size_t n = end ? (size_t)(end - from->at) + 1 : from->len;
    if (limit >= 0 && n > (size_t)limit)
        n = (size_t)limit;
    if (!from->len && f->eos)
        Py_RETURN_NONE;
    return bytes_taken(from, n);
}

static PyObject *filter_read(PyObject *object, PyObject *args)
{
    Py_ssize_t limit = -1;
    return PyArg_ParseTuple(args, "|n:read", &limit) ? filter_read_line(object, limit, false) : NULL;
}

static PyObject *filter_readline(PyObject *object, PyObject *args)
{
    Py_ssize_t limit = -1;
    return PyArg_ParseTuple(args, "|n:readline", &limit) ? filter_read_line(object, limit, true) : NULL;
}

static PyObject *filter_write(PyObject *object, PyObject *data)
{
    struct filter_place *f = filter_live(object);
    struct slice text;
    Py_buffer view;
    if (!f || pytext_body(data, &text, &view))
        return NULL;
    int bad = f->is_input ? buf_add(&f->data, text.at, text.len) : pyfilter_push(f->r, f->next, text, false, false);
    if (view.obj)
        PyBuffer_Release(&view);
    if (bad && !PyErr_Occurred())
        PyErr_NoMemory();
    return bad ? NULL : Py_NewRef(Py_None);
}

static PyObject *filter_flush(PyObject *object, PyObject *unused)
{
    struct filter_place *f = filter_live(object);
    (void)unused;
    if (!f || (!f->is_input && pyfilter_push(f->r, f->next, slice_of(NULL, 0), true, false)))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *filter_close(PyObject *object, PyObject *unused)
{
    struct filter_place *f = filter_live(object);
    (void)unused;
    if (!f)
        return NULL;
    f->closed = true;
    if (!f->is_input && pyfilter_push(f->r, f->next, slice_of(NULL, 0), false, true))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *filter_disable(PyObject *object, PyObject *unused)
{
    (void)unused;
    if (filter_of(object)->place)
        filter_of(object)->place->disabled = true;
    Py_RETURN_NONE;
}

/* Hands on what there is, unchanged. */
static PyObject *filter_pass_on(PyObject *object, PyObject *unused)
{
    PyObject *data = filter_read_line(object, -1, false);
    (void)unused;
    if (!data || data == Py_None) {
        Py_XDECREF(data);
        return data ? filter_close(object, NULL) : NULL;
    }
    PyObject *result = filter_write(object, data);
    Py_DECREF(data);
    return result;
}

enum filter_field { FILTER_CLOSED, FILTER_NAME, FILTER_REQ, FILTER_IS_INPUT, FILTER_HANDLER, FILTER_DIR };

static PyObject *filter_get(PyObject *object, void *closure)
{
    const struct filter_place *f = filter_of(object)->place;
    if (!f)
        Py_RETURN_NONE;
    switch ((enum filter_field)(intptr_t)closure) {
    case FILTER_CLOSED: return PyLong_FromLong(f->closed);
    case FILTER_NAME: return pytext_or_none(f->name);
    case FILTER_REQ: return Py_NewRef((PyObject *)filter_of(object)->req);
    case FILTER_IS_INPUT: return PyLong_FromLong(f->is_input);
    case FILTER_HANDLER: return pytext_or_none(f->hook.handler);
    case FILTER_DIR: return pytext_or_none(f->hook.directory);
    }
    Py_UNREACHABLE();
}

#define FILTER_MEMBER(name, field) {name, filter_get, NULL, NULL, (void *)(intptr_t)(field)}
static PyGetSetDef filter_getset[] = {
    FILTER_MEMBER("closed", FILTER_CLOSED), FILTER_MEMBER("name", FILTER_NAME), FILTER_MEMBER("req", FILTER_REQ),
    FILTER_MEMBER("is_input", FILTER_IS_INPUT), FILTER_MEMBER("handler", FILTER_HANDLER), FILTER_MEMBER("dir", FILTER_DIR),
    {NULL, NULL, NULL, NULL, NULL},
};
static PyMemberDef filter_members[] = {
    {"softspace", T_INT, offsetof(struct pyfilter, softspace), 0, NULL}, {NULL, 0, 0, 0, NULL},
};
static PyMethodDef filter_methods[] = {
    {"pass_on", filter_pass_on, METH_NOARGS, "pass_on(): hands on what there is, unchanged. May switch."},
    {"read", filter_read, METH_VARARGS, "read([n]): bytes; b'' for nothing now, None at the end. May switch."},
    {"readline", filter_readline, METH_VARARGS, "readline([n]): a line. May switch."},
    {"write", filter_write, METH_O, "write(data): str (as UTF-8) or bytes for the next filter. May switch."},
    {"flush", filter_flush, METH_NOARGS, "flush(): hands on what was written now. May switch."},
    {"close", filter_close, METH_NOARGS, "close(): the end of what this filter writes. May switch."},
    {"disable", filter_disable, METH_NOARGS, "disable(): takes this filter out of the way."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot filter_slots[] = {
    {Py_tp_doc, "A filter of a request's body or response."},
    {Py_tp_dealloc, filter_dealloc},
    {Py_tp_traverse, filter_traverse},
    {Py_tp_clear, filter_clear},
    {Py_tp_members, filter_members},
    {Py_tp_getset, filter_getset},
    {Py_tp_methods, filter_methods},
    {0, NULL},
};
PyType_Spec pyfilter_spec = {
    .name = "mp_filter", .basicsize = sizeof(struct pyfilter),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, .slots = filter_slots,
};
