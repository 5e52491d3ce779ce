/* Wakes from other threads: a list under a lock, and an eventfd in the loop. The loop thread itself takes the short way. */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "coro_impl.h"
#include "green_real.h"

static struct {
    struct source source;
    pthread_mutex_t lock;
    struct coro *first;
} inbox = {.source.fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

static void inbox_ready(struct source *s, uint32_t events)
{
    (void)events;
    uint64_t count;
    if (green_real.read(s->fd, &count, sizeof count) < 0 && errno != EAGAIN)
        return;
    green_real.pthread_mutex_lock(&inbox.lock);
    while (inbox.first) {
        struct coro *c = inbox.first;
        inbox.first = c->inbox_next;
        c->in_inbox = false;
        coro_wake(c);
    }
    green_real.pthread_mutex_unlock(&inbox.lock);
}

void coro_nudge(void)
{
    const uint64_t one = 1;
    if (green_real.write(inbox.source.fd, &one, sizeof one) < 0)
        return; /* the counter is full: the loop is awake anyway */
}

void coro_wake_from_anywhere(struct coro *c)
{
    if (coro_hub) {
        coro_wake(c);
        return;
    }
    bool was_empty = false;
    green_real.pthread_mutex_lock(&inbox.lock);
    if (!c->in_inbox) {
        was_empty = !inbox.first;
        c->in_inbox = true;
        c->inbox_next = inbox.first;
        inbox.first = c;
    }
    green_real.pthread_mutex_unlock(&inbox.lock);
    if (was_empty)
        coro_nudge();
}

void coro_inbox_forget(struct coro *c)
{
    green_real.pthread_mutex_lock(&inbox.lock);
    struct coro **at = &inbox.first;
    while (*at && *at != c)
        at = &(*at)->inbox_next;
    if (*at)
        *at = c->inbox_next;
    green_real.pthread_mutex_unlock(&inbox.lock);
}

int coro_inbox_init(void)
{
    inbox.source.ready = inbox_ready;
    inbox.source.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (inbox.source.fd < 0)
        return -1;
    return loop_add(coro_hub->loop, &inbox.source, EPOLLIN);
}
