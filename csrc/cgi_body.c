/* The body of the request on its way to the script: straight into its standard input where the length is known, else through a file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgi_parts.h"
#include "log.h"
#include "response.h"
#include "spool.h"

/* A request that was answered by another one in its place (error document, Location of a script) brings no body. */
static bool was_made_a_get(const struct request *r)
{
    return r->error_document || (r->prev && r->method_number == METHOD_GET && r->prev->method_number != METHOD_GET);
}

bool cgi_body_exists(const struct request *r) { return !was_made_a_get(r) && (r->body != BODY_WHOLE || r->in.len || r->in_filter); }

bool cgi_body_is_gathered(const struct request *r)
{
    return cgi_body_exists(r) && (!r->head.has_length || r->in_filter || r->body_bytes_read);
}

/* The body never comes whole: the script must not take a part for all of it. */
static void broken(struct cgi_job *job, int error)
{
    int status = error == ETIMEDOUT ? 408 : error == EFBIG ? 413 : 400;
    job->request->close_after = true;
    cgi_job_decide(job, CGI_STATUS, status, NULL, true);
}

static void file_failed(struct cgi_job *job, const char *what)
{
    log_request(job->request, LEVEL_ERROR, "cgi", "the body cannot be kept in a file for %s: %s: %s", job->request->filename, what, strerror(errno));
    cgi_job_decide(job, CGI_STATUS, 500, NULL, true);
}

/* The coding is undone: what the script reads has the length that it is told. */
static void gathered(struct cgi_job *job)
{
    char text[24];
    struct request *r = job->request;
    off_t length = lseek(job->body_fd, 0, SEEK_CUR);
    if (length < 0 || lseek(job->body_fd, 0, SEEK_SET) < 0) {
        file_failed(job, "lseek");
        return;
    }
    int n = snprintf(text, sizeof text, "%lld", (long long)length);
    struct table *headers = request_headers_in(r);
    table_set(headers, SLICE("Content-Length"), slice_of(text, (size_t)n));
    table_unset(headers, SLICE("Transfer-Encoding"));
    job->state = CGI_WAITS;
}

void cgi_body_gather(struct cgi_job *job)
{
    if (job->body_fd < 0 && (job->body_fd = spool_open("cgi-body")) < 0) {
        file_failed(job, "open");
        return;
    }
    for (;;) {
        long n = request_body_read(job->request, job->piece, CGI_PIECE_BYTES);
        if (n == 0)
            gathered(job);
        else if (n < 0 && errno != EAGAIN)
            broken(job, errno);
        if (n <= 0)
            return;
        if (spool_write(job->body_fd, job->piece, (size_t)n) < 0) {
            file_failed(job, "write");
            return;
        }
    }
}

/* False: the pipe is full, or the script does not want more. */
static bool give(struct cgi_job *job, const char *at, size_t len, size_t *taken)
{
    ssize_t n = write(job->in.fd, at, len);
    *taken = n > 0 ? (size_t)n : 0;
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        cgi_source_close(job, &job->in); /* EPIPE: whoever answers without reading may */
    if (n > 0)
        job->moved_ns = job->pool->loop->now_ns;
    return *taken == len;
}

static bool give_unsent(struct cgi_job *job)
{
    size_t taken;
    if (!job->unsent.len)
        return true;
    bool all = give(job, job->unsent.at, job->unsent.len, &taken);
    buf_drop(&job->unsent, taken);
    return all;
}

void cgi_body_pump(struct cgi_job *job)
{
    size_t taken;
    while (job->in.fd >= 0 && give_unsent(job)) {
        long n = request_body_read(job->request, job->piece, CGI_PIECE_BYTES);
        if (n == 0)
            cgi_source_close(job, &job->in);
        else if (n < 0 && errno != EAGAIN)
            broken(job, errno);
        if (n <= 0)
            return;
        if (!give(job, job->piece, (size_t)n, &taken) && job->in.fd >= 0 && buf_add(&job->unsent, job->piece + taken, (size_t)n - taken) < 0)
            broken(job, ENOMEM);
    }
}
