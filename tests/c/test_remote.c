/* Who is believed about the client's address and scheme. */
// sources: remote.c access.c expr_parse.c expr_words.c expr_eval.c expr_calls.c expr_vars.c base64.c digest.c auth_file.c env.c env_cgi.c origin.c peer.c request.c table.c buf.c conf.c http_bytes.c
// libs: pcre2-8
#include "remote.h"
#include "route_world.h"

static const struct net_conf trusted[] = {{{[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}, 128}, {{[10] = 0xff, [11] = 0xff, 9, 9, 9, 9}, 128}, {{0x20, 1, [15] = 9}, 128}};
static const struct net_conf internal[] = {{{[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}, 128}};

static void check(const char *header, bool inside, unsigned char last, const char *field, const char *proto, const char *client, const char *left, bool secure)
{
    struct server_conf server = main_server;
    server.remoteip_header = header;
    server.trusted_proxies = trusted;
    server.trusted_proxy_count = 3;
    server.internal_proxies = internal;
    server.internal_proxy_count = inside;
    struct request *r = request_for(&server, "/");
    r->headers_in_built = true;
    r->peer = (struct peer){.family = last ? AF_INET : AF_UNIX, .address = {[10] = 0xff, [11] = 0xff, 10, 0, 0, last}};
    if (field)
        table_add_borrowed(&r->headers_in, slice_text(header), slice_text(field));
    if (proto)
        table_add_borrowed(&r->headers_in, SLICE("X-Forwarded-Proto"), slice_text(proto));
    remote_apply(r);
    const struct table_entry *e = table_find(&r->headers_in, slice_text(header));
    CHECK(client ? r->useragent_ip && !strcmp(client, r->useragent_ip) : !r->useragent_ip, "%s: %s: %s", header, field, r->useragent_ip);
    CHECK(left ? e && !strcmp(left, e->value) : !e, "%s: %s: left %s", header, field, e ? e->value : "-");
    CHECK(r->secure == secure, "%s: %s: secure %d", header, field, r->secure);
    request_unref(r);
}

int main(void)
{
    const char *xff = "X-Forwarded-For";
    check(xff, false, 1, "1.2.3.4", NULL, "1.2.3.4", NULL, false);
    check(xff, false, 2, "1.2.3.4", "https", NULL, "1.2.3.4", false); /* not a trusted proxy */
    check(xff, false, 1, "8.8.8.8, 1.2.3.4", "https", "1.2.3.4", "8.8.8.8", true); /* the rightmost one that is not trusted */
    check(xff, false, 1, "8.8.8.8, 1.2.3.4 , 9.9.9.9", "http, HTTPS", "1.2.3.4", "8.8.8.8", true);
    check(xff, false, 1, "9.9.9.9", "https, http", "9.9.9.9", NULL, false);
    check(xff, false, 1, NULL, "https", NULL, NULL, true);
    check(xff, false, 1, "", NULL, NULL, "", false);
    check(xff, false, 1, "junk", NULL, NULL, "junk", false);
    check(xff, false, 1, "1.2.3.4, junk", NULL, NULL, "1.2.3.4, junk", false);
    check(xff, false, 1, "junk, 1.2.3.4,", NULL, NULL, "junk, 1.2.3.4,", false); /* an empty element is no address */
    check(xff, false, 1, "1.2.3.4:567", NULL, "1.2.3.4", NULL, false);
    check(xff, false, 1, "[2001:db8::1]:567", NULL, "2001:db8::1", NULL, false);
    check(xff, false, 1, "2001:DB8:0::1", NULL, "2001:db8::1", NULL, false);
    check(xff, false, 1, "::ffff:1.2.3.4", NULL, "1.2.3.4", NULL, false);
    check(xff, false, 1, "7.7.7.7, 2001::9", NULL, "7.7.7.7", NULL, false);
    check(xff, false, 1, "192.168.1.1", NULL, NULL, "192.168.1.1", false); /* private: from internal proxies only */
    check(xff, true, 1, "192.168.1.1", NULL, "192.168.1.1", NULL, false);
    check(xff, true, 1, "5.5.5.5, 192.168.1.1", NULL, "192.168.1.1", "5.5.5.5", false);
    check(xff, false, 1, "192.168.1.1, 9.9.9.9", NULL, "9.9.9.9", "192.168.1.1", false);
    check(xff, false, 0, "1.2.3.4", NULL, "1.2.3.4", NULL, false); /* a unix socket */
    check("X-Real-IP", false, 1, "1.2.3.4", NULL, "1.2.3.4", NULL, false);
    const char *forwarded = "Forwarded";
    check(forwarded, false, 1, "for=1.2.3.4;proto=https;by=x", NULL, "1.2.3.4", NULL, true);
    check(forwarded, false, 1, "for=8.8.8.8, For=\"[2001:db8::1]:80\" ; Proto=http", NULL, "2001:db8::1", "for=8.8.8.8", false);
    check(forwarded, false, 1, "for=unknown", NULL, NULL, "for=unknown", false);
    check(forwarded, false, 1, "proto=https", NULL, NULL, "proto=https", true);
    check(forwarded, false, 1, "for=1.2.3.4;proto=https, for=9.9.9.9;proto=http", NULL, "1.2.3.4", NULL, false); /* the nearest proxy says how we were asked */
    return check_result();
}
