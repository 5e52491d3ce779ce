/* Line by line. What a proxy or a browser might read otherwise than we do is refused: names that are no tokens, control bytes, folded lines, framing. */
#include "cgi_answer.h"

enum { STATUS_LEAST = 200, STATUS_MOST = 599 };

void cgi_answer_init(struct cgi_answer *a, bool status_line)
{
    a->at = a->scanned = a->used = a->count = 0;
    a->status_line = status_line;
    a->status = 0;
    a->length = -1;
    a->status_text = a->type = a->location = a->bad = (struct http_span){0, 0};
    a->fault = NULL;
}

static enum cgi_answer_result refuse(struct cgi_answer *a, struct http_span line, const char *fault)
{
    a->bad = line;
    a->fault = fault;
    return CGI_ANSWER_BAD;
}

static bool is_space(char c) { return c == ' ' || c == '\t'; }

static struct http_span trimmed(const char *bytes, uint32_t at, uint32_t end)
{
    while (at < end && is_space(bytes[at]))
        at++;
    while (end > at && is_space(bytes[end - 1]))
        end--;
    return (struct http_span){at, end - at};
}

static bool is_clean(const char *bytes, struct http_span line)
{
    for (uint32_t i = line.at; i < line.at + line.len; i++)
        if (((unsigned char)bytes[i] < 0x20 && bytes[i] != '\t') || bytes[i] == 0x7f)
            return false;
    return true;
}

/* "404" or "404 Not here". */
static const char *take_status(struct cgi_answer *a, const char *bytes, struct http_span value)
{
    const char *at = bytes + value.at;
    int status = 0;
    if (a->status)
        return "the status is there twice";
    for (uint32_t i = 0; i < 3; i++) {
        if (i >= value.len || at[i] < '0' || at[i] > '9')
            return "the status is not a number of three digits";
        status = status * 10 + (at[i] - '0');
    }
    if (status < STATUS_LEAST || status > STATUS_MOST || (value.len > 3 && at[3] != ' '))
        return "the status is none that an answer can have";
    a->status = status;
    a->status_text = value;
    return NULL;
}

static const char *take_length(struct cgi_answer *a, const char *bytes, struct http_span value)
{
    int64_t n = 0;
    if (a->length >= 0)
        return "Content-Length is there twice";
    for (uint32_t i = 0; i < value.len; i++) {
        char c = bytes[value.at + i];
        if (c < '0' || c > '9' || n > (INT64_MAX - 9) / 10)
            return "Content-Length is not a number";
        n = n * 10 + (c - '0');
    }
    if (!value.len)
        return "Content-Length is not a number";
    a->length = n;
    return NULL;
}

static const char *take_once(struct http_span *to, struct http_span value, const char *twice)
{
    if (to->at)
        return twice;
    *to = value;
    return NULL;
}

static const char *take_other(struct cgi_answer *a, struct http_span name, struct http_span value)
{
    if (a->count == LIMIT_CGI_FIELDS)
        return "there are too many fields";
    a->fields[a->count++] = (struct cgi_answer_field){name, value};
    return NULL;
}

static const char *take_field(struct cgi_answer *a, const char *bytes, struct http_span name, struct http_span value)
{
    struct slice word = slice_of(bytes + name.at, name.len);
    if (slice_eq_nocase(word, SLICE("Status")))
        return take_status(a, bytes, value);
    if (slice_eq_nocase(word, SLICE("Content-Length")))
        return take_length(a, bytes, value);
    if (slice_eq_nocase(word, SLICE("Content-Type")))
        return take_once(&a->type, value, "Content-Type is there twice");
    if (slice_eq_nocase(word, SLICE("Location")))
        return value.len ? take_once(&a->location, value, "Location is there twice") : "Location is empty";
    if (slice_eq_nocase(word, SLICE("Transfer-Encoding")))
        return "Transfer-Encoding is the server's to say";
    return take_other(a, name, value);
}

/* "HTTP/1.1 200 OK" */
static bool is_status_line(const char *bytes, struct http_span line)
{
    return line.at == 0 && line.len >= 12 && memcmp(bytes, "HTTP/1.", 7) == 0 && bytes[8] == ' ';
}

static enum cgi_answer_result take_line(struct cgi_answer *a, const char *bytes, struct http_span line)
{
    const char *fault;
    const char *colon = memchr(bytes + line.at, ':', line.len);
    if (a->status_line && is_status_line(bytes, line)) {
        fault = is_clean(bytes, line) ? take_status(a, bytes, trimmed(bytes, 9, line.len)) : "it has a control byte";
        return fault ? refuse(a, line, fault) : CGI_ANSWER_MORE;
    }
    if (is_space(bytes[line.at]))
        return refuse(a, line, "it begins with white space");
    if (!colon)
        return refuse(a, line, "it has no colon");
    struct http_span name = {line.at, (uint32_t)(colon - bytes) - line.at};
    if (!http_is_token(slice_of(bytes + name.at, name.len)))
        return refuse(a, line, "its name is not one");
    if (!is_clean(bytes, line))
        return refuse(a, line, "it has a control byte");
    fault = take_field(a, bytes, name, trimmed(bytes, name.at + name.len + 1, line.at + line.len));
    return fault ? refuse(a, line, fault) : CGI_ANSWER_MORE;
}

enum cgi_answer_result cgi_answer_parse(struct cgi_answer *a, const char *bytes, size_t len)
{
    size_t most = len < LIMIT_CGI_HEAD_BYTES ? len : LIMIT_CGI_HEAD_BYTES;
    while (a->scanned < most) {
        const char *end = memchr(bytes + a->scanned, '\n', most - a->scanned);
        if (!end) {
            a->scanned = (uint32_t)most;
            break;
        }
        uint32_t stop = (uint32_t)(end - bytes), next = stop + 1;
        if (stop > a->at && bytes[stop - 1] == '\r')
            stop--;
        struct http_span line = {a->at, stop - a->at};
        a->at = a->scanned = next;
        if (!line.len) {
            a->used = next;
            return CGI_ANSWER_DONE;
        }
        if (take_line(a, bytes, line) == CGI_ANSWER_BAD)
            return CGI_ANSWER_BAD;
    }
    if (len < LIMIT_CGI_HEAD_BYTES)
        return CGI_ANSWER_MORE;
    return refuse(a, (struct http_span){a->at, (uint32_t)most - a->at}, "the head is too long");
}
