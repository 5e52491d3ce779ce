/* One HTTP request as an ASGI application sees it: a Cycle with scope(), receive() and send().
 *
 * receive and send return awaitables that are done already wherever nothing has to be waited for, so that most requests never touch a future.
 * What the hub has to tell a waiting coroutine (more body, room for output, client gone) marks the cycle and wakes the greenlet of the asyncio
 * loop, which collects the marked ones. */
#include "pyasgi.h"

#include <errno.h>
#include <structmember.h>

#include "coro.h"
#include "log.h"
#include "origin.h"
#include "conn.h"
#include "pyphase.h"
#include "pywsgi_impl.h"
#include "response.h"
#include "serve.h"

enum { ASGI_BODY_BYTES = 65536 };

struct cycle {
    PyObject_HEAD
    struct request *request; /* strong */
    struct waker body_waker, drain_waker, gone_waker;
    struct cycle *next_marked; /* borrowed: who goes away takes itself out */
    PyObject *receiver, *sender; /* strong: futures that wait; NULL: none */
    PyObject *rest;          /* strong: bytes that sender still has to write */
    Py_ssize_t rest_at;
    struct asgi_state *state;
    bool marked, started, more_body, complete, received_all, disconnect_told;
};

struct asgi_state { /* of one interpreter */
    PyTypeObject *cycle_type, *done_type;
    PyObject *done_none;   /* an awaitable that gives None at once */
    PyObject *begin;       /* pyhost.gateway.asgi.begin */
    struct cycle *marked;
    struct coro *loop;     /* strong: the greenlet of the asyncio loop, once it runs */
    PyObject *k_type, *k_status, *k_headers, *k_body, *k_more_body, *k_request, *k_disconnect, *k_start, *k_response_body;
};

static struct asgi_state *state_of(PyObject *module) { return PyModule_GetState(module); }

/* ---- awaitables that are done ---- */

struct done { PyObject_HEAD PyObject *value; };

static PyObject *done_new(struct asgi_state *s, PyObject *value)
{
    struct done *d = value ? PyObject_New(struct done, s->done_type) : NULL;
    if (d)
        d->value = value;
    else
        Py_XDECREF(value);
    return (PyObject *)d;
}

static void done_dealloc(struct done *d)
{
    PyTypeObject *type = Py_TYPE(d);
    Py_XDECREF(d->value);
    PyObject_Free(d);
    Py_DECREF(type);
}

static PyObject *done_next(struct done *d)
{
    if (d->value == Py_None)
        return NULL; /* StopIteration without a value is None */
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, d->value);
    if (stop)
        PyErr_SetObject(PyExc_StopIteration, stop);
    Py_XDECREF(stop);
    return NULL;
}

static PySendResult done_send(PyObject *self, PyObject *value, PyObject **result)
{
    (void)value;
    *result = Py_NewRef(((struct done *)self)->value);
    return PYGEN_RETURN;
}

static PyType_Slot done_slots[] = {{Py_tp_dealloc, done_dealloc}, {Py_am_await, PyObject_SelfIter}, {Py_tp_iter, PyObject_SelfIter},
                                   {Py_tp_iternext, done_next}, {Py_am_send, done_send}, {0, NULL}};
static PyType_Spec done_spec = {"pyhost.Done", sizeof(struct done), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, done_slots};

/* ---- from the hub to the loop ---- */

static void mark(struct cycle *c)
{
    if (c->marked)
        return;
    c->marked = true;
    c->next_marked = c->state->marked;
    c->state->marked = c;
    if (c->state->loop)
        coro_wake(c->state->loop);
}

static void on_body(struct waker *w) { mark((struct cycle *)((char *)w - offsetof(struct cycle, body_waker))); }
static void on_drain(struct waker *w) { mark((struct cycle *)((char *)w - offsetof(struct cycle, drain_waker))); }
static void on_gone(struct waker *w) { mark((struct cycle *)((char *)w - offsetof(struct cycle, gone_waker))); }

static void cycle_unhook(struct cycle *c)
{
    struct request *r = c->request;
    if (r->on_body == &c->body_waker)
        r->on_body = NULL;
    if (r->on_drain == &c->drain_waker)
        r->on_drain = NULL;
    if (r->on_gone == &c->gone_waker)
        r->on_gone = NULL;
    if (!c->marked)
        return;
    struct cycle **at = &c->state->marked;
    while (*at && *at != c)
        at = &(*at)->next_marked;
    if (*at)
        *at = c->next_marked;
    c->marked = false;
}

static PyObject *cycle_new(struct asgi_state *s, struct request *r)
{
    struct cycle *c = PyObject_New(struct cycle, s->cycle_type);
    if (!c)
        return NULL;
    memset((char *)c + sizeof(PyObject), 0, sizeof *c - sizeof(PyObject));
    c->request = request_ref(r);
    c->state = s;
    c->body_waker.wake = on_body;
    c->drain_waker.wake = on_drain;
    c->gone_waker.wake = on_gone;
    c->more_body = true;
    r->on_gone = &c->gone_waker;
    return (PyObject *)c;
}

static void cycle_dealloc(struct cycle *c)
{
    PyTypeObject *type = Py_TYPE(c);
    cycle_unhook(c);
    Py_XDECREF(c->receiver);
    Py_XDECREF(c->sender);
    Py_XDECREF(c->rest);
    request_unref(c->request);
    PyObject_Free(c);
    Py_DECREF(type);
}

/* ---- receive ---- */

static PyObject *event_disconnect(struct cycle *c)
{
    c->disconnect_told = true;
    return Py_BuildValue("{OO}", c->state->k_type, c->state->k_disconnect);
}

static PyObject *event_body(struct cycle *c, const char *bytes, size_t len)
{
    PyObject *body = PyBytes_FromStringAndSize(bytes, (Py_ssize_t)len);
    if (!body)
        return NULL;
    return Py_BuildValue("{OOONOO}", c->state->k_type, c->state->k_request, c->state->k_body, body, c->state->k_more_body,
                         c->received_all ? Py_False : Py_True);
}

/* The next event, or NULL: nothing yet (no exception). */
static PyObject *next_event(struct cycle *c)
{
    struct request *r = c->request;
    if (c->received_all)
        return c->complete || !r->conn || r->conn->eof ? event_disconnect(c) : NULL;
    char *room = PyMem_Malloc(ASGI_BODY_BYTES);
    if (!room)
        return PyErr_NoMemory();
    PyObject *event = NULL;
    long n = request_body_read(r, room, ASGI_BODY_BYTES);
    int error = errno;
    if (n >= 0) {
        c->received_all = n == 0 || (r->body == BODY_WHOLE && !r->in.len);
        event = event_body(c, room, (size_t)n);
    } else if (error != EAGAIN) {
        c->received_all = true;
        event = event_disconnect(c);
    }
    PyMem_Free(room);
    return event;
}

static PyObject *cycle_receive(struct cycle *c, PyObject *future_maker)
{
    PyObject *event = next_event(c);
    if (event || PyErr_Occurred())
        return event ? done_new(c->state, event) : NULL;
    c->request->on_body = &c->body_waker;
    PyObject *future = PyObject_CallNoArgs(future_maker);
    Py_XSETREF(c->receiver, Py_XNewRef(future));
    return future;
}

/* ---- send ---- */

static int raise_gone(struct cycle *c)
{
    if (!c->request->conn)
        return 0; /* ASGI: sending after a disconnect is no error */
    if (errno == EPROTO)
        PyErr_SetString(PyExc_ValueError, "a response header has characters that must not be sent");
    else
        PyErr_SetFromErrno(PyExc_OSError);
    return -1;
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
    } else if (table_add(&r->headers_out, key, text) < 0) {
        PyErr_NoMemory();
        result = -1;
    }
    Py_DECREF(seq);
    return result;
}

static PyObject *field(PyObject *message, PyObject *key)
{
    return PyDict_Check(message) ? PyDict_GetItemWithError(message, key) : NULL;
}

static int send_start(struct cycle *c, PyObject *message)
{
    PyObject *status = field(message, c->state->k_status), *headers = field(message, c->state->k_headers);
    long code = status ? PyLong_AsLong(status) : -1;
    if (c->started || code < 200 || code > 999) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_RuntimeError, c->started ? "http.response.start was sent twice" : "http.response.start needs a status from 200 to 999");
        return -1;
    }
    c->started = true;
    c->request->status = (int)code;
    PyObject *iterator = headers ? PyObject_GetIter(headers) : NULL, *pair;
    int failed = headers && !iterator ? -1 : 0;
    while (!failed && iterator && (pair = PyIter_Next(iterator))) {
        failed = set_header(c->request, pair);
        Py_DECREF(pair);
    }
    Py_XDECREF(iterator);
    return failed || PyErr_Occurred() ? -1 : 0;
}

/* 1: written; 0: congested, the rest is kept; -1: exception. */
static int write_rest(struct cycle *c)
{
    struct request *r = c->request;
    while (c->rest && c->rest_at < PyBytes_GET_SIZE(c->rest)) {
        long n = r->conn ? response_write_some(r, PyBytes_AS_STRING(c->rest) + c->rest_at, (size_t)(PyBytes_GET_SIZE(c->rest) - c->rest_at)) : -1;
        if (n < 0) {
            Py_CLEAR(c->rest);
            return r->conn ? raise_gone(c) : 1;
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

static void finish_if_last(struct cycle *c)
{
    if (c->more_body || c->complete)
        return;
    c->complete = true;
    serve_finish(c->request, 0);
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

static int send_body(struct cycle *c, PyObject *message)
{
    PyObject *body = field(message, c->state->k_body), *more = field(message, c->state->k_more_body);
    if (PyErr_Occurred())
        return -1;
    if (!c->started || !c->more_body) {
        PyErr_SetString(PyExc_RuntimeError, c->started ? "the response is over" : "http.response.body came before http.response.start");
        return -1;
    }
    c->more_body = more && PyObject_IsTrue(more);
    if (body && !PyBytes_Check(body)) {
        PyErr_Format(PyExc_TypeError, "the body must be bytes, not %.100s", Py_TYPE(body)->tp_name);
        return -1;
    }
    if (body && !c->more_body && c->request->response == RESPONSE_OPEN && PyBytes_GET_SIZE(body) <= 16384)
        return write_whole(c, body);
    if (c->more_body && (!body || !PyBytes_GET_SIZE(body)))
        return response_flush(c->request) < 0 ? raise_gone(c) < 0 ? -1 : 1 : 1;
    Py_XSETREF(c->rest, Py_XNewRef(body));
    c->rest_at = 0;
    int written = write_rest(c);
    if (written == 1)
        finish_if_last(c);
    return written;
}

static PyObject *cycle_send(struct cycle *c, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 2)
        return PyErr_Format(PyExc_TypeError, "send takes a message and a maker of futures");
    PyObject *type = field(args[0], c->state->k_type);
    int written = 1;
    if (!type) {
        PyErr_SetString(PyExc_TypeError, "a message is a dict with a type");
        return NULL;
    }
    if (PyUnicode_Compare(type, c->state->k_start) == 0)
        written = send_start(c, args[0]) < 0 ? -1 : 1;
    else if (PyUnicode_Compare(type, c->state->k_response_body) == 0)
        written = send_body(c, args[0]);
    else
        return PyErr_Format(PyExc_ValueError, "a message of type %R has no place here", type);
    if (written < 0)
        return NULL;
    if (written)
        return Py_NewRef(c->state->done_none);
    PyObject *future = PyObject_CallNoArgs(args[1]);
    Py_XSETREF(c->sender, Py_XNewRef(future));
    return future;
}

/* ---- the loop's side ---- */

/* (future, value) pairs of what happened to this cycle. */
static int collect_one(struct cycle *c, PyObject *list)
{
    c->request->on_body = c->request->on_body == &c->body_waker ? NULL : c->request->on_body;
    if (c->receiver) {
        PyObject *event = next_event(c);
        if (!event && PyErr_Occurred())
            return -1;
        if (event) {
            PyObject *pair = PyTuple_Pack(2, c->receiver, event);
            Py_CLEAR(c->receiver);
            Py_DECREF(event);
            if (!pair || PyList_Append(list, pair) < 0)
                return -1;
            Py_DECREF(pair);
        } else {
            c->request->on_body = &c->body_waker;
        }
    }
    if (c->sender) {
        int written = write_rest(c);
        if (written < 0)
            PyErr_Clear();
        if (written) {
            finish_if_last(c);
            PyObject *pair = PyTuple_Pack(2, c->sender, Py_None);
            Py_CLEAR(c->sender);
            if (!pair || PyList_Append(list, pair) < 0)
                return -1;
            Py_DECREF(pair);
        }
    }
    return 0;
}

static PyObject *asgi_collect(PyObject *module, PyObject *none)
{
    struct asgi_state *s = state_of(module);
    PyObject *list = PyList_New(0);
    (void)none;
    while (list && s->marked) {
        struct cycle *c = s->marked;
        s->marked = c->next_marked;
        c->marked = false;
        Py_INCREF(c);
        if (collect_one(c, list) < 0)
            Py_CLEAR(list);
        Py_DECREF(c);
    }
    return list;
}

static PyObject *asgi_has_marked(PyObject *module, PyObject *none)
{
    (void)none;
    return PyBool_FromLong(state_of(module)->marked != NULL);
}

static PyObject *asgi_bind(PyObject *module, PyObject *none)
{
    struct asgi_state *s = state_of(module);
    (void)none;
    coro_unref(s->loop);
    s->loop = coro_current() ? coro_ref(coro_current()) : NULL;
    Py_RETURN_NONE;
}

/* The task is over: without a whole response that is a fault. error: what it raised, or None. */
static PyObject *cycle_over(struct cycle *c, PyObject *error)
{
    struct request *r = c->request;
    if (error != Py_None) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        wsgi_log_exception(r, c->started ? "the application raised after the response had begun" : "the application raised");
    } else if (!c->complete && r->conn) {
        log_request(r, LEVEL_ERROR, "asgi", "the application returned without a whole response");
    }
    if (!c->complete) {
        c->complete = true;
        serve_finish(r, 500);
    }
    cycle_unhook(c);
    Py_RETURN_NONE;
}

/* ---- scope ---- */

static PyObject *bytes_of(struct slice s) { return PyBytes_FromStringAndSize(s.at, (Py_ssize_t)s.len); }

static PyObject *lower_bytes(struct slice s)
{
    PyObject *b = PyBytes_FromStringAndSize(s.at, (Py_ssize_t)s.len);
    char *at = b ? PyBytes_AS_STRING(b) : NULL;
    for (size_t i = 0; b && i < s.len; i++)
        if (at[i] >= 'A' && at[i] <= 'Z')
            at[i] = (char)(at[i] + 32);
    return b;
}

static PyObject *scope_headers(struct request *r)
{
    struct table *t = r->headers_in_built ? &r->headers_in : NULL;
    uint32_t count = t ? t->count : r->head.nfields;
    PyObject *list = PyList_New(count);
    for (uint32_t i = 0; list && i < count; i++) {
        const struct http_field *f = &r->fields[i];
        struct slice name = t ? slice_of(t->entries[i].key, t->entries[i].key_len) : slice_of(r->bytes + f->name_at, f->name_len);
        struct slice value = t ? slice_of(t->entries[i].value, t->entries[i].value_len) : slice_of(r->bytes + f->value_at, f->value_len);
        PyObject *pair = PyTuple_New(2), *a = lower_bytes(name), *b = bytes_of(value);
        if (!pair || !a || !b) {
            Py_XDECREF(pair);
            Py_XDECREF(a);
            Py_XDECREF(b);
            Py_CLEAR(list);
            break;
        }
        PyTuple_SET_ITEM(pair, 0, a);
        PyTuple_SET_ITEM(pair, 1, b);
        PyList_SET_ITEM(list, i, pair);
    }
    return list;
}

/* ASGI: root_path is the mount; path is the whole path with it. */
static PyObject *cycle_scope(struct cycle *c, PyObject *none)
{
    struct request *r = c->request;
    const char *mount = r->conf->wsgi_mount ? r->conf->wsgi_mount : r->conf->location ? r->conf->location : "";
    size_t mount_len = strlen(mount);
    char address[64];
    (void)none;
    while (mount_len && mount[mount_len - 1] == '/')
        mount_len--;
    origin_client_text(r, address);
    struct slice raw = request_span(r, r->head.path);
    PyObject *path = PyUnicode_DecodeUTF8(r->uri, (Py_ssize_t)strlen(r->uri), "replace"), *headers = scope_headers(r);
    if (!path || !headers)
        return NULL;
    return Py_BuildValue("{s:s,s:{s:s,s:s},s:s,s:s,s:s,s:N,s:N,s:N,s:N,s:N,s:(si),s:(si)}", "type", "http", "asgi", "version", "3.0", "spec_version", "2.4",
                         "http_version", r->head.minor ? "1.1" : "1.0", "method", r->header_only ? "HEAD" : r->method, "scheme", origin_scheme(r),
                         "path", path, "raw_path", bytes_of(raw), "query_string", bytes_of(slice_text(r->args)), "root_path",
                         wsgi_text(slice_of(mount, mount_len)), "headers", headers, "client", address, r->peer.port, "server", origin_host(r),
                         origin_port(r));
}

static PyMethodDef cycle_methods[] = {
    {"scope", (PyCFunction)cycle_scope, METH_NOARGS, "scope() -> dict. The http scope of ASGI 3."},
    {"receive", (PyCFunction)cycle_receive, METH_O, "receive(future_maker) -> awaitable of the next event."},
    {"send", (PyCFunction)(void (*)(void))cycle_send, METH_FASTCALL, "send(message, future_maker) -> awaitable, done when there is room for more."},
    {"over", (PyCFunction)cycle_over, METH_O, "over(error). The application's task has ended."},
    {NULL, NULL, 0, NULL}};
static PyType_Slot cycle_slots[] = {{Py_tp_dealloc, cycle_dealloc}, {Py_tp_methods, cycle_methods}, {0, NULL}};
static PyType_Spec cycle_spec = {"pyhost.Cycle", sizeof(struct cycle), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, cycle_slots};

/* ---- module ---- */

static int asgi_exec(PyObject *module)
{
    struct asgi_state *s = state_of(module);
    s->cycle_type = (PyTypeObject *)PyType_FromSpec(&cycle_spec);
    s->done_type = (PyTypeObject *)PyType_FromSpec(&done_spec);
    s->done_none = s->done_type ? done_new(s, Py_NewRef(Py_None)) : NULL;
    s->k_type = PyUnicode_InternFromString("type");
    s->k_status = PyUnicode_InternFromString("status");
    s->k_headers = PyUnicode_InternFromString("headers");
    s->k_body = PyUnicode_InternFromString("body");
    s->k_more_body = PyUnicode_InternFromString("more_body");
    s->k_request = PyUnicode_InternFromString("http.request");
    s->k_disconnect = PyUnicode_InternFromString("http.disconnect");
    s->k_start = PyUnicode_InternFromString("http.response.start");
    s->k_response_body = PyUnicode_InternFromString("http.response.body");
    return s->cycle_type && s->done_none && s->k_response_body ? 0 : -1;
}

static PyMethodDef asgi_functions[] = {
    {"collect", asgi_collect, METH_NOARGS, "collect() -> list of (future, value). What has happened since the last call."},
    {"bind", asgi_bind, METH_NOARGS, "bind(). The running greenlet is the loop's: it is woken when something happens."},
    {"has_marked", asgi_has_marked, METH_NOARGS, "has_marked() -> bool. Would collect() give something?"},
    {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot asgi_module_slots[] = {{Py_mod_exec, asgi_exec}, {0, NULL}};
static PyModuleDef asgi_module = {PyModuleDef_HEAD_INIT, "_asgi", "The C half of pyhost.gateway.asgi.", sizeof(struct asgi_state), asgi_functions,
                                  asgi_module_slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__asgi(void) { return PyModuleDef_Init(&asgi_module); }

static struct asgi_state *asgi_state(void)
{
    PyObject *module = PyImport_ImportModule("_asgi");
    struct asgi_state *s = module ? state_of(module) : NULL;
    if (s && !s->begin) {
        PyObject *gateway = PyImport_ImportModule("pyhost.gateway.asgi");
        s->begin = gateway ? PyObject_GetAttrString(gateway, "begin") : NULL;
        Py_XDECREF(gateway);
    }
    Py_XDECREF(module); /* sys.modules keeps it */
    return s && s->begin ? s : NULL;
}

int pyasgi_run(struct request *r)
{
    struct asgi_state *s = asgi_state();
    PyObject *cycle = s && r->conf->wsgi_application ? cycle_new(s, r) : NULL, *result = NULL;
    if (cycle)
        result = PyObject_CallFunction(s->begin, "sO", r->conf->wsgi_application, cycle);
    Py_XDECREF(cycle);
    if (result) {
        Py_DECREF(result);
        return PY_LATER;
    }
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_LookupError, "SetHandler asgi needs PyWSGIApplication");
    wsgi_log_exception(r, "the ASGI application cannot be started");
    return 500;
}
