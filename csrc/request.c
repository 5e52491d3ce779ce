/* Requests come from a bounded free list; what they hold is released before they go back to it. */
#include "request.h"

#include <errno.h>
#include <stdlib.h>

enum { FREE_REQUESTS_MAX = 64, KEPT_BYTES = 1024 /* of a request in the free list, for the body of the next */, ARENA_BLOCK_BYTES = 8192, ARENA_ALIGN = 8 };

static struct { struct request *first; unsigned count; } free_requests; /* of this process's loop thread */

static struct request *request_take(struct buf *kept)
{
    struct request *r = free_requests.first;
    *kept = (struct buf){0};
    if (!r)
        return malloc(sizeof *r);
    free_requests.first = r->next;
    free_requests.count--;
    *kept = r->out;
    return r;
}

struct request *request_new(uint32_t limit_fields)
{
    struct buf kept;
    struct request *r = request_take(&kept);
    struct http_field *fields = r ? r->inline_fields : NULL;
    if (r && limit_fields > REQUEST_INLINE_FIELDS)
        fields = malloc(limit_fields * sizeof *fields);
    if (!fields) {
        free(kept.at);
        free(r);
        errno = ENOMEM;
        return NULL;
    }
    memset(r, 0, offsetof(struct request, fields));
    r->fields = fields;
    r->out = kept;
    r->refs = 1;
    r->status = 200;
    r->clength = -1;
    return r;
}

static void request_release(struct request *r)
{
    struct table *tables[] = {&r->headers_in, &r->headers_out, &r->err_headers_out, &r->subprocess_env, &r->notes, &r->trailers_in};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (tables[i]->entries)
            table_clear(tables[i]);
    buf_rest(&r->out, KEPT_BYTES);
    buf_clear(&r->in);
    while (r->arena) {
        struct arena_block *block = r->arena;
        r->arena = block->next;
        free(block);
    }
    if (r->fields != r->inline_fields)
        free(r->fields);
    if (r->prev)
        r->prev->next = NULL;
}

void request_unref(struct request *r)
{
    while (r && --r->refs == 0) {
        struct request *up = r->prev ? r->prev : r->main_request;
        if (r->prev && r->prev->next == r)
            r->prev->next = NULL;
        request_release(r);
        if (free_requests.count < FREE_REQUESTS_MAX) {
            r->next = free_requests.first;
            free_requests.first = r;
            free_requests.count++;
        } else {
            buf_clear(&r->out);
            free(r);
        }
        r = up;
    }
}

void *request_alloc(struct request *r, size_t n)
{
    n = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (!r->arena && REQUEST_ARENA_BYTES - r->arena_used >= n) {
        void *at = r->inline_arena + r->arena_used;
        r->arena_used += (uint32_t)n;
        return at;
    }
    size_t room = r->arena && n <= ARENA_BLOCK_BYTES / 4 ? ARENA_BLOCK_BYTES : 0;
    if (room && ARENA_BLOCK_BYTES - r->arena_used >= n) {
        void *at = (char *)r->arena + r->arena_used;
        r->arena_used += (uint32_t)n;
        return at;
    }
    /* A large piece gets a block of its own behind the current one; a small one starts a new block. */
    bool own = n > ARENA_BLOCK_BYTES / 4;
    struct arena_block *block = malloc(own ? sizeof *block + n : ARENA_BLOCK_BYTES);
    if (!block) {
        errno = ENOMEM;
        return NULL;
    }
    if (own && r->arena) {
        block->next = r->arena->next;
        r->arena->next = block;
        return block + 1;
    }
    block->next = r->arena;
    r->arena = block;
    r->arena_used = own ? ARENA_BLOCK_BYTES : (uint32_t)(sizeof *block + n);
    return block + 1;
}

char *request_strdup(struct request *r, struct slice s)
{
    char *copy = request_alloc(r, s.len + 1);
    if (copy) {
        if (s.len)
            memcpy(copy, s.at, s.len);
        copy[s.len] = 0;
    }
    return copy;
}

static struct slice field_name(const struct request *r, const struct http_field *f) { return slice_of(r->bytes + f->name_at, f->name_len); }
static struct slice field_value(const struct request *r, const struct http_field *f) { return slice_of(r->bytes + f->value_at, f->value_len); }

/* Joins a repeated field to the one before it, in the arena, so that borrowed entries stay borrowed. */
static int table_join(struct request *r, struct table_entry *e, struct slice more, bool cookie)
{
    size_t len = e->value_len + 2 + more.len;
    char *joined = request_alloc(r, len + 1);
    if (!joined)
        return -1;
    memcpy(joined, e->value, e->value_len);
    memcpy(joined + e->value_len, cookie ? "; " : ", ", 2);
    memcpy(joined + e->value_len + 2, more.at, more.len);
    joined[len] = 0;
    e->value = joined;
    e->value_len = (uint32_t)len;
    return 0;
}

struct table *request_headers_in(struct request *r)
{
    if (r->headers_in_built)
        return &r->headers_in;
    r->headers_in_built = true;
    for (uint32_t i = 0; i < r->head.nfields; i++) {
        const struct http_field *f = &r->fields[i];
        struct slice name = field_name(r, f), value = field_value(r, f);
        if (f->name == FIELD_HTTP2_SETTINGS)
            continue;
        struct table_entry *e = r->headers_in.count ? (struct table_entry *)table_find(&r->headers_in, name) : NULL;
        if (e && !slice_eq_nocase(name, SLICE("Set-Cookie")))
            table_join(r, e, value, f->name == FIELD_COOKIE);
        else
            table_add_borrowed(&r->headers_in, name, value);
    }
    return &r->headers_in;
}

struct slice request_header_named(const struct request *r, struct slice name)
{
    if (r->headers_in_built) {
        const struct table_entry *e = table_find(&r->headers_in, name);
        return e ? slice_of(e->value, e->value_len) : slice_of(NULL, 0);
    }
    for (uint32_t i = 0; i < r->head.nfields; i++)
        if (slice_eq_nocase(field_name(r, &r->fields[i]), name))
            return field_value(r, &r->fields[i]);
    return slice_of(NULL, 0);
}

struct slice request_header(struct request *r, enum http_field_name name, struct slice text)
{
    if (r->headers_in_built) {
        const struct table_entry *e = table_find(&r->headers_in, text);
        return e ? slice_of(e->value, e->value_len) : slice_of(NULL, 0);
    }
    for (uint32_t i = 0; i < r->head.nfields; i++) {
        const struct http_field *f = &r->fields[i];
        if (f->name == name && (name != FIELD_OTHER || slice_eq_nocase(field_name(r, f), text)))
            return field_value(r, f);
    }
    return slice_of(NULL, 0);
}
