/* send() of an HTTP scope: the head of the response, its body, and what waits for room. */
#include "pyasgi_impl.h"

#include <errno.h>

#include "pyasgi_limit.h"
#include "response.h"

static int raise_gone(struct cycle *c)
{
    if (!c->request->conn)
        PyErr_SetString(PyExc_BrokenPipeError, "the client has gone"); /* ASGI 2.4: an OSError */
    else if (errno == EPROTO)
        PyErr_SetString(PyExc_ValueError, "a response header has characters that must not be sent");
    else {
        c->unsent = errno == EPIPE || errno == ECONNRESET;
        PyErr_SetFromErrno(PyExc_OSError);
    }
    return -1;
}

static bool is_hop_by_hop(struct slice name)
{
    static const char *const names[] = {"keep-alive", "transfer-encoding", "upgrade", "proxy-authenticate", "proxy-authorization", "te", "trailer"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_eq_nocase(name, slice_text(names[i])))
            return true;
    return false;
}

static int set_header(struct request *r, PyObject *pair)
{
    char *name, *value;
    Py_ssize_t name_len, value_len;
    PyObject *seq = PySequence_Fast(pair, "headers must be pairs of bytes");
    if (!seq || PySequence_Fast_GET_SIZE(seq) != 2 || PyBytes_AsStringAndSize(PySequence_Fast_GET_ITEM(seq, 0), &name, &name_len) < 0 ||
        PyBytes_AsStringAndSize(PySequence_Fast_GET_ITEM(seq, 1), &value, &value_len) < 0) {
        Py_XDECREF(seq);
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "headers must be pairs of bytes");
        return -1;
    }
    struct slice key = slice_of(name, (size_t)name_len), text = slice_of(value, (size_t)value_len);
    int result = 0;
    if (!http_is_token(key) || !http_is_value(text)) {
        PyErr_Format(PyExc_ValueError, "the header %R must not be sent", pair);
        result = -1;
    } else if (slice_eq_nocase(key, SLICE("content-type"))) {
        r->content_type = request_strdup(r, text);
    } else if (is_hop_by_hop(key)) {
        result = 0; /* ASGI: framing is the server's business */
    } else if (table_add(&r->headers_out, key, text) < 0) {
        PyErr_NoMemory();
        result = -1;
    }
    Py_DECREF(seq);
    return result;
}

int asgi_set_headers(struct request *r, PyObject *headers)
{
    PyObject *iterator = PyObject_GetIter(headers), *pair;
    int failed = iterator ? 0 : -1;
    while (!failed && (pair = PyIter_Next(iterator))) {
        failed = set_header(r, pair);
        Py_DECREF(pair);
    }
    Py_XDECREF(iterator);
    return failed || PyErr_Occurred() ? -1 : 0;
}

PyObject *asgi_field(PyObject *message, PyObject *key)
{
    return PyDict_Check(message) ? PyDict_GetItemWithError(message, key) : NULL;
}

static int send_start(struct cycle *c, PyObject *message)
{
    PyObject *status = asgi_field(message, c->state->keys[ASGI_STATUS]), *headers = asgi_field(message, c->state->keys[ASGI_HEADERS]);
    long code = status ? PyLong_AsLong(status) : -1;
    if (c->started || code < 200 || code > 999) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_RuntimeError, c->started ? "http.response.start was sent twice" : "http.response.start needs a status from 200 to 999");
        return -1;
    }
    c->started = true;
    c->request->status = (int)code;
    return headers ? asgi_set_headers(c->request, headers) : 0;
}

/* 1: written; 0: congested, the rest is kept; -1: exception. */
static int write_rest(struct cycle *c)
{
    struct request *r = c->request;
    while (c->rest && c->rest_at < PyBytes_GET_SIZE(c->rest)) {
        long n = r->conn ? response_write_some(r, PyBytes_AS_STRING(c->rest) + c->rest_at, (size_t)(PyBytes_GET_SIZE(c->rest) - c->rest_at)) : -1;
        if (n < 0) {
            Py_CLEAR(c->rest);
            return raise_gone(c);
        }
        if (n == 0) {
            r->on_drain = &c->drain_waker;
            return 0;
        }
        c->rest_at += n;
    }
    Py_CLEAR(c->rest);
    return 1;
}

/* Behind what a send() that was cancelled, or another task's, has left. */
static int add_rest(struct cycle *c, PyObject *body)
{
    PyObject *left = c->rest ? PyBytes_FromStringAndSize(PyBytes_AS_STRING(c->rest) + c->rest_at, PyBytes_GET_SIZE(c->rest) - c->rest_at) : NULL;
    if (c->rest && !left)
        return -1;
    if (left && body)
        PyBytes_Concat(&left, body);
    Py_XSETREF(c->rest, left ? left : PyErr_Occurred() ? NULL : Py_XNewRef(body));
    c->rest_at = 0;
    return PyErr_Occurred() ? -1 : 0;
}

static void finish_if_last(struct cycle *c)
{
    if (c->more_body || c->complete)
        return;
    asgi_cycle_finish(c, 0);
}

/* All of it in one message and not much: one write with the head. */
static int write_whole(struct cycle *c, PyObject *body)
{
    struct request *r = c->request;
    if (response_write(r, PyBytes_AS_STRING(body), (size_t)PyBytes_GET_SIZE(body)) < 0)
        return raise_gone(c);
    finish_if_last(c);
    return 1;
}

static int send_bytes(struct cycle *c, PyObject *body)
{
    if (body && !c->more_body && c->request->response == RESPONSE_OPEN && PyBytes_GET_SIZE(body) <= 16384)
        return write_whole(c, body);
    if (c->more_body && (!body || !PyBytes_GET_SIZE(body)))
        return response_flush(c->request) < 0 ? raise_gone(c) : 1;
    if (add_rest(c, body) < 0)
        return -1;
    int written = write_rest(c);
    if (written == 1)
        finish_if_last(c);
    return written;
}

static int send_body(struct cycle *c, PyObject *message)
{
    PyObject *body = asgi_field(message, c->state->keys[ASGI_BODY]), *more = asgi_field(message, c->state->keys[ASGI_MORE_BODY]);
    if (PyErr_Occurred())
        return -1;
    if (!c->started || !c->more_body) {
        PyErr_SetString(PyExc_RuntimeError, c->started ? "the response is over" : "http.response.body came before http.response.start");
        return -1;
    }
    c->more_body = more && PyObject_IsTrue(more);
    if (!body || body == Py_None || PyBytes_CheckExact(body))
        return send_bytes(c, body == Py_None ? NULL : body);
    PyObject *bytes = PyObject_CheckBuffer(body) ? PyBytes_FromObject(body) : NULL;
    if (!bytes && !PyErr_Occurred())
        PyErr_Format(PyExc_TypeError, "the body must be bytes, not %.100s", Py_TYPE(body)->tp_name);
    int written = bytes ? send_bytes(c, bytes) : -1;
    Py_XDECREF(bytes);
    return written;
}

static int send_path(struct cycle *c, PyObject *message)
{
    if (!c->started || !c->more_body || c->rest) {
        PyErr_SetString(PyExc_RuntimeError, !c->started ? "http.response.pathsend came before http.response.start" : "the response is over, or on its way");
        return -1;
    }
    if (asgi_send_path(c, message) < 0)
        return PyErr_Occurred() ? -1 : raise_gone(c);
    c->more_body = false;
    finish_if_last(c);
    return 1;
}

static bool is_text(PyObject *text, PyObject *key) { return text == key || (PyUnicode_Check(text) && PyUnicode_Compare(text, key) == 0); }

PyObject *asgi_send(struct cycle *c, PyObject *message)
{
    PyObject *const *k = c->state->keys, *type = asgi_field(message, k[ASGI_TYPE]);
    int written = 1;
    if (asgi_limit_raise(c) < 0)
        return NULL;
    if (!type) {
        PyErr_SetString(PyExc_TypeError, "a message is a dict with a type");
        return NULL;
    }
    if (is_text(type, k[ASGI_START]))
        written = send_start(c, message) < 0 ? -1 : 1;
    else if (is_text(type, k[ASGI_RESPONSE_BODY]))
        written = send_body(c, message);
    else if (is_text(type, k[ASGI_PATHSEND]))
        written = send_path(c, message);
    else if (is_text(type, k[ASGI_EARLY_HINT]))
        written = asgi_send_hint(c, message) < 0 ? -1 : 1;
    else
        return PyErr_Format(PyExc_ValueError, "a message of type %R has no place here", type);
    if (written < 0)
        return NULL;
    if (written)
        return Py_NewRef(c->state->done_none);
    return asgi_future_wait(c->state, &c->sender);
}

int asgi_send_collect(struct cycle *c)
{
    int written = write_rest(c);
    if (!written)
        return 0;
    if (written < 0)
        return asgi_future_refuse(c->state, &c->sender);
    finish_if_last(c);
    return asgi_future_resolve(c->state, &c->sender, Py_None);
}

