/* What expressions can ask: httpd's variables and functions. */
#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "env.h"
#include "expr_parts.h"
#include "origin.h"
#include "version.h"

static const struct slice nothing = {"", 0};

static struct slice kept(struct request *r, const char *text)
{
    const char *copy = request_strdup(r, slice_text(text));
    return copy ? slice_text(copy) : nothing;
}

static struct slice number(struct request *r, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    return kept(r, text);
}

static struct slice entry(const struct table *t, struct slice name)
{
    const struct table_entry *e = t->count ? table_find(t, name) : NULL;
    return e && e->value ? slice_of(e->value, e->value_len) : nothing;
}

static struct slice flag(bool value) { return value ? SLICE("true") : SLICE("false"); }

/* ---- variables ---- */

#define READER(name) static struct slice name(struct request *r, struct slice text)
#define UNUSED (void)r, (void)text

READER(read_accept) { UNUSED; return request_header_named(r, SLICE("Accept")); }
READER(read_cookie) { UNUSED; return request_header_named(r, SLICE("Cookie")); }
READER(read_forwarded) { UNUSED; return request_header_named(r, SLICE("Forwarded")); }
READER(read_host_field) { UNUSED; return request_header_named(r, SLICE("Host")); }
READER(read_proxy_connection) { UNUSED; return request_header_named(r, SLICE("Proxy-Connection")); }
READER(read_referer) { UNUSED; return request_header_named(r, SLICE("Referer")); }
READER(read_user_agent) { UNUSED; return request_header_named(r, SLICE("User-Agent")); }
READER(read_content_type) { UNUSED; return slice_text(r->content_type); }
READER(read_document_root) { UNUSED; return slice_text(r->server->document_root); }
READER(read_handler) { UNUSED; return slice_text(r->handler); }
READER(read_https) { UNUSED; return r->secure ? SLICE("on") : SLICE("off"); }
READER(read_status) { UNUSED; return number(r, r->status); }
READER(read_method) { UNUSED; return slice_text(r->method); }
READER(read_scheme) { UNUSED; return slice_text(origin_scheme(r)); }
READER(read_uri) { UNUSED; return slice_text(r->uri); }
READER(read_filename) { UNUSED; return slice_text(r->filename); }
READER(read_path_info) { UNUSED; return slice_text(r->path_info); }
READER(read_query) { UNUSED; return slice_text(r->args); }
READER(read_user) { UNUSED; return slice_text(r->user); }
READER(read_auth_type) { UNUSED; return slice_text(r->auth_type); }
READER(read_is_subreq) { UNUSED; return flag(r->main_request != NULL); }
READER(read_ipv6) { UNUSED; return r->peer.family == AF_INET6 ? SLICE("on") : SLICE("off"); }
READER(read_server_name) { UNUSED; return slice_text(origin_host(r)); }
READER(read_server_port) { UNUSED; return number(r, origin_port(r)); }
READER(read_server_admin) { UNUSED; return slice_text(r->server->server_admin); }
READER(read_protocol) { UNUSED; return r->head.minor ? SLICE("HTTP/1.1") : SLICE("HTTP/1.0"); }
READER(read_software) { UNUSED; return slice_text(version_words(r->server->server_tokens)); }
READER(read_remote_port) { UNUSED; return number(r, origin_client_port(r)); }
READER(read_empty) { UNUSED; return nothing; }

READER(read_remote_addr)
{
    char address[46];
    UNUSED;
    origin_client_text(r, address);
    return kept(r, address);
}

READER(read_conn_remote_addr)
{
    char address[INET6_ADDRSTRLEN + 8];
    UNUSED;
    if (r->peer.family != AF_INET && r->peer.family != AF_INET6)
        return nothing;
    peer_text(&r->peer, address, sizeof address);
    return kept(r, address);
}

READER(read_server_addr)
{
    char address[46];
    UNUSED;
    origin_local_text(r, address);
    return kept(r, address);
}

/* As it was sent; a protocol without such a line has the same made of what it told. */
READER(read_the_request)
{
    UNUSED;
    if (r->bytes && r->head.line_len)
        return slice_of(r->bytes + r->head.start, r->head.line_len);
    const char *method = r->method ? r->method : "", *target = r->unparsed_uri ? r->unparsed_uri : "";
    size_t room = strlen(method) + strlen(target) + 16;
    char *line = request_alloc(r, room);
    return line ? slice_of(line, (size_t)snprintf(line, room, "%s %s HTTP/1.%d", method, target, (int)r->head.minor)) : nothing;
}

READER(read_log_id)
{
    char id[48];
    UNUSED;
    snprintf(id, sizeof id, "%d.%" PRIu64, (int)getpid(), r->id);
    return kept(r, id);
}

static struct slice moment(struct request *r, const char *format)
{
    struct tm tm;
    char out[64];
    time_t now = time(NULL);
    if (!localtime_r(&now, &tm) || !strftime(out, sizeof out, format, &tm))
        return nothing;
    return kept(r, out);
}

READER(read_time) { UNUSED; return moment(r, "%Y%m%d%H%M%S"); }
READER(read_year) { UNUSED; return moment(r, "%Y"); }
READER(read_month) { UNUSED; return moment(r, "%m"); }
READER(read_day) { UNUSED; return moment(r, "%d"); }
READER(read_hour) { UNUSED; return moment(r, "%H"); }
READER(read_minute) { UNUSED; return moment(r, "%M"); }
READER(read_second) { UNUSED; return moment(r, "%S"); }
READER(read_weekday) { UNUSED; return moment(r, "%w"); }

expr_read_fn expr_variable(struct slice name)
{
    static const struct { const char *name; expr_read_fn read; } known[] = {
        {"HTTP_ACCEPT", read_accept}, {"HTTP_COOKIE", read_cookie}, {"HTTP_FORWARDED", read_forwarded}, {"HTTP_HOST", read_host_field},
        {"HTTP_PROXY_CONNECTION", read_proxy_connection}, {"HTTP_REFERER", read_referer}, {"HTTP_USER_AGENT", read_user_agent},
        {"CONTENT_TYPE", read_content_type}, {"DOCUMENT_ROOT", read_document_root}, {"HANDLER", read_handler}, {"HTTPS", read_https},
        {"REQUEST_STATUS", read_status}, {"REQUEST_METHOD", read_method}, {"REQUEST_SCHEME", read_scheme}, {"REQUEST_URI", read_uri},
        {"DOCUMENT_URI", read_uri}, {"REQUEST_FILENAME", read_filename}, {"SCRIPT_FILENAME", read_filename}, {"PATH_INFO", read_path_info},
        {"QUERY_STRING", read_query}, {"REMOTE_USER", read_user}, {"AUTH_TYPE", read_auth_type}, {"IS_SUBREQ", read_is_subreq}, {"IPV6", read_ipv6},
        {"SERVER_NAME", read_server_name}, {"SERVER_PORT", read_server_port}, {"SERVER_ADMIN", read_server_admin}, {"SERVER_PROTOCOL", read_protocol},
        {"SERVER_SOFTWARE", read_software}, {"SERVER_ADDR", read_server_addr}, {"REMOTE_ADDR", read_remote_addr}, {"REMOTE_PORT", read_remote_port},
        {"REMOTE_HOST", read_remote_addr}, {"REMOTE_IDENT", read_empty}, {"CONN_REMOTE_ADDR", read_conn_remote_addr}, {"THE_REQUEST", read_the_request},
        {"REQUEST_LOG_ID", read_log_id}, {"TIME", read_time}, {"TIME_YEAR", read_year}, {"TIME_MON", read_month}, {"TIME_DAY", read_day},
        {"TIME_HOUR", read_hour}, {"TIME_MIN", read_minute}, {"TIME_SEC", read_second}, {"TIME_WDAY", read_weekday}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_eq_nocase(name, slice_text(known[i].name)))
            return known[i].read;
    return NULL;
}

/* ---- functions ---- */

READER(call_header) { return request_header_named(r, text); }
READER(call_variable) { return entry(&r->subprocess_env, text); }
READER(call_note) { return entry(&r->notes, text); }

READER(call_response)
{
    struct slice found = entry(&r->headers_out, text);
    if (!found.len)
        found = entry(&r->err_headers_out, text);
    return !found.len && slice_eq_nocase(text, SLICE("Content-Type")) ? slice_text(r->content_type) : found;
}

READER(call_system)
{
    const char *name = request_strdup(r, text), *value = name ? getenv(name) : NULL;
    return slice_text(value);
}

/* A note, a variable of the request, or one of the server's own environment. */
READER(call_any_variable)
{
    struct slice found = call_note(r, text);
    if (!found.len)
        found = call_variable(r, text);
    return found.len ? found : call_system(r, text);
}

static struct slice mapped(struct request *r, struct slice text, int (*map)(int))
{
    char *out = request_strdup(r, text);
    for (size_t i = 0; out && i < text.len; i++)
        out[i] = (char)map((unsigned char)out[i]);
    return out ? slice_of(out, text.len) : nothing;
}

READER(call_lower) { return mapped(r, text, tolower); }
READER(call_upper) { return mapped(r, text, toupper); }

static bool is_plain(char c) { return isalnum((unsigned char)c) || strchr("$-_.+!*'(),:@&=/~", c); }

READER(call_escape)
{
    static const char digits[] = "0123456789abcdef";
    char *out = request_alloc(r, 3 * text.len + 1), *to = out;
    for (size_t i = 0; out && i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (byte && is_plain((char)byte)) {
            *to++ = (char)byte;
            continue;
        }
        *to++ = '%';
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    return out ? slice_of(out, (size_t)(to - out)) : nothing;
}

static int hex(char c) { return !isxdigit((unsigned char)c) ? -1 : isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10; }

/* As in httpd: nothing where an escape is broken or hides a NUL, and %2f stays what it is. */
READER(call_unescape)
{
    char *out = request_alloc(r, text.len + 1), *to = out;
    for (size_t i = 0; out && i < text.len; i++) {
        int high = text.at[i] == '%' && i + 2 < text.len ? hex(text.at[i + 1]) : -1, low = high >= 0 ? hex(text.at[i + 2]) : -1;
        if (text.at[i] != '%') {
            *to++ = text.at[i];
            continue;
        }
        int byte = high * 16 + low;
        if (high < 0 || low < 0 || byte == 0)
            return nothing;
        if (byte == '/')
            *to++ = '%';
        else
            *to++ = (char)byte, i += 2;
    }
    return out ? slice_of(out, (size_t)(to - out)) : nothing;
}

expr_read_fn expr_function(struct slice name)
{
    static const struct { const char *name; expr_read_fn read; } known[] = {
        {"http", call_header}, {"req", call_header}, {"req_novary", call_header}, {"resp", call_response}, {"reqenv", call_variable}, {"env", call_any_variable},
        {"note", call_note}, {"osenv", call_system}, {"tolower", call_lower}, {"toupper", call_upper}, {"escape", call_escape}, {"unescape", call_unescape}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_eq_nocase(name, slice_text(known[i].name)))
            return known[i].read;
    return NULL;
}

/* ---- networks ---- */

/* "10.1" is 10.1.0.0/16. */
static bool part_of_ipv4(const char *text, struct net_conf *out)
{
    unsigned bytes[3];
    int count = 0, used = 0, more = 0;
    while (count < 3 && isdigit((unsigned char)text[used]) && sscanf(text + used, "%3u%n", &bytes[count], &more) == 1 && bytes[count] < 256) {
        out->address[12 + count] = (unsigned char)bytes[count];
        count++;
        used += more;
        used += text[used] == '.';
    }
    out->bits = 96 + 8 * count;
    return count && !text[used];
}

bool expr_net_parse(struct slice text, struct net_conf *out)
{
    char copy[64];
    size_t len = text.len < sizeof copy ? text.len : sizeof copy - 1, slash;
    if (text.len != len)
        return false;
    if (len)
        memcpy(copy, text.at, len);
    copy[len] = 0;
    slash = strcspn(copy, "/");
    bool has_bits = copy[slash];
    copy[slash] = 0;
    *out = (struct net_conf){.address = {[10] = 0xff, [11] = 0xff}, .bits = 128};
    bool ipv4 = inet_pton(AF_INET, copy, out->address + 12) == 1;
    if (!ipv4 && inet_pton(AF_INET6, copy, out->address) != 1)
        return !has_bits && part_of_ipv4(copy, out);
    if (!has_bits)
        return true;
    char *end;
    long bits = strtol(copy + slash + 1, &end, 10);
    struct in_addr mask;
    if (ipv4 && inet_pton(AF_INET, copy + slash + 1, &mask) == 1) {
        uint32_t ones = ntohl(mask.s_addr);
        out->bits = 96 + __builtin_popcount(ones);
        return (~ones & (~ones + 1)) == 0;
    }
    if (!isdigit((unsigned char)copy[slash + 1]) || *end || bits < 0 || bits > (ipv4 ? 32 : 128))
        return false;
    out->bits = (int)bits + (ipv4 ? 96 : 0);
    return true;
}
