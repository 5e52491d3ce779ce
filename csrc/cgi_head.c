/* The variables of RFC 3875 4.1 back to a head. A gateway has parsed the client's bytes before us, but who says it was strict: nothing that could
 * break a line gets through. */
#include "cgi_head.h"

#include <errno.h>

#include "errors.h"

enum variable { METHOD, REQUEST_URI, SCRIPT_NAME, PATH_INFO, QUERY, PROTOCOL, CONTENT_TYPE, HOST, VARIABLES };

struct reader {
    struct slice of[VARIABLES];
    struct cgi_vars *vars;
};

static struct slice *slot_for(struct reader *r, struct slice name)
{
    static const struct { const char *name; unsigned len; enum variable which; } mine[] = {
#define ROW(text, which) {text, sizeof text - 1, which}
        ROW("REQUEST_METHOD", METHOD), ROW("REQUEST_URI", REQUEST_URI), ROW("SCRIPT_NAME", SCRIPT_NAME), ROW("PATH_INFO", PATH_INFO),
        ROW("QUERY_STRING", QUERY), ROW("SERVER_PROTOCOL", PROTOCOL), ROW("CONTENT_TYPE", CONTENT_TYPE), ROW("HTTP_HOST", HOST)};
#undef ROW
    for (size_t i = 0; i < sizeof mine / sizeof *mine; i++)
        if (slice_is(name, mine[i].name, mine[i].len))
            return &r->of[mine[i].which];
    struct { const char *name; struct slice *to; } theirs[] = {
        {"CONTENT_LENGTH", &r->vars->content_length}, {"REMOTE_ADDR", &r->vars->remote_addr}, {"REMOTE_PORT", &r->vars->remote_port},
        {"SERVER_ADDR", &r->vars->server_addr}, {"SERVER_PORT", &r->vars->server_port}, {"SERVER_NAME", &r->vars->server_name},
        {"HTTPS", &r->vars->https}, {"REQUEST_SCHEME", &r->vars->scheme}, {"REMOTE_USER", &r->vars->remote_user}, {"AUTH_TYPE", &r->vars->auth_type}};
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++)
        if (slice_eq(name, slice_text(theirs[i].name)))
            return theirs[i].to;
    return NULL;
}

static bool is_line_safe(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] < 0x20 && s.at[i] != '\t')
            return false;
    return !memchr(s.at ? s.at : "", 0x7f, s.len);
}

static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.at[i] >= 'A' && s.at[i] <= 'Z') || (s.at[i] >= 'a' && s.at[i] <= 'z') || (s.at[i] >= '0' && s.at[i] <= '9') ||
              (s.at[i] && strchr("_-.", s.at[i]))))
            return false;
    return s.len > 0;
}

static bool is_field(struct slice name) { return name.len > 5 && memcmp(name.at, "HTTP_", 5) == 0; }

static const char *read_variables(struct reader *r, const struct cgi_pair *pairs, int count)
{
    for (int i = 0; i < count; i++) {
        if (!is_name(pairs[i].name))
            return "a variable has no proper name";
        if (!is_line_safe(pairs[i].value))
            return "a variable has a control byte";
        struct slice *slot = slot_for(r, pairs[i].name);
        if (!slot)
            continue;
        if (slot->at)
            return "a variable is there twice";
        *slot = pairs[i].value;
    }
    return r->of[METHOD].len ? NULL : "there is no REQUEST_METHOD";
}

static int add(struct buf *head, struct slice s) { return buf_add(head, s.at, s.len); }

static int add_target(struct buf *head, const struct reader *r)
{
    if (r->of[REQUEST_URI].len)
        return add(head, r->of[REQUEST_URI]);
    if (!r->of[SCRIPT_NAME].len && !r->of[PATH_INFO].len)
        return add(head, SLICE("/"));
    if (url_escape(head, r->of[SCRIPT_NAME]) < 0 || url_escape(head, r->of[PATH_INFO]) < 0)
        return -1;
    return r->of[QUERY].len && (add(head, SLICE("?")) < 0 || add(head, r->of[QUERY]) < 0) ? -1 : 0;
}

static int add_line(struct buf *head, const struct reader *r)
{
    struct slice protocol = r->of[PROTOCOL];
    bool http = protocol.len == 8 && memcmp(protocol.at, "HTTP/1.", 7) == 0;
    if (add(head, r->of[METHOD]) < 0 || add(head, SLICE(" ")) < 0 || add_target(head, r) < 0 || add(head, SLICE(" ")) < 0)
        return -1;
    /* HTTP/2 and 3 reach us as requests like any other */
    return add(head, http ? protocol : SLICE("HTTP/1.1")) < 0 ? -1 : add(head, SLICE("\r\n"));
}

static int add_field(struct buf *head, struct slice name, struct slice value)
{
    size_t at = head->len;
    if (add(head, name) < 0)
        return -1;
    for (size_t i = at; i < head->len; i++) {
        char *c = &head->at[i];
        bool first = i == at || head->at[i - 1] == '-';
        *c = *c == '_' ? '-' : !first && *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    }
    return add(head, SLICE(": ")) < 0 || add(head, value) < 0 ? -1 : add(head, SLICE("\r\n"));
}

/* Framing and hop-by-hop fields were between the client and the gateway. */
static bool is_hop(struct slice name)
{
    static const char *const hops[] = {"HTTP_CONNECTION", "HTTP_KEEP_ALIVE", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE",
                                       "HTTP_TE", "HTTP_TRAILER", "HTTP_UPGRADE", "HTTP_EXPECT", "HTTP_PROXY", "HTTP_HOST", "HTTP_PROXY_CONNECTION"};
    for (size_t i = 0; i < sizeof hops / sizeof *hops; i++)
        if (slice_eq(name, slice_text(hops[i])))
            return true;
    return false;
}

static int add_fields(struct buf *head, const struct reader *r, const struct cgi_pair *pairs, int count)
{
    struct slice host = r->of[HOST].len ? r->of[HOST] : r->vars->server_name;
    if (host.len && add_field(head, SLICE("HOST"), host) < 0)
        return -1;
    if (r->of[CONTENT_TYPE].len && add_field(head, SLICE("CONTENT_TYPE"), r->of[CONTENT_TYPE]) < 0)
        return -1;
    if (r->vars->content_length.len && add_field(head, SLICE("CONTENT_LENGTH"), r->vars->content_length) < 0)
        return -1;
    for (int i = 0; i < count; i++)
        if (is_field(pairs[i].name) && !is_hop(pairs[i].name) &&
            add_field(head, slice_of(pairs[i].name.at + 5, pairs[i].name.len - 5), pairs[i].value) < 0)
            return -1;
    return add(head, SLICE("\r\n"));
}

const char *cgi_head_build(const struct cgi_pair *pairs, int count, struct buf *head, struct cgi_vars *vars)
{
    struct reader r = {.vars = vars};
    *vars = (struct cgi_vars){0};
    head->len = 0;
    const char *fault = read_variables(&r, pairs, count);
    if (fault)
        return fault;
    if (vars->content_length.len && cgi_number(vars->content_length) < 0)
        return "CONTENT_LENGTH is not a number";
    return add_line(head, &r) < 0 || add_fields(head, &r, pairs, count) < 0 ? "the variables are too long" : NULL;
}

int64_t cgi_number(struct slice text)
{
    int64_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9' || n > (INT64_MAX - 9) / 10)
            return -1;
        n = n * 10 + (text.at[i] - '0');
    }
    return text.len ? n : -1;
}
