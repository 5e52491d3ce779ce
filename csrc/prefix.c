/* The table is built once and only read afterwards; empty nodes end a probe. */
#include "prefix.h"

#include <errno.h>
#include <stdlib.h>

#include "hash.h"

struct prefix_node {
    uint64_t hash;
    struct slice key; /* at NULL: empty */
    int first, last;  /* of values */
};

static struct prefix_node *node_slot(struct prefix_node *nodes, uint32_t cap, struct slice key, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & (cap - 1);
    while (nodes[i].key.at && !(nodes[i].hash == hash && slice_eq(nodes[i].key, key)))
        i = (i + 1) & (cap - 1);
    return &nodes[i];
}

static int nodes_grow(struct prefix_index *p)
{
    uint32_t cap = p->node_cap ? p->node_cap * 2 : 8;
    struct prefix_node *nodes = calloc(cap, sizeof *nodes);
    if (!nodes)
        return -1;
    for (uint32_t i = 0; i < p->node_cap; i++)
        if (p->nodes[i].key.at)
            *node_slot(nodes, cap, p->nodes[i].key, p->nodes[i].hash) = p->nodes[i];
    free(p->nodes);
    p->nodes = nodes;
    p->node_cap = cap;
    return 0;
}

static int value_push(struct prefix_index *p, int value, bool wants_slash)
{
    if (p->value_count == p->value_cap) {
        uint32_t cap = p->value_cap ? p->value_cap * 2 : 8;
        struct prefix_value *values = realloc(p->values, cap * sizeof *values);
        if (!values)
            return -1;
        p->values = values;
        p->value_cap = cap;
    }
    p->values[p->value_count] = (struct prefix_value){.value = value, .next = -1, .wants_slash = wants_slash};
    return (int)p->value_count++;
}

static uint64_t length_bit(size_t len) { return 1ull << (len < 63 ? len : 63); }

int prefix_add(struct prefix_index *p, struct slice pattern, int value)
{
    bool wants_slash = pattern.len && pattern.at[pattern.len - 1] == '/';
    struct slice key = slice_of(pattern.at, pattern.len - wants_slash);
    if (p->node_count * 2 >= p->node_cap && nodes_grow(p) < 0)
        return -1;
    int at = value_push(p, value, wants_slash);
    if (at < 0)
        return -1;
    uint64_t hash = hash_bytes(key.at, key.len, 0);
    struct prefix_node *node = node_slot(p->nodes, p->node_cap, key, hash);
    if (node->key.at) {
        p->values[node->last].next = at;
        node->last = at;
        return 0;
    }
    *node = (struct prefix_node){.hash = hash, .key = key, .first = at, .last = at};
    p->node_count++;
    p->lengths |= length_bit(key.len);
    if (key.len > p->max_len)
        p->max_len = (uint32_t)key.len;
    return 0;
}

/* First value of the pattern that equals path[0, len), or -1. */
static int find_at(const struct prefix_index *p, const char *path, size_t len)
{
    if (!(p->lengths & length_bit(len)))
        return -1;
    const struct prefix_node *node = node_slot(p->nodes, p->node_cap, slice_of(path, len), hash_bytes(path, len, 0));
    return node->key.at ? node->first : -1;
}

/* The next boundary behind i, which is one: the next '/' or the end. Nothing longer than the longest pattern is of interest. */
static size_t next_boundary(const struct prefix_index *p, struct slice path, size_t i)
{
    size_t stop = path.len <= p->max_len ? path.len : (size_t)p->max_len + 1;
    const char *slash = i + 1 < stop ? memchr(path.at + i + 1, '/', stop - i - 1) : NULL;
    if (slash)
        return (size_t)(slash - path.at);
    return i < path.len && path.len <= p->max_len ? path.len : path.len + 1;
}

static bool value_holds(const struct prefix_value *v, struct slice path, size_t i)
{
    return !v->wants_slash || (i < path.len && path.at[i] == '/');
}

int prefix_find(const struct prefix_index *p, struct slice path, int *out, int room)
{
    int n = 0;
    if (!p->node_count)
        return 0;
    for (size_t i = 0; i <= path.len; i = next_boundary(p, path, i))
        for (int at = find_at(p, path.at, i); at >= 0; at = p->values[at].next) {
            if (!value_holds(&p->values[at], path, i))
                continue;
            if (n < room)
                out[n] = p->values[at].value;
            n++;
        }
    return n;
}

int prefix_find_least(const struct prefix_index *p, struct slice path)
{
    int least = -1;
    if (!p->node_count)
        return -1;
    for (size_t i = 0; i <= path.len; i = next_boundary(p, path, i))
        for (int at = find_at(p, path.at, i); at >= 0; at = p->values[at].next)
            if (value_holds(&p->values[at], path, i) && (least < 0 || p->values[at].value < least))
                least = p->values[at].value;
    return least;
}

void prefix_clear(struct prefix_index *p)
{
    free(p->nodes);
    free(p->values);
    *p = (struct prefix_index){0};
}
