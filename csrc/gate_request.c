/* What all protocols do alike when a head is whole: copies of what the phases use, NUL-terminated, in the request's own memory. */
#include "gate_request.h"

#include "listener.h"
#include "serve.h"
#include "worker.h"

struct request *gate_request_new(struct conn *c)
{
    const struct server_conf *server = c->listener->default_server;
    struct request *r = request_new((uint32_t)server->limit_request_fields);
    if (!r)
        return NULL;
    struct worker *w = c->listener->worker;
    r->conn = c;
    r->peer = c->peer;
    r->local = c->local;
    r->keepalives = c->requests;
    r->conn_id = c->id;
    r->main = w->conf;
    r->server = server;
    r->start_ns = w->loop.now_ns;
    r->start_us = w->loop.wall_us;
    r->id = ++w->next_request_id;
    http_head_init(&r->head, r->fields, (uint32_t)server->limit_request_line, (uint32_t)server->limit_request_field_size,
                   (uint32_t)server->limit_request_fields);
    return r;
}

bool gate_request_begins_connection(const struct request *r)
{
    struct conn *c = r->conn;
    bool first = c && !c->errors_told;
    if (first)
        c->errors_told = true;
    return first;
}

void gate_request_keep_line(struct request *r, const char *bytes, size_t len)
{
    struct http_head *h = &r->head;
    if (!h->line_len) {
        const char *stop;
        h->start = len >= 2 && bytes[0] == '\r' && bytes[1] == '\n' ? 2 : 0;
        h->line_len = (uint32_t)(len - h->start < 256 ? len - h->start : 256);
        for (stop = bytes + h->start; stop < bytes + h->start + h->line_len && *stop != '\r' && *stop != '\n';)
            stop++;
        h->line_len = (uint32_t)(stop - bytes) - h->start;
    }
    r->bytes = request_strdup(r, slice_of(bytes, h->start + h->line_len));
    r->method = h->method_name.len ? request_strdup(r, request_span(r, h->method_name)) : (char *)"-";
    r->unparsed_uri = r->uri = h->target.len ? request_strdup(r, request_span(r, h->target)) : (char *)"-";
    h->nfields = 0;
}

static const char *method_text(struct request *r)
{
    const char *known = http_method_name(r->head.method);
    if (r->head.head_only)
        return "HEAD";
    return known ? known : request_strdup(r, request_span(r, r->head.method_name));
}

struct gate_fault gate_request_fill(struct conn *c, struct request *r, const char *bytes, size_t used)
{
    struct http_head *h = &r->head;
    r->bytes = request_strdup(r, slice_of(bytes, used));
    r->method = (char *)method_text(r);
    r->method_number = h->method;
    r->header_only = h->head_only;
    r->unparsed_uri = request_strdup(r, request_span(r, h->target));
    if (h->has_query)
        r->args = r->unparsed_uri + (h->query.at - h->target.at);
    struct slice host = h->host.len ? slice_of(r->bytes + h->host.at, h->host_name_len) : slice_of("", 0);
    if (host.len) {
        r->hostname = request_strdup(r, host);
        for (char *p = r->hostname; *p; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p = (char)(*p + 32);
        host.at = r->hostname;
    }
    r->server = listener_server(c, host);
    struct slice path = h->form == TARGET_ASTERISK ? SLICE("*") : request_span(r, h->path);
    r->uri = request_alloc(r, path.len + 2);
    long len = http_path_decode(path.len ? path : SLICE("/"), r->server->allow_encoded_slashes != 0, r->uri);
    if (len >= 0)
        return (struct gate_fault){0};
    r->uri = r->unparsed_uri;
    if (len == -1)
        return (struct gate_fault){400, "the path has a bad escape, an encoded NUL, or leads above the root", NULL};
    return (struct gate_fault){404, "the path has an encoded slash", "AllowEncodedSlashes"};
}

bool gate_request_over(struct conn *c, struct request *r, bool at_once)
{
    r->conn = NULL;
    c->requests++;
    if (at_once)
        conn_close(c);
    serve_done(r);
    return c->state != CONN_CLOSED;
}

void gate_request_gone(struct request *r)
{
    r->aborted = true;
    if (r->body == BODY_READING)
        r->body = BODY_BROKEN;
    waker_wake(r->on_body);
    waker_wake(r->on_drain);
    waker_wake(r->on_gone);
}

bool gate_request_is_gone(const struct request *r)
{
    return !r->handed_over && !r->main_request && (r->aborted || !r->conn || r->conn->eof);
}
