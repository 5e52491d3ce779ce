/* The task object, shared by coro_spawn.c (its life) and pycoro.c (its Python face). */
#ifndef PYHOST_CORO_SPAWN_H
#define PYHOST_CORO_SPAWN_H

#include "coro_impl.h"

enum task_state { TASK_QUEUED, TASK_RUNNING, TASK_DONE };

struct joiner { /* on the heap; owned by the greenlet that joins */
    struct joiner *next;
    struct coro *coro;
};

struct task {
    PyObject_HEAD
    struct job job;
    struct coro *coro;  /* borrowed: while it runs */
    struct joiner *joiners;
    PyObject *callable, *args, *kwargs, *context; /* strong until it has run; NULL for a request */
    PyObject *result, *exception; /* strong */
    PyObject *killed;   /* strong: what was thrown in before it began */
    PyObject *locals;   /* strong: dict of pyhost.coro's locals, made on first use */
    PyObject *name;     /* strong */
    PyObject *at_end;   /* strong: pyhost.coro's own: called when it is over, also when it has never begun */
    PyObject *weakrefs;
    int64_t run_ns, longest_ns; /* noted when somebody asks, and at the end */
    uint64_t resumes;
    struct coro_heritage heritage;
    uint8_t state;      /* enum task_state */
    bool woken;         /* before it began */
};

void task_note_counts(struct task *t); /* while it runs */
/* Context of all: loop thread, GIL held, the task's interpreter. */
int task_join(struct task *t, int64_t until_ns);
void task_kill(struct task *t, PyObject *exception);

extern PyType_Spec alarm_spec, task_spec;
/* The one argument of that name, by place or by name; NULL with *bad false: not given; *bad: an exception is set. */
PyObject *coro_only_argument(const char *name, PyObject *const *args, Py_ssize_t n, PyObject *names, bool *bad);
/* Throws exception into the task at that time, unless cancelled. A new reference, or NULL with an exception. */
PyObject *alarm_new(PyTypeObject *type, struct task *task, PyObject *exception, int64_t at_ns);

#endif
