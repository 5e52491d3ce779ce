/* What the fuzz targets share. A target is one file fuzz_NAME.c here: a `// sources:` line naming csrc files, a `// libs:` line if it needs any,
 * LLVMFuzzerTestOneInput, seeds in seeds/NAME/, a dictionary in NAME.dict if there is one. tests/test_fuzz.py finds, builds and runs it. */
#ifndef PYHOST_TESTS_FUZZ_H
#define PYHOST_TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                               \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);   \
            abort();                                                                  \
        }                                                                             \
    } while (0)

/* A copy in an allocation of exactly that size, so that ASan sees the first byte read beyond it. */
static inline char *fuzz_copy(const void *bytes, size_t len)
{
    char *copy = malloc(len ? len : 1);
    MUST(copy);
    if (len)
        memcpy(copy, bytes, len);
    return copy;
}

/* The length of the next piece: from 1 up to a quarter of len, so that no input is fed more than some dozen times on average. */
static inline size_t fuzz_piece(uint32_t *seed, size_t len)
{
    *seed = *seed * 1664525u + 1013904223u;
    return 1 + (*seed >> 8) % (len / 4 + 1);
}

#endif
