/* FastCGI: requests multiplexed on one connection. Each has its own params, body and answer; the connection's buffers are shared, so one whose
 * handler does not read holds up the others' input (and only that). Section numbers are those of the FastCGI 1.0 specification. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "fcgi_record.h"
#include "gate.h"
#include "gate_vars.h"
#include "limit.h"
#include "listener.h"
#include "log.h"
#include "response.h"
#include "serve.h"
#include "worker.h"

enum fcgi_stage { STAGE_PARAMS, STAGE_BUSY, STAGE_ENDED };

struct fcgi_request { /* in the request's arena */
    struct fcgi_request *next;
    struct request *request; /* strong until its answer is out */
    struct buf params;       /* owned */
    uint64_t length;         /* CONTENT_LENGTH */
    uint16_t id;
    uint8_t stage;
    bool keep_conn;
    bool ended;              /* END_REQUEST has been sent */
};

struct fcgi { struct fcgi_request *requests; int count; bool closing; };

static struct pack pack; /* one head at a time */

static struct fcgi *fcgi_of(const struct conn *c) { return c->gate_state; }
static struct fcgi_request *part_of(const struct request *r) { return r->gate; }

static void wake(struct waker *w)
{
    if (w)
        w->wake(w);
}

static struct fcgi_request *find(const struct conn *c, uint16_t id)
{
    struct fcgi_request *f = fcgi_of(c)->requests;
    while (f && f->id != id)
        f = f->next;
    return f;
}

static void forget(struct conn *c, struct fcgi_request *gone)
{
    struct fcgi_request **at = &fcgi_of(c)->requests;
    while (*at && *at != gone)
        at = &(*at)->next;
    if (*at)
        *at = gone->next;
    fcgi_of(c)->count--;
    buf_clear(&gone->params);
}

static void set_deadline(struct conn *c)
{
    const struct server_conf *s = c->listener->default_server;
    bool waits = false;
    for (const struct fcgi_request *f = fcgi_of(c)->requests; f; f = f->next)
        waits |= f->stage == STAGE_PARAMS || (f->request->body == BODY_READING && !c->paused);
    int64_t ms = c->out_waiting || waits ? s->timeout_ms : fcgi_of(c)->requests ? 0 : s->keep_alive_timeout_ms;
    conn_set_deadline(c, ms ? conn_loop(c)->now_ns + ms * 1000000 : 0);
}

static void close_when_done(struct conn *c)
{
    if (!fcgi_of(c)->requests && fcgi_of(c)->closing && !c->out_waiting)
        conn_linger(c);
    else
        set_deadline(c);
}

static int send_record(struct conn *c, enum fcgi_type type, uint16_t id, struct slice content)
{
    char header[FCGI_HEADER_BYTES];
    fcgi_header_write(header, type, id, content.len);
    struct slice parts[2] = {slice_of(header, sizeof header), content};
    return conn_send(c, parts, 2);
}

static int send_end(struct conn *c, uint16_t id, enum fcgi_status status)
{
    char record[16];
    fcgi_end_write(record, id, 0, status);
    struct slice all = slice_of(record, sizeof record);
    return conn_send(c, &all, 1);
}

/* ---- requests ---- */

static bool begin(struct conn *c, const struct fcgi_record *record)
{
    if (record->content.len < 3 || find(c, record->id)) {
        log_error(NULL, LEVEL_WARN, "fastcgi", "BEGIN_REQUEST %s", record->content.len < 3 ? "is cut short" : "of a request that is there already");
        return false;
    }
    unsigned role = (unsigned)(unsigned char)record->content.at[0] << 8 | (unsigned char)record->content.at[1];
    bool keep = record->content.at[2] & FCGI_KEEP_CONN;
    if (role != FCGI_RESPONDER || fcgi_of(c)->count >= LIMIT_GATE_REQUESTS) { /* 5.5 */
        fcgi_of(c)->closing |= !keep;
        return send_end(c, record->id, role != FCGI_RESPONDER ? FCGI_UNKNOWN_ROLE : FCGI_OVERLOADED) == 0;
    }
    struct request *r = gate_request_new(c);
    struct fcgi_request *f = r ? request_alloc(r, sizeof *f) : NULL;
    if (!f) {
        request_unref(r);
        return false;
    }
    *f = (struct fcgi_request){.next = fcgi_of(c)->requests, .request = r, .id = record->id, .keep_conn = keep, .params.max = LIMIT_GATE_HEAD_BYTES};
    r->gate = f;
    fcgi_of(c)->requests = f;
    fcgi_of(c)->count++;
    fcgi_of(c)->closing |= !keep;
    return true;
}

static void refuse(struct fcgi_request *f, struct slice head, struct gate_fault fault)
{
    struct request *r = f->request;
    gate_request_keep_line(r, head.at ? head.at : "-", head.at ? head.len : 1);
    r->body = BODY_WHOLE;
    serve_fault(r, fault.status, fault.why, fault.directive);
}

static void params_whole(struct conn *c, struct fcgi_request *f)
{
    struct request *r = f->request;
    struct slice head = {NULL, 0};
    struct gate_fault fault = {400, "the params are malformed", NULL};
    f->stage = STAGE_BUSY;
    if (fcgi_pairs_parse(&pack, slice_of(f->params.at, f->params.len)) == PACK_DONE)
        fault = gate_vars_head(r, &pack, &head);
    if (!fault.status) {
        f->length = r->head.has_length ? r->head.length : 0;
        r->body = f->length ? BODY_READING : BODY_WHOLE;
        fault = gate_request_fill(c, r, head.at, head.len);
        head.at = NULL;
    }
    buf_clear(&f->params);
    if (!fault.status)
        serve_request(r);
    else if (r->bytes)
        serve_fault(r, fault.status, fault.why, fault.directive);
    else
        refuse(f, head, fault);
}

static bool params(struct conn *c, struct fcgi_request *f, struct slice content)
{
    if (f->stage != STAGE_PARAMS)
        return false;
    if (!content.len) {
        params_whole(c, f);
        return true;
    }
    if (buf_add(&f->params, content.at, content.len) == 0)
        return true;
    f->stage = STAGE_BUSY;
    buf_clear(&f->params);
    refuse(f, slice_of(NULL, 0), (struct gate_fault){431, "the params are longer than LIMIT_GATE_HEAD_BYTES", NULL});
    return true;
}

static void body_state(struct request *r, enum body_state state)
{
    r->body = (uint8_t)state;
    wake(r->on_body);
}

static bool stdin_data(struct conn *c, struct fcgi_request *f, struct slice content)
{
    struct request *r = f->request;
    if (f->stage == STAGE_PARAMS)
        return false;
    if (r->body != BODY_READING)
        return true; /* more than CONTENT_LENGTH, or nobody wants it */
    uint64_t room = f->length - r->body_bytes_in, take = content.len < room ? content.len : room;
    if (!content.len) {
        body_state(r, BODY_BROKEN); /* 6.2: the stream ended before CONTENT_LENGTH */
        return true;
    }
    r->body_bytes_in += take;
    int64_t limit = r->conf ? r->conf->limit_request_body_bytes : 0;
    if (limit && r->body_bytes_in > (uint64_t)limit)
        body_state(r, BODY_TOO_LARGE);
    else if (r->response != RESPONSE_ENDED && buf_add(&r->in, content.at, take) < 0)
        body_state(r, BODY_BROKEN);
    else if (r->body_bytes_in == f->length)
        body_state(r, BODY_WHOLE);
    else
        wake(r->on_body);
    if (r->in.len >= (uint64_t)r->main->body_memory_bytes && r->body == BODY_READING)
        conn_pause(c);
    return true;
}

static void abort_request(struct fcgi_request *f)
{
    struct request *r = f->request;
    r->aborted = true;
    if (r->body == BODY_READING)
        r->body = BODY_BROKEN;
    wake(r->on_body);
    wake(r->on_gone);
}

/* Aborted before anybody but us knew of it. */
static bool drop_unseen(struct conn *c, struct fcgi_request *f)
{
    struct request *r = f->request;
    int result = send_end(c, f->id, FCGI_REQUEST_COMPLETE);
    forget(c, f);
    r->gate = NULL;
    r->conn = NULL;
    request_unref(r);
    close_when_done(c);
    return result == 0;
}

/* ---- management records (4) ---- */

static int get_values(struct conn *c, struct slice content)
{
    static const struct { struct slice name; const char *value; } known[] = {
        {{"FCGI_MAX_CONNS", 14}, "10240"}, {{"FCGI_MAX_REQS", 13}, "4096"}, {{"FCGI_MPXS_CONNS", 15}, "1"}};
    struct buf answer = {0};
    int result = 0;
    if (fcgi_pairs_parse(&pack, content) != PACK_DONE)
        return -1;
    for (int i = 0; i < pack.count && i < 16 && result == 0; i++)
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (slice_eq(pack.pairs[i].name, known[k].name))
                result = fcgi_pair_write(&answer, known[k].name, slice_text(known[k].value));
    if (result == 0)
        result = send_record(c, FCGI_GET_VALUES_RESULT, 0, slice_of(answer.at, answer.len));
    buf_clear(&answer);
    return result;
}

static bool management(struct conn *c, const struct fcgi_record *record)
{
    if (record->type == FCGI_GET_VALUES)
        return get_values(c, record->content) == 0;
    const char body[8] = {(char)record->type};
    return send_record(c, FCGI_UNKNOWN_TYPE, 0, slice_of(body, sizeof body)) == 0;
}

/* False: the other side does not keep to the protocol. */
static bool dispatch(struct conn *c, const struct fcgi_record *record)
{
    if (record->id == 0)
        return management(c, record);
    if (record->type == FCGI_BEGIN_REQUEST)
        return begin(c, record);
    struct fcgi_request *f = find(c, record->id);
    if (!f)
        return record->type == FCGI_STDIN || record->type == FCGI_ABORT_REQUEST || record->type == FCGI_DATA || record->type == FCGI_PARAMS; /* 3.3: an inactive id is ignored */
    switch (record->type) {
    case FCGI_PARAMS: return params(c, f, record->content);
    case FCGI_STDIN: return stdin_data(c, f, record->content);
    case FCGI_ABORT_REQUEST: return f->stage == STAGE_PARAMS ? drop_unseen(c, f) : (abort_request(f), true);
    case FCGI_DATA: return true; /* of the filter role only */
    default: return false;
    }
}

/* ---- struct gate ---- */

/* 5.3: FCGI_STDERR */
static void fcgi_echo(const struct request *r, struct slice text)
{
    struct conn *c = r->conn;
    if (!c || c->gate != &gate_fcgi || c->state == CONN_CLOSED || !r->gate || r->aborted || r->response == RESPONSE_ENDED || part_of(r)->ended)
        return;
    send_record(c, FCGI_STDERR, part_of(r)->id, slice_of(text.at, text.len < FCGI_CONTENT_MAX ? text.len : FCGI_CONTENT_MAX));
}

static void fcgi_opened(struct conn *c)
{
    log_echo_to = fcgi_echo;
    c->gate_state = calloc(1, sizeof(struct fcgi));
    if (!c->gate_state) {
        conn_close(c);
        return;
    }
    c->state = CONN_BUSY; /* requests come and go on it */
    conn_set_deadline(c, conn_loop(c)->now_ns + c->listener->default_server->timeout_ms * 1000000);
}

static size_t fcgi_input(struct conn *c, const char *bytes, size_t len)
{
    struct fcgi_record record;
    switch (fcgi_record_parse(&record, bytes, len)) {
    case PACK_MORE:
        return 0;
    case PACK_BAD:
        log_error(NULL, LEVEL_WARN, "fastcgi", "a record is not of version 1; the connection is closed");
        conn_close(c);
        return len;
    case PACK_DONE:
        break;
    }
    if (!dispatch(c, &record)) {
        log_error(NULL, LEVEL_WARN, "fastcgi", "a record of type %u is out of place; the connection is closed", record.type);
        conn_close(c);
    }
    if (c->state != CONN_CLOSED)
        set_deadline(c);
    return record.used;
}

static void fcgi_eof(struct conn *c, bool broken)
{
    (void)broken;
    conn_close(c); /* 3.5: the web server closes when it wants nothing more */
}

static void fcgi_timeout(struct conn *c)
{
    if (fcgi_of(c)->requests)
        log_error(NULL, LEVEL_INFO, "fastcgi", "the server in front neither sends nor reads: Timeout");
    conn_close(c);
}

static void fcgi_drained(struct conn *c)
{
    struct fcgi_request *next;
    for (struct fcgi_request *f = fcgi_of(c)->requests; f; f = next) {
        next = f->next;
        if (!response_is_congested(f->request))
            wake(f->request->on_drain);
    }
    close_when_done(c);
}

static void fcgi_drain(struct conn *c)
{
    fcgi_of(c)->closing = true;
    close_when_done(c);
}

static void fcgi_close(struct conn *c)
{
    struct fcgi *state = fcgi_of(c);
    while (state && state->requests) {
        struct fcgi_request *f = state->requests;
        struct request *r = f->request;
        bool unseen = f->stage == STAGE_PARAMS;
        forget(c, f);
        r->conn = NULL;
        r->gate = NULL;
        if (unseen) {
            request_unref(r);
            continue;
        }
        abort_request(f);
        wake(r->on_drain);
    }
    free(state);
    c->gate_state = NULL;
}

/* ---- struct gate_out ---- */

enum { FCGI_LAST_BYTES = FCGI_HEADER_BYTES + 16 };

/* 6.2: the end of the stream, then END_REQUEST. */
static struct slice last_records(struct fcgi_request *f, char out[FCGI_LAST_BYTES])
{
    fcgi_header_write(out, FCGI_STDOUT, f->id, 0);
    fcgi_end_write(out + FCGI_HEADER_BYTES, f->id, 0, FCGI_REQUEST_COMPLETE);
    f->ended = true;
    return slice_of(out, FCGI_LAST_BYTES);
}

/* Head and body in one record and the end behind it, in one write: the server in front sees a whole answer at once, and keeps the connection. */
static int send_short(struct request *r, struct slice head, struct slice body, bool last)
{
    char header[FCGI_HEADER_BYTES], end[FCGI_LAST_BYTES];
    struct slice parts[OUTQ_PARTS] = {slice_of(header, 0), head, body, slice_of(end, 0)};
    if (head.len + body.len) {
        fcgi_header_write(header, FCGI_STDOUT, part_of(r)->id, head.len + body.len);
        parts[0].len = sizeof header;
    }
    if (last && !r->aborted)
        parts[3] = last_records(part_of(r), end);
    return conn_send(r->conn, parts, OUTQ_PARTS);
}

static int send_long(struct conn *c, uint16_t id, struct slice piece)
{
    while (piece.len) {
        size_t n = piece.len < FCGI_CONTENT_MAX ? piece.len : FCGI_CONTENT_MAX;
        if (send_record(c, FCGI_STDOUT, id, slice_of(piece.at, n)) < 0)
            return -1;
        piece.at += n;
        piece.len -= n;
    }
    return 0;
}

static int fcgi_send(struct request *r, struct slice head, struct slice body, bool last)
{
    struct conn *c = r->conn;
    r->wire_bytes_out += head.len + body.len;
    if (head.len + body.len > FCGI_CONTENT_MAX) {
        if (send_long(c, part_of(r)->id, head) < 0 || send_long(c, part_of(r)->id, body) < 0)
            return -1;
        head.len = body.len = 0;
    }
    if (send_short(r, head, body, last) < 0)
        return -1;
    set_deadline(c);
    return 0;
}

static int fcgi_send_file(struct request *r, struct slice head, int file_fd, int64_t offset, int64_t len, bool last)
{
    struct conn *c = r->conn;
    char header[FCGI_HEADER_BYTES];
    int result = fcgi_send(r, head, slice_of(NULL, 0), false);
    (void)last; /* the end goes out by ended */
    r->wire_bytes_out += (uint64_t)len;
    while (result == 0 && len) {
        size_t n = len < FCGI_CONTENT_MAX ? (size_t)len : FCGI_CONTENT_MAX;
        int own = dup(file_fd);
        fcgi_header_write(header, FCGI_STDOUT, part_of(r)->id, n);
        struct slice part = slice_of(header, sizeof header);
        if (own < 0)
            result = -1;
        else if (conn_send(c, &part, 1) == 0)
            result = conn_send_file(c, own, offset, (int64_t)n, r->conf && !r->conf->enable_sendfile);
        else {
            close(own);
            result = -1;
        }
        offset += (int64_t)n;
        len -= (int64_t)n;
    }
    close(file_fd);
    return result;
}

static void fcgi_ended(struct request *r)
{
    struct conn *c = r->conn;
    struct fcgi_request *f = part_of(r);
    buf_clear(&r->in);
    if (!f->ended && !r->aborted)
        send_short(r, slice_of(NULL, 0), slice_of(NULL, 0), true);
    else if (!f->ended)
        send_end(c, f->id, FCGI_REQUEST_COMPLETE);
    forget(c, f);
    r->gate = NULL;
    r->conn = NULL;
    c->requests++;
    serve_done(r);
    if (c->state == CONN_CLOSED)
        return;
    conn_resume(c);
    close_when_done(c);
}

static void fcgi_moved(struct request *from, struct request *to) { part_of(from)->request = to; }

static void fcgi_body_wanted(struct request *r) { conn_resume(r->conn); }

static const struct gate_out fcgi_out = {
    .cgi_head = true, .send = fcgi_send, .send_file = fcgi_send_file, .ended = fcgi_ended, .moved = fcgi_moved,
    .body_wanted = fcgi_body_wanted};

const struct gate gate_fcgi = {
    .name = "fastcgi", .opened = fcgi_opened, .input = fcgi_input, .eof = fcgi_eof, .timeout = fcgi_timeout, .drained = fcgi_drained,
    .drain = fcgi_drain, .close = fcgi_close, .out = &fcgi_out};
