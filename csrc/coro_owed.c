/* Exceptions on their way through code in C. A call that waits is ended with EINTR and a signal, which CPython's own calls look for at once. Other
 * code may try again (it is then ended with ECANCELED), or go on and call back into Python before it returns: psycopg2 has Python's codec decode the
 * text of its error. An exception that were raised there would be swallowed, so it is raised by the frame that made the call, or by one that called
 * that, and by none that the call makes. */
#include "coro_impl.h"
#include "green_python.h"

#include <string.h>

/* What waits is a call that the frame below makes. GIL held. */
void coro_note_call(struct coro *c)
{
    PyFrameObject *frame = PyThreadState_GetFrame(c->interp->tstate);
    Py_XSETREF(c->call, frame);
    c->call_at = frame ? PyFrame_GetLasti(frame) : 0;
}

bool coro_call_goes_on(const struct coro *c, PyFrameObject *now)
{
    if (!c->call || PyFrame_GetLasti(c->call) != c->call_at)
        return false;
    PyFrameObject *frame = (PyFrameObject *)Py_XNewRef((PyObject *)now);
    while (frame && frame != c->call) {
        PyFrameObject *back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
    }
    Py_XDECREF(frame);
    return frame != NULL;
}

bool coro_call_waits_again(const struct coro *c)
{
    if (!c->owed || !c->call)
        return false;
    PyFrameObject *now = PyThreadState_GetFrame(c->interp->tstate);
    bool again = now == c->call && coro_call_goes_on(c, now);
    Py_XDECREF(now);
    return again;
}

static bool ends_with(PyObject *text, const char *end)
{
    Py_ssize_t len;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &len);
    PyErr_Clear();
    size_t n = strlen(end);
    return bytes && (size_t)len >= n && memcmp(bytes + len - n, end, n) == 0;
}

/* importlib, or the importer of handlers where it runs a file. */
static bool imports(PyFrameObject *frame)
{
    PyCodeObject *code = PyFrame_GetCode(frame);
    bool is = PyUnicode_CompareWithASCIIString(code->co_filename, "<frozen importlib._bootstrap>") == 0 ||
              (PyUnicode_CompareWithASCIIString(code->co_name, "_run") == 0 && ends_with(code->co_filename, "/mod_python/importer.py"));
    Py_DECREF(code);
    return is;
}

bool coro_is_importing(const struct coro *c)
{
    PyFrameObject *frame = PyThreadState_GetFrame(c->interp->tstate);
    bool is = false;
    while (frame && !(is = imports(frame))) {
        PyFrameObject *back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
    }
    Py_XDECREF(frame);
    return is;
}

/* A pending call of its interpreter, at a safe point of any of its threads. */
static int pay(void *arg)
{
    struct interp *i = arg;
    struct coro *c = coro_current();
    if (!c || c->interp != i || !c->owed)
        return 0;
    PyFrameObject *now = PyThreadState_GetFrame(i->tstate);
    bool wait = now != c->call && coro_call_goes_on(c, now);
    Py_XDECREF(now);
    if (wait) {
        coro_announce(c);
        return 0;
    }
    PyObject *exception = green_take_thrown();
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
    return -1;
}

int coro_announce(struct coro *c)
{
    if (c->owed && pystate_needs_call(c->interp->tstate))
        return pystate_call_soon(c->interp->tstate, pay, c->interp);
    return pystate_raise_signal(c->interp->tstate, (unsigned long)(uintptr_t)c);
}

void coro_owe(struct coro *c)
{
    c->told = false;
    if (coro_is_limit(c->interp, c->owed))
        Py_CLEAR(c->thrown); /* it ends in what is owed */
    else
        Py_XSETREF(c->owed, c->thrown);
    c->thrown = NULL;
    coro_announce(c); /* unheard, it is raised in the next wait, or tells how the job has ended */
}

bool coro_owed_is_due(struct coro *c)
{
    PyFrameObject *now = PyThreadState_GetFrame(c->interp->tstate);
    bool due = !coro_call_goes_on(c, now);
    Py_XDECREF(now);
    if (due && !c->thrown) {
        c->thrown = c->owed;
        c->owed = NULL;
    }
    return due;
}

void coro_take_back(struct coro *c, PyObject *exception)
{
    PyObject **at = c->thrown == exception ? &c->thrown : c->owed == exception ? &c->owed : NULL;
    if (!at)
        return;
    *at = NULL;
    if (at == &c->thrown)
        c->told = false;
    if (!c->thrown && !c->owed)
        Py_CLEAR(c->call);
    Py_DECREF(exception);
}

void coro_forget_exceptions(struct coro *c)
{
    c->told = false;
    Py_CLEAR(c->thrown);
    Py_CLEAR(c->owed);
    Py_CLEAR(c->call);
}
