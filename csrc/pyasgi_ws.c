/* WebSockets of ASGI applications: nothing here waits. What happens marks the cycle, and the session in Python looks again. */
#define PY_SSIZE_T_CLEAN
#include "pyasgi_ws.h"

#include <errno.h>

#include "conn.h"
#include "gate_ws.h"
#include "log.h"
#include "pyasgi_limit.h"
#include "pyclient.h"

int asgi_ws_refused(struct request *r)
{
    struct ws_refusal refusal = websocket_check(r);
    if (refusal.status)
        log_request(r, LEVEL_INFO, "websocket", "answered %d: %s", refusal.status, refusal.why);
    return refusal.status;
}

PyObject *asgi_ws_call(struct cycle *c, PyObject *scope)
{
    PyObject *module = PyImport_ImportModule("pyhost.gateway.asgi_ws");
    PyObject *type = module ? PyObject_GetAttrString(module, "Session") : NULL, *coroutine = NULL;
    if (type)
        Py_XSETREF(c->session, PyObject_CallFunction(type, "OOOO", c, scope, c->app_state ? c->app_state : Py_None, c->state->make_future));
    if (type && c->session)
        coroutine = PyObject_CallMethod(c->session, "call", "O", c->app);
    Py_XDECREF(module);
    Py_XDECREF(type);
    Py_DECREF(scope);
    return coroutine;
}

int asgi_ws_collect(struct cycle *c)
{
    PyObject *done = PyObject_CallMethod(c->session, "wake", NULL);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

void asgi_ws_unhook(struct cycle *c)
{
    if (c->ws && c->ws->on_message == &c->body_waker)
        c->ws->on_message = c->ws->on_drain = NULL;
    Py_CLEAR(c->session); /* it has a reference on the cycle */
}

static PyObject *raise_gone(const struct cycle *c)
{
    PyErr_Format(PyExc_BrokenPipeError, "the WebSocket is closed (%d)", c->ws && c->ws->code ? (int)c->ws->code : WS_CODE_ABNORMAL);
    pyclient_mark(EPIPE);
    return NULL;
}

/* accept(protocol or b"", headers). */
PyObject *asgi_ws_accept(struct cycle *c, PyObject *args)
{
    struct slice protocol;
    Py_ssize_t len;
    PyObject *headers;
    if (!PyArg_ParseTuple(args, "y#O:accept", &protocol.at, &len, &headers) || asgi_set_headers(c->request, headers) < 0)
        return NULL;
    protocol.len = (size_t)len;
    if (!c->request->conn)
        return raise_gone(c);
    if (c->ws || !(c->ws = websocket_open(c->request, protocol))) {
        if (!c->ws && errno == EPIPE)
            return raise_gone(c);
        PyErr_SetString(PyExc_RuntimeError, c->ws ? "websocket.accept was sent twice" : "the WebSocket cannot be accepted");
        return NULL;
    }
    c->ws->on_message = &c->body_waker;
    c->ws->on_drain = &c->drain_waker;
    c->started = true;
    asgi_limit_end_deadline(c); /* PyRequestTimeout bounds the way here, not what may last for days */
    Py_RETURN_NONE;
}

/* take() -> str, bytes or None: nothing has come. */
PyObject *asgi_ws_take(struct cycle *c, PyObject *none)
{
    (void)none;
    struct ws_message *m = c->ws ? websocket_take(c->ws) : NULL;
    if (!m)
        Py_RETURN_NONE;
    const char *bytes = m->bytes.at ? m->bytes.at : "";
    PyObject *message = m->text ? PyUnicode_DecodeUTF8(bytes, m->bytes.len, NULL) : PyBytes_FromStringAndSize(bytes, m->bytes.len);
    websocket_free_message(m);
    return message;
}

/* end() -> (code, reason) or None: it is open. */
PyObject *asgi_ws_end(struct cycle *c, PyObject *none)
{
    (void)none;
    if (c->ws && websocket_at_end(c->ws))
        return Py_BuildValue("(iN)", c->ws->code ? (int)c->ws->code : WS_CODE_ABNORMAL,
                             PyUnicode_DecodeUTF8(c->ws->reason, c->ws->reason_len, "replace"));
    if (!c->ws && (!c->request->conn || c->request->conn->eof))
        return Py_BuildValue("(is)", WS_CODE_ABNORMAL, "");
    Py_RETURN_NONE;
}

/* As far as there is room. at: how far what goes over the wire has been sent; -1 afterwards: all of it. */
static int push_frames(struct websocket *ws, enum ws_opcode opcode, struct slice message, Py_ssize_t *at)
{
    if (websocket_congested(ws))
        return 0;
    struct slice packed = *at ? websocket_packed(ws, message) : websocket_pack(ws, message);
    if ((size_t)*at > packed.len)
        return -1;
    do {
        size_t left = packed.len - (size_t)*at, n = left < WS_FRAGMENT_BYTES ? left : WS_FRAGMENT_BYTES;
        if (websocket_send(ws, *at ? WS_CONTINUATION : opcode, n == left, slice_of(packed.at + *at, n)) < 0)
            return -1;
        *at = n == left ? -1 : *at + (Py_ssize_t)n;
    } while (*at >= 0 && !websocket_congested(ws));
    if (*at < 0)
        websocket_pack_end(ws);
    return 0;
}

/* push(data, is_text, at) -> how far it has been sent, at first from 0; -1: all of it. */
PyObject *asgi_ws_push(struct cycle *c, PyObject *args)
{
    Py_buffer data;
    int is_text;
    Py_ssize_t at;
    if (!PyArg_ParseTuple(args, "y*pn:push", &data, &is_text, &at))
        return NULL;
    struct slice message = slice_of(data.buf, (size_t)data.len);
    bool failed = !c->ws || at < 0 || push_frames(c->ws, is_text ? WS_TEXT : WS_BINARY, message, &at) < 0;
    PyBuffer_Release(&data);
    failed |= c->ws && at >= 0 && websocket_is_shut(c->ws);
    if (failed && c->ws)
        websocket_pack_end(c->ws);
    return failed ? raise_gone(c) : PyLong_FromSsize_t(at);
}

/* close(code, reason). */
PyObject *asgi_ws_close(struct cycle *c, PyObject *args)
{
    int code;
    const char *reason;
    Py_ssize_t len;
    if (!PyArg_ParseTuple(args, "is#:close", &code, &reason, &len))
        return NULL;
    if (code < 0 || (!ws_code_is_sendable((unsigned)code) && code != WS_CODE_NONE) || len > WS_REASON_BYTES)
        return PyErr_Format(PyExc_ValueError, "a WebSocket cannot be closed with %d and a reason of %zd bytes", code, len);
    if (c->ws)
        websocket_close(c->ws, (unsigned)code, slice_of(reason, (size_t)len));
    Py_RETURN_NONE;
}
