/* Who the client is, and what it may ask for: Basic credentials, addresses, methods, conditions. */
#include "pyreq.h"

#include "access.h"
#include "log.h"
#include "origin.h"
#include "pytable.h"
#include "pytext.h"
#include "static.h"

PyObject *pyrequest_get_basic_auth_pw(PyObject *object, PyObject *unused)
{
    struct pyrequest *self = pyreq(object);
    struct request *r = self->r;
    (void)unused;
    if (pyrequest_check_live(self))
        return NULL;
    if (!r->conf || !r->conf->auth_type || strcasecmp(r->conf->auth_type, "Basic"))
        Py_RETURN_NONE;
    if (!r->conf->auth_name)
        log_request(r, LEVEL_ERROR, "python", "need AuthName: %s", r->uri);
    char *user, *password;
    if (!access_basic_credentials(r, &user, &password))
        Py_RETURN_NONE;
    r->user = user;
    r->auth_type = (char *)"Basic";
    return pytext_or_none(password);
}

PyObject *pyrequest_auth_type(PyObject *object, PyObject *unused)
{
    struct pyrequest *self = pyreq(object);
    (void)unused;
    return pyrequest_check_live(self) ? NULL : pytext_or_none(self->r->conf ? self->r->conf->auth_type : NULL);
}

PyObject *pyrequest_auth_name(PyObject *object, PyObject *unused)
{
    struct pyrequest *self = pyreq(object);
    (void)unused;
    return pyrequest_check_live(self) ? NULL : pytext_or_none(self->r->conf ? self->r->conf->auth_name : NULL);
}

static int add_extension_method(struct pyrequest *self, PyObject *name)
{
    PyObject *old = self->xmethods, *one = PyTuple_Pack(1, name);
    PyObject *joined = one ? (old ? PySequence_Concat(old, one) : Py_NewRef(one)) : NULL;
    Py_XDECREF(one);
    if (!joined)
        return -1;
    self->xmethods = joined;
    Py_XDECREF(old);
    return 0;
}

/* Appends to what Allow says beside the known methods. Only tokens: it goes into a header. */
static int allow_extension(struct request *r, struct slice name)
{
    size_t before = r->allowed_more ? strlen(r->allowed_more) + 1 : 0;
    if (!http_is_token(name)) {
        PyErr_SetString(PyExc_ValueError, "allow_methods(): that is no method");
        return -1;
    }
    char *text = request_alloc(r, before + name.len + 1);
    if (!text) {
        PyErr_NoMemory();
        return -1;
    }
    if (before) {
        memcpy(text, r->allowed_more, before - 1);
        text[before - 1] = ',';
    }
    memcpy(text + before, name.at, name.len);
    text[before + name.len] = 0;
    r->allowed_more = text;
    return 0;
}

static int allow_method(struct pyrequest *self, PyObject *name)
{
    struct slice s;
    if (pytext_c_slice(name, &s))
        return -1;
    enum http_method number = http_method_number(s);
    if (number == METHOD_INVALID)
        return allow_extension(self->r, s) ? -1 : add_extension_method(self, name);
    self->r->allowed |= 1ull << number;
    return 0;
}

/* The methods of the sequence go into the Allow field of a 405 or 501; reset: instead of those allowed so far. */
PyObject *pyrequest_allow_methods(PyObject *object, PyObject *args)
{
    struct pyrequest *self = pyreq(object);
    PyObject *methods;
    int reset = 0, bad = 0;
    if (!PyArg_ParseTuple(args, "O|p:allow_methods", &methods, &reset) || pyrequest_check_live(self))
        return NULL;
    PyObject *list = PyUnicode_Check(methods) ? NULL : PySequence_Fast(methods, "First argument must be a tuple or a list");
    if (!list) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "First argument must be a tuple or a list");
        return NULL;
    }
    if (reset) {
        self->r->allowed = 0;
        self->r->allowed_more = NULL;
        Py_CLEAR(self->xmethods);
    }
    for (Py_ssize_t i = 0; !bad && i < PySequence_Fast_GET_SIZE(list); i++)
        bad = allow_method(self, PySequence_Fast_GET_ITEM(list, i));
    Py_DECREF(list);
    return bad ? NULL : Py_NewRef(Py_None);
}

enum { REMOTE_HOST, REMOTE_NAME, REMOTE_NOLOOKUP, REMOTE_DOUBLE_REV };

/* Names are not looked up (there is no HostnameLookups): those who ask for a name only get None. */
PyObject *pyrequest_get_remote_host(PyObject *object, PyObject *args)
{
    int type = REMOTE_NAME;
    PyObject *wants_flag = Py_None;
    char text[46] = "";
    if (!PyArg_ParseTuple(args, "|iO:get_remote_host", &type, &wants_flag) || pyrequest_check_live(pyreq(object)))
        return NULL;
    if (type == REMOTE_HOST || type == REMOTE_DOUBLE_REV)
        Py_RETURN_NONE;
    origin_client_text(pyreq(object)->r, text);
    return wants_flag == Py_None ? PyUnicode_FromString(text) : Py_BuildValue("(si)", text, 1);
}

PyObject *pyrequest_is_https(PyObject *object, PyObject *unused)
{
    (void)unused;
    return PyLong_FromLong(pyreq(object)->r->secure);
}

/* Only what a trusted proxy or TLS has told: HTTPS. Certificates are not known here. */
PyObject *pyrequest_ssl_var_lookup(PyObject *object, PyObject *name)
{
    struct slice s;
    if (pytext_slice(name, &s))
        return NULL;
    if (!slice_eq(s, SLICE("HTTPS")) || !pyreq(object)->r->secure)
        Py_RETURN_NONE;
    return PyUnicode_FromString("on");
}

PyObject *pyrequest_meets_conditions(PyObject *object, PyObject *unused)
{
    (void)unused;
    return pyrequest_check_live(pyreq(object)) ? NULL : PyLong_FromLong(conditions_check(pyreq(object)->r));
}

PyObject *pyrequest_set_etag(PyObject *object, PyObject *unused)
{
    struct request *r = pyreq(object)->r;
    char text[128];
    (void)unused;
    if (pyrequest_check_live(pyreq(object)))
        return NULL;
    int len = r->file_known && r->finfo.st_mode ? static_etag(r, &r->finfo, text, sizeof text)
                                                : snprintf(text, sizeof text, "\"%llx\"", (unsigned long long)r->mtime_us);
    if (len > 0 && table_set(&r->headers_out, SLICE("ETag"), slice_of(text, (size_t)len)))
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* Last-Modified from mtime, never in the future (RFC 9110 8.8.2.1). */
PyObject *pyrequest_set_last_modified(PyObject *object, PyObject *unused)
{
    struct request *r = pyreq(object)->r;
    char text[30];
    (void)unused;
    if (pyrequest_check_live(pyreq(object)))
        return NULL;
    http_date((r->mtime_us < r->start_us ? r->mtime_us : r->start_us) / 1000000, text);
    return table_set(&r->headers_out, SLICE("Last-Modified"), slice_text(text)) ? PyErr_NoMemory() : Py_NewRef(Py_None);
}

/* Only forward: what depends on several files is as new as the newest. */
PyObject *pyrequest_update_mtime(PyObject *object, PyObject *seconds)
{
    struct request *r = pyreq(object)->r;
    double s = PyFloat_AsDouble(seconds);
    if (PyErr_Occurred() || pyrequest_check_live(pyreq(object)))
        return NULL;
    if (s > 0 && s < 1e12 && (int64_t)(s * 1e6) > r->mtime_us)
        r->mtime_us = (int64_t)(s * 1e6);
    Py_RETURN_NONE;
}
