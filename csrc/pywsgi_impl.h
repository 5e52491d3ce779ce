/* What the files of room wsgi share. */
#ifndef PYHOST_PYWSGI_IMPL_H
#define PYHOST_PYWSGI_IMPL_H

#include <Python.h>

#include "interp.h"
#include "request.h"

enum wsgi_key { /* interned environ keys; texts in pywsgi_environ.c */
    KEY_REQUEST_METHOD, KEY_SCRIPT_NAME, KEY_PATH_INFO, KEY_QUERY_STRING, KEY_SERVER_PROTOCOL, KEY_SERVER_NAME, KEY_SERVER_PORT, KEY_REMOTE_ADDR,
    KEY_REMOTE_PORT, KEY_CONTENT_TYPE, KEY_CONTENT_LENGTH, KEY_REMOTE_USER, KEY_AUTH_TYPE, KEY_REQUEST_URI, KEY_HTTPS, KEY_URL_SCHEME,
    KEY_INPUT, KEY_ERRORS, KEY_VERSION, KEY_MULTITHREAD, KEY_MULTIPROCESS, KEY_RUN_ONCE, KEY_FILE_WRAPPER, KEY_INPUT_TERMINATED, KEY_SERVER_SOFTWARE,
    KEY_GATEWAY_INTERFACE, KEY_EARLY_HINTS, KEY_CLIENT_GONE, KEY_REQUEST, WSGI_KEYS
};
enum { METHOD_TEXTS = 8, NAME_CACHE = 128 };

struct name_cache { uint32_t len; char name[60]; PyObject *key; }; /* header name as sent -> "HTTP_…"; strong */

struct text_cache { uint32_t len; char bytes[64]; };
bool text_cache_keep(struct text_cache *c, struct slice bytes); /* false: too long to be kept */
static inline bool text_cache_is(const struct text_cache *c, struct slice bytes)
{
    return c->len == bytes.len && memcmp(c->bytes, bytes.at, c->len) == 0;
}
struct slice wsgi_peer(const struct request *r); /* what stands for the client's address: as bytes of the connection, or text of a trusted proxy */

/* Of one interpreter; all references strong. */
struct wsgi_state {
    PyTypeObject *input_type, *start_type, *wrapper_type, *hints_type, *gone_type;
    PyObject *keys[WSGI_KEYS];
    PyObject *methods[METHOD_TEXTS], *head, *http11, *http10, *http, *https, *empty, *no_input;
    PyObject *close;        /* "close" */
    PyObject *fileno, *tell, *write, *hints;
    const struct dir_conf *template_conf; /* for which the template was made, with these: */
    struct text_cache peer, host;
    int port;
    PyObject *template;     /* dict: all that is the same for every request of this client address */
    struct name_cache names[NAME_CACHE];
};

/* start_response, and the write() it returns. */
struct start {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    struct request *request; /* strong */
    struct wsgi_state *state; /* borrowed: lives as long as the interpreter */
    bool called;
};

/* Context of all: a worker greenlet or the hub, GIL held, the interpreter of the state current. */
struct wsgi_state *wsgi_state(void); /* made on first use; NULL with an exception */
PyObject *wsgi_environ(struct wsgi_state *s, struct request *r);
PyObject *wsgi_input_new(struct wsgi_state *s, struct request *r);
PyObject *wsgi_start_new(struct wsgi_state *s, struct request *r);
PyObject *wsgi_hints_new(struct wsgi_state *s);
PyObject *wsgi_gone_new(struct wsgi_state *s, struct request *r); /* pyhost.client_gone */
/* Writes all of it, waiting while the client is slow. SWITCHES. 0, or -1 with an exception (OSError: the client is gone). */
int wsgi_write(struct request *r, const char *data, size_t n);
extern PyType_Spec wsgi_input_spec, wsgi_start_spec, wsgi_wrapper_spec, wsgi_hints_spec, wsgi_gone_spec;
/* A FileWrapper's file when it can be sent by the kernel: descriptor, or -1. *offset: where it stands. */
int wsgi_wrapper_fd(struct wsgi_state *s, PyObject *wrapper, int64_t *offset);
/* Applications' words to the log: the exception that is set, with its traceback; clears it. */
void wsgi_log_exception(struct request *r, const char *where);
PyObject *wsgi_text(struct slice s); /* latin-1 */

#endif
