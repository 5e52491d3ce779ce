/* The type `_coro.Task`: a greenlet as Python sees it. Its life is in coro_spawn.c. */
#include <Python.h>

#include <math.h>
#include <stddef.h>
#include <structmember.h>

#include "coro_spawn.h"

/* Seconds (None: for ever) as an absolute time; -2 with an exception. */
int64_t coro_deadline_of(PyObject *timeout)
{
    if (!timeout || timeout == Py_None)
        return -1;
    double seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1.0 && PyErr_Occurred())
        return -2;
    if (isnan(seconds)) {
        PyErr_SetString(PyExc_ValueError, "a timeout must be a number of seconds");
        return -2;
    }
    if (seconds > 1e9)
        return -1;
    return coro_now_ns() + (seconds > 0 ? (int64_t)(seconds * 1e9) : 0);
}

/* The one argument "timeout" (or "seconds") of a wait, by place or by name. NULL with *bad false: not given. */
PyObject *coro_only_argument(const char *name, PyObject *const *args, Py_ssize_t n, PyObject *names, bool *bad)
{
    Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
    *bad = n + named > 1 || (named && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), name) != 0);
    if (*bad)
        PyErr_Format(PyExc_TypeError, "only one argument, %s, is taken", name);
    return n + named ? args[0] : NULL;
}

/* --- the task type --- */

static int task_traverse(PyObject *self, visitproc visit, void *arg)
{
    struct task *t = (struct task *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(t->callable);
    Py_VISIT(t->args);
    Py_VISIT(t->kwargs);
    Py_VISIT(t->context);
    Py_VISIT(t->result);
    Py_VISIT(t->exception);
    Py_VISIT(t->killed);
    Py_VISIT(t->locals);
    Py_VISIT(t->name);
    Py_VISIT(t->at_end);
    return 0;
}

static int task_clear(PyObject *self)
{
    struct task *t = (struct task *)self;
    Py_CLEAR(t->callable);
    Py_CLEAR(t->args);
    Py_CLEAR(t->kwargs);
    Py_CLEAR(t->context);
    Py_CLEAR(t->result);
    Py_CLEAR(t->exception);
    Py_CLEAR(t->killed);
    Py_CLEAR(t->locals);
    Py_CLEAR(t->name);
    Py_CLEAR(t->at_end);
    return 0;
}

static void task_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (((struct task *)self)->weakrefs)
        PyObject_ClearWeakRefs(self);
    task_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(join_doc, "join(timeout=None)\n--\n\nWait until it is over.\n\ntimeout: seconds, None waits for ever. Returns True, or False "
                       "when the timeout passed. May switch.");
static PyObject *task_py_join(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    bool bad;
    PyObject *timeout = coro_only_argument("timeout", args, n, names, &bad);
    int64_t until = bad ? -2 : coro_deadline_of(timeout);
    int done = until == -2 ? -1 : task_join((struct task *)self, until);
    return done < 0 ? NULL : PyBool_FromLong(done);
}

PyDoc_STRVAR(get_doc, "get(timeout=None)\n--\n\nWait for the result and return it, or raise what the call raised.\n\n"
                      "timeout: seconds, None waits for ever. Raises TimeoutError. May switch.");
static PyObject *task_py_get(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    struct task *t = (struct task *)self;
    bool bad;
    PyObject *timeout = coro_only_argument("timeout", args, n, names, &bad);
    int64_t until = bad ? -2 : coro_deadline_of(timeout);
    int done = until == -2 ? -1 : task_join(t, until);
    if (done < 0)
        return NULL;
    if (!done)
        PyErr_SetString(PyExc_TimeoutError, "the greenlet has not ended in time");
    else if (t->exception)
        PyErr_SetObject((PyObject *)Py_TYPE(t->exception), t->exception);
    else
        return Py_NewRef(t->result ? t->result : Py_None);
    return NULL;
}

PyDoc_STRVAR(kill_doc, "throw(exception)\n--\n\nRaise an exception in it where it waits; when it has not begun, it never runs. Never switches.");
static PyObject *task_py_throw(PyObject *self, PyObject *exception)
{
    PyObject *made = PyExceptionClass_Check(exception) ? PyObject_CallNoArgs(exception) : Py_NewRef(exception);
    if (!made)
        return NULL;
    if (!PyExceptionInstance_Check(made)) {
        Py_DECREF(made);
        PyErr_SetString(PyExc_TypeError, "an exception class or instance is needed");
        return NULL;
    }
    task_kill((struct task *)self, made);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(wake_doc, "wake()\n--\n\nEnd its park() now, or its next one. Any thread may call it. Never switches.");
static PyObject *task_py_wake(PyObject *self, PyObject *unused)
{
    (void)unused;
    struct task *t = (struct task *)self;
    if (t->coro)
        coro_wake_from_anywhere(t->coro);
    else
        t->woken = true;
    Py_RETURN_NONE;
}

static PyObject *task_done(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((struct task *)self)->state == TASK_DONE);
}

static PyObject *task_started(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((struct task *)self)->state != TASK_QUEUED);
}

static PyObject *task_locals(PyObject *self, void *unused)
{
    (void)unused;
    struct task *t = (struct task *)self;
    if (!t->locals)
        t->locals = PyDict_New();
    return Py_XNewRef(t->locals);
}

/* Where its Python code stands: a frame, or None when it runs or has none. */
static PyObject *task_frame(PyObject *self, void *unused)
{
    (void)unused;
    struct coro *c = ((struct task *)self)->coro;
    if (!c || c == coro_current() || !c->parked_at)
        Py_RETURN_NONE;
    return PyObject_GetAttrString(c->parked_at, "gr_frame");
}

/* Sums of a finished task are kept by task_over. */
static PyObject *task_counts(PyObject *self, void *unused)
{
    (void)unused;
    struct task *t = (struct task *)self;
    if (t->coro)
        task_note_counts(t);
    return Py_BuildValue("(dLd)", (double)t->run_ns / 1e9, (long long)t->resumes, (double)t->longest_ns / 1e9);
}

static PyMethodDef task_methods[] = {
    {"join", (PyCFunction)(void (*)(void))task_py_join, METH_FASTCALL | METH_KEYWORDS, join_doc},
    {"get", (PyCFunction)(void (*)(void))task_py_get, METH_FASTCALL | METH_KEYWORDS, get_doc},
    {"throw", task_py_throw, METH_O, kill_doc},
    {"wake", task_py_wake, METH_NOARGS, wake_doc},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef task_getset[] = {
    {"done", task_done, NULL, "True when it is over.", NULL},
    {"started", task_started, NULL, "True when it has begun.", NULL},
    {"frame", task_frame, NULL, "The innermost frame where it waits; None while it runs.", NULL},
    {"counts", task_counts, NULL, "Seconds it has run, how often it was resumed, its longest stretch in seconds.", NULL},
    {"locals", task_locals, NULL, "A dict of its own.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyMemberDef task_members[] = {
    {"result", T_OBJECT, offsetof(struct task, result), READONLY, "What the call returned; None before."},
    {"exception", T_OBJECT, offsetof(struct task, exception), READONLY, "What the call raised; None: nothing."},
    {"name", T_OBJECT, offsetof(struct task, name), 0, "For people."},
    {"_at_end", T_OBJECT, offsetof(struct task, at_end), 0, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct task, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL}};

PyDoc_STRVAR(task_doc, "A greenlet that the hub knows: a spawned call, or the request that runs.");
static PyType_Slot task_slots[] = {
    {Py_tp_doc, (void *)task_doc},       {Py_tp_dealloc, task_dealloc}, {Py_tp_traverse, task_traverse}, {Py_tp_clear, task_clear},
    {Py_tp_methods, task_methods},       {Py_tp_getset, task_getset},   {Py_tp_members, task_members},   {0, NULL}};
PyType_Spec task_spec = {
    .name = "_coro.Task", .basicsize = sizeof(struct task), .slots = task_slots,
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION};
