/* receive() of an HTTP scope: the body in events, and the client that has gone. */
#include "pyasgi_impl.h"

#include <errno.h>

#include "conn.h"
#include "response.h"

static PyObject *event_disconnect(struct cycle *c)
{
    return Py_BuildValue("{OO}", c->state->keys[ASGI_TYPE], c->state->keys[ASGI_DISCONNECT]);
}

/* Takes body. */
static PyObject *event_body(struct cycle *c, PyObject *body)
{
    if (!body)
        return NULL;
    PyObject *const *k = c->state->keys;
    return Py_BuildValue("{OOONOO}", k[ASGI_TYPE], k[ASGI_REQUEST], k[ASGI_BODY], body, k[ASGI_MORE_BODY], c->received_all ? Py_False : Py_True);
}

/* The next event, or NULL: nothing yet (no exception). */
static PyObject *next_event(struct cycle *c)
{
    struct request *r = c->request;
    if (c->complete)
        return event_disconnect(c);
    if (c->received_all)
        return !r->conn || r->conn->eof ? event_disconnect(c) : NULL;
    if (r->body == BODY_WHOLE && !r->in.len && !r->in_filter) {
        c->received_all = true;
        return event_body(c, PyBytes_FromStringAndSize(NULL, 0));
    }
    size_t most = r->in_filter || r->in.len > ASGI_BODY_BYTES ? ASGI_BODY_BYTES : r->in.len ? r->in.len : 1;
    PyObject *body = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)most);
    if (!body)
        return NULL;
    long n = request_body_read(r, PyBytes_AS_STRING(body), most);
    int error = errno;
    if (n >= 0) {
        c->received_all = n == 0 || (r->body == BODY_WHOLE && !r->in.len);
        if ((size_t)n != most)
            _PyBytes_Resize(&body, n);
        return event_body(c, body);
    }
    Py_DECREF(body);
    if (error == EAGAIN)
        return NULL;
    c->received_all = true;
    c->body_error = error;
    return event_disconnect(c);
}

PyObject *asgi_receive(struct cycle *c, PyObject *none)
{
    (void)none;
    PyObject *event = next_event(c);
    if (event || PyErr_Occurred())
        return event ? asgi_done_new(c->state, event) : NULL;
    c->request->on_body = &c->body_waker;
    return asgi_future_wait(c->state, &c->receiver);
}

int asgi_receive_collect(struct cycle *c)
{
    int done = asgi_future_is_done(c->state, c->receiver);
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
    int result = asgi_future_resolve(c->state, &c->receiver, event);
    Py_DECREF(event);
    return result;
}

