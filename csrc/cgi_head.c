/* The variables of RFC 3875 4.1 back to a head. A gateway has parsed the client's bytes before us, but who says it was strict: nothing that could
 * break a line gets through. */
#include "cgi_head.h"

#include <errno.h>

#include "errors.h"

enum variable {
    METHOD, REQUEST_URI, SCRIPT_NAME, PATH_INFO, QUERY, PROTOCOL, CONTENT_TYPE, HOST, /* for the head */
    LENGTH, REMOTE_ADDR, REMOTE_PORT, SERVER_ADDR, SERVER_PORT, SERVER_NAME, HTTPS, SCHEME, REMOTE_USER, AUTH_TYPE, /* for struct cgi_vars */
    VARIABLES
};

struct reader { struct slice of[VARIABLES]; };

struct name { const char *at; unsigned len; };
#define NAME(text) {text, sizeof text - 1}
static const struct name names[VARIABLES] = {
    [METHOD] = NAME("REQUEST_METHOD"), [REQUEST_URI] = NAME("REQUEST_URI"), [SCRIPT_NAME] = NAME("SCRIPT_NAME"), [PATH_INFO] = NAME("PATH_INFO"),
    [QUERY] = NAME("QUERY_STRING"), [PROTOCOL] = NAME("SERVER_PROTOCOL"), [CONTENT_TYPE] = NAME("CONTENT_TYPE"), [HOST] = NAME("HTTP_HOST"),
    [LENGTH] = NAME("CONTENT_LENGTH"), [REMOTE_ADDR] = NAME("REMOTE_ADDR"), [REMOTE_PORT] = NAME("REMOTE_PORT"),
    [SERVER_ADDR] = NAME("SERVER_ADDR"), [SERVER_PORT] = NAME("SERVER_PORT"), [SERVER_NAME] = NAME("SERVER_NAME"), [HTTPS] = NAME("HTTPS"),
    [SCHEME] = NAME("REQUEST_SCHEME"), [REMOTE_USER] = NAME("REMOTE_USER"), [AUTH_TYPE] = NAME("AUTH_TYPE")};

/* Its place in the list, or count. */
static size_t place_of(struct slice name, const struct name *list, size_t count)
{
    size_t i = 0;
    while (i < count && (name.len != list[i].len || name.at[name.len - 1] != list[i].at[name.len - 1] || memcmp(name.at, list[i].at, name.len) != 0))
        i++;
    return i;
}

static bool is_field(struct slice name) { return name.len > 5 && memcmp(name.at, "HTTP_", 5) == 0; }

static struct slice *slot_for(struct reader *r, struct slice name)
{
    if (is_field(name))
        return slice_is(name, names[HOST].at, names[HOST].len) ? &r->of[HOST] : NULL;
    size_t place = place_of(name, names, VARIABLES);
    return place < VARIABLES ? &r->of[place] : NULL;
}

/* No control byte but the tab. */
static bool is_line_safe(struct slice s)
{
    static const bool bad[256] = {[0 ... '\t' - 1] = true, ['\t' + 1 ... 0x1f] = true, [0x7f] = true};
    for (size_t i = 0; i < s.len; i++)
        if (bad[(unsigned char)s.at[i]])
            return false;
    return true;
}

static bool is_name(struct slice s)
{
    static const bool good[256] = {['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true, ['_'] = true, ['-'] = true, ['.'] = true};
    for (size_t i = 0; i < s.len; i++)
        if (!good[(unsigned char)s.at[i]])
            return false;
    return s.len > 0;
}

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
    static const struct name hops[] = {
        NAME("HTTP_CONNECTION"), NAME("HTTP_KEEP_ALIVE"), NAME("HTTP_TRANSFER_ENCODING"), NAME("HTTP_CONTENT_LENGTH"), NAME("HTTP_CONTENT_TYPE"),
        NAME("HTTP_TE"), NAME("HTTP_TRAILER"), NAME("HTTP_UPGRADE"), NAME("HTTP_EXPECT"), NAME("HTTP_PROXY"), NAME("HTTP_HOST"),
        NAME("HTTP_PROXY_CONNECTION")};
    size_t count = sizeof hops / sizeof *hops;
    return place_of(name, hops, count) < count;
}

static int add_fields(struct buf *head, const struct reader *r, const struct cgi_pair *pairs, int count)
{
    struct slice host = r->of[r->of[HOST].len ? HOST : SERVER_NAME];
    if (host.len && add_field(head, SLICE("HOST"), host) < 0)
        return -1;
    if (r->of[CONTENT_TYPE].len && add_field(head, SLICE("CONTENT_TYPE"), r->of[CONTENT_TYPE]) < 0)
        return -1;
    if (r->of[LENGTH].len && add_field(head, SLICE("CONTENT_LENGTH"), r->of[LENGTH]) < 0)
        return -1;
    for (int i = 0; i < count; i++)
        if (is_field(pairs[i].name) && !is_hop(pairs[i].name) &&
            add_field(head, slice_of(pairs[i].name.at + 5, pairs[i].name.len - 5), pairs[i].value) < 0)
            return -1;
    return add(head, SLICE("\r\n"));
}

const char *cgi_head_build(const struct cgi_pair *pairs, int count, struct buf *head, struct cgi_vars *vars)
{
    struct reader r = {0};
    head->len = 0;
    const char *fault = read_variables(&r, pairs, count);
    *vars = (struct cgi_vars){
        .content_length = r.of[LENGTH], .remote_addr = r.of[REMOTE_ADDR], .remote_port = r.of[REMOTE_PORT], .server_addr = r.of[SERVER_ADDR],
        .server_port = r.of[SERVER_PORT], .server_name = r.of[SERVER_NAME], .https = r.of[HTTPS], .scheme = r.of[SCHEME],
        .remote_user = r.of[REMOTE_USER], .auth_type = r.of[AUTH_TYPE]};
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
