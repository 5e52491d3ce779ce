/* The hub: the only file that calls greenlet.
 *
 * One switch brings a worker in, which then runs job after job until one of them waits or nothing is left; only waiting costs a switch.
 * The hub is greenlet's main greenlet of this thread: it alone decides who runs, and it alone changes interpreters. The queue is in
 * coro_ready.c, the workers in coro_worker.c, descriptors in coro_wait.c, Python's handles in coro_spawn.c. */
#include "coro_impl.h"

#include <greenlet.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "green_python.h"
#include "log.h"
#include "sentinel.h"

enum {
    LOOKS_SKIPPED_MAX = 127,
    TURN_NS = 1000000, /* how long the hub may be passed by: log lines and jobs of its own wait for it */
    CORO_STRAY_MAX = 8 /* how often a greenlet that came to the hub unasked is thrown back */
};

_Thread_local struct hub *coro_hub __attribute__((tls_model("initial-exec")));

static PyGreenlet *green(PyObject *o) { return (PyGreenlet *)o; }

int64_t coro_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- who runs --- */

/* While a greenlet runs, the thread is its own. */
static void become(struct coro *c)
{
    c->state = CORO_RUNNING;
    c->resumes++;
    coro_hub->switches++;
    hub_state()->running = c;
    pystate_swap_identity(c->interp->tstate, &c->identity);
    pystate_renew_async(c->interp->tstate);
    if (c->interrupted)
        pystate_look_for_signals(c->interp->tstate);
    if (c->owed)
        coro_announce(c);
    coro_cxx_swap(&c->cxx);
    green_identity = (uintptr_t)c;
    coro_hub->current = c;
    green_coro = c->green ? c : NULL;
    atomic_store_explicit(&sentinel_watch.who, c, memory_order_relaxed);
    atomic_store_explicit(&sentinel_watch.whose, c->interp, memory_order_relaxed);
    sentinel_watch_job(c->slice_ns, c->blocked_ns);
    sentinel_running(true);
}

static void charge(struct coro *c)
{
    struct hub_state *h = hub_state();
    int64_t now = coro_now_ns(), stretch = now - h->now_ns;
    c->run_ns += stretch;
    if (stretch > c->longest_ns)
        c->longest_ns = stretch;
    h->now_ns = now;
}

static void stop_being(struct coro *c)
{
    charge(c);
    coro_cxx_swap(&c->cxx);
    pystate_swap_identity(c->interp->tstate, &c->identity);
    pystate_end_signal();
}

/* --- waiting --- */

static PyObject *place_of(const struct coro *c) { return c->parked_at ? c->parked_at : c->greenlet; }

/* Is there nothing that only the hub can do, as far as this room knows? */
static bool hub_is_idle(const struct interp *i)
{
    const struct hub_state *h = hub_state();
    int64_t timer_ns = timer_next_ns(&h->hub.loop->timers);
    bool others = h->sliced.first || (h->hub.ready_first && (h->hub.ready_first != i || i->next_ready));
    return !others && !i->ready.first && !i->woken.first && !h->hub.loop->deferred && h->now_ns < h->turn_by_ns &&
           (timer_ns < 0 || h->now_ns < timer_ns);
}

/* Who waits while nobody else is ready looks for events itself: when one has come already, a detour by the hub and its wait are saved.
 * Where that has failed it is tried again less and less often: an idle program is to sleep, not to look. */
static void look(struct coro *c)
{
    struct hub_state *h = hub_state();
    if (c->state != CORO_PARKED || !hub_is_idle(c->interp) || h->looks_skipped++ < h->looks_failed)
        return;
    charge(c);
    h->looks_skipped = 0;
    if (!coro_look()) {
        h->looks_failed = h->looks_failed < LOOKS_SKIPPED_MAX ? h->looks_failed * 2 + 1 : LOOKS_SKIPPED_MAX;
        return;
    }
    h->looks_failed = 0;
    h->batch_of = c->interp->woken.first ? c->interp : NULL;
    h->batch_last = c->interp->woken.last;
}

/* Nobody is woken, and jobs are queued: a worker that rests takes them. One that has just gone to rest does not take the next itself: it has looked. New
 * ones are the hub's business, whose stack is the shallowest. */
static struct coro *take_rested(struct coro *c)
{
    struct interp *i = c->interp;
    if (c->state == CORO_IDLE || i->woken.first || !i->ready.first || !i->idle || !PyGreenlet_ACTIVE(green(i->idle->greenlet)))
        return NULL;
    return coro_take_worker(i);
}

/* Who is to run after c without a detour by the hub: the next that was woken before this batch began, in the same interpreter, then who takes its jobs. */
static struct coro *take_next(struct coro *c)
{
    struct hub_state *h = hub_state();
    if (h->running != c || h->now_ns >= h->stop_at_ns || PyThreadState_Get() != c->interp->tstate)
        return NULL;
    if (!h->batch_of)
        look(c);
    struct coro *next = c->interp->woken.first;
    if (h->batch_of != c->interp)
        return take_rested(c);
    if (!next || !PyGreenlet_ACTIVE(green(place_of(next))))
        return NULL;
    coro_take_woken(c->interp);
    if (next == h->batch_last)
        h->batch_of = NULL;
    return next;
}

static PyObject *switch_away(struct coro *c)
{
    struct coro *next = take_next(c);
    c->place = pystate_place_of(c->interp->tstate);
    coro_copy_for(&c->copy);
    if (!next) {
        coro_hub->current = NULL;
        green_coro = NULL;
        return PyGreenlet_Switch(green(hub_state()->main), NULL, NULL);
    }
    if (next == c) { /* what it waits for has come already */
        coro_copy_for(NULL);
        c->state = CORO_RUNNING;
        sentinel_watch_job(c->slice_ns, c->blocked_ns);
        return Py_NewRef(Py_None);
    }
    coro_fetch_ahead(c->interp);
    stop_being(c);
    PyObject *to = Py_NewRef(place_of(next));
    become(next);
    PyObject *result = PyGreenlet_Switch(green(to), NULL, NULL);
    Py_DECREF(to);
    return result;
}

/* A greenlet that somebody else than the hub switched to goes back at once; one that was thrown into (or dropped) becomes the current. */
int coro_switch_to_hub(struct coro *c)
{
    struct hub_state *h = hub_state();
    c->parked_at = (PyObject *)PyGreenlet_GetCurrent();
    do {
        PyObject *result = switch_away(c);
        if (!result) {
            c->state = CORO_RUNNING;
            h->hub.current = c;
            green_coro = c->green ? c : NULL;
        }
        Py_XDECREF(result);
    } while (c->state != CORO_RUNNING);
    c->place = (struct pystate_place){0};
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
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    coro_take_back(c, exception);
}

enum coro_wake coro_block(int64_t until_ns)
{
    struct coro *c = coro_hub->current;
    struct timer_heap *timers = &coro_hub->loop->timers;
    if (c->thrown || (c->owed && coro_owed_is_due(c)))
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
    int bad = coro_switch_to_hub(c);
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
    while (c->interrupted) {
        c->interrupted = false;
        if (PyErr_CheckSignals())
            return CORO_ERROR;
        if (result == CORO_WOKEN)
            result = coro_block(until_ns);
    }
    if (c->thrown && !PyErr_Occurred())
        coro_raise_thrown(c);
    return result;
}

static int give_way(void (*queue)(struct coro *))
{
    struct coro *c = current_or_raise();
    if (!c)
        return -1;
    c->state = CORO_PARKED;
    queue(c);
    int bad = coro_switch_to_hub(c);
    if (!bad && c->thrown && !(queue == coro_queue_sliced && coro_is_importing(c)))
        coro_raise_thrown(c);
    return PyErr_Occurred() ? -1 : 0;
}

int coro_yield(void) { return give_way(coro_wake); }
int coro_end_slice(void) { return give_way(coro_queue_sliced); }

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

PyObject *coro_greenlet_new(PyObject *run) { return (PyObject *)PyGreenlet_New(run, NULL); }
PyObject *coro_greenlet_exit(void) { return PyExc_GreenletExit; }

struct coro *coro_first(void) { return hub_state()->all; }

int64_t coro_run_ns(const struct coro *c) { return c->run_ns + (c == coro_hub->current ? coro_now_ns() - hub_state()->now_ns : 0); }

static void become_hub(struct coro *c)
{
    sentinel_running(false);
    stop_being(c);
    coro_hub->current = NULL;
    green_coro = NULL;
    green_identity = 0;
}

static void enter(struct coro *c)
{
    PyObject *to = Py_NewRef(place_of(c));
    coro_fetch_ahead(c->interp);
    become(c);
    PyObject *result = PyGreenlet_Switch(green(to), NULL, NULL);
    coro_copy_for(NULL);
    Py_DECREF(to);
    c = hub_state()->running; /* each may have switched to the next */
    for (int strays = 0; c->state == CORO_RUNNING && strays < CORO_STRAY_MAX && PyGreenlet_ACTIVE(green(c->greenlet)); strays++) {
        Py_XDECREF(result);
        result = throw_back(c);
        c = hub_state()->running;
    }
    become_hub(c);
    check_thread_state(c->interp);
    if (!result)
        interp_log_exception("exception that left a greenlet");
    Py_XDECREF(result);
    if (c->state == CORO_DEAD || !PyGreenlet_ACTIVE(green(c->greenlet)))
        coro_bury(c);
    else if (c->state == CORO_RUNNING) /* dropping it would run it once more: it stays where it is for ever */
        log_error(NULL, LEVEL_ERROR, "coro", "a greenlet that comes to the hub again and again is given up");
}

static void run_woken(struct interp *i)
{
    struct hub_state *h = hub_state();
    h->batch_of = i->woken.first ? i : NULL;
    h->batch_last = i->woken.last;
    while (h->batch_of && h->now_ns < h->stop_at_ns) {
        struct coro *c = coro_take_woken(i);
        if (c == h->batch_last)
            h->batch_of = NULL;
        enter(c);
    }
    h->batch_of = NULL;
}

static void run_jobs(struct interp *i)
{
    while (i->ready.first) {
        struct coro *c = coro_take_worker(i);
        if (!c) {
            interp_log_exception("making a greenlet");
            return;
        }
        enter(c);
        if (hub_state()->now_ns >= hub_state()->stop_at_ns)
            return;
    }
}

/* Those who compute share the time that is left: who has waited would otherwise wait for a slice of each of them. */
static void run_one_sliced(void)
{
    struct coro *c = coro_take_sliced();
    if (!c)
        return;
    interp_enter(c->interp);
    enter(c);
}

void coro_run_ready(int64_t budget_ns)
{
    struct hub_state *h = hub_state();
    h->now_ns = coro_now_ns();
    h->stop_at_ns = h->now_ns + budget_ns;
    h->turn_by_ns = h->now_ns + TURN_NS;
    struct interp *i;
    while ((i = coro_unqueue_interp())) {
        interp_enter(i);
        run_woken(i);
        run_jobs(i);
        if (i->woken.first || i->ready.first)
            coro_queue_interp(i);
        if (h->now_ns >= h->stop_at_ns)
            break;
    }
    run_one_sliced();
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
    coro_keep_chunks();
    coro_keep_copies();
    coro_cxx_init();
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
