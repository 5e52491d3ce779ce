/* A connection that a handler has to itself (PythonConnectionHandler): its bytes are the body of a request that has no head, what the handler writes
 * goes out as it is. When the handler declines, the connection becomes HTTP's, with the bytes that it has not read. */
#include "gate.h"
#include "gate_raw.h"
#include "gate_request.h"
#include "limit.h"
#include "listener.h"
#include "serve.h"
#include "worker.h"

static void deadline(struct conn *c) { conn_set_deadline(c, gate_after_ms(c, c->listener->default_server->timeout_ms)); }

static void raw_opened(struct conn *c)
{
    struct request *r = gate_request_new(c);
    if (!r) {
        conn_close(c);
        return;
    }
    r->method = r->uri = r->unparsed_uri = (char *)"-";
    r->method_number = METHOD_INVALID;
    c->req = r;
    c->state = CONN_BUSY;
    serve_connection(r);
}

static void raw_end(struct request *r, enum body_state state)
{
    if (r->body == BODY_READING)
        r->body = (uint8_t)state;
    waker_wake(r->on_body);
}

static size_t raw_input(struct conn *c, const char *bytes, size_t len)
{
    struct request *r = c->req;
    if (!r)
        return 0;
    conn_set_deadline(c, 0);
    if (buf_add(&r->in, bytes, len) < 0) {
        raw_end(r, BODY_BROKEN);
        return len;
    }
    r->body_bytes_in += len;
    if (r->in.len >= (uint64_t)r->main->body_memory_bytes)
        conn_pause(c);
    waker_wake(r->on_body);
    return len;
}

static void raw_eof(struct conn *c, bool broken)
{
    if (broken || !c->req) {
        conn_close(c);
        return;
    }
    conn_set_deadline(c, 0);
    raw_end(c->req, BODY_WHOLE);
    if (c->req)
        waker_wake(c->req->on_gone);
}

static void raw_timeout(struct conn *c)
{
    if (c->req && !c->out_waiting)
        raw_end(c->req, BODY_TIMED_OUT);
    else
        conn_close(c);
}

static void raw_drained(struct conn *c)
{
    if (!c->req && !c->out_waiting)
        conn_linger(c);
    else if (c->req && c->out.pending * 2 <= LIMIT_OUTPUT_HIGH_BYTES)
        waker_wake(c->req->on_drain);
}

static void raw_drain(struct conn *c) { (void)c; } /* how long it may take is the handler's business, up to GracefulShutdownTimeout */

static void raw_close(struct conn *c)
{
    struct request *r = c->req;
    if (!r)
        return;
    c->req = NULL;
    r->conn = NULL;
    gate_request_gone(r);
}

static int raw_send(struct request *r, struct slice head, struct slice body, bool last)
{
    struct slice parts[2] = {head, body};
    (void)last;
    int result = conn_send(r->conn, parts, 2);
    if (!result && r->conn->out_waiting)
        deadline(r->conn);
    return result;
}

static int raw_send_file(struct request *r, struct slice head, int file_fd, int64_t offset, int64_t len, bool last)
{
    (void)last;
    return (head.len && conn_send(r->conn, &head, 1) < 0) ? -1 : conn_send_file(r->conn, file_fd, offset, len, false);
}

static void raw_ended(struct request *r) { (void)r; }

static void raw_body_wanted(struct request *r)
{
    deadline(r->conn);
    conn_resume(r->conn);
}

void gate_raw_over(struct request *r, bool declined)
{
    struct conn *c = r->conn;
    if (!c)
        return;
    c->req = NULL;
    r->conn = NULL;
    conn_set_deadline(c, 0);
    if (declined) {
        struct buf unread = r->in, later = c->in;
        r->in = (struct buf){0};
        c->in = unread;
        if (later.len && buf_add(&c->in, later.at, later.len) < 0)
            c->eof = true;
        buf_clear(&later);
        c->gate = &gate_http;
        c->declined = true;
        c->state = CONN_IDLE;
        gate_http.opened(c);
        conn_resume(c);
    } else if (c->out_waiting) {
        c->state = CONN_FLUSHING;
        conn_pause(c);
        deadline(c);
    } else {
        conn_linger(c);
    }
}

static const struct gate_out raw_out = {.send = raw_send, .send_file = raw_send_file, .ended = raw_ended, .body_wanted = raw_body_wanted};
const struct gate gate_raw = {
    .name = "raw", .opened = raw_opened, .input = raw_input, .eof = raw_eof, .timeout = raw_timeout, .drained = raw_drained, .drain = raw_drain,
    .close = raw_close, .out = &raw_out};
