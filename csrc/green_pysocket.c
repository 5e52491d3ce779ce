/* Python's unix sockets with a timeout. CPython makes their descriptor non-blocking and hands on the EAGAIN of a full listen queue as
 * BlockingIOError, though the caller asked to wait: a burst of handlers that connect to one database would meet it each time.
 *
 * _socket's own methods are set on new functions, in the table that all interpreters share; so no name in Python changes. They call the old
 * ones, and call them again while there is no room and the timeout lasts. */
#include "green_python.h"

#include <errno.h>
#include <sys/socket.h>

#include "coro_impl.h"

enum { NS_PER_S = 1000000000 };

static PyCFunction plain_connect, plain_connect_ex;

/* The socket's own timeout if it has one and is a unix socket, else 0. Errors count as 0. */
static double timeout_of(PyObject *sock)
{
    double seconds = 0;
    PyObject *family = PyObject_GetAttrString(sock, "family"), *timeout = NULL;
    if (family && PyLong_AsLong(family) == AF_UNIX)
        timeout = PyObject_CallMethod(sock, "gettimeout", NULL);
    if (timeout && timeout != Py_None)
        seconds = PyFloat_AsDouble(timeout);
    Py_XDECREF(timeout);
    Py_XDECREF(family);
    PyErr_Clear();
    return seconds > 0 ? seconds : 0;
}

/* A wait that goes on: 1, or 0 when the time is over, or -1 with an exception. SWITCHES. */
static int rest(int64_t *pause_ns, int64_t until_ns)
{
    int64_t now = coro_now_ns();
    if (now >= until_ns)
        return 0;
    *pause_ns = green_connect_pause(*pause_ns);
    return coro_park(now + *pause_ns < until_ns ? now + *pause_ns : until_ns) == CORO_ERROR ? -1 : 1;
}

static int64_t deadline_after(double seconds)
{
    return seconds < INT32_MAX ? coro_now_ns() + (int64_t)(seconds * NS_PER_S) : INT64_MAX;
}

/* Room there was none: what the caller is told is the timeout. */
static PyObject *timed_out(void)
{
    PyErr_Clear();
    PyErr_SetString(PyExc_TimeoutError, "timed out");
    return NULL;
}

/* Of a unix socket with a timeout this can only be the EAGAIN of a full queue. */
static bool says_again(void) { return green_coro && PyErr_ExceptionMatches(PyExc_BlockingIOError); }

static PyObject *connect_in_time(PyObject *sock, PyObject *address)
{
    PyObject *result = plain_connect(sock, address);
    if (result || !says_again())
        return result;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    double seconds = timeout_of(sock);
    PyErr_Restore(type, value, trace);
    if (!seconds)
        return NULL;
    int64_t pause_ns = 0, until_ns = deadline_after(seconds);
    while (!result && says_again()) {
        PyErr_Clear();
        int again = rest(&pause_ns, until_ns);
        if (again <= 0)
            return again < 0 ? NULL : timed_out();
        result = plain_connect(sock, address);
    }
    return result;
}

static bool is_again(PyObject *result) { return green_coro && result && PyLong_AsLong(result) == EAGAIN; }

/* connect_ex says EAGAIN when its time is over, as it does for other sockets. */
static PyObject *connect_ex_in_time(PyObject *sock, PyObject *address)
{
    PyObject *result = plain_connect_ex(sock, address);
    double seconds = is_again(result) ? timeout_of(sock) : 0;
    if (!seconds)
        return result;
    int64_t pause_ns = 0, until_ns = deadline_after(seconds);
    while (is_again(result)) {
        int again = rest(&pause_ns, until_ns);
        if (again < 0)
            Py_CLEAR(result);
        if (again <= 0)
            return result;
        Py_SETREF(result, plain_connect_ex(sock, address));
    }
    return result;
}

static void teach(PyObject *type, const char *name, PyCFunction *plain, PyCFunction taught)
{
    PyObject *method = PyObject_GetAttrString(type, name);
    if (method && PyObject_TypeCheck(method, &PyMethodDescr_Type)) {
        PyMethodDef *def = ((PyMethodDescrObject *)method)->d_method;
        if (def->ml_flags == METH_O && def->ml_meth != taught) {
            *plain = def->ml_meth;
            def->ml_meth = taught;
        }
    }
    Py_XDECREF(method);
}

void green_teach_socket(void)
{
    PyObject *module = PyImport_ImportModule("_socket"), *type = module ? PyObject_GetAttrString(module, "socket") : NULL;
    if (type) {
        teach(type, "connect", &plain_connect, connect_in_time);
        teach(type, "connect_ex", &plain_connect_ex, connect_ex_in_time);
    }
    Py_XDECREF(type);
    Py_XDECREF(module);
    PyErr_Clear();
}
