/* mp_request: one Python object per request and interpreter, kept through all phases. Everything is computed in getters from the C structure;
 * the object itself holds only what Python has asked for. Dead objects are used again, and the garbage collector is told of an object only
 * when it has got attributes of its own, because only those can make a cycle. */
#include "pyreq.h"

#include "pyconn.h"
#include "pyfilt.h"
#include "pyserver.h"
#include "pytable.h"

static struct pyrequest *request_alloc_object(struct pyroom *state)
{
    struct pyrequest *self = state->free_requests;
    PyTypeObject *type = state->types[TYPE_REQUEST];
    if (self) {
        state->free_requests = self->sibling;
        state->free_count--;
        PyObject_Init((PyObject *)self, type);
    } else {
        self = PyObject_GC_New(struct pyrequest, type);
    }
    if (self)
        memset((char *)self + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
    return self;
}

struct pyrequest *pyrequest_existing(const struct request *r)
{
    struct interp *interp = interp_current();
    for (struct pyrequest *p = r->py; p; p = p->sibling)
        if (p->interp == interp)
            return p;
    return NULL;
}

static struct pyrequest *request_make(struct request *r)
{
    struct pyrequest *self = request_alloc_object(pyroom_get());
    if (!self)
        return NULL;
    self->r = request_ref(r);
    pyserver_use(r->main);
    self->interp = interp_current();
    self->sibling = r->py;
    self->over = r->phases_over;
    r->py = self;
    return self;
}

PyObject *pyrequest_of(struct request *r)
{
    struct pyrequest *self = pyrequest_existing(r);
    return self ? Py_NewRef((PyObject *)self) : (PyObject *)request_make(r);
}

struct pyrequest *pyrequest_hold(struct request *r)
{
    struct pyrequest *self = pyrequest_existing(r);
    if (!self) {
        self = request_make(r);
        if (self)
            self->held = true;
    } else if (!self->held && !self->over) {
        Py_INCREF(self);
        self->held = true;
    }
    return self;
}

void pyrequest_let_go(struct request *r)
{
    struct pyrequest *self = pyrequest_existing(r);
    if (!self)
        return;
    self->over = true;
    if (r->filters)
        pyfilter_drop(r);
    if (self->held) {
        self->held = false;
        Py_DECREF(self);
    }
}

int pyrequest_check_live(struct pyrequest *self)
{
    if (!self->over)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "this request is over: its object cannot do this any more");
    return -1;
}

static int request_traverse(PyObject *object, visitproc visit, void *arg)
{
    struct pyrequest *self = pyreq(object);
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->dict);
    for (int i = 0; i < REQUEST_VIEWS; i++)
        Py_VISIT(self->views[i]);
    Py_VISIT(self->connection);
    Py_VISIT(self->options);
    Py_VISIT(self->config);
    for (struct pycleanup *c = self->cleanups; c; c = c->next) {
        Py_VISIT(c->callable);
        Py_VISIT(c->data);
    }
    return 0;
}

static void request_drop_cleanups(struct pyrequest *self)
{
    while (self->cleanups) {
        struct pycleanup *c = self->cleanups;
        self->cleanups = c->next;
        Py_DECREF(c->callable);
        Py_DECREF(c->data);
        PyMem_Free(c);
    }
}

static int request_clear(PyObject *object)
{
    struct pyrequest *self = pyreq(object);
    Py_CLEAR(self->dict);
    for (int i = 0; i < REQUEST_VIEWS; i++)
        Py_CLEAR(self->views[i]);
    Py_CLEAR(self->connection);
    Py_CLEAR(self->options);
    Py_CLEAR(self->config);
    Py_CLEAR(self->xmethods);
    request_drop_cleanups(self);
    return 0;
}

static void request_unlink(struct pyrequest *self)
{
    struct request *r = self->r;
    struct pyrequest *first = r->py, **at = &first;
    while (*at && *at != self)
        at = &(*at)->sibling;
    if (*at)
        *at = self->sibling;
    r->py = first;
}

static void request_dealloc(PyObject *object)
{
    struct pyrequest *self = pyreq(object);
    PyTypeObject *type = Py_TYPE(object);
    struct pyroom *state = self->interp->py;
    if (PyObject_GC_IsTracked(object))
        PyObject_GC_UnTrack(object);
    if (self->weak)
        PyObject_ClearWeakRefs(object);
    request_clear(object);
    buf_clear(&self->line);
    request_unlink(self);
    request_unref(self->r);
    if (state->free_count < PYROOM_FREE_REQUESTS) {
        self->sibling = state->free_requests;
        state->free_requests = self;
        state->free_count++;
    } else {
        PyObject_GC_Del(object);
    }
    Py_DECREF(type);
}

/* New attributes live in a dict that is made by the first of them; from then on the object can be part of a cycle. */
static int request_setattro(PyObject *object, PyObject *name, PyObject *value)
{
    const struct pyroom *room = pyreq(object)->interp->py;
    if (name == room->content_type) /* what nearly every handler sets */
        return pyrequest_set_content_type(object, value);
    int result = PyObject_GenericSetAttr(object, name, value);
    if (pyreq(object)->dict && !PyObject_GC_IsTracked(object))
        PyObject_GC_Track(object);
    return result;
}

static PyObject *request_repr(PyObject *object)
{
    const struct request *r = pyreq(object)->r;
    return PyUnicode_FromFormat("<mp_request %s %s at %p>", r->method ? r->method : "?", r->unparsed_uri ? r->unparsed_uri : "?", object);
}

static PyMemberDef request_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(struct pyrequest, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct pyrequest, weak), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot request_slots[] = {
    {Py_tp_doc, "A request and its response."},
    {Py_tp_dealloc, request_dealloc},
    {Py_tp_traverse, request_traverse},
    {Py_tp_clear, request_clear},
    {Py_tp_repr, request_repr},
    {Py_tp_setattro, request_setattro},
    {Py_tp_members, request_members},
    {Py_tp_getset, pyrequest_getset},
    {Py_tp_methods, pyrequest_methods},
    {0, NULL},
};
PyType_Spec pyrequest_spec = {
    .name = "mp_request", .basicsize = sizeof(struct pyrequest),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE, .slots = request_slots,
};
