/* Tasks: Python's handle on what a greenlet runs, be it a request or a spawned call.
 *
 * A spawned call is a job like a request, taken by a pooled greenlet; its task exists from the start, a request's only once somebody asks
 * for it. A task keeps the result, knows its greenlet while it runs, and wakes those who join it. */
#include "coro_spawn.h"

#include <stdlib.h>
#include <string.h>

static struct task *task_alloc(struct interp *i)
{
    if (!i->task_type) {
        PyObject *module = PyImport_ImportModule("_coro");
        Py_XDECREF(module);
        if (!module)
            return NULL;
    }
    PyTypeObject *type = (PyTypeObject *)i->task_type;
    return (struct task *)type->tp_alloc(type, 0);
}

PyObject *task_of(struct coro *c)
{
    if (!c->task) {
        struct task *t = task_alloc(c->interp);
        if (!t)
            return NULL;
        t->state = TASK_RUNNING;
        t->coro = c;
        c->task = (PyObject *)t;
    }
    return Py_NewRef(c->task);
}

static void wake_joiners(struct task *t)
{
    for (struct joiner *j = t->joiners; j; j = j->next)
        coro_wake(j->coro);
}

void task_note_counts(struct task *t)
{
    if (!coro_hub)
        return;
    t->run_ns = coro_run_ns(t->coro);
    t->longest_ns = t->coro->longest_ns > t->run_ns ? t->run_ns : t->coro->longest_ns;
    if (t->coro->resumes <= 1) /* it has never given way */
        t->longest_ns = t->run_ns;
    t->resumes = t->coro->resumes;
}

static void task_end(struct task *t)
{
    task_note_counts(t);
    t->state = TASK_DONE;
    t->coro = NULL;
    wake_joiners(t);
}

void task_over(struct coro *c)
{
    struct task *t;
    while ((t = (struct task *)c->task)) { /* what goes with it may ask for the task that runs, and make another one */
        if (t->state == TASK_RUNNING)
            task_end(t);
        Py_CLEAR(c->task);
    }
}

/* What was thrown in is marked, not kept: with it lived all that the frames hold which it has come through. */
static const char *const thrown_mark = "_thrown_into_task";

static void mark_thrown(PyObject *exception)
{
    if (PyObject_SetAttrString(exception, thrown_mark, Py_True))
        PyErr_Clear();
}

static bool is_quiet(const struct task *t, PyObject *type, PyObject *value)
{
    if (PyErr_GivenExceptionMatches(type, PyExc_SystemExit) || PyErr_GivenExceptionMatches(type, coro_greenlet_exit()))
        return true;
    if (t->coro && (t->coro->owed || t->coro->told)) /* a driver's own error, with which the call ended that was thrown into */
        return true;
    PyObject *mark = PyObject_GetAttrString(value, thrown_mark);
    PyErr_Clear();
    Py_XDECREF(mark);
    return mark == Py_True;
}

/* Takes the exception that is set into the task. SystemExit and GreenletExit end a task quietly, as they end a thread; so does what was thrown in. */
static void keep_exception(struct task *t)
{
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace)
        PyException_SetTraceback(value, trace);
    Py_XSETREF(t->exception, Py_NewRef(value));
    bool quiet = is_quiet(t, type, value);
    PyErr_Restore(type, value, trace);
    if (quiet)
        PyErr_Clear();
    else
        interp_log_exception("exception in a spawned greenlet");
}

static void task_call(struct task *t)
{
    PyObject *result = NULL;
    if (t->killed)
        PyErr_SetObject((PyObject *)Py_TYPE(t->killed), t->killed);
    else if (PyContext_Enter(t->context) == 0) {
        result = PyObject_Call(t->callable, t->args, t->kwargs);
        PyObject *type, *value, *trace;
        PyErr_Fetch(&type, &value, &trace);
        if (PyContext_Exit(t->context))
            PyErr_Clear();
        PyErr_Restore(type, value, trace);
    }
    if (result)
        t->result = result;
    else
        keep_exception(t);
    Py_CLEAR(t->killed);
}

/* Read in a signal handler: no allocation, no reference counts. */
static PyObject *name_of(const struct task *t)
{
    PyObject *call = t->callable;
    if (t->name && PyUnicode_Check(t->name))
        return t->name;
    if (call && PyMethod_Check(call))
        call = PyMethod_GET_FUNCTION(call);
    return call && PyFunction_Check(call) ? ((PyFunctionObject *)call)->func_qualname : NULL;
}

void coro_spawned_name(void *arg, char *to, size_t room)
{
    const struct task *t = arg;
    PyObject *name = name_of(t);
    const char *text = t->callable ? Py_TYPE(t->callable)->tp_name : "?";
    size_t n = strlen(text);
    if (name && PyUnicode_IS_COMPACT_ASCII(name)) {
        text = (const char *)PyUnicode_1BYTE_DATA(name);
        n = (size_t)PyUnicode_GET_LENGTH(name);
    }
    if (n >= room)
        n = room - 1;
    memcpy(to, text, n);
    to[n] = 0;
}

/* Nothing that was meant for the call is raised in here. */
static void call_at_end(struct task *t)
{
    PyObject *call = t->at_end;
    t->at_end = NULL;
    if (!call)
        return;
    coro_forget_exceptions(t->coro);
    PyObject *done = PyObject_CallNoArgs(call);
    if (!done)
        interp_log_exception("at the end of a spawned greenlet");
    Py_XDECREF(done);
    Py_DECREF(call);
}

static void task_run(struct job *job)
{
    struct task *t = (struct task *)((char *)job - offsetof(struct task, job));
    struct coro *c = coro_current();
    c->task = (PyObject *)t; /* takes the reference that the queue had */
    t->coro = c;
    t->state = TASK_RUNNING;
    c->woken = t->woken;
    coro_take_heritage(c, &t->heritage, t);
    task_call(t);
    Py_CLEAR(t->callable);
    Py_CLEAR(t->args);
    Py_CLEAR(t->kwargs);
    Py_CLEAR(t->context);
    call_at_end(t);
}

PyObject *coro_spawn(PyObject *callable, PyObject *args, PyObject *kwargs)
{
    if (!coro_hub) {
        PyErr_SetString(PyExc_RuntimeError, "only the server's own thread can spawn");
        return NULL;
    }
    struct interp *i = interp_current();
    struct task *t = task_alloc(i);
    if (!t)
        return NULL;
    t->callable = Py_NewRef(callable);
    t->args = args ? Py_NewRef(args) : PyTuple_New(0);
    t->kwargs = Py_XNewRef(kwargs);
    t->context = PyContext_CopyCurrent();
    if (!t->args || !t->context) {
        Py_DECREF(t);
        return NULL;
    }
    t->heritage = coro_leave_heritage();
    t->job.run = task_run;
    coro_submit(i, &t->job);
    return Py_NewRef(t); /* the queue has the other */
}

/* Waits until the task is over. 1; 0: until_ns passed; -1: exception set. SWITCHES. */
int task_join(struct task *t, int64_t until_ns)
{
    struct coro *c = coro_current();
    if (t->state == TASK_DONE)
        return 1;
    if (!c || t->coro == c) {
        PyErr_SetString(PyExc_RuntimeError, c ? "a greenlet cannot join itself" : "only a handler can join");
        return -1;
    }
    struct joiner *j = malloc(sizeof *j);
    if (!j) {
        PyErr_NoMemory();
        return -1;
    }
    *j = (struct joiner){.next = t->joiners, .coro = c};
    t->joiners = j;
    enum coro_wake woken = CORO_WOKEN;
    Py_INCREF(t);
    while (t->state != TASK_DONE && woken == CORO_WOKEN)
        woken = coro_park(until_ns);
    struct joiner **at = &t->joiners;
    while (*at != j)
        at = &(*at)->next;
    *at = j->next;
    free(j);
    int result = woken == CORO_ERROR ? -1 : t->state == TASK_DONE;
    Py_DECREF(t);
    return result;
}

/* exception: a new reference, taken. */
void task_kill(struct task *t, PyObject *exception)
{
    if (t->state == TASK_DONE) {
        Py_DECREF(exception);
        return;
    }
    mark_thrown(exception);
    if (t->coro)
        coro_throw(t->coro, exception);
    else
        Py_XSETREF(t->killed, exception);
}

static bool is_spawned(const struct coro *c) { return c->job && c->job->run == task_run; }

/* What has not begun never does: it would begin behind everybody else's end, and be waited for. */
static void forget_queued(struct interp *i)
{
    struct interp *was = interp_enter(i);
    for (struct job *job = i->ready.first; job; job = job->next) {
        struct task *t = job->run == task_run ? (struct task *)((char *)job - offsetof(struct task, job)) : NULL;
        if (t && !t->killed && !(t->killed = PyObject_CallNoArgs(coro_greenlet_exit())))
            interp_log_exception("stopping what was spawned");
    }
    interp_enter(was);
}

static bool stop_spawned(void)
{
    bool any = false;
    for (struct interp *i = interp_first(); i; i = i->next)
        forget_queued(i);
    for (struct coro *c = coro_first(); c; c = c->all_next) {
        if (!is_spawned(c) || c->thrown)
            continue;
        struct interp *was = interp_enter(c->interp);
        PyObject *exception = PyObject_CallNoArgs(coro_greenlet_exit());
        if (exception) {
            coro_throw(c, exception);
            any = true;
        } else {
            interp_log_exception("stopping what was spawned");
        }
        interp_enter(was);
    }
    return any;
}

static bool any_spawned(void)
{
    for (struct coro *c = coro_first(); c; c = c->all_next)
        if (is_spawned(c))
            return true;
    return false;
}

void coro_stop_spawned(int64_t until_ns)
{
    if (!coro_hub || !stop_spawned())
        return;
    while (any_spawned() && coro_now_ns() < until_ns) {
        if (loop_turn(coro_hub->loop, coro_has_ready() ? 0 : until_ns))
            return;
        coro_run_ready(until_ns - coro_now_ns());
        loop_end_turn(coro_hub->loop);
    }
}
