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

/* StopIteration with value, which is taken. */
static PyObject *stop_with(PyObject *value)
{
    PyObject *stop = value ? PyObject_CallOneArg(PyExc_StopIteration, value) : NULL;
    if (stop)
        PyErr_SetObject(PyExc_StopIteration, stop);
    Py_XDECREF(stop);
    Py_XDECREF(value);
    return NULL;
}

static PyObject *done_method_send(struct done *d, PyObject *value)
{
    (void)value;
    return stop_with(Py_NewRef(d->value));
}

/* throw(exception) or throw(type, value, traceback): to where nobody waits. */
static PyObject *raise_thrown(PyObject *args)
{
    PyObject *what, *value = NULL, *trace = NULL;
    if (!PyArg_ParseTuple(args, "O|OO:throw", &what, &value, &trace))
        return NULL;
    if (PyExceptionInstance_Check(what))
        PyErr_SetObject((PyObject *)Py_TYPE(what), what);
    else if (PyExceptionClass_Check(what))
        PyErr_SetObject(what, value);
    else
        PyErr_SetString(PyExc_TypeError, "throw() needs an exception");
    return NULL;
}

static PyObject *done_throw(struct done *d, PyObject *args)
{
    (void)d;
    return raise_thrown(args);
}

static PyObject *awaitable_close(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    Py_RETURN_NONE;
}

/* With these it is what asyncio.iscoroutine() takes for a coroutine: applications make tasks of receive(). */
static PyMethodDef done_methods[] = {{"send", (PyCFunction)done_method_send, METH_O, "As of a coroutine."},
                                     {"throw", (PyCFunction)done_throw, METH_VARARGS, "As of a coroutine."},
                                     {"close", (PyCFunction)awaitable_close, METH_NOARGS, "As of a coroutine."}, {NULL, NULL, 0, NULL}};
static PyType_Slot done_slots[] = {{Py_tp_dealloc, done_dealloc}, {Py_am_await, PyObject_SelfIter}, {Py_tp_iter, PyObject_SelfIter},
                                   {Py_tp_iternext, done_next}, {Py_am_send, done_send}, {Py_tp_methods, done_methods}, {0, NULL}};
PyType_Spec asgi_done_spec = {"pyhost.Done", sizeof(struct done), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, done_slots};

/* ---- awaitables that wait for a future ---- */

struct later {
    PyObject_HEAD
    PyObject *future, *iterator; /* strong; the iterator once a task drives it */
};

static PyObject *later_new(struct asgi_state *s, PyObject *future)
{
    struct later *l = PyObject_New(struct later, s->later_type);
    if (l) {
        l->future = Py_NewRef(future);
        l->iterator = NULL;
    }
    return (PyObject *)l;
}

static void later_dealloc(struct later *l)
{
    PyTypeObject *type = Py_TYPE(l);
    Py_XDECREF(l->future);
    Py_XDECREF(l->iterator);
    PyObject_Free(l);
    Py_DECREF(type);
}

/* Who awaits it waits for the future itself. */
static PyObject *later_await(struct later *l) { return Py_TYPE(l->future)->tp_as_async->am_await(l->future); }

static PyObject *later_iterator(struct later *l) { return l->iterator ? l->iterator : (l->iterator = later_await(l)); }

static PyObject *later_send(struct later *l, PyObject *value)
{
    PyObject *iterator = later_iterator(l), *result = NULL;
    if (!iterator)
        return NULL;
    PySendResult sent = PyIter_Send(iterator, value, &result);
    return sent == PYGEN_RETURN ? stop_with(result) : result;
}

static PyObject *later_throw(struct later *l, PyObject *args)
{
    PyObject *iterator = later_iterator(l), *method = iterator ? PyObject_GetAttrString(iterator, "throw") : NULL;
    PyObject *result = method ? PyObject_CallObject(method, args) : NULL;
    Py_XDECREF(method);
    return result;
}

static PyMethodDef later_methods[] = {{"send", (PyCFunction)later_send, METH_O, "As of a coroutine."},
                                      {"throw", (PyCFunction)later_throw, METH_VARARGS, "As of a coroutine."},
                                      {"close", (PyCFunction)awaitable_close, METH_NOARGS, "As of a coroutine."}, {NULL, NULL, 0, NULL}};
static PyType_Slot later_slots[] = {{Py_tp_dealloc, later_dealloc}, {Py_am_await, later_await}, {Py_tp_methods, later_methods}, {0, NULL}};
PyType_Spec asgi_later_spec = {"pyhost.Later", sizeof(struct later), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, later_slots};

/* ---- futures ---- */

static PyObject *make_future(struct asgi_state *s)
{
    if (s->make_future)
        return PyObject_CallNoArgs(s->make_future);
    PyErr_SetString(PyExc_RuntimeError, "the asyncio loop does not run");
    return NULL;
}

static int is_done(struct asgi_state *s, PyObject *future)
{
    PyObject *done = PyObject_CallMethodNoArgs(future, s->keys[ASGI_DONE]);
    int result = done ? PyObject_IsTrue(done) : -1;
    Py_XDECREF(done);
    return result;
}

int asgi_future_is_done(struct asgi_state *s, PyObject *futures)
{
    int done = 1;
    for (Py_ssize_t i = 0; done == 1 && i < PyList_GET_SIZE(futures); i++)
        done = is_done(s, PyList_GET_ITEM(futures, i));
    return done;
}

/* Takes those who have been cancelled out of the list. */
static int forget_done(struct asgi_state *s, PyObject *futures)
{
    for (Py_ssize_t i = PyList_GET_SIZE(futures); i-- > 0;) {
        int done = is_done(s, PyList_GET_ITEM(futures, i));
        if (done < 0 || (done && PyList_SetSlice(futures, i, i + 1, NULL) < 0))
            return -1;
    }
    return 0;
}

/* Each who waits has a future of its own: one that is cancelled cancels nobody else. */
PyObject *asgi_future_wait(struct asgi_state *s, PyObject **at)
{
    if (*at ? forget_done(s, *at) < 0 : !(*at = PyList_New(0)))
        return NULL;
    PyObject *future = make_future(s);
    PyObject *later = future && PyList_Append(*at, future) == 0 ? later_new(s, future) : NULL;
    Py_XDECREF(future);
    return later;
}

/* Gives value to all that still wait, by the method called key. */
static int tell(struct asgi_state *s, PyObject **at, enum asgi_key key, PyObject *value)
{
    PyObject *futures = *at;
    int failed = 0;
    *at = NULL;
    for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(futures); i++) {
        PyObject *future = PyList_GET_ITEM(futures, i), *set = NULL;
        int done = is_done(s, future);
        if (!done)
            set = PyObject_CallMethodOneArg(future, s->keys[key], value);
        failed = done < 0 || (!done && !set);
        Py_XDECREF(set);
    }
    Py_DECREF(futures);
    return failed ? -1 : 0;
}

int asgi_future_resolve(struct asgi_state *s, PyObject **at, PyObject *value) { return tell(s, at, ASGI_SET_RESULT, value); }

int asgi_future_refuse(struct asgi_state *s, PyObject **at)
{
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    int result = tell(s, at, ASGI_SET_EXCEPTION, value);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    return result;
}
