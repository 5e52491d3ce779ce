/* Alarms: an exception that is thrown into a task when a time has come, unless it is called off. What Timeout and deadline stand on. */
#include "coro_spawn.h"

enum { AGAIN_NS = 5000000 };

struct alarm {
    PyObject_HEAD
    struct timer timer;
    struct task *task;   /* strong */
    PyObject *exception; /* strong */
    bool rang;
};

/* In the hub; references only, so it does not matter whose interpreter is current. */
static void alarm_rings(struct timer *timer)
{
    struct alarm *a = (struct alarm *)((char *)timer - offsetof(struct alarm, timer));
    struct coro *c = a->task->coro;
    if (c && (c->thrown || c->owed) && timer_arm(&coro_hub->loop->timers, timer, coro_hub->loop->now_ns + AGAIN_NS) == 0)
        return; /* one after the other */
    a->rang = true;
    if (c && !c->thrown)
        coro_throw(c, Py_NewRef(a->exception));
}

PyObject *alarm_new(PyTypeObject *type, struct task *task, PyObject *exception, int64_t at_ns)
{
    struct alarm *a = (struct alarm *)type->tp_alloc(type, 0);
    if (!a)
        return NULL;
    a->timer.fire = alarm_rings;
    a->task = (struct task *)Py_NewRef(task);
    a->exception = Py_NewRef(exception);
    if (timer_arm(&coro_hub->loop->timers, &a->timer, at_ns)) {
        Py_DECREF(a);
        return PyErr_NoMemory();
    }
    return (PyObject *)a;
}

/* Rang, but the exception has not arrived: it is taken back. */
static PyObject *alarm_cancel(PyObject *self, PyObject *unused)
{
    (void)unused;
    struct alarm *a = (struct alarm *)self;
    if (coro_hub)
        timer_disarm(&coro_hub->loop->timers, &a->timer);
    struct coro *c = a->task->coro;
    if (a->rang && c)
        coro_take_back(c, a->exception);
    return PyBool_FromLong(!a->rang);
}

static void alarm_dealloc(PyObject *self)
{
    struct alarm *a = (struct alarm *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (coro_hub)
        timer_disarm(&coro_hub->loop->timers, &a->timer);
    Py_CLEAR(a->task);
    Py_CLEAR(a->exception);
    type->tp_free(self);
    Py_DECREF(type);
}

static int alarm_traverse(PyObject *self, visitproc visit, void *arg)
{
    struct alarm *a = (struct alarm *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(a->task);
    Py_VISIT(a->exception);
    return 0;
}

PyDoc_STRVAR(cancel_doc, "cancel()\n--\n\nCall it off, also when the exception is on its way. Returns False when it had rung. Never switches.");
static PyMethodDef alarm_methods[] = {{"cancel", alarm_cancel, METH_NOARGS, cancel_doc}, {NULL, NULL, 0, NULL}};
static PyType_Slot alarm_slots[] = {
    {Py_tp_dealloc, alarm_dealloc}, {Py_tp_traverse, alarm_traverse}, {Py_tp_methods, alarm_methods}, {0, NULL}};
PyType_Spec alarm_spec = {
    .name = "_coro.Alarm", .basicsize = sizeof(struct alarm), .slots = alarm_slots,
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION};
