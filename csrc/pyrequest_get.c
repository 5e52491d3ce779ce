/* The 64 members of mp_request: computed when asked for, from the C structure. Read-only ones have no setter, which makes assigning an
 * AttributeError; writable ones refuse what is not text (latin-1) with TypeError. */
#include "pyreq.h"

#include <arpa/inet.h>

#include "origin.h"
#include "pyconn.h"
#include "pyfinfo.h"
#include "pyhlist.h"
#include "pyserver.h"
#include "pytable.h"
#include "pytext.h"
#include "response.h"
#include "route.h"

/* Text members kept as pointers in struct request. */
struct text_member {
    size_t offset;
    bool none;    /* may be set to None */
    bool mapped;  /* known once the URI has been mapped to a file: stat on demand */
};
#define TEXT_MEMBER(field, none_ok, is_mapped) {offsetof(struct request, field), none_ok, is_mapped}
static const struct text_member member_uri = TEXT_MEMBER(uri, false, false), member_args = TEXT_MEMBER(args, true, false),
    member_status_line = TEXT_MEMBER(status_line, false, false), member_handler = TEXT_MEMBER(handler, true, false),
    member_user = TEXT_MEMBER(user, false, false), member_auth_type = TEXT_MEMBER(auth_type, false, false),
    member_filename = TEXT_MEMBER(filename, false, true), member_canonical = TEXT_MEMBER(canonical_filename, false, true),
    member_path_info = TEXT_MEMBER(path_info, false, true), member_content_type = TEXT_MEMBER(content_type, false, false),
    member_hostname = TEXT_MEMBER(hostname, false, false), member_unparsed = TEXT_MEMBER(unparsed_uri, false, false),
    member_encoding = TEXT_MEMBER(content_encoding, false, false), member_extension = TEXT_MEMBER(extension, false, false);

static char **text_at(struct request *r, const struct text_member *m) { return (char **)((char *)r + m->offset); }

/* Splits filename and path_info now, where nothing has needed it so far. A name that Python has set stays as it is. */
static void request_map(struct pyrequest *self)
{
    struct request *r = self->r;
    if (!r->file_known && r->filename && !self->filename_set && !self->over)
        route_stat(r);
}

static PyObject *text_get(PyObject *object, void *closure)
{
    const struct text_member *m = closure;
    if (m->mapped)
        request_map(pyreq(object));
    return pytext_or_none(*text_at(pyreq(object)->r, m));
}

static int text_set(PyObject *object, PyObject *value, void *closure)
{
    const struct text_member *m = closure;
    struct request *r = pyreq(object)->r;
    char *text = NULL;
    if (!value || (value == Py_None && !m->none)) {
        PyErr_SetString(PyExc_TypeError, value ? "must be a str or bytes, not None" : "cannot be deleted");
        return -1;
    }
    if (m == &member_path_info || m == &member_canonical)
        request_map(pyreq(object)); /* or a later stat would overwrite it */
    if (value != Py_None && !(text = pytext_arena(r, value)))
        return -1;
    *text_at(r, m) = text;
    if (m == &member_content_type)
        r->content_type_set = true;
    if (m == &member_filename) {
        pyreq(object)->filename_set = true;
        r->file_known = false;
    }
    return 0;
}

int pyrequest_set_content_type(PyObject *object, PyObject *value) { return text_set(object, value, (void *)&member_content_type); }

/* Numbers. */
enum number_field {
    NUMBER_STATUS, NUMBER_ASSBACKWARDS, NUMBER_PROXYREQ, NUMBER_CHUNKED, NUMBER_NO_CACHE, NUMBER_NO_LOCAL_COPY, NUMBER_USED_PATH_INFO,
    NUMBER_HEADER_ONLY, NUMBER_PROTO, NUMBER_METHOD, NUMBER_SENT_BODYCT, NUMBER_BYTES_SENT, NUMBER_BYTES_QUEUED, NUMBER_CLENGTH,
    NUMBER_REMAINING, NUMBER_READ_LENGTH, NUMBER_READ_BODY, NUMBER_READ_CHUNKED, NUMBER_EXPECTING_100, NUMBER_EOS_SENT, NUMBER_TYPE_SET, NUMBER_ALLOWED
};

static long long body_read(const struct pyrequest *self) /* what the handler has really been given */
{
    return (long long)self->r->body_bytes_read - (long long)(self->line.len - self->line_at);
}

static long long body_remaining(const struct pyrequest *self)
{
    const struct request *r = self->r;
    return r->head.has_length ? (long long)r->head.length - body_read(self) : 0;
}

static PyObject *number_get(PyObject *object, void *closure)
{
    const struct pyrequest *self = pyreq(object);
    const struct request *r = self->r;
    switch ((enum number_field)(intptr_t)closure) {
    case NUMBER_STATUS: return PyLong_FromLong(r->status);
    case NUMBER_ASSBACKWARDS: return PyLong_FromLong(r->assbackwards);
    case NUMBER_PROXYREQ: return PyLong_FromLong(self->proxyreq);
    case NUMBER_CHUNKED: return PyLong_FromLong(r->chunked_out);
    case NUMBER_NO_CACHE: return PyLong_FromLong(r->no_cache);
    case NUMBER_NO_LOCAL_COPY: return PyLong_FromLong(r->no_local_copy);
    case NUMBER_USED_PATH_INFO: return PyLong_FromLong(self->used_path_info_set ? self->used_path_info : 2);
    case NUMBER_HEADER_ONLY: return PyLong_FromLong(r->header_only);
    case NUMBER_PROTO: return PyLong_FromLong(1000 + r->head.minor);
    case NUMBER_METHOD: return PyLong_FromLong(r->method_number);
    case NUMBER_SENT_BODYCT: return PyLong_FromLong(r->response != RESPONSE_OPEN);
    case NUMBER_BYTES_SENT: return PyLong_FromUnsignedLongLong(r->response == RESPONSE_OPEN ? 0 : r->body_bytes_out - r->out.len);
    case NUMBER_BYTES_QUEUED: return PyLong_FromUnsignedLongLong(r->body_bytes_out);
    case NUMBER_CLENGTH: return PyLong_FromLongLong(r->clength < 0 ? 0 : r->clength);
    case NUMBER_REMAINING: return PyLong_FromLongLong(body_remaining(self));
    case NUMBER_READ_LENGTH: return PyLong_FromLongLong(body_read(self));
    case NUMBER_READ_BODY: return PyLong_FromLong(r->body_bytes_read ? 2 : 0); /* REQUEST_CHUNKED_DECHUNK: chunked bodies are readable here */
    case NUMBER_READ_CHUNKED: return PyLong_FromLong(r->head.chunked);
    case NUMBER_EXPECTING_100: return PyLong_FromLong(r->continue_due);
    case NUMBER_EOS_SENT: return PyLong_FromLong(r->response == RESPONSE_ENDED);
    case NUMBER_TYPE_SET: return PyLong_FromLong(r->content_type_set);
    case NUMBER_ALLOWED: return PyLong_FromUnsignedLongLong(r->allowed);
    }
    Py_UNREACHABLE();
}

static int number_set(PyObject *object, PyObject *value, void *closure)
{
    struct pyrequest *self = pyreq(object);
    struct request *r = self->r;
    if (!value || !PyLong_Check(value)) {
        PyErr_SetString(PyExc_TypeError, value ? "must be an int" : "cannot be deleted");
        return -1;
    }
    int overflow;
    long v = PyLong_AsLongAndOverflow(value, &overflow);
    if (overflow || v > INT32_MAX || v < INT32_MIN) {
        PyErr_SetString(PyExc_OverflowError, "the number is too large");
        return -1;
    }
    switch ((int)(intptr_t)closure) {
    case NUMBER_STATUS: r->status = (int)v; break;
    case NUMBER_ASSBACKWARDS: r->assbackwards = v != 0; break;
    case NUMBER_PROXYREQ: self->proxyreq = (int)v; break;
    case NUMBER_CHUNKED: r->chunked_out = v != 0; break;
    case NUMBER_NO_CACHE: r->no_cache = v != 0; break;
    case NUMBER_NO_LOCAL_COPY: r->no_local_copy = v != 0; break;
    case NUMBER_USED_PATH_INFO: self->used_path_info = (int)v; self->used_path_info_set = true; break;
    }
    return 0;
}

/* Tables: one view each, kept so that it is the same object every time. */
static PyObject *view_get(PyObject *object, void *closure)
{
    struct pyrequest *self = pyreq(object);
    struct request *r = self->r;
    intptr_t which = (intptr_t)closure;
    if (!self->views[which]) {
        struct table *tables[REQUEST_VIEWS] = {&r->headers_in, &r->headers_out, &r->err_headers_out, &r->subprocess_env, &r->notes,
                                               &r->trailers_in};
        self->views[which] = pytable_of_request(which ? tables[which] : request_headers_in(r), r);
    }
    return Py_XNewRef(self->views[which]);
}

/* Other requests and what they belong to. */
enum object_field {
    OBJECT_CONNECTION, OBJECT_SERVER, OBJECT_NEXT, OBJECT_PREV, OBJECT_MAIN, OBJECT_HLIST, OBJECT_PHASE, OBJECT_INTERPRETER, OBJECT_METHOD,
    OBJECT_PROTOCOL, OBJECT_THE_REQUEST, OBJECT_REQUEST_TIME, OBJECT_MTIME, OBJECT_RANGE, OBJECT_LANGUAGES, OBJECT_NONE, OBJECT_XMETHODS, OBJECT_ALLOWED_METHODS,
    OBJECT_PARSED_URI, OBJECT_USERAGENT_ADDR, OBJECT_USERAGENT_IP, OBJECT_REC
};

static PyObject *other_request(struct request *r)
{
    if (!r)
        Py_RETURN_NONE;
    return r->phases_over ? pyrequest_of(r) : (PyObject *)Py_XNewRef((PyObject *)pyrequest_hold(r)); /* nobody would let go of it any more */
}

static PyObject *method_get(const struct request *r)
{
    struct pyroom *state = pyroom_get();
    if (r->method_number < METHOD_INVALID) {
        PyObject *known = r->header_only && !strcmp(r->method, "HEAD") ? state->head : state->method_names[r->method_number];
        if (!strcmp((const char *)PyUnicode_1BYTE_DATA(known), r->method))
            return Py_NewRef(known);
    }
    return pytext_or_none(r->method);
}

static PyObject *the_request_get(const struct request *r)
{
    if (r->bytes && r->head.line_len)
        return pytext_from(slice_of(r->bytes + r->head.start, r->head.line_len));
    PyObject *target = pytext_or_none(r->unparsed_uri), *method = target ? pytext_or_none(r->method) : NULL, *line = NULL;
    if (method)
        line = PyUnicode_FromFormat("%S %S HTTP/1.%d", method, target, (int)r->head.minor);
    Py_XDECREF(target);
    Py_XDECREF(method);
    return line;
}

static PyObject *allowed_methods_get(const struct request *r)
{
    PyObject *list = PyList_New(0), *tuple;
    for (int m = 0; list && m < METHOD_INVALID; m++)
        if (r->allowed >> m & 1 && PyList_Append(list, pyroom_get()->method_names[m]))
            Py_CLEAR(list);
    tuple = list ? PyList_AsTuple(list) : NULL;
    Py_XDECREF(list);
    return tuple;
}

/* (scheme, hostinfo, user, password, hostname, port, path, query, fragment); for an origin-form target only path, query and the port of Host are known. */
static PyObject *parsed_uri_get(const struct request *r)
{
    struct slice host = request_span(r, r->head.host);
    bool absolute = r->bytes && r->head.form == TARGET_ABSOLUTE;
    const char *scheme = absolute && r->unparsed_uri && !strncasecmp(r->unparsed_uri, "https", 5) ? "https" : "http";
    PyObject *none = Py_None;
    return Py_BuildValue("(NNOONNNNO)", absolute ? PyUnicode_FromString(scheme) : Py_NewRef(none), absolute ? pytext_from(host) : Py_NewRef(none),
                         none, none, absolute ? pytext_from(slice_of(host.at, r->head.host_name_len)) : Py_NewRef(none),
                         r->head.port ? PyLong_FromUnsignedLong(r->head.port) : Py_NewRef(none), pytext_or_none(r->uri),
                         pytext_or_none(r->args), none);
}

static PyObject *useragent_get(const struct request *r, bool address)
{
    char text[46] = "";
    origin_client_text(r, text);
    return address ? pyconn_address(text, r->useragent_ip ? 0 : origin_client_port(r)) : PyUnicode_FromString(text);
}

static PyObject *range_get(struct request *r)
{
    struct slice s = request_header(r, FIELD_RANGE, SLICE("Range"));
    return s.at ? pytext_from(s) : Py_NewRef(Py_None);
}

static PyObject *languages_get(const struct request *r)
{
    PyObject *text = PyUnicode_DecodeLatin1(r->content_languages ? r->content_languages : "", r->content_languages ? (Py_ssize_t)strlen(r->content_languages) : 0, NULL);
    PyObject *comma = text ? PyUnicode_FromString(",") : NULL;
    PyObject *list = comma ? (r->content_languages ? PyUnicode_Split(text, comma, -1) : PyList_New(0)) : NULL;
    PyObject *languages = list ? PyList_AsTuple(list) : NULL;
    Py_XDECREF(text);
    Py_XDECREF(comma);
    Py_XDECREF(list);
    return languages;
}

static PyObject *object_get(PyObject *object, void *closure)
{
    struct pyrequest *self = pyreq(object);
    struct request *r = self->r;
    switch ((enum object_field)(intptr_t)closure) {
    case OBJECT_CONNECTION: return pyconn_of(r);
    case OBJECT_SERVER: return pyserver_of(r->server);
    case OBJECT_NEXT: return other_request(r->next);
    case OBJECT_PREV: return other_request(r->prev);
    case OBJECT_MAIN: return other_request(r->main_request);
    case OBJECT_HLIST: return pyhlist_new(self, NULL);
    case OBJECT_PHASE: return Py_NewRef(self->phase ? self->phase : Py_None);
    case OBJECT_INTERPRETER: return Py_NewRef(pyroom_get()->interpreter);
    case OBJECT_METHOD: return method_get(r);
    case OBJECT_PROTOCOL: return PyUnicode_FromFormat("HTTP/1.%d", (int)r->head.minor);
    case OBJECT_THE_REQUEST: return the_request_get(r);
    case OBJECT_REQUEST_TIME: return PyFloat_FromDouble((double)r->start_us / 1e6);
    case OBJECT_MTIME: return PyFloat_FromDouble((double)r->mtime_us / 1e6);
    case OBJECT_RANGE: return range_get(r);
    case OBJECT_LANGUAGES: return languages_get(r);
    case OBJECT_NONE: Py_RETURN_NONE;
    case OBJECT_XMETHODS: return self->xmethods ? Py_NewRef(self->xmethods) : PyTuple_New(0);
    case OBJECT_ALLOWED_METHODS: return allowed_methods_get(r);
    case OBJECT_PARSED_URI: return parsed_uri_get(r);
    case OBJECT_USERAGENT_ADDR: return useragent_get(r, true);
    case OBJECT_USERAGENT_IP: return useragent_get(r, false);
    case OBJECT_REC: return PyCapsule_New(r, "request_rec", NULL);
    }
    Py_UNREACHABLE();
}

static PyObject *finfo_get(PyObject *object, void *unused)
{
    struct request *r = pyreq(object)->r;
    struct stat st = {0};
    (void)unused;
    request_map(pyreq(object));
    if (r->file_known)
        return pyfinfo_new(&r->finfo, r->filename);
    if (r->filename && stat(r->filename, &st)) /* a name that Python has set; the mapping looks at it later */
        st = (struct stat){0};
    return pyfinfo_new(&st, r->filename);
}

static int finfo_set(PyObject *object, PyObject *value, void *unused)
{
    struct request *r = pyreq(object)->r;
    const struct stat *st = pyfinfo_stat(value);
    (void)unused;
    if (!st)
        return -1;
    r->finfo = *st;
    r->file_known = true;
    return 0;
}

static PyObject *dict_get(PyObject *object, void *closure)
{
    PyObject *dict = PyObject_GenericGetDict(object, closure);
    if (dict && !PyObject_GC_IsTracked(object))
        PyObject_GC_Track(object);
    return dict;
}

#define TEXT_RW(name, member) {name, text_get, text_set, NULL, (void *)&(member)}
#define TEXT_RO(name, member) {name, text_get, NULL, NULL, (void *)&(member)}
#define NUMBER_RW(name, field) {name, number_get, number_set, NULL, (void *)(intptr_t)(field)}
#define NUMBER_RO(name, field) {name, number_get, NULL, NULL, (void *)(intptr_t)(field)}
#define VIEW(name, index) {name, view_get, NULL, NULL, (void *)(intptr_t)(index)}
#define OBJECT(name, field) {name, object_get, NULL, NULL, (void *)(intptr_t)(field)}
PyGetSetDef pyrequest_getset[] = {
    TEXT_RW("uri", member_uri), TEXT_RW("args", member_args), TEXT_RW("status_line", member_status_line), TEXT_RW("handler", member_handler),
    TEXT_RW("user", member_user), TEXT_RW("ap_auth_type", member_auth_type), TEXT_RW("filename", member_filename),
    TEXT_RW("canonical_filename", member_canonical), TEXT_RW("path_info", member_path_info), TEXT_RW("content_type", member_content_type),
    TEXT_RO("hostname", member_hostname), TEXT_RO("unparsed_uri", member_unparsed), TEXT_RO("content_encoding", member_encoding),
    TEXT_RO("extension", member_extension),
    NUMBER_RW("status", NUMBER_STATUS), NUMBER_RW("assbackwards", NUMBER_ASSBACKWARDS), NUMBER_RW("proxyreq", NUMBER_PROXYREQ),
    NUMBER_RW("chunked", NUMBER_CHUNKED), NUMBER_RW("no_cache", NUMBER_NO_CACHE), NUMBER_RW("no_local_copy", NUMBER_NO_LOCAL_COPY),
    NUMBER_RW("used_path_info", NUMBER_USED_PATH_INFO),
    NUMBER_RO("header_only", NUMBER_HEADER_ONLY), NUMBER_RO("proto_num", NUMBER_PROTO), NUMBER_RO("method_number", NUMBER_METHOD),
    NUMBER_RO("sent_bodyct", NUMBER_SENT_BODYCT), NUMBER_RO("bytes_sent", NUMBER_BYTES_SENT), NUMBER_RO("_bytes_queued", NUMBER_BYTES_QUEUED),
    NUMBER_RO("clength", NUMBER_CLENGTH), NUMBER_RO("remaining", NUMBER_REMAINING), NUMBER_RO("read_length", NUMBER_READ_LENGTH),
    NUMBER_RO("read_body", NUMBER_READ_BODY), NUMBER_RO("read_chunked", NUMBER_READ_CHUNKED), NUMBER_RO("expecting_100", NUMBER_EXPECTING_100),
    NUMBER_RO("eos_sent", NUMBER_EOS_SENT), NUMBER_RO("_content_type_set", NUMBER_TYPE_SET), NUMBER_RO("allowed", NUMBER_ALLOWED),
    VIEW("headers_in", 0), VIEW("headers_out", 1), VIEW("err_headers_out", 2), VIEW("subprocess_env", 3), VIEW("notes", 4), VIEW("trailers_in", 5),
    OBJECT("connection", OBJECT_CONNECTION), OBJECT("server", OBJECT_SERVER), OBJECT("next", OBJECT_NEXT), OBJECT("prev", OBJECT_PREV),
    OBJECT("main", OBJECT_MAIN), OBJECT("hlist", OBJECT_HLIST), OBJECT("phase", OBJECT_PHASE), OBJECT("interpreter", OBJECT_INTERPRETER),
    OBJECT("method", OBJECT_METHOD), OBJECT("protocol", OBJECT_PROTOCOL), OBJECT("the_request", OBJECT_THE_REQUEST),
    OBJECT("request_time", OBJECT_REQUEST_TIME), OBJECT("mtime", OBJECT_MTIME), OBJECT("range", OBJECT_RANGE),
    OBJECT("content_languages", OBJECT_LANGUAGES), OBJECT("vlist_validator", OBJECT_NONE), OBJECT("allowed_xmethods", OBJECT_XMETHODS),
    OBJECT("allowed_methods", OBJECT_ALLOWED_METHODS), OBJECT("parsed_uri", OBJECT_PARSED_URI), OBJECT("useragent_addr", OBJECT_USERAGENT_ADDR),
    OBJECT("useragent_ip", OBJECT_USERAGENT_IP), OBJECT("_request_rec", OBJECT_REC),
    {"finfo", finfo_get, finfo_set, NULL, NULL}, {"__dict__", dict_get, PyObject_GenericSetDict, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL},
};
