/* Tables are small (a dozen headers): a linear search over lengths and first letters beats a hash. */
#include "table.h"

#include <errno.h>
#include <stdlib.h>

static struct table_entry *table_push(struct table *t)
{
    if (t->count == t->cap) {
        uint32_t cap = t->cap ? t->cap * 2 : 8;
        struct table_entry *entries = realloc(t->entries, cap * sizeof *entries);
        if (!entries) {
            errno = ENOMEM;
            return NULL;
        }
        t->entries = entries;
        t->cap = cap;
    }
    t->version++;
    return &t->entries[t->count++];
}

/* One block: key NUL value NUL. */
static int entry_fill(struct table_entry *e, struct slice key, struct slice value)
{
    char *block = malloc(key.len + value.len + 2);
    if (!block) {
        errno = ENOMEM;
        return -1;
    }
    memcpy(block, key.at, key.len);
    block[key.len] = 0;
    if (value.at)
        memcpy(block + key.len + 1, value.at, value.len);
    block[key.len + 1 + value.len] = 0;
    *e = (struct table_entry){.key = block, .value = value.at ? block + key.len + 1 : NULL, .key_len = (uint32_t)key.len,
                              .value_len = (uint32_t)value.len, .owned = block};
    return 0;
}

int table_add(struct table *t, struct slice key, struct slice value)
{
    struct table_entry made;
    if (entry_fill(&made, key, value) < 0)
        return -1;
    struct table_entry *e = table_push(t);
    if (!e) {
        free(made.owned);
        return -1;
    }
    *e = made;
    return 0;
}

int table_add_borrowed(struct table *t, struct slice key, struct slice value)
{
    struct table_entry *e = table_push(t);
    if (!e)
        return -1;
    *e = (struct table_entry){.key = key.at, .value = value.at, .key_len = (uint32_t)key.len, .value_len = (uint32_t)value.len};
    return 0;
}

static bool entry_is(const struct table_entry *e, struct slice key)
{
    return e->key_len == key.len && strncasecmp(e->key, key.at, key.len) == 0;
}

static const struct table_entry *table_search(const struct table *t, uint32_t from, struct slice key)
{
    for (uint32_t i = from; i < t->count; i++)
        if (entry_is(&t->entries[i], key))
            return &t->entries[i];
    return NULL;
}

const struct table_entry *table_find(const struct table *t, struct slice key) { return table_search(t, 0, key); }

const struct table_entry *table_find_next(const struct table *t, const struct table_entry *e)
{
    return table_search(t, (uint32_t)(e - t->entries) + 1, slice_of(e->key, e->key_len));
}

void table_remove_at(struct table *t, uint32_t index)
{
    free(t->entries[index].owned);
    t->count--;
    memmove(&t->entries[index], &t->entries[index + 1], (t->count - index) * sizeof *t->entries);
    t->version++;
}

static unsigned table_unset_from(struct table *t, uint32_t from, struct slice key)
{
    unsigned removed = 0;
    for (uint32_t i = from; i < t->count;) {
        if (entry_is(&t->entries[i], key)) {
            table_remove_at(t, i);
            removed++;
        } else {
            i++;
        }
    }
    return removed;
}

unsigned table_unset(struct table *t, struct slice key) { return table_unset_from(t, 0, key); }

int table_set(struct table *t, struct slice key, struct slice value)
{
    struct table_entry *e = (struct table_entry *)table_find(t, key), made;
    if (!e)
        return table_add(t, key, value);
    if (entry_fill(&made, slice_of(e->key, e->key_len), value) < 0) /* the first spelling of the key stays */
        return -1;
    char *old = e->owned;
    *e = made;
    table_unset_from(t, (uint32_t)(e - t->entries) + 1, slice_of(e->key, e->key_len));
    free(old);
    return 0;
}

int table_merge(struct table *t, struct slice key, struct slice value)
{
    struct table_entry *e = (struct table_entry *)table_find(t, key), made;
    if (!e)
        return table_add(t, key, value);
    char *joined = malloc(e->value_len + value.len + 2);
    if (!joined) {
        errno = ENOMEM;
        return -1;
    }
    if (e->value)
        memcpy(joined, e->value, e->value_len);
    memcpy(joined + e->value_len, ", ", 2);
    memcpy(joined + e->value_len + 2, value.at, value.len);
    int failed = entry_fill(&made, slice_of(e->key, e->key_len), slice_of(joined, e->value_len + value.len + 2));
    free(joined);
    if (failed)
        return -1;
    free(e->owned);
    *e = made;
    return 0;
}

int table_copy(struct table *to, const struct table *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        const struct table_entry *e = &from->entries[i];
        if (table_add(to, slice_of(e->key, e->key_len), slice_of(e->value, e->value_len)) < 0)
            return -1;
    }
    return 0;
}

void table_clear(struct table *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        free(t->entries[i].owned);
    free(t->entries);
    *t = (struct table){.version = t->version + 1};
}
