/* mp_hlist. In a phase it is a view of the walk itself, so next() takes a handler away from the dispatch, as in mod_python. */
#include "pyhlist.h"

#include "pyhook.h"
#include "pytext.h"

struct pyhlist {
    PyObject_HEAD
    struct pyrequest *req;           /* strong, or NULL */
    const struct hook_conf *fixed;   /* borrowed from the configuration: no walk, one handler */
};

PyObject *pyhlist_new(struct pyrequest *req, const struct hook_conf *fixed)
{
    PyTypeObject *type = pyroom_type(TYPE_HLIST);
    struct pyhlist *self = (struct pyhlist *)type->tp_alloc(type, 0);
    if (self) {
        self->req = (struct pyrequest *)Py_XNewRef((PyObject *)req);
        self->fixed = fixed;
    }
    return (PyObject *)self;
}

static int hlist_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct pyhlist *)object)->req);
    return 0;
}

static int hlist_clear(PyObject *object)
{
    Py_CLEAR(((struct pyhlist *)object)->req);
    return 0;
}

static void hlist_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    hlist_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static const struct hook_conf *hlist_hook(const struct pyhlist *self)
{
    if (self->fixed || !self->req)
        return self->fixed;
    return self->req->over ? NULL : self->req->hook;
}

enum hlist_field { HLIST_HANDLER, HLIST_DIRECTORY, HLIST_SILENT, HLIST_IS_LOCATION };

static PyObject *hlist_get(PyObject *object, void *closure)
{
    const struct pyhlist *self = (struct pyhlist *)object;
    const struct hook_conf *hook = hlist_hook(self);
    if (!hook)
        Py_RETURN_NONE;
    switch ((enum hlist_field)(intptr_t)closure) {
    case HLIST_HANDLER: return pytext_or_none(hook->handler);
    case HLIST_DIRECTORY: return pytext_or_none(self->req ? pyhook_directory(self->req->r, hook) : hook->directory);
    case HLIST_SILENT: return PyLong_FromLong(hook->silent);
    case HLIST_IS_LOCATION: return PyLong_FromLong(hook->is_location);
    }
    Py_UNREACHABLE();
}

static PyObject *hlist_next(PyObject *object, PyObject *unused)
{
    struct pyhlist *self = (struct pyhlist *)object;
    (void)unused;
    if (self->req && self->req->phase && !self->req->over)
        self->req->hook = pyhook_next(&self->req->walk);
    else
        self->fixed = NULL;
    return Py_NewRef(object);
}

#define HLIST_MEMBER(name, field) {name, hlist_get, NULL, NULL, (void *)(intptr_t)(field)}
static PyGetSetDef hlist_getset[] = {
    HLIST_MEMBER("handler", HLIST_HANDLER), HLIST_MEMBER("directory", HLIST_DIRECTORY), HLIST_MEMBER("silent", HLIST_SILENT),
    HLIST_MEMBER("is_location", HLIST_IS_LOCATION), {NULL, NULL, NULL, NULL, NULL},
};
static PyMethodDef hlist_methods[] = {
    {"next", hlist_next, METH_NOARGS, "next(): goes on to the next handler; everything is None at the end."}, {NULL, NULL, 0, NULL},
};

static PyType_Slot hlist_slots[] = {
    {Py_tp_doc, "The list of handlers of a phase that is being walked."},
    {Py_tp_dealloc, hlist_dealloc},
    {Py_tp_traverse, hlist_traverse},
    {Py_tp_clear, hlist_clear},
    {Py_tp_getset, hlist_getset},
    {Py_tp_methods, hlist_methods},
    {0, NULL},
};
PyType_Spec pyhlist_spec = {
    .name = "mp_hlist", .basicsize = sizeof(struct pyhlist),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, .slots = hlist_slots,
};
