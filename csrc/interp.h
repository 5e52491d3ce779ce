/* Interpreters of a process: main_interpreter and named ones, all on the loop's thread. Only the hub swaps between them. */
#ifndef PYHOST_INTERP_H
#define PYHOST_INTERP_H

#include <Python.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "request.h"

struct coro;
struct coro_queue { struct coro *first, *last; }; /* last: of no meaning where there is no first */
struct pyapp;

struct interp {
    char *name;
    PyThreadState *tstate;     /* of the loop thread */
    struct interp *next;       /* all of them, main first */
    struct interp *next_alike; /* of the same hash of the name */
    PyObject *boot;            /* strong: module pyhost.boot in it (None where its import failed) */
    /* coro.c's */
    struct job_queue ready;    /* jobs no greenlet has taken yet */
    struct coro *idle;         /* worker greenlets waiting for jobs */
    struct coro_queue woken;   /* parked greenlets to be resumed, in order */
    struct interp *next_ready; /* queue of interpreters that have something to run */
    bool queued;
    uint32_t greenlets, greenlets_idle, waiting;
    _Atomic bool asked;        /* a call that asks whoever computes to give way is on its way */
    _Atomic uint64_t asked_at; /* the sentinel's progress that it is meant for */
    PyObject *worker_main;     /* strong: what worker greenlets run */
    PyObject *task_type, *alarm_type; /* strong: pyhost.coro's types of this interpreter */
    PyObject *timeout_type, *gone_type; /* strong: pyhost.coro.RequestTimeout and ClientGone of this interpreter */
    void *py;                  /* pyphase.c's: strong references it keeps per interpreter */
    void *wsgi;                /* pywsgi.c's state of this interpreter */
    void *asgi;                /* pyasgi.c's state of this interpreter */
    struct pyapp *apps, *latest_app; /* pyapp.c's */
    const struct dir_conf *latest_app_conf;
};

/* Context of all: the hub with the GIL, unless said. */
int interp_init(void);                            /* after Py_Initialize: main_interpreter. 0, or -1 with an exception set */
int interp_after_fork(void);                      /* in a worker: the thread states are the ones to use from now on */
struct interp *interp_main(void);                 /* any context */
struct interp *interp_get(const char *name);      /* made on first use; NULL: failed (logged). NULL or "main_interpreter": main */
struct interp *interp_find(const char *name);     /* NULL when it has not been made */
struct interp *interp_look_up(void);              /* the one whose thread state is current, NULL: none of ours; any context with the GIL */
extern _Thread_local struct interp *interp_here __attribute__((tls_model("initial-exec"))); /* the loop thread's current one; NULL on other threads */
/* The same where it must be one of ours. */
static inline struct interp *interp_current(void) { return interp_here ? interp_here : interp_look_up(); }
extern const char interp_main_name[];
/* Makes its thread state current. Only the hub. Returns the one that was. */
struct interp *interp_enter(struct interp *i);
struct interp *interp_first(void);                /* iterate with ->next */
/* The exception that is set (taken) with its traceback, as bytes for a log: UTF-8, lone surrogates as escapes. NULL, without an exception, when
 * that fails too. Any interpreter. */
PyObject *interp_exception_text(void);
/* Writes the exception that is set, with its traceback, into the error log and clears it; what: what was being done. Any interpreter. */
void interp_log_exception(const char *what);
/* Before the process leaves by _exit: threading._shutdown, atexit, flush in each. */
void interp_leave_all(void);

#endif
