/* When the loop rests: clients that are busy themselves have sent more meanwhile; where they have not, it rests ever more seldom. */
// sources: loop.c timer.c
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>

#include "check.h"
#include "loop.h"

enum { SOURCES = 10, MS = 1000000 };

static struct source sources[SOURCES];
static int told, comes_in_rest;
static unsigned fresh; /* told in this turn */
static bool clients = true;

static int64_t wait_began_ns, asked_ns;

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void on_ready(struct source *s, uint32_t events)
{
    eventfd_t value;
    CHECK(events & EPOLLIN && eventfd_read(s->fd, &value) == 0, "%x", events);
    told++;
    fresh++;
}

static void tell(int count)
{
    for (int i = 0; i < count; i++)
        eventfd_write(sources[i].fd, 1);
}

static unsigned came(void)
{
    unsigned count = fresh;
    fresh = 0;
    return clients ? count : 0;
}

static void before_wait(struct loop *l)
{
    (void)l;
    tell(comes_in_rest);
    wait_began_ns = monotonic_ns();
}

/* In place of libc's: how long is it to wait, at most? What is to come has come before. */
int epoll_pwait2(int epoll_fd, struct epoll_event *events, int room, const struct timespec *wait, const sigset_t *mask)
{
    (void)mask;
    asked_ns = (int64_t)wait->tv_sec * 1000000000 + wait->tv_nsec;
    return epoll_wait(epoll_fd, events, room, 0);
}

/* Two events in one turn, then none until something comes in the rest or for a millisecond. Returns the gap that this leaves. */
static unsigned run_dry(struct loop *l, int comes)
{
    told = 0;
    comes_in_rest = 0;
    tell(2);
    loop_turn(l, l->now_ns + MS);
    CHECK(told == 2 && l->crowded == clients, "%d told, %u crowded", told, l->crowded);
    comes_in_rest = comes;
    loop_turn(l, l->now_ns + MS);
    CHECK(told == 2 + comes, "%d told", told);
    comes_in_rest = 0;
    tell(1);
    loop_turn(l, l->now_ns + MS); /* not crowded any more */
    CHECK(l->crowded == 0, "%u crowded", l->crowded);
    return l->rest_gap;
}

static void turns_in_a_row(struct loop *l)
{
    int waits = 0;
    for (int turn = 0; turn < 64; turn++) {
        tell(2);
        comes_in_rest = 0;
        told = 0;
        unsigned before = l->crowded;
        loop_turn(l, l->now_ns + MS);
        waits += before % 16 == 0; /* the GIL is let go then */
        CHECK(told == 2 && l->crowded == before + 1, "turn %d: %d told", turn, told);
    }
    CHECK(waits == 4, "%d waits", waits);
}

/* What has gone by in the rest is no longer waited for: timers come in time. */
static void rest_is_part_of_the_wait(struct loop *l)
{
    l->rest_in = 0;
    tell(2);
    loop_turn(l, l->now_ns + MS);
    int64_t until_ns = l->now_ns + 1000000 * (int64_t)MS;
    loop_turn(l, until_ns);
    CHECK(asked_ns <= until_ns - wait_began_ns - 50000, "%lld ns of %lld", (long long)asked_ns, (long long)(until_ns - wait_began_ns));
}

int main(void)
{
    struct loop l;
    CHECK(loop_init(&l) == 0, "init");
    l.before_wait = before_wait;
    l.after_events = came;
    for (int i = 0; i < SOURCES; i++) {
        sources[i] = (struct source){.ready = on_ready, .fd = eventfd(0, EFD_NONBLOCK)};
        CHECK(loop_add(&l, &sources[i], EPOLLIN) == 0, "add");
    }
    clients = false;
    CHECK(run_dry(&l, 0) == 0 && l.rest_in == 0, "no rest for others than clients: %u", l.rest_in);
    clients = true;
    CHECK(run_dry(&l, 0) == 1 && l.rest_in == 1, "nothing has come: %u", l.rest_in);
    CHECK(run_dry(&l, SOURCES) == 1 && l.rest_in == 0, "left out, whatever comes: %u", l.rest_in);
    CHECK(run_dry(&l, 3) == 3 && l.rest_in == 3, "little has come: %u", l.rest_in);
    for (unsigned left = 3; left--;)
        CHECK(run_dry(&l, 0) == 3 && l.rest_in == left, "left out: %u", l.rest_in);
    CHECK(run_dry(&l, SOURCES) == 0 && l.rest_in == 0, "much has come: %u", l.rest_in);
    CHECK(run_dry(&l, SOURCES) == 0 && l.rest_in == 0, "again: %u", l.rest_in);
    for (int i = 0; i < 600; i++) {
        l.rest_in = 0;
        if (run_dry(&l, 0) == 255)
            break;
    }
    CHECK(l.rest_gap == 255, "the longest gap: %u", l.rest_gap);
    l.rest_in = 0;
    CHECK(run_dry(&l, 0) == 255, "no longer than that: %u", l.rest_gap);
    turns_in_a_row(&l);
    rest_is_part_of_the_wait(&l);
    for (int i = 0; i < SOURCES; i++)
        close(sources[i].fd);
    loop_clear(&l);
    return check_result();
}
