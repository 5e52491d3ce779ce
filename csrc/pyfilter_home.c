/* Where a filter runs. The interpreter is chosen for each filter as for each handler: where it is another than that of whoever writes or reads,
 * the filter is a job there, and the greenlet that has called it waits until it is done. No object goes from one to the other: only bytes, in the
 * filter's place. */
#include "pyfilt.h"

#include <stdlib.h>

#include "coro.h"
#include "log.h"
#include "pyhook.h"
#include "pylimit.h"
#include "pyphase.h"
#include "serve.h"

/* ---- running it, at home ---- */

/* SERVER_RETURN(…, status): its last argument. */
static int returned_status(PyObject *type, PyObject *value)
{
    PyObject *args = PyErr_GivenExceptionMatches(type, pyroom_get()->server_return) ? PyObject_GetAttrString(value, "args") : NULL;
    Py_ssize_t count = args && PyTuple_Check(args) ? PyTuple_GET_SIZE(args) : 0;
    PyObject *last = count ? PyTuple_GET_ITEM(args, count - 1) : NULL;
    int status = last && PyLong_Check(last) ? (int)PyLong_AsLong(last) : 0;
    Py_XDECREF(args);
    PyErr_Clear();
    return status;
}

/* Logged; PythonDebug shows it to the client, in front of what passes the disabled filter from now on. SWITCHES. */
static void report(struct pyrequest *req, struct filter_place *f, PyObject *error, bool debug)
{
    f->disabled = true;
    PyObject *page = PyObject_CallFunction(pyroom_get()->report_filter, "OOOO", req, f->object, error, debug ? Py_True : Py_False);
    if (page && PyBytes_Check(page) && !f->is_input)
        pyfilter_push(f->r, f->next, slice_of(PyBytes_AS_STRING(page), (size_t)PyBytes_GET_SIZE(page)), false, false);
    Py_XDECREF(page);
    PyErr_Clear();
}

/* The exception that is set: SERVER_RETURN sets the status, anything else takes the filter out of the way and is reported. */
static void failed(struct pyrequest *req, struct filter_place *f)
{
    bool bound = pylimit_status(); /* and no deadline that is still to come interrupts the report */
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace)
        PyException_SetTraceback(value, trace);
    int status = returned_status(type, value);
    if (status)
        req->r->status = status;
    else
        report(req, f, value, f->r->conf->python_debug && !bound);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
}

static void call_here(struct filter_place *f)
{
    struct pyrequest *req = pyroom_get() && pyroom_get()->load ? pyrequest_hold(f->r) : NULL;
    if (req && !f->object)
        f->object = pyfilter_object(f, req);
    if (!req || !f->object) {
        PyErr_Clear();
        f->disabled = true;
        log_request(f->r, LEVEL_ERROR, "python", "filter %s: the interpreter %s is not prepared", f->name, interp_current()->name);
        return;
    }
    PyObject *callable = pyhook_callable(f->r->conf, &f->hook, pyhook_directory(f->r, &f->hook), PHASE_CONTENT, f->object, false);
    PyObject *result = callable ? PyObject_CallOneArg(callable, f->object) : NULL;
    if (!result && PyErr_Occurred())
        failed(req, f);
    Py_XDECREF(callable);
    Py_XDECREF(result);
}

/* ---- going there ---- */

/* One call of a filter from another interpreter. */
struct visit {
    struct job job;
    struct filter_place *f; /* borrowed: whoever waits holds the request */
    struct coro *caller;    /* borrowed: it waits until over */
    const char *name;       /* of the interpreter; borrowed from the configuration or the arena */
    bool over;
};

static void visit_over(struct visit *v)
{
    v->over = true;
    coro_wake(v->caller);
}

/* In the other interpreter. The bounds of the Location hold there too, with a deadline of its own. */
static void visit_run(struct job *job)
{
    struct visit *v = (struct visit *)job;
    if (pylimit_begin(v->f->r, true))
        interp_log_exception("setting the limits of a filter");
    call_here(v->f);
    pylimit_end(v->f->r, true);
    visit_over(v);
}

static void visit_submit(struct visit *v, struct interp *home)
{
    v->f->home = home;
    v->job.run = visit_run;
    coro_submit(home, &v->job);
}

/* On the hub, which alone makes interpreters. */
static void visit_make(struct job *job)
{
    struct visit *v = (struct visit *)job;
    struct interp *home = interp_get(v->name);
    if (home) {
        visit_submit(v, home);
        return;
    }
    log_request(v->f->r, LEVEL_ERROR, "python", "filter %s: the interpreter %s cannot be made", v->f->name, v->name);
    v->f->disabled = true;
    visit_over(v);
}

/* Until it is over, whatever is thrown in meanwhile: that comes afterwards, where the caller waits next. SWITCHES. */
static void visit_wait(const struct visit *v)
{
    PyObject *thrown = NULL;
    while (!v->over) {
        if (coro_park(-1) != CORO_ERROR)
            continue;
        PyObject *type, *value, *trace;
        PyErr_Fetch(&type, &value, &trace);
        PyErr_NormalizeException(&type, &value, &trace);
        Py_XSETREF(thrown, value);
        Py_XDECREF(type);
        Py_XDECREF(trace);
    }
    if (thrown)
        coro_throw(v->caller, thrown);
}

/* Who is to be told when the client goes is the filter while it runs. SWITCHES. */
static void call_there(struct filter_place *f, struct interp *home, const char *name)
{
    struct visit *v = malloc(sizeof *v);
    struct request *r = f->r;
    if (!v) {
        f->disabled = true;
        return;
    }
    *v = (struct visit){.f = f, .caller = coro_current(), .name = name, .job.run = visit_make};
    struct waker *gone = r->on_gone;
    r->on_gone = NULL;
    if (home)
        visit_submit(v, home);
    else
        serve_hub_job(&v->job);
    visit_wait(v);
    free(v);
    r->on_gone = gone;
    if (gone && !r->conn)
        gone->wake(gone);
}

void pyfilter_call(struct filter_place *f)
{
    const char *name = f->home ? f->home->name : pyphase_filter_interpreter(f->r, &f->hook);
    struct interp *home = f->home ? f->home : interp_find(name);
    f->running = true;
    if (home && home == interp_current()) {
        f->home = home;
        call_here(f);
    } else {
        call_there(f, home, name);
    }
    f->running = false;
}
