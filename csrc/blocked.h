/* How often handlers have held up this worker, by the Location that the request is in. A table of fixed size: it is written in a signal handler. */
#ifndef PYHOST_BLOCKED_H
#define PYHOST_BLOCKED_H

#include <stdint.h>

enum { BLOCKED_PLACES = 128, BLOCKED_TEXT_BYTES = 128 };

/* Counts one stretch; location is copied (its first BLOCKED_TEXT_BYTES - 1 bytes), NULL: none. Returns how many there were at that place, this one
 * included. Places beyond the table's bound share one entry. Context: the loop thread, signal handlers on it. */
uint64_t blocked_count(const char *location);
/* The entry at index, NULL behind the last. The text lives as long as the process. Context: the loop thread; a signal may add entries meanwhile. */
const char *blocked_at(unsigned index, uint64_t *count);

#endif
