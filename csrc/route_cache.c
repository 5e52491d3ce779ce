/* Two caches, both exact. Merged sets: found by server, sections and .htaccess files; a file that is not the one that was merged (inode, size,
 * times) makes the set be merged again. Paths: what a path came to, kept only when nothing but the frozen configuration had a say. */
#include <stdlib.h>

#include "hash.h"
#include "route_parts.h"

static const char *const no_htaccess[] = {NULL};

struct merged {
    struct merged *next;
    uint64_t hash;
    const struct server_conf *server;
    const struct dir_conf *conf;
    int count, htaccess_count;
    int *ids;                    /* owned, as the next two */
    char **paths;
    struct file_identity *files;
    bool unsettled;
};

static uint64_t key_hash(const struct server_conf *server, const int *ids, int count, const struct htaccess *h)
{
    uint64_t hash = hash_bytes((const char *)ids, (size_t)count * sizeof *ids, (uint64_t)server->index << 16);
    for (int i = 0; h && i < h->count; i++)
        hash = hash_bytes(h->paths[i], strlen(h->paths[i]), hash);
    return hash;
}

static bool key_is(const struct merged *m, const struct server_conf *server, const int *ids, int count, const struct htaccess *h)
{
    if (m->server != server || m->count != count || m->htaccess_count != (h ? h->count : 0) || memcmp(m->ids, ids, (size_t)count * sizeof *ids))
        return false;
    for (int i = 0; i < m->htaccess_count; i++)
        if (strcmp(m->paths[i], h->paths[i]) != 0)
            return false;
    return true;
}

static struct merged *merged_lookup(const struct merge_cache *c, uint64_t hash, const struct server_conf *server, const int *ids, int count,
                                    const struct htaccess *h)
{
    struct merged *m = c->bucket_count ? c->buckets[hash & (c->bucket_count - 1)] : NULL;
    while (m && !(m->hash == hash && key_is(m, server, ids, count, h)))
        m = m->next;
    return m;
}

static void merged_free(struct merged *m)
{
    for (int i = 0; m->paths && i < m->htaccess_count; i++)
        free(m->paths[i]);
    free(m->paths);
    free(m->files);
    free(m->ids);
    free(m);
}

void merge_cache_clear(struct merge_cache *c)
{
    for (uint32_t i = 0; i < c->bucket_count; i++)
        for (struct merged *m = c->buckets[i], *next; m; m = next) {
            next = m->next;
            merged_free(m);
        }
    free(c->buckets);
    *c = (struct merge_cache){0};
}

static int cache_grow(struct merge_cache *c)
{
    uint32_t count = c->bucket_count ? c->bucket_count * 2 : 64;
    struct merged **buckets = calloc(count, sizeof *buckets);
    if (!buckets)
        return -1;
    for (uint32_t i = 0; i < c->bucket_count; i++)
        for (struct merged *m = c->buckets[i], *next; m; m = next) {
            next = m->next;
            m->next = buckets[m->hash & (count - 1)];
            buckets[m->hash & (count - 1)] = m;
        }
    free(c->buckets);
    c->buckets = buckets;
    c->bucket_count = count;
    return 0;
}

static struct merged *merged_new(const struct server_conf *server, const int *ids, int count, const struct htaccess *h, uint64_t hash)
{
    struct merged *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    *m = (struct merged){.hash = hash, .server = server, .count = count, .htaccess_count = h ? h->count : 0};
    m->ids = malloc((size_t)count * sizeof *ids + 1);
    m->paths = calloc((size_t)m->htaccess_count + 1, sizeof *m->paths);
    m->files = calloc((size_t)m->htaccess_count + 1, sizeof *m->files);
    if (!m->ids || !m->paths || !m->files)
        goto fail;
    memcpy(m->ids, ids, (size_t)count * sizeof *ids);
    for (int i = 0; i < m->htaccess_count; i++)
        if (!(m->paths[i] = strdup(h->paths[i])))
            goto fail;
    return m;
fail:
    merged_free(m);
    return NULL;
}

static void merged_fill(struct merged *m, const struct dir_conf *conf, const struct htaccess *h)
{
    m->conf = conf;
    m->unsettled = h && h->unsettled;
    if (h)
        memcpy(m->files, h->files, (size_t)h->count * sizeof *h->files);
}

/* Without memory it is not kept, and merged again the next time. */
static void merged_keep(struct merge_cache *c, uint64_t hash, const struct server_conf *server, const int *ids, int count,
                        const struct htaccess *h, const struct dir_conf *conf)
{
    if (c->count >= LIMIT_MERGED_SETS)
        merge_cache_clear(c);
    if (c->count >= c->bucket_count && cache_grow(c) < 0)
        return;
    struct merged *m = merged_new(server, ids, count, h, hash);
    if (!m)
        return;
    merged_fill(m, conf, h);
    m->next = c->buckets[hash & (c->bucket_count - 1)];
    c->buckets[hash & (c->bucket_count - 1)] = m;
    c->count++;
}

static bool is_fresh(const struct merged *m, const struct htaccess *h)
{
    return !h || !h->count || (!m->unsettled && !memcmp(m->files, h->files, (size_t)h->count * sizeof *h->files));
}

enum route_result merge_cache_find(struct route *route, const struct server_conf *server, const int *ids, int count,
                                   const struct htaccess *h, bool may_merge, const struct dir_conf **out)
{
    if (!count && !(h && h->count)) {
        *out = server->base;
        return ROUTE_OK;
    }
    uint64_t hash = key_hash(server, ids, count, h);
    struct merged *m = merged_lookup(&route->merged, hash, server, ids, count, h);
    if (m && is_fresh(m, h)) {
        *out = m->conf;
        return ROUTE_OK;
    }
    if (!may_merge)
        return ROUTE_NEEDS_HUB;
    *out = route->merge(server, ids, count, h ? (const char *const *)h->paths : no_htaccess);
    if (!*out)
        return ROUTE_STATUS;
    if (m)
        merged_fill(m, *out, h);
    else
        merged_keep(&route->merged, hash, server, ids, count, h, *out);
    return ROUTE_OK;
}

uint64_t path_hash(const struct server_conf *server, struct slice uri) { return hash_bytes(uri.at, uri.len, (uint64_t)server->index << 16); }

const struct path_entry *path_find(const struct route *route, const struct server_conf *server, struct slice uri, uint64_t hash)
{
    const struct path_entry *e = route->paths[hash & (LIMIT_ROUTE_PATHS - 1)];
    return e && e->hash == hash && e->server == server && slice_is(uri, e->text, e->uri_len) ? e : NULL;
}

void path_store(struct route *route, const struct path_entry *entry, struct slice uri, struct slice filename)
{
    struct path_entry **slot = &route->paths[entry->hash & (LIMIT_ROUTE_PATHS - 1)];
    if (uri.len + filename.len > LIMIT_ROUTE_PATH_BYTES)
        return;
    struct path_entry *e = malloc(sizeof *e + uri.len + filename.len + 2);
    if (!e)
        return;
    *e = *entry;
    e->uri_len = (uint32_t)uri.len;
    e->filename_len = (uint32_t)filename.len;
    memcpy(e->text, uri.at, uri.len);
    e->text[uri.len] = 0;
    memcpy(e->text + uri.len + 1, filename.at, filename.len);
    e->text[uri.len + 1 + filename.len] = 0;
    free(*slot);
    *slot = e;
}
