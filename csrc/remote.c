/* The list is read from its right end: each proxy vouches for the address to the left of its own. The first one that is not a trusted proxy's is
 * the client; what stands further left is hearsay. */
#include "remote.h"

#include <arpa/inet.h>

#include "access.h"
#include "log.h"

enum { ADDRESS_TEXT = 46 };

static bool is_listed(const struct net_conf *nets, int count, const unsigned char address[16])
{
    for (int i = 0; i < count; i++)
        if (access_net_contains(&nets[i], address))
            return true;
    return false;
}

/* Addresses that mean something only in the proxy's own network: believed from internal proxies alone, as httpd. */
static bool is_private(const unsigned char a[16])
{
    static const struct net_conf nets[] = {
        {{[10] = 0xff, [11] = 0xff, 10}, 104}, {{[10] = 0xff, [11] = 0xff, 172, 16}, 108}, {{[10] = 0xff, [11] = 0xff, 192, 168}, 112},
        {{[10] = 0xff, [11] = 0xff, 169, 254}, 112}, {{[10] = 0xff, [11] = 0xff, 127}, 104}, {{0xfc}, 7}, {{0xfe, 0x80}, 10}, {{[15] = 1}, 128}};
    return is_listed(nets, sizeof nets / sizeof *nets, a);
}

static struct slice unquoted(struct slice s)
{
    return s.len >= 2 && s.at[0] == '"' && s.at[s.len - 1] == '"' ? slice_of(s.at + 1, s.len - 2) : s;
}

/* Cuts the last element off a list; false: nothing is left. */
static bool last_element(struct slice *list, struct slice *element)
{
    size_t from = list->len;
    if (!slice_trim(*list).len)
        return false;
    while (from && list->at[from - 1] != ',')
        from--;
    *element = slice_trim(slice_of(list->at + from, list->len - from));
    list->len = from ? from - 1 : 0;
    return true;
}

/* "1.2.3.4", "1.2.3.4:80", "2001:db8::1", "[2001:db8::1]:80" as 16 bytes and as text without port. */
static bool address_read(struct slice s, unsigned char out[16], char text[ADDRESS_TEXT])
{
    const char *end = s.len && s.at[0] == '[' ? memchr(s.at, ']', s.len) : NULL;
    const char *colon = memchr(s.at, ':', s.len);
    if (end)
        s = slice_of(s.at + 1, (size_t)(end - s.at - 1));
    else if (colon && !memchr(colon + 1, ':', (size_t)(s.at + s.len - colon - 1)))
        s.len = (size_t)(colon - s.at);
    if (!s.len || s.len >= ADDRESS_TEXT)
        return false;
    memcpy(text, s.at, s.len);
    text[s.len] = 0;
    memcpy(out, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
    if (inet_pton(AF_INET, text, out + 12) != 1 && inet_pton(AF_INET6, text, out) != 1)
        return false;
    bool mapped = !memcmp(out, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
    return inet_ntop(mapped ? AF_INET : AF_INET6, mapped ? out + 12 : out, text, ADDRESS_TEXT) != NULL; /* one spelling for all */
}

/* The value of "name=" among the ';' parameters of a Forwarded element; {NULL, 0}: not there. */
static struct slice parameter(struct slice element, struct slice name)
{
    for (size_t from = 0, to; from < element.len; from = to + 1) {
        for (to = from; to < element.len && element.at[to] != ';';)
            to++;
        struct slice pair = slice_trim(slice_of(element.at + from, to - from));
        if (pair.len > name.len && pair.at[name.len] == '=' && strncasecmp(pair.at, name.at, name.len) == 0)
            return unquoted(slice_of(pair.at + name.len + 1, pair.len - name.len - 1));
    }
    return slice_of(NULL, 0);
}

static bool peer_is_trusted(const struct request *r)
{
    const struct server_conf *s = r->server;
    return r->peer.family == AF_UNIX || is_listed(s->trusted_proxies, s->trusted_proxy_count, r->peer.address);
}

struct walk {
    struct slice list;   /* what is left of it */
    unsigned char address[16];
    char text[ADDRESS_TEXT];
    bool found, internal;
    struct slice scheme; /* that the nearest proxy named */
};

/* Takes one element; false: what it says is not believed, or nothing more is to be believed. */
static bool walk_step(const struct request *r, struct walk *w, bool is_forwarded)
{
    unsigned char address[16];
    char text[ADDRESS_TEXT];
    struct slice rest = w->list, element;
    if (!last_element(&rest, &element))
        return false;
    if (is_forwarded && !w->found)
        w->scheme = parameter(element, SLICE("proto"));
    struct slice name = is_forwarded ? parameter(element, SLICE("for")) : unquoted(element);
    if (!name.at || !address_read(name, address, text) || (is_private(address) && !w->internal))
        return false;
    memcpy(w->address, address, 16);
    memcpy(w->text, text, ADDRESS_TEXT);
    w->found = true;
    w->list = rest;
    w->internal = is_listed(r->server->internal_proxies, r->server->internal_proxy_count, address);
    return is_listed(r->server->trusted_proxies, r->server->trusted_proxy_count, address);
}

static void scheme_apply(struct request *r, struct slice scheme)
{
    struct slice field = request_header(r, FIELD_OTHER, SLICE("X-Forwarded-Proto")), last;
    if (!scheme.at && last_element(&field, &last))
        scheme = last;
    if (scheme.at)
        r->secure = slice_eq_nocase(scheme, SLICE("https"));
}

static void field_shorten(struct request *r, struct slice name, struct slice left)
{
    struct table *headers = request_headers_in(r);
    left = slice_trim(left);
    if (!left.len)
        table_unset(headers, name);
    else if (table_set(headers, name, left) < 0)
        log_request(r, LEVEL_ERROR, "remoteip", "out of memory");
}

void remote_apply(struct request *r)
{
    struct slice name = slice_text(r->server->remoteip_header);
    if (!peer_is_trusted(r))
        return;
    const struct table_entry *e = table_find(request_headers_in(r), name);
    struct walk w = {.list = e ? slice_of(e->value, e->value_len) : slice_of(NULL, 0)};
    w.internal = r->peer.family == AF_UNIX || is_listed(r->server->internal_proxies, r->server->internal_proxy_count, r->peer.address);
    bool is_forwarded = slice_eq_nocase(name, SLICE("Forwarded"));
    while (walk_step(r, &w, is_forwarded))
        continue;
    scheme_apply(r, w.scheme);
    if (!w.found)
        return;
    char *left = request_strdup(r, w.list); /* the table's own copy goes when the field is set anew */
    r->useragent_ip = request_strdup(r, slice_text(w.text));
    if (left)
        field_shorten(r, name, slice_text(left));
}
