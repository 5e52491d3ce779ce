/* What mod_python's C types of one interpreter share: the types themselves, interned names and the Python half's functions.
 * Kept in interp->py for the life of the process, because interpreters never end. Only the py* files include this. */
#ifndef PYHOST_PYROOM_H
#define PYHOST_PYROOM_H

#include <Python.h>
#include <stddef.h>
#include <structmember.h>

#include "interp.h"
#include "request.h"

enum { PYROOM_FREE_REQUESTS = 64, PYROOM_SLOT_BUCKETS = 128 };

struct pyrequest;
struct hook_slot;

enum pyroom_type {
    TYPE_TABLE, TYPE_TABLE_ITERATOR, TYPE_REQUEST, TYPE_CONN, TYPE_SERVER, TYPE_FINFO, TYPE_HLIST, TYPE_FILTER, TYPE_WEBSOCKET, PYROOM_TYPES
};

struct pyroom {
    PyTypeObject *types[PYROOM_TYPES];   /* strong */
    PyObject *server_return;              /* strong: the exception class */
    PyObject *phase_names[PHASES];        /* strong, interned: "PythonHandler" … */
    PyObject *method_names[METHOD_INVALID];/* strong, interned: "GET" … */
    PyObject *head;                       /* strong, interned: "HEAD" */
    PyObject *content_type;               /* strong, interned: "content_type" */
    PyObject *interpreter;                /* strong: the name as str */
    PyObject *load, *files_of, *run_path, *report, *report_filter; /* strong: functions of the Python half; NULL until prepared */
    PyObject *servers;                    /* strong: dict of address of server_conf -> mp_server */
    struct pyrequest *free_requests;      /* owned: dead objects to be used again */
    int free_count;
    struct hook_slot *slots[PYROOM_SLOT_BUCKETS]; /* owned: handlers that have been resolved, by hash (pyhook.c) */
};

/* Context of all: the GIL held, in the interpreter meant. */
static inline struct pyroom *pyroom_get(void) { return interp_current()->py; }
static inline PyTypeObject *pyroom_type(enum pyroom_type t) { return pyroom_get()->types[t]; }

/* Specs of the types, one per file. */
extern PyType_Spec pytable_spec, pytable_iterator_spec, pyrequest_spec, pyconn_spec, pyserver_spec, pyfinfo_spec, pyhlist_spec, pyfilter_spec,
    pywebsocket_spec;

#endif
