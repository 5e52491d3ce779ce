/* One HTTP request as an ASGI application sees it: a Cycle with receive() and send(), from the call of the application to its end.
 *
 * What the hub has to tell a waiting coroutine (more body, room for output, client gone) marks the cycle and wakes the greenlet of the asyncio
 * loop, which collects the marked ones. */
#include "pyasgi_impl.h"

#include "conn.h"
#include "gate_request.h"
#include "gate_ws.h"
#include "log.h"
#include "pyapp.h"
#include "pyasgi_limit.h"
#include "pyasgi_ws.h"
#include "pyclient.h"
#include "serve.h"

enum { STATUS_GONE = 408 };

/* ---- from the hub to the loop ---- */

void asgi_cycle_mark(struct cycle *c)
{
    if (c->marked)
        return;
    c->marked = true;
    c->next_marked = c->state->marked;
    c->state->marked = c;
    if (c->state->loop)
        coro_wake(c->state->loop);
}

static void on_body(struct waker *w) { asgi_cycle_mark((struct cycle *)((char *)w - offsetof(struct cycle, body_waker))); }
static void on_drain(struct waker *w) { asgi_cycle_mark((struct cycle *)((char *)w - offsetof(struct cycle, drain_waker))); }

static void on_gone(struct waker *w)
{
    struct cycle *c = (struct cycle *)((char *)w - offsetof(struct cycle, gone_waker));
    c->gone = true;
    asgi_cycle_mark(c);
}

static void cycle_unhook(struct cycle *c)
{
    struct request *r = c->request;
    asgi_ws_unhook(c);
    asgi_limit_end(c);
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
    if (gate_request_is_gone(r)) /* it is not heard of again */
        waker_wake(r->on_gone);
    if (asgi_limit_begin(c) < 0)
        Py_CLEAR(c);
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

/* ---- the loop's side ---- */

int asgi_cycle_collect(struct cycle *c)
{
    if (asgi_limit_collect(c) < 0)
        return -1;
    if (c->session && asgi_ws_collect(c) < 0)
        return -1;
    if (c->request->on_body == &c->body_waker)
        c->request->on_body = NULL;
    if (c->receiver && asgi_receive_collect(c) < 0)
        return -1;
    return c->sender ? asgi_send_collect(c) : 0;
}

/* What an application makes of a client that has gone is no fault of its own: the OSError of send(), or what was raised in its place. */
static bool is_about_gone(const struct cycle *c)
{
    if (!c->unsent && (c->request->conn || !c->request->aborted))
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

/* receive() has said that the body does not come whole: what the application raises then, whatever its framework calls it, is the client's fault. */
static int broken_body(const struct cycle *c)
{
    log_request(c->request, LEVEL_INFO, "asgi", "the request body did not come whole: %s", ((PyTypeObject *)PyErr_Occurred())->tp_name);
    PyErr_Clear();
    return pyclient_status(c->body_error);
}

/* The status for what the task has ended with. Without a whole response that is a fault. */
static int status_of_end(struct cycle *c)
{
    struct request *r = c->request;
    int status = asgi_limit_status(c);
    if (status)
        return status;
    status = 500;
    if (c->ws && !PyErr_Occurred()) {
        status = 0;
    } else if (c->session && PyErr_Occurred() && pyclient_fault(r)) {
        PyErr_Clear();
        status = c->ws ? 0 : STATUS_GONE;
    } else if (PyErr_Occurred() && is_about_gone(c)) {
        PyErr_Clear();
        status = STATUS_GONE;
        log_request(r, LEVEL_INFO, "asgi", "the client went away");
    } else if (PyErr_Occurred() && c->body_error) {
        status = broken_body(c);
    } else if (PyErr_Occurred()) {
        const char *where = c->ws                            ? "the application raised; its WebSocket is closed"
                            : c->complete                  ? "the application raised after its response"
                            : r->response != RESPONSE_OPEN ? "the application raised after the response had begun; it is cut"
                                                           : "the application raised";
        if (!c->complete && pyapp_show_exception(r))
            status = 0;
        pyapp_log_exception(r, "asgi", where);
    } else if (!c->complete && r->conn) {
        log_request(r, LEVEL_ERROR, "asgi", "the application returned without a whole response");
    } else if (!c->complete) {
        status = STATUS_GONE;
    }
    return status;
}

void asgi_cycle_finish(struct cycle *c, int status)
{
    c->complete = true;
    if (c->request->on_gone == &c->gone_waker)
        c->request->on_gone = NULL;
    if (c->receiver || c->session) /* who still waits for the client's end need not wait any more */
        asgi_cycle_mark(c);
    serve_finish(c->request, status);
}

void asgi_cycle_over(struct cycle *c)
{
    int status = status_of_end(c);
    Py_CLEAR(c->task);
    if (!c->complete)
        asgi_cycle_finish(c, status);
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
    PyObject *state = !scope ? NULL : c->app_state ? PyDict_Copy(c->app_state) : PyDict_New();
    PyObject *receive = scope ? PyObject_GetAttrString((PyObject *)c, "receive") : NULL;
    PyObject *send = receive ? PyObject_GetAttrString((PyObject *)c, "send") : NULL, *coroutine = NULL;
    if (send && state && PyDict_SetItem(scope, s->keys[ASGI_STATE], state) == 0) {
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

static void launch(struct cycle *c)
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

void asgi_cycle_launch(struct cycle *c)
{
    if (c->complete) /* its time was over, or its client gone, before the application had started */
        return;
    asgi_limit_enter(c->state, c);
    if (asgi_limit_set_context(c) == 0)
        launch(c);
    else
        asgi_cycle_over(c);
    asgi_limit_leave(c->state);
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
    {"receive", (PyCFunction)asgi_receive, METH_NOARGS, "receive() -> awaitable of the next event."},
    {"send", (PyCFunction)asgi_send, METH_O, "send(message) -> awaitable, done when there is room for more."},
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
