/* The epoll loop: sources, timers, and what has to wait until the turn is over.
 * One per worker (and one in the master). It knows nothing of HTTP or Python. */
#ifndef PYHOST_LOOP_H
#define PYHOST_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "timer.h"

/* Something with a descriptor. Embedded in its owner. */
struct source {
    void (*ready)(struct source *, uint32_t events); /* events: EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR */
    int fd;                                          /* -1: gone; late events of the same turn are dropped */
};

/* Work for the end of the turn, when no method of any source is on the stack: freeing objects, mostly. */
struct deferred {
    struct deferred *next;
    void (*run)(struct deferred *);
};

struct loop {
    int epoll_fd;
    int64_t now_ns;   /* CLOCK_MONOTONIC, taken after each wait */
    int64_t wall_us;  /* CLOCK_REALTIME of the same moment, microseconds since the epoch */
    struct timer_heap timers;
    struct deferred *deferred;
    void (*before_wait)(struct loop *); /* called around a wait that may block; NULL: nothing to do */
    void (*after_wait)(struct loop *);
    unsigned (*after_events)(void); /* called when all events of a turn have been handed out; returns from how many clients something has come. NULL: none */
    unsigned crowded;           /* turns in a row that had several requests */
    unsigned came;              /* from so many clients, in the last turn */
    unsigned rest_in, rest_gap; /* occasions until the loop rests again; between the last two */
    bool rested;                /* before this turn */
    uint64_t turns;
    struct epoll_event *events; /* owned; LOOP_EVENTS of them */
    int kept;         /* how many of them loop_look has left for the next turn */
};

enum { LOOP_EVENTS = 512 };

/* Context of all: the loop thread; before_wait/after_wait let the GIL go and take it back. */
int loop_init(struct loop *l);   /* 0, or -1 with errno */
void loop_clear(struct loop *l);
int loop_add(struct loop *l, struct source *s, uint32_t events); /* 0, or -1 with errno of epoll_ctl */
int loop_mod(struct loop *l, struct source *s, uint32_t events);
/* Takes the source out and forgets its descriptor (which the caller closes). */
void loop_remove(struct loop *l, struct source *s);
void loop_defer(struct loop *l, struct deferred *d, void (*run)(struct deferred *));
/* Refreshes now_ns and wall_us. */
void loop_now(struct loop *l);
/* One turn: waits until something is ready or until_ns (absolute; 0 = do not wait, -1 = for ever), calls the ready sources, then the
 * timers due. loop_end_turn is separate because what they made ready is run in between. 0, or -1 with errno of epoll_wait. */
int loop_turn(struct loop *l, int64_t until_ns);
/* Between two turns: hands out what has come for the sources of this kind, and keeps the other events for the next turn. Returns how many it handed
 * out: none while there are kept ones. The kind's ready must be one that may be called from where this is. */
int loop_look(struct loop *l, void (*kind)(struct source *, uint32_t events));
/* What is kept is dropped: before sources are freed that no turn has dropped the events of. */
void loop_drop_kept(struct loop *l);
void loop_end_turn(struct loop *l); /* what is deferred while it runs waits for the next turn's end, and the next turn does not wait */

#endif
