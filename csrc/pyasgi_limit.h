/* Bounds of ASGI requests: the deadline, the client that goes away, the step that holds up the loop. */
#ifndef PYHOST_PYASGI_LIMIT_H
#define PYHOST_PYASGI_LIMIT_H

#include "pyasgi_impl.h"

extern PyType_Spec asgi_ticket_spec;

/* Context of all: a greenlet, GIL held, the interpreter of the state current. */
void asgi_limit_init(struct asgi_state *s);
/* Arms the deadline of a new cycle. 0, or -1 with an exception. */
int asgi_limit_begin(struct cycle *c);
/* The deadline is over (a WebSocket is open); everything is. */
void asgi_limit_end_deadline(struct cycle *c);
void asgi_limit_end(struct cycle *c);
/* Tasks that the loop makes from now on, until the next cycle's turn, belong to this one. 0, or -1 with an exception. */
int asgi_limit_set_context(struct cycle *c);
/* The cycle of an asyncio context: borrowed, NULL: of none, or it is over (an exception may be set). */
struct cycle *asgi_limit_cycle(const struct asgi_state *s, PyObject *context);
/* A step of this cycle (NULL: of none) begins in the loop's greenlet, and ends. */
void asgi_limit_enter(struct asgi_state *s, struct cycle *c);
void asgi_limit_leave(struct asgi_state *s);
/* Runs an asyncio.Handle as a step of whose context it has. A new reference, or NULL with an exception. */
PyObject *asgi_run_handle(struct asgi_state *s, PyObject *handle);
/* The cycle was marked: is its time over, has its client gone? 0, or -1 with an exception. */
int asgi_limit_collect(struct cycle *c);
/* Of the exception with which the task has ended: when it is our cancellation it is cleared, and this is the status of the request; else 0. */
int asgi_limit_status(struct cycle *c);
/* 0, or -1 with the exception for those who send when the deadline has passed. */
int asgi_limit_raise(const struct cycle *c);

#endif
