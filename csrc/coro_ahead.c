/* Who runs next is known: what it will touch is fetched into the cache while others run. A greenlet that has waited among many comes back to some eighty
 * cold lines, its stack's copy first of all; one by one they cost more than all it computes.
 *
 * An address is known when what it lies in is at hand, so it goes by stages: what others hang on when a greenlet is woken, the rest when one more is to run
 * before it. Fetching cannot fault: a stale address fetches something that is not needed. */
#include "coro_impl.h"

#include <greenlet.h>

enum {
    LINE_BYTES = 64,
    GREENLET_BYTES = 320, /* of what it is made of, about */
    OBJECT_BYTES = 128,
    ARENA_BYTES = 320,    /* of the texts of a request */
    CONN_BYTES = 256
};

static inline void fetch(const void *at, size_t bytes)
{
    for (const char *line = at, *end = line + bytes; line < end; line += LINE_BYTES)
        __builtin_prefetch(line);
}

void coro_fetch_woken(const struct coro *c)
{
    fetch(c, sizeof *c);
    fetch(c->greenlet, sizeof(PyGreenlet));
    fetch(c->place.frame, OBJECT_BYTES);
    fetch(c->job, 2 * LINE_BYTES);
}

static void fetch_request(const struct request *r)
{
    fetch(r, offsetof(struct request, finfo));
    fetch(&r->handler, offsetof(struct request, inline_fields) - offsetof(struct request, handler));
    fetch(r->inline_arena, ARENA_BYTES);
    fetch(r->conn, CONN_BYTES);
    fetch(r->py, OBJECT_BYTES);
}

void coro_fetch_ahead(const struct interp *i)
{
    const struct coro *c = i->woken.first ? i->woken.first : i->ready.first ? i->idle : NULL;
    if (c && c->next)
        c = c->next;
    if (!c)
        return;
    fetch(c->copy.at, c->copy.bytes);
    fetch(((const PyGreenlet *)c->greenlet)->pimpl, GREENLET_BYTES);
    fetch(c->next, sizeof *c);
    fetch(c->place.context, LINE_BYTES);
    if (c->place.frame)
        fetch(pystate_object_of_frame(c->place.frame), OBJECT_BYTES);
    if (c->job && c->job->of_request)
        fetch_request((const struct request *)c->job);
}
