/* From requests to tasks on the asyncio loop of the interpreter.
 *
 * A worker greenlet puts the request into a queue and goes on; the greenlet of the loop is woken once, whatever number there is, and starts
 * them all. Their coroutines run at once as far as they can (eager tasks, Python 3.12), so that most are over before the loop turns. */
#include "pyasgi.h"

#include <stdlib.h>

#include "pyapp.h"
#include "gate_ws.h"
#include "pyasgi_limit.h"
#include "pyasgi_ws.h"
#include "pyphase.h"

static const char *const key_texts[ASGI_KEYS] = {
    "type", "status", "headers", "body", "more_body", "http.request", "http.disconnect", "http.response.start", "http.response.body", "http", "asgi",
    "http_version", "method", "scheme", "path", "raw_path", "query_string", "root_path", "client", "server", "state", "target", "wait", "done", "result",
    "set_result", "set_exception", "add_done_callback", "get", "_context", "_run",
    "extensions", "http.response.pathsend", "http.response.early_hint", "links"};

static struct asgi_state *state_of(PyObject *module) { return PyModule_GetState(module); }

/* ---- the queue ---- */

static void pending_add(struct asgi_state *s, struct cycle *c, PyObject *target)
{
    PyObject *state = PyTuple_GET_ITEM(target, 1);
    c->app = Py_NewRef(PyTuple_GET_ITEM(target, 0));
    c->app_state = state == Py_None ? NULL : Py_NewRef(state);
    c->next_pending = NULL;
    if (s->pending_last)
        s->pending_last->next_pending = c;
    else
        s->pending_first = c;
    s->pending_last = c;
    Py_INCREF(c);
    if (s->loop)
        coro_wake(s->loop);
}

static void launch_pending(struct asgi_state *s)
{
    while (s->pending_first) {
        struct cycle *c = s->pending_first;
        s->pending_first = c->next_pending;
        if (!s->pending_first)
            s->pending_last = NULL;
        asgi_cycle_launch(c);
        Py_DECREF(c);
    }
}

/* ---- what the loop calls ---- */

static PyObject *asgi_collect(PyObject *module, PyObject *none)
{
    struct asgi_state *s = state_of(module);
    (void)none;
    while (s->marked) {
        struct cycle *c = s->marked;
        s->marked = c->next_marked;
        c->marked = false;
        Py_INCREF(c);
        int failed = asgi_cycle_collect(c);
        Py_DECREF(c);
        if (failed)
            return NULL;
    }
    launch_pending(s);
    Py_RETURN_NONE;
}

static PyObject *asgi_has_marked(PyObject *module, PyObject *none)
{
    struct asgi_state *s = state_of(module);
    (void)none;
    return PyBool_FromLong(s->marked || s->pending_first);
}

static PyObject *asgi_bind(PyObject *module, PyObject *args)
{
    struct asgi_state *s = state_of(module);
    PyObject *make_future, *make_task;
    if (!PyArg_ParseTuple(args, "OO:bind", &make_future, &make_task))
        return NULL;
    coro_unref(s->loop);
    s->loop = coro_current() ? coro_ref(coro_current()) : NULL;
    coro_set_green(true);
    coro_watch(0, 0, NULL, NULL); /* bounds are those of its steps, not of who came first */
    Py_XSETREF(s->make_future, Py_NewRef(make_future));
    Py_XSETREF(s->make_task, Py_NewRef(make_task));
    Py_RETURN_NONE;
}

static PyObject *asgi_run(PyObject *module, PyObject *handle) { return asgi_run_handle(state_of(module), handle); }

/* owns(context, task): is task what a request of that context runs in, whose end the request reports? */
static PyObject *asgi_owns(PyObject *module, PyObject *args)
{
    PyObject *context, *task;
    if (!PyArg_ParseTuple(args, "OO:owns", &context, &task))
        return NULL;
    const struct cycle *c = asgi_limit_cycle(state_of(module), context);
    PyErr_Clear();
    return PyBool_FromLong(c && c->task == task);
}

static PyObject *asgi_submit(PyObject *module, PyObject *args)
{
    struct asgi_state *s = state_of(module);
    PyObject *cycle, *target;
    if (!PyArg_ParseTuple(args, "O!O!:submit", s->cycle_type, &cycle, &PyTuple_Type, &target))
        return NULL;
    pending_add(s, (struct cycle *)cycle, target);
    Py_RETURN_NONE;
}

/* ---- module ---- */

static int exec_texts(struct asgi_state *s)
{
    static const char *const methods[METHOD_TEXTS] = {"GET", "PUT", "POST", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    bool good = true;
    for (int i = 0; i < ASGI_KEYS; i++)
        good &= (s->keys[i] = PyUnicode_InternFromString(key_texts[i])) != NULL;
    for (int i = 0; i < METHOD_TEXTS; i++)
        good &= (s->methods[i] = PyUnicode_InternFromString(methods[i])) != NULL;
    return good && (s->head = PyUnicode_InternFromString("HEAD")) && (s->http10 = PyUnicode_InternFromString("1.0")) ? 0 : -1;
}

static int asgi_exec(PyObject *module)
{
    struct asgi_state *s = state_of(module);
    s->cycle_type = (PyTypeObject *)PyType_FromSpec(&asgi_cycle_spec);
    s->done_type = (PyTypeObject *)PyType_FromSpec(&asgi_done_spec);
    s->later_type = (PyTypeObject *)PyType_FromSpec(&asgi_later_spec);
    s->ticket_type = (PyTypeObject *)PyType_FromSpec(&asgi_ticket_spec);
    s->request_var = PyContextVar_New("pyhost.asgi.request", NULL);
    asgi_limit_init(s);
    s->done_none = s->done_type ? asgi_done_new(s, Py_NewRef(Py_None)) : NULL;
    return s->cycle_type && s->later_type && s->ticket_type && s->request_var && s->done_none ? exec_texts(s) : -1;
}

static PyMethodDef asgi_functions[] = {
    {"collect", asgi_collect, METH_NOARGS, "collect(). Tells futures what has happened, and starts the requests that have come."},
    {"bind", asgi_bind, METH_VARARGS, "bind(make_future, make_task). The running greenlet is the loop's: it is woken when something happens."},
    {"has_marked", asgi_has_marked, METH_NOARGS, "has_marked() -> bool. Is there something to collect()?"},
    {"run", asgi_run, METH_O, "run(handle). Runs an asyncio.Handle within the bounds of the request to which it belongs."},
    {"owns", asgi_owns, METH_VARARGS, "owns(context, task) -> bool. Is it the task of the request of that context, which reports its end?"},
    {"submit", asgi_submit, METH_VARARGS, "submit(cycle, (application, state)). Starts a request that had to wait for the application's startup."},
    {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot asgi_module_slots[] = {{Py_mod_exec, asgi_exec}, {0, NULL}};
static PyModuleDef asgi_module = {PyModuleDef_HEAD_INIT, "_asgi", "The C half of pyhost.gateway.asgi.", sizeof(struct asgi_state), asgi_functions,
                                  asgi_module_slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__asgi(void) { return PyModuleDef_Init(&asgi_module); }

/* ---- doors ---- */

static struct asgi_state *asgi_state(void)
{
    struct interp *i = interp_current();
    PyObject *module = i->asgi ? NULL : PyImport_ImportModule("_asgi");
    if (module) {
        i->asgi = state_of(module);
        ((struct asgi_state *)i->asgi)->interp = i;
    }
    Py_XDECREF(module); /* the module is asked for nothing any more: its state lives as long as it, which sys.modules keeps */
    return i->asgi;
}

/* Straight into the queue when the application has started, else its host keeps it until then. */
static int hand_over(struct asgi_state *s, PyObject *host, PyObject *cycle)
{
    PyObject *target = PyObject_GetAttr(host, s->keys[ASGI_TARGET]), *kept = NULL;
    if (target && PyTuple_Check(target) && PyTuple_GET_SIZE(target) == 2)
        pending_add(s, (struct cycle *)cycle, target);
    else if (target)
        kept = PyObject_CallMethodOneArg(host, s->keys[ASGI_WAIT], cycle);
    Py_XDECREF(target);
    Py_XDECREF(kept);
    return PyErr_Occurred() ? -1 : 0;
}

int pyasgi_run(struct request *r)
{
    int refused = websocket_wanted(r) ? asgi_ws_refused(r) : 0;
    if (refused)
        return refused;
    PyObject *host = pyapp_get(r, true), *cycle = NULL;
    struct asgi_state *s = host ? asgi_state() : NULL;
    if (s)
        cycle = asgi_cycle_new(s, r);
    int handed = cycle ? hand_over(s, host, cycle) : -1;
    Py_XDECREF(cycle);
    Py_XDECREF(host);
    if (!handed)
        return PY_LATER;
    bool shown = pyapp_show_exception(r);
    pyapp_log_exception(r, "asgi", "the ASGI application cannot be started");
    return shown ? PY_OK : 500;
}

/* ---- the end ---- */

struct leave_job {
    struct job job;
    bool over;
};

static void run_leave(struct job *job)
{
    PyObject *module = PyImport_ImportModule("pyhost.gateway.asgi");
    PyObject *result = module ? PyObject_CallMethod(module, "shutdown", NULL) : NULL;
    if (!result)
        interp_log_exception("shutting down ASGI applications");
    Py_XDECREF(result);
    Py_XDECREF(module);
    ((struct leave_job *)job)->over = true;
}

int pyasgi_leave(void)
{
    int left = 0;
    for (struct interp *i = interp_first(); i; i = i->next) {
        struct asgi_state *s = i->asgi;
        if (!s)
            continue;
        if (!s->leave && (s->leave = calloc(1, sizeof *s->leave))) {
            s->leave->job.run = run_leave;
            coro_submit(i, &s->leave->job);
        }
        left += s->leave && !s->leave->over;
    }
    return left;
}
