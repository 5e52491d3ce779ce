/* mp_table: a live view of an ordered multimap of the request, with the mapping protocol. Its named methods are in pytable_methods.c.
 * A view keeps the C structure alive that holds the table, never the Python request object, so that req.headers_in makes no cycle. */
#include "pytable.h"

#include "pyrequest.h"
#include "pyroom.h"
#include "pytext.h"

static PyObject *table_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    struct pytable *self = (struct pytable *)type->tp_alloc(type, 0);
    (void)args;
    (void)kwargs;
    if (self)
        self->table = &self->own;
    return (PyObject *)self;
}

static struct pytable *table_alloc(void) { return (struct pytable *)table_new(pyroom_type(TYPE_TABLE), NULL, NULL); }

bool pytable_check(PyObject *object) { return PyObject_TypeCheck(object, pyroom_type(TYPE_TABLE)); }

PyObject *pytable_of_request(struct table *table, struct request *r)
{
    struct pytable *self = table_alloc();
    if (self) {
        self->table = table;
        self->request = request_ref(r);
    }
    return (PyObject *)self;
}

PyObject *pytable_of_process(struct table *table)
{
    struct pytable *self = table_alloc();
    if (self)
        self->table = table;
    return (PyObject *)self;
}

PyObject *pytable_view(struct table *table, PyObject *owner)
{
    struct pytable *self = table_alloc();
    if (!self)
        return NULL;
    if (owner) {
        self->table = table;
        self->owner = Py_NewRef(owner);
    } else if (table_copy(&self->own, table)) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void table_dealloc(PyObject *object)
{
    struct pytable *self = (struct pytable *)object;
    PyTypeObject *type = Py_TYPE(object);
    table_clear(&self->own);
    if (self->request)
        request_unref(self->request);
    Py_XDECREF(self->owner);
    type->tp_free(object);
    Py_DECREF(type);
}

static int table_init(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"items", NULL};
    PyObject *items = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:mp_table", names, &items))
        return -1;
    return items ? pytable_merge(((struct pytable *)object)->table, items) : 0;
}

PyObject *pytable_value(const struct table_entry *e)
{
    return e->value ? pytext_from(slice_of(e->value, e->value_len)) : Py_NewRef(Py_None);
}

/* All values of the key of first, as a list. */
static PyObject *lookup_all(const struct table *t, const struct table_entry *first)
{
    PyObject *list = PyList_New(0);
    for (const struct table_entry *e = first; list && e; e = table_find_next(t, e)) {
        PyObject *value = pytable_value(e);
        if (!value || PyList_Append(list, value))
            Py_CLEAR(list);
        Py_XDECREF(value);
    }
    return list;
}

PyObject *pytable_lookup(const struct table *t, struct slice key)
{
    const struct table_entry *e = table_find(t, key);
    if (!e)
        return NULL;
    return table_find_next(t, e) ? lookup_all(t, e) : pytable_value(e);
}

static PyObject *table_subscript(PyObject *object, PyObject *key)
{
    struct slice k;
    if (pytext_slice(key, &k))
        return NULL;
    PyObject *found = pytable_lookup(((struct pytable *)object)->table, k);
    if (!found && !PyErr_Occurred())
        PyErr_SetObject(PyExc_KeyError, key);
    return found;
}

int pytable_put(struct table *t, PyObject *key, PyObject *value)
{
    struct slice k, v;
    if (pytext_slice(key, &k) || pytext_slice(value, &v))
        return -1;
    if (table_set(t, k, v)) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static int table_ass_subscript(PyObject *object, PyObject *key, PyObject *value)
{
    struct pytable *self = (struct pytable *)object;
    struct slice k;
    if (value)
        return pytable_put(self->table, key, value);
    if (pytext_slice(key, &k))
        return -1;
    table_unset(self->table, k);
    return 0;
}

static int table_contains(PyObject *object, PyObject *key)
{
    struct slice k;
    if (pytext_slice(key, &k))
        return -1;
    return table_find(((struct pytable *)object)->table, k) != NULL;
}

static Py_ssize_t table_length(PyObject *object) { return ((struct pytable *)object)->table->count; }

/* str(key) = str(value), as the constructor and update() have it. */
static int merge_pair(struct table *t, PyObject *key, PyObject *value)
{
    PyObject *k = PyBytes_Check(key) ? Py_NewRef(key) : PyObject_Str(key);
    PyObject *v = PyBytes_Check(value) ? Py_NewRef(value) : PyObject_Str(value);
    int result = k && v ? pytable_put(t, k, v) : -1;
    Py_XDECREF(k);
    Py_XDECREF(v);
    return result;
}

static int merge_pairs(struct table *t, PyObject *pairs)
{
    PyObject *iterator = PyObject_GetIter(pairs), *item;
    if (!iterator)
        return -1;
    int result = 0;
    while (!result && (item = PyIter_Next(iterator))) {
        PyObject *pair = PySequence_Fast(item, "a table takes a sequence of pairs");
        if (pair && PySequence_Fast_GET_SIZE(pair) == 2) {
            result = merge_pair(t, PySequence_Fast_GET_ITEM(pair, 0), PySequence_Fast_GET_ITEM(pair, 1));
        } else {
            if (pair)
                PyErr_Format(PyExc_ValueError, "a pair has 2 elements, not %zd", PySequence_Fast_GET_SIZE(pair));
            result = -1;
        }
        Py_XDECREF(pair);
        Py_DECREF(item);
    }
    Py_DECREF(iterator);
    return PyErr_Occurred() ? -1 : result;
}

/* Entry by entry, so that duplicates stay duplicates. */
static int merge_table(struct table *t, const struct table *from)
{
    if (t == from)
        return 0;
    for (uint32_t i = 0; i < from->count; i++)
        table_unset(t, slice_of(from->entries[i].key, from->entries[i].key_len));
    for (uint32_t i = 0; i < from->count; i++) {
        const struct table_entry *e = &from->entries[i];
        if (table_add(t, slice_of(e->key, e->key_len), slice_of(e->value, e->value_len))) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

int pytable_merge(struct table *t, PyObject *source)
{
    if (pytable_check(source))
        return merge_table(t, ((struct pytable *)source)->table);
    if (PyList_Check(source) || PyTuple_Check(source))
        return merge_pairs(t, source);
    PyObject *keys = PyMapping_Keys(source), *pairs;
    if (!keys) { /* None has no keys: AttributeError, as a dict-like update says */
        if (!PyErr_ExceptionMatches(PyExc_AttributeError) || !Py_TYPE(source)->tp_iter)
            return -1;
        PyErr_Clear();
        return merge_pairs(t, source);
    }
    Py_DECREF(keys);
    pairs = PyMapping_Items(source);
    int result = pairs ? merge_pairs(t, pairs) : -1;
    Py_XDECREF(pairs);
    return result;
}

/* Newest first, as mod_python prints it. */
static PyObject *table_repr(PyObject *object)
{
    const struct table *t = ((struct pytable *)object)->table;
    PyObject *parts = PyList_New(0), *text = NULL;
    for (uint32_t i = t->count; parts && i-- > 0;) {
        PyObject *key = pytext_from(slice_of(t->entries[i].key, t->entries[i].key_len));
        PyObject *value = key ? pytable_value(&t->entries[i]) : NULL;
        PyObject *part = value ? PyUnicode_FromFormat("%R: %R", key, value) : NULL;
        if (!part || PyList_Append(parts, part))
            Py_CLEAR(parts);
        Py_XDECREF(key);
        Py_XDECREF(value);
        Py_XDECREF(part);
    }
    PyObject *comma = PyUnicode_FromString(", ");
    PyObject *joined = parts && comma ? PyUnicode_Join(comma, parts) : NULL;
    if (joined)
        text = PyUnicode_FromFormat("{%U}", joined);
    Py_XDECREF(joined);
    Py_XDECREF(comma);
    Py_XDECREF(parts);
    return text;
}

static PyObject *table_as_dict(PyObject *object)
{
    if (!pytable_check(object))
        return PyDict_Check(object) ? Py_NewRef(object) : NULL;
    const struct table *t = ((struct pytable *)object)->table;
    PyObject *dict = PyDict_New();
    for (uint32_t i = 0; dict && i < t->count; i++) {
        struct slice k = slice_of(t->entries[i].key, t->entries[i].key_len);
        PyObject *key = pytext_from(k), *value = key ? pytable_lookup(t, k) : NULL;
        if (!value || PyDict_SetItem(dict, key, value))
            Py_CLEAR(dict);
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return dict;
}

static PyObject *table_richcompare(PyObject *a, PyObject *b, int op)
{
    if ((op != Py_EQ && op != Py_NE) || !(pytable_check(b) || PyDict_Check(b)))
        Py_RETURN_NOTIMPLEMENTED;
    PyObject *x = table_as_dict(a), *y = x ? table_as_dict(b) : NULL;
    PyObject *result = y ? PyObject_RichCompare(x, y, op) : NULL;
    Py_XDECREF(x);
    Py_XDECREF(y);
    return result;
}

static PyType_Slot table_slots[] = {
    {Py_tp_doc, "An ordered multimap with case-insensitive keys: headers, environment, notes, options."},
    {Py_tp_dealloc, table_dealloc},
    {Py_tp_new, table_new},
    {Py_tp_init, table_init},
    {Py_tp_repr, table_repr},
    {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_tp_richcompare, table_richcompare},
    {Py_tp_iter, pytable_iter},
    {Py_tp_methods, pytable_methods},
    {Py_mp_length, table_length},
    {Py_mp_subscript, table_subscript},
    {Py_mp_ass_subscript, table_ass_subscript},
    {Py_sq_contains, table_contains},
    {0, NULL},
};
PyType_Spec pytable_spec = {
    .name = "mp_table", .basicsize = sizeof(struct pytable), .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, .slots = table_slots,
};
