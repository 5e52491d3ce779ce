/* CPython's internals, per version. Nothing else in pyhost includes its internal headers. */
#include <Python.h>

/* a macro of the public headers hides the inline function of the internal ones */
#undef _PyGC_FINALIZED
#define Py_BUILD_CORE 1
#include <internal/pycore_frame.h>
#include <internal/pycore_runtime.h>
#if PY_VERSION_HEX >= 0x030d0000
#include <internal/pycore_tstate.h>
#endif
#undef Py_BUILD_CORE

#include <signal.h>
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

void pystate_clear_async(PyThreadState *tstate)
{
    if (tstate->async_exc)
        PyThreadState_SetAsyncExc(tstate->thread_id, NULL);
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

static unsigned long main_thread; /* 0: nothing is changed */

void pystate_make_main(unsigned long thread_id) { _PyRuntime.main_thread = thread_id; }

int pystate_signal_number(void) { return SIGRTMAX - 2; }

int pystate_raise_signal(PyThreadState *tstate, unsigned long thread_id)
{
    if (PyThreadState_GetInterpreter(tstate) != PyInterpreterState_Main())
        return -1;
    if (!main_thread)
        main_thread = _PyRuntime.main_thread;
    _PyRuntime.main_thread = thread_id;
    return PyErr_SetInterruptEx(pystate_signal_number());
}

void pystate_end_signal(void)
{
    if (!main_thread)
        return;
    _PyRuntime.main_thread = main_thread;
    main_thread = 0;
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
