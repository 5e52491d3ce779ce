/* Connections. Edge-triggered and registered once: per keep-alive request there is one read, one write and no epoll_ctl. */
#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "limit.h"
#include "listener.h"
#include "worker.h"

_Static_assert(sizeof(struct conn) <= 216, "an idle connection, malloc's word and its slot among the timers are 240 bytes at most");

static void conn_ready(struct source *s, uint32_t events);
static void conn_timer_fired(struct timer *t);
static void conn_later(struct deferred *d);
static void conn_flush(struct conn *c);

static struct conn *conn_of_timer(struct timer *t) { return (struct conn *)((char *)t - offsetof(struct conn, timer)); }

struct loop *conn_loop(const struct conn *c) { return &c->listener->worker->loop; }

/* A listening socket of one address knows it; only on a wildcard the connection has to be asked. */
static void conn_find_local(struct conn *c)
{
    static const unsigned char any[16];
    const struct address_conf *at = &c->listener->conf->address;
    struct sockaddr_storage local;
    socklen_t len = sizeof local;
    bool v4 = at->family == AF_INET;
    if (at->family == AF_UNIX)
        c->local.family = AF_UNIX;
    else if (at->family && at->port && memcmp(at->address, any, v4 ? 4 : 16) != 0) {
        c->local = (struct peer){.port = (uint16_t)at->port, .family = (uint8_t)at->family};
        c->local.address[10] = c->local.address[11] = v4 ? 0xff : 0;
        memcpy(c->local.address + (v4 ? 12 : 0), at->address, v4 ? 4 : 16);
    } else if (getsockname(c->source.fd, (struct sockaddr *)&local, &len) == 0)
        peer_from(&c->local, &local);
}

static int conn_watch(struct conn *c) { return loop_add(conn_loop(c), &c->source, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET); }

struct conn *conn_new(struct listener *listener, int fd, const struct peer *peer)
{
    struct worker *w = listener->worker;
    struct conn *c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        return NULL;
    }
    c->source = (struct source){.ready = conn_ready, .fd = fd};
    c->timer.fire = conn_timer_fired;
    c->listener = listener;
    c->gate = listener->gate;
    c->peer = *peer;
    c->proxy_header_due = listener->conf->proxy_protocol;
    conn_find_local(c);
    c->id = ++w->next_conn_id;
    c->unwatched = c->gate->talks_at_once;
    if (!c->unwatched && conn_watch(c) < 0) {
        close(fd);
        free(c);
        return NULL;
    }
    c->next = w->conns;
    if (c->next)
        c->next->prev = c;
    w->conns = c;
    w->conn_count++;
    return c;
}

void conn_set_deadline(struct conn *c, int64_t at_ns)
{
    c->deadline_ns = at_ns;
    if (at_ns && (!timer_armed(&c->timer) || c->timer.at_ns > at_ns) && timer_arm(&conn_loop(c)->timers, &c->timer, at_ns) < 0)
        conn_close(c);
}

static void conn_timer_fired(struct timer *t)
{
    struct conn *c = conn_of_timer(t);
    if (!c->deadline_ns)
        return;
    if (conn_loop(c)->now_ns < c->deadline_ns)
        conn_set_deadline(c, c->deadline_ns);
    else if (c->state == CONN_LINGERING)
        conn_close(c);
    else
        c->gate->timeout(c);
}

static void conn_do_later(struct conn *c)
{
    if (c->later_queued)
        return;
    c->later_queued = true;
    loop_defer(conn_loop(c), &c->later, conn_later);
}

static void conn_later(struct deferred *d)
{
    struct conn *c = (struct conn *)((char *)d - offsetof(struct conn, later));
    c->later_queued = false;
    if (c->state == CONN_CLOSED) {
        free(c);
        return;
    }
    if (c->unwatched) {
        c->unwatched = false;
        if (conn_watch(c) < 0) {
            conn_close(c);
            return;
        }
    }
    if (c->out_broken) {
        c->gate->eof(c, true);
        return;
    }
    if (c->out_more)
        conn_flush(c);
    conn_pump(c);
}

/* What the queue said: who will go on with it. A broken one is never empty, so that nobody takes the answer for sent. */
static void conn_out(struct conn *c, enum outq_result result)
{
    c->out_waiting = result != OUTQ_EMPTY;
    c->out_more = result == OUTQ_MORE;
    c->out_broken = result == OUTQ_BROKEN;
    if (c->out_more || c->out_broken)
        conn_do_later(c);
}

void conn_settle(struct conn *c, enum outq_result result)
{
    conn_out(c, result);
    if (result == OUTQ_EMPTY)
        c->gate->drained(c);
}

static void conn_flush(struct conn *c)
{
    uint32_t before = c->out.sent;
    enum outq_result result = outq_flush(&c->out, c->source.fd);
    conn_out(c, result);
    if (result == OUTQ_EMPTY || (result != OUTQ_BROKEN && c->out.sent != before))
        c->gate->drained(c);
}

void conn_start(struct conn *c)
{
    if (!c->unwatched || c->state == CONN_CLOSED)
        return;
    conn_do_later(c);
    c->readable = true;
    conn_pump(c);
}

/* What has come before the end is read first. Where that is a request, nothing more is read until it is over, and the edge is told once. */
static void conn_pump_to_end(struct conn *c)
{
    conn_pump(c);
    if (c->paused && c->state != CONN_CLOSED)
        c->gate->eof(c, true);
}

static void conn_ready(struct source *s, uint32_t events)
{
    struct conn *c = (struct conn *)s;
    bool broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
    if (events & EPOLLOUT && c->out_waiting && !c->out_broken) {
        conn_flush(c);
        if (c->state == CONN_CLOSED)
            return;
    }
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        c->eof = true; /* reading goes on until recv says so: bytes may come before the end */
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        c->readable = true;
        if (c->paused && c->eof)
            c->gate->eof(c, broken);
        else if (broken)
            conn_pump_to_end(c);
        else
            conn_read_soon(c);
    }
}

void conn_pause(struct conn *c) { c->paused = true; }

void conn_resume(struct conn *c)
{
    c->paused = false;
    if (!c->in_input && c->state != CONN_CLOSED && (c->readable || c->in.len))
        conn_do_later(c);
}

static int conn_sent(struct conn *c, enum outq_result result)
{
    if (result == OUTQ_WAITING && c->out_more)
        return 0; /* queued behind what goes on at the end of the turn: the socket was not asked */
    conn_out(c, result);
    if (result != OUTQ_BROKEN)
        return 0;
    errno = EPIPE;
    return -1;
}

static bool slices_are_empty(const struct slice *parts, int count)
{
    for (int i = 0; i < count; i++)
        if (parts[i].len)
            return false;
    return true;
}

/* What waits for the end of the turn goes out before what follows. */
static void conn_hurry(struct conn *c)
{
    if (c->out_soon)
        conn_out(c, conn_soon_hurry(c));
}

int conn_send(struct conn *c, const struct slice *parts, int count)
{
    if (c->out_soon && slices_are_empty(parts, count))
        return 0;
    if (c->out_soon && conn_soon_append(c, parts, count))
        return conn_sent(c, conn_soon_hurry(c));
    conn_hurry(c);
    return conn_sent(c, c->out_broken ? OUTQ_BROKEN : outq_send(&c->out, c->source.fd, parts, count));
}

long conn_send_now(struct conn *c, struct slice bytes)
{
    conn_hurry(c);
    long n = c->out_broken ? -1 : outq_send_now(&c->out, c->source.fd, bytes);
    return n < 0 ? conn_sent(c, OUTQ_BROKEN) : n;
}

int conn_send_last(struct conn *c, const struct slice *parts, int count)
{
    if (c->out_soon && conn_soon_append(c, parts, count))
        return conn_sent(c, conn_soon_hurry(c));
    conn_hurry(c);
    return conn_sent(c, c->out_broken ? OUTQ_BROKEN : outq_send_last(&c->out, c->source.fd, parts, count));
}

int conn_send_file(struct conn *c, int file_fd, int64_t offset, int64_t len, bool copied)
{
    conn_hurry(c);
    if (!c->out_broken)
        return conn_sent(c, outq_send_file(&c->out, c->source.fd, file_fd, offset, len, copied));
    close(file_fd);
    errno = EPIPE;
    return -1;
}

/* RFC 9112 9.6: closing with unread bytes would reset the connection and may destroy the answer on its way. */
void conn_linger(struct conn *c)
{
    if (c->state == CONN_CLOSED || c->state == CONN_LINGERING)
        return;
    buf_clear(&c->in);
    if (c->eof || shutdown(c->source.fd, SHUT_WR) < 0) {
        conn_close(c);
        return;
    }
    c->state = CONN_LINGERING;
    c->lingered = 0;
    conn_set_deadline(c, conn_loop(c)->now_ns + (int64_t)LIMIT_LINGER_MS * 1000000);
    conn_resume(c);
    if (c->readable && c->state != CONN_CLOSED)
        conn_do_later(c);
}

void conn_close(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    struct worker *w = c->listener->worker;
    c->state = CONN_CLOSED;
    if (c->out_soon)
        conn_soon_hurry(c);
    c->gate->close(c);
    timer_disarm(&w->loop.timers, &c->timer);
    int fd = c->source.fd;
    c->source.fd = -1; /* closing takes it out of epoll */
    close(fd);
    outq_clear(&c->out);
    buf_clear(&c->in);
    if (c->prev)
        c->prev->next = c->next;
    else
        w->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    w->conn_count--;
    conn_do_later(c);
}

int conn_local_address(const struct conn *c, struct address_conf *out)
{
    memset(out, 0, sizeof *out);
    out->family = c->local.family;
    out->port = c->local.port;
    memcpy(out->address, c->local.address + (out->family == AF_INET ? 12 : 0), out->family == AF_INET ? 4 : 16);
    if (out->family == AF_UNIX)
        out->path = c->listener->conf->address.path;
    return out->family ? 0 : -1;
}
