/* An application stays where it was found until a watched Python file changes; once a second its files are looked at besides, and on each
 * request where their folders cannot be watched (the same rule that handler modules have in pyhook.c). */
#include "pyapp.h"

#include <stdlib.h>
#include <string.h>

#include "coro.h"
#include "interp.h"
#include "log.h"
#include "response.h"
#include "watch.h"

enum { LOOK_AGAIN_NS = 1000000000 };

struct pyapp {
    struct pyapp *next;
    char *spec, *python_path, *home; /* owned; the last two may be NULL */
    PyObject *object;                /* strong; NULL: not loaded */
    uint64_t epoch;
    int64_t looked_ns;
    bool asgi, watched;
};

static bool same_text(const char *a, const char *b) { return a == b || (a && b && !strcmp(a, b)); }

static bool copy_text(char **to, const char *text) { return !text || (*to = strdup(text)); }

static struct pyapp *app_new(const struct dir_conf *conf, bool asgi)
{
    struct pyapp *app = calloc(1, sizeof *app);
    if (!app || !copy_text(&app->spec, conf->wsgi_application) || !copy_text(&app->python_path, conf->python_path) ||
        !copy_text(&app->home, conf->python_home)) {
        if (app) {
            free(app->spec);
            free(app->python_path);
            free(app->home);
        }
        free(app);
        PyErr_NoMemory();
        return NULL;
    }
    app->asgi = asgi;
    return app;
}

static struct pyapp *app_find(struct interp *i, const struct dir_conf *conf, bool asgi)
{
    for (struct pyapp *app = i->apps; app; app = app->next)
        if (app->asgi == asgi && same_text(app->spec, conf->wsgi_application) && same_text(app->python_path, conf->python_path) &&
            same_text(app->home, conf->python_home))
            return app;
    struct pyapp *app = app_new(conf, asgi);
    if (app) {
        app->next = i->apps;
        i->apps = app;
    }
    return app;
}

/* Nearly every request is for the application of the one before. */
static struct pyapp *app_of(const struct dir_conf *conf, bool asgi)
{
    struct interp *i = interp_current();
    if (i->latest_app && i->latest_app_conf == conf && i->latest_app->asgi == asgi)
        return i->latest_app;
    struct pyapp *app = app_find(i, conf, asgi);
    if (app) {
        i->latest_app = app;
        i->latest_app_conf = conf;
    }
    return app;
}

static bool app_is_fresh(const struct pyapp *app, const struct dir_conf *conf)
{
    if (!app->object || !conf->python_auto_reload)
        return app->object != NULL;
    return app->epoch == watch_epoch && app->watched && coro_hub && coro_hub->loop->now_ns - app->looked_ns < LOOK_AGAIN_NS;
}

static bool watch_folders(PyObject *folders)
{
    bool watched = PyList_Check(folders) && coro_hub;
    for (Py_ssize_t i = 0; watched && i < PyList_GET_SIZE(folders); i++) {
        const char *path = PyUnicode_AsUTF8(PyList_GET_ITEM(folders, i));
        watched = path && watch_folder(coro_hub->loop, path);
    }
    PyErr_Clear();
    return watched;
}

/* The loader's (object, folders to be watched). */
static PyObject *call_loader(const struct pyapp *app, const struct dir_conf *conf)
{
    PyObject *module = PyImport_ImportModule("pyhost.gateway.loader");
    PyObject *pair = module ? PyObject_CallMethod(module, "load", "sOzzO", app->spec, conf->python_auto_reload ? Py_True : Py_False, app->python_path,
                                                  app->home, app->asgi ? Py_True : Py_False) : NULL;
    Py_XDECREF(module);
    if (pair && !(PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2)) {
        Py_CLEAR(pair);
        PyErr_SetString(PyExc_TypeError, "the loader gives (object, folders)");
    }
    return pair;
}

static int app_load(struct pyapp *app, const struct dir_conf *conf)
{
    uint64_t epoch = watch_epoch; /* what changes while it is read is seen at the next request */
    PyObject *pair = call_loader(app, conf), *old = app->object;
    app->object = pair ? Py_NewRef(PyTuple_GET_ITEM(pair, 0)) : NULL;
    app->watched = pair && conf->python_auto_reload && watch_folders(PyTuple_GET_ITEM(pair, 1));
    app->epoch = epoch;
    bool changed = app->object != old; /* then the next request looks again: the first one imports more */
    app->looked_ns = coro_hub && !changed ? coro_hub->loop->now_ns : 0;
    Py_XDECREF(pair);
    if (old) {
        PyObject *type, *value, *trace;
        PyErr_Fetch(&type, &value, &trace); /* destructors may run */
        Py_DECREF(old);
        PyErr_Restore(type, value, trace);
    }
    return app->object ? 0 : -1;
}

PyObject *pyapp_get(const struct request *r, bool asgi)
{
    const struct dir_conf *conf = r->conf;
    if (!conf->wsgi_application) {
        PyErr_Format(PyExc_LookupError, "SetHandler %s needs PyWSGIApplication", asgi ? "asgi" : "wsgi or PyWSGIAlias");
        return NULL;
    }
    struct pyapp *app = app_of(conf, asgi);
    if (!app || (!app_is_fresh(app, conf) && app_load(app, conf) < 0))
        return NULL;
    return Py_NewRef(app->object);
}

void pyapp_log_exception(struct request *r, const char *gateway, const char *where)
{
    PyObject *text = interp_exception_text();
    log_request(r, LEVEL_ERROR, gateway, "%s", where);
    if (text) {
        struct slice lines = slice_of(PyBytes_AS_STRING(text), (size_t)PyBytes_GET_SIZE(text));
        log_text(r->server, r, LEVEL_ERROR, gateway, lines, true);
        log_echo(r, lines);
    }
    Py_XDECREF(text);
}

static PyObject *exception_page(PyObject *value)
{
    PyObject *module = PyImport_ImportModule("pyhost.gateway.loader");
    PyObject *page = module && value ? PyObject_CallMethod(module, "debug_page", "O", value) : NULL;
    Py_XDECREF(module);
    if (page && !PyBytes_Check(page))
        Py_CLEAR(page);
    return page;
}

bool pyapp_show_exception(struct request *r)
{
    if (!r->conf->python_debug || r->response != RESPONSE_OPEN || !r->conn)
        return false;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (value && trace)
        PyException_SetTraceback(value, trace);
    PyObject *page = exception_page(value);
    PyErr_Clear();
    bool shown = false;
    if (page) {
        response_reset(r);
        r->status = 500;
        r->content_type = (char *)"text/html; charset=utf-8";
        shown = response_write(r, PyBytes_AS_STRING(page), (size_t)PyBytes_GET_SIZE(page)) == 0;
    }
    Py_XDECREF(page);
    PyErr_Restore(type, value, trace);
    return shown;
}
