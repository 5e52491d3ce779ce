/* The ready queue: interpreters that have woken greenlets or jobs, and how a greenlet gets there. Nothing here switches. */
#include "coro_impl.h"

#include <stddef.h>

void coro_queue_interp(struct interp *i)
{
    struct hub *h = coro_hub;
    if (i->queued)
        return;
    i->queued = true;
    i->next_ready = NULL;
    if (h->ready_last)
        h->ready_last->next_ready = i;
    else
        h->ready_first = i;
    h->ready_last = i;
}

struct interp *coro_unqueue_interp(void)
{
    struct hub *h = coro_hub;
    struct interp *i = h->ready_first;
    if (i) {
        h->ready_first = i->next_ready;
        if (!h->ready_first)
            h->ready_last = NULL;
        i->queued = false;
    }
    return i;
}

void coro_submit(struct interp *i, struct job *job)
{
    job->next = NULL;
    if (i->ready_last)
        i->ready_last->next = job;
    else
        i->ready_first = job;
    i->ready_last = job;
    coro_queue_interp(i);
}

struct job *coro_take_job(struct interp *i)
{
    struct job *job = i->ready_first;
    if (job) {
        i->ready_first = job->next;
        if (!i->ready_first)
            i->ready_last = NULL;
    }
    return job;
}

bool coro_has_ready(void) { return coro_hub->ready_first || hub_state()->sliced_first; }

void coro_wake(struct coro *c)
{
    if (c->state != CORO_PARKED) {
        c->woken = true;
        return;
    }
    struct interp *i = c->interp;
    coro_fetch_woken(c);
    c->state = CORO_READY;
    c->next = NULL;
    if (i->woken_last)
        i->woken_last->next = c;
    else
        i->woken_first = c;
    i->woken_last = c;
    coro_queue_interp(i);
}

struct coro *coro_take_woken(struct interp *i)
{
    struct coro *c = i->woken_first;
    if (c) {
        i->woken_first = c->next;
        if (!i->woken_first)
            i->woken_last = NULL;
    }
    return c;
}

void coro_queue_sliced(struct coro *c)
{
    struct hub_state *h = hub_state();
    c->state = CORO_READY;
    c->next = NULL;
    if (h->sliced_last)
        h->sliced_last->next = c;
    else
        h->sliced_first = c;
    h->sliced_last = c;
}

struct coro *coro_take_sliced(void)
{
    struct hub_state *h = hub_state();
    struct coro *c = h->sliced_first;
    if (c) {
        h->sliced_first = c->next;
        if (!h->sliced_first)
            h->sliced_last = NULL;
    }
    return c;
}

static void waker_fired(struct waker *w) { coro_wake((struct coro *)((char *)w - offsetof(struct coro, waker))); }

static void timer_fired(struct timer *t)
{
    struct coro *c = (struct coro *)((char *)t - offsetof(struct coro, timer));
    c->timed_out = true;
    coro_wake(c);
}

void coro_ready_init(struct coro *c)
{
    c->timer.fire = timer_fired;
    c->waker.wake = waker_fired;
}

struct waker *coro_waker(struct coro *c) { return &c->waker; }

struct job *coro_job(const struct coro *c) { return c->job && c->job->of_request ? c->job : NULL; }

void coro_throw(struct coro *c, PyObject *exception)
{
    Py_XSETREF(c->thrown, exception);
    timer_disarm(&coro_hub->loop->timers, &c->timer);
    coro_wake(c);
}
