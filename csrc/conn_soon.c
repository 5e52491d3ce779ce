/* Short answers of one turn go out one after the other when its handlers have run, not each behind its own handler: the kernel's way through TCP is
 * longer than the caches for code, and a handler behind it would start cold each time. Handlers that take long are not waited for. */
#include "conn.h"

#include <string.h>
#include <time.h>

#include "limit.h"

enum { SOON_MAX = 512, SOON_ANSWER_BYTES = 2048, SOON_BYTES = 65536 };

static struct {
    struct { struct conn *c; uint32_t at, len; enum outq_result result; } answers[SOON_MAX];
    unsigned count;    /* of answers */
    unsigned asked;    /* for, in this turn */
    unsigned sent;     /* of them: given to the socket */
    unsigned together; /* how many may wait for each other */
    uint32_t used;     /* of bytes */
    int64_t pace_ns;   /* what an answer took in the last turn, handler and all */
    char bytes[SOON_BYTES];
} soon = {.together = LIMIT_ANSWERS_TOGETHER, .pace_ns = 1};

static void soon_send(void)
{
    for (; soon.sent < soon.count; soon.sent++) {
        struct conn *c = soon.answers[soon.sent].c;
        struct slice bytes = slice_of(soon.bytes + soon.answers[soon.sent].at, soon.answers[soon.sent].len);
        if (c)
            soon.answers[soon.sent].result = outq_send(&c->out, c->source.fd, &bytes, 1);
    }
    soon.used = 0;
}

int conn_send_soon(struct conn *c, const struct slice *parts, int count)
{
    size_t len = 0;
    soon.asked++;
    for (int i = 0; i < count; i++)
        len += parts[i].len;
    if (soon.together < 2 || len > SOON_ANSWER_BYTES || c->out_waiting || c->out_broken || soon.count == SOON_MAX)
        return conn_send(c, parts, count);
    if (soon.used + len > SOON_BYTES)
        soon_send();
    soon.answers[soon.count].c = c;
    soon.answers[soon.count].at = soon.used;
    soon.answers[soon.count++].len = (uint32_t)len;
    for (int i = 0; i < count; i++) {
        if (parts[i].len)
            memcpy(soon.bytes + soon.used, parts[i].at, parts[i].len);
        soon.used += (uint32_t)parts[i].len;
    }
    c->out_waiting = c->out_soon = true;
    if (soon.count - soon.sent >= soon.together)
        soon_send();
    return 0;
}

void conn_soon_forget(struct conn *c)
{
    for (unsigned i = 0; i < soon.count; i++)
        if (soon.answers[i].c == c)
            soon.answers[i].c = NULL;
    c->out_soon = false;
}

/* One slow turn may be the machine's fault; of two in a row the quicker one tells what the handlers take. */
static void soon_learn(int64_t since_ns)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t pace_ns = ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec - since_ns) / soon.asked + 1;
    int64_t together = LIMIT_ANSWER_WAITS_NS / (pace_ns < soon.pace_ns ? pace_ns : soon.pace_ns);
    soon.together = together < LIMIT_ANSWERS_TOGETHER ? (unsigned)together : LIMIT_ANSWERS_TOGETHER;
    soon.pace_ns = pace_ns;
    soon.asked = 0;
}

void conn_send_due(int64_t since_ns)
{
    for (unsigned i = 0; i < soon.count; i++) {
        if (i >= soon.sent)
            soon_send();
        struct conn *c = soon.answers[i].c;
        soon.answers[i].c = NULL;
        if (c) {
            c->out_soon = false;
            conn_settle(c, soon.answers[i].result);
        }
    }
    soon.count = soon.sent = 0;
    if (soon.asked)
        soon_learn(since_ns);
}
