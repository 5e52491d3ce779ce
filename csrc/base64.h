/* Base64 (RFC 4648 section 4), with '=' at the end. */
#ifndef PYHOST_BASE64_H
#define PYHOST_BASE64_H

#include <stddef.h>

#include "slice.h"

/* Context of all: any thread; pure. */
static inline size_t base64_encoded_len(size_t n) { return (n + 2) / 3 * 4; }
/* Writes base64_encoded_len(n) characters, and no NUL behind them. */
void base64_encode(char *to, const void *data, size_t n);
static inline size_t base64_decoded_room(size_t n) { return n / 4 * 3 + 3; }
/* Decodes up to the first character that is none of base64's ('=' is none) into to, which may be text itself, and tells in *used how many it took.
 * Returns the number of bytes; bits that make no whole one are dropped. */
size_t base64_decode(char *to, struct slice text, size_t *used);

#endif
