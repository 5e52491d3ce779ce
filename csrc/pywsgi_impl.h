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
    KEY_GATEWAY_INTERFACE, KEY_EARLY_HINTS, KEY_CLIENT_GONE, WSGI_KEYS
};
enum { METHOD_TEXTS = 8, NAME_CACHE = 128, PORT_CACHE = 256, KEPT_HEADERS = 16, KEPT_CALLS = 256 /* environs, and start_responses, that wait for another request */ };

struct name_cache { uint32_t len; char name[60]; PyObject *key; }; /* header name as sent -> "HTTP_…"; strong */

struct text_cache { uint32_t len; char bytes[64]; };
bool text_cache_keep(struct text_cache *c, struct slice bytes); /* false: too long to be kept */
static inline bool text_cache_is(const struct text_cache *c, struct slice bytes)
{
    return c->len == bytes.len && memcmp(c->bytes, bytes.at, c->len) == 0;
}
struct slice wsgi_peer(const struct request *r); /* what stands for the client's address: as bytes of the connection, or text of a trusted proxy */

/* An environ and what lies in it. One that its application has neither changed nor kept serves again: only what is different is put into it. All but
 * environ is borrowed from it. */
enum kept_text { KEPT_METHOD, KEPT_SCRIPT_NAME, KEPT_PATH_INFO, KEPT_QUERY_STRING, KEPT_REQUEST_URI, KEPT_REMOTE_PORT, KEPT_TEXTS };
struct kept_environ {
    struct kept_environ *next; /* of those that wait */
    PyObject *environ;      /* strong */
    uint64_t template;      /* of which it was a copy */
    PyObject *gone;
    PyObject *texts[KEPT_TEXTS];
    struct { PyObject *key, *value; } headers[KEPT_HEADERS];
    uint8_t header_count;
    bool plain;             /* nothing else lies in it */
    uint64_t mark;          /* see pystate_dict_mark */
};

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
    uint64_t template_number; /* counts them */
    PyObject *template;     /* dict: all that is the same for every request of this client address */
    struct kept_environ *kept; /* the newest first; of this template */
    struct start *starts;   /* those that nobody has kept, the newest first */
    unsigned kept_count, start_count;
    int watcher;            /* see pystate_dict_watcher */
    struct { unsigned port; PyObject *text; } ports[PORT_CACHE];
    struct name_cache names[NAME_CACHE];
};

/* start_response, and the write() it returns. */
struct start {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    struct request *request; /* strong; NULL while nobody has it */
    struct start *next;      /* of those */
    bool called;
};

/* Context of all: a worker greenlet or the hub, GIL held, the interpreter of the state current. */
struct wsgi_state *wsgi_state(void); /* made on first use; NULL with an exception */
/* An environ for the request, or NULL with an exception; wsgi_environ_done (NULL is harmless) when the application is done with it. */
struct kept_environ *wsgi_environ(struct wsgi_state *s, struct request *r);
void wsgi_environ_done(struct wsgi_state *s, struct kept_environ *e);
PyObject *wsgi_input_new(struct wsgi_state *s, struct request *r);
PyObject *wsgi_start_new(struct wsgi_state *s, struct request *r);
void wsgi_start_done(struct wsgi_state *s, PyObject *start); /* takes the reference */
PyObject *wsgi_hints_new(struct wsgi_state *s);
PyObject *wsgi_gone_new(struct wsgi_state *s, struct request *r); /* pyhost.client_gone */
/* One that nobody but an environ has goes on to another request; r NULL: to none for now. */
void wsgi_gone_use(PyObject *gone, struct request *r);
/* Writes all of it, waiting while the client is slow. SWITCHES. 0, or -1 with an exception (OSError: the client is gone). */
int wsgi_write(struct request *r, const char *data, size_t n);
extern PyType_Spec wsgi_input_spec, wsgi_start_spec, wsgi_wrapper_spec, wsgi_hints_spec, wsgi_gone_spec;
/* A FileWrapper's file when it can be sent by the kernel: descriptor, or -1. *offset: where it stands. */
int wsgi_wrapper_fd(struct wsgi_state *s, PyObject *wrapper, int64_t *offset);
PyObject *wsgi_text(struct slice s); /* latin-1 */

#endif
