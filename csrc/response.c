/* What a producer writes becomes one well framed response. The gate of the connection does the framing. */
#include "response.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conn.h"
#include "errors.h"
#include "gate.h"
#include "limit.h"
#include "log.h"
#include "response_head.h"
#include "serve.h"

enum { FILE_PIECE_BYTES = 32768, KEEP_HEAD_BYTES = 16384, KEEP_BODY_BYTES = 1024, JOIN_BYTES = 8192, WRITE_NOW_BYTES = 4 << 20 };

static struct buf head; /* reused: a head is built and handed over without a switch between */

static const struct gate_out *out_of(const struct request *r) { return r->conn->gate->out; }

size_t response_high_bytes(const struct request *r)
{
    return r->conf && r->conf->output_high_bytes > 0 ? (size_t)r->conf->output_high_bytes : LIMIT_OUTPUT_HIGH_BYTES;
}

/* What a producer that can wait may leave in the queue. The socket has a buffer of its own, so little is enough; what the producer holds of the piece
 * it is writing comes on top. */
static size_t waiting_bytes(const struct request *r) { return response_high_bytes(r) / 2; }

bool response_is_congested(const struct request *r) { return r->conn && r->conn->out.pending >= waiting_bytes(r); }

static int response_build(struct request *r, bool last)
{
    const struct gate_out *out = out_of(r);
    if (response_head_build(r, out->cgi_head, out->has_chunks, last, &head) < 0)
        return -1;
    r->response = RESPONSE_STARTED;
    if (r->clength >= 0 && r->out.len > (uint64_t)r->clength)
        r->out.len = (uint32_t)r->clength;
    return 0;
}

static struct slice head_slice(void) { return slice_of(head.at, head.len); }

static void head_release(void)
{
    if (head.cap > KEEP_HEAD_BYTES)
        buf_clear(&head);
}

enum may_write { WRITE_FAULT = -1 /* errno is set */, WRITE_SWALLOWED, WRITE_OUT };

static enum may_write may_write(const struct request *r)
{
    if (r->handed_over)
        return WRITE_SWALLOWED; /* an internal redirect answers; as in mod_python */
    if (r->conn && r->response != RESPONSE_ENDED)
        return WRITE_OUT;
    errno = r->conn ? EINVAL : EPIPE;
    return WRITE_FAULT;
}

/* How many of n more bytes the announced length allows; the others are cut (and logged once, at the end). */
static size_t within_length(const struct request *r, size_t n)
{
    if (r->response != RESPONSE_STARTED || r->clength < 0)
        return n;
    uint64_t before = r->body_bytes_out, length = (uint64_t)r->clength;
    return before >= length ? 0 : length - before < n ? (size_t)(length - before) : n;
}

static int send_pieces(struct request *r, struct slice first, struct slice body, bool last)
{
    if (r->no_body_out)
        body.len = 0;
    int result = out_of(r)->send(r, first, body, last);
    r->aborted |= result < 0;
    return result;
}

/* Short pieces wait for more of the answer and for other answers until the turn is over, for a few milliseconds at most: whatever the handler does now. */
static int send_pieces_soon(struct request *r, struct slice first, struct slice body)
{
    r->send_soon = true;
    int result = send_pieces(r, first, body, false);
    r->send_soon = false;
    return result;
}

int response_flush_soon(struct request *r)
{
    r->send_soon = true;
    int result = response_flush(r);
    r->send_soon = false;
    return result;
}

int response_flush(struct request *r)
{
    enum may_write may = may_write(r);
    if (may != WRITE_OUT)
        return may;
    if (r->out_filter)
        return r->out_filter->flush(r);
    struct slice first = {NULL, 0};
    if (r->response == RESPONSE_OPEN) {
        if (response_build(r, false) < 0)
            return -1;
        first = head_slice();
    }
    if (!first.len && !r->out.len)
        return 0;
    int result = send_pieces(r, first, slice_of(r->out.at, r->out.len), false);
    buf_clear(&r->out);
    head_release();
    return result;
}

int response_write(struct request *r, const void *data, size_t n)
{
    enum may_write may = may_write(r);
    if (may != WRITE_OUT)
        return may;
    if (r->out_filter)
        return r->out_filter->write(r, data, n);
    size_t take = within_length(r, n);
    r->body_bytes_out += n;
    if (r->header_only || r->no_body_out)
        return 0;
    if (buf_add(&r->out, data, take) < 0)
        return -1;
    /* Once the head is out nothing is won by waiting for more than fills a few packets. */
    size_t enough = r->response == RESPONSE_OPEN ? response_high_bytes(r) : response_high_bytes(r) / 4;
    return r->out.len >= enough ? response_flush(r) : 0;
}

/* Large pieces go from where the producer has them, in calls as large as they can be; what the socket does not take is not kept. */
static long send_now(struct request *r, struct slice body)
{
    long taken = out_of(r)->send_now(r, body);
    r->aborted |= taken < 0;
    r->body_bytes_out += taken > 0 ? (uint64_t)taken : 0;
    return taken;
}

/* One piece costs the kernel less than two: a short body is joined to the head. Returns what is left of it. */
static struct slice join_to_head(const struct request *r, struct slice body)
{
    if (body.len && body.len <= JOIN_BYTES && !r->no_body_out && !r->chunked_out && buf_add(&head, body.at, body.len) == 0)
        body.len = 0;
    return body;
}

/* Can the head go with the first n bytes of the body, in one call and one packet? Not when there is more than the client may keep waiting. */
static bool head_goes_with(struct request *r, size_t n)
{
    return n && r->response == RESPONSE_OPEN && may_write(r) == WRITE_OUT && !r->out.len && n + r->conn->out.pending <= response_high_bytes(r);
}

static long send_with_head(struct request *r, const void *data, size_t n)
{
    if (response_build(r, false) < 0)
        return -1;
    struct slice body = join_to_head(r, slice_of(data, within_length(r, n)));
    r->body_bytes_out += n;
    int result = send_pieces_soon(r, head_slice(), body);
    head_release();
    return result < 0 ? -1 : (long)n;
}

long response_write_some(struct request *r, const void *data, size_t n)
{
    if (r->out_filter)
        return response_write(r, data, n) < 0 ? -1 : (long)n;
    if (head_goes_with(r, n))
        return send_with_head(r, data, n);
    if (response_flush(r) < 0)
        return -1;
    if (r->handed_over || n == 0)
        return (long)n;
    if (r->no_body_out || within_length(r, 1) == 0) {
        r->body_bytes_out += n;
        return (long)n;
    }
    if (response_is_congested(r))
        return 0;
    size_t room = waiting_bytes(r) - r->conn->out.pending, now = 0;
    if (n > room && out_of(r)->send_now) {
        size_t most = within_length(r, n < WRITE_NOW_BYTES ? n : WRITE_NOW_BYTES);
        long taken = send_now(r, slice_of(data, most));
        if (taken < 0 || (size_t)taken == most)
            return taken;
        now = (size_t)taken;
    }
    size_t take = within_length(r, n - now < room ? n - now : room);
    r->body_bytes_out += take;
    return send_pieces_soon(r, slice_of(NULL, 0), slice_of((const char *)data + now, take)) < 0 ? -1 : (long)(now + take);
}

/* How many of len bytes of a file go out: none without a body, never more than announced. */
static int64_t file_within_length(const struct request *r, int64_t len)
{
    if (r->header_only || r->no_body_out)
        return 0;
    int64_t left = r->clength - (int64_t)r->body_bytes_out;
    return r->clength >= 0 && left < len ? left < 0 ? 0 : left : len;
}

/* A file goes through filters in pieces. */
static int file_through_filter(struct request *r, int fd, int64_t offset, int64_t len)
{
    int result = 0;
    char *piece = malloc(FILE_PIECE_BYTES);
    while (piece && !result && len > 0 && !(r->header_only || r->no_body_out)) {
        ssize_t n = pread(fd, piece, len < FILE_PIECE_BYTES ? (size_t)len : FILE_PIECE_BYTES, offset);
        if (n <= 0)
            break;
        result = response_write(r, piece, (size_t)n) < 0 ? -1 : response_flush(r);
        offset += n;
        len -= n;
    }
    free(piece);
    return piece ? result : -1;
}

int response_send_file(struct request *r, int fd, int64_t offset, int64_t len)
{
    enum may_write may = may_write(r);
    if (may != WRITE_OUT)
        return may;
    if (r->out_filter)
        return file_through_filter(r, fd, offset, len);
    int own = len > 0 && !r->header_only ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (len > 0 && !r->header_only && own < 0)
        return -1; /* before the head is out: there can still be another answer */
    if (response_flush(r) < 0) {
        int error = errno;
        if (own >= 0)
            close(own);
        errno = error;
        return -1;
    }
    int64_t take = file_within_length(r, len); /* the head has said how much it may be */
    r->body_bytes_out += (uint64_t)len;
    if (own >= 0 && take <= 0)
        close(own);
    if (take <= 0)
        return 0;
    int result = out_of(r)->send_file(r, slice_of(NULL, 0), own, offset, take, false);
    r->aborted |= result < 0;
    return result;
}

static void response_over(struct request *r)
{
    r->response = RESPONSE_ENDED;
    buf_rest(&r->out, KEEP_BODY_BYTES);
    if (r->conn)
        out_of(r)->ended(r);
    else
        serve_done(r);
}

/* RFC 9112 8: a body that is shorter than announced must end with the connection, or the next response would be read as its rest. */
static void check_length(struct request *r)
{
    if (r->aborted || r->clength < 0 || r->no_body_out || r->body_bytes_out == (uint64_t)r->clength)
        return;
    if (r->body_bytes_out > (uint64_t)r->clength) {
        log_request(r, LEVEL_ERROR, "core", "the handler wrote %llu bytes, its Content-Length is %lld: the rest was cut",
                    (unsigned long long)r->body_bytes_out, (long long)r->clength);
        return;
    }
    log_request(r, LEVEL_ERROR, "core", "the handler wrote %llu bytes, its Content-Length is %lld: the connection is closed",
                (unsigned long long)r->body_bytes_out, (long long)r->clength);
    r->close_after = true;
    r->aborted = true;
}

static int finish_open(struct request *r)
{
    if (response_build(r, true) < 0)
        return -1;
    struct slice body = join_to_head(r, slice_of(r->out.at, r->out.len));
    send_pieces(r, head_slice(), body, true);
    head_release();
    check_length(r);
    return 0;
}

void response_finish(struct request *r)
{
    if (r->response == RESPONSE_ENDED || r->handed_over)
        return;
    if (r->out_filter)
        r->out_filter->finish(r);
    r->out_filter = NULL;
    if (!r->conn) {
        r->aborted |= r->status != 101; /* a WebSocket is closed before its handler has ended */
        response_over(r);
        return;
    }
    if (r->response == RESPONSE_OPEN) {
        if (finish_open(r) < 0) {
            response_reset(r);
            response_error(r, 500, false);
            return;
        }
    } else {
        check_length(r);
        if (!r->aborted)
            send_pieces(r, slice_of(NULL, 0), slice_of(r->out.at, r->out.len), true);
    }
    response_over(r);
}

void response_reset(struct request *r)
{
    if (r->response != RESPONSE_OPEN)
        return;
    table_clear(&r->headers_out);
    buf_clear(&r->out);
    r->body_bytes_out = 0;
    r->clength = -1;
    r->content_type = r->content_encoding = r->content_languages = r->status_line = NULL;
}

void response_allow(struct request *r, int status)
{
    if (status != 405 && status != 501)
        return;
    struct buf text = {0};
    for (int m = 0; m < METHOD_INVALID; m++)
        if (r->allowed & (1ull << m))
            buf_addf(&text, "%s%s%s", text.len ? "," : "", http_method_name(m), m == METHOD_GET ? ",HEAD" : "");
    if (r->allowed_more)
        buf_addf(&text, "%s%s", text.len ? "," : "", r->allowed_more);
    if (text.len && !table_find(&r->err_headers_out, SLICE("Allow")))
        table_set(&r->err_headers_out, SLICE("Allow"), slice_of(text.at, text.len));
    buf_clear(&text);
}

void response_error(struct request *r, int status, bool close)
{
    r->out_filter = NULL; /* the server's own pages are not filtered */
    if (r->response == RESPONSE_OPEN) {
        response_reset(r);
        r->status = status;
        r->own_page = true;
        r->close_after |= close;
        response_allow(r, status);
        if (!response_has_no_body(r) || r->header_only) {
            r->content_type = (char *)"text/html; charset=utf-8";
            errors_page(&r->out, status, response_reason(status), r);
            r->body_bytes_out = r->out.len;
            if (r->header_only)
                buf_clear(&r->out);
        }
        if (r->conn && finish_open(r) < 0) { /* a header that configuration or an earlier phase put there is bad: send none of them */
            table_clear(&r->err_headers_out);
            r->close_after = true;
            finish_open(r);
        }
    } else if (r->response == RESPONSE_STARTED) {
        r->aborted = r->close_after = true; /* half an answer is out: only cutting it short tells the client */
    }
    if (r->response != RESPONSE_ENDED)
        response_over(r);
}

int response_begin_raw(struct request *r)
{
    if (!r->conn || r->response != RESPONSE_OPEN || r->out_filter || out_of(r)->cgi_head)
        return -1;
    r->response = RESPONSE_STARTED;
    r->chunked_out = r->no_body_out = r->header_only = false;
    r->clength = -1;
    r->close_after = true;
    return 0;
}

int response_interim(struct request *r, int status, const struct table *fields)
{
    if (!r->conn || r->response != RESPONSE_OPEN || r->head.minor == 0 || out_of(r)->cgi_head)
        return 0;
    struct buf text = {0};
    int result = buf_addf(&text, "HTTP/1.1 %d %s\r\n", status, response_reason(status));
    for (uint32_t i = 0; fields && result == 0 && i < fields->count; i++) {
        const struct table_entry *e = &fields->entries[i];
        struct slice name = slice_of(e->key, e->key_len), value = slice_of(e->value, e->value_len);
        if (http_is_token(name) && http_is_value(value))
            result = buf_addf(&text, "%.*s: %.*s\r\n", (int)name.len, name.at, (int)value.len, value.at);
    }
    if (result == 0 && (result = buf_add(&text, "\r\n", 2)) == 0) {
        struct slice all = slice_of(text.at, text.len);
        result = conn_send(r->conn, &all, 1);
    }
    buf_clear(&text);
    return result;
}

long request_body_read(struct request *r, void *to, size_t n)
{
    static const int faults[] = {[BODY_TIMED_OUT] = ETIMEDOUT, [BODY_BROKEN] = ECONNRESET, [BODY_MALFORMED] = EBADMSG, [BODY_TOO_LARGE] = EFBIG};
    if (n == 0)
        return 0;
    if (r->in_filter)
        return r->in_filter->read(r, to, n);
    if (r->in.len) {
        size_t take = r->in.len < n ? r->in.len : n;
        memcpy(to, r->in.at, take);
        buf_drop(&r->in, take);
        r->body_bytes_read += take;
        if (!r->in.len && r->body == BODY_READING && r->conn)
            out_of(r)->body_wanted(r);
        return (long)take;
    }
    if (r->body == BODY_WHOLE)
        return 0;
    if (r->body == BODY_READING && r->conn) {
        out_of(r)->body_wanted(r);
        errno = EAGAIN;
        return -1;
    }
    errno = r->body == BODY_READING ? ECONNRESET : faults[r->body];
    return -1;
}
