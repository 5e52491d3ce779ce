/* The server in front has spoken with the client; who that is, and who it is there, it tells us in variables. It is trusted: only it can reach
 * a listener of these protocols. */
#include "gate_vars.h"

#include <arpa/inet.h>

#include "limit.h"

static struct buf head = {.max = LIMIT_GATE_HEAD_BYTES * 2}; /* reused: heads are made one at a time, without a switch between */

static bool address_from(struct peer *peer, struct slice text)
{
    char name[64];
    unsigned char raw[16];
    if (!text.len || text.len >= sizeof name)
        return false;
    memcpy(name, text.at, text.len);
    name[text.len] = 0;
    struct peer made = {0};
    if (inet_pton(AF_INET, name, raw) == 1) {
        made.family = AF_INET;
        made.address[10] = made.address[11] = 0xff;
        memcpy(made.address + 12, raw, 4);
    } else if (inet_pton(AF_INET6, name, raw) == 1) {
        made.family = AF_INET6;
        memcpy(made.address, raw, 16);
    } else {
        return false;
    }
    *peer = made;
    return true;
}

static uint16_t port_from(struct slice text)
{
    int64_t port = cgi_number(text);
    return port > 0 && port < 65536 ? (uint16_t)port : 0;
}

static void take_variables(struct request *r, const struct cgi_vars *v)
{
    if (address_from(&r->peer, v->remote_addr))
        r->peer.port = port_from(v->remote_port);
    address_from(&r->local, v->server_addr);
    if (v->server_port.len)
        r->local.port = r->told_port = port_from(v->server_port);
    r->secure = (v->https.len && !slice_eq_nocase(v->https, SLICE("off"))) || slice_eq_nocase(v->scheme, SLICE("https"));
    if (v->remote_user.len) {
        r->user = request_strdup(r, v->remote_user);
        r->auth_type = v->auth_type.len ? request_strdup(r, v->auth_type) : NULL;
    }
}

struct gate_fault gate_vars_head(struct request *r, const struct pack *pack, struct slice *out)
{
    struct cgi_vars vars;
    const char *why = cgi_head_build(pack->pairs, pack->count, &head, &vars);
    *out = slice_of(head.at, head.len);
    if (why)
        return (struct gate_fault){400, why, NULL};
    size_t used;
    enum http_fault fault = FAULT_NONE;
    enum http_result result = http_head_parse(&r->head, head.at, head.len, &used, &fault);
    if (result == HTTP_BAD) {
        struct http_fault_text text = http_fault_info(fault);
        return (struct gate_fault){text.status, text.why, text.directive};
    }
    if (result == HTTP_MORE || used != head.len)
        return (struct gate_fault){400, "the variables do not make one request", NULL};
    r->head.keep_alive = r->head.expect_continue = false;
    take_variables(r, &vars);
    return (struct gate_fault){0};
}
