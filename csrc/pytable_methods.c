/* What a table can be asked for by name, and its iterators. */
#include "pytable.h"

#include "pyrequest.h"
#include "pyroom.h"
#include "pytext.h"

/* Iterators over the keys, values or pairs. */
struct pytable_iterator {
    PyObject_HEAD
    struct pytable *of; /* strong */
    PyObject *(*item)(const struct table_entry *);
    uint32_t at, version;
};

static void iterator_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    Py_DECREF(((struct pytable_iterator *)object)->of);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *iterator_next(PyObject *object)
{
    struct pytable_iterator *self = (struct pytable_iterator *)object;
    const struct table *t = self->of->table;
    if (self->version != t->version) {
        PyErr_SetString(PyExc_RuntimeError, "table changed size during iteration");
        return NULL;
    }
    return self->at < t->count ? self->item(&t->entries[self->at++]) : NULL;
}

static PyObject *table_iterate(PyObject *object, PyObject *(*item)(const struct table_entry *))
{
    PyTypeObject *type = pyroom_type(TYPE_TABLE_ITERATOR);
    struct pytable_iterator *i = (struct pytable_iterator *)type->tp_alloc(type, 0);
    if (!i)
        return NULL;
    i->of = (struct pytable *)Py_NewRef(object);
    i->item = item;
    i->version = i->of->table->version;
    return (PyObject *)i;
}

static PyObject *entry_key(const struct table_entry *e) { return pytext_from(slice_of(e->key, e->key_len)); }

static PyObject *entry_pair(const struct table_entry *e)
{
    PyObject *key = entry_key(e), *value = key ? pytable_value(e) : NULL;
    PyObject *pair = value ? PyTuple_Pack(2, key, value) : NULL;
    Py_XDECREF(key);
    Py_XDECREF(value);
    return pair;
}

PyObject *pytable_iter(PyObject *object) { return table_iterate(object, entry_key); }
static PyObject *table_iterkeys(PyObject *object, PyObject *unused) { (void)unused; return table_iterate(object, entry_key); }
static PyObject *table_itervalues(PyObject *object, PyObject *unused) { (void)unused; return table_iterate(object, pytable_value); }
static PyObject *table_iteritems(PyObject *object, PyObject *unused) { (void)unused; return table_iterate(object, entry_pair); }

static PyObject *table_list(PyObject *object, PyObject *(*item)(const struct table_entry *))
{
    const struct table *t = ((struct pytable *)object)->table;
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list && i < t->count; i++) {
        PyObject *one = item(&t->entries[i]);
        if (!one || PyList_Append(list, one))
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    return list;
}

static PyObject *table_keys(PyObject *object, PyObject *unused) { (void)unused; return table_list(object, entry_key); }
static PyObject *table_values(PyObject *object, PyObject *unused) { (void)unused; return table_list(object, pytable_value); }
static PyObject *table_items(PyObject *object, PyObject *unused) { (void)unused; return table_list(object, entry_pair); }

static PyObject *table_popitem(PyObject *object, PyObject *unused)
{
    struct table *t = ((struct pytable *)object)->table;
    (void)unused;
    if (!t->count) {
        PyErr_SetString(PyExc_KeyError, "popitem(): table is empty");
        return NULL;
    }
    PyObject *pair = entry_pair(&t->entries[0]);
    if (pair)
        table_remove_at(t, 0);
    return pair;
}

static PyObject *table_has_key(PyObject *object, PyObject *key)
{
    struct slice k;
    if (pytext_slice(key, &k))
        return NULL;
    return PyLong_FromLong(table_find(((struct pytable *)object)->table, k) != NULL);
}

static PyObject *table_get(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    struct slice k;
    if (nargs < 1 || nargs > 2) {
        PyErr_Format(PyExc_TypeError, "get() takes 1 or 2 arguments (%zd given)", nargs);
        return NULL;
    }
    if (pytext_slice(args[0], &k))
        return NULL;
    const struct table_entry *e = table_find(((struct pytable *)object)->table, k);
    return e ? pytable_value(e) : Py_NewRef(nargs == 2 ? args[1] : Py_None);
}

static PyObject *table_add_pair(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    struct slice k, v;
    if (nargs != 2) {
        PyErr_Format(PyExc_TypeError, "add() takes 2 arguments (%zd given)", nargs);
        return NULL;
    }
    if (pytext_slice(args[0], &k) || pytext_slice(args[1], &v))
        return NULL;
    return table_add(((struct pytable *)object)->table, k, v) ? PyErr_NoMemory() : Py_NewRef(Py_None);
}

static PyObject *table_setdefault(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    struct table *t = ((struct pytable *)object)->table;
    struct slice k, v = SLICE("");
    if (nargs < 1 || nargs > 2) {
        PyErr_Format(PyExc_TypeError, "setdefault() takes 1 or 2 arguments (%zd given)", nargs);
        return NULL;
    }
    if (pytext_slice(args[0], &k) || (nargs == 2 && pytext_slice(args[1], &v)))
        return NULL;
    const struct table_entry *e = table_find(t, k);
    if (e)
        return pytable_value(e);
    return table_add(t, k, v) ? PyErr_NoMemory() : pytext_from(v);
}

static PyObject *table_update(PyObject *object, PyObject *source)
{
    return pytable_merge(((struct pytable *)object)->table, source) ? NULL : Py_NewRef(Py_None);
}

static PyObject *table_copied(PyObject *object, PyObject *unused)
{
    (void)unused;
    return pytable_view(((struct pytable *)object)->table, NULL);
}

static PyObject *table_cleared(PyObject *object, PyObject *unused)
{
    (void)unused;
    struct table *t = ((struct pytable *)object)->table;
    while (t->count) /* one by one: a view's table keeps its array and its version */
        table_remove_at(t, t->count - 1);
    Py_RETURN_NONE;
}

PyMethodDef pytable_methods[] = {
    {"has_key", table_has_key, METH_O, "has_key(key): 1 if there is such a key, else 0."},
    {"get", (PyCFunction)(void (*)(void))table_get, METH_FASTCALL, "get(key[, default]): the first value of the key."},
    {"add", (PyCFunction)(void (*)(void))table_add_pair, METH_FASTCALL, "add(key, value): one more entry, keeping those of the same key."},
    {"setdefault", (PyCFunction)(void (*)(void))table_setdefault, METH_FASTCALL, "setdefault(key[, value]): the value, stored first if missing."},
    {"update", table_update, METH_O, "update(mapping or pairs): sets what it holds."},
    {"keys", table_keys, METH_NOARGS, "keys(): list of the keys, duplicates included."},
    {"values", table_values, METH_NOARGS, "values(): list of the values."},
    {"items", table_items, METH_NOARGS, "items(): list of (key, value)."},
    {"iterkeys", table_iterkeys, METH_NOARGS, "iterkeys(): iterator over the keys."},
    {"itervalues", table_itervalues, METH_NOARGS, "itervalues(): iterator over the values."},
    {"iteritems", table_iteritems, METH_NOARGS, "iteritems(): iterator over (key, value)."},
    {"popitem", table_popitem, METH_NOARGS, "popitem(): removes and returns the first (key, value)."},
    {"copy", table_copied, METH_NOARGS, "copy(): a table of its own with the same entries."},
    {"clear", table_cleared, METH_NOARGS, "clear(): removes everything."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot iterator_slots[] = {
    {Py_tp_dealloc, iterator_dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, iterator_next},
    {0, NULL},
};
PyType_Spec pytable_iterator_spec = {
    .name = "mp_table_iterator", .basicsize = sizeof(struct pytable_iterator),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, .slots = iterator_slots,
};
