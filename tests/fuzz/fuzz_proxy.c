/* Any bytes as a PROXY header, version 1 or 2: what it says is inside what was given, and no cut of it says anything. */
// sources: proxy_head.c
#include <stdbool.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "proxy_head.h"

static const struct peer nobody = {.address = {1, 2, 3}, .port = 7, .family = 99};

static bool same(const struct peer *a, const struct peer *b)
{
    return memcmp(a->address, b->address, sizeof a->address) == 0 && a->port == b->port && a->family == b->family;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct peer client = nobody, part;
    size_t used = 0, ignored = 0;
    char *copy = fuzz_copy(data, size);
    if (!size) {
        free(copy);
        return 0;
    }
    enum proxy_result result = proxy_head_read(copy, size, &client, &used);
    if (result != PROXY_DONE) {
        MUST(same(&client, &nobody));
        MUST(result == PROXY_BAD || size < PROXY_V2_BYTES); /* nobody waits for ever */
        free(copy);
        return 0;
    }
    MUST(used > 0 && used <= size && used <= PROXY_V2_BYTES);
    MUST(client.family == nobody.family || client.family == AF_INET || client.family == AF_INET6);
    for (size_t cut = 1; cut < used; cut += 1 + used / 16) {
        char *piece = fuzz_copy(copy, cut);
        part = nobody;
        MUST(proxy_head_read(piece, cut, &part, &ignored) == PROXY_MORE && same(&part, &nobody));
        free(piece);
    }
    part = nobody; /* what follows it does not matter */
    char *whole = fuzz_copy(copy, used);
    MUST(proxy_head_read(whole, used, &part, &ignored) == PROXY_DONE && ignored == used && same(&part, &client));
    free(whole);
    free(copy);
    return 0;
}
