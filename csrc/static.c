/* Static files: one open, one fstat and one read or sendfile for each answer; everything else is looked up in memory. */
#include "static.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "conditions.h"
#include "log.h"
#include "range.h"
#include "response.h"
#include "route.h"
#include "static_room.h"

enum { ETAG_MTIME = 1, ETAG_SIZE = 2, ETAG_INODE = 4, ETAG_ROOM = 64 };

void static_header(struct request *r, struct slice name, struct slice value)
{
    if (r->headers_out.count)
        table_unset(&r->headers_out, name);
    table_add_borrowed(&r->headers_out, name, value);
}

int static_method(struct request *r)
{
    if (r->method_number == METHOD_GET)
        return 0;
    r->allowed |= 1u << METHOD_GET | 1u << METHOD_OPTIONS;
    table_set(&r->err_headers_out, SLICE("Allow"), SLICE("GET, HEAD, OPTIONS"));
    if (r->method_number != METHOD_OPTIONS)
        return r->method_number == METHOD_INVALID ? 501 : 405;
    r->clength = 0;
    response_finish(r);
    return -1;
}

static int64_t mtime_us_of(const struct stat *st) { return (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000; }

int static_etag(const struct request *r, const struct stat *st, char *out, int room)
{
    unsigned long long parts[3];
    int count = 0, bits = r->conf->file_etag, n;
    int64_t mtime_us = mtime_us_of(st);
    if (bits & ETAG_INODE)
        parts[count++] = st->st_ino;
    if (bits & ETAG_SIZE)
        parts[count++] = (unsigned long long)st->st_size;
    if (bits & ETAG_MTIME)
        parts[count++] = (unsigned long long)mtime_us;
    if (!count)
        return 0;
    /* A file that changed within this second may change again without a new time: RFC 9110 8.8.1 calls that weak. */
    const char *weak = r->start_us - mtime_us < 1000000 ? "W/" : "";
    if (count == 1)
        n = snprintf(out, (size_t)room, "%s\"%llx\"", weak, parts[0]);
    else if (count == 2)
        n = snprintf(out, (size_t)room, "%s\"%llx-%llx\"", weak, parts[0], parts[1]);
    else
        n = snprintf(out, (size_t)room, "%s\"%llx-%llx-%llx\"", weak, parts[0], parts[1], parts[2]);
    return n < room ? n : 0;
}

static void static_validators(struct request *r, const struct stat *st)
{
    char *etag = request_alloc(r, ETAG_ROOM), *date = request_alloc(r, 30);
    int64_t mtime_us = mtime_us_of(st);
    int len = etag ? static_etag(r, st, etag, ETAG_ROOM) : 0;
    r->mtime_us = mtime_us < r->start_us ? mtime_us : r->start_us; /* RFC 9110 8.8.2.1: never later than now */
    if (len)
        static_header(r, SLICE("ETag"), slice_of(etag, (size_t)len));
    if (!date)
        return;
    http_date(r->mtime_us / 1000000, date);
    static_header(r, SLICE("Last-Modified"), slice_of(date, 29));
}

static bool type_takes_charset(const char *type)
{
    return (strcasecmp(type, "text/html") == 0 || strcasecmp(type, "text/plain") == 0);
}

static void static_type(struct request *r)
{
    char text[128];
    if (!r->content_type)
        r->content_type = (char *)route_type(r, r->filename);
    if (!r->content_type || !r->conf->default_charset || !type_takes_charset(r->content_type))
        return;
    int n = snprintf(text, sizeof text, "%s; charset=%s", r->content_type, r->conf->default_charset);
    char *type = n < (int)sizeof text ? request_strdup(r, slice_of(text, (size_t)n)) : NULL;
    if (type)
        r->content_type = type;
}

int static_finish(struct request *r, int result)
{
    if (result == 0 || r->response != RESPONSE_OPEN) {
        response_finish(r);
        return 0;
    }
    int error = errno;
    log_request(r, LEVEL_ERROR, "static", "%s cannot be sent: %s", r->filename, error == EIO ? "it changed while it was read" : strerror(error));
    response_reset(r);
    r->status = 200;
    return static_errno_status(error);
}

static int static_whole(struct request *r, int fd, int64_t length)
{
    r->clength = length;
    return static_finish(r, r->header_only ? 0 : static_send_piece(r, fd, 0, length));
}

/* RFC 9110 14.2: only for GET, only where the answer would be 200, and after the other conditions. */
static enum range_result static_ranges(struct request *r, int64_t length, struct range **ranges, int *count)
{
    int max = r->conf->max_ranges < 0 || r->conf->max_ranges > RANGE_MOST ? RANGE_MOST : r->conf->max_ranges;
    struct slice field = request_header(r, FIELD_RANGE, SLICE("Range"));
    if (!field.at || r->header_only || r->status != 200 || max == 0)
        return RANGE_WHOLE;
    const struct table_entry *e = table_find(&r->headers_out, SLICE("ETag"));
    struct slice etag = e ? slice_of(e->value, e->value_len) : slice_of(NULL, 0);
    struct slice if_range = request_header(r, FIELD_IF_RANGE, SLICE("If-Range"));
    int listed = range_count(field);
    if (listed > max || !conditions_if_range(if_range, etag, r->mtime_us / 1000000, r->start_us / 1000000))
        return RANGE_WHOLE;
    *ranges = request_alloc(r, (size_t)listed * sizeof **ranges);
    if (!*ranges)
        return RANGE_WHOLE;
    enum range_result result = range_parse(field, length, max, *ranges, count);
    return result == RANGE_SOME && !range_is_bounded(*ranges, *count) ? RANGE_WHOLE : result;
}

static int static_unsatisfiable(struct request *r, int64_t length)
{
    char text[48];
    int n = snprintf(text, sizeof text, "bytes */%lld", (long long)length);
    table_set(&r->err_headers_out, SLICE("Content-Range"), slice_of(text, (size_t)n));
    return 416;
}

static int static_not_modified(struct request *r, int status)
{
    if (status == 412) {
        response_error(r, 412, false);
        return 0;
    }
    r->status = 304;
    r->clength = -1;
    response_finish(r);
    return 0;
}

/* An open regular file becomes the answer. */
static int static_file(struct request *r, int fd, const struct stat *st)
{
    struct range *ranges;
    int count = 0;
    static_type(r);
    static_validators(r, st);
    static_header(r, SLICE("Accept-Ranges"), r->conf->max_ranges == 0 ? SLICE("none") : SLICE("bytes"));
    int status = conditions_check(r);
    if (status)
        return static_not_modified(r, status);
    switch (static_ranges(r, st->st_size, &ranges, &count)) {
    case RANGE_SOME:
        return range_send(r, fd, st->st_size, ranges, count);
    case RANGE_UNSATISFIABLE:
        return static_unsatisfiable(r, st->st_size);
    case RANGE_WHOLE:
        break;
    }
    return static_whole(r, fd, st->st_size);
}

static int static_refuse(const struct request *r, const char *why)
{
    log_request(r, LEVEL_WARN, "static", "%s: %s", r->filename, why);
    return 403;
}

static bool has_path_info(const struct request *r) { return r->path_info && *r->path_info; }

int static_answer(struct request *r, char **index)
{
    struct stat st;
    int fd;
    if (!r->filename)
        return 404;
    if (static_name_is_hidden(r->filename))
        return static_refuse(r, "files that begin with .ht are never served");
    if (!r->file_known)
        route_stat(r);
    if (S_ISDIR(r->finfo.st_mode))
        return static_directory(r, index);
    int status = static_method(r);
    if (status)
        return status < 0 ? 0 : status;
    if (r->finfo.st_mode && !S_ISREG(r->finfo.st_mode) && !S_ISLNK(r->finfo.st_mode))
        return static_refuse(r, "neither a file nor a folder"); /* not even opened: that may have effects */
    status = static_open(r, 0, &fd);
    if (status)
        return status;
    if (fstat(fd, &st) < 0)
        status = 500;
    else if (!S_ISREG(st.st_mode))
        status = static_refuse(r, "neither a file nor a folder");
    else if (has_path_info(r) && r->conf->accept_path_info != 1)
        status = 404;
    else
        status = static_file(r, fd, &st);
    close(fd);
    return status;
}
