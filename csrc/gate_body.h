/* The bodies of gate_stream.h's requests, and the deadlines that hold for what a client sends. Only the stream's own files include it. */
#ifndef PYHOST_GATE_BODY_H
#define PYHOST_GATE_BODY_H

#include "gate_stream.h"
#include "listener.h"

static inline const struct server_conf *stream_server(const struct conn *c)
{
    return c->req && c->req->server ? c->req->server : c->listener->default_server;
}

/* Context of all: the loop thread. */
/* Makes the decoder for a body that is not empty. False: no memory, the connection is closed. */
bool stream_body_prepare(struct conn *c, struct request *r);
/* No more of it will come: whoever waits for it is woken. */
void stream_body_ended(struct request *r, enum body_state state);
void stream_body_deadline(struct conn *c);
/* RequestReadTimeout: so much time at first, more as bytes come in, never more than the maximum. */
void stream_rate_deadline(struct conn *c, const struct rate_conf *rate, int64_t start_ns, uint64_t bytes);
/* gate_http.c's: the response has been handed over; what is left is the rest of the body (a little is read away) and of the output. */
void stream_go_on(struct conn *c);

#endif
