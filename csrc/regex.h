/* Regular expressions of the configuration (PCRE2, compiled once when the configuration is read, JIT where the machine has it).
 * Compiling and freeing is bridge_regex_compile/bridge_regex_free (bridge.h). Knows no requests. */
#ifndef PYHOST_REGEX_H
#define PYHOST_REGEX_H

#include "conf.h"
#include "slice.h"

enum { REGEX_PAIRS = 10 /* $0 … $9: what expansion can use */ };

/* Searches subject (it need not end in NUL). Offsets of the groups go into ovector, two for each of up to `pairs` pairs; groups that took no
 * part have SIZE_MAX in both. ovector may be NULL with pairs 0.
 * Returns the number of pairs written (at least 1, also with pairs 0) on a match, 0: no match, -1: the pattern needed more steps than
 * REGEX_STEPS allows (count it as no match). A regex without a pattern never matches. Context: the loop thread; no allocation, no GIL. */
int regex_match(const struct regex_conf *regex, struct slice subject, size_t *ovector, int pairs);
/* Writes pattern text with $0 … $9 replaced by the groups; "\$" is a plain '$', "\\" a backslash; groups that took no part are empty.
 * Returns the length of the whole result without NUL; when it is >= room, what was written is cut (and still ends in NUL if room > 0). */
size_t regex_expand(char *to, size_t room, struct slice pattern, struct slice subject, const size_t *ovector, int pairs);

#endif
