/* The table of places where handlers held up the worker. One thread writes it, in a signal handler, and the same thread reads it: an entry is
 * complete before the number of entries tells of it. */
#include "blocked.h"

#include <stdatomic.h>
#include <string.h>

static const char no_location[] = "(no Location)", other_places[] = "(other Locations)";

static struct {
    struct { char text[BLOCKED_TEXT_BYTES]; _Atomic uint64_t count; } places[BLOCKED_PLACES];
    _Atomic unsigned used;
} blocked;

static unsigned find(const char *text)
{
    unsigned at = 0, used = atomic_load(&blocked.used);
    while (at < used && strncmp(blocked.places[at].text, text, BLOCKED_TEXT_BYTES - 1))
        at++;
    return at;
}

static void add(unsigned at, const char *text)
{
    memcpy(blocked.places[at].text, text, strnlen(text, BLOCKED_TEXT_BYTES - 1));
    atomic_store(&blocked.used, at + 1);
}

uint64_t blocked_count(const char *location)
{
    const char *text = location ? location : no_location;
    unsigned at = find(text);
    if (at == atomic_load(&blocked.used)) {
        if (at >= BLOCKED_PLACES - 1) { /* the last entry is everybody else's */
            text = other_places;
            at = BLOCKED_PLACES - 1;
        }
        if (at == atomic_load(&blocked.used))
            add(at, text);
    }
    return atomic_fetch_add(&blocked.places[at].count, 1) + 1;
}

const char *blocked_at(unsigned index, uint64_t *count)
{
    if (index >= atomic_load(&blocked.used))
        return NULL;
    *count = atomic_load(&blocked.places[index].count);
    return blocked.places[index].text;
}
