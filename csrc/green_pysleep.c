/* time.sleep, the wait that most handlers know. CPython lets the GIL go around it, which takes two mutexes and two signals before a greenlet switches that
 * could keep it: a sleep by way of clock_nanosleep (green_sleep.c) costs a request half as much again.
 *
 * time's own function is set on a new one, in the table that all interpreters share, as in green_pysocket.c. It calls the old one where nothing gives
 * way, and for everything that is not a plain number of seconds to come. */
#include "green_python.h"

#include "coro_impl.h"

static PyCFunction plain_sleep;

enum { NS_PER_S = 1000000000 };

/* For how long, never less than was asked; 0: the plain function knows what to say. */
static int64_t wanted_ns(PyObject *seconds)
{
    double s = PyFloat_CheckExact(seconds) ? PyFloat_AS_DOUBLE(seconds) : PyLong_CheckExact(seconds) ? PyLong_AsDouble(seconds) : 0;
    if (s > 0 && s < INT32_MAX)
        return (int64_t)(s * NS_PER_S) + 1;
    PyErr_Clear();
    return 0;
}

/* SWITCHES. */
static PyObject *sleep_here(PyObject *module, PyObject *seconds)
{
    struct coro *c = green_coro;
    int64_t ns = c && PyThreadState_Get() == c->interp->tstate ? wanted_ns(seconds) : 0;
    if (!ns)
        return plain_sleep(module, seconds);
#if PY_VERSION_HEX >= 0x030d0000
    if (PySys_Audit("time.sleep", "O", seconds) < 0)
        return NULL;
#endif
    green_counts.waits++;
    int64_t now_ns = coro_now_ns(), until_ns = timer_together(now_ns, now_ns + ns);
    enum coro_wake woken;
    do
        woken = coro_park(until_ns);
    while (woken == CORO_WOKEN);
    return woken == CORO_ERROR ? NULL : Py_NewRef(Py_None);
}

void green_teach_sleep(void)
{
    PyObject *module = PyImport_ImportModule("time"), *sleep = module ? PyObject_GetAttrString(module, "sleep") : NULL;
    if (sleep && PyCFunction_CheckExact(sleep)) {
        PyMethodDef *def = ((PyCFunctionObject *)sleep)->m_ml;
        if (def->ml_flags == METH_O && def->ml_meth != sleep_here) {
            plain_sleep = def->ml_meth;
            def->ml_meth = sleep_here;
        }
    }
    Py_XDECREF(sleep);
    Py_XDECREF(module);
    PyErr_Clear();
}
