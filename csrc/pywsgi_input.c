/* wsgi.input: the request body, bounded by its framing, read when the application reads. The same rules as mod_python's req.read. */
#include <errno.h>

#include "coro.h"
#include "pyclient.h"
#include "pyreq.h"
#include "pywsgi_impl.h"
#include "response.h"

enum { INPUT_READ_BYTES = 65536, INPUT_EXACT_BYTES = 1 << 20 /* more is asked for than may come */ };

struct input {
    PyObject_HEAD
    struct request *request; /* strong; NULL: the shared empty one */
    struct buf kept;         /* read ahead by readline */
};

PyObject *wsgi_input_new(struct wsgi_state *s, struct request *r)
{
    struct input *in = PyObject_New(struct input, s->input_type);
    if (in) {
        in->request = r ? request_ref(r) : NULL;
        in->kept = (struct buf){0};
    }
    return (PyObject *)in;
}

static void input_dealloc(struct input *in)
{
    PyTypeObject *type = Py_TYPE(in);
    request_unref(in->request);
    buf_clear(&in->kept);
    PyObject_Free(in);
    Py_DECREF(type);
}

static int raise_body_error(int error)
{
    if (error == ETIMEDOUT)
        PyErr_SetString(PyExc_TimeoutError, "the request body did not come in time");
    else if (error == ECONNRESET)
        PyErr_SetString(PyExc_ConnectionResetError, "the client went away before the request body was whole");
    else if (error == EFBIG)
        PyErr_SetString(PyExc_OSError, "the request body is larger than LimitRequestBody allows");
    else
        PyErr_SetString(PyExc_OSError, "the request body is malformed");
    pyclient_mark(error);
    return -1;
}

/* At least one byte, or 0 at the end; -1 with an exception. SWITCHES. */
static long input_some(struct input *in, char *to, size_t n)
{
    struct request *r = in->request;
    if (in->kept.len) {
        size_t take = in->kept.len < n ? in->kept.len : n;
        memcpy(to, in->kept.at, take);
        buf_drop(&in->kept, take);
        return (long)take;
    }
    if (!r)
        return 0;
    for (;;) {
        if (r->response == RESPONSE_ENDED) { /* what has not been read is thrown away: it must not look like the end */
            PyErr_SetString(PyExc_OSError, "the request is over, and what was left of its body is gone");
            return -1;
        }
        if (!coro_hub)
            coro_nudge();
        long got = request_body_read(r, to, n);
        if (got >= 0)
            return got;
        if (errno != EAGAIN)
            return raise_body_error(errno);
        if (pyrequest_wait(&r->on_body) < 0)
            return -1;
    }
}

static PyObject *take_bytes(struct buf *b)
{
    PyObject *result = PyBytes_FromStringAndSize(b->at, b->len);
    buf_clear(b);
    return result;
}

/* Straight into what is returned. */
static PyObject *input_read_exactly(struct input *in, Py_ssize_t size)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, size);
    Py_ssize_t have = 0;
    while (bytes && have < size) {
        long got = input_some(in, PyBytes_AS_STRING(bytes) + have, (size_t)(size - have));
        if (got < 0)
            Py_CLEAR(bytes);
        if (got <= 0)
            break;
        have += got;
    }
    if (bytes && have < size)
        _PyBytes_Resize(&bytes, have);
    return bytes;
}

/* How much of size bytes can come at all: applications ask for megabytes of a small form. */
static Py_ssize_t within_body(const struct input *in, Py_ssize_t size)
{
    const struct request *r = in->request;
    if (!r || !r->head.has_length || r->in_filter || r->body_bytes_read > r->head.length)
        return size;
    uint64_t left = r->head.length - r->body_bytes_read + in->kept.len;
    return left && left < (uint64_t)size ? (Py_ssize_t)left : size;
}

static PyObject *input_read_n(struct input *in, Py_ssize_t size)
{
    size = size > 0 ? within_body(in, size) : size;
    if (size > 0 && size <= INPUT_EXACT_BYTES)
        return input_read_exactly(in, size);
    struct buf all = {0};
    while (size < 0 || all.len < (size_t)size) {
        size_t want = size < 0 || (size_t)size - all.len > INPUT_READ_BYTES ? INPUT_READ_BYTES : (size_t)size - all.len;
        char *room = buf_room(&all, want);
        if (!room) {
            buf_clear(&all);
            return PyErr_NoMemory();
        }
        long got = input_some(in, room, want);
        if (got < 0) {
            buf_clear(&all);
            return NULL;
        }
        if (got == 0)
            break;
        all.len += (uint32_t)got;
    }
    return take_bytes(&all);
}

static PyObject *input_read(struct input *in, PyObject *const *args, Py_ssize_t nargs)
{
    Py_ssize_t size = -1;
    if (nargs > 1)
        return PyErr_Format(PyExc_TypeError, "read takes at most 1 argument (%zd given)", nargs);
    if (nargs && args[0] != Py_None) {
        size = PyLong_AsSsize_t(args[0]);
        if (size == -1 && PyErr_Occurred())
            return NULL;
    }
    return input_read_n(in, size);
}

static PyObject *input_line(struct input *in, Py_ssize_t limit)
{
    struct buf line = {0};
    while (limit < 0 || line.len < (size_t)limit) {
        size_t want = limit < 0 || (size_t)limit - line.len > INPUT_READ_BYTES ? INPUT_READ_BYTES : (size_t)limit - line.len;
        char *room = buf_room(&line, want);
        long got = room ? input_some(in, room, want) : (PyErr_NoMemory(), -1);
        if (got < 0) {
            buf_clear(&line);
            return NULL;
        }
        if (got == 0)
            break;
        char *end = memchr(room, '\n', (size_t)got);
        size_t take = end ? (size_t)(end + 1 - room) : (size_t)got;
        line.len += (uint32_t)take;
        if (!end)
            continue;
        struct buf rest = {0};
        if (take < (size_t)got && (buf_add(&rest, end + 1, (size_t)got - take) < 0 || buf_add(&rest, in->kept.at, in->kept.len) < 0)) {
            buf_clear(&rest);
            buf_clear(&line);
            return PyErr_NoMemory();
        }
        if (rest.at) {
            buf_clear(&in->kept);
            in->kept = rest;
        }
        break;
    }
    return take_bytes(&line);
}

static PyObject *input_readline(struct input *in, PyObject *const *args, Py_ssize_t nargs)
{
    Py_ssize_t limit = -1;
    if (nargs && args[0] != Py_None) {
        limit = PyLong_AsSsize_t(args[0]);
        if (limit == -1 && PyErr_Occurred())
            return NULL;
    }
    return input_line(in, limit);
}

static PyObject *input_readlines(struct input *in, PyObject *const *args, Py_ssize_t nargs)
{
    Py_ssize_t hint = nargs && args[0] != Py_None ? PyLong_AsSsize_t(args[0]) : -1, total = 0;
    if (PyErr_Occurred())
        return NULL;
    PyObject *lines = PyList_New(0);
    while (lines) {
        PyObject *line = input_line(in, -1);
        Py_ssize_t len = line ? PyBytes_GET_SIZE(line) : -1;
        if (len < 0 || (len && PyList_Append(lines, line) < 0))
            Py_CLEAR(lines);
        Py_XDECREF(line);
        total += len;
        if (len <= 0 || (hint > 0 && total >= hint))
            break;
    }
    return lines;
}

static PyObject *input_next(struct input *in)
{
    PyObject *line = input_line(in, -1);
    if (line && PyBytes_GET_SIZE(line) == 0)
        Py_CLEAR(line);
    return line;
}

static PyMethodDef input_methods[] = {
    {"read", (PyCFunction)(void (*)(void))input_read, METH_FASTCALL,
     "read(size=-1) -> bytes. Up to size bytes of the body (all when negative), b'' at the end. Raises OSError when the body cannot be read whole. May switch."},
    {"readline", (PyCFunction)(void (*)(void))input_readline, METH_FASTCALL,
     "readline(size=-1) -> bytes. A line with its newline, at most size bytes. May switch."},
    {"readlines", (PyCFunction)(void (*)(void))input_readlines, METH_FASTCALL, "readlines(hint=-1) -> list of bytes. May switch."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot input_slots[] = {{Py_tp_dealloc, input_dealloc}, {Py_tp_methods, input_methods}, {Py_tp_iter, PyObject_SelfIter},
                                    {Py_tp_iternext, input_next}, {Py_tp_doc, "The body of a request (PEP 3333 wsgi.input)."}, {0, NULL}};
PyType_Spec wsgi_input_spec = {"pyhost.Input", sizeof(struct input), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, input_slots};
