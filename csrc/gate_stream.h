/* One request after the other on a connection: what HTTP, SCGI and uwsgi have in common. Their heads differ; bodies, answers, deadlines and ends
 * are the same. */
#ifndef PYHOST_GATE_STREAM_H
#define PYHOST_GATE_STREAM_H

#include "gate.h"

/* Context of all: the loop thread. */
bool stream_begin(struct conn *c);                                           /* a new request; state CONN_HEAD. False: closed */
/* The head in bytes has been accepted by http_head_parse (state CONN_BUSY): prepares the body and serves. */
void stream_head_done(struct conn *c, const char *bytes, size_t used);
size_t stream_body_input(struct conn *c, const char *bytes, size_t len);     /* input while CONN_BUSY or CONN_FLUSHING */
/* The rest of struct gate and struct gate_out. */
void stream_opened(struct conn *c);
void stream_eof(struct conn *c, bool broken);
void stream_timeout(struct conn *c);
void stream_drained(struct conn *c);
void stream_drain(struct conn *c);
void stream_close(struct conn *c);
long stream_send_now(struct request *r, struct slice body);
int stream_send(struct request *r, struct slice head, struct slice body, bool last);
int stream_send_file(struct request *r, struct slice head, int file_fd, int64_t offset, int64_t len, bool last);
void stream_ended(struct request *r);
void stream_moved(struct request *from, struct request *to);
void stream_body_wanted(struct request *r);

#endif
