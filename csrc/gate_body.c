/* The body of a request on a connection that has it to itself: decoded, bounded by memory and time, given to whoever waits for it. */
#include "gate_body.h"
#include "http_body.h"
#include "limit.h"
#include "log.h"
#include "shm.h"

void stream_rate_deadline(struct conn *c, const struct rate_conf *rate, int64_t start_ns, uint64_t bytes)
{
    if (!rate->initial_ms) {
        conn_set_deadline(c, gate_after_ms(c, stream_server(c)->timeout_ms));
        return;
    }
    int64_t allowed = rate->initial_ms;
    if (rate->min_bytes_per_s)
        allowed += (int64_t)(bytes * 1000 / (uint64_t)rate->min_bytes_per_s);
    if (rate->max_ms && allowed > rate->max_ms)
        allowed = rate->max_ms;
    conn_set_deadline(c, start_ns + allowed * GATE_NS_PER_MS);
}

/* What a request with a body needs, in the request's memory. */
struct body_reader {
    struct http_body decoder;
    char *trailer; /* arena: the trailer section as far as it has come */
    uint32_t trailer_len, trailer_room;
};

static struct http_body *decoder_of(const struct request *r) { return &((struct body_reader *)r->gate)->decoder; }

bool stream_body_prepare(struct conn *c, struct request *r)
{
    struct body_reader *reader = request_alloc(r, sizeof *reader);
    if (!reader) {
        conn_close(c);
        return false;
    }
    reader->trailer_len = reader->trailer_room = 0;
    http_body_init(&reader->decoder, r->head.chunked, r->head.length, 0, (uint32_t)r->server->limit_request_field_size,
                   (uint32_t)r->server->limit_request_fields);
    r->gate = reader;
    return true;
}

void stream_body_ended(struct request *r, enum body_state state)
{
    r->body = (uint8_t)state;
    if (r->conn) {
        conn_set_deadline(r->conn, 0);
        if (state != BODY_WHOLE)
            r->close_after = true;
        conn_pause(r->conn);
    }
    waker_wake(r->on_body);
}

/* The client has a deadline for its body while it is the one that is waited for, not while the handler is. */
void stream_body_deadline(struct conn *c)
{
    struct request *r = c->req;
    if (c->paused)
        conn_set_deadline(c, c->out_waiting ? gate_after_ms(c, r->server->timeout_ms) : 0);
    else
        stream_rate_deadline(c, &r->server->read_body, r->body_since_ns ? r->body_since_ns : r->start_ns, r->body_bytes_in - r->body_since_bytes);
}

static void body_data(struct conn *c, struct request *r, struct slice data)
{
    r->body_bytes_in += data.len;
    r->continue_due = false; /* RFC 9110 10.1.1: whoever sends already need not be asked */
    if (r->response == RESPONSE_ENDED)
        return; /* nobody will read it */
    if (buf_add(&r->in, data.at, data.len) < 0) {
        stream_body_ended(r, BODY_BROKEN);
    } else {
        if (r->in.len >= (uint64_t)r->main->body_memory_bytes)
            conn_pause(c);
        waker_wake(r->on_body);
    }
}

/* The decoder has bounded the section; without memory for it there are no trailers. */
static void keep_trailer(struct request *r, struct slice piece)
{
    struct body_reader *reader = r->gate;
    uint32_t need = reader->trailer_len + (uint32_t)piece.len;
    if (need > reader->trailer_room) {
        char *larger = request_alloc(r, need * 2u);
        if (!larger)
            return;
        if (reader->trailer_len)
            memcpy(larger, reader->trailer, reader->trailer_len);
        reader->trailer = larger;
        reader->trailer_room = need * 2u;
    }
    memcpy(reader->trailer + reader->trailer_len, piece.at, piece.len);
    reader->trailer_len = need;
}

static void take_trailers(struct request *r)
{
    struct body_reader *reader = r->gate;
    struct http_field *fields;
    uint32_t count = reader->decoder.trailer_fields;
    if (!count || !(fields = request_alloc(r, count * sizeof *fields)))
        return;
    count = http_trailer_fields(reader->trailer, reader->trailer_len, fields, count);
    for (uint32_t i = 0; i < count; i++)
        table_add(&r->trailers_in, slice_of(reader->trailer + fields[i].name_at, fields[i].name_len),
                  slice_of(reader->trailer + fields[i].value_at, fields[i].value_len));
}

static void body_refused(struct request *r, enum http_fault fault)
{
    struct http_fault_text text = http_fault_info(fault);
    log_request(r, text.directive ? LEVEL_WARN : LEVEL_INFO, "core", "bad request body: %s%s%s", text.why, text.directive ? ": " : "",
                text.directive ? text.directive : "");
    if (text.directive)
        shm_add(limits_hit, 1);
    stream_body_ended(r, fault == FAULT_BODY_TOO_LARGE ? BODY_TOO_LARGE : BODY_MALFORMED);
}

/* One step of the decoder; how many bytes it has used. */
static size_t take_body(struct conn *c, struct http_body *decoder, struct slice bytes, enum body_result *result)
{
    struct request *r = c->req;
    size_t n = 0;
    struct slice data;
    enum http_fault fault = FAULT_NONE;
    switch ((*result = http_body_feed(decoder, bytes, &n, &data, &fault))) {
    case BODY_DATA:
        body_data(c, r, data);
        break;
    case BODY_TRAILER:
        keep_trailer(r, data);
        break;
    case BODY_END:
        take_trailers(r);
        stream_body_ended(r, BODY_WHOLE);
        break;
    case BODY_BAD:
        body_refused(r, fault);
        return bytes.len;
    case BODY_MORE:
        break;
    }
    return n;
}

/* LimitRequestBody is known once the configuration of the request is; it holds for what comes and for what has come. */
size_t stream_body_input(struct conn *c, const char *bytes, size_t len)
{
    struct request *r = c->req;
    struct http_body *decoder = r->gate ? decoder_of(r) : NULL;
    size_t used = 0;
    enum body_result result = BODY_DATA;
    if (decoder && r->conf && r->conf->limit_request_body_bytes)
        decoder->limit = (uint64_t)r->conf->limit_request_body_bytes;
    while (decoder && result != BODY_MORE && r->body == BODY_READING && (!c->paused || decoder->over))
        used += take_body(c, decoder, slice_of(bytes + used, len - used), &result);
    if (r->body == BODY_READING)
        stream_body_deadline(c);
    else if (r->body == BODY_WHOLE)
        r->continue_due = false;
    if (r->response == RESPONSE_ENDED && (r->body != BODY_READING || r->body_bytes_in > LIMIT_DISCARD_BYTES))
        stream_go_on(c);
    return used;
}

void stream_body_wanted(struct request *r)
{
    struct conn *c = r->conn;
    if (r->continue_due) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        struct slice text = SLICE(go_on);
        r->continue_due = false;
        if (r->response == RESPONSE_OPEN)
            conn_send(c, &text, 1);
    }
    bool waited_for_us = c->paused || !c->deadline_ns;
    conn_resume(c);
    if (!waited_for_us || r->body != BODY_READING)
        return;
    r->body_since_ns = conn_loop(c)->now_ns;
    r->body_since_bytes = r->body_bytes_in;
    stream_body_deadline(c);
}
