/* The head of a response: status line or Status field, our own fields, what the configuration and the handler put into the tables. */
#include "response_head.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "conn.h"
#include "env.h"
#include "limit.h"
#include "log.h"
#include "static.h"
#include "version.h"

/* Date and Server change once a second and with ServerTokens: kept as text. */
static struct { int64_t second; int tokens; int len; char text[128]; } common = {.tokens = -1};

const char *response_reason(int status)
{
    static const struct { short status; const char *reason; } reasons[] = {
        {100, "Continue"}, {101, "Switching Protocols"}, {102, "Processing"}, {103, "Early Hints"}, {200, "OK"}, {201, "Created"},
        {202, "Accepted"}, {203, "Non-Authoritative Information"}, {204, "No Content"}, {205, "Reset Content"}, {206, "Partial Content"},
        {207, "Multi-Status"}, {208, "Already Reported"}, {226, "IM Used"}, {300, "Multiple Choices"}, {301, "Moved Permanently"},
        {302, "Found"}, {303, "See Other"}, {304, "Not Modified"}, {305, "Use Proxy"}, {307, "Temporary Redirect"},
        {308, "Permanent Redirect"}, {400, "Bad Request"}, {401, "Unauthorized"}, {402, "Payment Required"}, {403, "Forbidden"},
        {404, "Not Found"}, {405, "Method Not Allowed"}, {406, "Not Acceptable"}, {407, "Proxy Authentication Required"},
        {408, "Request Timeout"}, {409, "Conflict"}, {410, "Gone"}, {411, "Length Required"}, {412, "Precondition Failed"},
        {413, "Content Too Large"}, {414, "URI Too Long"}, {415, "Unsupported Media Type"}, {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"}, {418, "I'm a teapot"}, {421, "Misdirected Request"}, {422, "Unprocessable Content"},
        {423, "Locked"}, {424, "Failed Dependency"}, {425, "Too Early"}, {426, "Upgrade Required"}, {428, "Precondition Required"},
        {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"}, {451, "Unavailable For Legal Reasons"},
        {500, "Internal Server Error"}, {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"},
        {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"}, {506, "Variant Also Negotiates"}, {507, "Insufficient Storage"},
        {508, "Loop Detected"}, {510, "Not Extended"}, {511, "Network Authentication Required"}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

static void common_refresh(int64_t second, int tokens)
{
    char date[30];
    http_date(second, date);
    common.second = second;
    common.tokens = tokens;
    common.len = snprintf(common.text, sizeof common.text, "Date: %s\r\nServer: %s\r\n", date,
                          version_words(tokens));
}

static bool table_has(const struct table *t, struct slice key) { return t->count && table_find(t, key); }

struct slice response_common_fields(const struct loop *loop, const struct server_conf *server)
{
    int64_t second = loop->wall_us / 1000000;
    int tokens = server ? server->server_tokens : 3;
    if (second != common.second || tokens != common.tokens)
        common_refresh(second, tokens);
    return slice_of(common.text, (size_t)common.len);
}

static int head_common(struct request *r, struct buf *to)
{
    response_common_fields(conn_loop(r->conn), r->server);
    bool own_date = table_has(&r->headers_out, SLICE("Date")), own_server = table_has(&r->headers_out, SLICE("Server"));
    if (!own_date && !own_server)
        return buf_add(to, common.text, (size_t)common.len);
    const char *server = memchr(common.text, '\n', (size_t)common.len);
    size_t date_len = (size_t)(server + 1 - common.text);
    if (!own_date && buf_add(to, common.text, date_len) < 0)
        return -1;
    return own_server ? 0 : buf_add(to, common.text + date_len, (size_t)common.len - date_len);
}

/* What req.no_cache asks for, in httpd's way: stale as soon as it is there. */
static int head_expires(struct request *r, struct buf *to)
{
    char date[30];
    if (!r->no_cache || table_has(&r->headers_out, SLICE("Expires")) || table_has(&r->err_headers_out, SLICE("Expires")))
        return 0;
    http_date(conn_loop(r->conn)->wall_us / 1000000, date);
    return buf_addf(to, "Expires: %s\r\n", date);
}

static int head_status(struct request *r, bool cgi, struct buf *to)
{
    if (!cgi && r->status == 200 && !r->status_line)
        return buf_add(to, "HTTP/1.1 200 OK\r\n", 17);
    const char *start = cgi ? "Status: " : "HTTP/1.1 ";
    if (r->status_line && strtol(r->status_line, NULL, 10) == r->status)
        return buf_addf(to, "%s%s\r\n", start, r->status_line);
    return buf_addf(to, "%s%d %s\r\n", start, r->status, response_reason(r->status));
}

static int head_field(struct buf *to, struct slice name, struct slice value)
{
    char *room = buf_room(to, name.len + value.len + 4);
    if (!room)
        return -1;
    memcpy(room, name.at, name.len);
    memcpy(room + name.len, ": ", 2);
    if (value.len)
        memcpy(room + name.len + 2, value.at, value.len);
    memcpy(room + name.len + 2 + value.len, "\r\n", 2);
    to->len += (uint32_t)(name.len + value.len + 4);
    return 0;
}

/* Framing and hop-by-hop fields are the server's business, whatever an application says. */
static bool field_is_ours(const struct request *r, struct slice name)
{
    switch (name.len) {
    case 10: return (slice_eq_nocase(name, SLICE("Connection")) && r->status != 101) || slice_eq_nocase(name, SLICE("Keep-Alive"));
    case 14: return slice_eq_nocase(name, SLICE("Content-Length"));
    case 17: return slice_eq_nocase(name, SLICE("Transfer-Encoding"));
    case 12: return r->content_type && slice_eq_nocase(name, SLICE("Content-Type"));
    default: return false;
    }
}

static int head_table(struct request *r, const struct table *t, struct buf *to)
{
    for (uint32_t i = 0; i < t->count; i++) {
        const struct table_entry *e = &t->entries[i];
        struct slice name = slice_of(e->key, e->key_len), value = slice_of(e->value, e->value_len);
        if (!http_is_token(name) || !http_is_value(value)) {
            log_request(r, LEVEL_ERROR, "core", "the response has a header that must not be sent: \"%.*s\"", (int)(name.len < 200 ? name.len : 200), name.at);
            errno = EPROTO;
            return -1;
        }
        if (!field_is_ours(r, name) && head_field(to, name, value) < 0)
            return -1;
    }
    return 0;
}

/* What the application says of the length and of the connection counts, in our words. */
static void head_adopt(struct request *r, const struct table *t)
{
    const struct table_entry *e = t->count ? table_find(t, SLICE("Content-Length")) : NULL;
    if (e && e->value && r->clength < 0) {
        char *end;
        long long n = strtoll(e->value, &end, 10);
        if (e->owned && *e->value >= '0' && *e->value <= '9' && end != e->value && *end == 0 && n >= 0)
            r->clength = n;
        else
            log_request(r, LEVEL_WARN, "core", "the Content-Length of the handler is not a number and is left out");
    }
    for (e = t->count ? table_find(t, SLICE("Connection")) : NULL; e; e = table_find_next(t, e))
        if (e->value && http_list_has(slice_of(e->value, e->value_len), SLICE("close")))
            r->close_after = true;
}

bool response_has_no_body(const struct request *r)
{
    return r->header_only || r->status < 200 || r->status == 204 || r->status == 205 || r->status == 304;
}

bool response_leaves_too_much(const struct request *r)
{
    uint64_t left = r->head.chunked ? 0 : r->head.length - r->body_bytes_in;
    return r->body == BODY_READING && (left > LIMIT_DISCARD_BYTES || r->body_bytes_in > LIMIT_DISCARD_BYTES);
}

static void head_frame(struct request *r, bool may_chunk, bool last)
{
    r->no_body_out = response_has_no_body(r);
    if (r->continue_due && r->body == BODY_READING)
        r->close_after = true; /* RFC 9110 10.1.1: whether its body comes now is the client's choice, so nothing behind it can be read */
    r->chunked_out = false; /* a head that could not be sent may have been built before */
    if (r->status == 204 || r->status < 200)
        r->clength = -1;
    else if (r->status == 205)
        r->clength = 0; /* RFC 9110 15.3.6: no content, but it is framed (RFC 9112 6.3) */
    else if (last && r->clength < 0 && r->status != 304 && (r->body_bytes_out || !r->header_only)) /* HEAD: none is better than a wrong one */
        r->clength = (int64_t)r->body_bytes_out; /* everything is here */
    else if (last && r->clength > (int64_t)r->body_bytes_out && !r->no_body_out)
        r->close_after = true; /* less than announced: only the end of the connection can tell */
    if (r->clength >= 0 || r->no_body_out)
        return;
    r->chunked_out = may_chunk && r->head.minor >= 1;
    if (!r->chunked_out)
        r->close_after = true;
}

static int head_length(const struct request *r, struct buf *to)
{
    return buf_add(to, "Content-Length: ", 16) < 0 || buf_add_number(to, (uint64_t)r->clength) < 0 ? -1 : buf_add(to, "\r\n", 2);
}

static int head_framing_fields(struct request *r, struct buf *to)
{
    if (r->chunked_out && buf_add(to, "Transfer-Encoding: chunked\r\n", 28) < 0)
        return -1;
    if (r->clength >= 0 && head_length(r, to) < 0)
        return -1;
    if (r->close_after)
        return r->status == 101 ? 0 : buf_add(to, "Connection: close\r\n", 19);
    return r->head.minor == 0 ? buf_add(to, "Connection: keep-alive\r\n", 24) : 0;
}

/* Where there is one that can be sent. */
static int head_text(struct buf *to, struct slice name, const char *value)
{
    return value && http_is_value(slice_text(value)) ? head_field(to, name, slice_text(value)) : 0;
}

/* AddDefaultCharset: for text/plain and text/html that do not say theirs. */
static bool wants_charset(const struct request *r)
{
    const char *type = r->content_type;
    return r->conf && r->conf->default_charset && (!strncasecmp(type, "text/html", 9) || !strncasecmp(type, "text/plain", 10))
        && !strcasestr(type, "charset=");
}

static int head_content_type(struct request *r, struct buf *to)
{
    if (!http_is_value(slice_text(r->content_type))) {
        errno = EPROTO;
        return -1;
    }
    if (!wants_charset(r))
        return head_field(to, SLICE("Content-Type"), slice_text(r->content_type));
    return buf_addf(to, "Content-Type: %s; charset=%s\r\n", r->content_type, r->conf->default_charset);
}

/* What the body is, where there is one. */
static int head_content(struct request *r, struct buf *to)
{
    if (r->content_type && head_content_type(r, to) < 0)
        return -1;
    if (head_text(to, SLICE("Content-Encoding"), r->content_encoding) < 0)
        return -1;
    return head_text(to, SLICE("Content-Language"), r->content_languages);
}

int response_head_build(struct request *r, bool cgi, bool may_chunk, bool last, struct buf *to)
{
    to->len = 0;
    if (r->status < (r->head.upgrade ? 101 : 200) || (r->status > 101 && r->status < 200) || r->status > 999) {
        log_request(r, LEVEL_ERROR, "core", "the status %d cannot be sent", r->status);
        errno = EPROTO;
        return -1;
    }
    r->close_after |= !cgi && last && response_leaves_too_much(r);
    r->close_after |= r->continue_due; /* the client was never asked for its body, and may or may not send it */
    const struct dir_conf *conf = request_conf(r);
    if (conf && conf->header_rule_count)
        env_response_headers(r, conf, r->own_page);
    head_adopt(r, &r->err_headers_out);
    head_adopt(r, &r->headers_out);
    head_frame(r, may_chunk, last);
    if (head_status(r, cgi, to) < 0 || (!cgi && head_common(r, to) < 0))
        return -1;
    if (r->status_line && !http_is_value(slice_text(r->status_line))) {
        errno = EPROTO;
        return -1;
    }
    if (head_expires(r, to) < 0 || head_table(r, &r->err_headers_out, to) < 0 || head_table(r, &r->headers_out, to) < 0)
        return -1;
    if (r->status != 304 && r->status != 204 && r->status != 205 && head_content(r, to) < 0)
        return -1;
    if (!cgi && head_framing_fields(r, to) < 0)
        return -1;
    if (cgi && r->clength >= 0 && head_length(r, to) < 0)
        return -1;
    return buf_add(to, "\r\n", 2);
}
