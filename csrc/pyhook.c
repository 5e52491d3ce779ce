/* From hook lists to callables. A handler that has been found stays in a slot of its interpreter: the module's dict and the name in it, so that the
 * hot path is one look-up in that dict, and rebinding the name in the module is seen. A slot is looked at again when a watched Python
 * file has changed, once a second besides, and on each call where its folders cannot be watched. */
#include "pyhook.h"

#include <stdlib.h>

#include "coro.h"
#include "glob.h"
#include "pytext.h"
#include "regex.h"
#include "route.h"
#include "watch.h"

enum { LOOK_AGAIN_NS = 1000000000 };

struct hook_slot {
    struct hook_slot *next;
    char *handler;             /* owned, like the next two, which may be NULL */
    char *directory, *python_path;
    PyObject *module;          /* strong; NULL: not loaded */
    PyObject *name;            /* strong, interned: the object's name when it has no dot */
    PyObject *path;            /* strong: list of names when it has */
    uint64_t epoch;
    int64_t looked_ns;
    bool watched;
};

/* What a configuration remembers: the slot of each of its hooks per interpreter. Owned by conf->runtime, for the life of the process. */
struct hook_cache {
    int count, room;
    struct hook_cached { const struct hook_conf *hook; struct interp *interp; struct hook_slot *slot; } *entries;
};

/* ---- which handlers ---- */

/* Everything from the first dot of the base name, or NULL. */
static const char *file_extension(const struct request *r)
{
    if (!r->filename)
        return NULL;
    if (!r->file_known)
        route_stat((struct request *)r); /* the name as it is mapped: without path_info */
    const char *slash = strrchr(r->filename, '/');
    return strchr(slash ? slash + 1 : r->filename, '.');
}

const struct hook_list *pyhook_list(const struct request *r, enum phase phase, const char **extension)
{
    const struct dir_conf *conf = r->conf;
    *extension = NULL;
    if (!conf || !(conf->hook_phases & 1 << phase))
        return NULL;
    const char *has = NULL;
    bool asked = false;
    for (int i = 0; i < conf->hook_list_count; i++) {
        const struct hook_list *list = &conf->hook_lists[i];
        if (list->phase != (int)phase)
            continue;
        if (!list->extension)
            return list;
        if (!asked)
            has = phase > PHASE_TRANS ? file_extension(r) : NULL;
        asked = true;
        if (has && !strcmp(has, list->extension)) {
            *extension = list->extension;
            return list;
        }
    }
    return NULL;
}

static const struct pyadded *added_after(const struct pyhook_walk *walk)
{
    struct pyrequest *req = pyrequest_existing(walk->r);
    const struct pyadded *a = walk->added ? walk->added->next : req ? req->added : NULL;
    while (a && a->phase != walk->phase)
        a = a->next;
    return a;
}

const struct hook_conf *pyhook_next(struct pyhook_walk *walk)
{
    if (walk->list && walk->index < walk->list->count)
        return &walk->list->hooks[walk->index++];
    const struct pyadded *a = added_after(walk);
    if (!a)
        return NULL;
    walk->added = a;
    return &a->hook;
}

/* ---- where they are ---- */

static bool pattern_matches(const struct request *r, const char *pattern, struct slice path)
{
    size_t len = strlen(pattern);
    for (int i = 0; i < r->server->section_count; i++) {
        const struct section_conf *s = &r->server->sections[i];
        if (s->regex.pattern && !strcmp(s->regex.pattern, pattern))
            return regex_match(&s->regex, path, NULL, 0) > 0;
    }
    if (len > 1 && pattern[len - 1] == '/') { /* as hook directories are written */
        char *bare = strndup(pattern, len - 1);
        bool matches = bare && glob_match(bare, path);
        free(bare);
        return matches;
    }
    return glob_match(pattern, path);
}

static const char *with_slash(struct request *r, struct slice path)
{
    char *text = request_alloc(r, path.len + 2);
    if (!text)
        return NULL;
    memcpy(text, path.at, path.len);
    text[path.len] = '/';
    text[path.len + 1] = 0;
    return text;
}

const char *pyhook_directory(struct request *r, const struct hook_conf *hook)
{
    if (!hook->directory_is_pattern || !r->filename)
        return hook->directory;
    const char *name = r->filename;
    size_t len = strlen(name);
    for (size_t i = 1; i <= len; i++) {
        if (name[i] != '/' && name[i] != 0)
            continue;
        if (pattern_matches(r, hook->directory, slice_of(name, i)) && name[i - 1] != '/')
            return with_slash(r, slice_of(name, i));
    }
    return NULL;
}

/* ---- slots ---- */

static bool same_text(const char *a, const char *b) { return a == b || (a && b && !strcmp(a, b)); }

static PyObject *object_path(const char *text)
{
    PyObject *whole = PyUnicode_FromString(text), *dot = PyUnicode_FromString(".");
    PyObject *list = whole && dot ? PyUnicode_Split(whole, dot, -1) : NULL;
    Py_XDECREF(whole);
    Py_XDECREF(dot);
    return list;
}

/* "PythonHeaderParserHandler" -> "headerparserhandler" */
static void default_object(enum phase phase, char out[64])
{
    static const char *const names[PHASES] = {
        "connectionhandler", "postreadrequesthandler", "transhandler", "headerparserhandler", "accesshandler", "authenhandler", "authzhandler",
        "typehandler", "fixuphandler", "handler", "loghandler", "cleanuphandler",
    };
    snprintf(out, 64, "%s", names[phase]);
}

static void slot_free(struct hook_slot *slot)
{
    free(slot->handler);
    free(slot->directory);
    free(slot->python_path);
    Py_XDECREF(slot->name);
    Py_XDECREF(slot->path);
    free(slot);
}

static struct hook_slot *slot_make(const struct hook_conf *hook, const char *directory, const char *python_path, const char *object)
{
    struct hook_slot *slot = calloc(1, sizeof *slot);
    if (slot) {
        slot->handler = strdup(hook->handler);
        slot->directory = directory ? strdup(directory) : NULL;
        slot->python_path = python_path ? strdup(python_path) : NULL;
        if (strchr(object, '.'))
            slot->path = object_path(object);
        else
            slot->name = PyUnicode_InternFromString(object);
    }
    if (slot && slot->handler && (slot->directory || !directory) && (slot->python_path || !python_path) && (slot->path || slot->name))
        return slot;
    if (slot)
        slot_free(slot);
    PyErr_NoMemory();
    return NULL;
}

static struct hook_slot **slot_bucket(struct pyroom *room, const char *handler, const char *directory)
{
    unsigned hash = 2166136261u;
    for (const char *c = handler; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    for (const char *c = directory; c && *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return &room->slots[hash % PYROOM_SLOT_BUCKETS];
}

/* The slot for a handler; "module" alone means another object in each phase, so that the name of the object is part of the key. */
static struct hook_slot *slot_find(const struct dir_conf *conf, const struct hook_conf *hook, const char *directory, enum phase phase)
{
    struct hook_slot **bucket = slot_bucket(pyroom_get(), hook->handler, directory);
    char by_default[64];
    const char *colons = strstr(hook->handler, "::"), *object = colons ? colons + 2 : by_default;
    default_object(phase, by_default);
    for (struct hook_slot *s = *bucket; s; s = s->next)
        if (!strcmp(s->handler, hook->handler) && same_text(s->directory, directory) && same_text(s->python_path, conf->python_path) &&
            (colons || (s->name && PyUnicode_CompareWithASCIIString(s->name, object) == 0)))
            return s;
    struct hook_slot *slot = slot_make(hook, directory, conf->python_path, object);
    if (slot) {
        slot->next = *bucket;
        *bucket = slot;
    }
    return slot;
}

static struct hook_cached *cache_room(const struct dir_conf *conf)
{
    struct hook_cache *cache = conf->runtime;
    if (!cache)
        ((struct dir_conf *)conf)->runtime = cache = calloc(1, sizeof *cache);
    if (cache && cache->count == cache->room) {
        int room = cache->room ? cache->room * 2 : 4;
        struct hook_cached *entries = realloc(cache->entries, (size_t)room * sizeof *entries);
        if (!entries)
            return NULL;
        cache->entries = entries;
        cache->room = room;
    }
    return cache ? &cache->entries[cache->count++] : NULL;
}

static struct hook_slot *slot_cached(const struct dir_conf *conf, const struct hook_conf *hook, struct interp *interp)
{
    const struct hook_cache *cache = conf->runtime;
    for (int i = 0; cache && i < cache->count; i++)
        if (cache->entries[i].hook == hook && cache->entries[i].interp == interp)
            return cache->entries[i].slot;
    return NULL;
}

/* Hooks of the configuration are remembered by it; those of add_handler and of patterns are looked for each time. */
static struct hook_slot *slot_of(const struct dir_conf *conf, const struct hook_conf *hook, const char *directory, enum phase phase, bool fixed)
{
    struct interp *interp = interp_current();
    struct hook_slot *slot = fixed ? slot_cached(conf, hook, interp) : NULL;
    if (slot)
        return slot;
    slot = slot_find(conf, hook, directory, phase);
    struct hook_cached *entry = slot && fixed ? cache_room(conf) : NULL;
    if (entry)
        *entry = (struct hook_cached){hook, interp, slot};
    return slot;
}

/* ---- loading ---- */

static bool watch_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : NULL;
    bool watched = folder && coro_hub && watch_folder(coro_hub->loop, folder);
    free(folder);
    return watched;
}

/* Watches the folders of all files whose change matters. */
static bool watch_module(PyObject *module)
{
    PyObject *files = PyObject_CallOneArg(pyroom_get()->files_of, module);
    bool watched = files && PyList_Check(files);
    for (Py_ssize_t i = 0; watched && i < PyList_GET_SIZE(files); i++) {
        const char *path = PyUnicode_AsUTF8(PyList_GET_ITEM(files, i));
        watched = path && watch_file(path);
    }
    PyErr_Clear();
    Py_XDECREF(files);
    return watched;
}

static PyObject *module_name(const char *handler)
{
    const char *colons = strstr(handler, "::");
    return PyUnicode_DecodeFSDefaultAndSize(handler, colons ? colons - handler : (Py_ssize_t)strlen(handler));
}

static int apply_python_path(const struct dir_conf *conf)
{
    if (!conf->python_path && !conf->python_home)
        return 0;
    PyObject *result = PyObject_CallFunction(pyroom_get()->run_path, "zz", conf->python_path, conf->python_home);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static PyObject *slot_import(const struct dir_conf *conf, const struct hook_conf *hook, const struct hook_slot *slot)
{
    const char *directory = conf->python_path || hook->is_location ? NULL : slot->directory;
    if (directory)
        watch_file(directory); /* before the files are read: what changes meanwhile is seen */
    PyObject *name = module_name(slot->handler);
    PyObject *where = directory ? PyUnicode_DecodeFSDefault(directory) : Py_NewRef(Py_None), *module = NULL;
    if (name && where)
        module = PyObject_CallFunction(pyroom_get()->load, "OOOO", name, where, conf->python_auto_reload ? Py_True : Py_False,
                                       conf->python_debug ? Py_True : Py_False);
    Py_XDECREF(name);
    Py_XDECREF(where);
    return module;
}

/* 0, or -1 with an exception and the slot empty, so that the next request tries again. SWITCHES. */
static int slot_load(const struct dir_conf *conf, const struct hook_conf *hook, struct hook_slot *slot)
{
    uint64_t epoch = watch_epoch;
    PyObject *module = apply_python_path(conf) ? NULL : slot_import(conf, hook, slot);
    if (module)
        slot->watched = watch_module(module);
    PyObject *old = slot->module;
    slot->module = module;
    slot->epoch = epoch;
    slot->looked_ns = coro_hub ? coro_hub->loop->now_ns : 0;
    Py_XDECREF(old);
    return module ? 0 : -1;
}

static bool slot_is_fresh(const struct dir_conf *conf, const struct hook_slot *slot)
{
    if (!slot->module || !conf->python_auto_reload)
        return slot->module != NULL;
    return slot->epoch == watch_epoch && slot->watched && coro_hub && coro_hub->loop->now_ns - slot->looked_ns < LOOK_AGAIN_NS;
}

/* ---- the object ---- */

static PyObject *no_such_object(PyObject *module, PyObject *name)
{
    PyObject *file = PyObject_GetAttrString(module, "__file__");
    PyErr_Clear();
    PyErr_Format(PyExc_AttributeError, "module %R contains no %R", file ? file : module, name);
    Py_XDECREF(file);
    return NULL;
}

static PyObject *missing(const struct hook_conf *hook, PyObject *module, PyObject *name)
{
    if (!PyErr_ExceptionMatches(PyExc_AttributeError))
        return NULL;
    PyErr_Clear();
    return hook->silent ? NULL : no_such_object(module, name);
}

/* Attribute by attribute; what is reached through a class is an attribute of its instance. */
static PyObject *resolve_path(const struct hook_conf *hook, PyObject *module, PyObject *path, PyObject *argument)
{
    PyObject *found = Py_NewRef(module);
    for (Py_ssize_t i = 0; found && i < PyList_GET_SIZE(path); i++) {
        PyObject *parent = PyType_Check(found) ? PyObject_CallOneArg(found, argument) : Py_NewRef(found);
        Py_DECREF(found);
        if (!parent)
            return NULL;
        found = PyObject_GetAttr(parent, PyList_GET_ITEM(path, i));
        Py_DECREF(parent);
    }
    return found ? found : missing(hook, module, PyList_GET_ITEM(path, PyList_GET_SIZE(path) - 1));
}

static PyObject *resolve_name(const struct hook_conf *hook, PyObject *module, PyObject *name)
{
    PyObject *dict = PyModule_Check(module) ? PyModule_GetDict(module) : NULL;
    PyObject *found = dict ? PyDict_GetItemWithError(dict, name) : NULL;
    if (found)
        return Py_NewRef(found);
    if (PyErr_Occurred())
        return NULL;
    found = PyObject_GetAttr(module, name);
    return found ? found : missing(hook, module, name);
}

PyObject *pyhook_callable(const struct dir_conf *conf, const struct hook_conf *hook, const char *directory, enum phase phase, PyObject *argument,
                          bool fixed)
{
    struct hook_slot *slot = slot_of(conf, hook, directory, phase, fixed);
    if (!slot || (!slot_is_fresh(conf, slot) && slot_load(conf, hook, slot)))
        return NULL;
    PyObject *module = Py_NewRef(slot->module);
    PyObject *found = slot->name ? resolve_name(hook, module, slot->name) : resolve_path(hook, module, slot->path, argument);
    Py_DECREF(module);
    return found;
}
