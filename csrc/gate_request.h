/* Requests as the gates make them. */
#ifndef PYHOST_GATE_REQUEST_H
#define PYHOST_GATE_REQUEST_H

#include "conn.h"
#include "request.h"

struct gate_fault { int status; const char *why, *directive; }; /* status 0: none */

/* Context of all: the loop thread. */
/* A request of this connection with its limits, addresses and times; refs 1. NULL with ENOMEM. */
struct request *gate_request_new(struct conn *c);
/* log_begins_connection, whose answer is for ErrorLogFormat's lines of a connection. */
bool gate_request_begins_connection(const struct request *r);
/* Fills method, target, host, server and path from a head that http_head_parse has accepted (used bytes of bytes, copied). */
struct gate_fault gate_request_fill(struct conn *c, struct request *r, const char *bytes, size_t used);
/* For a head that was refused: what the log may say of it, its request line as far as it was understood, or what may be one. */
void gate_request_keep_line(struct request *r, const char *bytes, size_t len);
/* Its answer is out: it is handed to serve_done, and the connection is free for the next one. at_once: this was the connection's last one, and closing
 * loses nothing. False: the connection is gone. */
bool gate_request_over(struct conn *c, struct request *r, bool at_once);
/* The client of a request that is being handled is gone, or has given it up: whoever waits for it finds out. */
void gate_request_gone(struct request *r);
/* Has its client gone, so that on_gone is woken no more? For who begins to wait for that while it is handled. */
bool gate_request_is_gone(const struct request *r);

#endif
