/* HTTP/1.x on a connection: from bytes to requests, one at a time and in order; from responses to bytes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gate_body.h"
#include "gate_request.h"
#include "http_body.h"
#include "limit.h"
#include "log.h"
#include "response_head.h"
#include "route.h"
#include "serve.h"
#include "shm.h"
#include "worker.h"

enum { DRAIN_IDLE_MS = 1000 };

static int64_t idle_deadline(const struct conn *c, int64_t keep_ms)
{
    return gate_after_ms(c, c->listener->worker->draining && (!keep_ms || keep_ms > DRAIN_IDLE_MS) ? DRAIN_IDLE_MS : keep_ms);
}

/* ---- requests ---- */

bool stream_begin(struct conn *c)
{
    c->req = gate_request_new(c);
    if (c->req)
        c->state = CONN_HEAD;
    else
        conn_close(c);
    return c->req != NULL;
}

static void http_refuse(struct conn *c, const char *bytes, size_t len, enum http_fault fault)
{
    struct request *r = c->req;
    struct http_fault_text text = http_fault_info(fault);
    gate_request_keep_line(r, bytes, len);
    c->state = CONN_BUSY;
    conn_pause(c);
    r->body = BODY_WHOLE;
    serve_fault(r, text.status, text.why, text.directive);
}

static bool wants_to_close(const struct conn *c, const struct request *r)
{
    const struct server_conf *s = r->server;
    return !r->head.keep_alive || !s->keep_alive || (s->max_keep_alive_requests && c->requests + 1 >= (uint32_t)s->max_keep_alive_requests) ||
           c->listener->worker->draining;
}

static bool prepare_body(struct conn *c, struct request *r)
{
    if (!http_body_is_empty(r->head.chunked, r->head.length))
        return stream_body_prepare(c, r);
    r->body = BODY_WHOLE;
    conn_pause(c);
    return true;
}

void stream_head_done(struct conn *c, const char *bytes, size_t used)
{
    struct request *r = c->req;
    if (!prepare_body(c, r))
        return;
    struct gate_fault fault = gate_request_fill(c, r, bytes, used);
    r->close_after = wants_to_close(c, r);
    r->continue_due = r->head.expect_continue && r->body == BODY_READING;
    if (fault.status)
        serve_fault(r, fault.status, fault.why, fault.directive);
    else
        serve_request(r);
}

static size_t http_head_input(struct conn *c, const char *bytes, size_t len)
{
    struct request *r = c->req;
    size_t used = 0;
    enum http_fault fault = FAULT_NONE;
    switch (http_head_parse(&r->head, bytes, len, &used, &fault)) {
    case HTTP_MORE:
        stream_rate_deadline(c, &r->server->read_header, r->start_ns, len);
        return 0;
    case HTTP_BAD:
        http_refuse(c, bytes, len, fault);
        return len;
    case HTTP_DONE:
        break;
    }
    c->state = CONN_BUSY;
    conn_set_deadline(c, 0);
    stream_head_done(c, bytes, used);
    return used;
}

static size_t http_input(struct conn *c, const char *bytes, size_t len)
{
    switch ((enum conn_state)c->state) {
    case CONN_IDLE:
        return stream_begin(c) ? http_head_input(c, bytes, len) : 0;
    case CONN_HEAD:
        return http_head_input(c, bytes, len);
    case CONN_BUSY:
    case CONN_FLUSHING:
        return stream_body_input(c, bytes, len);
    case CONN_LINGERING:
    case CONN_CLOSED:
        return len;
    }
    return len;
}

/* ---- responses ---- */

/* With its answer this connection is over, and nothing is left to read that closing could reset. */
static bool closes_at_once(const struct conn *c, const struct request *r)
{
    return c->gate->out->one_request && r->close_after && r->body == BODY_WHOLE && !c->in.len;
}

int stream_send(struct request *r, struct slice head, struct slice body, bool last)
{
    struct conn *c = r->conn;
    struct slice parts[OUTQ_PARTS] = {head};
    int count = 1;
    char size[20];
    if (!r->chunked_out || r->no_body_out) {
        parts[count++] = body;
    } else {
        if (body.len) {
            parts[count++] = slice_of(size, (size_t)snprintf(size, sizeof size, "%zx\r\n", body.len));
            parts[count++] = body;
        }
        parts[count++] = body.len ? last ? SLICE("\r\n0\r\n\r\n") : SLICE("\r\n") : last ? SLICE("0\r\n\r\n") : SLICE("");
    }
    for (int i = 0; i < count; i++)
        r->wire_bytes_out += parts[i].len;
    bool closes = last && closes_at_once(c, r);
    if ((closes ? conn_send_last(c, parts, count) : r->send_soon ? conn_send_soon(c, parts, count) : conn_send(c, parts, count)) < 0)
        return -1;
    if (c->out_waiting && !c->deadline_ns)
        conn_set_deadline(c, gate_after_ms(c, r->server->timeout_ms));
    return 0;
}

long stream_send_now(struct request *r, struct slice body)
{
    long n = r->chunked_out ? 0 : conn_send_now(r->conn, body);
    r->wire_bytes_out += n > 0 ? (uint64_t)n : 0;
    return n;
}

/* Bytes, then a stretch of a file; the descriptor is taken over whatever happens. */
static int send_then_file(struct request *r, const struct slice *parts, int count, int file_fd, int64_t offset, int64_t len)
{
    if (!count || conn_send(r->conn, parts, count) == 0)
        return conn_send_file(r->conn, file_fd, offset, len, r->conf && !r->conf->enable_sendfile);
    close(file_fd);
    return -1;
}

int stream_send_file(struct request *r, struct slice head, int file_fd, int64_t offset, int64_t len, bool last)
{
    struct conn *c = r->conn;
    char size[20];
    if (r->chunked_out) {
        struct slice parts[2] = {head, slice_of(size, (size_t)snprintf(size, sizeof size, "%llx\r\n", (unsigned long long)len))};
        if (send_then_file(r, parts, 2, file_fd, offset, len) < 0)
            return -1;
        parts[0] = last ? SLICE("\r\n0\r\n\r\n") : SLICE("\r\n");
        r->wire_bytes_out += head.len + (uint64_t)len + parts[1].len + parts[0].len;
        return conn_send(c, parts, 1);
    }
    r->wire_bytes_out += head.len + (uint64_t)len;
    if (send_then_file(r, &head, head.len ? 1 : 0, file_fd, offset, len) < 0)
        return -1;
    if (c->out_waiting && !c->deadline_ns)
        conn_set_deadline(c, gate_after_ms(c, r->server->timeout_ms));
    return 0;
}

/* The client has sent its last byte, and nothing of what it sent waits: a half-closed client gets all the answers that it asked for. */
static bool nothing_follows(const struct conn *c) { return c->eof && !c->readable && !c->in.len; }

void stream_moved(struct request *from, struct request *to) { from->conn->req = to; }

/* The request is over: the connection closes or waits for the next one. */
static void http_over(struct conn *c)
{
    struct request *r = c->req;
    bool at_once = closes_at_once(c, r), close = r->close_after || nothing_follows(c);
    int64_t keep = r->server->keep_alive_timeout_ms;
    c->req = NULL;
    if (!gate_request_over(c, r, at_once))
        return;
    if (close) {
        conn_linger(c);
    } else {
        c->state = CONN_IDLE;
        conn_set_deadline(c, idle_deadline(c, keep));
        conn_resume(c);
    }
}

void stream_go_on(struct conn *c)
{
    struct request *r = c->req;
    if (r->body == BODY_READING && !r->close_after) {
        if (r->continue_due || c->eof || response_leaves_too_much(r)) {
            r->close_after = true;
        } else {
            stream_rate_deadline(c, &r->server->read_body, conn_loop(c)->now_ns, 0);
            conn_resume(c);
            return;
        }
    }
    if (!c->out_waiting) {
        http_over(c);
        return;
    }
    c->state = CONN_FLUSHING;
    conn_pause(c);
    conn_set_deadline(c, gate_after_ms(c, r->server->timeout_ms));
}

void stream_ended(struct request *r)
{
    buf_clear(&r->in);
    stream_go_on(r->conn);
}

void stream_drained(struct conn *c)
{
    struct request *r = c->req;
    if (!r) {
        if (c->state == CONN_IDLE && !c->out_waiting)
            conn_set_deadline(c, idle_deadline(c, stream_server(c)->keep_alive_timeout_ms));
        return;
    }
    if (c->out_waiting)
        conn_set_deadline(c, gate_after_ms(c, r->server->timeout_ms));
    else if (c->state == CONN_FLUSHING)
        http_over(c);
    else if (r->body == BODY_READING)
        stream_body_deadline(c);
    else
        conn_set_deadline(c, 0);
    if (c->req && !response_is_congested(r))
        waker_wake(r->on_drain);
}

/* ---- faults ---- */

void stream_eof(struct conn *c, bool broken)
{
    struct request *r = c->req;
    if (broken || c->state == CONN_IDLE || c->state == CONN_HEAD) {
        if (c->gate->talks_at_once && c->state == CONN_HEAD && c->in.len)
            log_error(NULL, LEVEL_INFO, c->gate->name, "the connection ended within a head");
        conn_close(c);
        return;
    }
    if (r->body == BODY_READING && !c->paused)
        stream_body_ended(r, BODY_BROKEN);
    if (c->state == CONN_CLOSED || !c->req)
        return;
    if (nothing_follows(c))
        r->close_after = true;
    waker_wake(r->on_gone);
    if (r->response == RESPONSE_ENDED && c->state == CONN_BUSY)
        stream_go_on(c);
}

void stream_timeout(struct conn *c)
{
    struct request *r = c->req;
    if (c->state == CONN_HEAD && r->head.scanned + r->head.at) {
        struct slice seen = slice_of(c->in.at, c->in.len);
        gate_request_keep_line(r, seen.at, seen.len);
        c->state = CONN_BUSY;
        r->body = BODY_WHOLE;
        conn_pause(c);
        serve_fault(r, 408, "the head did not come in time", "RequestReadTimeout");
    } else if (c->state == CONN_BUSY && r->body == BODY_READING && !c->out_waiting) {
        log_request(r, LEVEL_INFO, "core", "the body did not come in time: %s", r->server->read_body.initial_ms ? "RequestReadTimeout" : "Timeout");
        shm_add(limits_hit, 1);
        stream_body_ended(r, BODY_TIMED_OUT);
        if (c->req && r->response == RESPONSE_ENDED)
            stream_go_on(c);
    } else if (r && c->out_waiting && gate_waits_for_client(c, "core")) {
        conn_set_deadline(c, gate_after_ms(c, r->server->timeout_ms));
    } else {
        conn_close(c);
    }
}

void stream_opened(struct conn *c)
{
    if (c->listener->default_server->python_connection_handler && !c->declined) {
        c->gate = &gate_raw;
        gate_raw.opened(c);
        return;
    }
    stream_rate_deadline(c, &c->listener->default_server->read_header, conn_loop(c)->now_ns, 0);
}

/* Whoever is told by an answer that the connection closes loses nothing; closing it unasked would cross with the next request on its way. So idle
 * connections get a moment to come with one, new ones the time that they have for their head. */
void stream_drain(struct conn *c)
{
    if (c->req && c->req->response == RESPONSE_OPEN)
        c->req->close_after = true;
    else if (c->state == CONN_IDLE && c->requests)
        conn_set_deadline(c, idle_deadline(c, DRAIN_IDLE_MS));
}

/* The connection goes; a request that is still being handled finds out at its next read or write. */
void stream_close(struct conn *c)
{
    struct request *r = c->req;
    if (!r)
        return;
    c->req = NULL;
    r->conn = NULL;
    if (!r->method) { /* its head never came whole: serve has not seen it */
        request_unref(r);
        return;
    }
    if (r->response == RESPONSE_ENDED) {
        r->aborted = true;
        serve_done(r);
    } else {
        gate_request_gone(r);
    }
}

static const struct gate_out http_out = {
    .has_chunks = true, .send = stream_send, .send_now = stream_send_now, .send_file = stream_send_file, .ended = stream_ended, .moved = stream_moved,
    .body_wanted = stream_body_wanted};

const struct gate gate_http = {
    .name = "http", .opened = stream_opened, .input = http_input, .eof = stream_eof, .timeout = stream_timeout, .drained = stream_drained,
    .drain = stream_drain, .close = stream_close, .out = &http_out};
