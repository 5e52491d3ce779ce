/* Scheme, name and port under which the client knows us. With UseCanonicalName Off what the client said counts, so that answers lead back
 * through whatever proxy or forwarded port it came by. */
#include "origin.h"

#include <stdio.h>
#include <sys/socket.h>
const char *origin_scheme(const struct request *r)
{
    const char *configured = r->server->server_scheme;
    if (configured)
        return strcasecmp(configured, "https") == 0 ? "https" : "http";
    return r->secure ? "https" : "http";
}

static int default_port(const struct request *r) { return strcmp(origin_scheme(r), "https") == 0 ? 443 : 80; }

static void address_text(const struct peer *peer, char out[46])
{
    out[0] = 0;
    if (peer->family == AF_INET || peer->family == AF_INET6)
        peer_text(peer, out, 46);
}

void origin_client_text(const struct request *r, char out[46])
{
    if (r->useragent_ip)
        snprintf(out, 46, "%s", r->useragent_ip);
    else
        address_text(&r->peer, out);
}

void origin_local_text(const struct request *r, char out[46]) { address_text(&r->local, out); }
int origin_local_port(const struct request *r) { return r->local.port; }
int origin_client_port(const struct request *r) { return r->peer.port; }

static bool client_knows(const struct request *r) { return r->hostname && r->hostname[0] && !r->server->use_canonical_name; }

const char *origin_host(struct request *r)
{
    char text[46], *host;
    if (client_knows(r))
        return r->hostname;
    if (r->server->server_name)
        return r->server->server_name;
    if (r->hostname && r->hostname[0])
        return r->hostname;
    origin_local_text(r, text);
    host = request_strdup(r, slice_text(text[0] ? text : "localhost"));
    return host ? host : "localhost";
}

int origin_port(const struct request *r)
{
    if (client_knows(r) && r->head.port)
        return (int)r->head.port;
    if (r->told_port)
        return r->told_port;
    if (r->server->server_port)
        return r->server->server_port;
    if (client_knows(r))
        return default_port(r);
    return r->local.port ? r->local.port : default_port(r);
}

char *origin_url(struct request *r, struct slice path)
{
    const char *scheme = origin_scheme(r), *host = origin_host(r);
    char port[16] = "";
    int number = origin_port(r);
    if (number != default_port(r))
        snprintf(port, sizeof port, ":%d", number);
    bool bare_ipv6 = host[0] != '[' && strchr(host, ':');
    size_t room = strlen(scheme) + strlen(host) + sizeof port + path.len + 8;
    char *out = request_alloc(r, room);
    if (out)
        snprintf(out, room, "%s://%s%s%s%s%.*s", scheme, bare_ipv6 ? "[" : "", host, bare_ipv6 ? "]" : "", port, (int)path.len, path.at);
    return out;
}
