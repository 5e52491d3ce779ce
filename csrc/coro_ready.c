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
    job_add(&i->ready, job);
    coro_queue_interp(i);
}

bool coro_has_ready(void) { return coro_hub->ready_first || hub_state()->sliced.first; }

static void queue_add(struct coro_queue *q, struct coro *c)
{
    c->state = CORO_READY;
    c->next = NULL;
    *(q->first ? &q->last->next : &q->first) = c;
    q->last = c;
}

static struct coro *queue_take(struct coro_queue *q)
{
    struct coro *c = q->first;
    if (c)
        q->first = c->next;
    return c;
}

void coro_wake(struct coro *c)
{
    if (c->state != CORO_PARKED) {
        c->woken = true;
        return;
    }
    coro_fetch_woken(c);
    queue_add(&c->interp->woken, c);
    coro_queue_interp(c->interp);
}

struct coro *coro_take_woken(struct interp *i) { return queue_take(&i->woken); }
void coro_queue_sliced(struct coro *c) { queue_add(&hub_state()->sliced, c); }
struct coro *coro_take_sliced(void) { return queue_take(&hub_state()->sliced); }

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
