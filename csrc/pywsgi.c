/* One call of a WSGI application: environ, start_response, the iterable, close(). */
#include "pywsgi.h"

#include <errno.h>
#include <sys/stat.h>

#include "coro.h"
#include "log.h"
#include "pyapp.h"
#include "pyclient.h"
#include "pylimit.h"
#include "pyphase.h"
#include "pystate.h"
#include "pywsgi_impl.h"
#include "response.h"

enum { STATUS_GONE = 408 };

static const char *const key_texts[WSGI_KEYS] = {
    "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_PROTOCOL", "SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR", "REMOTE_PORT",
    "CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_USER", "AUTH_TYPE", "REQUEST_URI", "HTTPS", "wsgi.url_scheme", "wsgi.input", "wsgi.errors",
    "wsgi.version", "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once", "wsgi.file_wrapper", "wsgi.input_terminated", "SERVER_SOFTWARE",
    "GATEWAY_INTERFACE", "wsgi.early_hints", "pyhost.client_gone"};

static bool state_intern(struct wsgi_state *s)
{
    static const char *const methods[METHOD_TEXTS] = {"GET", "PUT", "POST", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    bool good = true;
    for (int i = 0; i < WSGI_KEYS; i++)
        good &= (s->keys[i] = PyUnicode_InternFromString(key_texts[i])) != NULL;
    for (int i = 0; i < METHOD_TEXTS; i++)
        good &= (s->methods[i] = PyUnicode_InternFromString(methods[i])) != NULL;
    good &= (s->head = PyUnicode_InternFromString("HEAD")) && (s->http11 = PyUnicode_InternFromString("HTTP/1.1")) &&
            (s->http10 = PyUnicode_InternFromString("HTTP/1.0")) && (s->http = PyUnicode_InternFromString("http")) &&
            (s->https = PyUnicode_InternFromString("https")) && (s->empty = PyUnicode_InternFromString("")) &&
            (s->close = PyUnicode_InternFromString("close")) && (s->fileno = PyUnicode_InternFromString("fileno")) &&
            (s->tell = PyUnicode_InternFromString("tell")) && (s->write = PyUnicode_InternFromString("write"));
    return good;
}

static bool state_fill(struct wsgi_state *s)
{
    return state_intern(s) && (s->gone_type = (PyTypeObject *)PyType_FromSpec(&wsgi_gone_spec)) &&
           (s->input_type = (PyTypeObject *)PyType_FromSpec(&wsgi_input_spec)) && (s->start_type = (PyTypeObject *)PyType_FromSpec(&wsgi_start_spec)) &&
           (s->wrapper_type = (PyTypeObject *)PyType_FromSpec(&wsgi_wrapper_spec)) &&
           (s->hints_type = (PyTypeObject *)PyType_FromSpec(&wsgi_hints_spec)) && (s->no_input = wsgi_input_new(s, NULL)) &&
           (s->hints = wsgi_hints_new(s)) && (s->watcher = pystate_dict_watcher()) >= 0;
}

struct wsgi_state *wsgi_state(void)
{
    struct interp *i = interp_current();
    if (i->wsgi)
        return i->wsgi;
    struct wsgi_state *s = PyMem_Calloc(1, sizeof *s);
    if (!s) {
        PyErr_NoMemory();
        return NULL;
    }
    if (!state_fill(s)) { /* what was made stays with the interpreter: it cannot work without the rest */
        PyMem_Free(s);
        return NULL;
    }
    return i->wsgi = s;
}

static int write_chunk(struct request *r, const struct start *start, PyObject *chunk)
{
    if (!PyBytes_Check(chunk)) {
        PyErr_Format(PyExc_TypeError, "the application's iterable must give bytes, not %.100s", Py_TYPE(chunk)->tp_name);
        return -1;
    }
    if (!start->called) {
        PyErr_SetString(PyExc_AssertionError, "the application gave a body before it called start_response()");
        return -1;
    }
    return PyBytes_GET_SIZE(chunk) ? wsgi_write(r, PyBytes_AS_STRING(chunk), (size_t)PyBytes_GET_SIZE(chunk)) : 0;
}

static int write_iterable(struct request *r, const struct start *start, PyObject *result)
{
    PyObject *iterator = PyObject_GetIter(result), *chunk;
    int failed = iterator ? 0 : -1;
    while (!failed && (chunk = PyIter_Next(iterator))) {
        failed = write_chunk(r, start, chunk);
        Py_DECREF(chunk);
    }
    Py_XDECREF(iterator);
    return PyErr_Occurred() ? -1 : failed;
}

/* All of the body is here: what fits is sent together with the head. */
static int write_list(struct request *r, const struct start *start, PyObject *list)
{
    Py_ssize_t count = PySequence_Fast_GET_SIZE(list);
    int64_t total = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *chunk = PySequence_Fast_GET_ITEM(list, i);
        total += PyBytes_Check(chunk) ? PyBytes_GET_SIZE(chunk) : 0;
    }
    if (total && r->clength < 0 && r->response == RESPONSE_OPEN && start->called && r->status != 304)
        r->clength = total; /* nothing is not what a GET's 200 would have: of a HEAD and a 304 no length is claimed (RFC 9110, 8.6) */
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list); i++) {
        PyObject *chunk = Py_NewRef(PySequence_Fast_GET_ITEM(list, i));
        int failed = total && PyBytes_Check(chunk) && start->called && total <= 16384 && r->response == RESPONSE_OPEN
                         ? response_write(r, PyBytes_AS_STRING(chunk), (size_t)PyBytes_GET_SIZE(chunk))
                         : write_chunk(r, start, chunk);
        Py_DECREF(chunk);
        if (failed)
            return PyErr_Occurred() ? -1 : (PyErr_SetFromErrno(PyExc_OSError), -1);
    }
    return 0;
}

static int write_file(struct request *r, int fd, int64_t offset)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return 1;
    int64_t len = st.st_size > offset ? st.st_size - offset : 0;
    if (r->clength >= 0 && r->clength < len)
        len = r->clength;
    if (r->clength < 0 && r->response == RESPONSE_OPEN)
        r->clength = len;
    if (response_send_file(r, fd, offset, len) < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return 0;
}

static int write_result(struct wsgi_state *s, struct request *r, const struct start *start, PyObject *result)
{
    if (PyList_CheckExact(result) || PyTuple_CheckExact(result))
        return write_list(r, start, result);
    if (start->called && Py_TYPE(result) == s->wrapper_type) {
        int64_t offset;
        int fd = wsgi_wrapper_fd(s, result, &offset), sent = fd >= 0 ? write_file(r, fd, offset) : 1;
        if (sent <= 0)
            return sent;
    }
    return write_iterable(r, start, result);
}

/* PEP 3333: close() is called in every case, with the exception of the body kept. */
static void close_result(struct wsgi_state *s, struct request *r, PyObject *result)
{
    if (PyList_CheckExact(result) || PyTuple_CheckExact(result))
        return;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyObject *close = PyObject_GetAttr(result, s->close), *done = NULL;
    if (close)
        done = PyObject_CallNoArgs(close);
    else
        PyErr_Clear();
    if (close && !done)
        pyapp_log_exception(r, "wsgi", "close() of the application's iterable raised");
    Py_XDECREF(close);
    Py_XDECREF(done);
    PyErr_Restore(type, value, trace);
}

/* What an exception means for the client: what its body deserves, or 500 while nothing is out, else the response is cut. */
static int failed_status(struct request *r)
{
    int status = pyclient_fault(r);
    if (status) {
        PyErr_Clear();
        return status;
    }
    int bound = pylimit_status();
    if (PyErr_ExceptionMatches(PyExc_OSError) && (!r->conn || r->aborted)) {
        PyErr_Clear();
        log_request(r, LEVEL_INFO, "wsgi", "the client went away");
        return bound ? bound : STATUS_GONE;
    }
    bool shown = pyapp_show_exception(r);
    pyapp_log_exception(r, "wsgi", r->response == RESPONSE_OPEN ? "the application raised" : "the application raised after the response had begun; it is cut");
    return bound ? bound : shown ? PY_OK : 500;
}

static int call_application(struct wsgi_state *s, struct request *r, PyObject *app)
{
    struct kept_environ *e = wsgi_environ(s, r);
    PyObject *start = e ? wsgi_start_new(s, r) : NULL, *result = NULL;
    int code = PY_OK;
    if (start) {
        PyObject *args[] = {NULL, e->environ, start};
        result = PyObject_Vectorcall(app, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
        coro_check_child();
    }
    if (result) {
        bool websocket = r->status == 101 && r->response != RESPONSE_OPEN; /* then what it returned has no place to go to */
        if (!websocket && write_result(s, r, (struct start *)start, result) == 0 && !((struct start *)start)->called)
            PyErr_SetString(PyExc_AssertionError, "the application returned without calling start_response()");
        close_result(s, r, result);
        Py_DECREF(result);
    }
    if (PyErr_Occurred())
        code = failed_status(r);
    wsgi_start_done(s, start);
    wsgi_environ_done(s, e);
    return code;
}

int pywsgi_run(struct request *r)
{
    struct wsgi_state *s = wsgi_state();
    if (pylimit_begin(r, true))
        pyapp_log_exception(r, "wsgi", "the limits of the request cannot be set");
    PyObject *app = s ? pyapp_get(r, false) : NULL;
    int code = PY_OK;
    if (app) {
        code = call_application(s, r, app);
    } else {
        code = pyapp_show_exception(r) ? PY_OK : 500;
        pyapp_log_exception(r, "wsgi", "the WSGI application cannot be loaded");
    }
    pylimit_end(r, true);
    Py_XDECREF(app);
    return code;
}
