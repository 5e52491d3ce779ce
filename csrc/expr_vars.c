/* What expressions can ask: httpd's variables. */
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

const struct slice expr_nothing = {"", 0};

static struct slice kept(struct request *r, const char *text)
{
    const char *copy = request_strdup(r, slice_text(text));
    return copy ? slice_text(copy) : expr_nothing;
}

struct slice expr_number(struct request *r, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    return kept(r, text);
}

static struct slice flag(bool value) { return value ? SLICE("true") : SLICE("false"); }

/* ---- variables ---- */

#define UNUSED (void)r, (void)text

EXPR_READER(read_accept) { UNUSED; return request_header_named(r, SLICE("Accept")); }
EXPR_READER(read_cookie) { UNUSED; return request_header_named(r, SLICE("Cookie")); }
EXPR_READER(read_forwarded) { UNUSED; return request_header_named(r, SLICE("Forwarded")); }
EXPR_READER(read_host_field) { UNUSED; return request_header_named(r, SLICE("Host")); }
EXPR_READER(read_proxy_connection) { UNUSED; return request_header_named(r, SLICE("Proxy-Connection")); }
EXPR_READER(read_referer) { UNUSED; return request_header_named(r, SLICE("Referer")); }
EXPR_READER(read_user_agent) { UNUSED; return request_header_named(r, SLICE("User-Agent")); }
EXPR_READER(read_content_type) { UNUSED; return slice_text(r->content_type); }
EXPR_READER(read_document_root) { UNUSED; return slice_text(r->server->document_root); }
EXPR_READER(read_handler) { UNUSED; return slice_text(r->handler); }
EXPR_READER(read_https) { UNUSED; return r->secure ? SLICE("on") : SLICE("off"); }
EXPR_READER(read_status) { UNUSED; return expr_number(r, r->status); }
EXPR_READER(read_method) { UNUSED; return slice_text(r->method); }
EXPR_READER(read_scheme) { UNUSED; return slice_text(origin_scheme(r)); }
EXPR_READER(read_uri) { UNUSED; return slice_text(r->uri); }
EXPR_READER(read_filename) { UNUSED; return slice_text(r->filename); }
EXPR_READER(read_path_info) { UNUSED; return slice_text(r->path_info); }
EXPR_READER(read_query) { UNUSED; return slice_text(r->args); }
EXPR_READER(read_user) { UNUSED; return slice_text(r->user); }
EXPR_READER(read_auth_type) { UNUSED; return slice_text(r->auth_type); }
EXPR_READER(read_is_subreq) { UNUSED; return flag(r->main_request != NULL); }
EXPR_READER(read_ipv6) { UNUSED; return r->peer.family == AF_INET6 ? SLICE("on") : SLICE("off"); }
EXPR_READER(read_server_name) { UNUSED; return slice_text(origin_host(r)); }
EXPR_READER(read_server_port) { UNUSED; return expr_number(r, origin_port(r)); }
EXPR_READER(read_server_admin) { UNUSED; return slice_text(r->server->server_admin); }
EXPR_READER(read_protocol) { UNUSED; return r->head.minor ? SLICE("HTTP/1.1") : SLICE("HTTP/1.0"); }
EXPR_READER(read_software) { UNUSED; return slice_text(version_words(r->server->server_tokens)); }
EXPR_READER(read_remote_port) { UNUSED; return expr_number(r, origin_client_port(r)); }
EXPR_READER(read_http2) { UNUSED; return SLICE("off"); }
EXPR_READER(read_empty) { UNUSED; return expr_nothing; }

EXPR_READER(read_remote_addr)
{
    char address[46];
    UNUSED;
    origin_client_text(r, address);
    return kept(r, address);
}

EXPR_READER(read_conn_remote_addr)
{
    char address[INET6_ADDRSTRLEN + 8];
    UNUSED;
    if (r->peer.family != AF_INET && r->peer.family != AF_INET6)
        return expr_nothing;
    peer_text(&r->peer, address, sizeof address);
    return kept(r, address);
}

EXPR_READER(read_server_addr)
{
    char address[46];
    UNUSED;
    origin_local_text(r, address);
    return kept(r, address);
}

/* As it was sent; a protocol without such a line has the same made of what it told. */
EXPR_READER(read_the_request)
{
    UNUSED;
    if (r->bytes && r->head.line_len)
        return slice_of(r->bytes + r->head.start, r->head.line_len);
    const char *method = r->method ? r->method : "", *target = r->unparsed_uri ? r->unparsed_uri : "";
    size_t room = strlen(method) + strlen(target) + 16;
    char *line = request_alloc(r, room);
    return line ? slice_of(line, (size_t)snprintf(line, room, "%s %s HTTP/1.%d", method, target, (int)r->head.minor)) : expr_nothing;
}

EXPR_READER(read_conn_log_id)
{
    char id[48];
    UNUSED;
    if (!r->conn_id)
        return expr_nothing;
    snprintf(id, sizeof id, "%d-%" PRIu64, (int)getpid(), r->conn_id);
    return kept(r, id);
}

EXPR_READER(read_log_id)
{
    char id[48];
    UNUSED;
    snprintf(id, sizeof id, "%d.%" PRIu64, (int)getpid(), r->id);
    return kept(r, id);
}

static struct slice moment_of(struct request *r, time_t when, const char *format)
{
    struct tm tm;
    char out[64];
    if (!localtime_r(&when, &tm) || !strftime(out, sizeof out, format, &tm))
        return expr_nothing;
    return kept(r, out);
}

static struct slice moment(struct request *r, const char *format) { return moment_of(r, time(NULL), format); }

EXPR_READER(read_modified) { UNUSED; return r->file_known && r->finfo.st_mode ? moment_of(r, r->finfo.st_mtim.tv_sec, "%Y%m%d%H%M%S") : expr_nothing; }
EXPR_READER(read_time) { UNUSED; return moment(r, "%Y%m%d%H%M%S"); }
EXPR_READER(read_year) { UNUSED; return moment(r, "%Y"); }
EXPR_READER(read_month) { UNUSED; return moment(r, "%m"); }
EXPR_READER(read_day) { UNUSED; return moment(r, "%d"); }
EXPR_READER(read_hour) { UNUSED; return moment(r, "%H"); }
EXPR_READER(read_minute) { UNUSED; return moment(r, "%M"); }
EXPR_READER(read_second) { UNUSED; return moment(r, "%S"); }
EXPR_READER(read_weekday) { UNUSED; return moment(r, "%w"); }

const struct expr_variable *expr_variable(struct slice name)
{
    static const struct expr_variable known[] = {
        {"HTTP_ACCEPT", read_accept, "Accept"}, {"HTTP_COOKIE", read_cookie, "Cookie"}, {"HTTP_FORWARDED", read_forwarded, "Forwarded"},
        {"HTTP_HOST", read_host_field, NULL}, {"HTTP_PROXY_CONNECTION", read_proxy_connection, "Proxy-Connection"},
        {"HTTP_REFERER", read_referer, "Referer"}, {"HTTP_USER_AGENT", read_user_agent, "User-Agent"}, {"CONTENT_TYPE", read_content_type, NULL},
        {"DOCUMENT_ROOT", read_document_root, NULL}, {"HANDLER", read_handler, NULL}, {"HTTPS", read_https, NULL},
        {"REQUEST_STATUS", read_status, NULL}, {"REQUEST_METHOD", read_method, NULL}, {"REQUEST_SCHEME", read_scheme, NULL},
        {"REQUEST_URI", read_uri, NULL}, {"DOCUMENT_URI", read_uri, NULL}, {"REQUEST_FILENAME", read_filename, NULL},
        {"SCRIPT_FILENAME", read_filename, NULL}, {"PATH_INFO", read_path_info, NULL}, {"QUERY_STRING", read_query, NULL},
        {"REMOTE_USER", read_user, NULL}, {"AUTH_TYPE", read_auth_type, NULL}, {"IS_SUBREQ", read_is_subreq, NULL}, {"IPV6", read_ipv6, NULL},
        {"SERVER_NAME", read_server_name, NULL}, {"SERVER_PORT", read_server_port, NULL}, {"SERVER_ADMIN", read_server_admin, NULL},
        {"SERVER_PROTOCOL", read_protocol, NULL}, {"SERVER_SOFTWARE", read_software, NULL}, {"SERVER_ADDR", read_server_addr, NULL},
        {"REMOTE_ADDR", read_remote_addr, NULL}, {"REMOTE_PORT", read_remote_port, NULL}, {"REMOTE_HOST", read_remote_addr, NULL},
        {"REMOTE_IDENT", read_empty, NULL}, {"CONN_REMOTE_ADDR", read_conn_remote_addr, NULL}, {"THE_REQUEST", read_the_request, NULL},
        {"REQUEST_LOG_ID", read_log_id, NULL}, {"CONN_LOG_ID", read_conn_log_id, NULL}, {"LAST_MODIFIED", read_modified, NULL},
        {"HTTP2", read_http2, NULL}, {"TIME", read_time, NULL}, {"TIME_YEAR", read_year, NULL}, {"TIME_MON", read_month, NULL},
        {"TIME_DAY", read_day, NULL}, {"TIME_HOUR", read_hour, NULL}, {"TIME_MIN", read_minute, NULL}, {"TIME_SEC", read_second, NULL},
        {"TIME_WDAY", read_weekday, NULL}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_eq_nocase(name, slice_text(known[i].name)))
            return &known[i];
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
