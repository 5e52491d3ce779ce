/* Types and names of one interpreter, and the module `_apache` that shows them. */
#include "pyroom.h"

#include "pyapache.h"
#include "pyrequest.h"

static PyType_Spec *const specs[PYROOM_TYPES] = {
    [TYPE_TABLE] = &pytable_spec,   [TYPE_TABLE_ITERATOR] = &pytable_iterator_spec, [TYPE_REQUEST] = &pyrequest_spec, [TYPE_CONN] = &pyconn_spec,
    [TYPE_SERVER] = &pyserver_spec, [TYPE_FINFO] = &pyfinfo_spec,                   [TYPE_HLIST] = &pyhlist_spec,     [TYPE_FILTER] = &pyfilter_spec,
    [TYPE_WEBSOCKET] = &pywebsocket_spec,
};

/* Their names have no module, as those of mod_python: str(type(req)) is "<class 'mp_request'>". CPython wants a dotted name and takes
 * the module from it; the short one is put in its place afterwards. */
static PyTypeObject *make_type(PyObject *module, const PyType_Spec *short_spec)
{
    char name[64];
    PyType_Spec spec = *short_spec;
    snprintf(name, sizeof name, "builtins.%s", short_spec->name);
    spec.name = name;
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    if (type)
        type->tp_name = short_spec->name;
    return type;
}

static int make_types(struct pyroom *room, PyObject *module)
{
    for (int t = 0; t < PYROOM_TYPES; t++)
        if (!(room->types[t] = make_type(module, specs[t])))
            return -1;
    return 0;
}

static int make_names(struct pyroom *room)
{
    static const char *const phases[PHASES] = {
        "PythonConnectionHandler", "PythonPostReadRequestHandler", "PythonTransHandler", "PythonHeaderParserHandler", "PythonAccessHandler",
        "PythonAuthenHandler", "PythonAuthzHandler", "PythonTypeHandler", "PythonFixupHandler", "PythonHandler", "PythonLogHandler",
        "PythonCleanupHandler",
    };
    for (int p = 0; p < PHASES; p++)
        if (!(room->phase_names[p] = PyUnicode_InternFromString(phases[p])))
            return -1;
    for (int m = 0; m < METHOD_INVALID; m++)
        if (!(room->method_names[m] = PyUnicode_InternFromString(http_method_name(m))))
            return -1;
    room->head = PyUnicode_InternFromString("HEAD");
    room->content_type = PyUnicode_InternFromString("content_type");
    room->interpreter = PyUnicode_DecodeFSDefault(interp_current()->name);
    room->servers = PyDict_New();
    room->server_return = PyErr_NewException("_apache.SERVER_RETURN", NULL, NULL);
    return room->head && room->content_type && room->interpreter && room->servers && room->server_return ? 0 : -1;
}

/* The state outlives the module object: a module that is imported again finds the same types. */
static struct pyroom *room_make(PyObject *module)
{
    struct interp *interp = interp_look_up();
    if (!interp) {
        PyErr_SetString(PyExc_ModuleNotFoundError, "No module named '_apache' outside of a serving process");
        return NULL;
    }
    if (interp->py)
        return interp->py;
    struct pyroom *room = PyMem_RawCalloc(1, sizeof *room);
    if (!room) {
        PyErr_NoMemory();
        return NULL;
    }
    interp->py = room;
    if (!make_types(room, module) && !make_names(room))
        return room;
    interp->py = NULL; /* what was made stays: an interpreter that cannot make a dict is of no use any more */
    return NULL;
}

static int apache_exec(PyObject *module)
{
    struct pyroom *room = room_make(module);
    if (!room)
        return -1;
    if (PyModule_AddObjectRef(module, "table", (PyObject *)room->types[TYPE_TABLE]) ||
        PyModule_AddObjectRef(module, "SERVER_RETURN", room->server_return) ||
        PyModule_AddObjectRef(module, "_interpreter", room->interpreter))
        return -1;
    return pyapache_add_constants(module);
}

static PyModuleDef_Slot apache_slots[] = {
    {Py_mod_exec, apache_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED},
#endif
    {0, NULL},
};
static struct PyModuleDef apache_module = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "_apache", .m_doc = "mod_python's C half.", .m_methods = pyapache_methods, .m_slots = apache_slots,
};

PyObject *PyInit__apache(void) { return PyModuleDef_Init(&apache_module); }
