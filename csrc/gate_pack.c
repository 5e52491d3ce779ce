/* SCGI and uwsgi: one request a connection, its variables in a pack at the start, then the body; the answer as CGI prints it. */
#include <stdlib.h>

#include "gate_stream.h"
#include "gate_vars.h"
#include "limit.h"
#include "log.h"
#include "serve.h"

typedef enum pack_result pack_parse(struct pack *p, const char *bytes, size_t len, size_t max);

static struct pack pack; /* one head at a time */

static void pack_refuse(struct conn *c, struct slice head, struct gate_fault fault)
{
    struct request *r = c->req;
    gate_request_keep_line(r, head.at ? head.at : "-", head.at ? head.len : 1);
    r->body = BODY_WHOLE;
    r->close_after = true;
    conn_pause(c);
    serve_fault(r, fault.status, fault.why, fault.directive);
}

static void pack_done(struct conn *c)
{
    struct slice head;
    c->req->head.scanned = 0; /* it counted bytes of the pack, not of the head that is made of it */
    struct gate_fault fault = gate_vars_head(c->req, &pack, &head);
    c->state = CONN_BUSY;
    conn_set_deadline(c, 0);
    if (fault.status)
        pack_refuse(c, head, fault);
    else
        stream_head_done(c, head.at, head.len);
}

static size_t pack_input(struct conn *c, const char *bytes, size_t len, pack_parse *parse)
{
    if (c->state == CONN_IDLE && !stream_begin(c))
        return 0;
    if (c->state != CONN_HEAD)
        return stream_body_input(c, bytes, len);
    switch (parse(&pack, bytes, len, LIMIT_GATE_HEAD_BYTES)) {
    case PACK_MORE:
        c->req->head.scanned = (uint32_t)len; /* for the timeout: something has come */
        return 0;
    case PACK_DONE:
        pack_done(c);
        return pack.used;
    case PACK_BAD:
        log_error(NULL, LEVEL_WARN, c->gate->name, "a head was refused: %s", pack.fault);
        c->state = CONN_BUSY;
        pack_refuse(c, slice_of(NULL, 0), (struct gate_fault){400, pack.fault, NULL});
        return len;
    }
    return len;
}

static size_t scgi_input(struct conn *c, const char *bytes, size_t len) { return pack_input(c, bytes, len, scgi_head_parse); }
static size_t uwsgi_input(struct conn *c, const char *bytes, size_t len) { return pack_input(c, bytes, len, uwsgi_head_parse); }

static const struct gate_out pack_out = {
    .cgi_head = true, .one_request = true, .send = stream_send, .send_now = stream_send_now, .send_file = stream_send_file, .ended = stream_ended, .moved = stream_moved,
    .body_wanted = stream_body_wanted};
/* nginx's uwsgi_pass wants a status line and takes HTTP's; scgi_pass takes "Status:". Both read on to the end of the connection. */
static const struct gate_out uwsgi_out = {
    .cgi_head = false, .one_request = true, .send = stream_send, .send_now = stream_send_now, .send_file = stream_send_file, .ended = stream_ended, .moved = stream_moved,
    .body_wanted = stream_body_wanted};

const struct gate gate_scgi = {
    .name = "scgi", .talks_at_once = true, .opened = stream_opened, .input = scgi_input, .eof = stream_eof, .timeout = stream_timeout, .drained = stream_drained,
    .drain = stream_drain, .close = stream_close, .out = &pack_out};
const struct gate gate_uwsgi = {
    .name = "uwsgi", .talks_at_once = true, .opened = stream_opened, .input = uwsgi_input, .eof = stream_eof, .timeout = stream_timeout, .drained = stream_drained,
    .drain = stream_drain, .close = stream_close, .out = &uwsgi_out};
