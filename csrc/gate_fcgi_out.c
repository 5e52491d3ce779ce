/* What FastCGI sends: answers in records, the end of each request, and when the connection may close. */
#include <fcntl.h>
#include <unistd.h>

#include "gate_fcgi.h"
#include "gate_request.h"
#include "response.h"

void fcgi_forget(struct conn *c, struct fcgi_request *gone)
{
    struct fcgi_request **at = &fcgi_of(c)->requests;
    while (*at && *at != gone)
        at = &(*at)->next;
    if (*at)
        *at = gone->next;
    fcgi_of(c)->count--;
    buf_clear(&gone->params);
}

void fcgi_set_deadline(struct conn *c)
{
    const struct server_conf *s = c->listener->default_server;
    bool waits = false;
    for (const struct fcgi_request *f = fcgi_of(c)->requests; f; f = f->next)
        waits |= f->stage < STAGE_BUSY || (f->request->body == BODY_READING && !c->paused);
    int64_t ms = c->out_waiting || waits ? s->timeout_ms : fcgi_of(c)->requests ? 0 : s->keep_alive_timeout_ms;
    conn_set_deadline(c, gate_after_ms(c, ms));
}

void fcgi_close_when_done(struct conn *c)
{
    if (!fcgi_of(c)->requests && fcgi_of(c)->closing && !c->out_waiting)
        conn_linger(c);
    else
        fcgi_set_deadline(c);
}

/* 3.5: the server in front has said that this is the last one, and has sent all of it: closing at once loses nothing. */
static bool closes_at_once(const struct conn *c, const struct fcgi_request *f)
{
    return fcgi_of(c)->count == 1 && !f->keep_conn && f->stdin_over && !c->in.len && !c->out_waiting;
}

int fcgi_send_record(struct conn *c, enum fcgi_type type, uint16_t id, struct slice content)
{
    char header[FCGI_HEADER_BYTES];
    fcgi_header_write(header, type, id, content.len);
    struct slice parts[2] = {slice_of(header, sizeof header), content};
    return conn_send(c, parts, 2);
}

int fcgi_send_end(struct conn *c, uint16_t id, enum fcgi_status status)
{
    char record[16];
    fcgi_end_write(record, id, 0, status);
    struct slice all = slice_of(record, sizeof record);
    return conn_send(c, &all, 1);
}

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
        fcgi_header_write(header, FCGI_STDOUT, fcgi_part(r)->id, head.len + body.len);
        parts[0].len = sizeof header;
    }
    if (last && !r->aborted)
        parts[3] = last_records(fcgi_part(r), end);
    return last && closes_at_once(r->conn, fcgi_part(r)) ? conn_send_last(r->conn, parts, OUTQ_PARTS) : conn_send(r->conn, parts, OUTQ_PARTS);
}

static int send_long(struct conn *c, uint16_t id, struct slice piece)
{
    while (piece.len) {
        size_t n = piece.len < FCGI_CONTENT_MAX ? piece.len : FCGI_CONTENT_MAX;
        if (fcgi_send_record(c, FCGI_STDOUT, id, slice_of(piece.at, n)) < 0)
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
        if (send_long(c, fcgi_part(r)->id, head) < 0 || send_long(c, fcgi_part(r)->id, body) < 0)
            return -1;
        head.len = body.len = 0;
    }
    if (send_short(r, head, body, last) < 0)
        return -1;
    fcgi_set_deadline(c);
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
        int own = fcntl(file_fd, F_DUPFD_CLOEXEC, 0);
        fcgi_header_write(header, FCGI_STDOUT, fcgi_part(r)->id, n);
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
    struct fcgi_request *f = fcgi_part(r);
    buf_clear(&r->in);
    if (!f->ended && !r->aborted)
        send_short(r, slice_of(NULL, 0), slice_of(NULL, 0), true);
    else if (!f->ended)
        fcgi_send_end(c, f->id, FCGI_REQUEST_COMPLETE);
    bool at_once = closes_at_once(c, f);
    fcgi_forget(c, f);
    r->gate = NULL;
    if (!gate_request_over(c, r, at_once))
        return;
    conn_resume(c);
    fcgi_close_when_done(c);
}

static void fcgi_moved(struct request *from, struct request *to) { fcgi_part(from)->request = to; }

static void fcgi_body_wanted(struct request *r) { conn_resume(r->conn); }

const struct gate_out gate_fcgi_out = {
    .cgi_head = true, .send = fcgi_send, .send_file = fcgi_send_file, .ended = fcgi_ended, .moved = fcgi_moved,
    .body_wanted = fcgi_body_wanted};
