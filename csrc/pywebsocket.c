/* Any number of greenlets may receive and send on one WebSocket. Those who wait are on lists; whatever happens wakes all of a list, and each looks
 * whether it is its turn. */
#define PY_SSIZE_T_CLEAN
#include "pywebsocket.h"

#include <errno.h>

#include "coro.h"
#include "gate_ws.h"
#include "pyclient.h"
#include "pyreq.h"
#include "pytext.h"

struct waiting { struct waiting *next; struct coro *coro; }; /* on the heap: a greenlet's stack is copied away */

struct pywebsocket {
    PyObject_HEAD
    struct request *r;      /* counted reference */
    struct websocket *ws;   /* counted reference */
    struct waker message_waker, drain_waker;
    struct waiting *receivers, *senders;
    PyObject *protocol;     /* strong: str or None */
    bool sending;           /* a message is on its way in fragments */
};

static struct pywebsocket *self_of(PyObject *object) { return (struct pywebsocket *)object; }

/* ---- waiting ---- */

static void wake_all(const struct waiting *w)
{
    for (; w; w = w->next)
        coro_wake(w->coro);
}

static void on_message(struct waker *w) { wake_all(((struct pywebsocket *)((char *)w - offsetof(struct pywebsocket, message_waker)))->receivers); }
static void on_drain(struct waker *w) { wake_all(((struct pywebsocket *)((char *)w - offsetof(struct pywebsocket, drain_waker)))->senders); }

static enum coro_wake wait_in(struct waiting **list, int64_t until_ns)
{
    struct coro *me = coro_current();
    struct waiting *w = me ? PyMem_Malloc(sizeof *w) : NULL;
    if (!w) {
        if (me)
            PyErr_NoMemory();
        else
            PyErr_SetString(PyExc_BlockingIOError, "only greenlets can wait for a WebSocket");
        return CORO_ERROR;
    }
    *w = (struct waiting){*list, me};
    *list = w;
    enum coro_wake woken = coro_park(until_ns);
    while (*list != w)
        list = &(*list)->next;
    *list = w->next;
    PyMem_Free(w);
    return woken;
}

/* 0, or -1 with an exception: in another thread nothing here may be touched. */
static int check_thread(void)
{
    if (coro_hub)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "a WebSocket belongs to the greenlets of its process, not to other threads");
    return -1;
}

/* ---- receiving ---- */

static PyObject *message_object(struct ws_message *m)
{
    const char *bytes = m->bytes.at ? m->bytes.at : "";
    PyObject *object = m->text ? PyUnicode_DecodeUTF8(bytes, m->bytes.len, NULL) : PyBytes_FromStringAndSize(bytes, m->bytes.len);
    websocket_free_message(m);
    return object;
}

/* NULL without an exception: the end. */
static PyObject *next_message(struct pywebsocket *self, int64_t until_ns)
{
    if (check_thread())
        return NULL;
    for (;;) {
        struct ws_message *m = websocket_take(self->ws);
        if (m)
            return message_object(m);
        if (websocket_at_end(self->ws))
            return NULL;
        switch (wait_in(&self->receivers, until_ns)) {
        case CORO_WOKEN: break;
        case CORO_ERROR: return NULL;
        case CORO_TIMED_OUT:
            if (self->ws->first)
                break;
            PyErr_SetString(PyExc_TimeoutError, "no message came in time");
            return NULL;
        }
    }
}

static PyObject *websocket_receive(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"timeout", NULL};
    PyObject *timeout = Py_None;
    int64_t until_ns = PyArg_ParseTupleAndKeywords(args, kwargs, "|O:receive", names, &timeout) ? coro_deadline_of(timeout) : -2;
    if (until_ns == -2)
        return NULL;
    PyObject *message = next_message(self_of(object), until_ns);
    return message || PyErr_Occurred() ? message : Py_NewRef(Py_None);
}

static PyObject *websocket_next(PyObject *object) { return next_message(self_of(object), -1); }

/* ---- sending ---- */

/* Whoever lets this pass is answered nothing any more, and the log has one line of it. */
static int raise_shut(const struct pywebsocket *self)
{
    if (self->ws->code)
        PyErr_Format(PyExc_BrokenPipeError, "the WebSocket is closed (%d)", (int)self->ws->code);
    else
        PyErr_SetString(PyExc_BrokenPipeError, "the WebSocket is closed");
    pyclient_mark(EPIPE);
    return -1;
}

static int wait_for_room(struct pywebsocket *self, bool in_message)
{
    while (!websocket_is_shut(self->ws) && (websocket_congested(self->ws) || (self->sending && !in_message)))
        if (wait_in(&self->senders, -1) == CORO_ERROR)
            return -1;
    return websocket_is_shut(self->ws) ? raise_shut(self) : 0;
}

static int send_frame(struct pywebsocket *self, enum ws_opcode opcode, bool fin, struct slice data)
{
    if (websocket_send(self->ws, opcode, fin, data) == 0)
        return 0;
    return errno == ENOMEM ? (PyErr_NoMemory(), -1) : raise_shut(self);
}

/* Between the fragments pings get their answers, and a slow client holds no more than the high-water mark of a large message. */
static int send_fragments(struct pywebsocket *self, enum ws_opcode opcode, struct slice data)
{
    int failed = 0;
    self->sending = true;
    while (!failed && data.len) {
        size_t n = data.len < WS_FRAGMENT_BYTES ? data.len : WS_FRAGMENT_BYTES;
        failed = wait_for_room(self, true) || send_frame(self, opcode, n == data.len, slice_of(data.at, n));
        data = slice_of(data.at + n, data.len - n);
        opcode = WS_CONTINUATION;
    }
    self->sending = false;
    websocket_pack_end(self->ws);
    if (failed) /* half a message is out, and nothing can come behind it */
        websocket_close(self->ws, WS_CODE_ERROR, slice_of(NULL, 0));
    wake_all(self->senders);
    return failed;
}

static PyObject *websocket_send_method(PyObject *object, PyObject *message)
{
    struct pywebsocket *self = self_of(object);
    struct slice data;
    Py_buffer view;
    if (check_thread() || pytext_body(message, &data, &view))
        return NULL;
    enum ws_opcode opcode = PyUnicode_Check(message) ? WS_TEXT : WS_BINARY;
    int failed = wait_for_room(self, false);
    if (!failed) {
        data = websocket_pack(self->ws, data);
        failed = data.len > WS_FRAGMENT_BYTES ? send_fragments(self, opcode, data) : send_frame(self, opcode, true, data);
    }
    if (view.obj)
        PyBuffer_Release(&view);
    return failed ? NULL : Py_NewRef(Py_None);
}

static PyObject *websocket_ping(PyObject *object, PyObject *args)
{
    struct pywebsocket *self = self_of(object);
    struct slice data = {"", 0};
    Py_ssize_t len = 0;
    if (!PyArg_ParseTuple(args, "|y#:ping", &data.at, &len) || check_thread())
        return NULL;
    data.len = (size_t)len;
    if (data.len > WS_CONTROL_BYTES)
        return PyErr_Format(PyExc_ValueError, "a ping carries at most %d bytes", WS_CONTROL_BYTES);
    return wait_for_room(self, true) || send_frame(self, WS_PING, true, data) ? NULL : Py_NewRef(Py_None);
}

static PyObject *websocket_close_method(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"code", "reason", NULL};
    int code = WS_CODE_NORMAL;
    const char *reason = "";
    Py_ssize_t len = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|is#:close", names, &code, &reason, &len) || check_thread())
        return NULL;
    if (code < 0 || !ws_code_is_sendable((unsigned)code))
        return PyErr_Format(PyExc_ValueError, "%d is no code to close with: 1000, 1001 … or 3000 to 4999", code);
    if (len > WS_REASON_BYTES)
        return PyErr_Format(PyExc_ValueError, "the reason has %zd bytes, at most %d are allowed", len, WS_REASON_BYTES);
    websocket_close(self_of(object)->ws, (unsigned)code, slice_of(reason, (size_t)len));
    Py_RETURN_NONE;
}

/* ---- the object ---- */

static PyObject *websocket_enter(PyObject *object, PyObject *unused)
{
    (void)unused;
    return Py_NewRef(object);
}

/* The end of `with`: an exception is the server's fault. */
static PyObject *websocket_exit(PyObject *object, PyObject *args)
{
    PyObject *type = PyTuple_GET_SIZE(args) ? PyTuple_GET_ITEM(args, 0) : Py_None;
    websocket_close(self_of(object)->ws, type == Py_None ? WS_CODE_NORMAL : WS_CODE_ERROR, slice_of(NULL, 0));
    Py_RETURN_NONE;
}

static PyObject *get_protocol(PyObject *object, void *unused) { return (void)unused, Py_NewRef(self_of(object)->protocol); }
static PyObject *get_closed(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(websocket_is_shut(self_of(object)->ws) || self_of(object)->ws->code);
}
static PyObject *get_close_code(PyObject *object, void *unused)
{
    (void)unused;
    int code = self_of(object)->ws->code;
    return code ? PyLong_FromLong(code) : Py_NewRef(Py_None);
}
static PyObject *get_close_reason(PyObject *object, void *unused)
{
    (void)unused;
    return PyUnicode_DecodeUTF8(self_of(object)->ws->reason, self_of(object)->ws->reason_len, "replace");
}

static void websocket_dealloc(PyObject *object)
{
    struct pywebsocket *self = self_of(object);
    PyTypeObject *type = Py_TYPE(object);
    if (self->ws && self->ws->on_message == &self->message_waker)
        self->ws->on_message = self->ws->on_drain = NULL;
    websocket_unref(self->ws);
    request_unref(self->r);
    Py_XDECREF(self->protocol);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyGetSetDef websocket_getset[] = {
    {"protocol", get_protocol, NULL, "The subprotocol that was agreed on, or None.", NULL},
    {"closed", get_closed, NULL, "Has either side closed it, or the connection gone?", NULL},
    {"close_code", get_close_code, NULL, "How it was closed (1005: without a code, 1006: the connection broke); None while it is open.", NULL},
    {"close_reason", get_close_reason, NULL, "What was said with the code.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

#define KEYWORDS(function) (PyCFunction)(void (*)(void))(function)
static PyMethodDef websocket_methods[] = {
    {"receive", KEYWORDS(websocket_receive), METH_VARARGS | METH_KEYWORDS,
     "receive(timeout=None): the next message as str or bytes, None at the end; TimeoutError. timeout: seconds. May switch."},
    {"send", websocket_send_method, METH_O, "send(message): str as text, bytes-like as binary; BrokenPipeError when it is closed. May switch."},
    {"close", KEYWORDS(websocket_close_method), METH_VARARGS | METH_KEYWORDS, "close(code=1000, reason=''): says goodbye. Never switches."},
    {"ping", websocket_ping, METH_VARARGS, "ping(data=b''): asks the client for a pong. May switch."},
    {"__enter__", websocket_enter, METH_NOARGS, NULL},
    {"__exit__", websocket_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot websocket_slots[] = {
    {Py_tp_doc, "The WebSocket that a request has become."},
    {Py_tp_dealloc, websocket_dealloc},
    {Py_tp_getset, websocket_getset},
    {Py_tp_methods, websocket_methods},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, websocket_next},
    {0, NULL},
};
PyType_Spec pywebsocket_spec = {
    .name = "WebSocket", .basicsize = sizeof(struct pywebsocket), .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = websocket_slots,
};

/* ---- opening ---- */

/* The first that the client offers, or None; NULL with an exception. */
static PyObject *choose(struct request *r, PyObject *protocols)
{
    PyObject *iterator = PyObject_GetIter(protocols), *one = NULL, *chosen = NULL;
    while (iterator && !chosen && (one = PyIter_Next(iterator))) {
        Py_ssize_t len;
        const char *text = PyUnicode_Check(one) ? PyUnicode_AsUTF8AndSize(one, &len) : NULL;
        if (!text && !PyErr_Occurred())
            PyErr_Format(PyExc_TypeError, "a subprotocol is a str, not %.100s", Py_TYPE(one)->tp_name);
        if (text && websocket_offers(r, slice_of(text, (size_t)len)))
            chosen = Py_NewRef(one);
        Py_DECREF(one);
        if (PyErr_Occurred())
            break;
    }
    Py_XDECREF(iterator);
    return chosen || PyErr_Occurred() ? chosen : Py_NewRef(Py_None);
}

static void raise_refused(struct ws_refusal refusal)
{
    PyErr_SetString(PyExc_ValueError, refusal.why);
    pyclient_mark_status(refusal.status);
}

static PyObject *open_with(struct request *r, PyObject *protocol)
{
    PyObject *module = pyroom_get() ? NULL : PyImport_ImportModule("_apache"); /* an interpreter may have WSGI applications only */
    Py_XDECREF(module);
    if (!pyroom_get())
        return NULL;
    struct pywebsocket *self = (struct pywebsocket *)pyroom_type(TYPE_WEBSOCKET)->tp_alloc(pyroom_type(TYPE_WEBSOCKET), 0);
    struct slice name = {NULL, 0};
    if (protocol != Py_None)
        name.at = PyUnicode_AsUTF8AndSize(protocol, (Py_ssize_t *)&name.len);
    if (!self)
        return NULL;
    self->r = request_ref(r);
    self->protocol = Py_NewRef(protocol);
    self->ws = websocket_open(r, name);
    if (!self->ws) {
        if (errno == EPIPE)
            PyErr_SetString(PyExc_BrokenPipeError, "the client has gone");
        else if (errno == EPROTO)
            PyErr_SetString(PyExc_ValueError, "the response has a header that must not be sent (see the error log)");
        else
            PyErr_SetString(PyExc_OSError, "the response has begun: there can be no WebSocket any more");
        Py_DECREF(self);
        return NULL;
    }
    self->message_waker.wake = on_message;
    self->drain_waker.wake = on_drain;
    self->ws->on_message = &self->message_waker;
    self->ws->on_drain = &self->drain_waker;
    coro_end_limits(); /* PyRequestTimeout bounds the way here, not what may last for days */
    return (PyObject *)self;
}

PyObject *pywebsocket_open(struct request *r, PyObject *protocols)
{
    if (check_thread())
        return NULL;
    struct ws_refusal refusal = websocket_check(r);
    if (refusal.status) {
        raise_refused(refusal);
        return NULL;
    }
    PyObject *protocol = choose(r, protocols), *result = protocol ? open_with(r, protocol) : NULL;
    Py_XDECREF(protocol);
    return result;
}

static PyObject *open_call(struct request *r, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"protocols", NULL};
    PyObject *none = PyTuple_New(0), *protocols = none, *result = NULL;
    if (none && PyArg_ParseTupleAndKeywords(args, kwargs, "|O:websocket", names, &protocols))
        result = pywebsocket_open(r, protocols);
    Py_XDECREF(none);
    return result;
}

PyObject *pyrequest_websocket(PyObject *object, PyObject *args, PyObject *kwargs)
{
    return pyrequest_check_live(pyreq(object)) ? NULL : open_call(pyreq(object)->r, args, kwargs);
}

static PyObject *opener_call(PyObject *capsule, PyObject *args, PyObject *kwargs)
{
    struct request *r = PyCapsule_GetPointer(capsule, NULL);
    return r ? open_call(r, args, kwargs) : NULL;
}

static void opener_free(PyObject *capsule) { request_unref(PyCapsule_GetPointer(capsule, NULL)); }

static PyMethodDef opener = {"websocket", KEYWORDS(opener_call), METH_VARARGS | METH_KEYWORDS,
                             "websocket(protocols=()): the WebSocket that this request becomes; what the application returns is ignored then."};

PyObject *pywebsocket_opener(struct request *r)
{
    PyObject *capsule = PyCapsule_New(request_ref(r), NULL, opener_free);
    PyObject *result = capsule ? PyCFunction_New(&opener, capsule) : NULL;
    if (!capsule)
        request_unref(r);
    Py_XDECREF(capsule);
    return result;
}
