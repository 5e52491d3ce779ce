/* Another URI in place of a request: internal redirects, error documents, directory indexes, sub-requests. The new request takes over the
 * connection and what has been written so far; the old one stays behind it as prev. */
#include "serve_redirect.h"

#include <stdio.h>

#include "conn.h"
#include "gate.h"
#include "limit.h"
#include "log.h"

/* The head is shared: its bytes stay with the old request, which the new one keeps alive. */
static int share_head(struct request *to, const struct request *from)
{
    struct http_field *fields = to->fields;
    to->head = from->head;
    to->head.fields = fields;
    memcpy(fields, from->fields, from->head.nfields * sizeof *fields);
    to->bytes = from->bytes;
    to->headers_in_built = from->headers_in_built;
    return from->headers_in_built ? table_copy(&to->headers_in, &from->headers_in) : 0;
}

static int share_environment(struct request *to, const struct request *from)
{
    char name[256];
    for (uint32_t i = 0; i < from->subprocess_env.count; i++) {
        const struct table_entry *e = &from->subprocess_env.entries[i];
        int n = snprintf(name, sizeof name, "REDIRECT_%.*s", (int)e->key_len, e->key);
        if (n < (int)sizeof name && e->value &&
            table_add(&to->subprocess_env, slice_of(name, (size_t)n), slice_of(e->value, e->value_len)) < 0)
            return -1;
    }
    int n = snprintf(name, sizeof name, "%d", from->status);
    if (table_set(&to->subprocess_env, SLICE("REDIRECT_STATUS"), slice_of(name, (size_t)n)) < 0)
        return -1;
    if (from->args && table_set(&to->subprocess_env, SLICE("REDIRECT_QUERY_STRING"), slice_text(from->args)) < 0)
        return -1;
    return table_set(&to->subprocess_env, SLICE("REDIRECT_URL"), slice_text(from->uri));
}

/* A target inside is written as a client would write it: its path is decoded once, and cannot lead above the root either. */
static int set_target(struct request *to, const char *uri)
{
    const char *query = strchr(uri, '?');
    struct slice path = slice_of(uri, query ? (size_t)(query - uri) : strlen(uri));
    to->uri = request_alloc(to, path.len + 1);
    to->args = query ? request_strdup(to, slice_text(query + 1)) : NULL;
    to->unparsed_uri = request_strdup(to, slice_text(uri));
    return to->uri && to->unparsed_uri && http_path_decode(path, true, to->uri) >= 0 ? 0 : -1;
}

static int copy_environment(struct request *to, const struct request *from) { return table_copy(&to->subprocess_env, &from->subprocess_env); }

static struct request *derive(struct request *from, const char *uri, int (*environment)(struct request *, const struct request *))
{
    struct request *to = request_new(from->head.nfields > REQUEST_INLINE_FIELDS ? from->head.nfields : REQUEST_INLINE_FIELDS);
    if (!to)
        return NULL;
    to->peer = from->peer;
    to->local = from->local;
    to->keepalives = from->keepalives;
    to->conn_id = from->conn_id;
    to->main = from->main;
    to->server = from->server;
    to->start_ns = from->start_ns;
    to->start_us = from->start_us;
    to->id = from->id;
    to->method = from->method;
    to->method_number = from->method_number;
    to->header_only = from->header_only;
    to->hostname = from->hostname;
    to->user = from->user;
    to->auth_type = from->auth_type;
    to->useragent_ip = from->useragent_ip;
    to->secure = from->secure;
    to->redirects = (uint8_t)(from->redirects + 1);
    if (share_head(to, from) < 0 || environment(to, from) < 0 || set_target(to, uri) < 0) {
        request_unref(to);
        return NULL;
    }
    return to;
}

/* The body goes along: what has been read stays read. */
static void move_body(struct request *to, struct request *from)
{
    to->body = from->body;
    to->in = from->in;
    from->in = (struct buf){0};
    to->body_bytes_in = from->body_bytes_in;
    to->body_bytes_read = from->body_bytes_read;
    to->continue_due = from->continue_due;
    to->gate = from->gate;
}

static void move_response(struct request *to, struct request *from)
{
    to->response = from->response;
    to->chunked_out = from->chunked_out;
    to->no_body_out = from->no_body_out;
    to->close_after = from->close_after;
    to->out = from->out;
    from->out = (struct buf){0};
    to->body_bytes_out = from->body_bytes_out;
    to->wire_bytes_out = from->wire_bytes_out;
    to->err_headers_out = from->err_headers_out;
    from->err_headers_out = (struct table){0};
    if (from->response == RESPONSE_STARTED)
        to->clength = from->clength;
}

struct request *redirect_take_over(struct request *from, const char *uri)
{
    if (!from->conn || from->handed_over)
        return NULL;
    if (from->redirects >= LIMIT_INTERNAL_REDIRECTS) {
        log_request(from, LEVEL_ERROR, "core", "more than %d internal redirects: they lead back to each other", LIMIT_INTERNAL_REDIRECTS);
        return NULL;
    }
    struct request *to = derive(from, uri, share_environment);
    if (!to)
        return NULL;
    to->prev = from; /* the connection's reference on the old request becomes the new one's */
    from->next = to;
    to->conn = from->conn;
    from->conn->gate->out->moved(from, to);
    from->conn = NULL;
    from->handed_over = true;
    move_body(to, from);
    move_response(to, from);
    return to;
}

struct request *redirect_error_document(struct request *from, int status, const char *uri)
{
    int was = from->status;
    from->status = status;
    struct request *to = redirect_take_over(from, uri);
    if (!to) {
        from->status = was;
        return NULL;
    }
    to->status = status;
    table_set(&to->subprocess_env, SLICE("REDIRECT_REQUEST_METHOD"), slice_text(from->method));
    to->error_document = true;
    to->method = (char *)(to->header_only ? "HEAD" : "GET");
    to->method_number = METHOD_GET;
    return to;
}

struct request *redirect_script(struct request *from, const char *uri)
{
    struct request *to = redirect_take_over(from, uri);
    if (!to)
        return NULL;
    table_unset(request_headers_in(to), SLICE("Content-Length"));
    to->method = (char *)(to->header_only ? "HEAD" : "GET");
    to->method_number = METHOD_GET;
    return to;
}

struct request *redirect_look_up(struct request *from, const char *uri)
{
    struct request *to = derive(from, uri, copy_environment);
    if (!to)
        return NULL;
    to->main_request = request_ref(from);
    to->body = BODY_WHOLE;
    to->method = (char *)"GET";
    to->method_number = METHOD_GET;
    return to;
}
