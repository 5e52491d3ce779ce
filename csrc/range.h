/* Byte ranges as a client lists them. Pure: no allocation, no clock. */
#ifndef PYHOST_RANGE_H
#define PYHOST_RANGE_H

#include <stdint.h>

#include "slice.h"

struct range { int64_t first, last; }; /* both included, 0 <= first <= last < length */
enum range_result { RANGE_WHOLE /* no usable Range: send everything */, RANGE_SOME, RANGE_UNSATISFIABLE };
enum { RANGE_MOST = 1000 }; /* where MaxRanges is unlimited */

/* Reads "bytes=…" against a representation of length bytes. out: room for max ranges; what overlaps or touches is one range, so that the sum never
 * exceeds length. More than max: RANGE_WHOLE. Context: any thread; pure. */
enum range_result range_parse(struct slice field, int64_t length, int max, struct range *out, int *count);
/* How many ranges a field lists, at most. */
int range_count(struct slice field);

#endif
