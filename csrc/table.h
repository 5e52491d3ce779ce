/* An ordered multimap of byte strings with case-insensitive keys: headers, environment, notes, options.
 * mod_python's mp_table is a live view of one of these. */
#ifndef PYHOST_TABLE_H
#define PYHOST_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

struct table_entry {
    const char *key;   /* NUL-terminated only when owned */
    const char *value; /* NULL: the key exists and has no value (None in Python) */
    uint32_t key_len;
    uint32_t value_len;
    char *owned; /* one allocation that holds key and value, or NULL when both are borrowed for the life of the table */
};

struct table {
    struct table_entry *entries; /* owned array, insertion order */
    uint32_t count;
    uint32_t cap;
    uint32_t version; /* counts changes of size, so that iterators notice */
};

/* Context of all: whoever owns the table; no GIL needed. Lengths in bytes. -1 means errno ENOMEM. */
int table_add(struct table *t, struct slice key, struct slice value);          /* copies; keeps others of the same key */
int table_add_borrowed(struct table *t, struct slice key, struct slice value); /* both outlive the table */
int table_set(struct table *t, struct slice key, struct slice value);          /* replaces the first, removes the others */
int table_merge(struct table *t, struct slice key, struct slice value);        /* appends ", value" to the first, or adds */
/* The first entry of that key, or NULL. Valid until the table changes. */
const struct table_entry *table_find(const struct table *t, struct slice key);
/* The next entry of the same key after e, or NULL. */
const struct table_entry *table_find_next(const struct table *t, const struct table_entry *e);
unsigned table_unset(struct table *t, struct slice key); /* returns how many were removed */
void table_remove_at(struct table *t, uint32_t index);
int table_copy(struct table *to, const struct table *from); /* deep; to must be empty */
void table_clear(struct table *t);

#endif
