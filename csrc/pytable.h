/* mp_table inside: what the files of the Python room may do with one. */
#ifndef PYHOST_PYTABLE_H
#define PYHOST_PYTABLE_H

#include <Python.h>

#include "request.h"
#include "table.h"

struct pytable {
    PyObject_HEAD
    struct table *table;     /* borrowed from what keeps it alive below, or &own */
    struct request *request; /* counted reference: the table is one of its members; or NULL */
    PyObject *owner;         /* strong, or NULL */
    struct table own;
};

/* Context of all: the GIL held; -1 or NULL with an exception set. */
/* A live view of a table that is part of a request. It holds the request, not its Python object: no cycle. */
PyObject *pytable_of_request(struct table *table, struct request *r);
/* A live view of a table that is never freed. */
PyObject *pytable_of_process(struct table *table);
bool pytable_check(PyObject *object);
/* The rules of `t[key] = value` for one pair. */
int pytable_put(struct table *t, PyObject *key, PyObject *value);
/* Puts what a mapping or a sequence of pairs holds, through str(). */
int pytable_merge(struct table *t, PyObject *source);
PyObject *pytable_value(const struct table_entry *e);
/* A str when there is one entry of that key, a list when there are several, NULL without an exception when there is none. */
PyObject *pytable_lookup(const struct table *t, struct slice key);
PyObject *pytable_iter(PyObject *object); /* over the keys */
extern PyMethodDef pytable_methods[];

#endif
