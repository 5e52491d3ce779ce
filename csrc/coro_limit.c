/* What bounds a job: its deadline, its client, its time slice. Exceptions are raised where it waits; one that computes meets them when it is made
 * to give way. */
#include "coro_impl.h"
#include "green.h"
#include "sentinel.h"

enum { NS_PER_MS = 1000000 };

/* Both exceptions come with the module. */
static int need_types(struct interp *i)
{
    if (i->timeout_type)
        return 0;
    PyObject *module = PyImport_ImportModule("_coro");
    Py_XDECREF(module);
    return module && i->timeout_type ? 0 : -1;
}

bool coro_is_limit(const struct interp *i, PyObject *exception)
{
    return exception && ((PyObject *)Py_TYPE(exception) == i->timeout_type || (PyObject *)Py_TYPE(exception) == i->gone_type);
}

/* In the hub, where the interpreter of the greenlet need not be the current one. What bounds a part of the job only gives way. */
static void throw_type(struct coro *c, PyObject *type)
{
    if (!type || !c->job || coro_is_limit(c->interp, c->thrown))
        return;
    struct interp *was = interp_enter(c->interp);
    PyObject *exception = PyObject_CallNoArgs(type);
    if (exception)
        coro_throw(c, exception);
    else
        interp_log_exception("making the exception that ends a request");
    interp_enter(was);
}

static void deadline_fired(struct timer *t)
{
    struct coro *c = (struct coro *)((char *)t - offsetof(struct coro, deadline));
    throw_type(c, c->interp->timeout_type);
}

bool coro_hears_of_client(struct coro *c) { return need_types(c->interp) == 0; }

void coro_client_gone(struct coro *c) { throw_type(c, c->interp->gone_type); }

void coro_limit_init(struct coro *c)
{
    c->deadline.fire = deadline_fired;
}

void coro_limit_begin(struct coro *c)
{
    c->slice_ns = c->blocked_ns = 0;
    c->describe = NULL;
    sentinel_watch_job(0, 0);
}

void coro_limit_clear(struct coro *c)
{
    c->describe = NULL; /* what it describes goes with the job */
    if (timer_armed(&c->deadline))
        timer_disarm(&coro_hub->loop->timers, &c->deadline);
}

static void watch_job(struct coro *c, int64_t slice_ns, int64_t blocked_ns, void (*describe)(void *, char *, size_t), void *arg)
{
    c->describe = NULL; /* a signal may ask between these lines */
    atomic_signal_fence(memory_order_seq_cst);
    c->describe_arg = arg;
    c->slice_ns = slice_ns;
    c->blocked_ns = blocked_ns;
    atomic_signal_fence(memory_order_seq_cst);
    c->describe = describe;
    sentinel_watch_job(slice_ns, blocked_ns);
}

int coro_set_limits(const struct coro_limits *limits)
{
    struct coro *c = coro_current();
    if (!c)
        return 0;
    coro_set_green(limits->green);
    watch_job(c, limits->slice_ms * NS_PER_MS, limits->blocked_ms * NS_PER_MS, limits->describe, limits->arg);
    if (!limits->timeout_ms || timer_armed(&c->deadline))
        return 0;
    if (need_types(c->interp))
        return -1;
    if (timer_arm(&coro_hub->loop->timers, &c->deadline, coro_now_ns() + limits->timeout_ms * NS_PER_MS)) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

void coro_set_spawned_limits(const struct coro_limits *limits)
{
    struct hub_state *h = hub_state();
    h->service = (struct coro_heritage){limits->green, limits->slice_ms * NS_PER_MS, limits->blocked_ms * NS_PER_MS};
    h->describe_spawned = limits->describe;
}

struct coro_heritage coro_leave_heritage(void)
{
    const struct hub_state *h = hub_state();
    const struct coro *c = coro_current();
    if (!h->describe_spawned)
        return (struct coro_heritage){.green = true};
    return c && c->describe ? (struct coro_heritage){c->green || !h->green, c->slice_ns, c->blocked_ns} : h->service;
}

void coro_take_heritage(struct coro *c, const struct coro_heritage *heritage, void *arg)
{
    coro_set_green(heritage->green);
    watch_job(c, heritage->slice_ns, heritage->blocked_ns, hub_state()->describe_spawned, arg);
}

void coro_watch(int64_t slice_ms, int64_t blocked_ms, void (*describe)(void *, char *, size_t), void *arg)
{
    struct coro *c = coro_current();
    if (c)
        watch_job(c, slice_ms * NS_PER_MS, blocked_ms * NS_PER_MS, describe, arg);
}

void coro_end_limits(void)
{
    struct coro *c = coro_current();
    if (!c)
        return;
    coro_limit_clear(c);
    if (coro_is_limit(c->interp, c->thrown))
        coro_take_back(c, c->thrown);
    if (coro_is_limit(c->interp, c->owed))
        coro_take_back(c, c->owed);
}

/* A call that was ended by force raises an error of its own, and ours would come with the next bytecode, if there is one. */
static PyObject *take_type(void)
{
    struct coro *c = coro_current();
    PyObject *exception = !c ? NULL : c->owed ? c->owed : c->told ? c->thrown : NULL;
    PyObject *type = exception ? Py_NewRef((PyObject *)Py_TYPE(exception)) : NULL;
    if (type)
        coro_take_back(c, exception);
    return type;
}

enum coro_end coro_ended_by(void)
{
    const struct interp *i = interp_current();
    PyObject *waiting = take_type();
    enum coro_end end = CORO_END_OTHER;
    if (i->timeout_type && (waiting == i->timeout_type || PyErr_ExceptionMatches(i->timeout_type)))
        end = CORO_END_TIMEOUT;
    else if (i->gone_type && (waiting == i->gone_type || PyErr_ExceptionMatches(i->gone_type)))
        end = CORO_END_GONE;
    Py_XDECREF(waiting);
    return end;
}
