/* environ["pyhost.client_gone"]: true once the client has gone; wait() parks until it has. It keeps the request, so that threads and greenlets which
 * the application starts may ask for as long as they like. */
#include "conn.h"
#include "coro.h"
#include "pywsgi_impl.h"

struct gone {
    PyObject_HEAD
    struct request *request; /* strong */
    struct waker waker;
    struct waker *before;    /* who waits on on_gone beside us; woken after us */
    struct gone_waiter *waiters;
    bool hooked;
};

struct gone_waiter { struct gone_waiter *next; struct coro *coro; }; /* on the heap, owned by the greenlet that waits */

PyObject *wsgi_gone_new(struct wsgi_state *s, struct request *r)
{
    struct gone *g = PyObject_New(struct gone, s->gone_type);
    if (g) {
        g->request = request_ref(r);
        g->before = NULL;
        g->waiters = NULL;
        g->hooked = false;
    }
    return (PyObject *)g;
}

static void gone_unhook(struct gone *g)
{
    if (g->hooked && g->request->on_gone == &g->waker)
        g->request->on_gone = g->before;
    g->hooked = false;
}

void wsgi_gone_use(PyObject *gone, struct request *r)
{
    struct gone *g = (struct gone *)gone;
    struct request *before = g->request;
    gone_unhook(g);
    g->request = r ? request_ref(r) : NULL;
    if (before)
        request_unref(before);
}

static void gone_dealloc(struct gone *g)
{
    PyTypeObject *type = Py_TYPE(g);
    gone_unhook(g);
    if (g->request)
        request_unref(g->request);
    PyObject_Free(g);
    Py_DECREF(type);
}

static int gone_is(struct gone *g)
{
    const struct request *r = g->request;
    if (!r)
        return 1;
    return r->aborted || !r->conn ? !r->out_over || r->aborted : r->conn->eof;
}

static void on_gone(struct waker *w)
{
    struct gone *g = (struct gone *)((char *)w - offsetof(struct gone, waker));
    for (struct gone_waiter *each = g->waiters; each; each = each->next)
        coro_wake(each->coro);
    if (g->before)
        g->before->wake(g->before);
}

static void remove_waiter(struct gone *g, struct gone_waiter *w)
{
    struct gone_waiter **at = &g->waiters;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    PyMem_Free(w);
    if (!g->waiters)
        gone_unhook(g);
}

static enum coro_wake wait_until(struct gone *g, int64_t until_ns)
{
    struct gone_waiter *w = PyMem_Malloc(sizeof *w);
    if (!w) {
        PyErr_NoMemory();
        return CORO_ERROR;
    }
    *w = (struct gone_waiter){g->waiters, coro_current()};
    g->waiters = w;
    if (!g->hooked) {
        g->waker.wake = on_gone;
        g->before = g->request->on_gone;
        g->request->on_gone = &g->waker;
        g->hooked = true;
    }
    enum coro_wake woken = CORO_WOKEN;
    while (woken == CORO_WOKEN && !gone_is(g) && !g->request->out_over)
        woken = coro_park(until_ns);
    remove_waiter(g, w);
    return woken;
}

static PyObject *gone_wait(struct gone *g, PyObject *args)
{
    PyObject *timeout = Py_None;
    if (!PyArg_ParseTuple(args, "|O:wait", &timeout))
        return NULL;
    int64_t until_ns = coro_deadline_of(timeout);
    if (until_ns == -2)
        return NULL;
    if (!coro_current()) {
        PyErr_SetString(PyExc_RuntimeError, "client_gone.wait() is for handlers; other threads can ask client_gone()");
        return NULL;
    }
    Py_INCREF(g); /* the environ may go while it waits */
    enum coro_wake woken = wait_until(g, until_ns);
    int gone = gone_is(g);
    Py_DECREF(g);
    return woken == CORO_ERROR ? NULL : PyBool_FromLong(gone);
}

static PyObject *gone_call(struct gone *g, PyObject *args, PyObject *kwargs)
{
    (void)kwargs;
    return PyArg_ParseTuple(args, ":client_gone") ? PyBool_FromLong(gone_is(g)) : NULL;
}

static PyMethodDef gone_methods[] = {
    {"wait", (PyCFunction)gone_wait, METH_VARARGS, "wait(timeout=None) -> bool. Waits until the client has gone or timeout seconds have passed. May switch."},
    {NULL, NULL, 0, NULL}};
static PyType_Slot gone_slots[] = {{Py_tp_dealloc, gone_dealloc}, {Py_tp_methods, gone_methods}, {Py_tp_call, gone_call}, {Py_nb_bool, gone_is},
                                   {Py_tp_doc, "True once the client of this request has gone; call it, test it, or wait() for it."}, {0, NULL}};
PyType_Spec wsgi_gone_spec = {"pyhost.ClientGone", sizeof(struct gone), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, gone_slots};
