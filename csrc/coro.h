/* Greenlets on one hub: jobs run on pooled worker greenlets, wait, and are woken. The only room that knows greenlet.
 *
 * Rules that hold for everybody: a greenlet is created, switched to, thrown into and dropped only under its own interpreter's thread
 * state; only the hub changes thread states; nothing that another stack may touch lives on a stack; a switch may happen only where a
 * function below says so. */
#ifndef PYHOST_CORO_H
#define PYHOST_CORO_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "interp.h"
#include "loop.h"

struct coro; /* a greenlet that the hub knows: worker or spawned */

/* The hub of this thread; NULL in threads that have none. Read by the green system calls on each call: keep it one load. */
struct hub {
    struct loop *loop;          /* borrowed */
    struct coro *current;       /* the greenlet that runs; NULL: the hub itself */
    struct interp *ready_first, *ready_last; /* interpreters with jobs or woken greenlets */
    pid_t pid;                  /* a forked child that comes here must not be a second server */
    uint64_t switches;
};
extern _Thread_local struct hub *coro_hub __attribute__((tls_model("initial-exec")));

/* Loads greenlet's C API in the main interpreter and makes the hub of this thread. 0, or -1 with an exception. Context: hub, GIL. */
int coro_init(struct loop *loop);

/* Queues a job for a worker greenlet of the interpreter. Context: loop thread, hub or any greenlet; GIL held. Never switches. */
void coro_submit(struct interp *interp, struct job *job);
/* Runs everything that is ready, batch by batch, until nothing is or budget_ns have passed. Context: the hub, GIL held; the thread state is
 * main_interpreter's before and after. */
void coro_run_ready(int64_t budget_ns);
bool coro_has_ready(void);

/* Ends a forked child that comes back from its handler. */
void coro_check_child(void);
/* Before the process leaves: GreenletExit is raised in all that was spawned and still waits, which may clean up until until_ns. Context: the hub. */
void coro_stop_spawned(int64_t until_ns);

/* The running greenlet, or NULL on the hub and in foreign threads. */
static inline struct coro *coro_current(void) { return coro_hub ? coro_hub->current : NULL; }

enum coro_wake { CORO_WOKEN, CORO_TIMED_OUT, CORO_ERROR /* an exception was thrown in and is set */ };
/* Waits until coro_wake(current) or until_ns (absolute monotonic, -1: no deadline). SWITCHES. Context: handler greenlet, GIL held,
 * no exception set. A wake that came before the park is not lost. */
enum coro_wake coro_park(int64_t until_ns);
int64_t coro_now_ns(void); /* the clock of all deadlines. Context: any thread */
/* Seconds from now (NULL, None: for ever) as such a time: -1: for ever; -2 with an exception. */
int64_t coro_deadline_of(PyObject *seconds);
/* Makes a parked greenlet ready (or remembers it when it is not parked yet). Context: loop thread; GIL not needed. Never switches. */
void coro_wake(struct coro *c);
/* The same for any thread. The greenlet lives at least until it is woken. */
void coro_wake_from_anywhere(struct coro *c);
/* Lets the loop take a turn, which may sleep: for threads that have left it something to do. Context: any thread. */
void coro_nudge(void);
/* Gives way once: to the end of the queue. SWITCHES. 0, or -1 with an exception. */
int coro_yield(void);
/* The same for one whose time slice is over: everybody who has been woken goes first. */
int coro_end_slice(void);
/* Waits for EPOLLIN/EPOLLOUT on a descriptor. SWITCHES. Events that came (> 0), 0: until_ns passed, -1: exception set (OSError when fd cannot be
 * waited on). Any number of greenlets may wait on one descriptor. Context: handler greenlet, GIL held. */
int coro_wait_fd(int fd, uint32_t events, int64_t until_ns);
/* The same, but coro_wake ends the wait as well, with 0. */
int coro_wait_fd_or_wake(int fd, uint32_t events, int64_t until_ns);
/* Wakes those who wait on this descriptor with EBADF; before it is closed. */
void coro_fd_closing(int fd);
void coro_fds_closing(unsigned first, unsigned last);
/* A new greenlet that calls callable(*args, **kwargs) in the current interpreter; a new reference to its Python handle (pyhost.coro's), or NULL
 * with an exception. It starts on a later turn. Never switches. */
PyObject *coro_spawn(PyObject *callable, PyObject *args, PyObject *kwargs);
/* Throws an exception (new reference taken) into a greenlet where it waits; it gets ready. */
void coro_throw(struct coro *c, PyObject *exception);
/* A waker that wakes the current greenlet: for req->on_body and the like. Lives in the coro; valid while the greenlet lives. */
struct waker *coro_waker(struct coro *c);
/* PyGreen: do the system calls of the job that runs give way? On at the start of each job. Context: handler greenlet. */
void coro_set_green(bool on);
/* The job of the request that a worker greenlet runs (a struct request begins with it), NULL where it runs something else. */
struct job *coro_job(const struct coro *c);

/* What bounds the job that runs. Times in milliseconds, 0: none. */
struct coro_limits {
    bool green;            /* as coro_set_green */
    int64_t timeout_ms;    /* from now; then RequestTimeout is raised in it. Not moved when one is set already */
    int64_t slice_ms;      /* it gives way after computing for that long */
    int64_t blocked_ms;    /* it is named in the log when it holds up the loop for that long */
    void (*describe)(void *arg, char *to, size_t room); /* what it does, for the log; called in a signal handler */
    void *arg;             /* borrowed: lives as long as the job */
};
/* Context: handler greenlet, GIL held. 0, or -1 with an exception. */
int coro_set_limits(const struct coro_limits *limits);
/* What spawned calls get whose spawner has none (services): green, slice_ms, blocked_ms; others get those of their spawner. describe, of all of them, is
 * given what coro_spawned_name takes. Not called: they have none. */
void coro_set_spawned_limits(const struct coro_limits *limits);
/* What a spawned call is named. Context: as describe. */
void coro_spawned_name(void *arg, char *to, size_t room);
/* What the running greenlet does from here on is another job, as far as PyTimeSlice and PyBlockedWarning go: its limits (0: none) and its name. */
void coro_watch(int64_t slice_ms, int64_t blocked_ms, void (*describe)(void *arg, char *to, size_t room), void *arg);
/* The part that ends with the handler, before its response is flushed and logged: the deadline, and what was thrown and has not arrived. */
void coro_end_limits(void);
/* Can ClientGone be raised in it? False with an exception. Context: in the greenlet. */
bool coro_hears_of_client(struct coro *c);
/* Raises ClientGone in the greenlet, where it waits. Context: as coro_throw. */
void coro_client_gone(struct coro *c);
/* Which of our own exceptions is set? */
enum coro_end { CORO_END_OTHER, CORO_END_TIMEOUT, CORO_END_GONE };
enum coro_end coro_ended_by(void);
struct coro *coro_ref(struct coro *c);
void coro_unref(struct coro *c);

#endif
