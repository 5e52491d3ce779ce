/* What bounds the tasks of an ASGI request: PyRequestTimeout, PyCancelOnDisconnect, PyTimeSlice, PyBlockedWarning.
 *
 * Deadline and client mark the cycle; the loop's greenlet, which alone may touch tasks, does the rest. Which request a step of the loop belongs to
 * is told by a context variable, which every task inherits from the one that made it. A step holds up the loop in one of two ways: it computes or
 * blocks the whole worker, which the sentinel sees, or it waits in a green call, where only its own loop stands still: a timer of the hub sees that. */
#include "pyasgi_limit.h"

#include <errno.h>

#include "log.h"
#include "pylimit.h"

enum { NS_PER_MS = 1000000, STATUS_TIMEOUT = 504, STATUS_GONE = 408, DESCRIPTION_BYTES = 2048 };

/* ---- the request of a context ---- */

struct ticket { PyObject_HEAD struct cycle *cycle; /* borrowed; NULL: it is over, whatever goes on in its context */ };

static void ticket_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyType_Slot ticket_slots[] = {{Py_tp_dealloc, ticket_dealloc}, {0, NULL}};
PyType_Spec asgi_ticket_spec = {"pyhost.Ticket", sizeof(struct ticket), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, ticket_slots};

int asgi_limit_set_context(struct cycle *c)
{
    struct ticket *t = PyObject_New(struct ticket, c->state->ticket_type);
    if (!t)
        return -1;
    t->cycle = c;
    Py_XSETREF(c->ticket, (PyObject *)t);
    PyObject *token = PyContextVar_Set(c->state->request_var, (PyObject *)t);
    Py_XDECREF(token);
    return token ? 0 : -1;
}

struct cycle *asgi_limit_cycle(const struct asgi_state *s, PyObject *context)
{
    PyObject *ticket = PyObject_CallMethodOneArg(context, s->keys[ASGI_GET], s->request_var);
    struct cycle *c = ticket && Py_IS_TYPE(ticket, s->ticket_type) ? ((struct ticket *)ticket)->cycle : NULL;
    Py_XDECREF(ticket);
    return c;
}

/* ---- who holds up the loop ---- */

static void arm_watch(struct asgi_state *s, int64_t at_ns)
{
    if (timer_arm(&coro_hub->loop->timers, &s->step_watch, at_ns))
        log_error(NULL, LEVEL_ERROR, "asgi", "no memory to watch the asyncio loop");
}

void asgi_limit_enter(struct asgi_state *s, struct cycle *c)
{
    struct request *r = c ? c->request : NULL;
    int64_t blocked_ms = r && r->conf ? r->conf->blocked_warning_ms : 0, slice_ms = r && r->conf ? r->conf->time_slice_ms : 0;
    if (!blocked_ms && !slice_ms)
        return;
    s->step = (struct cycle *)Py_NewRef(c);
    s->step_since_ns = coro_now_ns();
    s->step_reported = false;
    coro_watch(slice_ms, blocked_ms, pylimit_describe, r);
    if (blocked_ms && !timer_armed(&s->step_watch))
        arm_watch(s, s->step_since_ns + blocked_ms * NS_PER_MS);
}

void asgi_limit_leave(struct asgi_state *s)
{
    if (!s->step)
        return;
    coro_watch(0, 0, NULL, NULL);
    Py_CLEAR(s->step);
}

/* The lines of a function of pyhost/gateway/asgi_stack.py go to the log. */
static void log_lines(struct request *r, int level, PyObject *text)
{
    Py_ssize_t len = 0;
    const char *bytes = text && PyUnicode_Check(text) ? PyUnicode_AsUTF8AndSize(text, &len) : NULL;
    if (bytes)
        log_text(r->server, r, level, "asgi", slice_of(bytes, (size_t)len), true);
    else
        interp_log_exception("showing where an ASGI application stands");
    Py_XDECREF(text);
}

static void report_step(struct asgi_state *s, int64_t held_ns)
{
    char text[DESCRIPTION_BYTES];
    struct request *r = s->step->request;
    struct interp *was = interp_enter(s->interp);
    PyObject *module = PyImport_ImportModule("pyhost.gateway.asgi_stack");
    pylimit_describe(r, text, sizeof text);
    log_request(r, LEVEL_WARN, "asgi", "the asyncio loop has been held up for %lld ms by %s", (long long)(held_ns / NS_PER_MS), text);
    log_lines(r, LEVEL_WARN, module ? PyObject_CallMethod(module, "where_the_loop_waits", NULL) : NULL);
    Py_XDECREF(module);
    interp_enter(was);
}

/* In the hub: the loop's greenlet has given way. It is armed again as long as there are steps, so that a step costs a look at the clock only. */
static void step_watched(struct timer *t)
{
    struct asgi_state *s = (struct asgi_state *)((char *)t - offsetof(struct asgi_state, step_watch));
    if (!s->step)
        return;
    int64_t blocked_ns = s->step->request->conf->blocked_warning_ms * NS_PER_MS, now = coro_now_ns(), held = now - s->step_since_ns;
    if (!blocked_ns)
        return;
    if (held >= blocked_ns && !s->step_reported) {
        s->step_reported = true;
        report_step(s, held);
    }
    arm_watch(s, held >= blocked_ns ? now + blocked_ns : s->step_since_ns + blocked_ns);
}

void asgi_limit_init(struct asgi_state *s) { s->step_watch.fire = step_watched; }

PyObject *asgi_run_handle(struct asgi_state *s, PyObject *handle)
{
    PyObject *context = PyObject_GetAttr(handle, s->keys[ASGI_CONTEXT]);
    if (!context)
        return NULL;
    asgi_limit_enter(s, asgi_limit_cycle(s, context));
    Py_DECREF(context);
    PyErr_Clear();
    PyObject *result = PyObject_CallMethodNoArgs(handle, s->keys[ASGI_RUN]);
    asgi_limit_leave(s);
    return result;
}

/* ---- deadline and client ---- */

static void deadline_fired(struct timer *t)
{
    struct cycle *c = (struct cycle *)((char *)t - offsetof(struct cycle, deadline));
    c->due = true;
    asgi_cycle_mark(c);
}

int asgi_limit_begin(struct cycle *c)
{
    int64_t ms = c->request->conf ? c->request->conf->request_timeout_ms : 0;
    c->deadline.fire = deadline_fired;
    if (!ms || !timer_arm(&coro_hub->loop->timers, &c->deadline, coro_now_ns() + ms * NS_PER_MS))
        return 0;
    PyErr_NoMemory();
    return -1;
}

void asgi_limit_end_deadline(struct cycle *c)
{
    c->due = false;
    if (coro_hub)
        timer_disarm(&coro_hub->loop->timers, &c->deadline);
}

void asgi_limit_end(struct cycle *c)
{
    asgi_limit_end_deadline(c);
    if (c->ticket)
        ((struct ticket *)c->ticket)->cycle = NULL;
    Py_CLEAR(c->ticket);
}

static int cancel_task(struct cycle *c, const char *why)
{
    PyObject *done = c->task ? PyObject_CallMethod(c->task, "cancel", "s", why) : Py_NewRef(Py_None);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Answers at once: an application that does not let itself be cancelled keeps nobody waiting. */
static int expire(struct cycle *c)
{
    struct request *r = c->request;
    PyObject *module = c->task ? PyImport_ImportModule("pyhost.gateway.asgi_stack") : NULL;
    log_request(r, LEVEL_ERROR, "asgi", "the request takes longer than the %lld ms of PyRequestTimeout: %s", (long long)r->conf->request_timeout_ms,
                c->task ? "it is cancelled" : "its application has not started");
    if (c->task)
        log_lines(r, LEVEL_ERROR, module ? PyObject_CallMethod(module, "where_tasks_wait", "OOO", c->task, c->state->request_var, c->ticket) : NULL);
    Py_XDECREF(module);
    c->expired = true;
    Py_CLEAR(c->rest);
    asgi_cycle_finish(c, STATUS_TIMEOUT);
    return cancel_task(c, "PyRequestTimeout");
}

static int client_gone(struct cycle *c)
{
    c->cancelled = true;
    if (c->task)
        return cancel_task(c, "PyCancelOnDisconnect");
    asgi_cycle_over(c); /* nothing has begun */
    return 0;
}

int asgi_limit_collect(struct cycle *c)
{
    const struct request *r = c->request;
    if (c->complete)
        return 0;
    if (c->due)
        return expire(c);
    if (c->gone && r->conf && r->conf->cancel_on_disconnect && !c->cancelled)
        return client_gone(c);
    return 0;
}

static bool is_cancellation(void)
{
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyObject *module = PyImport_ImportModule("asyncio");
    PyObject *cancelled = module ? PyObject_GetAttrString(module, "CancelledError") : NULL;
    bool is = cancelled && type && PyErr_GivenExceptionMatches(type, cancelled);
    Py_XDECREF(module);
    Py_XDECREF(cancelled);
    PyErr_Restore(type, value, trace);
    return is;
}

int asgi_limit_status(struct cycle *c)
{
    if (!(c->expired || c->cancelled) || !PyErr_Occurred() || !is_cancellation())
        return 0;
    PyErr_Clear();
    if (c->cancelled)
        log_request(c->request, LEVEL_INFO, "asgi", "the client went away: PyCancelOnDisconnect: cancelled");
    return c->expired ? STATUS_TIMEOUT : STATUS_GONE;
}

int asgi_limit_raise(const struct cycle *c)
{
    if (!c->expired)
        return 0;
    PyErr_SetString(PyExc_TimeoutError, "PyRequestTimeout has ended this request"); /* an OSError, as ASGI 2.4 wants it of a send that is too late */
    return -1;
}
