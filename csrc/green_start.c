/* Start of room green in a worker: where libpython is, the handler of the synthetic signal, and what the sentinel may ask of a greenlet. */
#include "green_python.h"

#include <stdatomic.h>
#include <string.h>

#include "coro_impl.h"
#include "log.h"
#include "sentinel.h"

static _Atomic bool slice_over; /* the greenlet that runs has computed for long enough */

/* pyhost's own Python code, and asyncio's, count on it that nobody else runs between two of their waits. */
static bool in_own_code(PyObject *frame)
{
    if (!frame || !PyFrame_Check(frame))
        return false;
    PyObject *globals = PyFrame_GetGlobals((PyFrameObject *)frame);
    PyObject *name = globals ? PyDict_GetItemString(globals, "__name__") : NULL; /* borrowed */
    const char *text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    bool own = text && (strncmp(text, "pyhost.", 7) == 0 || strncmp(text, "asyncio.", 8) == 0);
    PyErr_Clear();
    Py_XDECREF(globals);
    return own;
}

/* Runs where the bytecode of the greenlet is at a safe point: in a wait that an exception ends, or in a computation that has to give way.
 * SWITCHES. */
static PyObject *raise_thrown(PyObject *self, PyObject *args)
{
    (void)self;
    pystate_end_signal();
    struct coro *c = coro_current();
    PyObject *frame = PyTuple_GET_SIZE(args) == 2 && PyFrame_Check(PyTuple_GET_ITEM(args, 1)) ? PyTuple_GET_ITEM(args, 1) : NULL; /* borrowed */
    bool due = atomic_exchange(&slice_over, false), told = c && (c->told || c->owed);
    if (!told && (!c || in_own_code(frame)))
        Py_RETURN_NONE; /* the sentinel asks again */
    if (told && (PyFrameObject *)frame != c->call && coro_call_goes_on(c, (PyFrameObject *)frame)) {
        coro_announce(c);
        Py_RETURN_NONE;
    }
    bool later = c && c->thrown && !told && coro_is_importing(c);
    PyObject *exception = later ? NULL : green_take_thrown();
    if (!exception)
        return due && coro_end_slice() ? NULL : Py_NewRef(Py_None);
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
    return NULL;
}

static PyMethodDef raise_method = {"raise_thrown", raise_thrown, METH_VARARGS, "Raises what was thrown into the greenlet that waits."};

static int install_handler(void)
{
    PyObject *module = PyImport_ImportModule("signal"), *handler = PyCFunction_New(&raise_method, NULL);
    PyObject *was = module && handler ? PyObject_CallMethod(module, "signal", "iO", pystate_signal_number(), handler) : NULL;
    int bad = was ? 0 : -1;
    Py_XDECREF(was);
    Py_XDECREF(handler);
    Py_XDECREF(module);
    return bad;
}

bool green_init(void)
{
    green_real_fill();
    green_identity_init();
    if (!green_find_libpython((const void *)(uintptr_t)&PyEval_RestoreThread)) {
        log_error(NULL, LEVEL_NOTICE, "green", "libpython is part of this program: blocking calls of handlers block the worker");
        return false;
    }
    green_link_python((const void *)(uintptr_t)&PyEval_RestoreThread);
    green_teach_socket();
    green_teach_sleep();
    return install_handler() == 0;
}

/* What runs, and below it its stack. The loop's thread stands still: in its signal handler, or in the kernel. */
static void write_report(void *who, char *report, size_t room)
{
    const struct coro *c = who;
    report[0] = 0;
    if (c->describe)
        c->describe(c->describe_arg, report, room / 4);
    size_t used = strlen(report);
    report[used++] = '\n';
    pystate_write_stack(c->interp->tstate, report + used, room - used);
}

/* A signal handler on the loop's thread: whatever it interrupts goes on as it was. Only code that holds the GIL can be asked to give way. */
static void obey(unsigned orders, char *report, size_t room)
{
    struct coro *c = coro_current();
    report[0] = 0;
    if (!c)
        return;
    if (orders & SENTINEL_REPORT)
        write_report(c, report, room);
    if (!(orders & SENTINEL_GIVE_WAY))
        return;
    if (!pystate_holds_gil(c->interp->tstate)) {
        atomic_store(&sentinel_watch.deaf, true);
    } else {
        slice_over = true;
        if (pystate_raise_signal(c->interp->tstate, (unsigned long)(uintptr_t)c))
            slice_over = false;
    }
}

/* A pending call of an interpreter, at a safe point of any of its threads; the stretch that it is meant for may be over. SWITCHES. */
static int give_way(void *arg)
{
    struct interp *i = arg;
    struct coro *c = coro_current();
    atomic_store(&i->asked, false);
    if (!c || c->interp != i || atomic_load(&sentinel_watch.progress) != atomic_load(&i->asked_at))
        return 0;
    if (in_own_code((PyObject *)PyEval_GetFrame()))
        return 0;
    pystate_let_calls_in(i->tstate);
    return coro_end_slice();
}

/* Does the loop's thread hold the GIL? As far as another thread can see. */
static bool seems_busy(const struct interp *whose)
{
    const PyThreadState *holder = pystate_gil_holder(whose->tstate);
    for (const struct interp *i = interp_first(); holder && i; i = i->next)
        if (i->tstate == holder)
            return true;
    return false;
}

/* In the sentinel's thread. Where signals do not reach, one call at a time and interpreter, for CPython has room for few. */
static bool hears(void *whose, uint64_t progress)
{
    struct interp *i = whose;
    if (!seems_busy(i))
        return false;
    if (!pystate_needs_call(i->tstate))
        return true;
    atomic_store(&i->asked_at, progress);
    if (!atomic_exchange(&i->asked, true) && pystate_call_soon(i->tstate, give_way, i))
        atomic_store(&i->asked, false);
    return false;
}

int green_watch(void) { return sentinel_start(obey, hears, write_report); }
