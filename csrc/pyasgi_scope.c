/* The http scope of ASGI 3: a copy of a template that holds what never changes, with interned keys, then what this request brings. */
#include "conn.h"
#include "origin.h"
#include "pyasgi_impl.h"

static PyObject *bytes_of(struct slice s) { return PyBytes_FromStringAndSize(s.at, (Py_ssize_t)s.len); }

/* Takes value. */
static int put(struct asgi_state *s, PyObject *scope, enum asgi_key key, PyObject *value)
{
    int result = value ? PyDict_SetItem(scope, s->keys[key], value) : -1;
    Py_XDECREF(value);
    return result;
}

static PyObject *lower_bytes(struct slice s)
{
    PyObject *b = PyBytes_FromStringAndSize(s.at, (Py_ssize_t)s.len);
    char *at = b ? PyBytes_AS_STRING(b) : NULL;
    for (size_t i = 0; b && i < s.len; i++)
        if (at[i] >= 'A' && at[i] <= 'Z')
            at[i] = (char)(at[i] + 32);
    return b;
}

/* Clients send the same few names again and again. */
static PyObject *header_name(struct asgi_state *s, struct slice name)
{
    if (!name.len || name.len >= sizeof s->names[0].name)
        return lower_bytes(name);
    uint32_t hash = (uint32_t)name.len * 31 + (unsigned char)name.at[0] * 7 + (unsigned char)name.at[name.len - 1] * 13 +
                    (unsigned char)name.at[name.len / 2] * 3;
    struct name_cache *slot = &s->names[hash % NAME_CACHE];
    if (slot->key && slice_is(name, slot->name, slot->len))
        return Py_NewRef(slot->key);
    PyObject *key = lower_bytes(name);
    if (key) {
        slot->len = (uint32_t)name.len;
        memcpy(slot->name, name.at, name.len);
        Py_XSETREF(slot->key, Py_NewRef(key));
    }
    return key;
}

static PyObject *header_pair(struct asgi_state *s, struct slice name, struct slice value)
{
    PyObject *pair = PyTuple_New(2), *a = header_name(s, name), *b = bytes_of(value);
    if (pair && a && b) {
        PyTuple_SET_ITEM(pair, 0, a);
        PyTuple_SET_ITEM(pair, 1, b);
        return pair;
    }
    Py_XDECREF(pair);
    Py_XDECREF(a);
    Py_XDECREF(b);
    return NULL;
}

static PyObject *scope_headers(struct asgi_state *s, const struct request *r)
{
    const struct table *t = r->headers_in_built ? &r->headers_in : NULL;
    uint32_t count = t ? t->count : r->head.nfields;
    PyObject *list = PyList_New(count);
    for (uint32_t i = 0; list && i < count; i++) {
        struct slice name, value;
        if (t) {
            name = slice_of(t->entries[i].key, t->entries[i].key_len);
            value = slice_of(t->entries[i].value, t->entries[i].value_len);
        } else {
            name = slice_of(r->bytes + r->fields[i].name_at, r->fields[i].name_len);
            value = slice_of(r->bytes + r->fields[i].value_at, r->fields[i].value_len);
        }
        PyObject *pair = header_pair(s, name, value);
        if (pair)
            PyList_SET_ITEM(list, i, pair);
        else
            Py_CLEAR(list);
    }
    return list;
}

/* ASGI: root_path is the mount; path is the whole path with it. */
static PyObject *root_path(const struct request *r)
{
    const char *mount = r->conf->wsgi_mount ? r->conf->wsgi_mount : r->conf->location ? r->conf->location : "";
    size_t len = strlen(mount);
    while (len && mount[len - 1] == '/')
        len--;
    return wsgi_text(strncmp(r->uri, mount, len) == 0 ? slice_of(mount, len) : SLICE(""));
}

static PyObject *make_template(struct asgi_state *s, struct request *r, struct slice host, int port)
{
    char address[64];
    origin_client_text(r, address);
    PyObject *t = PyDict_New();
    Py_XSETREF(s->client_address, wsgi_text(slice_text(address)));
    if (!t || !s->client_address || put(s, t, ASGI_TYPE, Py_NewRef(s->keys[ASGI_HTTP])) < 0 ||
        put(s, t, ASGI_ASGI, Py_BuildValue("{s:s,s:s}", "version", "3.0", "spec_version", "2.4")) < 0 ||
        put(s, t, ASGI_HTTP_VERSION, PyUnicode_InternFromString("1.1")) < 0 || put(s, t, ASGI_METHOD, Py_NewRef(s->methods[METHOD_GET])) < 0 ||
        put(s, t, ASGI_SCHEME, wsgi_text(slice_text(origin_scheme(r)))) < 0 || put(s, t, ASGI_QUERY_STRING, bytes_of(SLICE(""))) < 0 ||
        put(s, t, ASGI_ROOT_PATH, root_path(r)) < 0 ||
        put(s, t, ASGI_EXTENSIONS, asgi_extensions(s)) < 0 || put(s, t, ASGI_SERVER, Py_BuildValue("(si)", origin_host(r), port)) < 0)
        Py_CLEAR(t);
    bool kept = text_cache_keep(&s->host, host) && text_cache_keep(&s->peer, wsgi_peer(r));
    s->template_conf = kept && !r->secure ? r->conf : NULL;
    s->port = port;
    return t;
}

static PyObject *copy_template(struct asgi_state *s, struct request *r)
{
    struct slice host = slice_text(r->hostname);
    int port = origin_port(r);
    if (!s->template || s->template_conf != r->conf || s->port != port || r->secure || !text_cache_is(&s->host, host) ||
        !text_cache_is(&s->peer, wsgi_peer(r)))
        Py_XSETREF(s->template, make_template(s, r, host.at ? host : SLICE(""), port));
    return s->template ? PyDict_Copy(s->template) : NULL;
}

static int put_method(struct asgi_state *s, PyObject *scope, const struct request *r)
{
    if (!r->head.minor && put(s, scope, ASGI_HTTP_VERSION, Py_NewRef(s->http10)) < 0)
        return -1;
    if (r->header_only)
        return put(s, scope, ASGI_METHOD, Py_NewRef(s->head));
    if (r->method_number == METHOD_GET)
        return 0;
    return put(s, scope, ASGI_METHOD,
               r->method_number < METHOD_TEXTS ? Py_NewRef(s->methods[r->method_number]) : wsgi_text(slice_text(r->method)));
}

/* None: one that came by a unix socket has no address. */
static PyObject *client_of(const struct asgi_state *s, const struct request *r)
{
    if (!PyUnicode_GET_LENGTH(s->client_address))
        return Py_NewRef(Py_None);
    return Py_BuildValue("(Oi)", s->client_address, (int)r->peer.port);
}

PyObject *asgi_scope(struct asgi_state *s, struct request *r)
{
    PyObject *scope = copy_template(s, r);
    if (!scope)
        return NULL;
    if (put_method(s, scope, r) < 0 || put(s, scope, ASGI_PATH, PyUnicode_DecodeUTF8(r->uri, (Py_ssize_t)strlen(r->uri), "replace")) < 0 ||
        put(s, scope, ASGI_RAW_PATH, bytes_of(request_span(r, r->head.path))) < 0 ||
        (r->args && put(s, scope, ASGI_QUERY_STRING, bytes_of(slice_text(r->args))) < 0) ||
        put(s, scope, ASGI_HEADERS, scope_headers(s, r)) < 0 ||
        put(s, scope, ASGI_CLIENT, client_of(s, r)) < 0)
        Py_CLEAR(scope);
    return scope;
}
