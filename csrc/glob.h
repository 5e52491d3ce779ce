/* Shell patterns of sections and names: * and ? (neither matches '/'), [set], [!set], backslash. Bytes are bytes: no locale. */
#ifndef PYHOST_GLOB_H
#define PYHOST_GLOB_H

#include "slice.h"

/* Does the pattern match the whole text? Context: any thread; pure; time at most length of pattern times length of a path component. */
bool glob_match(const char *pattern, struct slice text);

#endif
