/* What else a request can be asked to do: handlers and cleanups of its own, redirects, configuration, environment. The table of all methods. */
#include "pyhook.h"
#include "pyreq.h"

#include <limits.h>
#include <stdlib.h>

#include "env.h"
#include "log.h"
#include "origin.h"
#include "pyapache.h"
#include "pytable.h"
#include "pytext.h"
#include "pywebsocket.h"
#include "serve.h"

static PyObject *request_set_content_length(PyObject *object, PyObject *arg)
{
    struct request *r = pyreq(object)->r;
    char text[24];
    long long n = PyLong_AsLongLong(arg);
    if (PyErr_Occurred() || pyrequest_check_live(pyreq(object)))
        return NULL;
    if (n < 0) {
        PyErr_SetString(PyExc_ValueError, "a length is not negative");
        return NULL;
    }
    int len = snprintf(text, sizeof text, "%lld", n);
    if (r->response == RESPONSE_OPEN)
        r->clength = n; /* afterwards the framing is settled: only the member of the table changes */
    return table_set(&r->headers_out, SLICE("Content-Length"), slice_of(text, (size_t)len)) ? PyErr_NoMemory() : Py_NewRef(Py_None);
}

/* Phases that handlers can be added to: all but connection and cleanup. -1 with IndexError. */
static int phase_by_name(PyObject *name)
{
    struct pyroom *room = pyroom_get();
    for (int p = PHASE_POST_READ_REQUEST; p < PHASE_CLEANUP; p++)
        if (PyUnicode_Compare(name, room->phase_names[p]) == 0)
            return p;
    if (PyUnicode_CompareWithASCIIString(name, "PythonInitHandler") == 0)
        return PHASE_HEADER_PARSER;
    PyErr_Format(PyExc_IndexError, "Invalid phase: %U", name);
    return -1;
}

const char *pyrequest_directory(struct request *r, PyObject *directory)
{
    char *text = directory == Py_None ? NULL : pytext_arena(r, directory);
    char *real = text ? realpath(text, NULL) : NULL;
    const char *from = real ? real : text;
    size_t len = from ? strlen(from) : 0;
    char *out = from ? request_alloc(r, len + 2) : NULL;
    if (out) {
        memcpy(out, from, len);
        if (!len || out[len - 1] != '/')
            out[len++] = '/';
        out[len] = 0;
    }
    free(real);
    return out;
}

/* add_handler(phase, handler[, directory]): without a directory, that of the handler that runs, as the manual says. */
static PyObject *request_add_handler(PyObject *object, PyObject *args)
{
    struct pyrequest *self = pyreq(object);
    struct request *r = self->r;
    PyObject *name, *handler, *directory = Py_None;
    if (!PyArg_ParseTuple(args, "UO|O:add_handler", &name, &handler, &directory) || pyrequest_check_live(self))
        return NULL;
    int phase = phase_by_name(name);
    char *text = phase < 0 ? NULL : pytext_arena(r, handler);
    bool inherits = directory == Py_None && self->hook;
    const char *where = text ? inherits ? pyhook_directory(r, self->hook) : pyrequest_directory(r, directory) : NULL;
    struct pyadded *added = text && !PyErr_Occurred() ? request_alloc(r, sizeof *added) : NULL, **end = &self->added;
    if (!added)
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    *added = (struct pyadded){.hook = {.handler = text, .directory = where, .is_location = inherits && self->hook->is_location}, .phase = (enum phase)phase};
    while (*end)
        end = &(*end)->next;
    *end = added;
    Py_RETURN_NONE;
}

static PyObject *request_register_cleanup(PyObject *object, PyObject *args)
{
    struct pyrequest *self = pyreq(object);
    PyObject *callable, *data = Py_None;
    if (!PyArg_ParseTuple(args, "O|O:register_cleanup", &callable, &data) || pyrequest_check_live(self))
        return NULL;
    if (!PyCallable_Check(callable)) {
        PyErr_SetString(PyExc_ValueError, "first argument must be a callable object");
        return NULL;
    }
    struct pycleanup *c = PyMem_Malloc(sizeof *c);
    if (!c)
        return PyErr_NoMemory();
    *c = (struct pycleanup){self->cleanups, Py_NewRef(callable), Py_NewRef(data)};
    self->cleanups = c;
    return Py_NewRef(Py_None);
}

static PyObject *request_internal_redirect(PyObject *object, PyObject *uri)
{
    struct pyrequest *self = pyreq(object);
    if (pyrequest_check_live(self))
        return NULL;
    char *text = pytext_arena(self->r, uri);
    if (!text)
        return NULL;
    int status = serve_internal_redirect(self->r, text);
    if (self->r->conn && !self->r->handed_over && !PyErr_Occurred()) { /* it was not made: too many of them */
        PyObject *value = PyLong_FromLong(status);
        PyErr_SetObject(pyroom_get()->server_return, value);
        Py_XDECREF(value);
    }
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static PyObject *request_construct_url(PyObject *object, PyObject *uri)
{
    struct slice path;
    if (pytext_c_slice(uri, &path) || pyrequest_check_live(pyreq(object)))
        return NULL;
    char *url = origin_url(pyreq(object)->r, path);
    return url ? pytext_from(slice_text(url)) : PyErr_NoMemory();
}

static PyObject *request_document_root(PyObject *object, PyObject *unused)
{
    (void)unused;
    return pytext_or_none(pyreq(object)->r->server->document_root);
}

static PyObject *pairs_table(const struct pair_conf *pairs, int count)
{
    struct table t = {0};
    PyObject *view = NULL;
    int bad = 0;
    for (int i = 0; !bad && i < count; i++)
        bad = table_set(&t, slice_text(pairs[i].key), slice_text(pairs[i].value ? pairs[i].value : ""));
    view = bad ? PyErr_NoMemory() : pytable_view(&t, NULL);
    table_clear(&t);
    return view;
}

static PyObject *request_get_config(PyObject *object, PyObject *unused)
{
    struct pyrequest *self = pyreq(object);
    (void)unused;
    if (!self->config) {
        const struct dir_conf *conf = self->r->conf;
        if (pyrequest_check_live(self))
            return NULL;
        self->config = pairs_table(conf ? conf->python_config : NULL, conf ? conf->python_config_count : 0);
    }
    return Py_XNewRef(self->config);
}

/* PythonOption with an empty value unsets: such entries are taken out of what the request sees. */
static void drop_empty(struct table *t)
{
    for (uint32_t i = t->count; i-- > 0;)
        if (!t->entries[i].value_len)
            table_remove_at(t, i);
}

static PyObject *request_get_options(PyObject *object, PyObject *unused)
{
    struct pyrequest *self = pyreq(object);
    (void)unused;
    if (!self->options) {
        const struct dir_conf *conf = self->r->conf;
        if (pyrequest_check_live(self))
            return NULL;
        self->options = pairs_table(conf ? conf->python_options : NULL, conf ? conf->python_option_count : 0);
    }
    if (self->options)
        drop_empty(((struct pytable *)self->options)->table);
    return Py_XNewRef(self->options);
}

static PyObject *request_log_error(PyObject *object, PyObject *args)
{
    return pytext_log_error(pyreq(object)->r, NULL, args);
}

static PyObject *request_add_common_vars(PyObject *object, PyObject *unused)
{
    (void)unused;
    if (pyrequest_check_live(pyreq(object)))
        return NULL;
    env_add_common(pyreq(object)->r);
    Py_RETURN_NONE;
}

static PyObject *request_add_cgi_vars(PyObject *object, PyObject *unused)
{
    (void)unused;
    if (pyrequest_check_live(pyreq(object)))
        return NULL;
    env_add_cgi(pyreq(object)->r);
    Py_RETURN_NONE;
}

/* "py psp ": the extensions that AddHandler gives to mod_python. */
static PyObject *request_get_addhandler_exts(PyObject *object, PyObject *unused)
{
    const struct dir_conf *conf = pyreq(object)->r->conf;
    struct buf text = {0};
    (void)unused;
    if (pyrequest_check_live(pyreq(object)))
        return NULL;
    for (int i = 0; conf && i < conf->add_handler_count; i++) {
        const struct pair_conf *p = &conf->add_handler[i];
        if (!strcmp(p->value, "mod_python") || !strcmp(p->value, "python-program"))
            buf_addf(&text, "%s ", p->key[0] == '.' ? p->key + 1 : p->key);
    }
    PyObject *result = pytext_from(slice_of(text.at ? text.at : "", text.len));
    buf_clear(&text);
    return result;
}

static PyObject *request_send_http_header(PyObject *object, PyObject *unused)
{
    (void)object;
    (void)unused;
    Py_RETURN_NONE; /* headers go out with the first flushed byte */
}

#define FAST(name, function, doc) {name, (PyCFunction)(void (*)(void))(function), METH_FASTCALL, doc}
PyMethodDef pyrequest_methods[] = {
    FAST("write", pyrequest_write, "write(data[, flush=1]): str (as UTF-8) or bytes into the response; flushed, it goes out when the handler gives way or ends, or within "
         "milliseconds. May switch."),
    FAST("flush", pyrequest_flush, "flush(): sends what has been written, at once. May switch."),
    FAST("read", pyrequest_read, "read([n]): bytes of the request body, all of it without n. May switch."),
    FAST("readline", pyrequest_readline, "readline([n]): a line of the request body. May switch."),
    FAST("readlines", pyrequest_readlines, "readlines([sizehint]): list of lines. May switch."),
    FAST("discard_request_body", pyrequest_discard_request_body, "discard_request_body(): reads the body away; OK or a status. May switch."),
    FAST("sendfile", pyrequest_sendfile, "sendfile(path[, offset[, len]]): sends (a part of) a file; returns the bytes. May switch."),
    {"set_content_length", request_set_content_length, METH_O, "set_content_length(n): announces the length of the body."},
    {"add_handler", request_add_handler, METH_VARARGS, "add_handler(phase, handler[, directory]): one more handler for this request."},
    {"register_cleanup", request_register_cleanup, METH_VARARGS, "register_cleanup(callable[, data]): called after the response, the newest first."},
    {"add_input_filter", pyrequest_add_input_filter, METH_O, "add_input_filter(name): one more filter of the request body."},
    {"add_output_filter", pyrequest_add_output_filter, METH_O, "add_output_filter(name): one more filter of the response."},
    {"register_input_filter", pyrequest_register_input_filter, METH_VARARGS, "register_input_filter(name, handler[, dir]): for this request."},
    {"register_output_filter", pyrequest_register_output_filter, METH_VARARGS, "register_output_filter(name, handler[, dir]): for this request."},
    {"internal_redirect", request_internal_redirect, METH_O, "internal_redirect(uri): lets another URI answer. May switch."},
    {"get_basic_auth_pw", pyrequest_get_basic_auth_pw, METH_NOARGS, "get_basic_auth_pw(): the password of Basic authentication; sets user."},
    {"auth_type", pyrequest_auth_type, METH_NOARGS, "auth_type(): AuthType or None."},
    {"auth_name", pyrequest_auth_name, METH_NOARGS, "auth_name(): AuthName or None."},
    {"allow_methods", pyrequest_allow_methods, METH_VARARGS, "allow_methods(methods[, reset=0]): what Allow says of a 405 or 501."},
    {"construct_url", request_construct_url, METH_O, "construct_url(uri): the absolute URL of a path of this server."},
    {"document_root", request_document_root, METH_NOARGS, "document_root(): DocumentRoot."},
    {"get_config", request_get_config, METH_NOARGS, "get_config(): table of the Python directives that hold."},
    {"get_options", request_get_options, METH_NOARGS, "get_options(): table of the PythonOption settings that hold."},
    {"get_remote_host", pyrequest_get_remote_host, METH_VARARGS, "get_remote_host([type[, str_is_ip]]): the client's address or name."},
    {"is_https", pyrequest_is_https, METH_NOARGS, "is_https(): 1 if the client uses TLS."},
    {"ssl_var_lookup", pyrequest_ssl_var_lookup, METH_O, "ssl_var_lookup(name): a variable of TLS, or None."},
    {"log_error", request_log_error, METH_VARARGS, "log_error(message[, level]): writes into the error log with the client's address."},
    {"meets_conditions", pyrequest_meets_conditions, METH_NOARGS, "meets_conditions(): OK, 304 or 412."},
    {"set_etag", pyrequest_set_etag, METH_NOARGS, "set_etag(): sets ETag from the file."},
    {"set_last_modified", pyrequest_set_last_modified, METH_NOARGS, "set_last_modified(): sets Last-Modified from mtime."},
    {"update_mtime", pyrequest_update_mtime, METH_O, "update_mtime(seconds): mtime, if it is newer."},
    {"add_common_vars", request_add_common_vars, METH_NOARGS, "add_common_vars(): fills subprocess_env."},
    {"add_cgi_vars", request_add_cgi_vars, METH_NOARGS, "add_cgi_vars(): fills subprocess_env with what a CGI program expects."},
    {"build_wsgi_env", pyrequest_build_wsgi_env, METH_NOARGS, "build_wsgi_env(): the environment of WSGI, None where the URL is not below the base."},
    {"wsgi_start_response", pyrequest_wsgi_start_response, METH_VARARGS, "wsgi_start_response(status, headers[, exc_info]): returns write."},
    {"websocket", (PyCFunction)(void (*)(void))pyrequest_websocket, METH_VARARGS | METH_KEYWORDS,
     "websocket(protocols=()): the WebSocket that this request becomes (docs/websocket.md)."},
    {"get_addhandler_exts", request_get_addhandler_exts, METH_NOARGS, "get_addhandler_exts(): extensions that AddHandler gives to mod_python."},
    {"send_http_header", request_send_http_header, METH_NOARGS, "send_http_header(): does nothing; kept for old programs."},
    {NULL, NULL, 0, NULL},
};
