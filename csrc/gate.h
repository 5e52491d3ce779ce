/* The response side of a protocol: how a finished head and body pieces are framed for the connection. response.c decides what is sent,
 * a gate how. */
#ifndef PYHOST_GATE_H
#define PYHOST_GATE_H

#include <stdbool.h>

#include "conn.h"
#include "request.h"

struct gate_out {
    bool cgi_head;  /* "Status: 200 OK" instead of a status line; no Date, Server, Connection, framing fields */
    bool one_request;/* a connection has one, and nothing follows its body: when that has been read, closing loses nothing */
    bool has_chunks;/* chunked framing exists (HTTP/1.1 decides per request) */
    /* Frames and hands over: head (may be empty), then body bytes. last: nothing follows. 0, or -1 with errno EPIPE. */
    int (*send)(struct request *r, struct slice head, struct slice body, bool last);
    /* Where bytes of the body go out as they are: as many as the connection takes at once, as conn_send_now. NULL, or 0: use send. */
    long (*send_now)(struct request *r, struct slice body);
    /* The same for a piece of a file; takes file_fd over. */
    int (*send_file)(struct request *r, struct slice head, int file_fd, int64_t offset, int64_t len, bool last);
    /* The last piece has been handed over: the connection may go on once it is out. The request's reference is the gate's to drop. */
    void (*ended)(struct request *r);
    /* An internal redirect: to answers in from's place from now on. */
    void (*moved)(struct request *from, struct request *to);
    /* The handler has room for more of the body; called when it has taken what there was. Sends 100 Continue where due. */
    void (*body_wanted)(struct request *r);
};

extern const struct gate gate_http, gate_fcgi, gate_scgi, gate_uwsgi, gate_raw, gate_ws;

enum { GATE_NS_PER_MS = 1000000 };
/* A deadline so many milliseconds from now; 0: none. */
static inline int64_t gate_after_ms(const struct conn *c, int64_t ms) { return ms ? conn_loop(c)->now_ns + ms * GATE_NS_PER_MS : 0; }

/* The gate for an enum listen_protocol, or NULL when it is not built in. */
const struct gate *gate_for(int protocol);
/* The deadline for writing the answer of c->req has come. Has the client taken as much as PyResponseMinRate wants (gate_pace.c)? If not it is logged, as
 * module, and the connection is to be closed. Context: the loop thread. */
bool gate_waits_for_client(struct conn *c, const char *module);

#endif
