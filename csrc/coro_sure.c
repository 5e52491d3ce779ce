/* Waits that rest on a belief about epoll: those that last for a moment are checked, once each. One timer for all of them, armed while there is one. */
#include "coro_impl.h"

enum { SURE_AFTER_NS = 500000000 };

static void look(struct timer *t);

static struct {
    struct timer timer;
    struct fd_wait *young, *old; /* borrowed; linked since the last look, and before it */
} unsure = {.timer.fire = look};

void coro_sure_later(struct fd_wait *w)
{
    w->unsure = true;
    w->sure_next = unsure.young;
    w->sure_at = &unsure.young;
    if (unsure.young)
        unsure.young->sure_at = &w->sure_next;
    unsure.young = w;
    if (!timer_armed(&unsure.timer))
        timer_arm(&coro_hub->loop->timers, &unsure.timer, coro_hub->loop->now_ns + SURE_AFTER_NS); /* without memory nothing is checked */
}

void coro_sure(struct fd_wait *w)
{
    if (!w->unsure)
        return;
    w->unsure = false;
    *w->sure_at = w->sure_next;
    if (w->sure_next)
        w->sure_next->sure_at = w->sure_at;
}

static void look(struct timer *t)
{
    struct fd_wait *w;
    while ((w = unsure.old)) {
        coro_sure(w);
        coro_fd_check(w);
    }
    unsure.old = unsure.young;
    unsure.young = NULL;
    if (!unsure.old)
        return;
    unsure.old->sure_at = &unsure.old;
    timer_arm(&coro_hub->loop->timers, t, coro_hub->loop->now_ns + SURE_AFTER_NS);
}
