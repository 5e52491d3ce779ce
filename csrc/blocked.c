/* The table of places where handlers held up the worker. It has one writer; an entry is complete before the number of entries tells of it. */
#include "blocked.h"

#include <string.h>

static const char no_location[] = "(no Location)", other_places[] = "(other Locations)";

static unsigned find(const struct blocked *b, const char *text)
{
    unsigned at = 0, used = atomic_load(&b->used);
    while (at < used && strncmp(b->places[at].text, text, BLOCKED_TEXT_BYTES - 1))
        at++;
    return at;
}

static uint64_t add(struct blocked *b, const char *text, uint64_t count)
{
    unsigned at = find(b, text);
    if (at == atomic_load(&b->used)) {
        if (at >= BLOCKED_PLACES - 1) { /* the last entry is everybody else's */
            text = other_places;
            at = BLOCKED_PLACES - 1;
        }
        if (at == atomic_load(&b->used)) {
            size_t len = strlen(text);
            memcpy(b->places[at].text, text, len < BLOCKED_TEXT_BYTES ? len : BLOCKED_TEXT_BYTES - 1);
            atomic_store(&b->used, at + 1);
        }
    }
    return atomic_fetch_add(&b->places[at].count, count) + count;
}

uint64_t blocked_count(struct blocked *b, const char *location) { return add(b, location ? location : no_location, 1); }

const char *blocked_at(const struct blocked *b, unsigned index, uint64_t *count)
{
    if (index >= atomic_load(&b->used))
        return NULL;
    *count = atomic_load(&b->places[index].count);
    return b->places[index].text;
}

void blocked_add(struct blocked *b, const struct blocked *more)
{
    uint64_t count;
    const char *text;
    for (unsigned n = 0; (text = blocked_at(more, n, &count)); n++)
        add(b, text, count);
}
