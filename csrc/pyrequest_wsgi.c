/* The two methods for WSGI that mod_python 3.5 brought: the environment of a request, and start_response. (SetHandler wsgi does not come here:
 * pywsgi.c.) Other than mod_python's, the status of start_response is really sent. */
#include "pyreq.h"

#include <ctype.h>
#include <stdlib.h>

#include "env.h"
#include "pyapache.h"
#include "pytable.h"
#include "pytext.h"

/* Where the application is mounted: the option, else the Location of the handler without a trailing slash, else the root. NULL with an exception. */
static const char *wsgi_base(struct pyrequest *self)
{
    struct request *r = self->r;
    for (int i = 0; r->conf && i < r->conf->python_option_count; i++) {
        const struct pair_conf *option = &r->conf->python_options[i];
        size_t len = option->value ? strlen(option->value) : 0;
        if (strcasecmp(option->key, "mod_python.wsgi.base_uri") || !len)
            continue;
        if (option->value[len - 1] == '/') {
            PyErr_SetString(PyExc_ValueError, "PythonOption 'mod_python.wsgi.base_uri' cannot end with '/'");
            return NULL;
        }
        return option->value;
    }
    if (!self->hook || !self->hook->is_location || !self->hook->directory)
        return "";
    size_t len = strlen(self->hook->directory);
    while (len && self->hook->directory[len - 1] == '/')
        len--;
    char *base = request_strdup(r, slice_of(self->hook->directory, len));
    if (!base)
        PyErr_NoMemory();
    return base;
}

static int put(PyObject *dict, const char *key, PyObject *value) /* takes value */
{
    int result = value ? PyDict_SetItemString(dict, key, value) : -1;
    Py_XDECREF(value);
    return result;
}

static int put_table(PyObject *dict, const struct table *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        const struct table_entry *e = &t->entries[i];
        PyObject *key = pytext_from(slice_of(e->key, e->key_len));
        PyObject *value = e->value ? pytable_value(e) : PyUnicode_FromString("");
        int bad = key && value ? PyDict_SetItem(dict, key, value) : -1;
        Py_XDECREF(key);
        Py_XDECREF(value);
        if (bad)
            return -1;
    }
    return 0;
}

static int put_wsgi(PyObject *dict, struct pyrequest *self)
{
    const struct request *r = self->r;
    PyObject *errors = PySys_GetObject("stderr"); /* borrowed */
    return put(dict, "wsgi.version", Py_BuildValue("(ii)", 1, 0)) || put(dict, "wsgi.input", Py_NewRef((PyObject *)self)) ||
           put(dict, "wsgi.errors", Py_NewRef(errors ? errors : Py_None)) || put(dict, "wsgi.multithread", PyBool_FromLong(1)) ||
           put(dict, "wsgi.multiprocess", PyBool_FromLong(!r->main->one_process && r->main->start_servers > 1)) ||
           put(dict, "wsgi.run_once", PyBool_FromLong(0)) || put(dict, "wsgi.url_scheme", PyUnicode_FromString(r->secure ? "https" : "http"));
}

PyObject *pyrequest_build_wsgi_env(PyObject *object, PyObject *unused)
{
    struct pyrequest *self = pyreq(object);
    struct request *r = self->r;
    (void)unused;
    const char *base = pyrequest_check_live(self) ? NULL : wsgi_base(self);
    size_t len = base ? strlen(base) : 0;
    if (!base)
        return NULL;
    if (strncmp(r->uri, base, len) || (r->uri[len] && r->uri[len] != '/'))
        Py_RETURN_NONE; /* not below the base: the handler declines */
    env_add_common(r);
    env_add_cgi(r);
    PyObject *dict = PyDict_New();
    if (dict && !put_table(dict, &r->subprocess_env) && !put(dict, "SCRIPT_NAME", pytext_or_none(base)) &&
        !put(dict, "PATH_INFO", pytext_or_none(r->uri + len)) && !put(dict, "QUERY_STRING", pytext_or_none(r->args ? r->args : "")) &&
        !put_wsgi(dict, self))
        return dict;
    Py_XDECREF(dict);
    return NULL;
}

static int start_header(struct request *r, PyObject *pair)
{
    struct slice name, value;
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2 || !PyUnicode_Check(PyTuple_GET_ITEM(pair, 0)) ||
        !PyUnicode_Check(PyTuple_GET_ITEM(pair, 1))) {
        PyErr_SetString(PyExc_TypeError, "start_response(): headers are a list of (str, str) tuples");
        return -1;
    }
    if (pytext_c_slice(PyTuple_GET_ITEM(pair, 0), &name) || pytext_c_slice(PyTuple_GET_ITEM(pair, 1), &value))
        return -1;
    if (!http_is_token(name) || !http_is_value(value)) {
        PyErr_Format(PyExc_ValueError, "start_response(): header %R must not be sent", pair);
        return -1;
    }
    if (slice_eq_nocase(name, SLICE("Content-Type"))) {
        r->content_type = request_strdup(r, value);
        r->content_type_set = true;
        return r->content_type ? 0 : (PyErr_NoMemory(), -1);
    }
    if (slice_eq_nocase(name, SLICE("Content-Length")))
        return table_set(&r->headers_out, name, value) ? (PyErr_NoMemory(), -1) : 0;
    return table_add(&r->headers_out, name, value) ? (PyErr_NoMemory(), -1) : 0;
}

static int start_status(struct request *r, PyObject *status)
{
    const char *text = PyUnicode_AsUTF8(status);
    bool good = text && isdigit((unsigned char)text[0]) && isdigit((unsigned char)text[1]) && isdigit((unsigned char)text[2]) &&
                (text[3] == ' ' || !text[3]) && text[0] != '0';
    if (!good) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_ValueError, "start_response(): %R is no status", status);
        return -1;
    }
    r->status = (int)strtol(text, NULL, 10);
    r->status_line = pytext_arena(r, status);
    return r->status_line ? 0 : -1;
}

/* exc_info after the head has gone: the exception goes on. */
static int start_again(struct request *r, PyObject *exc_info)
{
    if (r->response == RESPONSE_OPEN) {
        table_clear(&r->headers_out);
        return 0;
    }
    if (PyTuple_Check(exc_info) && PyTuple_GET_SIZE(exc_info) == 3 && PyExceptionInstance_Check(PyTuple_GET_ITEM(exc_info, 1)))
        PyErr_SetObject((PyObject *)Py_TYPE(PyTuple_GET_ITEM(exc_info, 1)), PyTuple_GET_ITEM(exc_info, 1));
    else
        PyErr_SetString(PyExc_RuntimeError, "start_response() was called again and the head has been sent");
    return -1;
}

/* wsgi_start_response(status, headers[, exc_info]) -> write */
PyObject *pyrequest_wsgi_start_response(PyObject *object, PyObject *args)
{
    struct pyrequest *self = pyreq(object);
    PyObject *status, *headers, *exc_info = Py_None;
    if (!PyArg_ParseTuple(args, "UO!|O:wsgi_start_response", &status, &PyList_Type, &headers, &exc_info) || pyrequest_check_live(self))
        return NULL;
    if (exc_info != Py_None && start_again(self->r, exc_info))
        return NULL;
    if (start_status(self->r, status))
        return NULL;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); i++)
        if (start_header(self->r, PyList_GET_ITEM(headers, i)))
            return NULL;
    return PyObject_GetAttrString(object, "write");
}
