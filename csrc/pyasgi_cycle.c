/* One HTTP request as an ASGI application sees it: a Cycle with receive() and send().
 *
 * receive and send return awaitables that are done already wherever nothing has to be waited for, so that most requests never touch a future.
 * What the hub has to tell a waiting coroutine (more body, room for output, client gone) marks the cycle and wakes the greenlet of the asyncio
 * loop, which collects the marked ones. */
#include "pyasgi_impl.h"

#include <errno.h>

#include "conn.h"
#include "gate_ws.h"
#include "log.h"
#include "pyapp.h"
#include "pyasgi_ws.h"
#include "pyclient.h"
#include "response.h"
#include "serve.h"

/* ---- awaitables that are done ---- */

struct done { PyObject_HEAD PyObject *value; };

PyObject *asgi_done_new(struct asgi_state *s, PyObject *value)
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
PyType_Spec asgi_done_spec = {"pyhost.Done", sizeof(struct done), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, done_slots};

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
    asgi_ws_unhook(c);
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

PyObject *asgi_cycle_new(struct asgi_state *s, struct request *r)
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
    Py_XDECREF(c->app);
    Py_XDECREF(c->app_state);
    Py_XDECREF(c->receiver);
    Py_XDECREF(c->sender);
    Py_XDECREF(c->task);
    Py_XDECREF(c->rest);
    websocket_unref(c->ws);
    request_unref(c->request);
    PyObject_Free(c);
    Py_DECREF(type);
}

/* ---- receive ---- */

static PyObject *event_disconnect(struct cycle *c)
{
    return Py_BuildValue("{OO}", c->state->keys[ASGI_TYPE], c->state->keys[ASGI_DISCONNECT]);
}

static PyObject *event_body(struct cycle *c, const char *bytes, size_t len)
{
    PyObject *body = PyBytes_FromStringAndSize(bytes, (Py_ssize_t)len);
    if (!body)
        return NULL;
    PyObject *const *k = c->state->keys;
    return Py_BuildValue("{OOONOO}", k[ASGI_TYPE], k[ASGI_REQUEST], k[ASGI_BODY], body, k[ASGI_MORE_BODY], c->received_all ? Py_False : Py_True);
}

/* The next event, or NULL: nothing yet (no exception). */
static PyObject *next_event(struct cycle *c)
{
    struct request *r = c->request;
    if (c->received_all)
        return c->complete || !r->conn || r->conn->eof ? event_disconnect(c) : NULL;
    if (r->body == BODY_WHOLE && !r->in.len && !r->in_filter) {
        c->received_all = true;
        return event_body(c, "", 0);
    }
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

static PyObject *make_future(struct asgi_state *s)
{
    if (s->make_future)
        return PyObject_CallNoArgs(s->make_future);
    PyErr_SetString(PyExc_RuntimeError, "the asyncio loop does not run");
    return NULL;
}

/* 1: whoever waited has been cancelled; -1: exception. */
static int is_done(struct asgi_state *s, PyObject *future)
{
    PyObject *done = PyObject_CallMethodNoArgs(future, s->keys[ASGI_DONE]);
    int result = done ? PyObject_IsTrue(done) : -1;
    Py_XDECREF(done);
    return result;
}

/* The future that is waited for already, or a new one. */
static PyObject *waiting_future(struct asgi_state *s, PyObject **at)
{
    int done = *at ? is_done(s, *at) : 1;
    if (done == 1)
        Py_XSETREF(*at, make_future(s));
    return done < 0 ? NULL : Py_XNewRef(*at);
}

static PyObject *cycle_receive(struct cycle *c, PyObject *none)
{
    (void)none;
    PyObject *event = next_event(c);
    if (event || PyErr_Occurred())
        return event ? asgi_done_new(c->state, event) : NULL;
    c->request->on_body = &c->body_waker;
    return waiting_future(c->state, &c->receiver);
}

/* ---- send ---- */

static int raise_gone(struct cycle *c)
{
    if (!c->request->conn)
        PyErr_SetString(PyExc_BrokenPipeError, "the client has gone"); /* ASGI 2.4: an OSError */
    else if (errno == EPROTO)
        PyErr_SetString(PyExc_ValueError, "a response header has characters that must not be sent");
    else
        PyErr_SetFromErrno(PyExc_OSError);
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

static PyObject *field(PyObject *message, PyObject *key)
{
    return PyDict_Check(message) ? PyDict_GetItemWithError(message, key) : NULL;
}

static int send_start(struct cycle *c, PyObject *message)
{
    PyObject *status = field(message, c->state->keys[ASGI_STATUS]), *headers = field(message, c->state->keys[ASGI_HEADERS]);
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
    PyObject *body = field(message, c->state->keys[ASGI_BODY]), *more = field(message, c->state->keys[ASGI_MORE_BODY]);
    if (PyErr_Occurred())
        return -1;
    if (!c->started || !c->more_body) {
        PyErr_SetString(PyExc_RuntimeError, c->started ? "the response is over" : "http.response.body came before http.response.start");
        return -1;
    }
    c->more_body = more && PyObject_IsTrue(more);
    if (!body || PyBytes_CheckExact(body))
        return send_bytes(c, body);
    PyObject *bytes = PyObject_CheckBuffer(body) ? PyBytes_FromObject(body) : NULL;
    if (!bytes && !PyErr_Occurred())
        PyErr_Format(PyExc_TypeError, "the body must be bytes, not %.100s", Py_TYPE(body)->tp_name);
    int written = bytes ? send_bytes(c, bytes) : -1;
    Py_XDECREF(bytes);
    return written;
}

static bool is_text(PyObject *text, PyObject *key) { return text == key || (PyUnicode_Check(text) && PyUnicode_Compare(text, key) == 0); }

static PyObject *cycle_send(struct cycle *c, PyObject *message)
{
    PyObject *const *k = c->state->keys, *type = field(message, k[ASGI_TYPE]);
    int written = 1;
    if (!type) {
        PyErr_SetString(PyExc_TypeError, "a message is a dict with a type");
        return NULL;
    }
    if (is_text(type, k[ASGI_START]))
        written = send_start(c, message) < 0 ? -1 : 1;
    else if (is_text(type, k[ASGI_RESPONSE_BODY]))
        written = send_body(c, message);
    else
        return PyErr_Format(PyExc_ValueError, "a message of type %R has no place here", type);
    if (written < 0)
        return NULL;
    if (written)
        return Py_NewRef(c->state->done_none);
    return waiting_future(c->state, &c->sender);
}

/* ---- the loop's side ---- */

static int resolve(struct asgi_state *s, PyObject **future, PyObject *value)
{
    PyObject *waiting = *future, *set = NULL;
    *future = NULL;
    int done = is_done(s, waiting);
    if (!done)
        set = PyObject_CallMethodOneArg(waiting, s->keys[ASGI_SET_RESULT], value);
    int result = done < 0 || (!done && !set) ? -1 : 0;
    Py_XDECREF(set);
    Py_DECREF(waiting);
    return result;
}

/* The exception that is set goes to who waits. */
static int refuse(struct asgi_state *s, PyObject **future)
{
    PyObject *type, *value, *trace, *waiting = *future, *set = NULL;
    *future = NULL;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    int done = is_done(s, waiting);
    if (!done)
        set = PyObject_CallMethodOneArg(waiting, s->keys[ASGI_SET_EXCEPTION], value);
    int result = done < 0 || (!done && !set) ? -1 : 0;
    Py_XDECREF(set);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    Py_DECREF(waiting);
    return result;
}

static int collect_receiver(struct cycle *c)
{
    int done = is_done(c->state, c->receiver);
    if (done) { /* cancelled: what has come is for the next receive() */
        Py_CLEAR(c->receiver);
        return done < 0 ? -1 : 0;
    }
    PyObject *event = next_event(c);
    if (!event && PyErr_Occurred())
        return -1;
    if (!event) {
        c->request->on_body = &c->body_waker;
        return 0;
    }
    int result = resolve(c->state, &c->receiver, event);
    Py_DECREF(event);
    return result;
}

static int collect_sender(struct cycle *c)
{
    int written = write_rest(c);
    if (!written)
        return 0;
    if (written < 0)
        return refuse(c->state, &c->sender);
    finish_if_last(c);
    return resolve(c->state, &c->sender, Py_None);
}

int asgi_cycle_collect(struct cycle *c)
{
    if (c->session && asgi_ws_collect(c) < 0)
        return -1;
    if (c->request->on_body == &c->body_waker)
        c->request->on_body = NULL;
    if (c->receiver && collect_receiver(c) < 0)
        return -1;
    return c->sender ? collect_sender(c) : 0;
}

/* What an application makes of a client that has gone is no fault of its own: the OSError of send(), or what was raised in its place. */
static bool is_about_gone(const struct request *r)
{
    if (r->conn || !r->aborted)
        return false;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    PyObject *context = value ? PyException_GetContext(value) : NULL;
    bool about = PyErr_GivenExceptionMatches(value, PyExc_OSError) || (context && PyErr_GivenExceptionMatches(context, PyExc_OSError));
    Py_XDECREF(context);
    PyErr_Restore(type, value, trace);
    return about;
}

/* Without a whole response that is a fault. */
void asgi_cycle_over(struct cycle *c)
{
    struct request *r = c->request;
    int status = 500;
    if (c->ws && (!PyErr_Occurred() || pyclient_fault(r))) {
        PyErr_Clear();
        status = 0;
    } else if (PyErr_Occurred() && is_about_gone(r)) {
        PyErr_Clear();
        log_request(r, LEVEL_INFO, "asgi", "the client went away");
    } else if (PyErr_Occurred()) {
        if (!c->complete && !c->started && pyapp_show_exception(r))
            status = 0;
        wsgi_log_exception(r, c->complete  ? "the application raised after its response"
                              : c->started ? "the application raised after the response had begun"
                                           : "the application raised");
    } else if (!c->complete && r->conn) {
        log_request(r, LEVEL_ERROR, "asgi", "the application returned without a whole response");
    }
    Py_CLEAR(c->task);
    if (!c->complete) {
        c->complete = true;
        serve_finish(r, status);
    }
    cycle_unhook(c);
}

/* Ends the cycle with what the task that is done has raised. */
static void task_over(struct cycle *c, PyObject *task)
{
    PyObject *result = PyObject_CallMethodNoArgs(task, c->state->keys[ASGI_RESULT]);
    Py_XDECREF(result);
    asgi_cycle_over(c);
}

static PyObject *cycle_finished(struct cycle *c, PyObject *task)
{
    Py_INCREF(c);
    task_over(c, task);
    Py_DECREF(c);
    Py_RETURN_NONE;
}

static PyObject *call_application(struct cycle *c)
{
    struct asgi_state *s = c->state;
    PyObject *scope = asgi_scope(s, c->request);
    if (scope && c->request->head.upgrade && websocket_wanted(c->request))
        return asgi_ws_call(c, scope);
    PyObject *state = scope && c->app_state ? PyDict_Copy(c->app_state) : NULL;
    PyObject *receive = scope ? PyObject_GetAttrString((PyObject *)c, "receive") : NULL;
    PyObject *send = receive ? PyObject_GetAttrString((PyObject *)c, "send") : NULL, *coroutine = NULL;
    if (send && (!c->app_state || (state && PyDict_SetItem(scope, s->keys[ASGI_STATE], state) == 0))) {
        PyObject *args[] = {NULL, scope, receive, send};
        coroutine = PyObject_Vectorcall(c->app, args + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    Py_XDECREF(scope);
    Py_XDECREF(state);
    Py_XDECREF(receive);
    Py_XDECREF(send);
    return coroutine;
}

/* Asks the task to tell us when it is done. */
static void follow(struct cycle *c, PyObject *task)
{
    PyObject *finished = PyObject_GetAttrString((PyObject *)c, "finished");
    PyObject *added = finished ? PyObject_CallMethodOneArg(task, c->state->keys[ASGI_ADD_DONE_CALLBACK], finished) : NULL;
    if (!added) {
        asgi_cycle_over(c);
    } else {
        c->task = Py_NewRef(task);
    }
    Py_XDECREF(finished);
    Py_XDECREF(added);
}

void asgi_cycle_launch(struct cycle *c)
{
    PyObject *coroutine = call_application(c);
    PyObject *task = coroutine ? PyObject_CallOneArg(c->state->make_task, coroutine) : NULL;
    PyObject *done = task ? PyObject_CallMethodNoArgs(task, c->state->keys[ASGI_DONE]) : NULL;
    Py_XDECREF(coroutine);
    if (!done)
        asgi_cycle_over(c);
    else if (done == Py_True)
        task_over(c, task);
    else
        follow(c, task);
    Py_XDECREF(done);
    Py_XDECREF(task);
}

/* Python's side could not get as far as a task. */
static PyObject *cycle_fail(struct cycle *c, PyObject *error)
{
    Py_INCREF(c);
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    asgi_cycle_over(c);
    Py_DECREF(c);
    Py_RETURN_NONE;
}

static PyMethodDef cycle_methods[] = {
    {"receive", (PyCFunction)cycle_receive, METH_NOARGS, "receive() -> awaitable of the next event."},
    {"send", (PyCFunction)cycle_send, METH_O, "send(message) -> awaitable, done when there is room for more."},
    {"finished", (PyCFunction)cycle_finished, METH_O, "finished(task). The application's task has ended."},
    {"accept", (PyCFunction)asgi_ws_accept, METH_VARARGS, "accept(protocol, headers). It becomes a WebSocket."},
    {"take", (PyCFunction)asgi_ws_take, METH_NOARGS, "take() -> the next message of the WebSocket, None: nothing has come."},
    {"end", (PyCFunction)asgi_ws_end, METH_NOARGS, "end() -> (code, reason) of a WebSocket that is closed, else None."},
    {"push", (PyCFunction)asgi_ws_push, METH_VARARGS, "push(data, is_text, at) -> up to where it has been sent; -1: all of it."},
    {"close", (PyCFunction)asgi_ws_close, METH_VARARGS, "close(code, reason). Says goodbye to the WebSocket's client."},
    {"fail", (PyCFunction)cycle_fail, METH_O, "fail(error). The application cannot be run."},
    {NULL, NULL, 0, NULL}};
static PyType_Slot cycle_slots[] = {{Py_tp_dealloc, cycle_dealloc}, {Py_tp_methods, cycle_methods}, {0, NULL}};
PyType_Spec asgi_cycle_spec = {"pyhost.Cycle", sizeof(struct cycle), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, cycle_slots};
