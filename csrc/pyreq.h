/* mp_request inside: what the files of the Python room share. */
#ifndef PYHOST_PYREQ_H
#define PYHOST_PYREQ_H

#include "pyrequest.h"
#include "pyroom.h"

/* A handler that req.add_handler has added for one phase; with the request. */
struct pyadded {
    struct pyadded *next;
    struct hook_conf hook; /* text owned by the request's arena */
    enum phase phase;
};

/* A cleanup: called callable(data) after the response, the newest first. */
struct pycleanup {
    struct pycleanup *next;
    PyObject *callable, *data; /* strong */
};

/* Walking the handlers of one phase: the configured list, then what add_handler has added. */
struct pyhook_walk {
    struct request *r;
    enum phase phase;
    const struct hook_list *list; /* NULL: none configured */
    int index;                    /* of the next one in list */
    const struct pyadded *added;  /* the last one taken from the added ones */
};

enum { REQUEST_VIEWS = 6 /* headers_in, headers_out, err_headers_out, subprocess_env, notes, trailers_in */ };

struct pyrequest {
    PyObject_HEAD
    PyObject *dict;              /* strong: user attributes; NULL until one is set */
    struct request *r;           /* counted reference */
    struct interp *interp;       /* whose object this is */
    struct pyrequest *sibling;   /* the objects of the same request in other interpreters */
    PyObject *weak;
    PyObject *views[REQUEST_VIEWS]; /* strong: tables that have been asked for */
    PyObject *connection;        /* strong or NULL */
    PyObject *options, *config;  /* strong or NULL: tables made by get_options, get_config */
    PyObject *phase;             /* borrowed from the state; NULL outside a phase */
    const struct hook_conf *hook;/* borrowed: the handler that runs; NULL outside */
    struct pyhook_walk walk;     /* of the phase that runs */
    struct pyadded *added;       /* in the arena of r */
    struct pycleanup *cleanups;  /* owned */
    struct buf line;             /* body bytes read ahead by readline */
    uint32_t line_at;            /* of them already given away */
    bool held;                   /* a strong reference belongs to the request's life: dropped by pyrequest_let_go */
    bool over;                   /* all phases are over: methods raise */
    bool filename_set;           /* Python has set filename: it is not split by a getter */
    bool used_path_info_set;
    int proxyreq, used_path_info;
    PyObject *xmethods;          /* strong or NULL: extension methods of allow_methods */
};

static inline struct pyrequest *pyreq(PyObject *object) { return (struct pyrequest *)object; }

/* Context of all: the GIL held in the object's interpreter. */
/* The object of this interpreter, held until pyrequest_let_go; borrowed. NULL with an exception. */
struct pyrequest *pyrequest_hold(struct request *r);
/* The object of this interpreter if there is one; borrowed, no exception. */
struct pyrequest *pyrequest_existing(const struct request *r);
/* Ends the object's life as a request in this interpreter: methods raise from now on, what the request held is dropped. */
void pyrequest_let_go(struct request *r);
/* 0, or -1 with RuntimeError when the request is over. */
int pyrequest_check_live(struct pyrequest *self);

/* Parks until the slot of the request is woken; a thread of the application waits, and may come back earlier. 0, or -1 with an exception. SWITCHES. */
int pyrequest_wait(struct waker **slot);
/* Lets a slow client catch up. As above. */
int pyrequest_drain(struct request *r);
/* Bytes of the body as read() and readline() give them; limit -1: all, or the whole line. NULL with an exception. They SWITCH. */
PyObject *pyrequest_body_read(struct pyrequest *self, Py_ssize_t limit);
PyObject *pyrequest_body_readline(struct pyrequest *self, Py_ssize_t limit);
/* What has come, at least a byte, waiting for it; b"" at the end. As above. */
PyObject *pyrequest_body_some(struct pyrequest *self);
/* Sets the exception for a body that never comes (errno of request_body_read; ECANCELED: one is set). Returns -1. */
int pyrequest_body_failed(int error);

/* The setter of content_type. 0, or -1 with an exception. */
int pyrequest_set_content_type(PyObject *object, PyObject *value);
extern PyGetSetDef pyrequest_getset[];
extern PyMethodDef pyrequest_methods[];
/* Methods by file; gathered in pyrequest_methods. */
#define PYREQUEST_METHOD(name) PyObject *pyrequest_##name(PyObject *, PyObject *const *, Py_ssize_t)
PYREQUEST_METHOD(write);
PYREQUEST_METHOD(flush);
PYREQUEST_METHOD(read);
PYREQUEST_METHOD(readline);
PYREQUEST_METHOD(readlines);
PYREQUEST_METHOD(discard_request_body);
PYREQUEST_METHOD(sendfile);
PyObject *pyrequest_get_basic_auth_pw(PyObject *, PyObject *);
PyObject *pyrequest_auth_type(PyObject *, PyObject *);
PyObject *pyrequest_auth_name(PyObject *, PyObject *);
PyObject *pyrequest_allow_methods(PyObject *, PyObject *);
PyObject *pyrequest_get_remote_host(PyObject *, PyObject *);
PyObject *pyrequest_is_https(PyObject *, PyObject *);
PyObject *pyrequest_ssl_var_lookup(PyObject *, PyObject *);
PyObject *pyrequest_meets_conditions(PyObject *, PyObject *);
PyObject *pyrequest_set_etag(PyObject *, PyObject *);
PyObject *pyrequest_set_last_modified(PyObject *, PyObject *);
PyObject *pyrequest_update_mtime(PyObject *, PyObject *);
PyObject *pyrequest_add_input_filter(PyObject *, PyObject *);
PyObject *pyrequest_add_output_filter(PyObject *, PyObject *);
PyObject *pyrequest_register_input_filter(PyObject *, PyObject *);
PyObject *pyrequest_register_output_filter(PyObject *, PyObject *);
/* Absolute, without dots, with a trailing slash; in the arena. NULL with an exception, or for None without one. */
const char *pyrequest_directory(struct request *r, PyObject *directory);
PyObject *pyrequest_build_wsgi_env(PyObject *, PyObject *);
PyObject *pyrequest_wsgi_start_response(PyObject *, PyObject *);

#endif
