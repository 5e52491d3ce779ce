/* start_response and write(), early hints, and the file wrapper. */
#include <Python.h>
#include <errno.h>
#include <structmember.h>

#include "coro.h"
#include "log.h"
#include "pyreq.h"
#include "pywsgi_impl.h"
#include "response.h"

/* ---- writing ---- */

static int raise_write_error(int error)
{
    if (error == EPIPE)
        PyErr_SetString(PyExc_BrokenPipeError, "the client went away");
    else if (error == EPROTO)
        PyErr_SetString(PyExc_ValueError, "a response header has characters that must not be sent");
    else if (error == ENOMEM)
        PyErr_NoMemory();
    else
        PyErr_SetString(PyExc_OSError, "the response is over");
    return -1;
}

int wsgi_write(struct request *r, const char *data, size_t n)
{
    if (n == 0)
        return response_flush(r) < 0 ? raise_write_error(errno) : 0;
    while (n) {
        if (!coro_hub)
            coro_nudge();
        long taken = response_write_some(r, data, n);
        if (taken < 0)
            return raise_write_error(errno);
        data += taken;
        n -= (size_t)taken;
        if (taken == 0 && pyrequest_wait(&r->on_drain) < 0)
            return -1;
    }
    return 0;
}

static PyObject *start_write(struct start *self, PyObject *data)
{
    if (!PyBytes_Check(data))
        return PyErr_Format(PyExc_TypeError, "write() needs bytes, not %.100s", Py_TYPE(data)->tp_name);
    if (wsgi_write(self->request, PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data)) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* ---- start_response ---- */

/* The latin-1 bytes of a native string, borrowed from it. */
static int latin1(PyObject *text, struct slice *out, const char *what)
{
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "%s must be str, not %.100s", what, Py_TYPE(text)->tp_name);
        return -1;
    }
    if (PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND) {
        PyErr_Format(PyExc_ValueError, "%s has characters outside latin-1: %R", what, text);
        return -1;
    }
    *out = slice_of((const char *)PyUnicode_1BYTE_DATA(text), (size_t)PyUnicode_GET_LENGTH(text));
    return 0;
}

static int set_status(struct start *self, PyObject *text)
{
    struct slice s;
    if (latin1(text, &s, "the status") < 0)
        return -1;
    struct request *r = self->request;
    if (slice_is(s, "200 OK", 6)) {
        r->status = 200;
        r->status_line = NULL;
        return 0;
    }
    bool number = s.len >= 3 && s.at[0] >= '1' && s.at[0] <= '9' && s.at[1] >= '0' && s.at[1] <= '9' && s.at[2] >= '0' && s.at[2] <= '9' &&
                  (s.len == 3 || s.at[3] == ' ');
    if (!number || !http_is_value(s)) {
        PyErr_Format(PyExc_ValueError, "the status must be like '200 OK', not %R", text);
        return -1;
    }
    r->status = (s.at[0] - '0') * 100 + (s.at[1] - '0') * 10 + s.at[2] - '0';
    const char *standard = response_reason(r->status);
    r->status_line = s.len > 4 && !slice_is(slice_of(s.at + 4, s.len - 4), standard, strlen(standard)) ? request_strdup(r, s) : NULL;
    return 0;
}

static int is_hop_by_hop(struct slice name)
{
    return slice_eq_nocase(name, SLICE("Connection")) || slice_eq_nocase(name, SLICE("Keep-Alive")) ||
           slice_eq_nocase(name, SLICE("Transfer-Encoding")) || slice_eq_nocase(name, SLICE("Upgrade")) ||
           slice_eq_nocase(name, SLICE("Proxy-Authenticate")) || slice_eq_nocase(name, SLICE("Proxy-Authorization")) ||
           slice_eq_nocase(name, SLICE("TE")) || slice_eq_nocase(name, SLICE("Trailer"));
}

static int set_length(struct request *r, struct slice value)
{
    int64_t n = 0;
    value = slice_trim(value);
    for (size_t i = 0; i < value.len && n >= 0; i++)
        n = value.at[i] >= '0' && value.at[i] <= '9' && n < INT64_MAX / 10 - 10 ? n * 10 + (value.at[i] - '0') : -1;
    if (n < 0 || !value.len) {
        PyErr_SetString(PyExc_ValueError, "Content-Length is not a number");
        return -1;
    }
    if (r->clength >= 0 && r->clength != n) {
        PyErr_SetString(PyExc_ValueError, "there are two different Content-Length headers");
        return -1;
    }
    r->clength = n;
    return 0;
}

static int set_header(struct request *r, PyObject *pair)
{
    struct slice name, value;
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_Format(PyExc_TypeError, "response headers must be tuples (name, value), not %R", pair);
        return -1;
    }
    if (latin1(PyTuple_GET_ITEM(pair, 0), &name, "a header name") < 0 || latin1(PyTuple_GET_ITEM(pair, 1), &value, "a header value") < 0)
        return -1;
    if (name.len == 14 && slice_eq_nocase(name, SLICE("Content-Length")))
        return set_length(r, value);
    bool is_type = name.len == 12 && slice_eq_nocase(name, SLICE("Content-Type"));
    if ((!is_type && !http_is_token(name)) || !http_is_value(value)) {
        PyErr_Format(PyExc_ValueError, "the header %R must not be sent", pair);
        return -1;
    }
    if (is_type) {
        r->content_type = request_strdup(r, value);
        return 0;
    }
    if (is_hop_by_hop(name)) {
        if (slice_eq_nocase(name, SLICE("Connection"))) {
            r->close_after |= slice_eq_nocase(value, SLICE("close")); /* the one wish frameworks do utter */
            return 0;
        }
        PyErr_Format(PyExc_ValueError, "%R is a hop-by-hop header; it belongs to the server (PEP 3333)", PyTuple_GET_ITEM(pair, 0));
        return -1;
    }
    return table_add(&r->headers_out, name, value) < 0 ? (PyErr_NoMemory(), -1) : 0;
}

static int set_headers(struct request *r, PyObject *headers)
{
    if (!PyList_Check(headers)) {
        PyErr_Format(PyExc_TypeError, "response headers must be a list, not %.100s", Py_TYPE(headers)->tp_name);
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); i++)
        if (set_header(r, PyList_GET_ITEM(headers, i)) < 0)
            return -1;
    return 0;
}

/* PEP 3333: a second call needs exc_info, and raises it when the head is out. */
static int start_again(struct start *self, PyObject *exc_info)
{
    struct request *r = self->request;
    if (!exc_info || exc_info == Py_None) {
        if (!self->called)
            return 0;
        PyErr_SetString(PyExc_AssertionError, "start_response() was called twice without exc_info");
        return -1;
    }
    if (!PyTuple_Check(exc_info) || PyTuple_GET_SIZE(exc_info) != 3) {
        PyErr_SetString(PyExc_TypeError, "exc_info must be a tuple of three");
        return -1;
    }
    if (r->response != RESPONSE_OPEN) {
        PyObject *value = PyTuple_GET_ITEM(exc_info, 1);
        PyErr_SetObject((PyObject *)Py_TYPE(value), value);
        return -1;
    }
    response_reset(r);
    return 0;
}

/* What it returns is itself: called with one argument it is the write() of PEP 3333. */
static PyObject *start_call(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *names)
{
    struct start *self = (struct start *)callable;
    Py_ssize_t nargs = PyVectorcall_NARGS(nargsf), named = names ? PyTuple_GET_SIZE(names) : 0;
    if (nargs == 1 && !named && self->called)
        return start_write(self, args[0]);
    PyObject *exc_info = nargs > 2 ? args[2] : NULL;
    if (named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "exc_info") == 0)
        exc_info = args[nargs];
    else if (named)
        return PyErr_Format(PyExc_TypeError, "start_response(status, headers, exc_info=None) has no other keywords");
    if (nargs < 2 || nargs > 3)
        return PyErr_Format(PyExc_TypeError, "start_response(status, headers, exc_info=None) takes 2 or 3 arguments (%zd given)", nargs);
    if (start_again(self, exc_info) < 0)
        return NULL;
    if (set_status(self, args[0]) < 0 || set_headers(self->request, args[1]) < 0) {
        response_reset(self->request); /* the application may try again */
        return NULL;
    }
    self->called = true;
    return Py_NewRef(callable);
}

PyObject *wsgi_start_new(struct wsgi_state *s, struct request *r)
{
    struct start *self = s->starts;
    if (self) {
        s->starts = self->next;
        s->start_count--;
    } else {
        self = PyObject_New(struct start, s->start_type);
    }
    if (self) {
        self->vectorcall = start_call;
        self->request = request_ref(r);
        self->called = false;
    }
    return (PyObject *)self;
}

void wsgi_start_done(struct wsgi_state *s, PyObject *start)
{
    struct start *self = (struct start *)start;
    if (!start || s->start_count == KEPT_CALLS || Py_REFCNT(start) > 1) {
        Py_XDECREF(start);
        return;
    }
    request_unref(self->request);
    self->request = NULL;
    self->next = s->starts;
    s->starts = self;
    s->start_count++;
}

static void start_dealloc(struct start *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (self->request)
        request_unref(self->request);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef start_methods[] = {
    {"write", (PyCFunction)start_write, METH_O, "write(data: bytes). Sends data, within milliseconds (PEP 3333). Raises OSError when the client is gone. May switch."},
    {NULL, NULL, 0, NULL}};
static PyMemberDef start_members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(struct start, vectorcall), READONLY, NULL}, {NULL, 0, 0, 0, NULL}};
static PyType_Slot start_slots[] = {{Py_tp_dealloc, start_dealloc}, {Py_tp_methods, start_methods}, {Py_tp_members, start_members},
                                    {Py_tp_call, PyVectorcall_Call}, {Py_tp_doc, "start_response of PEP 3333."}, {0, NULL}};
PyType_Spec wsgi_start_spec = {"pyhost.StartResponse", sizeof(struct start), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION, start_slots};

/* ---- early hints ---- */

struct hints {
    PyObject_HEAD
};

PyObject *wsgi_hints_new(struct wsgi_state *s) { return (PyObject *)PyObject_New(struct hints, s->hints_type); }

static void hints_dealloc(struct hints *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *hints_call(struct hints *self, PyObject *args, PyObject *kwargs)
{
    PyObject *headers, *item;
    struct table fields = {0};
    struct coro *me = coro_current();
    (void)kwargs;
    (void)self;
    if (!PyArg_ParseTuple(args, "O:early_hints", &headers))
        return NULL;
    if (!me || !coro_job(me)) {
        PyErr_SetString(PyExc_RuntimeError, "early hints can be sent from the handler of a request only");
        return NULL;
    }
    PyObject *pairs = PySequence_Fast(headers, "early_hints needs a list of (name, value)");
    for (Py_ssize_t i = 0; pairs && i < PySequence_Fast_GET_SIZE(pairs); i++) {
        struct slice name, value;
        item = PySequence_Fast_GET_ITEM(pairs, i);
        if (!PyTuple_Check(item) || PyTuple_GET_SIZE(item) != 2 || latin1(PyTuple_GET_ITEM(item, 0), &name, "a header name") < 0 ||
            latin1(PyTuple_GET_ITEM(item, 1), &value, "a header value") < 0 || table_add(&fields, name, value) < 0) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "early_hints needs a list of (name, value)");
            Py_CLEAR(pairs);
        }
    }
    if (pairs)
        response_interim((struct request *)coro_job(me), 103, &fields);
    table_clear(&fields);
    if (!pairs)
        return NULL;
    Py_DECREF(pairs);
    Py_RETURN_NONE;
}

static PyType_Slot hints_slots[] = {{Py_tp_dealloc, hints_dealloc}, {Py_tp_call, hints_call},
                                    {Py_tp_doc, "early_hints([(name, value), ...]): sends 103 Early Hints (RFC 8297) at once."}, {0, NULL}};
PyType_Spec wsgi_hints_spec = {"pyhost.EarlyHints", sizeof(struct hints), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, hints_slots};

/* ---- wsgi.file_wrapper ---- */

struct wrapper {
    PyObject_HEAD
    PyObject *file; /* strong */
    Py_ssize_t block;
};

static PyObject *wrapper_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *file;
    Py_ssize_t block = 65536;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "O|n:FileWrapper", &file, &block))
        return NULL;
    struct wrapper *self = (struct wrapper *)type->tp_alloc(type, 0);
    if (self) {
        self->file = Py_NewRef(file);
        self->block = block > 0 ? block : 65536;
    }
    return (PyObject *)self;
}

static void wrapper_dealloc(struct wrapper *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(self->file);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *wrapper_next(struct wrapper *self)
{
    PyObject *data = PyObject_CallMethod(self->file, "read", "n", self->block);
    if (data && PyObject_IsTrue(data) == 0)
        Py_CLEAR(data);
    return data;
}

static PyObject *wrapper_close(struct wrapper *self, PyObject *none)
{
    (void)none;
    PyObject *close = PyObject_GetAttrString(self->file, "close");
    if (!close) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    PyObject *result = PyObject_CallNoArgs(close);
    Py_DECREF(close);
    return result;
}

int wsgi_wrapper_fd(struct wsgi_state *s, PyObject *wrapper, int64_t *offset)
{
    if (Py_TYPE(wrapper) != s->wrapper_type)
        return -1;
    PyObject *file = ((struct wrapper *)wrapper)->file;
    PyObject *fd = PyObject_CallMethodNoArgs(file, s->fileno), *at = fd ? PyObject_CallMethodNoArgs(file, s->tell) : NULL;
    long number = fd && PyLong_Check(fd) ? PyLong_AsLong(fd) : -1;
    *offset = at && PyLong_Check(at) ? PyLong_AsLongLong(at) : -1;
    Py_XDECREF(fd);
    Py_XDECREF(at);
    PyErr_Clear(); /* not a real file: it is iterated */
    return *offset < 0 ? -1 : (int)number;
}

static PyMethodDef wrapper_methods[] = {{"close", (PyCFunction)wrapper_close, METH_NOARGS, "Closes the file."}, {NULL, NULL, 0, NULL}};
static PyType_Slot wrapper_slots[] = {{Py_tp_new, wrapper_new}, {Py_tp_dealloc, wrapper_dealloc}, {Py_tp_methods, wrapper_methods},
                                      {Py_tp_iter, PyObject_SelfIter}, {Py_tp_iternext, wrapper_next},
                                      {Py_tp_doc, "FileWrapper(file, block_size=65536): an iterable that the kernel sends when file is a real one."}, {0, NULL}};
PyType_Spec wsgi_wrapper_spec = {"pyhost.FileWrapper", sizeof(struct wrapper), 0, Py_TPFLAGS_DEFAULT, wrapper_slots};
