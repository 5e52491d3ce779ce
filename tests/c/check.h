/* What the C unit tests share: checks that say where they failed and go on, guard pages, and pieces of a fixed random sequence. */
#ifndef PYHOST_TESTS_CHECK_H
#define PYHOST_TESTS_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int check_failures;

/* CHECK(condition, "format", …): the words say which case it was. */
#define CHECK(condition, ...)                                                   \
    do {                                                                        \
        if (!(condition)) {                                                     \
            check_failures++;                                                   \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);     \
            fprintf(stderr, __VA_ARGS__);                                       \
            fputc('\n', stderr);                                                \
        }                                                                       \
    } while (0)

/* For the end of main. */
static inline int check_result(void)
{
    if (check_failures)
        fprintf(stderr, "%d checks failed\n", check_failures);
    return check_failures != 0;
}

/* A copy of len bytes whose last byte is the last one of a page that may be read: the byte behind it faults. Unmap with guard_free. */
struct guarded { char *at; size_t len; char *map; size_t map_len; };
static inline struct guarded guard_copy(const char *bytes, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (len + page) / page * page;
    struct guarded g = {.len = len, .map_len = room + page};
    g.map = mmap(NULL, g.map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED || mprotect(g.map + room, page, PROT_NONE))
        abort();
    g.at = g.map + room - len;
    if (len)
        memcpy(g.at, bytes, len);
    return g;
}
static inline void guard_free(struct guarded *g) { munmap(g->map, g->map_len); }

/* A number in 0 … below - 1 from a sequence that is the same in every run. */
static inline size_t check_random(uint64_t *seed, size_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return below ? (size_t)(*seed >> 33) % below : 0;
}

/* Bytes as a C string would spell them, cut at 120, for messages. One static buffer: not for two in one call. */
static inline const char *check_show(const char *bytes, size_t len)
{
    static char text[4 * 120 + 4];
    size_t n = 0;
    for (size_t i = 0; i < len && i < 120; i++)
        n += (size_t)snprintf(text + n, 5, bytes[i] >= 32 && bytes[i] < 127 && bytes[i] != '\\' ? "%c" : "\\x%02x", (unsigned char)bytes[i]);
    snprintf(text + n, 4, len > 120 ? "..." : "");
    return text;
}

#endif
