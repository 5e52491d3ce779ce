/* Ends of sleeps that fall together: never earlier than asked, never much later; and the heap, against a plain search. */
// sources: timer.c
#include <stdio.h>

#include "check.h"
#include "timer.h"

static void ends_of_sleeps(void)
{
    uint64_t random = 1;
    for (int n = 0; n < 200000; n++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        int64_t now = (int64_t)(random >> 20), wait = (int64_t)(random >> 33) % (1ll << (n % 40));
        int64_t at = now + wait, end = timer_together(now, at);
        CHECK(end >= at && end - at <= wait / 8 && end - at < TIMER_TOGETHER_NS, "wait %lld: %lld later", (long long)wait, (long long)(end - at));
    }
    CHECK(timer_together(5, -1) == -1 && timer_together(5, 5) == 5 && timer_together(9, 5) == 5, "waits of no length");
    CHECK(timer_together(0, INT64_MAX) == INT64_MAX, "for ever");
    int64_t now = 123456789000000, ten = 10000000;
    CHECK(timer_together(now, now + ten) == timer_together(now + 1000, now + ten + 1000), "two that begin a microsecond apart");
}

enum { TIMERS = 200 };
static struct timer timers[TIMERS];
static unsigned fired;
static int64_t last_ns;

static void on_fire(struct timer *t)
{
    CHECK(t->at_ns >= last_ns && !timer_armed(t), "%lld after %lld", (long long)t->at_ns, (long long)last_ns);
    last_ns = t->at_ns;
    fired++;
}

static unsigned armed_until(int64_t now, int64_t *next)
{
    unsigned count = 0;
    *next = -1;
    for (int i = 0; i < TIMERS; i++)
        if (timer_armed(&timers[i])) {
            count += timers[i].at_ns <= now;
            *next = *next < 0 || timers[i].at_ns < *next ? timers[i].at_ns : *next;
        }
    return count;
}

static void the_heap(void)
{
    struct timer_heap heap = {0};
    uint64_t random = 7;
    int64_t now = 0, next;
    for (int n = 0; n < 20000; n++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        struct timer *t = &timers[(random >> 40) % TIMERS];
        t->fire = on_fire;
        if ((random >> 35) % 4)
            CHECK(timer_arm(&heap, t, now + (int64_t)((random >> 50) % 1000)) == 0, "arm %d", n);
        else
            timer_disarm(&heap, t);
        unsigned due = armed_until(now, &next);
        CHECK(timer_next_ns(&heap) == next, "next %lld, not %lld", (long long)timer_next_ns(&heap), (long long)next);
        if (n % 5 == 0) {
            fired = 0;
            last_ns = 0;
            due = armed_until(now += 40, &next);
            CHECK(timer_run(&heap, now) == due && fired == due, "%u fired of %u", fired, due);
        }
    }
    timer_heap_clear(&heap);
}

int main(void)
{
    ends_of_sleeps();
    the_heap();
    return check_result();
}
