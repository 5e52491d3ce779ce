/* Interpreters: CPython's own and named ones beside it with the same GIL, on one OS thread.
 *
 * Named ones are made on first use, after the fork, and never ended: Py_EndInterpreter with greenlets alive would drop them under a
 * foreign thread state. It knows nothing of requests or greenlets, but that greenlet has to be imported in the main interpreter first. */
#include "interp.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "pyphase.h"
#include "pystate.h"

const char interp_main_name[] = "main_interpreter";
_Thread_local struct interp *interp_here __attribute__((tls_model("initial-exec")));
static struct interp *interps; /* main first */
enum { INTERP_BUCKETS = 256 };
static struct interp *by_name[INTERP_BUCKETS];                 /* the named ones, by the hash of the name */
static struct { struct interp **at; int64_t room; } by_id;     /* by CPython's number: handlers' objects ask for the current one all the time */

static struct { PyInterpreterState *state; struct interp *interp; } latest; /* what was found last */

struct interp *interp_main(void) { return interps; }
struct interp *interp_first(void) { return interps; }

static struct interp **bucket_of(const char *name)
{
    unsigned hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return &by_name[hash % INTERP_BUCKETS];
}

struct interp *interp_find(const char *name)
{
    if (!name || name == interp_main_name || strcmp(name, interp_main_name) == 0)
        return interps;
    struct interp *i = *bucket_of(name);
    while (i && strcmp(i->name, name) != 0)
        i = i->next_alike;
    return i;
}

struct interp *interp_look_up(void)
{
    PyInterpreterState *state = PyInterpreterState_Get();
    if (state == latest.state)
        return latest.interp;
    int64_t id = PyInterpreterState_GetID(state);
    struct interp *i = id >= 0 && id < by_id.room ? by_id.at[id] : NULL;
    if (i) { /* ours are never ended: the address stays theirs */
        latest.state = state;
        latest.interp = i;
    }
    return i;
}

/* Numbers of interpreters count up from 0. */
static int interp_number(struct interp *i)
{
    int64_t id = PyInterpreterState_GetID(PyThreadState_GetInterpreter(i->tstate));
    if (id >= by_id.room) {
        int64_t room = by_id.room ? by_id.room * 2 : 16;
        if (room <= id)
            room = id + 1;
        struct interp **at = realloc(by_id.at, (size_t)room * sizeof *at);
        if (!at)
            return -1;
        memset(at + by_id.room, 0, (size_t)(room - by_id.room) * sizeof *at);
        by_id.at = at;
        by_id.room = room;
    }
    by_id.at[id] = i;
    return 0;
}

struct interp *interp_enter(struct interp *i)
{
    PyThreadState *now = PyThreadState_Get();
    if (now == i->tstate)
        return i;
    struct interp *was = interp_current();
    PyThreadState_Swap(i->tstate);
    pystate_bind_gilstate(i->tstate);
    interp_here = i;
    return was;
}

PyObject *interp_exception_text(void)
{
    PyObject *type, *value, *trace, *text = NULL, *bytes = NULL;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    PyObject *module = PyImport_ImportModule("traceback"), *empty = PyUnicode_FromString("");
    PyObject *lines = module && empty
        ? PyObject_CallMethod(module, "format_exception", "OOO", type ? type : Py_None, value ? value : Py_None, trace ? trace : Py_None) : NULL;
    if (lines)
        text = PyUnicode_Join(empty, lines);
    if (text)
        bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    Py_XDECREF(text);
    Py_XDECREF(lines);
    Py_XDECREF(empty);
    Py_XDECREF(module);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    PyErr_Clear();
    return bytes;
}

void interp_log_exception(const char *what)
{
    if (!PyErr_Occurred())
        return;
    PyObject *text = interp_exception_text();
    log_error(NULL, LEVEL_ERROR, "python", "%s:", what);
    if (text)
        log_text(NULL, NULL, LEVEL_ERROR, "python", slice_of(PyBytes_AS_STRING(text), (size_t)PyBytes_GET_SIZE(text)), true);
    Py_XDECREF(text);
}

static int import_module(const char *name)
{
    PyObject *module = PyImport_ImportModule(name);
    Py_XDECREF(module);
    return module ? 0 : -1;
}

/* greenlet's two exceptions are heap types that all interpreters share. */
static int freeze_greenlet_errors(void)
{
    static const char *const names[] = {"GreenletExit", "error"};
    PyObject *module = PyImport_ImportModule("greenlet");
    int bad = module ? 0 : -1;
    for (size_t n = 0; !bad && n < sizeof names / sizeof *names; n++) {
        PyObject *type = PyObject_GetAttrString(module, names[n]);
        if (type)
            pystate_freeze_type((PyTypeObject *)type);
        bad = type ? 0 : -1;
        Py_XDECREF(type);
    }
    Py_XDECREF(module);
    return bad;
}

/* What of the standard library does not fit greenlets. */
static int install_compat(void)
{
    PyObject *module = PyImport_ImportModule("pyhost.coro.compat");
    PyObject *result = module ? PyObject_CallMethod(module, "install", NULL) : NULL;
    Py_XDECREF(module);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* threading binds its main thread to whoever imports it first: that has to be the hub. _signal forgets all handlers when it is imported where the
 * main interpreter is, and a greenlet that is being signalled counts as there (pystate_raise_signal): so it is imported before any runs. */
static int import_foundation(bool is_main)
{
    if (import_module("threading") || import_module("traceback"))
        return -1;
    if (!is_main)
        return import_module("_signal") || import_module("greenlet") || install_compat() ? -1 : 0;
    return import_module("_cffi_backend") || freeze_greenlet_errors() || install_compat() ? -1 : 0;
}

static struct interp *interp_new(const char *name, PyThreadState *tstate)
{
    struct interp *i = calloc(1, sizeof *i);
    char *copy = i ? strdup(name) : NULL;
    if (!copy) {
        free(i);
        return NULL;
    }
    i->name = copy;
    i->tstate = tstate;
    if (interp_number(i) < 0) {
        free(copy);
        free(i);
        return NULL;
    }
    return i;
}

int interp_init(void)
{
    interps = interp_new(interp_main_name, PyThreadState_Get());
    if (!interps) {
        PyErr_NoMemory();
        return -1;
    }
    return import_foundation(true);
}

int interp_after_fork(void)
{
    interps->tstate = PyThreadState_Get();
    interp_here = interps;
    pystate_bind_gilstate(interps->tstate);
    return 0;
}

/* A forked child of a process with several interpreters hangs or aborts in CPython's own clean-up, so os.fork is refused by its audit event. */
static int refuse_fork(const char *event, PyObject *args, void *unused)
{
    (void)args;
    (void)unused;
    if (strcmp(event, "os.fork") != 0 && strcmp(event, "os.forkpty") != 0)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "os.fork() is not possible in a process with several interpreters; use subprocess");
    return -1;
}

static void interp_append(struct interp *i)
{
    struct interp *last = interps;
    while (last->next)
        last = last->next;
    if (last == interps)
        PySys_AddAuditHook(refuse_fork, NULL);
    last->next = i;
    struct interp **bucket = bucket_of(i->name);
    i->next_alike = *bucket;
    *bucket = i;
}

static int interp_count(void)
{
    int count = 0;
    for (const struct interp *i = interps; i; i = i->next)
        count++;
    return count;
}

/* Py_NewInterpreter leaves its own thread state current, also when what follows fails. */
static struct interp *interp_make(const char *name)
{
    PyThreadState *was = PyThreadState_Get(), *tstate = Py_NewInterpreter();
    struct interp *i = tstate ? interp_new(name, tstate) : NULL;
    if (!i) {
        log_error(NULL, LEVEL_ERROR, "python", "interpreter %s cannot be made", name);
    } else {
        pystate_bind_gilstate(tstate);
        interp_append(i);
        interp_here = i;
        if (import_foundation(false))
            interp_log_exception("importing the foundation of an interpreter");
        log_error(NULL, LEVEL_NOTICE, "python", "interpreter %s is made, number %d of this process", name, interp_count());
    }
    PyThreadState_Swap(was);
    pystate_bind_gilstate(was);
    interp_here = interp_look_up();
    return i;
}

/* The module pyhost.boot; without it the interpreter still lives, and its requests are answered with 500. */
static void interp_prepare(struct interp *i)
{
    if (i->boot)
        return;
    if (pyphase_prepare(i))
        interp_log_exception("preparing an interpreter");
    if (!i->boot)
        i->boot = Py_NewRef(Py_None);
}

struct interp *interp_get(const char *name)
{
    struct interp *i = interp_find(name);
    if (!i)
        i = interp_make(name);
    if (i && !i->boot) {
        struct interp *was = interp_enter(i);
        interp_prepare(i);
        interp_enter(was);
    }
    return i;
}

static void call_quietly(const char *module_name, const char *function, const char *what)
{
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *result = module ? PyObject_CallMethod(module, function, NULL) : NULL;
    if (!result)
        interp_log_exception(what);
    Py_XDECREF(result);
    Py_XDECREF(module);
}

static void flush_stream(const char *name)
{
    PyObject *stream = PySys_GetObject(name); /* borrowed */
    if (!stream || stream == Py_None)
        return;
    PyObject *result = PyObject_CallMethod(stream, "flush", NULL);
    if (!result)
        PyErr_Clear();
    Py_XDECREF(result);
}

void interp_leave_all(void)
{
    for (struct interp *i = interps; i; i = i->next) {
        interp_enter(i);
        call_quietly("threading", "_shutdown", "waiting for the threads of an interpreter");
        call_quietly("atexit", "_run_exitfuncs", "running atexit functions");
        flush_stream("stdout");
        flush_stream("stderr");
    }
    if (interps)
        interp_enter(interps);
}
