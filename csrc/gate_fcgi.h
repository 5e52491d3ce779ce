/* What the two files of the FastCGI gate share. Section numbers are those of the FastCGI 1.0 specification. */
#ifndef PYHOST_GATE_FCGI_H
#define PYHOST_GATE_FCGI_H

#include "fcgi_record.h"
#include "gate.h"
#include "listener.h"

enum fcgi_stage {
    STAGE_PARAMS,
    STAGE_STDIN, /* no CONTENT_LENGTH: whether there is a body is seen by the first FCGI_STDIN; nginx streams chunked uploads so */
    STAGE_BUSY   /* known to more than the gate, from here on */
};

struct fcgi_request { /* in the request's arena */
    struct fcgi_request *next;
    struct request *request; /* strong until its answer is out */
    struct buf params;       /* owned */
    uint64_t length;         /* CONTENT_LENGTH; UINT64_MAX: until FCGI_STDIN ends */
    uint16_t id;
    uint8_t stage;
    bool keep_conn;
    bool stdin_over;         /* the end of its FCGI_STDIN has come */
    bool ended;              /* END_REQUEST has been sent */
};

struct fcgi { struct fcgi_request *requests; int count; bool closing; };

static inline struct fcgi *fcgi_of(const struct conn *c) { return c->gate_state; }
static inline struct fcgi_request *fcgi_part(const struct request *r) { return r->gate; }

/* Context of all: the loop thread. */
/* The request is the connection's no more. */
void fcgi_forget(struct conn *c, struct fcgi_request *gone);
void fcgi_set_deadline(struct conn *c);
void fcgi_close_when_done(struct conn *c);
/* 0, or -1: the connection is gone. */
int fcgi_send_record(struct conn *c, enum fcgi_type type, uint16_t id, struct slice content);
int fcgi_send_end(struct conn *c, uint16_t id, enum fcgi_status status);

extern const struct gate_out gate_fcgi_out;

#endif
