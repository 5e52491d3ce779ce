/* From what a script writes to the response: its head, checked; its body as it comes, no faster than the client takes it; its errors to the log. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cgi_parts.h"
#include "log.h"
#include "response.h"
#include "static.h"

enum { PIECES_A_TURN = 16, ERROR_LINE_BYTES = 4096, BAD_SHOWN_BYTES = 200 };

static struct slice text_of(const struct cgi_job *job, struct http_span s) { return slice_of(job->head.at + s.at, s.len); }

/* ---- the head ---- */

/* Fields that configuration and error pages may replace stand in headers_out; all others stay, whatever becomes of the answer. */
static struct table *table_for(struct request *r, struct slice name)
{
    static const struct slice replaced[] = {{"ETag", 4}, {"Last-Modified", 13}, {"Content-Range", 13}, {"Date", 4}, {"Server", 6}};
    for (size_t i = 0; i < sizeof replaced / sizeof *replaced; i++)
        if (slice_eq_nocase(name, replaced[i]))
            return &r->headers_out;
    return &r->err_headers_out;
}

static int adopt_fields(struct cgi_job *job)
{
    struct request *r = job->request;
    int failed = 0;
    for (uint32_t i = 0; i < job->answer.count; i++) {
        struct slice name = text_of(job, job->answer.fields[i].name);
        failed |= table_add(table_for(r, name), name, text_of(job, job->answer.fields[i].value));
    }
    if (job->answer.type.at)
        failed |= !(r->content_type = request_strdup(r, text_of(job, job->answer.type)));
    if (job->answer.status) {
        r->status = job->answer.status;
        if (job->answer.status_text.len > 4) /* without words it is said in ours */
            failed |= !(r->status_line = request_strdup(r, text_of(job, job->answer.status_text)));
    }
    r->clength = job->answer.length;
    return failed;
}

/* Location without a Status: a path on this server is answered in its place, anything else is a redirect. */
static bool redirected(struct cgi_job *job)
{
    struct request *r = job->request;
    struct slice location = text_of(job, job->answer.location);
    if (!job->answer.location.at)
        return false;
    bool plain = r->status == 200;
    if (plain && location.at[0] == '/') {
        const char *uri = request_strdup(r, location);
        cgi_job_decide(job, uri ? CGI_ELSEWHERE : CGI_STATUS, 500, uri, false);
        return true;
    }
    if (table_set(&r->err_headers_out, SLICE("Location"), location) < 0)
        cgi_job_decide(job, CGI_STATUS, 500, NULL, true);
    else if (plain)
        cgi_job_decide(job, CGI_STATUS, 302, NULL, false);
    return job->state == CGI_OVER;
}

/* A script that names its validators and no Status is spared the comparison. */
static bool not_modified(struct cgi_job *job)
{
    struct request *r = job->request;
    int status = !job->answer.status && r->method_number == METHOD_GET ? conditions_check(r) : 0;
    if (status == 304) {
        r->status = 304;
        r->clength = -1;
        cgi_job_decide(job, CGI_ANSWERED, 0, NULL, false);
    } else if (status) {
        cgi_job_decide(job, CGI_STATUS, status, NULL, false);
    }
    return status != 0;
}

static void malformed(struct cgi_job *job)
{
    char shown[BAD_SHOWN_BYTES * 4 + 1];
    struct slice bad = text_of(job, job->answer.bad);
    bool cut = bad.len > BAD_SHOWN_BYTES;
    if (cut)
        bad.len = BAD_SHOWN_BYTES;
    size_t n = log_escape(shown, sizeof shown - 1, bad);
    shown[n] = 0;
    log_request(job->request, LEVEL_ERROR, "cgi", "malformed header from script %s: %s: '%s'%s", job->request->filename, job->answer.fault, shown,
                cut ? " ..." : "");
    response_reset(job->request);
    cgi_job_decide(job, CGI_STATUS, 500, NULL, true);
}

static void body_out(struct cgi_job *job, const char *at, size_t len);

static void head_in(struct cgi_job *job, const char *at, size_t len)
{
    if (buf_add(&job->head, at, len) < 0) {
        cgi_job_decide(job, CGI_STATUS, 500, NULL, true);
        return;
    }
    switch (cgi_answer_parse(&job->answer, job->head.at, job->head.len)) {
    case CGI_ANSWER_MORE:
        return;
    case CGI_ANSWER_BAD:
        malformed(job);
        return;
    case CGI_ANSWER_DONE:
        break;
    }
    job->head_done = true;
    if (adopt_fields(job))
        cgi_job_decide(job, CGI_STATUS, 500, NULL, true);
    else if (!redirected(job) && !not_modified(job))
        body_out(job, job->head.at + job->answer.used, job->head.len - job->answer.used);
    buf_clear(&job->head);
}

/* nph-: all of the answer is the script's. The log still wants to know what it said. */
static void begin_raw(struct cgi_job *job, const char *at, size_t len)
{
    struct request *r = job->request;
    if (r->out_filter || response_begin_raw(r) < 0) {
        job->nph = false; /* a protocol that has no raw answers: its head is read like any other's */
        return;
    }
    job->raw = job->head_done = true;
    if (len >= 12 && memcmp(at, "HTTP/1.", 7) == 0 && at[9] >= '2' && at[9] <= '5' && at[10] >= '0' && at[10] <= '9' && at[11] >= '0' && at[11] <= '9')
        r->status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
}

/* ---- the body ---- */

static void body_out(struct cgi_job *job, const char *at, size_t len)
{
    if (!len || response_write(job->request, at, len) == 0)
        return;
    if (errno != EPIPE)
        log_request(job->request, LEVEL_ERROR, "cgi", "what script %s writes cannot be sent: %s", job->request->filename, strerror(errno));
    cgi_job_decide(job, errno == EPIPE ? CGI_ANSWERED : CGI_STATUS, 500, NULL, true);
}

static void piece_in(struct cgi_job *job, const char *at, size_t len)
{
    job->moved_ns = job->pool->loop->now_ns;
    if (job->nph && !job->raw)
        begin_raw(job, at, len);
    if (job->head_done)
        body_out(job, at, len);
    else
        head_in(job, at, len);
}

static void no_head(struct cgi_job *job)
{
    if (job->answer.at < job->head.len && job->head.len) { /* what there is of a line may say what went wrong */
        job->answer.bad = (struct http_span){job->answer.at, job->head.len - job->answer.at};
        job->answer.fault = "the output ends within the head";
        malformed(job);
        return;
    }
    log_request(job->request, LEVEL_ERROR, "cgi", "end of script output before headers: %s", job->request->filename);
    cgi_job_decide(job, CGI_STATUS, 500, NULL, true);
}

void cgi_output_end(struct cgi_job *job)
{
    if (!cgi_job_open(job))
        return;
    if (job->head_done)
        cgi_job_decide(job, CGI_ANSWERED, 0, NULL, false);
    else
        no_head(job);
}

/* One read. 1: there may be more; 0: not now; -1: that was the end. */
static int read_some(struct source *s, char *to, size_t room, ssize_t *n)
{
    do
        *n = read(s->fd, to, room);
    while (*n < 0 && errno == EINTR);
    return *n > 0 ? 1 : *n < 0 && errno == EAGAIN ? 0 : -1;
}

/* What has come goes out when the script pauses; a short answer that is there at once goes out as one. */
static void pause_out(struct cgi_job *job)
{
    if (cgi_job_open(job) && job->head_done && job->request->out.len + (job->request->response == RESPONSE_OPEN) && response_flush(job->request) < 0)
        body_out(job, "", 0);
}

void cgi_output_pump(struct cgi_job *job)
{
    ssize_t n;
    int more = 1;
    for (int i = 0; cgi_job_open(job) && job->out.fd >= 0 && more == 1; i++) {
        if (response_is_congested(job->request))
            return; /* on_drain */
        if (i == PIECES_A_TURN) {
            cgi_job_wake(job);
            return;
        }
        if ((more = read_some(&job->out, job->piece, CGI_PIECE_BYTES, &n)) == 1)
            piece_in(job, job->piece, (size_t)n);
    }
    if (more < 0)
        cgi_source_close(job, &job->out);
    else
        pause_out(job);
}

void cgi_output_drop(struct cgi_job *job)
{
    ssize_t n;
    int more = 1;
    for (int i = 0; job->out.fd >= 0 && more == 1; i++) {
        if (i == PIECES_A_TURN) {
            cgi_job_wake(job);
            return;
        }
        more = read_some(&job->out, job->piece, CGI_PIECE_BYTES, &n);
        if (more == 1)
            job->moved_ns = job->pool->loop->now_ns;
    }
    if (more < 0)
        cgi_source_close(job, &job->out);
}

/* ---- standard error ---- */

static void error_line(struct cgi_job *job, const char *at, size_t len)
{
    char shown[ERROR_LINE_BYTES + 1];
    if (len && at[len - 1] == '\r')
        len--;
    if (!len || job->drops)
        return;
    job->logged_bytes += (uint32_t)len;
    if (job->logged_bytes > LIMIT_CGI_STDERR_BYTES) {
        job->drops = true;
        log_request(job->request, LEVEL_ERROR, "cgi", "script %s writes more than %d bytes to its standard error: the rest is dropped",
                    job->request->filename, LIMIT_CGI_STDERR_BYTES);
        return;
    }
    for (size_t i = 0; i < len; i++)
        shown[i] = at[i] ? at[i] : ' '; /* the line goes through a format */
    shown[len] = 0;
    log_request(job->request, LEVEL_ERROR, "cgi", "stderr from %s: %s", job->request->filename, shown);
    shown[len] = '\n';
    log_echo(job->request, slice_of(shown, len + 1));
}

/* Whole lines, and those that are too long in parts. */
static void error_lines(struct cgi_job *job, bool over)
{
    size_t used = 0;
    while (used < job->line.len) {
        size_t left = job->line.len - used, len = left < ERROR_LINE_BYTES - 1 ? left : ERROR_LINE_BYTES - 1;
        const char *at = job->line.at + used, *end = memchr(at, '\n', len);
        if (!end && len == left && !over)
            break;
        if (end)
            len = (size_t)(end - at);
        error_line(job, at, len);
        used += len + (end != NULL);
    }
    if (used)
        buf_drop(&job->line, used);
}

void cgi_output_errors(struct cgi_job *job)
{
    char piece[ERROR_LINE_BYTES];
    ssize_t n;
    int more = 1;
    for (int i = 0; job->err.fd >= 0 && more == 1; i++) {
        if (i == PIECES_A_TURN) {
            cgi_job_wake(job);
            return;
        }
        more = read_some(&job->err, piece, sizeof piece, &n);
        if (more == 1 && !job->drops && buf_add(&job->line, piece, (size_t)n) == 0)
            error_lines(job, false);
    }
    if (more < 0) {
        error_lines(job, true);
        cgi_source_close(job, &job->err);
    }
}
