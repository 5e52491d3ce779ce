/* What the files of room coro share and nobody else sees: the greenlet that waits, its descriptor, its task. */
#ifndef PYHOST_CORO_IMPL_H
#define PYHOST_CORO_IMPL_H

#include "coro.h"
#include "pystate.h"
#include "timer.h"

enum coro_state {
    CORO_IDLE,    /* a pooled greenlet with no job */
    CORO_RUNNING,
    CORO_PARKED,
    CORO_READY,   /* woken, in its interpreter's queue */
    CORO_DEAD
};

/* One wait on one descriptor. On the heap (in a coro, or in an array for poll). */
struct fd_wait {
    struct fd_wait *next; /* the others on this descriptor */
    struct coro *coro;    /* borrowed: lives as long as the wait */
    int fd;
    uint32_t events;      /* wanted; EPOLLERR and EPOLLHUP always are */
    uint32_t got;         /* events that came; 0: none yet */
    int error;            /* EBADF: closed while it waited */
    bool linked;
    bool unsure;          /* in coro_sure.c's list */
    struct fd_wait *sure_next, **sure_at;
};

/* What the C++ runtime knows of the exceptions that a thread is handling, as the Itanium ABI lays it out. */
struct coro_cxx { void *caught; unsigned uncaught; };

/* Where the stack of a greenlet that waits has been copied to; borrowed from greenlet, at may be stale. */
struct coro_copy { const void *at; uint32_t bytes; };

struct coro {
    uintptr_t mark;         /* ~its address, where a real thread has its address: tells ids of threads apart (green_identity.c) */
    PyObject *greenlet;     /* strong: the pooled greenlet */
    PyObject *parked_at;    /* strong: the greenlet to resume, which may be one that the handler made itself */
    struct interp *interp;
    struct coro *next;      /* in the woken or the idle list */
    struct job *job;        /* what it runs; borrowed */
    PyObject *task;         /* strong: pyhost.coro's handle of this job; NULL until somebody asks */
    PyObject *context;      /* strong: between two jobs, what the next one runs in; NULL: it gets a new one */
    PyObject *thrown;       /* strong: an exception to raise where it waits */
    struct timer timer;
    struct waker waker;
    struct coro_copy copy;
    struct pystate_place place; /* borrowed: where it waits; nothing while it runs */
    struct fd_wait fd_wait;
    uint32_t refs;
    uint8_t state;          /* enum coro_state */
    bool woken;             /* a wake that came before the park */
    bool timed_out;
    bool green;             /* its system calls give way */
    bool told;              /* what was thrown has been announced by signal */
    PyObject *owed;         /* strong: an exception that the call did not listen to, announced: raised when Python goes on */
    PyFrameObject *call;    /* strong: the frame whose call was ended; told and owed are meant for it and those below */
    int call_at;            /* the instruction of that call */
    bool interrupted;       /* its green call returns EINTR once: signals are waiting for it */
    bool in_inbox;          /* another thread has woken it */
    struct coro *inbox_next;
    struct timer deadline;  /* of the job: raises RequestTimeout */
    struct coro *all_prev, *all_next; /* of this hub */
    int64_t run_ns, longest_ns; /* of the job: running time, longest stretch without giving way */
    uint64_t resumes;
    int64_t slice_ns, blocked_ns;
    void (*describe)(void *, char *, size_t); /* of the job, for the log */
    void *describe_arg;
    struct pystate_identity identity; /* while it runs: the hub's */
    struct coro_cxx cxx;              /* the same */
};

/* What a spawned call has of its spawner. */
struct coro_heritage { bool green; int64_t slice_ns, blocked_ns; };

struct hub_state {
    struct hub hub;
    PyObject *main;      /* strong: the hub's own greenlet */
    bool green;          /* the hooks may be used: libpython can be told from the program */
    struct coro *all;    /* borrowed */
    int64_t now_ns;      /* at the last switch: what runs since then is charged to who runs */
    int64_t stop_at_ns;  /* this batch's budget; workers take no new job after it */
    struct coro *running; /* who has run last: the hub has switched to it, or another greenlet of the batch has */
    struct interp *batch_of; /* whose woken greenlets run, up to batch_last; NULL: none, or all of them have run */
    struct coro *batch_last;
    int64_t turn_by_ns;  /* until then greenlets may look for events themselves instead of leaving it to the hub */
    unsigned looks_failed, looks_skipped;
    struct coro_queue sliced; /* who has computed for longer than a time slice: one of them runs in each turn, behind everybody else */
    struct coro_heritage service; /* of those whose spawner has no limits */
    void (*describe_spawned)(void *, char *, size_t); /* NULL: spawned calls have no limits */
};

static inline struct hub_state *hub_state(void) { return (struct hub_state *)coro_hub; }

/* Context of all: the loop thread. */
/* coro_ready.c */
void coro_ready_init(struct coro *c);
void coro_queue_interp(struct interp *i);
struct interp *coro_unqueue_interp(void); /* NULL: nothing is ready */
struct coro *coro_take_woken(struct interp *i);
void coro_queue_sliced(struct coro *c);
struct coro *coro_take_sliced(void);
/* coro_worker.c: a pooled greenlet, or a new one; NULL with an exception */
struct coro *coro_take_worker(struct interp *i);
/* Its greenlet has ended. */
void coro_bury(struct coro *c);
/* coro.c. To the hub until it switches back. 0, or -1 with an exception. SWITCHES. */
int coro_switch_to_hub(struct coro *c);
PyObject *coro_greenlet_new(PyObject *run); /* a new reference, or NULL with an exception */
/* coro_cxx.c: once greenlet, which is written in C++, has been imported; at each switch */
void coro_cxx_init(void);
void coro_cxx_swap(struct coro_cxx *kept);
/* coro_arena.c: once per process */
void coro_keep_chunks(void);
/* coro_copies.c: once per process; then before a switch: whose stack greenlet is about to copy, NULL: it is not asked about */
void coro_keep_copies(void);
void coro_copy_for(struct coro_copy *copy);
/* coro_ahead.c: when one is woken; then before a switch, what those will touch who are to run after that */
void coro_fetch_woken(const struct coro *c);
void coro_fetch_ahead(const struct interp *i);

/* coro_park without raising: CORO_ERROR leaves what was thrown in c->thrown, or an exception set where greenlet itself threw. SWITCHES. */
enum coro_wake coro_block(int64_t until_ns);
/* Raises c->thrown (taken). */
void coro_raise_thrown(struct coro *c);

/* Links a wait and arms epoll (events 0: only a close ends the wait; EPOLLIN | EPOLLET: the caller has just seen EAGAIN). 0: waits; 1: ready at once (a regular file); -1: errno (EBADF). The caller unlinks in every case but -1. */
int fd_wait_link(struct fd_wait *w, struct coro *c, int fd, uint32_t events);
void fd_wait_unlink(struct fd_wait *w);

/* Is anybody waiting on this descriptor, or is it kept registered? */
bool coro_fd_known(int fd);
void coro_fd_check(struct fd_wait *w);
/* Wakes those whose descriptors are ready by now, without a turn of the loop. How many events there were. Never switches. */
int coro_look(void);
/* coro_sure.c: w is checked by coro_fd_check if it is still linked in half a second to a second; it is unlinked, or checked. */
void coro_sure_later(struct fd_wait *w);
void coro_sure(struct fd_wait *w);

/* coro_owed.c. Context of all: GIL held, c runs. */
void coro_note_call(struct coro *c);
/* Has the call that was ended not come back yet, as seen from the frame (borrowed, NULL: none) that runs now? */
bool coro_call_goes_on(const struct coro *c, PyFrameObject *now);
/* Is the ended call itself, not what it calls, about to wait once more? */
bool coro_call_waits_again(const struct coro *c);
/* Is a module on its way in? A package that is left half imported stays so: its parts are there, and the next import of it does not name them. */
bool coro_is_importing(const struct coro *c);
/* Has what was thrown or is owed raised at a safe point. 0, or -1. */
int coro_announce(struct coro *c);
void coro_owe(struct coro *c); /* what was thrown */
bool coro_owed_is_due(struct coro *c); /* with an owed one: true: it is in c->thrown */
void coro_take_back(struct coro *c, PyObject *exception); /* if it is thrown or owed */
void coro_forget_exceptions(struct coro *c); /* all of them */

int coro_inbox_init(void); /* 0, or -1 with errno */
void coro_inbox_forget(struct coro *c);

PyObject *coro_greenlet_exit(void); /* borrowed: greenlet's exception class */
/* The first of all greenlets of this hub; on with all_next. */
struct coro *coro_first(void);
/* Running time of the job until now. */
int64_t coro_run_ns(const struct coro *c);

/* coro_limit.c: at a greenlet's birth, at the start of each job, and when the greenlet ends. */
void coro_limit_init(struct coro *c);
void coro_limit_begin(struct coro *c);
void coro_limit_clear(struct coro *c);

/* Of a call that is spawned here and now; and when it begins: arg as for coro_spawned_name. */
struct coro_heritage coro_leave_heritage(void);
void coro_take_heritage(struct coro *c, const struct coro_heritage *heritage, void *arg);

/* Is it one that ends the whole job? */
bool coro_is_limit(const struct interp *i, PyObject *exception);

/* pycoro's task of the running job: a new reference, or NULL with an exception. Told when the job is over. */
PyObject *task_of(struct coro *c);
void task_over(struct coro *c);

#endif
