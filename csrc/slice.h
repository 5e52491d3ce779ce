/* A view of bytes that somebody else owns. Nothing here allocates.
 * Every parser takes and gives slices; who owns the bytes is said where a slice is stored. */
#ifndef PYHOST_SLICE_H
#define PYHOST_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *at;
    size_t len;
};

#define SLICE(text) ((struct slice){(text), sizeof(text) - 1})

static inline struct slice slice_of(const char *at, size_t len) { return (struct slice){at, len}; }
static inline struct slice slice_text(const char *text) { return (struct slice){text, text ? strlen(text) : 0}; }
static inline bool slice_is(struct slice s, const char *text, size_t len)
{
    return s.len == len && (len == 0 || memcmp(s.at, text, len) == 0);
}
static inline bool slice_eq(struct slice a, struct slice b) { return slice_is(a, b.at, b.len); }
static inline bool slice_eq_nocase(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.at, b.at, a.len) == 0);
}
/* Without the spaces and tabs around it. */
static inline struct slice slice_trim(struct slice s)
{
    while (s.len && (s.at[0] == ' ' || s.at[0] == '\t'))
        s = slice_of(s.at + 1, s.len - 1);
    while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

#endif
