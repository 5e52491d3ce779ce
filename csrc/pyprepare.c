/* Preparing interpreters for handlers, and what runs in them when a process starts. */
#include <stdlib.h>

#include "coro.h"
#include "log.h"
#include "pyhook.h"
#include "pylimit.h"
#include "pyphase.h"
#include "pyserver.h"
#include "watch.h"

enum { IMPORT_BUDGET_NS = 1000000000 }; /* what waits longer goes on beside the first requests */

/* The functions of the Python half that C calls when something has to be loaded or reported. */
static int take_functions(struct pyroom *room, PyObject *boot)
{
    const struct { const char *name; PyObject **at; } functions[] = {
        {"load", &room->load}, {"files_of", &room->files_of}, {"run_path", &room->run_path}, {"report", &room->report}, {"report_filter", &room->report_filter},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!*functions[i].at && !(*functions[i].at = PyObject_GetAttrString(boot, functions[i].name)))
            return -1;
    return 0;
}

int pyphase_prepare(struct interp *interp)
{
    PyObject *module = PyImport_ImportModule("_apache");
    PyObject *boot = module ? PyImport_ImportModule("pyhost.boot") : NULL;
    PyObject *done = boot ? PyObject_CallMethod(boot, "prepare", "s", interp->name) : NULL;
    int result = done ? take_functions(interp->py, boot) : -1;
    if (!result && !interp->boot)
        interp->boot = Py_NewRef(boot);
    Py_XDECREF(module);
    Py_XDECREF(boot);
    Py_XDECREF(done);
    return result;
}

/* The first request of a worker should not wait for what is known to be needed. Who needs it tells of what is wrong with it. */
static void import_expected(const struct main_conf *conf)
{
    for (int i = 0; i < conf->expected_module_count; i++) {
        PyObject *module = PyImport_ImportModule(conf->expected_modules[i]);
        if (!module)
            PyErr_Clear();
        Py_XDECREF(module);
    }
}

/* ---- PythonImport ---- */

struct import_job {
    struct job job;
    const struct import_conf *import;
    const struct dir_conf *conf;
};

static void run_import(struct job *job)
{
    struct import_job *j = (struct import_job *)job;
    const struct import_conf *import = j->import;
    PyObject *result = PyObject_CallMethod(interp_current()->boot, "run_import", "szzi", import->module, import->function, j->conf->python_path,
                                           j->conf->python_debug);
    char what[256];
    snprintf(what, sizeof what, "PythonImport %s%s%s", import->module, import->function ? "::" : "", import->function ? import->function : "");
    if (!result)
        interp_log_exception(what);
    Py_XDECREF(result);
    free(j);
}

void pyphase_import_all(struct main_conf *conf)
{
    pyserver_use(conf);
    watch_start(coro_hub->loop);
    import_expected(conf);
    if (!conf->script)
        pylimit_for_services(conf->servers[0]->base);
    for (int i = conf->import_count - 1; i >= 0; i--) {
        struct interp *interp = interp_get(conf->imports[i].interpreter);
        struct import_job *j = interp && interp->boot != Py_None ? malloc(sizeof *j) : NULL;
        if (!j) {
            log_error(NULL, LEVEL_ERROR, "python", "PythonImport %s: the interpreter %s is not there", conf->imports[i].module,
                      conf->imports[i].interpreter);
            continue;
        }
        *j = (struct import_job){.job = {.run = run_import}, .import = &conf->imports[i], .conf = conf->servers[0]->base};
        coro_submit(interp, &j->job);
    }
    if (conf->import_count && coro_has_ready())
        coro_run_ready(IMPORT_BUDGET_NS);
}
