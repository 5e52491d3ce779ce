/* epoll, once around. Edges are the business of those who register; here events are only handed out. */
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kernel.h"

enum { NS_PER_S = 1000000000, FETCH_AHEAD = 3 /* events */, CROWDED_TURNS = 16 };
enum { REST_NS = 50000, REST_BEFORE_NS = 200000, REST_CAME = 8, REST_GAP_MAX = 255 };

void loop_now(struct loop *l)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    l->now_ns = (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
    clock_gettime(CLOCK_REALTIME, &now);
    l->wall_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int loop_init(struct loop *l)
{
    *l = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    l->events = malloc(LOOP_EVENTS * sizeof *l->events);
    if (l->epoll_fd < 0 || !l->events) {
        loop_clear(l);
        return -1;
    }
    loop_now(l);
    return 0;
}

void loop_clear(struct loop *l)
{
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    l->epoll_fd = -1;
    free(l->events);
    l->events = NULL;
    timer_heap_clear(&l->timers);
}

static int loop_control(struct loop *l, int operation, struct source *s, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = s};
    return epoll_ctl(l->epoll_fd, operation, s->fd, &event);
}

int loop_add(struct loop *l, struct source *s, uint32_t events) { return loop_control(l, EPOLL_CTL_ADD, s, events); }
int loop_mod(struct loop *l, struct source *s, uint32_t events) { return loop_control(l, EPOLL_CTL_MOD, s, events); }

void loop_remove(struct loop *l, struct source *s)
{
    if (s->fd >= 0)
        loop_control(l, EPOLL_CTL_DEL, s, 0);
    s->fd = -1;
}

void loop_defer(struct loop *l, struct deferred *d, void (*run)(struct deferred *))
{
    d->run = run;
    d->next = l->deferred;
    l->deferred = d;
}

void loop_end_turn(struct loop *l)
{
    if (l->kept) /* of sources that may be deferred to be freed: the next turn drops theirs first */
        return;
    struct deferred *d = l->deferred;
    l->deferred = NULL;
    while (d) {
        struct deferred *next = d->next;
        d->run(d);
        d = next;
    }
}

static int loop_poll(struct loop *l)
{
    return (int)kernel_call(SYS_epoll_pwait, l->epoll_fd, (long)l->events, LOOP_EVENTS, 0, 0, 8);
}

/* epoll_wait counts in milliseconds; timers are finer, so the last millisecond uses epoll_pwait2. */
static int loop_wait(struct loop *l, int64_t until_ns)
{
    if (until_ns == 0)
        return loop_poll(l);
    if (until_ns < 0)
        return epoll_wait(l->epoll_fd, l->events, LOOP_EVENTS, -1);
    int64_t left = until_ns - l->now_ns;
    if (left < 0)
        left = 0;
    struct timespec wait = {.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
    int n = epoll_pwait2(l->epoll_fd, l->events, LOOP_EVENTS, &wait, NULL);
    if (n < 0 && errno == ENOSYS)
        n = epoll_wait(l->epoll_fd, l->events, LOOP_EVENTS, left / 1000000 < INT_MAX ? (int)((left + 999999) / 1000000) : INT_MAX);
    return n;
}

int loop_look(struct loop *l, void (*kind)(struct source *, uint32_t events))
{
    int n = l->kept ? 0 : loop_poll(l), given = 0;
    for (int i = 0; i < n; i++) {
        struct source *s = l->events[i].data.ptr;
        if (s->ready == kind && s->fd >= 0) {
            s->ready(s, l->events[i].events);
            given++;
        } else {
            l->events[l->kept++] = l->events[i];
        }
    }
    return given;
}

void loop_drop_kept(struct loop *l) { l->kept = 0; }

/* What a source is part of has often not been touched for long: it comes into the cache while others are handled. */
static void fetch_source(const struct epoll_event *event)
{
    const char *source = event->data.ptr;
    for (int line = 0; line < 4; line++)
        __builtin_prefetch(source + 64 * line);
}

/* Clients that are as busy as we are let us run dry again and again: woken for the first request, a loop has turns of one or two, each of which costs
 * as much as a request. A short rest lets more come together: a tenth less CPU, and they wait no longer, for they have others to read. Whether it is so
 * is seen by what has come meanwhile; where that was little, the next occasions are left out, twice as many each time. */
static bool loop_rest(struct loop *l, int64_t until_ns)
{
    static const struct timespec rest = {.tv_nsec = REST_NS}; /* and what the kernel adds, another 50 us at most */
    if (l->rest_in) {
        l->rest_in--;
        return false;
    }
    if ((until_ns >= 0 && until_ns - l->now_ns <= REST_BEFORE_NS) || kernel_call(SYS_nanosleep, (long)&rest, 0, 0, 0, 0, 0) != 0)
        return false;
    loop_now(l); /* it is a part of the wait */
    return true;
}

static void loop_learn_rest(struct loop *l)
{
    l->rested = false;
    l->rest_in = l->rest_gap = l->came >= REST_CAME ? 0 : l->rest_gap < REST_GAP_MAX ? 2 * l->rest_gap + 1 : l->rest_gap;
}

/* Where the last turn had several requests, there are some now: asking costs less than letting the GIL go for a wait that will not be one. Who wants the
 * GIL gets it after CROWDED_TURNS at the latest. */
static int loop_wait_well(struct loop *l, int64_t until_ns)
{
    if (until_ns == 0)
        return loop_poll(l);
    bool crowded = l->crowded % CROWDED_TURNS != 0;
    int n = crowded ? loop_poll(l) : 0;
    if (n != 0)
        return n;
    if (l->before_wait)
        l->before_wait(l);
    l->rested = crowded && loop_rest(l, until_ns);
    n = loop_wait(l, until_ns);
    int error = errno;
    if (l->after_wait)
        l->after_wait(l);
    errno = error;
    return n;
}

int loop_turn(struct loop *l, int64_t until_ns)
{
    int64_t next = timer_next_ns(&l->timers);
    if (next >= 0 && until_ns != 0 && (until_ns < 0 || next < until_ns))
        until_ns = next;
    if (l->deferred || l->kept || (until_ns > 0 && until_ns <= l->now_ns))
        until_ns = 0;
    int n = l->kept ? l->kept : loop_wait_well(l, until_ns), error = errno;
    l->kept = 0;
    loop_now(l);
    l->turns++;
    for (int i = 0; i < n; i++) {
        struct source *s = l->events[i].data.ptr;
        if (i + FETCH_AHEAD < n)
            fetch_source(&l->events[i + FETCH_AHEAD]);
        if (s->fd >= 0)
            s->ready(s, l->events[i].events);
    }
    l->came = n > 0 && l->after_events ? l->after_events() : 0;
    l->crowded = l->came > 1 ? l->crowded + 1 : 0;
    if (l->rested)
        loop_learn_rest(l);
    timer_run(&l->timers, l->now_ns);
    errno = error;
    return n < 0 && error != EINTR ? -1 : 0;
}
