/* The head as a sequence of lines: finds each line's end once, holds the limits, and gives whole lines to their parsers.
 * The order of the checks is the same for a line that is whole and for one that is not, so that the answer does not depend
 * on how the bytes were cut on their way. It knows no buffers: the caller keeps the bytes from the first of the head on. */
#include "http_bytes.h"

enum head_state {
    HEAD_START,        /* one empty line may come */
    HEAD_REQUEST_LINE, /* it has come */
    HEAD_FIELDS,
    HEAD_WHOLE
};

void http_head_init(struct http_head *h, struct http_field *fields, uint32_t limit_line, uint32_t limit_field, uint32_t limit_fields)
{
    memset(h, 0, sizeof *h);
    h->fields = fields;
    h->limit_line = limit_line;
    h->limit_field = limit_field;
    h->limit_fields = limit_fields;
}

/* The limits, for a line of len bytes so far that begins at line; a CR at the end may belong to the line's end. */
static enum http_fault check_limits(const struct http_head *h, const char *line, size_t len)
{
    size_t content = len && line[len - 1] == '\r' ? len - 1 : len;
    bool is_end = len && (line[0] == '\r' || line[0] == '\n');
    if (h->state == HEAD_FIELDS) {
        if (len && !is_end && h->nfields >= h->limit_fields)
            return FAULT_TOO_MANY_FIELDS;
        return content > h->limit_field ? FAULT_FIELD_TOO_LONG : FAULT_NONE;
    }
    if (len && !is_end && !byte_is(line[0], BYTE_TOKEN))
        return FAULT_METHOD; /* at once: TLS spoken to a plain port need not wait for a line end that never comes */
    return content > h->limit_line ? FAULT_LINE_TOO_LONG : FAULT_NONE;
}

/* RFC 9112 9.3: close wins over everything, else 1.1 persists and 1.0 only when asked. */
static enum http_fault head_finish(struct http_head *h)
{
    if (h->minor && !(h->seen & 1u << FIELD_HOST))
        return FAULT_HOST_MISSING;
    h->keep_alive = !(h->connection & CONNECTION_CLOSE) && (h->minor || h->connection & CONNECTION_KEEP_ALIVE);
    h->upgrade = h->minor && h->connection & CONNECTION_UPGRADE && h->seen & 1u << FIELD_UPGRADE;
    h->state = HEAD_WHOLE;
    return FAULT_NONE;
}

static enum http_fault empty_line(struct http_head *h)
{
    if (h->state == HEAD_FIELDS)
        return head_finish(h);
    if (h->state == HEAD_REQUEST_LINE)
        return FAULT_EMPTY_LINES;
    h->state = HEAD_REQUEST_LINE;
    return FAULT_NONE;
}

/* One line; len with its CR, without its LF. */
static enum http_fault whole_line(struct http_head *h, const char *bytes, uint32_t len)
{
    const char *line = bytes + h->at;
    enum http_fault fault = check_limits(h, line, len);
    if (fault)
        return fault;
    if (len == 0 || line[len - 1] != '\r')
        return FAULT_BARE_LF;
    if (len == 1)
        return empty_line(h);
    if (h->state == HEAD_FIELDS)
        return http_field_line(h, bytes, h->at, len - 1);
    h->state = HEAD_FIELDS;
    return http_request_line(h, bytes, h->at, len - 1);
}

enum http_result http_head_parse(struct http_head *h, const char *bytes, size_t len, size_t *used, enum http_fault *fault)
{
    uint32_t end = len < UINT32_MAX ? (uint32_t)len : UINT32_MAX;
    *used = 0;
    *fault = FAULT_NONE;
    while (h->state != HEAD_WHOLE) {
        const char *lf = h->scanned < end ? memchr(bytes + h->scanned, '\n', end - h->scanned) : NULL;
        if (!lf) {
            h->scanned = end;
            *fault = check_limits(h, bytes + h->at, end - h->at);
            return *fault ? HTTP_BAD : HTTP_MORE;
        }
        *fault = whole_line(h, bytes, (uint32_t)(lf - bytes) - h->at);
        if (*fault)
            return HTTP_BAD;
        h->at = h->scanned = (uint32_t)(lf - bytes) + 1;
    }
    *used = h->at;
    return HTTP_DONE;
}
