/* The environ: a copy of a template that holds what never changes, with interned keys, then what this request brings. */
#include "conn.h"
#include "gate_ws.h"
#include "origin.h"
#include "pywebsocket.h"
#include "pystate.h"
#include "pywsgi_impl.h"

enum { KEPT_LOOKS = 4 }; /* at environs that wait, for one with the headers of a request */

PyObject *wsgi_text(struct slice s) { return PyUnicode_DecodeLatin1(s.at ? s.at : "", (Py_ssize_t)s.len, NULL); }

/* Steals value. */
static int put(struct wsgi_state *s, PyObject *environ, enum wsgi_key key, PyObject *value)
{
    int result = value ? PyDict_SetItem(environ, s->keys[key], value) : -1;
    Py_XDECREF(value);
    return result;
}

static int put_text(struct wsgi_state *s, PyObject *environ, enum wsgi_key key, const char *text)
{
    return put(s, environ, key, wsgi_text(slice_text(text)));
}

/* Text that differs from request to request: nothing happens where it is what already lies there. */
static int put_again(PyObject *environ, PyObject *key, PyObject **lies, struct slice text)
{
    PyObject *before = *lies;
    if (before && (size_t)PyUnicode_GET_LENGTH(before) == text.len && !memcmp(PyUnicode_1BYTE_DATA(before), text.at, text.len))
        return 0;
    PyObject *value = wsgi_text(text);
    int failed = value ? PyDict_SetItem(environ, key, value) : -1;
    *lies = failed ? NULL : value;
    Py_XDECREF(value);
    return failed;
}

/* The same for texts that others hold as well. */
static int put_known(PyObject *environ, PyObject *key, PyObject **lies, PyObject *value)
{
    if (*lies == value)
        return 0;
    *lies = value;
    return value ? PyDict_SetItem(environ, key, value) : -1;
}

static PyObject *number_text(unsigned n)
{
    char text[12], *at = text + sizeof text;
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    return wsgi_text(slice_of(at, (size_t)(text + sizeof text - at)));
}

bool text_cache_keep(struct text_cache *c, struct slice bytes)
{
    c->len = (uint32_t)(bytes.len <= sizeof c->bytes ? bytes.len : 0);
    memcpy(c->bytes, bytes.at, c->len);
    return c->len == bytes.len;
}

struct slice wsgi_peer(const struct request *r)
{
    return r->useragent_ip ? slice_text(r->useragent_ip) : r->conn ? slice_of((const char *)r->conn->peer.address, 16) : SLICE("");
}

/* The same for all requests of one dir_conf. */
static int put_constants(struct wsgi_state *s, PyObject *t, const struct request *r)
{
    static const enum wsgi_key empty[] = {KEY_SCRIPT_NAME, KEY_PATH_INFO, KEY_QUERY_STRING, KEY_REQUEST_URI, KEY_REMOTE_PORT};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        if (put(s, t, empty[i], Py_NewRef(s->empty)) < 0)
            return -1;
    return put(s, t, KEY_REQUEST_METHOD, Py_NewRef(s->methods[METHOD_GET])) < 0 || put(s, t, KEY_SERVER_PROTOCOL, Py_NewRef(s->http11)) < 0 ||
                   put(s, t, KEY_URL_SCHEME, Py_NewRef(s->http)) < 0 || put(s, t, KEY_INPUT, Py_NewRef(s->no_input)) < 0 ||
                   put(s, t, KEY_ERRORS, Py_XNewRef(PySys_GetObject("stderr"))) < 0 ||
                   put(s, t, KEY_VERSION, Py_BuildValue("(ii)", 1, 0)) < 0 || put(s, t, KEY_MULTITHREAD, Py_NewRef(Py_True)) < 0 ||
                   put(s, t, KEY_MULTIPROCESS, PyBool_FromLong(r->main->start_servers > 1 && !r->main->one_process)) < 0 ||
                   put(s, t, KEY_RUN_ONCE, Py_NewRef(Py_False)) < 0 ||
                   put(s, t, KEY_FILE_WRAPPER, Py_NewRef((PyObject *)s->wrapper_type)) < 0 ||
                   put(s, t, KEY_INPUT_TERMINATED, Py_NewRef(Py_True)) < 0 || put_text(s, t, KEY_SERVER_SOFTWARE, "pyhost") < 0 ||
                   put_text(s, t, KEY_GATEWAY_INTERFACE, "CGI/1.1") < 0 || put(s, t, KEY_EARLY_HINTS, Py_NewRef(s->hints)) < 0
               ? -1
               : 0;
}

/* The same for all requests of one client to one Host. */
static int put_origin(struct wsgi_state *s, PyObject *t, struct request *r)
{
    char address[64];
    origin_client_text(r, address);
    if (put_text(s, t, KEY_SERVER_NAME, origin_host(r)) < 0 || put(s, t, KEY_SERVER_PORT, number_text((unsigned)origin_port(r))) < 0 ||
        put_text(s, t, KEY_REMOTE_ADDR, address) < 0)
        return -1;
    if (strcmp(origin_scheme(r), "https") != 0)
        return 0;
    return put(s, t, KEY_URL_SCHEME, Py_NewRef(s->https)) < 0 ? -1 : put_text(s, t, KEY_HTTPS, "on");
}

static void environ_free(struct kept_environ *e)
{
    if (e)
        Py_DECREF(e->environ);
    PyMem_Free(e);
}

static void forget_kept(struct wsgi_state *s, struct kept_environ **at)
{
    struct kept_environ *e = *at;
    *at = e->next;
    s->kept_count--;
    environ_free(e);
}

static PyObject *make_template(struct wsgi_state *s, struct request *r, struct slice host, int port)
{
    PyObject *t = PyDict_New();
    if (!t || put_constants(s, t, r) < 0 || put_origin(s, t, r) < 0)
        Py_CLEAR(t);
    s->template_conf = text_cache_keep(&s->host, host) && text_cache_keep(&s->peer, wsgi_peer(r)) && !r->secure ? r->conf : NULL;
    s->port = port;
    s->template_number++;
    while (s->kept)
        forget_kept(s, &s->kept);
    return t;
}

static PyObject *current_template(struct wsgi_state *s, struct request *r)
{
    struct slice host = slice_text(r->hostname);
    int port = origin_port(r);
    if (!s->template || s->template_conf != r->conf || s->port != port || r->secure || !text_cache_is(&s->host, host) || !text_cache_is(&s->peer, wsgi_peer(r)))
        Py_XSETREF(s->template, make_template(s, r, host.at ? host : SLICE(""), port));
    return s->template;
}

/* RFC 3875 4.1.18. NULL without an exception: this field does not become a variable ('_' would collide with '-', Proxy is httpoxy). */
static PyObject *make_name(struct slice name)
{
    char text[300] = "HTTP_";
    if (name.len > sizeof text - 6 || slice_eq_nocase(name, SLICE("Proxy")))
        return NULL;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (c == '_')
            return NULL;
        text[5 + i] = c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
    }
    text[5 + name.len] = 0;
    return PyUnicode_InternFromString(text);
}

/* Clients send the same few names again and again. A new reference, or NULL (exception set or not, as make_name). */
static PyObject *header_key(struct wsgi_state *s, struct slice name)
{
    if (name.len >= sizeof s->names[0].name)
        return make_name(name);
    uint32_t hash = (uint32_t)name.len * 31 + (unsigned char)name.at[0] * 7 + (unsigned char)name.at[name.len - 1] * 13 +
                    (unsigned char)name.at[name.len / 2] * 3;
    struct name_cache *slot = &s->names[hash % NAME_CACHE];
    if (slot->key && slice_is(name, slot->name, slot->len))
        return Py_NewRef(slot->key);
    PyObject *key = make_name(name);
    if (key) {
        slot->len = (uint32_t)name.len;
        memcpy(slot->name, name.at, name.len);
        Py_XSETREF(slot->key, Py_NewRef(key));
    }
    return key;
}

/* A field that came twice is joined, and this environ is nothing for another request. */
static int put_header(struct wsgi_state *s, struct kept_environ *e, struct slice name, struct slice text, bool cookie)
{
    PyObject *key = header_key(s, name), *environ = e->environ;
    if (!key)
        return PyErr_Occurred() ? -1 : 0;
    PyObject *value = wsgi_text(text), *before = value ? PyDict_GetItemWithError(environ, key) : NULL;
    if (value && before)
        Py_SETREF(value, PyUnicode_FromFormat(cookie ? "%U; %U" : "%U, %U", before, value));
    int result = value && !PyErr_Occurred() ? PyDict_SetItem(environ, key, value) : -1;
    if (before || e->header_count == KEPT_HEADERS) {
        e->plain = false;
    } else {
        e->headers[e->header_count].key = key;
        e->headers[e->header_count++].value = value;
    }
    Py_XDECREF(value);
    Py_DECREF(key);
    return result;
}

static int put_field(struct wsgi_state *s, struct kept_environ *e, const struct request *r, const struct http_field *f)
{
    struct slice name = slice_of(r->bytes + f->name_at, f->name_len), value = slice_of(r->bytes + f->value_at, f->value_len);
    switch (f->name) {
    case FIELD_CONTENT_TYPE: e->plain = false; return put(s, e->environ, KEY_CONTENT_TYPE, wsgi_text(value));
    case FIELD_CONTENT_LENGTH: e->plain = false; return put(s, e->environ, KEY_CONTENT_LENGTH, wsgi_text(value));
    case FIELD_PROXY:
    case FIELD_HTTP2_SETTINGS: return 0;
    default: return put_header(s, e, name, value, f->name == FIELD_COOKIE);
    }
}

/* RequestHeader rules, Python phases or another protocol have made a table of the head: then it is what counts. */
static int put_table(struct wsgi_state *s, struct kept_environ *e, const struct table *t)
{
    e->plain = false;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct table_entry *field = &t->entries[i];
        struct slice name = slice_of(field->key, field->key_len), value = slice_of(field->value, field->value_len);
        int failed = slice_eq_nocase(name, SLICE("Content-Type"))     ? put(s, e->environ, KEY_CONTENT_TYPE, wsgi_text(value))
                     : slice_eq_nocase(name, SLICE("Content-Length")) ? put(s, e->environ, KEY_CONTENT_LENGTH, wsgi_text(value))
                     : name.len                                       ? put_header(s, e, name, value, false)
                                                                      : 0;
        if (failed)
            return -1;
    }
    return 0;
}

static int put_headers(struct wsgi_state *s, struct kept_environ *e, struct request *r)
{
    if (r->headers_in_built)
        return put_table(s, e, &r->headers_in);
    for (uint32_t i = 0; i < r->head.nfields; i++)
        if (put_field(s, e, r, &r->fields[i]) < 0)
            return -1;
    return 0;
}

/* Has the head the very fields, in the same order, whose values lie in this environ? */
static bool has_same_headers(struct wsgi_state *s, const struct kept_environ *e, const struct request *r)
{
    if (r->headers_in_built || r->head.nfields != e->header_count)
        return false;
    for (uint32_t i = 0; i < e->header_count; i++) {
        const struct http_field *f = &r->fields[i];
        PyObject *key = f->name == FIELD_CONTENT_TYPE || f->name == FIELD_CONTENT_LENGTH ? NULL : header_key(s, slice_of(r->bytes + f->name_at, f->name_len));
        if (key)
            Py_DECREF(key); /* it lies in the dict, if it is the one */
        else
            PyErr_Clear();
        if (key != e->headers[i].key)
            return false;
    }
    return true;
}

static int put_headers_again(struct kept_environ *e, const struct request *r)
{
    for (uint32_t i = 0; i < e->header_count; i++) {
        const struct http_field *f = &r->fields[i];
        if (put_again(e->environ, e->headers[i].key, &e->headers[i].value, slice_of(r->bytes + f->value_at, f->value_len)))
            return -1;
    }
    return 0;
}

static int put_method(struct wsgi_state *s, struct kept_environ *e, const struct request *r)
{
    if (!r->head.minor) {
        e->plain = false;
        if (put(s, e->environ, KEY_SERVER_PROTOCOL, Py_NewRef(s->http10)) < 0)
            return -1;
    }
    if (!r->header_only && r->method_number >= METHOD_TEXTS)
        return put_again(e->environ, s->keys[KEY_REQUEST_METHOD], &e->texts[KEPT_METHOD], slice_text(r->method));
    return put_known(e->environ, s->keys[KEY_REQUEST_METHOD], &e->texts[KEPT_METHOD], r->header_only ? s->head : s->methods[r->method_number]);
}

/* Where the application is mounted, and the rest of the path. */
static int put_path(struct wsgi_state *s, struct kept_environ *e, const struct request *r)
{
    const char *mount = r->conf->wsgi_mount ? r->conf->wsgi_mount : r->conf->location ? r->conf->location : "";
    size_t len = strlen(mount);
    while (len && mount[len - 1] == '/')
        len--;
    if (strncmp(r->uri, mount, len) != 0 || (r->uri[len] && r->uri[len] != '/'))
        len = 0;
    return put_again(e->environ, s->keys[KEY_SCRIPT_NAME], &e->texts[KEPT_SCRIPT_NAME], slice_of(r->uri, len)) ||
           put_again(e->environ, s->keys[KEY_PATH_INFO], &e->texts[KEPT_PATH_INFO], slice_text(r->uri + len)) ||
           put_again(e->environ, s->keys[KEY_QUERY_STRING], &e->texts[KEPT_QUERY_STRING], r->args ? slice_text(r->args) : SLICE("")) ||
           put_again(e->environ, s->keys[KEY_REQUEST_URI], &e->texts[KEPT_REQUEST_URI], slice_text(r->unparsed_uri)) ? -1 : 0;
}

/* A client's connections have a few ports, again and again. */
static int put_port(struct wsgi_state *s, struct kept_environ *e, const struct request *r)
{
    unsigned port = r->conn ? r->conn->peer.port : 0, slot = port % PORT_CACHE;
    if (!s->ports[slot].text || s->ports[slot].port != port) {
        Py_XSETREF(s->ports[slot].text, r->conn ? number_text(port) : Py_NewRef(s->empty));
        s->ports[slot].port = port;
    }
    return put_known(e->environ, s->keys[KEY_REMOTE_PORT], &e->texts[KEPT_REMOTE_PORT], s->ports[slot].text);
}

static int put_gone(struct wsgi_state *s, struct kept_environ *e, struct request *r)
{
    if (e->gone && Py_REFCNT(e->gone) == 1) {
        wsgi_gone_use(e->gone, r);
        return 0;
    }
    PyObject *gone = e->gone = wsgi_gone_new(s, r);
    return put(s, e->environ, KEY_CLIENT_GONE, gone);
}

static int put_variables(PyObject *environ, const struct table *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        const struct table_entry *e = &t->entries[i];
        PyObject *key = wsgi_text(slice_of(e->key, e->key_len)), *value = e->value ? wsgi_text(slice_of(e->value, e->value_len)) : NULL;
        int failed = !key || (value && PyDict_SetDefault(environ, key, value) == NULL);
        Py_XDECREF(key);
        Py_XDECREF(value);
        if (failed)
            return -1;
    }
    return 0;
}

static int put_user(struct wsgi_state *s, PyObject *environ, const struct request *r)
{
    if (r->user && put_text(s, environ, KEY_REMOTE_USER, r->user) < 0)
        return -1;
    return r->auth_type ? put_text(s, environ, KEY_AUTH_TYPE, r->auth_type) : 0;
}

static int put_websocket(PyObject *environ, struct request *r)
{
    PyObject *opener = websocket_wanted(r) ? pywebsocket_opener(r) : NULL;
    int failed = opener ? PyDict_SetItemString(environ, "pyhost.websocket", opener) : PyErr_Occurred() ? -1 : 0;
    Py_XDECREF(opener);
    return failed;
}

/* What few requests have. A body with a length does without wsgi.input_terminated: werkzeug then counts what it reads, and answers one that breaks off
 * with 400 instead of 500. */
static int put_special(struct wsgi_state *s, struct kept_environ *e, struct request *r)
{
    bool has_body = !(r->body == BODY_WHOLE && !r->in.len);
    if (!has_body && !r->user && !r->auth_type && !r->head.upgrade && !r->subprocess_env.count)
        return 0;
    e->plain = false;
    if (has_body && r->head.has_length && !r->in_filter && PyDict_DelItem(e->environ, s->keys[KEY_INPUT_TERMINATED]) < 0)
        return -1;
    return put_user(s, e->environ, r) < 0 || (r->head.upgrade && put_websocket(e->environ, r) < 0) ||
           (has_body && put(s, e->environ, KEY_INPUT, wsgi_input_new(s, r)) < 0) || put_variables(e->environ, &r->subprocess_env) < 0 ? -1 : 0;
}

/* One whose request had these headers, when there is one among the next few; else the last of them makes room for what is asked for now. */
static struct kept_environ *take_kept(struct wsgi_state *s, const struct request *r)
{
    if (!r->head.minor)
        return NULL;
    struct kept_environ **at = &s->kept, *e;
    for (int looked = 1; (e = *at); looked++, at = &e->next) {
        if (has_same_headers(s, e, r)) {
            *at = e->next;
            s->kept_count--;
            return e;
        }
        if (looked == KEPT_LOOKS) {
            forget_kept(s, at);
            break;
        }
    }
    return NULL;
}

static struct kept_environ *environ_new(const struct wsgi_state *s, PyObject *template)
{
    struct kept_environ *e = PyMem_Malloc(sizeof *e);
    if (!e) {
        PyErr_NoMemory();
        return NULL;
    }
    *e = (struct kept_environ){.environ = PyDict_Copy(template), .template = s->template_number, .plain = true,
                               .texts = {s->methods[METHOD_GET], s->empty, s->empty, s->empty, s->empty, s->empty}};
    if (!e->environ) {
        PyMem_Free(e);
        return NULL;
    }
    return e;
}

struct kept_environ *wsgi_environ(struct wsgi_state *s, struct request *r)
{
    PyObject *template = current_template(s, r);
    struct kept_environ *again = template ? take_kept(s, r) : NULL, *e = again ? again : template ? environ_new(s, template) : NULL;
    if (!e)
        return NULL;
    if (put_method(s, e, r) < 0 || put_path(s, e, r) < 0 || put_port(s, e, r) < 0 || put_gone(s, e, r) < 0 ||
        (again ? put_headers_again(e, r) : put_headers(s, e, r)) < 0 || put_special(s, e, r) < 0) {
        environ_free(e);
        return NULL;
    }
    if (e->plain)
        e->mark = pystate_dict_mark(s->watcher, e->environ);
    return e;
}

void wsgi_environ_done(struct wsgi_state *s, struct kept_environ *e)
{
    bool same = e && e->plain && pystate_dict_is_as_marked(s->watcher, e->environ, e->mark);
    if (!same || s->kept_count == KEPT_CALLS || Py_REFCNT(e->environ) > 1 || e->template != s->template_number) {
        environ_free(e);
        return;
    }
    if (Py_REFCNT(e->gone) == 1)
        wsgi_gone_use(e->gone, NULL);
    else
        e->gone = NULL; /* somebody asks it still, for his request */
    e->next = s->kept;
    s->kept = e;
    s->kept_count++;
}
