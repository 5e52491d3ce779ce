/* Waits on descriptors: any number of greenlets on one, one epoll_ctl per wait or none.
 *
 * A registration is one-shot with the union of what its waiters want, and checks itself: MOD where it is believed to exist, ADD where the
 * kernel says ENOENT, MOD where it says EEXIST. So a descriptor that was closed (or closed and opened again) behind our back does no harm,
 * and nothing has to be taken out. A late event finds no waiter and is forgotten.
 *
 * From its second wait on a descriptor that is only read from is kept registered, edge-triggered: who has just seen EAGAIN needs no epoll_ctl to
 * hear of what comes next. That belief is not checked by itself, so it ends with a close by any thread (green_fd_closes), and waits that rest on
 * it and last are checked once, coro_sure.c: a descriptor that was closed past all of our hooks costs a second, not for ever. */
#include "coro_impl.h"
#include "green.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FD_MAX = 1 << 24 };

struct fd_entry {
    struct source source;
    struct fd_wait *waits; /* borrowed, oldest first */
    bool registered;       /* believed, not known */
    bool kept;             /* registered for EPOLLIN, edge-triggered, as long as closes says */
    uint32_t closes;
};

/* By descriptor; entries are made on first use and stay. */
static _Thread_local struct {
    struct fd_entry **at;
    int count;
} fds;

static uint32_t wanted(const struct fd_entry *e)
{
    uint32_t events = 0;
    for (const struct fd_wait *w = e->waits; w; w = w->next)
        events |= w->events;
    return events;
}

/* 0, or -1 with errno of epoll_ctl. */
static int entry_register(struct fd_entry *e, uint32_t events)
{
    struct loop *loop = coro_hub->loop;
    int bad = e->registered ? loop_mod(loop, &e->source, events) : loop_add(loop, &e->source, events);
    if (bad && e->registered && errno == ENOENT)
        bad = loop_add(loop, &e->source, events);
    else if (bad && !e->registered && errno == EEXIST)
        bad = loop_mod(loop, &e->source, events);
    e->registered = !bad;
    return bad;
}

static int entry_arm(struct fd_entry *e)
{
    e->kept = false;
    return entry_register(e, wanted(e) | EPOLLONESHOT);
}

/* For a waiter who has seen EAGAIN, and any others that want nothing but EPOLLIN either. */
static int entry_keep(struct fd_entry *e)
{
    uint32_t closes = green_fd_closes(e->source.fd);
    if (e->kept && e->closes == closes)
        return 0;
    e->kept = false;
    if (!e->registered || closes == GREEN_CLOSES_UNKNOWN || wanted(e) != EPOLLIN)
        return entry_arm(e);
    e->closes = closes;
    if (entry_register(e, EPOLLIN | EPOLLET))
        return -1;
    e->kept = true;
    return 0;
}

/* Asks the kernel whether what is believed is so. */
void coro_fd_check(struct fd_wait *w)
{
    struct fd_entry *e = fds.at[w->fd];
    if (e->kept && entry_register(e, EPOLLIN | EPOLLET))
        coro_fd_closing(w->fd);
}

static void entry_ready(struct source *s, uint32_t events)
{
    struct fd_entry *e = (struct fd_entry *)s;
    struct fd_wait *w = e->waits, *next;
    for (; w; w = next) {
        next = w->next;
        uint32_t got = events & (w->events | EPOLLERR | EPOLLHUP);
        if (!got)
            continue;
        w->got = got;
        fd_wait_unlink(w);
        coro_wake(w->coro);
    }
    if (e->waits && !e->kept && entry_arm(e))
        coro_fd_closing(e->source.fd);
}

static struct fd_entry *entry_at(int fd)
{
    if (fd < 0 || fd >= FD_MAX) {
        errno = EBADF;
        return NULL;
    }
    if (fd >= fds.count) {
        int count = fd < 512 ? 1024 : fd * 2;
        struct fd_entry **at = realloc(fds.at, (size_t)count * sizeof *at);
        if (!at)
            return NULL;
        memset(at + fds.count, 0, (size_t)(count - fds.count) * sizeof *at);
        fds.at = at;
        fds.count = count;
    }
    if (!fds.at[fd]) {
        fds.at[fd] = calloc(1, sizeof **fds.at);
        if (fds.at[fd])
            fds.at[fd]->source = (struct source){.ready = entry_ready, .fd = fd};
    }
    return fds.at[fd];
}

static void append_wait(struct fd_entry *e, struct fd_wait *w)
{
    struct fd_wait **at = &e->waits;
    while (*at)
        at = &(*at)->next;
    *at = w;
}

int fd_wait_link(struct fd_wait *w, struct coro *c, int fd, uint32_t asked)
{
    uint32_t events = asked & ~(uint32_t)EPOLLET;
    *w = (struct fd_wait){.coro = c, .fd = fd, .events = events};
    struct fd_entry *e = entry_at(fd);
    if (!e)
        return -1;
    append_wait(e, w);
    w->linked = true;
    if (!events || !(asked & EPOLLET ? entry_keep(e) : entry_arm(e))) {
        if (e->kept && events)
            coro_sure_later(w);
        return 0;
    }
    int error = errno;
    fd_wait_unlink(w);
    if (error == EPERM) { /* a regular file is always ready */
        w->got = events;
        return 1;
    }
    errno = error;
    return -1;
}

void fd_wait_unlink(struct fd_wait *w)
{
    if (!w->linked)
        return;
    struct fd_wait **at = &fds.at[w->fd]->waits;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    w->linked = false;
    coro_sure(w);
}

void coro_fd_closing(int fd)
{
    if (fd < 0 || fd >= fds.count || !fds.at[fd])
        return;
    struct fd_entry *e = fds.at[fd];
    struct fd_wait *w;
    while ((w = e->waits)) {
        w->error = EBADF;
        fd_wait_unlink(w);
        coro_wake(w->coro);
    }
    if (e->kept) /* the file behind it may live on under another number, or in a child */
        epoll_ctl(coro_hub->loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    e->kept = false;
}

void coro_fds_closing(unsigned first, unsigned last)
{
    for (unsigned fd = first; fd <= last && fd < (unsigned)fds.count; fd++)
        coro_fd_closing((int)fd);
}

int coro_look(void) { return loop_look(coro_hub->loop, entry_ready); }

bool coro_fd_known(int fd) { return fd >= 0 && fd < fds.count && fds.at[fd] && (fds.at[fd]->waits || fds.at[fd]->kept); }

/* Until something came for w, skipping wakes that were meant for others. 1, 0 (deadline) or -1 with an exception. */
static int wait_for(struct fd_wait *w, int64_t until_ns)
{
    while (!w->got && !w->error) {
        enum coro_wake result = coro_park(until_ns);
        if (result == CORO_ERROR)
            return -1;
        if (result == CORO_TIMED_OUT && !w->got && !w->error)
            return 0;
    }
    return 1;
}

int coro_wait_fd_or_wake(int fd, uint32_t events, int64_t until_ns)
{
    struct coro *c = coro_current();
    struct fd_wait *w = c ? &c->fd_wait : NULL;
    if (!w || fd_wait_link(w, c, fd, events) < 0) {
        PyErr_SetString(PyExc_OSError, "the descriptor cannot be waited on");
        return -1;
    }
    enum coro_wake result = w->got ? CORO_WOKEN : coro_park(until_ns);
    fd_wait_unlink(w);
    return result == CORO_ERROR ? -1 : (int)w->got;
}

int coro_wait_fd(int fd, uint32_t events, int64_t until_ns)
{
    struct coro *c = coro_current();
    if (!c) {
        PyErr_SetString(PyExc_RuntimeError, "only a handler can wait on a descriptor");
        return -1;
    }
    struct fd_wait *w = &c->fd_wait;
    if (fd_wait_link(w, c, fd, events) < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    int result = wait_for(w, until_ns);
    fd_wait_unlink(w);
    if (result <= 0)
        return result;
    if (w->error) {
        errno = w->error;
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return (int)w->got;
}
