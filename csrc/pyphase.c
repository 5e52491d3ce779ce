/* Python handlers of a phase: called one after the other with the request object, and what their results mean. The rules are mod_python's: a
 * result must be an int, each phase has its own set of results that let the list go on, SERVER_RETURN is a result from below. */
#include "pyphase.h"

#include <stdlib.h>

#include "coro.h"
#include "log.h"
#include "pyconn.h"
#include "pyclient.h"
#include "pyhook.h"
#include "pylimit.h"
#include "pyserver.h"
#include "pytext.h"

enum { STATUS_ERROR = 500 };


/* ---- which interpreter ---- */

static const char *directory_of_file(struct request *r)
{
    if (!r->filename)
        return NULL;
    size_t len = strlen(r->filename);
    bool is_folder = r->file_known && S_ISDIR(r->finfo.st_mode);
    if (is_folder && r->filename[len - 1] == '/')
        return r->filename;
    const char *slash = strrchr(r->filename, '/');
    size_t keep = is_folder ? len : (size_t)(slash ? slash - r->filename : 0);
    char *text = request_alloc(r, keep + 2);
    if (text) {
        memcpy(text, r->filename, keep);
        text[keep] = '/';
        text[keep + 1] = 0;
    }
    return text;
}

static const char *directory_of_directive(struct request *r, enum phase phase)
{
    const char *extension;
    const struct hook_list *list = pyhook_list(r, phase, &extension);
    return list && list->count ? pyhook_directory(r, &list->hooks[0]) : NULL;
}

/* What the rules name without looking at handlers; NULL: the directive's directory, or main_interpreter, is left. */
static const char *interpreter_of_conf(struct request *r, bool mapped)
{
    const struct dir_conf *conf = r->conf;
    if (conf->python_interpreter)
        return conf->python_interpreter;
    if (conf->python_interp_per_directory)
        return mapped ? directory_of_file(r) : NULL;
    if (conf->python_interp_per_server && !conf->python_interp_per_directive)
        return r->server->server_name ? r->server->server_name : r->main->servers[0]->server_name;
    return NULL;
}

static bool by_directive(const struct dir_conf *conf) { return conf->python_interp_per_directive && !conf->python_interp_per_directory; }

const char *pyphase_interpreter(struct request *r, enum phase phase)
{
    const char *name = r->conf ? interpreter_of_conf(r, phase > PHASE_TRANS) : NULL;
    if (!name && r->conf && by_directive(r->conf))
        name = directory_of_directive(r, phase);
    return name ? name : interp_main_name;
}

const char *pyphase_filter_interpreter(struct request *r, const struct hook_conf *filter)
{
    const char *name = r->conf ? interpreter_of_conf(r, true) : NULL;
    if (!name && r->conf && by_directive(r->conf))
        name = pyhook_directory(r, filter);
    return name ? name : interp_main_name;
}

/* ---- whether there is something to do ---- */

/* Any interpreter's object may have had handlers added; they run wherever the phase runs. */
static bool has_added(const struct request *r, enum phase phase)
{
    for (const struct pyrequest *p = r->py; p; p = p->sibling)
        for (const struct pyadded *a = p->added; a; a = a->next)
            if (a->phase == phase)
                return true;
    return false;
}

bool pyphase_has(const struct request *r, enum phase phase)
{
    const char *extension;
    return (r->conf && r->conf->hook_phases & 1 << phase && pyhook_list(r, phase, &extension)) || (r->py && has_added(r, phase));
}

bool pyphase_ends_plainly(const struct request *r)
{
    const struct pyrequest *self = r->py;
    if ((r->conf->hook_phases & (1 << PHASE_LOG | 1 << PHASE_CLEANUP)) || r->out_filter || r->in_filter || r->prev || r->main_request)
        return false;
    return !self || (!self->sibling && !self->added && !self->cleanups);
}

/* ---- results ---- */

static bool goes_on(enum phase phase, long result)
{
    switch (phase) {
    case PHASE_TRANS: case PHASE_AUTHEN: case PHASE_AUTHZ: case PHASE_TYPE:
        return result == PY_DECLINED;
    case PHASE_CONTENT: case PHASE_CLEANUP:
        return result == PY_OK;
    case PHASE_CONNECTION: case PHASES:
        return false;
    case PHASE_POST_READ_REQUEST: case PHASE_HEADER_PARSER: case PHASE_ACCESS: case PHASE_FIXUP: case PHASE_LOG:
        break;
    }
    return result == PY_OK || result == PY_DECLINED;
}

/* 0 with *out set, or -1 with TypeError. */
static int result_of(PyObject *value, int *out)
{
    int overflow = 0;
    long result = PyLong_CheckExact(value) ? PyLong_AsLongAndOverflow(value, &overflow) : 0;
    if (!PyLong_CheckExact(value) || overflow || result < PY_DONE || result > 999) {
        PyErr_Format(PyExc_TypeError, "handler returned %R, an int was expected: apache.OK, DECLINED, DONE or an HTTP status", value);
        return -1;
    }
    *out = (int)result;
    return 0;
}

/* SERVER_RETURN(result) or SERVER_RETURN(result, status). Takes the exception that is set. */
static int server_return(struct request *r, int *out)
{
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    PyObject *args = value ? PyObject_GetAttrString(value, "args") : NULL;
    Py_ssize_t count = args && PyTuple_Check(args) ? PyTuple_GET_SIZE(args) : -1;
    int bad = -1;
    if (count == 1 || count == 2) {
        bad = result_of(PyTuple_GET_ITEM(args, 0), out);
        long status = !bad && count == 2 ? PyLong_AsLong(PyTuple_GET_ITEM(args, 1)) : 0;
        if (status > 0)
            r->status = (int)status;
        if (PyErr_Occurred())
            bad = -1;
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_TypeError, "SERVER_RETURN needs a result: SERVER_RETURN(apache.HTTP_NOT_FOUND)");
    }
    Py_XDECREF(args);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    return bad;
}

/* Logs the exception that is set; returns PY_DONE when PythonDebug has written it into the response, else 500. SWITCHES. */
static int report(struct pyrequest *self, enum phase phase, const char *handler)
{
    struct pyroom *room = pyroom_get();
    const struct dir_conf *conf = self->r->conf;
    int bound = pylimit_status();
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace)
        PyException_SetTraceback(value, trace);
    PyObject *name = PyUnicode_DecodeFSDefault(handler);
    PyObject *result = name ? PyObject_CallFunction(room->report, "OOOOO", self, room->phase_names[phase], name, value,
                                                    conf && conf->python_debug && !bound ? Py_True : Py_False) : NULL;
    int code = result ? (int)PyLong_AsLong(result) : STATUS_ERROR;
    if (PyErr_Occurred()) {
        log_request(self->r, LEVEL_ERROR, "python", "%s %s: the exception cannot be reported", PyUnicode_AsUTF8(room->phase_names[phase]), handler);
        PyErr_Clear();
        code = STATUS_ERROR;
    }
    Py_XDECREF(name);
    Py_XDECREF(result);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    return bound ? bound : code;
}

/* ---- calling ---- */

static PyObject *call(const struct pyrequest *self, PyObject *callable)
{
    const struct request *r = self->r;
    if (r->conf && r->conf->python_enable_pdb && r->main->one_process)
        return PyObject_CallMethod(interp_current()->boot, "run_pdb", "OO", callable, self);
    return PyObject_CallOneArg(callable, (PyObject *)self);
}

/* One handler: its result in *out, or false when it is silently missing. SWITCHES. */
static bool run_hook(struct pyrequest *self, const struct hook_conf *hook, enum phase phase, bool fixed, int *out)
{
    struct request *r = self->r;
    const char *directory = pyhook_directory(r, hook);
    PyObject *callable = pyhook_callable(r->conf, hook, directory, phase, (PyObject *)self, fixed && !hook->directory_is_pattern);
    if (!callable && !PyErr_Occurred())
        return false;
    PyObject *value = callable ? call(self, callable) : NULL;
    Py_XDECREF(callable);
    int bad = value ? result_of(value, out) : -1;
    Py_XDECREF(value);
    if (!value && PyErr_ExceptionMatches(pyroom_get()->server_return))
        bad = server_return(r, out);
    if (bad && (*out = pyclient_fault(r)) > 0)
        PyErr_Clear();
    else if (bad)
        *out = report(self, phase, hook->handler);
    return true;
}

/* Handlers added to the request's object of another interpreter are this one's too. */
static void adopt_added(struct pyrequest *self)
{
    for (struct pyrequest *p = self->r->py; p && !self->added; p = p->sibling)
        self->added = p->added;
}

/* What waits for the end of the content handler (locks of sessions) does not wait for a slow client to take the response. SWITCHES. */
static void content_ended(struct pyrequest *self)
{
    PyObject *ending = self->dict ? PyDict_GetItemString(self->dict, "_at_handler_end") : NULL; /* borrowed */
    if (!ending)
        return;
    Py_INCREF(ending);
    PyObject *result = PyObject_CallOneArg(ending, (PyObject *)self);
    Py_DECREF(ending);
    if (!result)
        report(self, PHASE_CLEANUP, "at the end of the handler");
    Py_XDECREF(result);
}

int pyphase_run(struct request *r, enum phase phase)
{
    struct pyroom *room = pyroom_get();
    struct pyrequest *self = room ? pyrequest_hold(r) : NULL;
    const char *extension;
    int result = PY_DECLINED;
    if (!self || !room->load) {
        PyErr_Clear();
        log_request(r, LEVEL_ERROR, "python", "the interpreter %s is not prepared", interp_current()->name);
        return STATUS_ERROR;
    }
    if (pylimit_begin(r, phase <= PHASE_CONTENT))
        interp_log_exception("setting the limits of a request");
    if (r->py != self || self->sibling)
        adopt_added(self);
    self->walk = (struct pyhook_walk){.r = r, .phase = phase, .list = pyhook_list(r, phase, &extension)};
    r->extension = (char *)extension;
    self->phase = room->phase_names[phase];
    while ((self->hook = pyhook_next(&self->walk)))
        if (run_hook(self, self->hook, phase, !self->walk.added, &result) && !goes_on(phase, result))
            break;
    if (phase == PHASE_CONTENT)
        content_ended(self);
    self->phase = NULL;
    self->hook = NULL;
    pylimit_end(r, phase >= PHASE_CONTENT);
    return result;
}

/* ---- connections ---- */

/* What readline has read ahead belongs to HTTP. */
static void give_back(struct pyrequest *self)
{
    struct buf *in = &self->r->in, ahead = self->line;
    self->line = (struct buf){0};
    buf_drop(&ahead, self->line_at);
    self->line_at = 0;
    if (in->len && buf_add(&ahead, in->at, in->len) < 0)
        return;
    buf_clear(in);
    *in = ahead;
}

int pyphase_connection(struct request *r)
{
    struct pyrequest *self = pyroom_get() && pyroom_get()->load ? pyrequest_hold(r) : NULL;
    struct hook_conf *hook = request_alloc(r, sizeof *hook);
    int result = STATUS_ERROR;
    if (!self || !hook)
        return result;
    *hook = (struct hook_conf){.handler = r->server->python_connection_handler};
    self->hook = hook;
    self->phase = pyroom_get()->phase_names[PHASE_CONNECTION];
    PyObject *conn = pyconn_of(r);
    PyObject *callable = conn ? pyhook_callable(r->conf, hook, NULL, PHASE_CONNECTION, conn, false) : NULL;
    PyObject *value = callable ? PyObject_CallOneArg(callable, conn) : NULL;
    if (!value && PyErr_ExceptionMatches(pyroom_get()->server_return) ? server_return(r, &result) : !value || result_of(value, &result))
        result = report(self, PHASE_CONNECTION, hook->handler) == PY_DONE ? PY_DONE : STATUS_ERROR;
    Py_XDECREF(value);
    Py_XDECREF(callable);
    Py_XDECREF(conn);
    self->phase = NULL;
    if (result == PY_DECLINED)
        give_back(self);
    return result;
}

/* ---- the end ---- */

static void log_cleanup_failure(struct pyrequest *self, const struct pycleanup *c)
{
    PyObject *name = PyObject_Repr(c->callable);
    const char *text = name ? PyUnicode_AsUTF8(name) : NULL;
    log_request(self->r, LEVEL_ERROR, "python", "python_cleanup: Error calling cleanup object %s", text ? text : "?");
    Py_XDECREF(name);
}

/* Newest first; a failing one does not stop the others. SWITCHES. */
static void run_cleanups(struct pyrequest *self)
{
    struct pycleanup *c;
    while ((c = self->cleanups)) {
        self->cleanups = c->next;
        PyObject *result = PyObject_CallOneArg(c->callable, c->data);
        if (!result) {
            PyObject *type, *value, *trace;
            PyErr_Fetch(&type, &value, &trace);
            log_cleanup_failure(self, c);
            PyErr_Restore(type, value, trace);
            report(self, PHASE_CLEANUP, "register_cleanup");
        }
        Py_XDECREF(result);
        Py_DECREF(c->callable);
        Py_DECREF(c->data);
        PyMem_Free(c);
    }
}

/* The object of another interpreter is finished there. */
struct finish_job {
    struct job job;
    struct request *r; /* counted reference */
};

static void finish_elsewhere(struct job *job)
{
    struct finish_job *f = (struct finish_job *)job;
    struct pyrequest *self = pyrequest_existing(f->r);
    if (self && !self->over)
        run_cleanups(self);
    pyrequest_let_go(f->r);
    request_unref(f->r);
    free(f);
}

static void finish_siblings(struct request *r, const struct pyrequest *self)
{
    for (struct pyrequest *p = r->py; p; p = p->sibling) {
        struct finish_job *f = p == self || p->over ? NULL : malloc(sizeof *f);
        if (!f)
            continue;
        *f = (struct finish_job){.job = {.run = finish_elsewhere}, .r = request_ref(r)};
        coro_submit(p->interp, &f->job);
    }
}

void pyphase_finish(struct request *r)
{
    struct pyrequest *self = pyroom_get() ? pyrequest_existing(r) : NULL;
    bool has_handlers = r->py && pyphase_has(r, PHASE_CLEANUP);
    if (!self && has_handlers && pyroom_get() && !(self = pyrequest_hold(r))) /* they may be in an interpreter that has not seen the request */
        PyErr_Clear();
    if (self && !self->over) {
        Py_INCREF(self);
        run_cleanups(self);
        if (has_handlers)
            pyphase_run(r, PHASE_CLEANUP);
        Py_DECREF(self);
    }
    if (r->py != self || (self && self->sibling))
        finish_siblings(r, self);
    if (self)
        pyrequest_let_go(r);
}
