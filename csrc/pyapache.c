/* The functions and constants of `_apache`. */
#include "pyapache.h"

#include <errno.h>
#include <sys/stat.h>

#include "conf.h"
#include "coro.h"
#include "log.h"
#include "pyfinfo.h"
#include "pyroom.h"
#include "pyserver.h"
#include "pytext.h"

PyObject *pyapache_at_exit(PyObject *callable, PyObject *data)
{
    PyObject *module = PyImport_ImportModule("atexit");
    PyObject *result = module ? PyObject_CallMethod(module, "register", "OO", callable, data) : NULL;
    Py_XDECREF(module);
    Py_XDECREF(result);
    return result ? Py_NewRef(Py_None) : NULL;
}

/* log_error(message[, level[, server]]) */
static PyObject *apache_log_error(PyObject *module, PyObject *args)
{
    PyObject *message, *server = Py_None;
    int level = LEVEL_ERROR;
    (void)module;
    if (!PyArg_ParseTuple(args, "O|iO:log_error", &message, &level, &server))
        return NULL;
    const struct server_conf *conf = NULL;
    if (server != Py_None && !(conf = pyserver_conf(server)))
        return NULL;
    return pytext_log(NULL, conf, message, level);
}

/* _log_text(text): what Python writes to sys.stderr or sys.stdout, line by line and without a prefix. */
static PyObject *apache_log_text(PyObject *module, PyObject *arg)
{
    struct slice text;
    Py_buffer view;
    (void)module;
    if (pytext_body(arg, &text, &view))
        return NULL;
    log_text(NULL, NULL, LEVEL_ERROR, "python", text, false);
    struct coro *c = coro_current();
    log_echo(c ? (struct request *)coro_job(c) : NULL, text);
    if (view.obj)
        PyBuffer_Release(&view);
    Py_RETURN_NONE;
}

static const struct main_conf *main_conf_or_raise(void)
{
    const struct main_conf *main = pyserver_main();
    if (!main)
        PyErr_SetString(PyExc_RuntimeError, "the server has no configuration yet");
    return main;
}

static PyObject *apache_server_root(PyObject *module, PyObject *unused)
{
    const struct main_conf *main = main_conf_or_raise();
    (void)module;
    (void)unused;
    return main ? pytext_or_none(main->server_root) : NULL;
}

/* _main_server(): the main server, for apache.main_server. */
static PyObject *apache_main_server(PyObject *module, PyObject *unused)
{
    const struct main_conf *main = main_conf_or_raise();
    (void)module;
    (void)unused;
    return main ? pyserver_of(main->servers[0]) : NULL;
}

static PyObject *apache_config_file(PyObject *module, PyObject *unused)
{
    const struct main_conf *main = main_conf_or_raise();
    (void)module;
    (void)unused;
    return main ? pytext_or_none(main->config_file) : NULL;
}

/* _defines(): names given with -D or Define. */
static PyObject *apache_defines(PyObject *module, PyObject *unused)
{
    const struct main_conf *main = main_conf_or_raise();
    PyObject *list = main ? PyList_New(0) : NULL;
    (void)module;
    (void)unused;
    for (int i = 0; list && i < main->define_count; i++) {
        PyObject *name = pytext_or_none(main->defines[i]);
        if (!name || PyList_Append(list, name))
            Py_CLEAR(list);
        Py_XDECREF(name);
    }
    return list;
}

/* config_tree(): read again by the Python half, which knows the grammar. */
static PyObject *apache_config_tree(PyObject *module, PyObject *unused)
{
    PyObject *boot = PyImport_ImportModule("pyhost.boot");
    PyObject *tree = boot ? PyObject_CallMethod(boot, "config_tree", NULL) : NULL;
    (void)module;
    (void)unused;
    Py_XDECREF(boot);
    return tree;
}

static PyObject *apache_exists_config_define(PyObject *module, PyObject *name)
{
    const struct main_conf *main = main_conf_or_raise();
    struct slice s;
    (void)module;
    if (!main || pytext_slice(name, &s))
        return NULL;
    bool found = main->one_process && slice_eq(s, SLICE("ONE_PROCESS"));
    for (int i = 0; !found && i < main->define_count; i++)
        found = slice_eq(slice_text(main->defines[i]), s);
    return PyBool_FromLong(found);
}

enum mpm_question { /* AP_MPMQ_* */
    MPMQ_MAX_DAEMON_USED = 1, MPMQ_IS_THREADED, MPMQ_IS_FORKED, MPMQ_HARD_LIMIT_DAEMONS, MPMQ_HARD_LIMIT_THREADS, MPMQ_MAX_THREADS,
    MPMQ_MIN_SPARE_DAEMONS, MPMQ_MIN_SPARE_THREADS, MPMQ_MAX_SPARE_DAEMONS, MPMQ_MAX_SPARE_THREADS, MPMQ_MAX_REQUESTS_DAEMON,
    MPMQ_MAX_DAEMONS, MPMQ_MPM_STATE, MPMQ_IS_ASYNC, MPMQ_GENERATION
};
enum { MPMQ_STATIC = 1, MPMQ_RUNNING = 1 };

/* Greenlets are to handlers what threads of an MPM are: several requests are in one process at the same time. */
static PyObject *apache_mpm_query(PyObject *module, PyObject *arg)
{
    const struct main_conf *main = main_conf_or_raise();
    long code = PyLong_AsLong(arg);
    (void)module;
    if (!main || PyErr_Occurred())
        return NULL;
    long workers = main->start_servers > 0 ? main->start_servers : 1;
    switch (code) {
    case MPMQ_IS_THREADED: return PyLong_FromLong(MPMQ_STATIC);
    case MPMQ_IS_FORKED: return PyLong_FromLong(main->start_servers > 0 ? MPMQ_STATIC : 0);
    case MPMQ_HARD_LIMIT_THREADS: case MPMQ_MAX_THREADS: case MPMQ_MAX_SPARE_THREADS: case MPMQ_MIN_SPARE_THREADS:
        return PyLong_FromLong(main->max_requests_in_flight);
    case MPMQ_MAX_DAEMON_USED: case MPMQ_HARD_LIMIT_DAEMONS: case MPMQ_MAX_DAEMONS: case MPMQ_MAX_SPARE_DAEMONS: case MPMQ_MIN_SPARE_DAEMONS:
        return PyLong_FromLong(workers);
    case MPMQ_MAX_REQUESTS_DAEMON: return PyLong_FromLong(main->max_requests_per_child);
    case MPMQ_MPM_STATE: return PyLong_FromLong(MPMQ_RUNNING);
    case MPMQ_IS_ASYNC: return PyLong_FromLong(1);
    case MPMQ_GENERATION: return PyLong_FromLong(main->generation);
    }
    PyErr_Format(PyExc_ValueError, "%ld is none of the AP_MPMQ_* codes", code);
    return NULL;
}

static PyObject *apache_stat(PyObject *module, PyObject *args)
{
    PyObject *name, *path = NULL;
    int wanted;
    struct stat st;
    (void)module;
    if (!PyArg_ParseTuple(args, "Oi:stat", &name, &wanted) || !PyUnicode_FSConverter(name, &path))
        return NULL;
    PyObject *result = NULL;
    int failed = wanted & 1 ? lstat(PyBytes_AS_STRING(path), &st) : stat(PyBytes_AS_STRING(path), &st); /* APR_FINFO_LINK */
    if (failed && errno != ENOENT && errno != ENOTDIR) {
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, name);
    } else {
        if (failed)
            st = (struct stat){0};
        result = pyfinfo_new(&st, PyBytes_AS_STRING(path));
    }
    Py_DECREF(path);
    return result;
}

/* register_cleanup(interpreter, server, callable[, data]) */
static PyObject *apache_register_cleanup(PyObject *module, PyObject *args)
{
    PyObject *interpreter, *server, *callable, *data = Py_None;
    (void)module;
    if (!PyArg_ParseTuple(args, "OOO|O:register_cleanup", &interpreter, &server, &callable, &data))
        return NULL;
    if (!PyCallable_Check(callable)) {
        PyErr_SetString(PyExc_ValueError, "third argument must be a callable object");
        return NULL;
    }
    return pyapache_at_exit(callable, data);
}

PyMethodDef pyapache_methods[] = {
    {"log_error", apache_log_error, METH_VARARGS, "log_error(message[, level[, server]]): writes into the error log."},
    {"config_tree", apache_config_tree, METH_NOARGS, "config_tree(): the configuration as nested lists."},
    {"mpm_query", apache_mpm_query, METH_O, "mpm_query(code): what the server's processes and greenlets are like."},
    {"parse_qs", pyapache_parse_qs, METH_VARARGS, "parse_qs(query[, keep_blank_values[, strict]]): dict of lists."},
    {"parse_qsl", pyapache_parse_qsl, METH_VARARGS, "parse_qsl(query[, keep_blank_values[, strict]]): list of pairs."},
    {"server_root", apache_server_root, METH_NOARGS, "server_root(): ServerRoot."},
    {"register_cleanup", apache_register_cleanup, METH_VARARGS, "register_cleanup(interpreter, server, callable[, data]): called at the process's end."},
    {"exists_config_define", apache_exists_config_define, METH_O, "exists_config_define(name): True if -D or Define has set it."},
    {"stat", apache_stat, METH_VARARGS, "stat(path, wanted): an mp_finfo; filetype 0 when there is no such file."},
    {"_wait", pyapache_wait, METH_VARARGS, "_wait(channel, ready, seconds): until ready() is true; it is asked again after each _wake(channel). May switch."},
    {"_wake", pyapache_wake, METH_VARARGS, "_wake(channel): in all workers, those who wait on it ask again."},
    {"_global_lock", pyapache_global_lock, METH_VARARGS, "_global_lock(server, key[, index]): takes a lock that all workers share. May switch."},
    {"_global_trylock", pyapache_global_trylock, METH_VARARGS, "_global_trylock(server, key[, index]): 1 if it was free."},
    {"_global_unlock", pyapache_global_unlock, METH_VARARGS, "_global_unlock(server, key[, index]): gives it back."},
    {"_log_text", apache_log_text, METH_O, "_log_text(text): lines for the error log, as they are."},
    {"_main_server", apache_main_server, METH_NOARGS, "_main_server(): the main server."},
    {"_defines", apache_defines, METH_NOARGS, "_defines(): names given with -D or Define."},
    {"_config_file", apache_config_file, METH_NOARGS, "_config_file(): path of the configuration file."},
    {NULL, NULL, 0, NULL},
};

int pyapache_add_constants(PyObject *module)
{
    static const struct { const char *name; long value; } constants[] = {
        {"AP_CONN_UNKNOWN", 0}, {"AP_CONN_CLOSE", 1}, {"AP_CONN_KEEPALIVE", 2}, {"APR_NOFILE", 0}, {"APR_REG", 1}, {"APR_DIR", 2}, {"APR_CHR", 3},
        {"APR_BLK", 4}, {"APR_PIPE", 5}, {"APR_LNK", 6}, {"APR_SOCK", 7}, {"APR_UNKFILE", 127}, {"MODULE_MAGIC_NUMBER_MAJOR", 20120211},
        {"MODULE_MAGIC_NUMBER_MINOR", 127},
    };
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (PyModule_AddIntConstant(module, constants[i].name, constants[i].value))
            return -1;
    return 0;
}
