/* FastCGI: requests multiplexed on one connection. Each has its own params, body and answer; the connection's buffers are shared, so one whose
 * handler does not read holds up the others' input (and only that). Section numbers are those of the FastCGI 1.0 specification. */
#include <stdlib.h>

#include "gate_fcgi.h"
#include "gate_vars.h"
#include "limit.h"
#include "log.h"
#include "response.h"
#include "serve.h"

static struct pack pack; /* one head at a time */

static struct fcgi_request *find(const struct conn *c, uint16_t id)
{
    struct fcgi_request *f = fcgi_of(c)->requests;
    while (f && f->id != id)
        f = f->next;
    return f;
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
        return fcgi_send_end(c, record->id, role != FCGI_RESPONDER ? FCGI_UNKNOWN_ROLE : FCGI_OVERLOADED) == 0;
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

static void serve(struct fcgi_request *f, uint64_t length)
{
    f->stage = STAGE_BUSY;
    f->length = length;
    f->request->body = length ? BODY_READING : BODY_WHOLE;
    f->request->head.chunked = length == UINT64_MAX;
    serve_request(f->request);
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
        fault = gate_request_fill(c, r, head.at, head.len);
        head.at = NULL;
    }
    buf_clear(&f->params);
    if (!fault.status && r->head.has_length)
        serve(f, r->head.length);
    else if (!fault.status)
        f->stage = STAGE_STDIN;
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
    waker_wake(r->on_body);
}

static bool stdin_data(struct conn *c, struct fcgi_request *f, struct slice content)
{
    struct request *r = f->request;
    uint16_t id = f->id;
    if (f->stage == STAGE_PARAMS)
        return false;
    f->stdin_over |= !content.len;
    if (f->stage == STAGE_STDIN) {
        serve(f, content.len ? UINT64_MAX : 0);
        if (!content.len || c->state == CONN_CLOSED || !(f = find(c, id)))
            return true;
    }
    if (r->body != BODY_READING)
        return true; /* more than CONTENT_LENGTH, or nobody wants it */
    uint64_t room = f->length - r->body_bytes_in, take = content.len < room ? content.len : room;
    if (!content.len) {
        body_state(r, f->length == UINT64_MAX ? BODY_WHOLE : BODY_BROKEN); /* 6.2: the stream ended before CONTENT_LENGTH */
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
        waker_wake(r->on_body);
    if (r->in.len >= (uint64_t)r->main->body_memory_bytes && r->body == BODY_READING)
        conn_pause(c);
    return true;
}

/* Aborted before anybody but us knew of it. */
static bool drop_unseen(struct conn *c, struct fcgi_request *f)
{
    struct request *r = f->request;
    int result = fcgi_send_end(c, f->id, FCGI_REQUEST_COMPLETE);
    fcgi_forget(c, f);
    r->gate = NULL;
    r->conn = NULL;
    request_unref(r);
    fcgi_close_when_done(c);
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
        result = fcgi_send_record(c, FCGI_GET_VALUES_RESULT, 0, slice_of(answer.at, answer.len));
    buf_clear(&answer);
    return result;
}

static bool management(struct conn *c, const struct fcgi_record *record)
{
    if (record->type == FCGI_GET_VALUES)
        return get_values(c, record->content) == 0;
    const char body[8] = {(char)record->type};
    return fcgi_send_record(c, FCGI_UNKNOWN_TYPE, 0, slice_of(body, sizeof body)) == 0;
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
    case FCGI_ABORT_REQUEST: return f->stage < STAGE_BUSY ? drop_unseen(c, f) : (gate_request_gone(f->request), true);
    case FCGI_DATA: return true; /* of the filter role only */
    default: return false;
    }
}

/* ---- struct gate ---- */

/* 5.3: FCGI_STDERR */
static void fcgi_echo(const struct request *r, struct slice text)
{
    struct conn *c = r->conn;
    if (!c || c->gate != &gate_fcgi || c->state == CONN_CLOSED || !r->gate || r->aborted || r->response == RESPONSE_ENDED || fcgi_part(r)->ended)
        return;
    fcgi_send_record(c, FCGI_STDERR, fcgi_part(r)->id, slice_of(text.at, text.len < FCGI_CONTENT_MAX ? text.len : FCGI_CONTENT_MAX));
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
    conn_set_deadline(c, gate_after_ms(c, c->listener->default_server->timeout_ms));
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
        fcgi_set_deadline(c);
    return record.used;
}

static void fcgi_eof(struct conn *c, bool broken)
{
    (void)broken;
    if (c->in.len)
        log_error(NULL, LEVEL_INFO, "fastcgi", "the connection ended within a record");
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
            waker_wake(f->request->on_drain);
    }
    fcgi_close_when_done(c);
}

static void fcgi_drain(struct conn *c)
{
    fcgi_of(c)->closing = true;
    fcgi_close_when_done(c);
}

static void fcgi_close(struct conn *c)
{
    struct fcgi *state = fcgi_of(c);
    while (state && state->requests) {
        struct fcgi_request *f = state->requests;
        struct request *r = f->request;
        bool unseen = f->stage < STAGE_BUSY;
        fcgi_forget(c, f);
        r->conn = NULL;
        r->gate = NULL;
        if (unseen)
            request_unref(r);
        else
            gate_request_gone(r);
    }
    free(state);
    c->gate_state = NULL;
}

const struct gate gate_fcgi = {
    .name = "fastcgi", .talks_at_once = true, .opened = fcgi_opened, .input = fcgi_input, .eof = fcgi_eof, .timeout = fcgi_timeout, .drained = fcgi_drained,
    .drain = fcgi_drain, .close = fcgi_close, .out = &gate_fcgi_out};
