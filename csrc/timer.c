/* A 4-ary heap of timers: flat, few cache lines per operation, the index kept in the timer so that disarming needs no search. */
#include "timer.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

static void heap_put(struct timer_heap *h, uint32_t at, struct timer *t)
{
    h->items[at] = t;
    t->slot = at + 1;
}

static void heap_up(struct timer_heap *h, uint32_t at, struct timer *t)
{
    while (at) {
        uint32_t parent = (at - 1) / 4;
        if (h->items[parent]->at_ns <= t->at_ns)
            break;
        heap_put(h, at, h->items[parent]);
        at = parent;
    }
    heap_put(h, at, t);
}

static void heap_down(struct timer_heap *h, uint32_t at, struct timer *t)
{
    for (;;) {
        uint32_t child = at * 4 + 1, end = child + 4 < h->count ? child + 4 : h->count, least = at;
        int64_t best = t->at_ns;
        for (; child < end; child++)
            if (h->items[child]->at_ns < best) {
                best = h->items[child]->at_ns;
                least = child;
            }
        if (least == at)
            break;
        heap_put(h, at, h->items[least]);
        at = least;
    }
    heap_put(h, at, t);
}

int timer_arm(struct timer_heap *h, struct timer *t, int64_t at_ns)
{
    if (t->slot) {
        int64_t before = t->at_ns;
        t->at_ns = at_ns;
        if (at_ns < before)
            heap_up(h, t->slot - 1, t);
        else
            heap_down(h, t->slot - 1, t);
        return 0;
    }
    if (h->count == h->cap) {
        uint32_t cap = h->cap ? h->cap * 2 : 64;
        struct timer **items = realloc(h->items, cap * sizeof *items);
        if (!items) {
            errno = ENOMEM;
            return -1;
        }
        h->items = items;
        h->cap = cap;
    }
    t->at_ns = at_ns;
    heap_up(h, h->count++, t);
    return 0;
}

void timer_disarm(struct timer_heap *h, struct timer *t)
{
    if (!t->slot)
        return;
    uint32_t at = t->slot - 1;
    t->slot = 0;
    struct timer *last = h->items[--h->count];
    if (last == t)
        return;
    if (last->at_ns < t->at_ns)
        heap_up(h, at, last);
    else
        heap_down(h, at, last);
}

int64_t timer_next_ns(const struct timer_heap *h) { return h->count ? h->items[0]->at_ns : -1; }

unsigned timer_run(struct timer_heap *h, int64_t now_ns)
{
    unsigned fired = 0;
    while (h->count && h->items[0]->at_ns <= now_ns) {
        struct timer *t = h->items[0];
        timer_disarm(h, t);
        t->fire(t);
        fired++;
    }
    return fired;
}

void timer_heap_clear(struct timer_heap *h)
{
    while (h->count)
        timer_disarm(h, h->items[h->count - 1]);
    free(h->items);
    *h = (struct timer_heap){0};
}
