/* mp_server. The tables of get_config() and get_options() belong to the process: what a PythonImport function writes into the main server's table is
 * seen by requests in every interpreter. */
#include "pyserver.h"

#include <stdlib.h>

#include "log.h"
#include "pyapache.h"
#include "pyreq.h"
#include "pytable.h"
#include "pytext.h"
#include "shm.h"

struct pyserver {
    PyObject_HEAD
    const struct server_conf *server; /* borrowed: lives as long as the process uses its configuration */
    PyObject *dict;
};

/* The live tables of one server. */
struct server_tables {
    struct server_tables *next;
    const struct server_conf *server; /* borrowed: the key */
    struct table config, options;
};

/* What this process serves; one of the few globals, because a server is asked for outside of any request as well. */
static const struct main_conf *serving;
static struct server_tables *all_tables; /* owned, for the life of the process: views of them have no end */

void pyserver_use(const struct main_conf *main) { serving = main; }

const struct main_conf *pyserver_main(void) { return serving; }

PyObject *pyserver_of(const struct server_conf *server)
{
    struct pyroom *state = pyroom_get();
    PyObject *key = PyLong_FromVoidPtr((void *)server);
    PyObject *found = key ? PyDict_GetItemWithError(state->servers, key) : NULL;
    if (found || PyErr_Occurred() || !key) {
        Py_XDECREF(key);
        return Py_XNewRef(found);
    }
    struct pyserver *self = (struct pyserver *)state->types[TYPE_SERVER]->tp_alloc(state->types[TYPE_SERVER], 0);
    if (self) {
        self->server = server;
        if (PyDict_SetItem(state->servers, key, (PyObject *)self))
            Py_CLEAR(self);
    }
    Py_DECREF(key);
    return (PyObject *)self;
}

const struct server_conf *pyserver_conf(PyObject *object)
{
    if (object && PyObject_TypeCheck(object, pyroom_type(TYPE_SERVER)))
        return ((struct pyserver *)object)->server;
    PyErr_SetString(PyExc_TypeError, "an mp_server is expected");
    return NULL;
}

static int server_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct pyserver *)object)->dict);
    return 0;
}

static int server_clear(PyObject *object)
{
    Py_CLEAR(((struct pyserver *)object)->dict);
    return 0;
}

static void server_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    server_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static int pairs_fill(struct table *t, const struct pair_conf *pairs, int count)
{
    for (int i = 0; i < count; i++)
        if (table_set(t, slice_text(pairs[i].key), slice_text(pairs[i].value ? pairs[i].value : "")))
            return -1;
    return 0;
}

static struct server_tables *server_tables(const struct server_conf *server)
{
    struct server_tables *tables = all_tables;
    while (tables && tables->server != server)
        tables = tables->next;
    if (tables)
        return tables;
    tables = calloc(1, sizeof *tables);
    if (!tables || pairs_fill(&tables->config, server->python_config, server->python_config_count) ||
        pairs_fill(&tables->options, server->python_options, server->python_option_count)) {
        free(tables);
        PyErr_NoMemory();
        return NULL;
    }
    tables->server = server;
    tables->next = all_tables;
    all_tables = tables;
    return tables;
}

static PyObject *server_get_config(PyObject *object, PyObject *unused)
{
    struct server_tables *tables = server_tables(((struct pyserver *)object)->server);
    (void)unused;
    return tables ? pytable_of_process(&tables->config) : NULL;
}

static PyObject *server_get_options(PyObject *object, PyObject *unused)
{
    struct server_tables *tables = server_tables(((struct pyserver *)object)->server);
    (void)unused;
    return tables ? pytable_of_process(&tables->options) : NULL;
}

static PyObject *server_log_error(PyObject *object, PyObject *args)
{
    return pytext_log_error(NULL, ((struct pyserver *)object)->server, args);
}

static PyObject *server_register_cleanup(PyObject *object, PyObject *args)
{
    PyObject *request, *callable, *data = Py_None;
    (void)object;
    if (!PyArg_ParseTuple(args, "OO|O:register_cleanup", &request, &callable, &data))
        return NULL;
    if (!PyObject_TypeCheck(request, pyroom_type(TYPE_REQUEST))) {
        PyErr_SetString(PyExc_ValueError, "first argument must be a request object");
        return NULL;
    }
    if (!PyCallable_Check(callable)) {
        PyErr_SetString(PyExc_ValueError, "second argument must be a callable object");
        return NULL;
    }
    return pyapache_at_exit(callable, data);
}

enum server_field {
    SERVER_DEFN_NAME, SERVER_DEFN_LINE, SERVER_ADMIN, SERVER_HOSTNAME, SERVER_NAMES, SERVER_WILD_NAMES, SERVER_PORT, SERVER_ERROR_FNAME,
    SERVER_LOGLEVEL, SERVER_IS_VIRTUAL, SERVER_TIMEOUT, SERVER_KEEP_ALIVE_TIMEOUT, SERVER_KEEP_ALIVE_MAX, SERVER_KEEP_ALIVE, SERVER_PATH,
    SERVER_PATHLEN, SERVER_LIMIT_LINE, SERVER_LIMIT_FIELDSIZE, SERVER_LIMIT_FIELDS, SERVER_GENERATION, SERVER_RESTART_TIME, SERVER_NEXT, SERVER_REC
};

static PyObject *names_tuple(const char *const *names, int count)
{
    PyObject *tuple = PyTuple_New(count);
    for (int i = 0; tuple && i < count; i++) {
        PyObject *name = pytext_from(slice_text(names[i]));
        if (!name)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, name);
    }
    return tuple;
}

static PyObject *server_next(const struct server_conf *s)
{
    const struct main_conf *main = serving;
    bool last = !main || s->index + 1 >= main->server_count;
    return last ? Py_NewRef(Py_None) : pyserver_of(main->servers[s->index + 1]);
}

static long server_port(const struct server_conf *s)
{
    if (s->server_port)
        return s->server_port;
    return s->is_virtual && s->address_count ? s->addresses[0].port : 0;
}

static PyObject *server_get(PyObject *object, void *closure)
{
    const struct server_conf *s = ((struct pyserver *)object)->server;
    switch ((enum server_field)(intptr_t)closure) {
    case SERVER_DEFN_NAME: return pytext_or_none(s->defn_name);
    case SERVER_DEFN_LINE: return PyLong_FromLong(s->defn_line);
    case SERVER_ADMIN: return pytext_or_none(s->server_admin ? s->server_admin : "[no address given]");
    case SERVER_HOSTNAME: return pytext_or_none(s->server_name);
    case SERVER_NAMES: return names_tuple(s->alias_names, s->alias_name_count);
    case SERVER_WILD_NAMES: return names_tuple(s->wild_names, s->wild_name_count);
    case SERVER_PORT: return PyLong_FromLong(server_port(s));
    case SERVER_ERROR_FNAME: return pytext_or_none(s->error_log);
    case SERVER_LOGLEVEL: return PyLong_FromLong(s->log_level);
    case SERVER_IS_VIRTUAL: return PyLong_FromLong(s->is_virtual);
    case SERVER_TIMEOUT: return PyFloat_FromDouble((double)s->timeout_ms / 1000);
    case SERVER_KEEP_ALIVE_TIMEOUT: return PyFloat_FromDouble((double)s->keep_alive_timeout_ms / 1000);
    case SERVER_KEEP_ALIVE_MAX: return PyLong_FromLong(s->max_keep_alive_requests);
    case SERVER_KEEP_ALIVE: return PyLong_FromLong(s->keep_alive);
    case SERVER_PATH: return pytext_or_none(s->server_path);
    case SERVER_PATHLEN: return PyLong_FromSize_t(s->server_path ? strlen(s->server_path) : 0);
    case SERVER_LIMIT_LINE: return PyLong_FromLong(s->limit_request_line);
    case SERVER_LIMIT_FIELDSIZE: return PyLong_FromLong(s->limit_request_field_size);
    case SERVER_LIMIT_FIELDS: return PyLong_FromLong(s->limit_request_fields);
    case SERVER_GENERATION: return PyLong_FromLong(shm ? atomic_load(&shm->generation) : 0);
    case SERVER_RESTART_TIME: return PyFloat_FromDouble(shm ? (double)atomic_load(&shm->restarted_us) / 1e6 : 0);
    case SERVER_NEXT: return server_next(s);
    case SERVER_REC: return PyCapsule_New((void *)s, "server_rec", NULL);
    }
    Py_UNREACHABLE();
}

#define SERVER_MEMBER(name, field) {name, server_get, NULL, NULL, (void *)(intptr_t)(field)}
static PyGetSetDef server_getset[] = {
    SERVER_MEMBER("defn_name", SERVER_DEFN_NAME), SERVER_MEMBER("defn_line_number", SERVER_DEFN_LINE), SERVER_MEMBER("server_admin", SERVER_ADMIN),
    SERVER_MEMBER("server_hostname", SERVER_HOSTNAME), SERVER_MEMBER("names", SERVER_NAMES), SERVER_MEMBER("wild_names", SERVER_WILD_NAMES),
    SERVER_MEMBER("port", SERVER_PORT), SERVER_MEMBER("error_fname", SERVER_ERROR_FNAME), SERVER_MEMBER("loglevel", SERVER_LOGLEVEL),
    SERVER_MEMBER("is_virtual", SERVER_IS_VIRTUAL), SERVER_MEMBER("timeout", SERVER_TIMEOUT),
    SERVER_MEMBER("keep_alive_timeout", SERVER_KEEP_ALIVE_TIMEOUT), SERVER_MEMBER("keep_alive_max", SERVER_KEEP_ALIVE_MAX),
    SERVER_MEMBER("keep_alive", SERVER_KEEP_ALIVE), SERVER_MEMBER("path", SERVER_PATH), SERVER_MEMBER("pathlen", SERVER_PATHLEN),
    SERVER_MEMBER("limit_req_line", SERVER_LIMIT_LINE), SERVER_MEMBER("limit_req_fieldsize", SERVER_LIMIT_FIELDSIZE),
    SERVER_MEMBER("limit_req_fields", SERVER_LIMIT_FIELDS), SERVER_MEMBER("my_generation", SERVER_GENERATION),
    SERVER_MEMBER("restart_time", SERVER_RESTART_TIME), SERVER_MEMBER("next", SERVER_NEXT), SERVER_MEMBER("_server_rec", SERVER_REC),
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef server_methods[] = {
    {"get_config", server_get_config, METH_NOARGS, "get_config(): live table of the server's Python directives."},
    {"get_options", server_get_options, METH_NOARGS, "get_options(): live table of the server's PythonOption settings, shared by the process."},
    {"log_error", server_log_error, METH_VARARGS, "log_error(message[, level]): writes into this server's error log."},
    {"register_cleanup", server_register_cleanup, METH_VARARGS, "register_cleanup(req, callable[, data]): called when the process ends."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef server_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(struct pyserver, dict), READONLY, NULL}, {NULL, 0, 0, 0, NULL},
};

static PyType_Slot server_slots[] = {
    {Py_tp_doc, "The main server or a virtual host."},
    {Py_tp_dealloc, server_dealloc},
    {Py_tp_traverse, server_traverse},
    {Py_tp_clear, server_clear},
    {Py_tp_members, server_members},
    {Py_tp_getset, server_getset},
    {Py_tp_methods, server_methods},
    {0, NULL},
};
PyType_Spec pyserver_spec = {
    .name = "mp_server", .basicsize = sizeof(struct pyserver),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, .slots = server_slots,
};
