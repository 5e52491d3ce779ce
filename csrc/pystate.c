/* CPython's internals, per version. Nothing else in pyhost includes its internal headers. */
#include <Python.h>

/* a macro of the public headers hides the inline function of the internal ones */
#undef _PyGC_FINALIZED
#define Py_BUILD_CORE 1
#include <internal/pycore_context.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_runtime.h>
#if PY_VERSION_HEX >= 0x030c0000
#include <internal/pycore_ceval.h>
#include <internal/pycore_interp.h>
#endif
#if PY_VERSION_HEX >= 0x030d0000
#include <internal/pycore_tstate.h>
#endif
#undef Py_BUILD_CORE

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "pystate.h"

#if PY_VERSION_HEX < 0x030b0000 || PY_VERSION_HEX >= 0x030e0000
#error "pyhost knows the internals of CPython 3.11, 3.12 and 3.13; add this version to pystate.c"
#endif

void pystate_bind_gilstate(PyThreadState *tstate)
{
#if PY_VERSION_HEX < 0x030c0000
    PyThread_tss_set(&_PyRuntime.gilstate.autoTSSkey, tstate);
#else
    (void)tstate;
#endif
}

void pystate_freeze_type(PyTypeObject *type)
{
#if PY_VERSION_HEX >= 0x030c0000
    type->tp_flags |= Py_TPFLAGS_IMMUTABLETYPE;
#else
    (void)type;
#endif
}

static uint64_t next_id = (uint64_t)1 << 40; /* far above what CPython counts out for threads */

void pystate_init_identity(struct pystate_identity *identity, unsigned long thread_id)
{
    *identity = (struct pystate_identity){.thread_id = thread_id, .id = next_id++};
}

static void swap_object(PyObject **a, PyObject **b)
{
    PyObject *kept = *a;
    *a = *b;
    *b = kept;
}

void pystate_swap_identity(PyThreadState *tstate, struct pystate_identity *identity)
{
    uint64_t id = tstate->id;
    tstate->id = identity->id;
    identity->id = id;
    unsigned long thread_id = tstate->thread_id;
    tstate->thread_id = identity->thread_id;
    identity->thread_id = thread_id;
    swap_object(&tstate->dict, &identity->dict);
    swap_object(&tstate->async_exc, &identity->async_exc);
#if PY_VERSION_HEX >= 0x030d0000
    swap_object(&tstate->threading_local_key, &identity->local_key);
    swap_object(&tstate->threading_local_sentinel, &identity->local_sentinel);
    swap_object(&((_PyThreadStateImpl *)tstate)->asyncio_running_loop, &identity->running_loop);
#endif
}

/* The flag that makes the interpreter look may have been spent on another greenlet meanwhile. */
void pystate_renew_async(PyThreadState *tstate)
{
    PyObject *exception = tstate->async_exc;
    if (!exception)
        return;
    tstate->async_exc = NULL;
    PyThreadState_SetAsyncExc(tstate->thread_id, exception);
    Py_DECREF(exception);
}

void pystate_clear_identity(struct pystate_identity *identity)
{
    Py_CLEAR(identity->dict);
    Py_CLEAR(identity->async_exc);
    Py_CLEAR(identity->local_sentinel);
    Py_CLEAR(identity->local_key);
    Py_CLEAR(identity->running_loop);
}

#if PY_VERSION_HEX >= 0x030d0000
static uint64_t dict_changes; /* of all dicts that are marked */

static int on_dict_change(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    (void)event, (void)dict, (void)key, (void)value;
    dict_changes++;
    return 0;
}

int pystate_dict_watcher(void) { return PyDict_AddWatcher(on_dict_change); }

uint64_t pystate_dict_mark(int watcher, PyObject *dict)
{
    PyDict_Watch(watcher, dict);
    return dict_changes;
}

bool pystate_dict_is_as_marked(int watcher, PyObject *dict, uint64_t mark)
{
    PyDict_Unwatch(watcher, dict);
    return dict_changes == mark;
}
#else
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* 3.12 says that it will go, and it is gone in 3.13 */
int pystate_dict_watcher(void) { return 0; }

uint64_t pystate_dict_mark(int watcher, PyObject *dict)
{
    (void)watcher;
    return ((PyDictObject *)dict)->ma_version_tag;
}

bool pystate_dict_is_as_marked(int watcher, PyObject *dict, uint64_t mark)
{
    (void)watcher;
    return ((PyDictObject *)dict)->ma_version_tag == mark;
}
#pragma GCC diagnostic pop
#endif

bool pystate_context_is_copy(PyObject *context)
{
    const PyContext *copy = (PyContext *)context, *current = (PyContext *)PyThreadState_Get()->context;
    return Py_REFCNT(context) == 1 && !copy->ctx_weakreflist && current && copy->ctx_vars == current->ctx_vars;
}

/* --- the synthetic signal ---
 *
 * CPython runs signal handlers in the main thread of the main interpreter only, and asks itself whether it is there right before it does. So for
 * the moment between the signal and its handler the greenlet counts as both. Where memory does not depend on which interpreter is the main one
 * (3.11, 3.13), the named one is made that; 3.12 keeps its allocator there, so the thread state is lent to the real main interpreter instead. */
static struct {
    volatile bool raised;
    volatile bool changing;     /* the sentinel's signal handler may come between any two steps below; it leaves alone what is half done */
    unsigned long main_thread;
    PyInterpreterState *main;   /* _PyRuntime's; NULL: not changed */
    PyThreadState *lent;        /* 3.12: counts as main's; NULL: none */
    PyInterpreterState *owner;  /* of lent */
} signalled;

enum { LENDS = PY_VERSION_HEX >= 0x030c0000 && PY_VERSION_HEX < 0x030d0000 };

void pystate_make_main(unsigned long thread_id) { _PyRuntime.main_thread = thread_id; }

int pystate_signal_number(void) { return SIGRTMAX - 2; }

void pystate_look_for_signals(PyThreadState *tstate)
{
#if PY_VERSION_HEX >= 0x030d0000
    _Py_set_eval_breaker_bit(tstate, _PY_SIGNALS_PENDING_BIT);
#else
    (void)tstate; /* trip_signal tells the interpreter that counts as main */
#endif
}

static void count_as_main(PyThreadState *tstate)
{
    PyInterpreterState *own = tstate->interp;
    if (own == _PyRuntime.interpreters.main)
        return;
    if (LENDS) {
        Py_XDECREF(PyThreadState_GetFrame(tstate)); /* the handler's argument is made here, by the interpreter whose it is */
        signalled.lent = tstate;
        signalled.owner = own;
        tstate->interp = _PyRuntime.interpreters.main;
    } else {
        signalled.main = _PyRuntime.interpreters.main;
        _PyRuntime.interpreters.main = own;
    }
}

int pystate_raise_signal(PyThreadState *tstate, unsigned long thread_id)
{
    if (signalled.changing)
        return -1;
    pystate_end_signal();
    signalled.changing = true;
    atomic_signal_fence(memory_order_seq_cst);
    signalled.main_thread = _PyRuntime.main_thread;
    signalled.raised = true;
    _PyRuntime.main_thread = thread_id;
    count_as_main(tstate);
    int bad = PyErr_SetInterruptEx(pystate_signal_number());
    atomic_signal_fence(memory_order_seq_cst);
    signalled.changing = false;
    if (bad)
        pystate_end_signal();
    else
        pystate_look_for_signals(tstate);
    return bad ? -1 : 0;
}

void pystate_end_signal(void)
{
    if (!signalled.raised)
        return;
    signalled.changing = true;
    atomic_signal_fence(memory_order_seq_cst);
    _PyRuntime.main_thread = signalled.main_thread;
    if (signalled.main)
        _PyRuntime.interpreters.main = signalled.main;
    if (signalled.lent)
        signalled.lent->interp = signalled.owner;
    signalled.main = NULL;
    signalled.lent = NULL;
    signalled.raised = false;
    atomic_signal_fence(memory_order_seq_cst);
    signalled.changing = false;
}

/* Lending is right between a wait and its caller's look for signals, but not in the midst of any C code, which may be about to ask whose modules
 * these are. There a pending call, which belongs to its interpreter, comes at the next safe point by itself. */
bool pystate_needs_call(const PyThreadState *tstate) { return LENDS && tstate->interp != _PyRuntime.interpreters.main; }

const PyThreadState *pystate_gil_holder(const PyThreadState *tstate)
{
#if PY_VERSION_HEX >= 0x030d0000
    const struct _gil_runtime_state *gil = tstate->interp->ceval.gil;
    return __atomic_load_n(&gil->locked, __ATOMIC_RELAXED) ? __atomic_load_n(&gil->last_holder, __ATOMIC_RELAXED) : NULL;
#else
#if PY_VERSION_HEX >= 0x030c0000
    const struct _gil_runtime_state *gil = tstate->interp->ceval.gil;
#else
    (void)tstate;
    const struct _gil_runtime_state *gil = &_PyRuntime.ceval.gil;
#endif
    return _Py_atomic_load_relaxed(&gil->locked) ? (const PyThreadState *)_Py_atomic_load_relaxed(&gil->last_holder) : NULL;
#endif
}

int pystate_call_soon(PyThreadState *tstate, int (*function)(void *), void *arg)
{
#if PY_VERSION_HEX >= 0x030c0000 && PY_VERSION_HEX < 0x030d0000
    return _PyEval_AddPendingCall(tstate->interp, function, arg, 0);
#else
    (void)tstate;
    (void)function;
    (void)arg;
    return -1;
#endif
}

void pystate_let_calls_in(PyThreadState *tstate)
{
#if PY_VERSION_HEX >= 0x030c0000 && PY_VERSION_HEX < 0x030d0000
    tstate->interp->ceval.pending.busy = 0;
#else
    (void)tstate;
#endif
}

/* --- the stack, read in a signal handler: no allocation, no reference counts --- */

enum { STACK_FRAMES_MAX = 40, STACK_TEXT_MAX = 200 };

struct text { char *at; size_t left; };

static void add_bytes(struct text *t, const char *from, size_t n)
{
    if (n >= t->left)
        n = t->left ? t->left - 1 : 0;
    memcpy(t->at, from, n);
    t->at += n;
    t->left -= n;
    *t->at = 0;
}

static void add_str(struct text *t, PyObject *o)
{
    if (!o || !PyUnicode_Check(o) || !PyUnicode_IS_COMPACT_ASCII(o)) {
        add_bytes(t, "?", 1);
        return;
    }
    size_t n = (size_t)PyUnicode_GET_LENGTH(o), skip = n > STACK_TEXT_MAX ? n - STACK_TEXT_MAX : 0;
    add_bytes(t, (const char *)PyUnicode_1BYTE_DATA(o) + skip, n - skip);
}

static void add_number(struct text *t, int number)
{
    char digits[12];
    size_t n = sizeof digits;
    unsigned rest = number < 0 ? 0 : (unsigned)number;
    do
        digits[--n] = (char)('0' + rest % 10);
    while ((rest /= 10));
    add_bytes(t, digits + n, sizeof digits - n);
}

static _PyInterpreterFrame *top_frame(const PyThreadState *tstate)
{
#if PY_VERSION_HEX >= 0x030d0000
    return tstate->current_frame;
#else
    return tstate->cframe ? tstate->cframe->current_frame : NULL;
#endif
}

static PyCodeObject *frame_code(const _PyInterpreterFrame *f)
{
#if PY_VERSION_HEX >= 0x030d0000
    return f->f_executable && PyCode_Check(f->f_executable) ? (PyCodeObject *)f->f_executable : NULL;
#else
    return f->f_code && PyCode_Check(f->f_code) ? f->f_code : NULL;
#endif
}

struct pystate_place pystate_place_of(const PyThreadState *tstate) { return (struct pystate_place){top_frame(tstate), tstate->context}; }

const void *pystate_object_of_frame(const void *frame) { return ((const _PyInterpreterFrame *)frame)->frame_obj; }

size_t pystate_write_stack(const PyThreadState *tstate, char *to, size_t room)
{
    struct text t = {to, room};
    *to = 0;
    int count = 0;
    for (_PyInterpreterFrame *f = top_frame(tstate); f && count < STACK_FRAMES_MAX; f = f->previous) {
        PyCodeObject *code = frame_code(f);
#if PY_VERSION_HEX >= 0x030c0000
        if (f->owner == FRAME_OWNED_BY_CSTACK)
            continue;
#endif
        if (!code)
            continue;
        add_bytes(&t, "  File \"", 8);
        add_str(&t, code->co_filename);
        add_bytes(&t, "\", line ", 8);
        add_number(&t, PyCode_Addr2Line(code, _PyInterpreterFrame_LASTI(f) * (int)sizeof(_Py_CODEUNIT)));
        add_bytes(&t, ", in ", 5);
        add_str(&t, code->co_qualname);
        add_bytes(&t, "\n", 1);
        count++;
    }
    return (size_t)(t.at - to);
}
