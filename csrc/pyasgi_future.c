/* What a coroutine awaits: something that is done already, or a future of the asyncio loop. */
#include "pyasgi_impl.h"

/* ---- awaitables that are done ---- */

struct done { PyObject_HEAD PyObject *value; };

PyObject *asgi_done_new(struct asgi_state *s, PyObject *value)
{
    struct done *d = value ? PyObject_New(struct done, s->done_type) : NULL;
    if (d)
        d->value = value;
    else
        Py_XDECREF(value);
    return (PyObject *)d;
}

static void done_dealloc(struct done *d)
{
    PyTypeObject *type = Py_TYPE(d);
    Py_XDECREF(d->value);
    PyObject_Free(d);
    Py_DECREF(type);
}

static PyObject *done_next(struct done *d)
{
    if (d->value == Py_None)
        return NULL; /* StopIteration without a value is None */
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, d->value);
    if (stop)
        PyErr_SetObject(PyExc_StopIteration, stop);
    Py_XDECREF(stop);
    return NULL;
}

static PySendResult done_send(PyObject *self, PyObject *value, PyObject **result)
{
    (void)value;
    *result = Py_NewRef(((struct done *)self)->value);
    return PYGEN_RETURN;
}

static PyType_Slot done_slots[] = {{Py_tp_dealloc, done_dealloc}, {Py_am_await, PyObject_SelfIter}, {Py_tp_iter, PyObject_SelfIter},
                                   {Py_tp_iternext, done_next}, {Py_am_send, done_send}, {0, NULL}};
PyType_Spec asgi_done_spec = {"pyhost.Done", sizeof(struct done), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, done_slots};

/* ---- futures ---- */

static PyObject *make_future(struct asgi_state *s)
{
    if (s->make_future)
        return PyObject_CallNoArgs(s->make_future);
    PyErr_SetString(PyExc_RuntimeError, "the asyncio loop does not run");
    return NULL;
}

int asgi_future_is_done(struct asgi_state *s, PyObject *future)
{
    PyObject *done = PyObject_CallMethodNoArgs(future, s->keys[ASGI_DONE]);
    int result = done ? PyObject_IsTrue(done) : -1;
    Py_XDECREF(done);
    return result;
}

PyObject *asgi_future_wait(struct asgi_state *s, PyObject **at)
{
    int done = *at ? asgi_future_is_done(s, *at) : 1;
    if (done == 1)
        Py_XSETREF(*at, make_future(s));
    return done < 0 ? NULL : Py_XNewRef(*at);
}

int asgi_future_resolve(struct asgi_state *s, PyObject **future, PyObject *value)
{
    PyObject *waiting = *future, *set = NULL;
    *future = NULL;
    int done = asgi_future_is_done(s, waiting);
    if (!done)
        set = PyObject_CallMethodOneArg(waiting, s->keys[ASGI_SET_RESULT], value);
    int result = done < 0 || (!done && !set) ? -1 : 0;
    Py_XDECREF(set);
    Py_DECREF(waiting);
    return result;
}

int asgi_future_refuse(struct asgi_state *s, PyObject **future)
{
    PyObject *type, *value, *trace, *waiting = *future, *set = NULL;
    *future = NULL;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    int done = asgi_future_is_done(s, waiting);
    if (!done)
        set = PyObject_CallMethodOneArg(waiting, s->keys[ASGI_SET_EXCEPTION], value);
    int result = done < 0 || (!done && !set) ? -1 : 0;
    Py_XDECREF(set);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    Py_DECREF(waiting);
    return result;
}

