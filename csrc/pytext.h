/* Text at the border between C and Python: latin-1 both ways, so that no byte of a client can fail. */
#ifndef PYHOST_PYTEXT_H
#define PYHOST_PYTEXT_H

#include <Python.h>

#include "request.h"
#include "slice.h"

/* Context of all: the GIL held. */
static inline PyObject *pytext_from(struct slice s) { return PyUnicode_DecodeLatin1(s.at, (Py_ssize_t)s.len, NULL); }
/* A str, or None for NULL. New reference. */
PyObject *pytext_or_none(const char *text);
/* The bytes of a str (latin-1) or bytes object; valid while it lives. 0, or -1 with TypeError. */
int pytext_slice(PyObject *object, struct slice *out);
/* As pytext_slice, and without NUL bytes. */
int pytext_c_slice(PyObject *object, struct slice *out);
/* A NUL-terminated copy in the request's arena, NULL with an exception. */
char *pytext_arena(struct request *r, PyObject *object);
/* What goes into a body: UTF-8 of a str, the bytes of a bytes-like object. view is filled for the latter and must be released with
 * PyBuffer_Release when view->obj is set. 0, or -1 with an exception. */
int pytext_body(PyObject *object, struct slice *out, Py_buffer *view);
/* Writes message into the error log: with the client of r, or of a server (both may be NULL). None, or NULL with an exception. */
PyObject *pytext_log(struct request *r, const struct server_conf *server, PyObject *message, int level);
/* The same with the arguments of a method log_error(message[, level]). */
PyObject *pytext_log_error(struct request *r, const struct server_conf *server, PyObject *args);

#endif
