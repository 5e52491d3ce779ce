/* Absolute deadlines in a 4-ary heap. A timer is embedded in what it belongs to, on the heap, never on a stack.
 * Re-arming later is free for those who keep their own deadline and look at it when the timer fires. */
#ifndef PYHOST_TIMER_H
#define PYHOST_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
    int64_t at_ns;                 /* monotonic; valid while armed */
    void (*fire)(struct timer *);  /* called on the loop thread, the timer already disarmed */
    uint32_t slot;                 /* 1 + index in the heap; 0 = not armed */
};

struct timer_heap {
    struct timer **items; /* owned array of borrowed timers */
    uint32_t count;
    uint32_t cap;
};

/* Context of all: the loop thread. */
/* Arms (or moves) the timer. 0, or -1 with errno ENOMEM. */
int timer_arm(struct timer_heap *h, struct timer *t, int64_t at_ns);
/* Disarms; harmless when not armed. */
void timer_disarm(struct timer_heap *h, struct timer *t);
static inline bool timer_armed(const struct timer *t) { return t->slot != 0; }
/* When the first is due, or -1 when there is none. */
int64_t timer_next_ns(const struct timer_heap *h);
/* Fires everything due at now_ns. Returns how many. */
unsigned timer_run(struct timer_heap *h, int64_t now_ns);
void timer_heap_clear(struct timer_heap *h);

enum { TIMER_TOGETHER_NS = 1 << 20 };

/* Sleeps that end at about the same time end together, so that the loop wakes once for many of them: the end of a wait from now_ns until at_ns, later by at
 * most an eighth of it, and by no more than 1.05 ms. Never earlier. */
static inline int64_t timer_together(int64_t now_ns, int64_t at_ns)
{
    int64_t slack = (at_ns - now_ns) / 8, grid = TIMER_TOGETHER_NS;
    if (slack < 1)
        return at_ns;
    while (grid > slack)
        grid /= 2;
    return at_ns > INT64_MAX - grid ? at_ns : (at_ns + grid - 1) & ~(grid - 1);
}

#endif
