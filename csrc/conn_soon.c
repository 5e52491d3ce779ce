/* Short answers of one turn, and pieces of answers, go out one after the other when its handlers have run, not each behind its own handler: the
 * kernel's way through TCP is longer than the caches for code, a handler behind it would start cold each time, and a client that sleeps is woken once
 * for all of them. Where one handler takes longer than the turns before let expect, the sentinel has sent what waits. */
#include "conn.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "limit.h"
#include "sock.h"

/* SOON_ANSWER_BYTES: copying a page costs less than what a call of its own costs the others. */
enum { SOON_MAX = 512, SOON_ANSWER_BYTES = 16384, SOON_BYTES = 262144 };

static struct {
    struct {
        struct conn *c;            /* NULL: forgotten */
        int fd;
        uint32_t at, len, taken;   /* taken: by the sentinel's leave, before its turn */
        int took;                  /* what the socket then took, or a negative errno */
        enum outq_result result;
    } answers[SOON_MAX];
    unsigned count;    /* of answers */
    unsigned asked;    /* for, in this turn */
    unsigned sent;     /* of them: given to the socket */
    unsigned together; /* how many may wait for each other */
    uint32_t used;     /* of bytes */
    uint32_t number;   /* of what waited last */
    int64_t pace_ns;   /* what an answer took in the last turn, handler and all */
    volatile bool busy; /* a signal handler must not look */
    char bytes[SOON_BYTES];
} soon = {.together = LIMIT_ANSWERS_TOGETHER, .pace_ns = 1};

_Atomic uint32_t conn_soon_held;

static void soon_set_busy(bool busy)
{
    atomic_signal_fence(memory_order_seq_cst);
    soon.busy = busy;
    atomic_signal_fence(memory_order_seq_cst);
}

static void soon_set_held(uint32_t number) { atomic_store_explicit(&conn_soon_held, number, memory_order_relaxed); }

static struct slice soon_rest(unsigned i)
{
    return slice_of(soon.bytes + soon.answers[i].at + soon.answers[i].taken, soon.answers[i].len - soon.answers[i].taken);
}

/* One call after the other, and only then what they mean for the connections: the kernel's way is quicker where nothing of ours lies in between. */
static void soon_send(void)
{
    soon_set_busy(true);
    for (unsigned i = soon.sent; i < soon.count; i++)
        if (soon.answers[i].c) {
            ssize_t n = sock_send(soon.answers[i].fd, soon_rest(i).at, soon_rest(i).len, MSG_DONTWAIT | MSG_NOSIGNAL);
            soon.answers[i].took = n < 0 ? -errno : (int)n;
        }
    for (; soon.sent < soon.count; soon.sent++) {
        struct conn *c = soon.answers[soon.sent].c;
        if (!c)
            continue;
        struct slice rest = soon_rest(soon.sent);
        c->out.sent += soon.answers[soon.sent].taken;
        soon.answers[soon.sent].result = outq_sent(&c->out, soon.answers[soon.sent].took, rest);
    }
    soon.used = 0;
    soon_set_held(0);
    soon_set_busy(false);
}

/* What the sockets take at once; the rest, and how it went, at the end of the turn. */
void conn_soon_release(void)
{
    if (soon.busy)
        return; /* it is asked again */
    soon_set_held(0);
    for (unsigned i = soon.sent; i < soon.count; i++)
        if (soon.answers[i].c && !soon.answers[i].taken) {
            ssize_t n = sock_send(soon.answers[i].fd, soon.bytes + soon.answers[i].at, soon.answers[i].len, MSG_DONTWAIT | MSG_NOSIGNAL);
            soon.answers[i].taken = n > 0 ? (uint32_t)n : 0;
        }
}

static void soon_copy(const struct slice *parts, int count)
{
    for (int i = 0; i < count; i++) {
        if (parts[i].len)
            memcpy(soon.bytes + soon.used, parts[i].at, parts[i].len);
        soon.used += (uint32_t)parts[i].len;
    }
}

static void soon_keep(struct conn *c, const struct slice *parts, int count, size_t len)
{
    soon_set_busy(true);
    if (soon.count == soon.sent || !atomic_load_explicit(&conn_soon_held, memory_order_relaxed))
        soon_set_held(soon.number = soon.number == UINT32_MAX ? 1 : soon.number + 1); /* watched from its first answer on */
    soon.answers[soon.count].c = c;
    soon.answers[soon.count].fd = c->source.fd;
    soon.answers[soon.count].at = soon.used;
    soon.answers[soon.count].taken = 0;
    soon.answers[soon.count++].len = (uint32_t)len;
    soon_copy(parts, count);
    soon_set_busy(false);
}

static size_t length_of(const struct slice *parts, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += parts[i].len;
    return len;
}

/* Nobody has written since, nothing of it has gone out, and there is room. */
bool conn_soon_append(struct conn *c, const struct slice *parts, int count)
{
    size_t len = length_of(parts, count);
    if (soon.count == soon.sent || soon.answers[soon.count - 1].c != c || soon.answers[soon.count - 1].len + len > SOON_ANSWER_BYTES
        || soon.used + len > SOON_BYTES)
        return false;
    soon_set_busy(true);
    bool whole = !soon.answers[soon.count - 1].taken;
    if (whole) {
        soon_copy(parts, count);
        soon.answers[soon.count - 1].len += (uint32_t)len;
    }
    soon_set_busy(false);
    return whole;
}

int conn_send_soon(struct conn *c, const struct slice *parts, int count)
{
    if (c->out_soon && conn_soon_append(c, parts, count))
        return 0;
    size_t len = length_of(parts, count);
    soon.asked += len > 0;
    if (soon.together < 2 || len > SOON_ANSWER_BYTES || c->out_waiting || c->out_broken || soon.count == SOON_MAX)
        return conn_send(c, parts, count);
    if (soon.used + len > SOON_BYTES)
        soon_send();
    soon_keep(c, parts, count, len);
    c->out_waiting = c->out_soon = true;
    if (soon.count - soon.sent >= soon.together)
        soon_send();
    return 0;
}

/* c's answer waits no longer; how it went, where it was sent. */
static enum outq_result soon_take(struct conn *c)
{
    enum outq_result result = OUTQ_EMPTY;
    for (unsigned i = 0; i < soon.count; i++)
        if (soon.answers[i].c == c) {
            result = soon.answers[i].result;
            soon.answers[i].c = NULL;
        }
    c->out_soon = false;
    return result;
}

enum outq_result conn_soon_hurry(struct conn *c)
{
    soon_send();
    return soon_take(c);
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
