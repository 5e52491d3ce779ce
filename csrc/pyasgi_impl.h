/* What the files of room asgi share. */
#ifndef PYHOST_PYASGI_IMPL_H
#define PYHOST_PYASGI_IMPL_H

#include <Python.h>

#include "coro.h"
#include "pywsgi_impl.h"
#include "request.h"
#include "timer.h"

enum { ASGI_BODY_BYTES = 65536 };

enum asgi_key { /* interned; texts in pyasgi.c */
    ASGI_TYPE, ASGI_STATUS, ASGI_HEADERS, ASGI_BODY, ASGI_MORE_BODY, ASGI_REQUEST, ASGI_DISCONNECT, ASGI_START, ASGI_RESPONSE_BODY, ASGI_HTTP,
    ASGI_ASGI, ASGI_HTTP_VERSION, ASGI_METHOD, ASGI_SCHEME, ASGI_PATH, ASGI_RAW_PATH, ASGI_QUERY_STRING, ASGI_ROOT_PATH, ASGI_CLIENT, ASGI_SERVER,
    ASGI_STATE, ASGI_TARGET, ASGI_WAIT, ASGI_DONE, ASGI_RESULT, ASGI_SET_RESULT, ASGI_SET_EXCEPTION, ASGI_ADD_DONE_CALLBACK, ASGI_GET,
    ASGI_CONTEXT, ASGI_RUN, ASGI_EXTENSIONS, ASGI_PATHSEND, ASGI_EARLY_HINT, ASGI_LINKS, ASGI_KEYS
};

/* A request as its application sees it: what receive and send belong to. */
struct cycle {
    PyObject_HEAD
    struct request *request; /* strong */
    struct waker body_waker, drain_waker, gone_waker;
    struct cycle *next_marked; /* borrowed: who goes away takes itself out */
    struct cycle *next_pending;/* strong, with app: in the queue of what is to be started */
    PyObject *app, *app_state; /* strong; app_state may be NULL */
    PyObject *receiver, *sender; /* strong: futures that wait; NULL: none */
    PyObject *task;          /* strong: until it is done; asyncio keeps none */
    PyObject *rest;          /* strong: bytes that sender still has to write */
    Py_ssize_t rest_at;
    PyObject *session;       /* strong: of a request for a WebSocket, while its application runs (pyasgi_ws.c) */
    struct websocket *ws;    /* counted reference: once it has been accepted */
    struct asgi_state *state;
    struct timer deadline;   /* PyRequestTimeout */
    PyObject *ticket;        /* strong: what its context tells of it (pyasgi_limit.c); NULL: not launched, or over */
    bool marked, started, more_body, complete, received_all;
    bool unsent;             /* send() has raised because the client has gone, of which the loop has not heard yet */
    int body_error;          /* errno, when receive() has said http.disconnect in place of the rest of the body; else 0 */
    bool due /* the deadline has come */, expired /* it was ended for that */, gone /* the client */, cancelled /* for that */;
};

struct asgi_state { /* of one interpreter */
    struct interp *interp;
    PyTypeObject *cycle_type, *done_type, *later_type, *ticket_type;
    PyObject *request_var; /* strong: ContextVar of the ticket */
    struct cycle *step;    /* strong: whose step the loop runs, when that is bounded; NULL: none */
    int64_t step_since_ns;
    bool step_reported;
    struct timer step_watch;
    PyObject *done_none;   /* an awaitable that gives None at once */
    PyObject *keys[ASGI_KEYS];
    PyObject *make_future, *make_task; /* of the loop, once it runs: create_future, and what starts a coroutine as a task */
    struct cycle *marked;
    struct cycle *pending_first, *pending_last;
    struct coro *loop;     /* strong: the greenlet of the asyncio loop, once it runs */
    struct leave_job *leave; /* owned: the shutdown at the process's end */
    /* The scope's template, and for what it was made. */
    PyObject *template;
    const struct dir_conf *template_conf;
    struct text_cache host, peer;
    int port;
    PyObject *client_address, *methods[METHOD_TEXTS], *head, *http10;
    struct name_cache names[NAME_CACHE];
};

/* Context of all: a greenlet or the hub, GIL held, the interpreter of the state current. */
extern PyType_Spec asgi_cycle_spec, asgi_done_spec, asgi_later_spec;
PyObject *asgi_done_new(struct asgi_state *s, PyObject *value); /* takes value; an awaitable that gives it at once */
PyObject *asgi_cycle_new(struct asgi_state *s, struct request *r);
PyObject *asgi_scope(struct asgi_state *s, struct request *r);
/* Something has happened to it: it will be collected. Context: loop thread; GIL not needed. */
void asgi_cycle_mark(struct cycle *c);
/* What happened to a marked cycle goes to the futures that wait for it. 0, or -1 with an exception. */
int asgi_cycle_collect(struct cycle *c);
/* Calls its application and starts what it returns. Never fails: errors become the answer. */
void asgi_cycle_launch(struct cycle *c);
/* The exception that is set, or none: the application has ended. */
void asgi_cycle_over(struct cycle *c);
/* The response is whole, or status is to be it: whatever the application does from here on, its request is over. */
void asgi_cycle_finish(struct cycle *c, int status);

/* pyasgi_future.c. A place holds the futures that somebody awaits (strong), or NULL. */
int asgi_future_is_done(struct asgi_state *s, PyObject *futures); /* 1: whoever waited has been cancelled; -1: exception */
PyObject *asgi_future_wait(struct asgi_state *s, PyObject **at); /* an awaitable that waits at this place; NULL with an exception */
int asgi_future_resolve(struct asgi_state *s, PyObject **at, PyObject *value); /* 0, or -1 with an exception; the place is empty afterwards */
int asgi_future_refuse(struct asgi_state *s, PyObject **at); /* the same with the exception that is set, which is taken */

/* Methods of the cycle: pyasgi_receive.c, pyasgi_send.c. The awaitables are done already where nothing has to be waited for. */
PyObject *asgi_receive(struct cycle *c, PyObject *none);
PyObject *asgi_send(struct cycle *c, PyObject *message);
/* Something has happened for which receiver or sender, which are not NULL, may have waited. 0, or -1 with an exception. */
int asgi_receive_collect(struct cycle *c);
int asgi_send_collect(struct cycle *c);

/* Extensions: pyasgi_extension.c. 0, or -1 with an exception. */
PyObject *asgi_extensions(struct asgi_state *s); /* what the scope says of them: a dict, or NULL with an exception */
int asgi_send_path(struct cycle *c, PyObject *message); /* http.response.pathsend: the rest of the body is a file */
int asgi_send_hint(struct cycle *c, PyObject *message); /* http.response.early_hint */
PyObject *asgi_field(PyObject *message, PyObject *key); /* borrowed; NULL: it is not there */

/* Puts an iterable of pairs of bytes into headers_out. 0, or -1 with an exception. */
int asgi_set_headers(struct request *r, PyObject *headers);

#endif
