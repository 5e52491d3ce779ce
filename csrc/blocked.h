/* How often handlers have held up a worker, by the Location that the request was in. A table of fixed size: it is written in a signal handler, and
 * lies in shared memory, where whoever asks for the status reads it. */
#ifndef PYHOST_BLOCKED_H
#define PYHOST_BLOCKED_H

#include <stdatomic.h>
#include <stdint.h>

enum { BLOCKED_PLACES = 128, BLOCKED_TEXT_BYTES = 128 };

struct blocked {
    struct { char text[BLOCKED_TEXT_BYTES]; _Atomic uint64_t count; } places[BLOCKED_PLACES];
    _Atomic unsigned used;
};

/* Counts one stretch; location is copied (its first BLOCKED_TEXT_BYTES - 1 bytes), NULL: none. Returns how many there were at that place, this one
 * included. Places beyond the table's bound share one entry. Context: the table's one writer, signal handlers on its thread. */
uint64_t blocked_count(struct blocked *b, const char *location);
/* The entry at index, NULL behind the last. The text lives as long as the table. Context: any; the writer may add entries meanwhile. */
const char *blocked_at(const struct blocked *b, unsigned index, uint64_t *count);
/* Adds all counts of another table. Context: the writer of b. */
void blocked_add(struct blocked *b, const struct blocked *more);

#endif
