/* Control frames are answered here, at once and whether or not a handler receives; messages wait in a queue that stops the reading when it is long. */
#include "gate_ws.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "gate.h"
#include "gate_ws_parts.h"
#include "limit.h"
#include "listener.h"
#include "log.h"
#include "response.h"
#include "serve.h"
#include "shm.h"
#include "worker.h"

enum { MESSAGE_COST_BYTES = 64 };

static struct websocket *ws_of(const struct conn *c) { return c->gate_state; }

void websocket_free_message(struct ws_message *m)
{
    if (m)
        buf_clear(&m->bytes);
    free(m);
}

static void drop_messages(struct websocket *ws)
{
    while (ws->first) {
        struct ws_message *m = ws->first;
        ws->first = m->next;
        websocket_free_message(m);
    }
    ws->last = NULL;
    ws->waiting_bytes = 0;
    buf_clear(&ws->message);
}

void websocket_unref(struct websocket *ws)
{
    if (!ws || --ws->refs)
        return;
    drop_messages(ws);
    ws_codec_clear(&ws->codec);
    buf_clear(&ws->packed);
    free(ws);
}

/* ---- deadlines and pressure ---- */

static void set_deadline(struct conn *c)
{
    const struct websocket *ws = ws_of(c);
    int64_t ms = ws->ping_ms;
    if (c->out_waiting)
        ms = c->req->server->timeout_ms;
    else if (ws->close_sent || ws->close_received || ws->failed)
        ms = LIMIT_WEBSOCKET_CLOSE_MS;
    conn_set_deadline(c, gate_after_ms(c, ms));
}

/* Nothing is read while messages wait that nobody takes, or while the client lets our answers to its pings pile up. */
static void regulate(struct conn *c)
{
    const struct websocket *ws = ws_of(c);
    bool full = ws->waiting_bytes >= (size_t)c->req->main->body_memory_bytes || c->out.pending > 2 * LIMIT_OUTPUT_HIGH_BYTES;
    if (full)
        conn_pause(c);
    else if (c->paused)
        conn_resume(c);
}

bool websocket_congested(const struct websocket *ws) { return ws->conn && response_is_congested(ws->conn->req); }

/* ---- the end ---- */

/* The connection lets go; the user may still take what has come. */
static void let_go(struct conn *c)
{
    struct websocket *ws = ws_of(c);
    struct request *r = c->req;
    c->gate_state = NULL;
    c->req = NULL;
    r->conn = NULL;
    ws->conn = NULL;
    waker_wake(ws->on_message);
    waker_wake(ws->on_drain);
    websocket_unref(ws);
    if (r->response == RESPONSE_ENDED)
        serve_done(r);
}

/* RFC 6455 7.1.1: when both have said close, the server is the one that closes the connection. */
static void close_if_over(struct conn *c)
{
    const struct websocket *ws = ws_of(c);
    if (c->out_waiting || !(ws->failed || (ws->close_sent && ws->close_received)))
        return;
    let_go(c);
    conn_linger(c);
}

static void ended_with(struct websocket *ws, unsigned code, struct slice reason)
{
    if (ws->code)
        return;
    ws->code = (uint16_t)code;
    ws->reason_len = (uint8_t)reason.len;
    if (reason.len)
        memcpy(ws->reason, reason.at, reason.len);
    waker_wake(ws->on_message);
    waker_wake(ws->on_drain);
}

/* ---- frames out ---- */

int websocket_send(struct websocket *ws, enum ws_opcode opcode, bool fin, struct slice payload)
{
    char head[WS_HEAD_BYTES];
    if (websocket_is_shut(ws)) {
        errno = EPIPE;
        return -1;
    }
    struct conn *c = ws->conn;
    bool compressed = ws->packed_now && (opcode == WS_TEXT || opcode == WS_BINARY);
    struct slice parts[2] = {slice_of(head, ws_write_head(head, opcode, fin, compressed, payload.len)), payload};
    bool waited = c->out_waiting;
    c->req->wire_bytes_out += parts[0].len + payload.len;
    c->req->body_bytes_out += payload.len;
    if (conn_send(c, parts, payload.len ? 2 : 1) < 0)
        return -1; /* the gate is told at the end of the turn */
    if (c->out_waiting && !waited)
        set_deadline(c);
    return 0;
}

void websocket_close(struct websocket *ws, unsigned code, struct slice reason)
{
    char payload[WS_CONTROL_BYTES] = {(char)(code >> 8), (char)code};
    if (websocket_is_shut(ws))
        return;
    if (reason.len > WS_REASON_BYTES)
        reason.len = WS_REASON_BYTES;
    if (reason.len)
        memcpy(payload + 2, reason.at, reason.len);
    struct conn *c = ws->conn;
    int failed = websocket_send(ws, WS_CLOSE, true, slice_of(payload, code == WS_CODE_NONE ? 0 : 2 + reason.len));
    ws->close_sent = true;
    ended_with(ws, code, reason);
    if (failed || !ws->conn)
        return;
    regulate(c);
    set_deadline(c);
    close_if_over(c);
}

/* ---- frames in ---- */

static void fail(struct conn *c, unsigned code, const char *why)
{
    struct websocket *ws = ws_of(c);
    log_request(c->req, LEVEL_INFO, "websocket", "closed with %u: %s%s", code, why, code == WS_CODE_TOO_BIG ? ": PyWebSocketMessageLimit" : "");
    if (code == WS_CODE_TOO_BIG)
        shm_add(limits_hit, 1);
    ws->failed = true;
    if (ws->close_sent)
        close_if_over(c);
    else
        websocket_close(ws, code, slice_of(NULL, 0));
}

static bool keep_piece(struct conn *c, struct slice data)
{
    struct websocket *ws = ws_of(c);
    char *room = buf_room(&ws->message, data.len);
    if (!room) {
        fail(c, WS_CODE_TOO_BIG, "there is no memory for the message");
        return false;
    }
    if (!ws_reader_take(&ws->reader, data, room)) {
        fail(c, ws->reader.code, ws->reader.why);
        return false;
    }
    ws->message.len += (uint32_t)data.len;
    return true;
}

/* The message that has come was compressed. */
static bool expand(struct conn *c)
{
    struct websocket *ws = ws_of(c);
    struct buf text = {0};
    struct ws_utf8 utf8 = {0};
    enum ws_expand result = ws_codec_expand(&ws->codec, slice_of(ws->message.at, ws->message.len), ws->reader.limit, &text);
    buf_clear(&ws->message);
    ws->message = text;
    if (result == WS_EXPAND_TOO_BIG)
        fail(c, WS_CODE_TOO_BIG, "the message is too big when it is expanded");
    else if (result == WS_EXPAND_BAD)
        fail(c, WS_CODE_NOT_TEXT, "a compressed message cannot be expanded");
    else if (ws->reader.opcode == WS_TEXT && (!ws_utf8_feed(&utf8, text.at, text.len) || utf8.need))
        fail(c, WS_CODE_NOT_TEXT, "a text is not UTF-8");
    else
        return true;
    return false;
}

/* A message that comes when we have said close is nobody's any more. */
static bool keep_message(struct conn *c)
{
    struct websocket *ws = ws_of(c);
    if (ws->reader.compressed && !ws->code && !expand(c))
        return false;
    struct ws_message *m = ws->code ? NULL : malloc(sizeof *m);
    if (!m) {
        buf_clear(&ws->message);
        if (ws->code)
            return true;
        fail(c, WS_CODE_TOO_BIG, "there is no memory for the message");
        return false;
    }
    *m = (struct ws_message){.bytes = ws->message, .text = ws->reader.opcode == WS_TEXT};
    ws->message = (struct buf){0};
    if (ws->last)
        ws->last->next = m;
    else
        ws->first = m;
    ws->last = m;
    ws->waiting_bytes += m->bytes.len + MESSAGE_COST_BYTES;
    regulate(c);
    waker_wake(ws->on_message);
    return true;
}

/* True: the connection goes on. */
static bool control(struct conn *c)
{
    struct websocket *ws = ws_of(c);
    struct slice payload = slice_of(ws->reader.control, ws->reader.control_len);
    if (ws->reader.opcode == WS_PONG)
        return true;
    if (ws->reader.opcode == WS_PING) {
        websocket_send(ws, WS_PONG, true, payload);
        regulate(c);
        return true;
    }
    struct slice reason = payload.len > 2 ? slice_of(payload.at + 2, payload.len - 2) : slice_of(NULL, 0);
    ws->close_received = true;
    ended_with(ws, ws->reader.code, reason);
    if (ws->close_sent)
        close_if_over(c);
    else
        websocket_close(ws, ws->reader.code, slice_of(NULL, 0));
    return false;
}

static size_t ws_input(struct conn *c, const char *bytes, size_t len)
{
    struct websocket *ws = ws_of(c);
    size_t used = 0;
    bool on = ws && !ws->failed && !ws->close_received;
    if (!on)
        return len;
    ws->heard = true;
    ws->ping_unanswered = false;
    c->req->body_bytes_in += len;
    while (on && !c->paused) {
        size_t n;
        struct slice data;
        enum ws_result result = ws_reader_feed(&ws->reader, slice_of(bytes + used, len - used), &n, &data);
        used += n;
        switch (result) {
        case WS_MORE: return used;
        case WS_DATA: on = keep_piece(c, data); break;
        case WS_MESSAGE: on = keep_message(c); break;
        case WS_CONTROL: on = control(c); break;
        case WS_BAD:
            fail(c, ws->reader.code, ws->reader.why);
            on = false;
            break;
        }
    }
    if (on)
        c->req->body_bytes_in -= len - used; /* they come again */
    return on ? used : len;
}

struct ws_message *websocket_take(struct websocket *ws)
{
    struct ws_message *m = ws->first;
    if (!m)
        return NULL;
    ws->first = m->next;
    if (!ws->first)
        ws->last = NULL;
    ws->waiting_bytes -= m->bytes.len + MESSAGE_COST_BYTES;
    if (ws->conn)
        regulate(ws->conn);
    return m;
}

/* ---- the rest of the gate ---- */

static void ws_opened(struct conn *c) { (void)c; } /* it was a gate of HTTP that opened */

/* Without a close frame nothing more than a broken connection. Bytes that wait to be read are read first. */
static void ws_eof(struct conn *c, bool broken)
{
    if (broken || !c->paused)
        conn_close(c);
}

static void look_for_client(struct conn *c)
{
    struct websocket *ws = ws_of(c);
    if (ws->ping_unanswered && !c->paused) {
        log_request(c->req, LEVEL_INFO, "websocket", "the client does not answer pings: PyWebSocketPing: closed");
        shm_add(limits_hit, 1);
        conn_close(c);
        return;
    }
    if (!ws->heard && !c->paused) {
        ws->ping_unanswered = true;
        websocket_send(ws, WS_PING, true, slice_of(NULL, 0));
    }
    ws->heard = false;
    set_deadline(c);
}

static void ws_timeout(struct conn *c)
{
    const struct websocket *ws = ws_of(c);
    if (!ws) {
        conn_close(c);
    } else if (c->out_waiting && gate_waits_for_client(c, "websocket")) {
        set_deadline(c);
    } else if (c->out_waiting) {
        conn_close(c);
    } else if (ws->close_sent || ws->failed) {
        conn_close(c);
    } else {
        look_for_client(c);
    }
}

static void ws_drained(struct conn *c)
{
    struct websocket *ws = ws_of(c);
    if (!ws)
        return;
    set_deadline(c);
    regulate(c);
    if (!websocket_congested(ws))
        waker_wake(ws->on_drain);
    close_if_over(c);
}

static void ws_drain(struct conn *c)
{
    if (ws_of(c))
        websocket_close(ws_of(c), WS_CODE_GOING_AWAY, SLICE("the server is going down"));
}

static void ws_close(struct conn *c)
{
    struct websocket *ws = ws_of(c);
    struct request *r = c->req;
    if (!ws)
        return;
    if (!ws->code) {
        ws->code = WS_CODE_ABNORMAL;
        r->aborted = true;
        if (r->response != RESPONSE_ENDED)
            waker_wake(r->on_gone);
    }
    let_go(c);
}

static int ws_out_send(struct request *r, struct slice head, struct slice body, bool last)
{
    (void)last; /* a body written by req.write() after the hand-over has no place here; response.c has dropped it */
    (void)body;
    return head.len ? conn_send(r->conn, &head, 1) : 0;
}

static int ws_out_send_file(struct request *r, struct slice head, int file_fd, int64_t offset, int64_t len, bool last)
{
    (void)r, (void)head, (void)offset, (void)len, (void)last;
    close(file_fd);
    return 0;
}

/* The handler has ended. */
static void ws_out_ended(struct request *r)
{
    struct conn *c = r->conn;
    struct websocket *ws = ws_of(c);
    drop_messages(ws);
    regulate(c);
    if (ws->close_sent)
        close_if_over(c);
    else
        websocket_close(ws, r->aborted ? WS_CODE_ERROR : WS_CODE_NORMAL, slice_of(NULL, 0));
}

static void ws_out_body_wanted(struct request *r) { (void)r; }

static const struct gate_out ws_out = {
    .send = ws_out_send, .send_file = ws_out_send_file, .ended = ws_out_ended, .body_wanted = ws_out_body_wanted};
const struct gate gate_ws = {
    .name = "websocket", .opened = ws_opened, .input = ws_input, .eof = ws_eof, .timeout = ws_timeout, .drained = ws_drained, .drain = ws_drain,
    .close = ws_close, .out = &ws_out};

void gate_ws_take(struct conn *c, struct websocket *ws)
{
    ws->refs++;
    ws->conn = c;
    c->gate_state = ws;
    c->gate = &gate_ws;
    c->state = CONN_BUSY;
    set_deadline(c);
    conn_resume(c);
    if (c->listener->worker->draining)
        ws_drain(c);
}
