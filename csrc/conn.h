/* A client connection: descriptor, deadline, unread bytes, output queue. It reads into a buffer that all connections share, gives the
 * bytes to its gate (the protocol), and keeps what the gate did not use. It knows no configuration and no Python. */
#ifndef PYHOST_CONN_H
#define PYHOST_CONN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "buf.h"
#include "conf.h"
#include "loop.h"
#include "outq.h"
#include "peer.h"

struct conn;
struct request;
struct listener;

enum conn_state {
    CONN_IDLE,     /* between requests: nothing of the next one has come */
    CONN_HEAD,     /* part of a head has come */
    CONN_BUSY,     /* a request is being handled */
    CONN_FLUSHING, /* answered; the last bytes are in the queue */
    CONN_LINGERING,/* our side is shut; reading the rest away so that the client sees the answer */
    CONN_CLOSED
};

/* A protocol. One static table each: gate_http, gate_fcgi, gate_scgi, gate_uwsgi. */
struct gate {
    const char *name;
    bool talks_at_once; /* who connects has a request: it is looked for before epoll is asked */
    /* The connection has been accepted: set the first deadline. */
    void (*opened)(struct conn *c);
    /* New bytes, everything not used so far. Returns how many were used. It may call conn_close or conn_linger. Not called while
     * conn->paused. */
    size_t (*input)(struct conn *c, const char *bytes, size_t len);
    /* The client has sent its last byte (EOF), or the connection broke (broken true). */
    void (*eof)(struct conn *c, bool broken);
    /* The deadline passed: the gate answers 408, or closes in silence. */
    void (*timeout)(struct conn *c);
    /* The output queue is empty again, or fell below the low-water mark. */
    void (*drained)(struct conn *c);
    /* Server is draining: finish what runs, close what idles. */
    void (*drain)(struct conn *c);
    /* Frees c->gate_state; every request of it has been told. */
    void (*close)(struct conn *c);
    /* Response side: see gate.h. */
    const struct gate_out *out;
};

struct conn {
    struct source source;
    struct timer timer;
    int64_t deadline_ns;        /* what the timer means; 0: none. The timer may fire earlier and is then armed again */
    const struct gate *gate;
    struct listener *listener;  /* borrowed */
    struct request *req;        /* strong: the request that is read or answered; NULL while idle */
    void *gate_state;
    struct conn *prev, *next;   /* all of the worker's */
    struct buf in;              /* owned: bytes received and not used */
    struct outq out;
    uint64_t id;
    struct peer peer, local;    /* theirs, ours */
    union {
        uint32_t requests;      /* answered so far */
        uint32_t lingered;      /* CONN_LINGERING: bytes read away */
    };
    uint8_t state;              /* enum conn_state */
    /* bits, for an idle connection is this struct and a slot among the timers: 240 bytes */
    bool paused : 1;            /* the gate wants no input now; readable is remembered */
    bool readable : 1;          /* edge seen, EAGAIN not reached */
    bool eof : 1;
    bool in_input : 1;          /* the gate's input is on the stack */
    bool unwatched : 1;         /* not in epoll yet: it may be over before the turn is */
    bool declined : 1;          /* its connection handler does not want it: it is HTTP */
    bool proxy_header_due : 1;  /* PROXY protocol header must come first */
    bool out_waiting : 1;       /* the queue is not empty: EPOLLOUT matters */
    bool later_queued : 1;
    bool out_broken : 1;        /* the socket took no more bytes: the gate is told at the end of the turn */
    bool out_more : 1;          /* the queue goes on at the end of the turn */
    bool out_soon : 1;          /* an answer lies in conn_soon.c; out_waiting is set */
    bool errors_told : 1;       /* ErrorLogFormat's lines for it have been written */
    struct deferred later;      /* end of turn: freed when closed, else input goes on */
};

/* Context of all: the loop thread. */
struct conn *conn_new(struct listener *listener, int fd, const struct peer *peer); /* takes fd; NULL with errno */
/* Reads what has come with the connection; called once, when its gate has opened it. */
void conn_start(struct conn *c);
/* No later than this; 0: no deadline. Cheap to call per request. */
void conn_set_deadline(struct conn *c, int64_t at_ns);
/* How many bytes of the output the client has taken since the last call. */
static inline uint32_t conn_taken(struct conn *c) { return outq_taken(&c->out, c->source.fd); }
void conn_pause(struct conn *c);
/* Input is wanted again: what is kept and what the socket has is given to the gate, on a later turn or at the end of this one. */
void conn_resume(struct conn *c);
/* Sends now and queues the rest. 0, or -1: the client is gone. */
int conn_send(struct conn *c, const struct slice *parts, int count);
/* As outq_send_now; where it breaks the gate is told at the end of the turn, and errno is EPIPE. */
long conn_send_now(struct conn *c, struct slice bytes);
/* As conn_send where conn_close follows before anything else: the answer and the end of the connection go out together. */
int conn_send_last(struct conn *c, const struct slice *parts, int count);
/* As conn_send for bytes that may wait for those of other connections, and for more of this one, until conn_send_due; out_waiting is set meanwhile and
 * gate->drained is called as for any output. */
int conn_send_soon(struct conn *c, const struct slice *parts, int count);
/* Sends what waits. since_ns: when the turn began. Context: the hub, each turn before the next wait. */
void conn_send_due(int64_t since_ns);
/* For who watches that no answer waits long for a slow handler: the number of what waits, 0: nothing; and what sends it, in a signal handler on the loop
 * thread. */
extern _Atomic uint32_t conn_soon_held;
void conn_soon_release(void);
/* The files' own. Reading: now, as long as the gate wants bytes; with the others of this turn, by conn_read_due. */
void conn_pump(struct conn *c);
void conn_read_soon(struct conn *c);
/* Reads what conn_read_soon has put off, and returns of how many. Context: the hub, when all events of a turn have been handed out. */
unsigned conn_read_due(void);
/* Sending: how it went, and that it has to go out because more follows on the connection, or its end. */
void conn_settle(struct conn *c, enum outq_result result);
enum outq_result conn_soon_hurry(struct conn *c);
/* Adds to what waits for c. False: it is to go out by itself, behind that. */
bool conn_soon_append(struct conn *c, const struct slice *parts, int count);
int conn_send_file(struct conn *c, int file_fd, int64_t offset, int64_t len, bool copied);
/* Closes when the queue is empty: shuts down our side and reads the client's bytes away for LIMIT_LINGER_MS. */
void conn_linger(struct conn *c);
/* Closes at once; the object is freed at the end of the turn. */
void conn_close(struct conn *c);
struct loop *conn_loop(const struct conn *c);
/* Our address of this connection. 0, or -1: not known. */
int conn_local_address(const struct conn *c, struct address_conf *out);
static inline void conn_peer_text(const struct peer *peer, char *out, size_t room) { peer_text(peer, out, room); }

#endif
