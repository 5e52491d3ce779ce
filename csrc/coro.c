/* The hub and its pooled worker greenlets.
 *
 * One switch brings a worker in, which then runs job after job until one of them waits or nothing is left; only waiting costs a switch.
 * The hub is greenlet's main greenlet of this thread: it alone decides who runs, and it alone changes interpreters. What knows a
 * descriptor is in coro_wait.c, what knows Python's handles in coro_spawn.c. */
#include "coro_impl.h"

#include <assert.h>
#include <greenlet.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "green_python.h"
#include "log.h"
#include "sentinel.h"

enum {
    CORO_IDLE_MAX = 1024,      /* pooled greenlets without work, per interpreter */
    CORO_STRAY_MAX = 8,        /* how often a greenlet that came to the hub unasked is thrown back */
    CORO_CLOCK_EVERY = 4,      /* jobs between two looks at the clock */
    ARENA_CACHE = 64,          /* stack chunks of ended greenlets kept for new ones */
    ARENA_CHUNK_BYTES = 16384
};

struct hub_state {
    struct hub hub;
    PyObject *main;      /* strong: the hub's own greenlet */
    bool green;          /* the hooks may be used: libpython can be told from the program */
    struct coro *all;    /* borrowed */
    int64_t now_ns;      /* at the last switch: what runs since then is charged to who runs */
    int64_t stop_at_ns;  /* this batch's budget; workers take no new job after it */
};

_Thread_local struct hub *coro_hub __attribute__((tls_model("initial-exec")));

static struct hub_state *hub_state(void) { return (struct hub_state *)coro_hub; }
static PyGreenlet *green(PyObject *o) { return (PyGreenlet *)o; }

int64_t coro_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- chunks of Python stack: each new greenlet maps one and each that ends unmaps it, unless somebody keeps them --- */

static struct {
    PyObjectArenaAllocator real;
    void *kept[ARENA_CACHE];
    int count;
} arena;

static void *arena_alloc(void *ctx, size_t size)
{
    (void)ctx;
    if (size == ARENA_CHUNK_BYTES && arena.count)
        return arena.kept[--arena.count];
    return arena.real.alloc(arena.real.ctx, size);
}

static void arena_free(void *ctx, void *chunk, size_t size)
{
    (void)ctx;
    if (size == ARENA_CHUNK_BYTES && arena.count < ARENA_CACHE)
        arena.kept[arena.count++] = chunk;
    else
        arena.real.free(arena.real.ctx, chunk, size);
}

static void arena_install(void)
{
    if (arena.real.alloc)
        return;
    PyObject_GetArenaAllocator(&arena.real);
    PyObjectArenaAllocator ours = {NULL, arena_alloc, arena_free};
    PyObject_SetArenaAllocator(&ours);
}

/* --- the ready queue: interpreters that have woken greenlets or jobs --- */

static void queue_interp(struct interp *i)
{
    struct hub *h = coro_hub;
    if (i->queued)
        return;
    i->queued = true;
    i->next_ready = NULL;
    if (h->ready_last)
        h->ready_last->next_ready = i;
    else
        h->ready_first = i;
    h->ready_last = i;
}

static struct interp *unqueue_interp(void)
{
    struct hub *h = coro_hub;
    struct interp *i = h->ready_first;
    if (i) {
        h->ready_first = i->next_ready;
        if (!h->ready_first)
            h->ready_last = NULL;
        i->queued = false;
    }
    return i;
}

void coro_submit(struct interp *i, struct job *job)
{
    job->next = NULL;
    if (i->ready_last)
        i->ready_last->next = job;
    else
        i->ready_first = job;
    i->ready_last = job;
    queue_interp(i);
}

static struct job *take_job(struct interp *i)
{
    struct job *job = i->ready_first;
    if (job) {
        i->ready_first = job->next;
        if (!i->ready_first)
            i->ready_last = NULL;
    }
    return job;
}

bool coro_has_ready(void) { return coro_hub->ready_first != NULL; }

static void make_ready(struct coro *c)
{
    if (c->state != CORO_PARKED) {
        c->woken = true;
        return;
    }
    struct interp *i = c->interp;
    c->state = CORO_READY;
    c->next = NULL;
    if (i->woken_last)
        i->woken_last->next = c;
    else
        i->woken_first = c;
    i->woken_last = c;
    queue_interp(i);
}

static struct coro *take_woken(struct interp *i)
{
    struct coro *c = i->woken_first;
    if (c) {
        i->woken_first = c->next;
        if (!i->woken_first)
            i->woken_last = NULL;
    }
    return c;
}

void coro_wake(struct coro *c) { make_ready(c); }

static void waker_fired(struct waker *w) { make_ready((struct coro *)((char *)w - offsetof(struct coro, waker))); }

static void timer_fired(struct timer *t)
{
    struct coro *c = (struct coro *)((char *)t - offsetof(struct coro, timer));
    c->timed_out = true;
    make_ready(c);
}

struct waker *coro_waker(struct coro *c) { return &c->waker; }

struct job *coro_job(const struct coro *c) { return c->job && c->job->of_request ? c->job : NULL; }

void coro_throw(struct coro *c, PyObject *exception)
{
    Py_XSETREF(c->thrown, exception);
    timer_disarm(&coro_hub->loop->timers, &c->timer);
    make_ready(c);
}

/* --- waiting --- */

/* A greenlet that somebody else than the hub switched to goes back at once; one that was thrown into (or dropped) becomes the current. */
static int switch_to_hub(struct coro *c)
{
    struct hub_state *h = hub_state();
    c->parked_at = (PyObject *)PyGreenlet_GetCurrent();
    do {
        h->hub.current = NULL;
        green_coro = NULL;
        PyObject *result = PyGreenlet_Switch(green(h->main), NULL, NULL);
        if (!result) {
            c->state = CORO_RUNNING;
            h->hub.current = c;
            green_coro = c->green ? c : NULL;
        }
        Py_XDECREF(result);
    } while (c->state != CORO_RUNNING);
    Py_CLEAR(c->parked_at);
    return PyErr_Occurred() ? -1 : 0;
}

static struct coro *current_or_raise(void)
{
    struct coro *c = coro_current();
    if (!c)
        PyErr_SetString(PyExc_RuntimeError, "only a handler can wait here: this is the hub, a thread of its own or a forked child");
    return c;
}

void coro_raise_thrown(struct coro *c)
{
    PyObject *exception = c->thrown;
    c->thrown = NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
}

enum coro_wake coro_block(int64_t until_ns)
{
    struct coro *c = coro_hub->current;
    struct timer_heap *timers = &coro_hub->loop->timers;
    if (c->thrown)
        return CORO_ERROR;
    if (c->woken) {
        c->woken = false;
        return CORO_WOKEN;
    }
    c->timed_out = false;
    if (until_ns >= 0 && timer_arm(timers, &c->timer, until_ns)) {
        PyErr_NoMemory();
        return CORO_ERROR;
    }
    c->state = CORO_PARKED;
    c->interp->waiting++;
    int bad = switch_to_hub(c);
    c->interp->waiting--;
    c->woken = false;
    timer_disarm(timers, &c->timer);
    if (bad || c->thrown)
        return CORO_ERROR;
    return c->timed_out ? CORO_TIMED_OUT : CORO_WOKEN;
}

enum coro_wake coro_park(int64_t until_ns)
{
    struct coro *c = current_or_raise();
    if (!c)
        return CORO_ERROR;
    enum coro_wake result = coro_block(until_ns);
    if (c->thrown && !PyErr_Occurred())
        coro_raise_thrown(c);
    return result;
}

int coro_yield(void)
{
    struct coro *c = current_or_raise();
    if (!c)
        return -1;
    c->state = CORO_PARKED;
    make_ready(c);
    int bad = switch_to_hub(c);
    if (!bad && c->thrown)
        coro_raise_thrown(c);
    return PyErr_Occurred() ? -1 : 0;
}

/* --- worker greenlets --- */

PyObject *coro_enter_copy(void)
{
    PyObject *context = PyContext_CopyCurrent();
    if (context && PyContext_Enter(context))
        Py_CLEAR(context);
    return context;
}

void coro_leave_context(PyObject *context)
{
    if (context && PyContext_Exit(context))
        interp_log_exception("leaving the context of a handler");
    Py_XDECREF(context);
}

static void run_job(struct coro *c, struct job *job)
{
    PyObject *context = coro_enter_copy();
    if (!context)
        interp_log_exception("making the context of a handler");
    c->woken = c->told = false;
    c->run_ns = c->longest_ns = 0;
    c->resumes = 1;
    coro_set_green(true);
    coro_limit_begin(c);
    c->job = job;
    job->run(job);
    interp_log_exception("exception that left a job");
    if (!coro_hub) /* a handler forked and the child came back: it must not be a second server */
        _exit(70);
    coro_limit_clear(c);
    task_over(c);
    c->job = NULL;
    Py_CLEAR(c->thrown);
    coro_leave_context(context);
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
    for (unsigned n = 1; (job = take_job(c->interp)); n++) {
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
    return switch_to_hub(c) == 0;
}

static PyObject *worker_main(PyObject *self, PyObject *noargs)
{
    (void)self;
    (void)noargs;
    struct coro *c = coro_hub->current;
    do
        drain_jobs(c);
    while (rest_in_pool(c));
    PyErr_Clear();
    c->state = CORO_DEAD;
    coro_hub->current = NULL;
    green_coro = NULL;
    Py_RETURN_NONE;
}

static PyMethodDef worker_method = {"worker", worker_main, METH_NOARGS, "A pooled greenlet of pyhost."};

static struct coro *coro_new(struct interp *i)
{
    struct coro *c = calloc(1, sizeof *c);
    if (!i->worker_main)
        i->worker_main = PyCFunction_New(&worker_method, NULL);
    c->greenlet = c && i->worker_main ? (PyObject *)PyGreenlet_New(i->worker_main, NULL) : NULL;
    if (!c || !c->greenlet) {
        free(c);
        return NULL;
    }
    c->interp = i;
    c->refs = 1;
    coro_limit_init(c);
    c->all_next = hub_state()->all;
    if (c->all_next)
        c->all_next->all_prev = c;
    hub_state()->all = c;
    pystate_init_identity(&c->identity, (unsigned long)(uintptr_t)c);
    c->timer.fire = timer_fired;
    c->waker.wake = waker_fired;
    i->greenlets++;
    return c;
}

static struct coro *take_worker(struct interp *i)
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
static void bury(struct coro *c)
{
    c->interp->greenlets--;
    if (c->all_next)
        c->all_next->all_prev = c->all_prev;
    *(c->all_prev ? &c->all_prev->all_next : &hub_state()->all) = c->all_next;
    coro_inbox_forget(c);
    coro_limit_clear(c);
    pystate_clear_identity(&c->identity);
    Py_CLEAR(c->greenlet);
    Py_CLEAR(c->parked_at);
    Py_CLEAR(c->thrown);
    coro_unref(c);
}

/* --- the hub --- */

/* Came here by greenlet's own switch without waiting for anything: nobody would ever wake it. */
static PyObject *throw_back(struct coro *c)
{
    log_error(NULL, LEVEL_ERROR, "coro", "a handler switched to the hub without waiting for anything; RuntimeError is raised in it");
    PyObject *message = PyUnicode_FromString("switched to the hub without waiting for anything");
    coro_hub->current = c;
    green_coro = c->green ? c : NULL;
    PyObject *result = PyGreenlet_Throw(green(c->greenlet), PyExc_RuntimeError, message, NULL);
    Py_XDECREF(message);
    return result;
}

static void check_thread_state(const struct interp *i)
{
    if (PyThreadState_Get() == i->tstate)
        return;
    log_error(NULL, LEVEL_EMERG, "coro", "the thread state of another interpreter after a switch");
    abort();
}

/* While a greenlet runs, the thread is its own. */
static void become(struct coro *c)
{
    pystate_swap_identity(c->interp->tstate, &c->identity);
    green_identity = (uintptr_t)c;
    coro_hub->current = c;
    green_coro = c->green ? c : NULL;
    sentinel_watch_job(c->slice_ns, c->blocked_ns);
    sentinel_running(true);
}

PyObject *coro_greenlet_exit(void) { return PyExc_GreenletExit; }

struct coro *coro_first(void) { return hub_state()->all; }

int64_t coro_run_ns(const struct coro *c) { return c->run_ns + (c == coro_hub->current ? coro_now_ns() - hub_state()->now_ns : 0); }

static void charge(struct coro *c)
{
    struct hub_state *h = hub_state();
    int64_t now = coro_now_ns(), stretch = now - h->now_ns;
    c->run_ns += stretch;
    if (stretch > c->longest_ns)
        c->longest_ns = stretch;
    h->now_ns = now;
}

static void become_hub(struct coro *c)
{
    sentinel_running(false);
    charge(c);
    coro_hub->current = NULL;
    green_coro = NULL;
    green_identity = 0;
    pystate_swap_identity(c->interp->tstate, &c->identity);
    pystate_end_signal();
}

static void enter(struct coro *c)
{
    PyObject *to = Py_NewRef(c->parked_at ? c->parked_at : c->greenlet);
    c->state = CORO_RUNNING;
    coro_hub->switches++;
    c->resumes++;
    become(c);
    PyObject *result = PyGreenlet_Switch(green(to), NULL, NULL);
    Py_DECREF(to);
    for (int strays = 0; c->state == CORO_RUNNING && strays < CORO_STRAY_MAX && PyGreenlet_ACTIVE(green(c->greenlet)); strays++) {
        Py_XDECREF(result);
        result = throw_back(c);
    }
    become_hub(c);
    check_thread_state(c->interp);
    if (!result)
        interp_log_exception("exception that left a greenlet");
    Py_XDECREF(result);
    if (c->state == CORO_DEAD || !PyGreenlet_ACTIVE(green(c->greenlet)))
        bury(c);
    else if (c->state == CORO_RUNNING) /* dropping it would run it once more: it stays where it is for ever */
        log_error(NULL, LEVEL_ERROR, "coro", "a greenlet that comes to the hub again and again is given up");
}

static void run_woken(struct interp *i)
{
    struct coro *last = i->woken_last, *c;
    while ((c = take_woken(i))) {
        enter(c);
        if (c == last || hub_state()->now_ns >= hub_state()->stop_at_ns)
            return;
    }
}

static void run_jobs(struct interp *i)
{
    while (i->ready_first) {
        struct coro *c = take_worker(i);
        if (!c) {
            interp_log_exception("making a greenlet");
            return;
        }
        enter(c);
        if (hub_state()->now_ns >= hub_state()->stop_at_ns)
            return;
    }
}

void coro_run_ready(int64_t budget_ns)
{
    struct hub_state *h = hub_state();
    h->now_ns = coro_now_ns();
    h->stop_at_ns = h->now_ns + budget_ns;
    struct interp *i;
    while ((i = unqueue_interp())) {
        interp_enter(i);
        run_woken(i);
        run_jobs(i);
        if (i->woken_first || i->ready_first)
            queue_interp(i);
        if (h->now_ns >= h->stop_at_ns)
            break;
    }
    interp_enter(interp_main());
}

static void before_wait(struct loop *l)
{
    (void)l;
    PyEval_SaveThread();
}

static void after_wait(struct loop *l)
{
    (void)l;
    PyEval_RestoreThread(interp_main()->tstate);
}

/* In a forked child; what identifies the greenlet stays, so that locks it holds can be let go. */
static void forget_hub(void)
{
    coro_hub = NULL;
    green_coro = NULL;
    green_forget_waiters();
}

int coro_init(struct loop *loop)
{
    PyGreenlet_Import();
    if (!_PyGreenlet_API)
        return -1;
    struct hub_state *h = calloc(1, sizeof *h);
    if (!h) {
        PyErr_NoMemory();
        return -1;
    }
    h->hub.loop = loop;
    h->hub.pid = getpid();
    h->main = (PyObject *)PyGreenlet_GetCurrent();
    if (!loop->before_wait) {
        loop->before_wait = before_wait;
        loop->after_wait = after_wait;
    }
    arena_install();
    coro_hub = &h->hub;
    pthread_atfork(NULL, NULL, forget_hub);
    if (coro_inbox_init()) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    h->green = green_init();
    if (green_watch()) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return PyErr_Occurred() ? -1 : 0;
}
