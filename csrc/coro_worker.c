/* Pooled worker greenlets: one takes job after job until one of them waits or nothing is left, and rests in the pool between batches. */
#include "coro_impl.h"

#include <stdlib.h>
#include <unistd.h>

#include "green.h"
#include "log.h"

enum {
    CORO_IDLE_MAX = 1024, /* pooled greenlets without work, per interpreter */
    CORO_CLOCK_EVERY = 4, /* jobs between two looks at the clock */
    CHILD_CAME_BACK = 70  /* exit status of a forked child that returns from its handler */
};

/* A fresh copy of the context for each job; one that its job has neither changed nor kept is as fresh as any. */
static PyObject *enter_copy(struct coro *c)
{
    PyObject *context = c->context;
    c->context = NULL;
    if (context && !pystate_context_is_copy(context))
        Py_CLEAR(context);
    if (!context)
        context = PyContext_CopyCurrent();
    if (context && PyContext_Enter(context))
        Py_CLEAR(context);
    return context;
}

static void leave_context(struct coro *c, PyObject *context)
{
    if (context && PyContext_Exit(context))
        interp_log_exception("leaving the context of a handler");
    if (context && pystate_context_is_copy(context))
        c->context = context;
    else
        Py_XDECREF(context);
}

void coro_check_child(void)
{
    if (coro_hub)
        return;
    log_error(NULL, LEVEL_WARN, "coro", "a forked child came back from its handler and is ended: it must not be a second server");
    _exit(CHILD_CAME_BACK);
}

static void run_job(struct coro *c, struct job *job)
{
    PyObject *context = enter_copy(c);
    if (!context)
        interp_log_exception("making the context of a handler");
    c->woken = c->told = false;
    c->run_ns = c->longest_ns = 0;
    c->resumes = 1;
    coro_set_green(true);
    coro_limit_begin(c);
    c->job = job;
    job->run(job);
    c->job = NULL; /* it may be gone, and what it leaves behind may wait */
    interp_log_exception("exception that left a job");
    coro_check_child();
    coro_limit_clear(c);
    task_over(c);
    coro_forget_exceptions(c); /* what this job has not met is not for the next one */
    leave_context(c, context);
}

void coro_set_green(bool on)
{
    struct coro *c = coro_current();
    if (!c)
        return;
    c->green = on && hub_state()->green;
    green_coro = c->green ? c : NULL;
}

/* Runs what is queued, as far as the budget of this batch goes. */
static void drain_jobs(struct coro *c)
{
    struct hub_state *h = hub_state();
    struct job *job;
    for (unsigned n = 1; (job = job_take(&c->interp->ready)); n++) {
        run_job(c, job);
        if (n % CORO_CLOCK_EVERY == 0 && coro_now_ns() >= h->stop_at_ns)
            return;
    }
}

/* To the pool, until the hub has a job. False: the pool is full, or the greenlet is to end. */
static bool rest_in_pool(struct coro *c)
{
    struct interp *i = c->interp;
    if (i->greenlets_idle >= CORO_IDLE_MAX)
        return false;
    i->greenlets_idle++;
    c->state = CORO_IDLE;
    c->next = i->idle;
    i->idle = c;
    return coro_switch_to_hub(c) == 0;
}

/* Thrown into while it rested: the pool must not find it any more. */
static void leave_pool(struct coro *c)
{
    for (struct coro **at = &c->interp->idle; *at; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            c->interp->greenlets_idle--;
            return;
        }
}

static PyObject *worker_main(PyObject *self, PyObject *noargs)
{
    (void)self;
    (void)noargs;
    struct coro *c = coro_hub->current;
    do
        drain_jobs(c);
    while (rest_in_pool(c));
    leave_pool(c);
    PyErr_Clear();
    c->state = CORO_DEAD;
    coro_hub->current = NULL;
    green_coro = NULL;
    Py_RETURN_NONE;
}

static PyMethodDef worker_method = {"worker", worker_main, METH_NOARGS, "A pooled greenlet of pyhost."};

static struct coro *coro_new(struct interp *i)
{
    if (!i->worker_main)
        i->worker_main = PyCFunction_New(&worker_method, NULL);
    PyObject *greenlet = i->worker_main ? coro_greenlet_new(i->worker_main) : NULL;
    struct coro *c = greenlet ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        if (greenlet)
            PyErr_NoMemory();
        Py_XDECREF(greenlet);
        return NULL;
    }
    c->greenlet = greenlet;
    c->mark = ~(uintptr_t)c;
    c->interp = i;
    c->refs = 1;
    coro_limit_init(c);
    c->all_next = hub_state()->all;
    if (c->all_next)
        c->all_next->all_prev = c;
    hub_state()->all = c;
    pystate_init_identity(&c->identity, (unsigned long)(uintptr_t)c);
    coro_ready_init(c);
    i->greenlets++;
    return c;
}

struct coro *coro_take_worker(struct interp *i)
{
    struct coro *c = i->idle;
    if (!c)
        return coro_new(i);
    i->idle = c->next;
    i->greenlets_idle--;
    return c;
}

struct coro *coro_ref(struct coro *c)
{
    c->refs++;
    return c;
}

void coro_unref(struct coro *c)
{
    if (c && --c->refs == 0)
        free(c);
}

/* The greenlet has ended: what is left are references that others hold on the struct. */
void coro_bury(struct coro *c)
{
    c->interp->greenlets--;
    if (c->all_next)
        c->all_next->all_prev = c->all_prev;
    *(c->all_prev ? &c->all_prev->all_next : &hub_state()->all) = c->all_next;
    coro_inbox_forget(c);
    coro_limit_clear(c);
    pystate_clear_identity(&c->identity);
    Py_CLEAR(c->context);
    Py_CLEAR(c->greenlet);
    Py_CLEAR(c->parked_at);
    coro_forget_exceptions(c);
    coro_unref(c);
}
