/* The module `_coro`: waits and spawning as Python sees them. The task type is in pytask.c. */
#include "pycoro.h"

#include "coro_spawn.h"
#include "green_python.h"
#include "shm.h"
#include "timer.h"

/* --- functions --- */

static PyObject *none_unless(bool bad)
{
    if (bad)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(sleep_doc, "sleep(seconds=0)\n--\n\nWait that long, or up to an eighth longer (at most 1.05 ms), so that many end together; 0 gives way once. May switch.");
static PyObject *coro_py_sleep(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    (void)module;
    bool bad;
    PyObject *seconds = coro_only_argument("seconds", args, n, names, &bad);
    int64_t until = bad ? -2 : seconds ? coro_deadline_of(seconds) : 0;
    if (until == -2)
        return NULL;
    if (!seconds || (until >= 0 && until <= coro_now_ns()))
        return none_unless(coro_yield());
    enum coro_wake woken;
    until = timer_together(coro_now_ns(), until);
    do
        woken = coro_park(until);
    while (woken == CORO_WOKEN);
    return none_unless(woken == CORO_ERROR);
}

PyDoc_STRVAR(park_doc, "park(timeout=None)\n--\n\nWait for wake(). Returns False when the timeout (seconds) passed. May switch.");
static PyObject *coro_py_park(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    (void)module;
    bool bad;
    PyObject *timeout = coro_only_argument("timeout", args, n, names, &bad);
    int64_t until = bad ? -2 : coro_deadline_of(timeout);
    enum coro_wake woken = until == -2 ? CORO_ERROR : coro_park(until);
    return woken == CORO_ERROR ? NULL : PyBool_FromLong(woken == CORO_WOKEN);
}

PyDoc_STRVAR(yield_doc, "yield_()\n--\n\nGive way once: to the end of the queue. May switch.");
static PyObject *coro_py_yield(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return none_unless(coro_yield());
}

PyDoc_STRVAR(wait_fd_doc, "wait_fd(fd, events, timeout=None)\n--\n\nWait on a descriptor.\n\nevents: select.EPOLLIN | select.EPOLLOUT; timeout: "
                          "seconds, None waits for ever.\nReturns the events that came, 0 when the timeout passed. Raises OSError. May switch.");
static PyObject *coro_py_wait_fd(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    if (n < 2 || n > 3) {
        PyErr_SetString(PyExc_TypeError, "wait_fd(fd, events, timeout=None)");
        return NULL;
    }
    int fd = PyObject_AsFileDescriptor(args[0]);
    long events = fd < 0 ? -1 : PyLong_AsLong(args[1]);
    if (events == -1 && PyErr_Occurred())
        return NULL;
    int64_t until = coro_deadline_of(n > 2 ? args[2] : NULL);
    int got = until == -2 ? -1 : coro_wait_fd(fd, (uint32_t)events, until);
    return got < 0 ? NULL : PyLong_FromLong(got);
}

PyDoc_STRVAR(wait_fd_or_wake_doc, "wait_fd_or_wake(fd, timeout=None)\n--\n\nWait until a descriptor can be read, wake() is called, or the timeout (seconds) "
                                  "has passed.\n\nReturns the events that came, 0: none. May switch.");
static PyObject *coro_py_wait_fd_or_wake(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    if (n < 1 || n > 2) {
        PyErr_SetString(PyExc_TypeError, "wait_fd_or_wake(fd, timeout=None)");
        return NULL;
    }
    int fd = PyObject_AsFileDescriptor(args[0]);
    int64_t until = fd < 0 ? -2 : coro_deadline_of(n > 1 ? args[1] : NULL);
    int got = until == -2 ? -1 : coro_wait_fd_or_wake(fd, EPOLLIN, until);
    return got < 0 ? NULL : PyLong_FromLong(got);
}

PyDoc_STRVAR(fd_closing_doc, "fd_closing(fd)\n--\n\nWake those who wait on this descriptor; they get OSError(EBADF). Never switches.");
static PyObject *coro_py_fd_closing(PyObject *module, PyObject *file)
{
    (void)module;
    int fd = PyObject_AsFileDescriptor(file);
    if (fd < 0)
        return NULL;
    if (coro_hub)
        coro_fd_closing(fd);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(spawn_doc, "spawn(function, /, *args, **kwargs)\n--\n\nCall it in a greenlet of its own, on a later turn. Returns its Task. Never switches.");
static PyObject *coro_py_spawn(PyObject *module, PyObject *args, PyObject *kwargs)
{
    (void)module;
    if (PyTuple_GET_SIZE(args) < 1 || !PyCallable_Check(PyTuple_GET_ITEM(args, 0))) {
        PyErr_SetString(PyExc_TypeError, "spawn() needs something that can be called");
        return NULL;
    }
    PyObject *rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
    PyObject *task = rest ? coro_spawn(PyTuple_GET_ITEM(args, 0), rest, kwargs) : NULL;
    Py_XDECREF(rest);
    return task;
}

PyDoc_STRVAR(alarm_doc, "alarm(seconds, exception)\n--\n\nThrow the exception into the running task after that time. Returns an object with "
                        "cancel(). Never switches.");
static PyObject *coro_py_alarm(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)module;
    struct coro *c = coro_current();
    if (n != 2 || !PyExceptionInstance_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "alarm(seconds, exception)");
        return NULL;
    }
    if (!c) {
        PyErr_SetString(PyExc_RuntimeError, "only a handler can set an alarm");
        return NULL;
    }
    int64_t at_ns = coro_deadline_of(args[0]);
    PyObject *task = at_ns == -2 ? NULL : task_of(c);
    PyObject *alarm = task ? alarm_new((PyTypeObject *)c->interp->alarm_type, (struct task *)task, args[1], at_ns < 0 ? INT64_MAX : at_ns) : NULL;
    Py_XDECREF(task);
    return alarm;
}

PyDoc_STRVAR(tasks_doc, "tasks()\n--\n\nA list of the tasks of this interpreter that have begun and not ended. Never switches.");
static PyObject *coro_py_tasks(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    struct interp *i = interp_current();
    PyObject *list = PyList_New(0);
    for (struct coro *c = coro_hub ? coro_first() : NULL; list && c; c = c->all_next) {
        PyObject *task = c->interp == i && c->job ? task_of(c) : NULL;
        if (task && PyList_Append(list, task))
            Py_CLEAR(list);
        Py_XDECREF(task);
    }
    return PyErr_Occurred() ? NULL : list;
}

PyDoc_STRVAR(current_doc, "current()\n--\n\nThe Task that runs; None on the hub and in other threads. Never switches.");
static PyObject *coro_py_current(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    struct coro *c = coro_current();
    return c ? task_of(c) : Py_NewRef(Py_None);
}

PyDoc_STRVAR(counts_doc, "counts()\n--\n\nA dict of numbers about this interpreter's greenlets: greenlets, idle, waiting, switches.");
static PyObject *coro_py_counts(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    struct interp *i = interp_current();
    return Py_BuildValue("{sIsIsIsK}", "greenlets", i->greenlets, "idle", i->greenlets_idle, "waiting", i->waiting, "switches",
                         (unsigned long long)(coro_hub ? coro_hub->switches : 0));
}

PyDoc_STRVAR(blocked_doc, "blocked()\n--\n\nA dict {Location: count}: how often handlers there held up this worker for longer than PyBlockedWarning, all "
                          "interpreters\ntogether, as the log's lines say. `(no Location)` is what lies outside of them, `(coroutines)` what was spawned,\n`(other Locations)` what came "
                          "after the first 127. Never switches.");
static PyObject *coro_py_blocked(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    PyObject *counts = PyDict_New();
    uint64_t count;
    const char *place;
    for (unsigned n = 0; counts && (place = blocked_at(&shm_slot->blocked, n, &count)); n++) {
        PyObject *key = PyUnicode_DecodeUTF8(place, (Py_ssize_t)strlen(place), "replace"), *value = PyLong_FromUnsignedLongLong(count);
        if (!key || !value || PyDict_SetItem(counts, key, value))
            Py_CLEAR(counts);
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return counts;
}

PyDoc_STRVAR(green_calls_doc, "green_calls()\n--\n\nA tuple of names: the system calls of handlers that give way. Never switches.");
static PyObject *coro_py_green_calls(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    Py_ssize_t count = 0;
    while (green_call_names[count])
        count++;
    PyObject *names = PyTuple_New(count);
    for (Py_ssize_t n = 0; names && n < count; n++)
        PyTuple_SET_ITEM(names, n, PyUnicode_FromString(green_call_names[n]));
    return names;
}

PyDoc_STRVAR(make_main_doc, "_make_main()\n--\n\nThe running greenlet is the program: it counts as the main thread, and signal handlers run in it.");
static PyObject *coro_py_make_main(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    struct coro *c = coro_current();
    if (!c)
        PyErr_SetString(PyExc_RuntimeError, "only a greenlet of the hub can be the program");
    else
        pystate_make_main((unsigned long)(uintptr_t)c);
    if (c)
        green_teach_input();
    return c ? Py_NewRef(Py_None) : NULL;
}

PyDoc_STRVAR(interrupt_doc, "_interrupt(task)\n--\n\nWhere it waits it looks for signals, as after EINTR. Never switches.");
static PyObject *coro_py_interrupt(PyObject *module, PyObject *arg)
{
    (void)module;
    struct interp *i = interp_current();
    if (!i || !PyObject_TypeCheck(arg, (PyTypeObject *)i->task_type)) {
        PyErr_SetString(PyExc_TypeError, "a Task was expected");
        return NULL;
    }
    struct coro *c = ((struct task *)arg)->coro;
    if (c) {
        c->interrupted = true;
        coro_wake(c);
    }
    Py_RETURN_NONE;
}

static PyMethodDef coro_methods[] = {
    {"_make_main", coro_py_make_main, METH_NOARGS, make_main_doc},
    {"_interrupt", coro_py_interrupt, METH_O, interrupt_doc},
    {"sleep", (PyCFunction)(void (*)(void))coro_py_sleep, METH_FASTCALL | METH_KEYWORDS, sleep_doc},
    {"park", (PyCFunction)(void (*)(void))coro_py_park, METH_FASTCALL | METH_KEYWORDS, park_doc},
    {"yield_", coro_py_yield, METH_NOARGS, yield_doc},
    {"wait_fd", (PyCFunction)(void (*)(void))coro_py_wait_fd, METH_FASTCALL, wait_fd_doc},
    {"wait_fd_or_wake", (PyCFunction)(void (*)(void))coro_py_wait_fd_or_wake, METH_FASTCALL, wait_fd_or_wake_doc},
    {"fd_closing", coro_py_fd_closing, METH_O, fd_closing_doc},
    {"spawn", (PyCFunction)(void (*)(void))coro_py_spawn, METH_VARARGS | METH_KEYWORDS, spawn_doc},
    {"alarm", (PyCFunction)(void (*)(void))coro_py_alarm, METH_FASTCALL, alarm_doc},
    {"tasks", coro_py_tasks, METH_NOARGS, tasks_doc},
    {"current", coro_py_current, METH_NOARGS, current_doc},
    {"green_calls", coro_py_green_calls, METH_NOARGS, green_calls_doc},
    {"counts", coro_py_counts, METH_NOARGS, counts_doc},
    {"blocked", coro_py_blocked, METH_NOARGS, blocked_doc},
    {NULL, NULL, 0, NULL}};

/* They end a request, so "except Exception" must not swallow them. */
static PyObject *ending(PyObject *module, const char *name, const char *doc)
{
    char full[64];
    snprintf(full, sizeof full, "pyhost.coro.%s", name);
    PyObject *type = PyErr_NewExceptionWithDoc(full, doc, PyExc_BaseException, NULL);
    if (type && PyModule_AddObjectRef(module, name, type))
        Py_CLEAR(type);
    return type;
}

static int add_exceptions(PyObject *module, struct interp *i)
{
    PyObject *timeout = ending(module, "RequestTimeout", "The request has taken longer than PyRequestTimeout allows.");
    PyObject *gone = ending(module, "ClientGone", "The client of the request has gone (PyCancelOnDisconnect).");
    if (timeout && gone && i) {
        Py_XSETREF(i->timeout_type, Py_NewRef(timeout));
        Py_XSETREF(i->gone_type, Py_NewRef(gone));
    }
    int bad = timeout && gone ? 0 : -1;
    Py_XDECREF(timeout);
    Py_XDECREF(gone);
    return bad;
}

static int coro_exec(PyObject *module)
{
    struct interp *i = interp_current();
    if (add_exceptions(module, i))
        return -1;
    PyObject *alarm = PyType_FromModuleAndSpec(module, &alarm_spec, NULL);
    if (!alarm)
        return -1;
    if (i)
        Py_XSETREF(i->alarm_type, alarm);
    else
        Py_DECREF(alarm);
    PyObject *type = PyType_FromModuleAndSpec(module, &task_spec, NULL);
    if (!type || PyModule_AddObjectRef(module, "Task", type)) {
        Py_XDECREF(type);
        return -1;
    }
    if (i)
        Py_XSETREF(i->task_type, type);
    else
        Py_DECREF(type); /* only looked at: no interpreter is served */
    return 0;
}

static PyModuleDef_Slot coro_slots[] = {
    {Py_mod_exec, coro_exec},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED},
#endif
    {0, NULL}};

static struct PyModuleDef coro_module = {
    PyModuleDef_HEAD_INIT, .m_name = "_coro", .m_doc = "Greenlets that wait on pyhost's hub.", .m_methods = coro_methods, .m_slots = coro_slots};

PyObject *PyInit__coro(void) { return PyModuleDef_Init(&coro_module); }
