/* Path prefixes on segment boundaries ("/foo" holds for /foo and /foo/bar, not for /foobar; "/foo/" wants the slash): one hash look-up
 * for each segment of the path, however many patterns there are. For Location, Directory, Alias and Redirect. */
#ifndef PYHOST_PREFIX_H
#define PYHOST_PREFIX_H

#include <stdint.h>

#include "slice.h"

struct prefix_node;
struct prefix_index {
    struct prefix_node *nodes; /* owned: open addressing over the patterns without their trailing slash */
    struct prefix_value { int value, next; bool wants_slash; } *values; /* owned */
    uint32_t node_count, node_cap, value_count, value_cap;
    uint32_t max_len;          /* longest pattern */
    uint64_t lengths;          /* bit min(length, 63): there is such a pattern */
};

/* Context of all: the loop thread. */
/* Adds a pattern (borrowed). Values of one pattern keep the order in which they came. 0, or -1 with errno ENOMEM. */
int prefix_add(struct prefix_index *p, struct slice pattern, int value);
/* Values of all patterns that hold for the path, short patterns first, as many as there is room for. Returns how many there are. */
int prefix_find(const struct prefix_index *p, struct slice path, int *out, int room);
/* The least of them, or -1. */
int prefix_find_least(const struct prefix_index *p, struct slice path);
void prefix_clear(struct prefix_index *p);

#endif
