/* From hook lists to callables: which handlers hold for a phase, and what they are in this interpreter. */
#ifndef PYHOST_PYHOOK_H
#define PYHOST_PYHOOK_H

#include <Python.h>

#include "pyreq.h"

/* Context: loop thread, no GIL. */
/* The configured list that holds for the request, extension lists first; NULL: none. *extension: that of an extension list, else NULL. */
const struct hook_list *pyhook_list(const struct request *r, enum phase phase, const char **extension);
/* The next handler, or NULL at the end. */
const struct hook_conf *pyhook_next(struct pyhook_walk *walk);
/* Directory of a handler for this request: the shortest matching prefix where it is a pattern; with a trailing slash. Arena text or NULL. */
const char *pyhook_directory(struct request *r, const struct hook_conf *hook);

/* The object to be called for a handler (a new reference), loaded or loaded again when its files have changed. For "module::Class.method" the class
 * is instantiated with argument. NULL with an exception, or without one when the hook is silent and the module has no such object.
 * fixed: the hook is part of conf, whose cache may remember it. conf: where PythonPath, PythonAutoReload and PythonDebug are looked up. SWITCHES. Context: worker greenlet, GIL. */
PyObject *pyhook_callable(const struct dir_conf *conf, const struct hook_conf *hook, const char *directory, enum phase phase, PyObject *argument,
                          bool fixed);

#endif
