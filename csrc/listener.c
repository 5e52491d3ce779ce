/* Accepting. Workers share the listening sockets (EPOLLEXCLUSIVE); a worker that has no room or no descriptors stops asking for a while. */
#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate.h"
#include "limit.h"
#include "log.h"
#include "response_head.h"
#include "shm.h"
#include "worker.h"

enum { ACCEPTS_PER_TURN = 64, PAUSE_MS = 100, NS_PER_MS = 1000000, SHARE_STEP = 8 /* connections from one look at the others to the next */ };

static void listener_ready(struct source *s, uint32_t events);

static void listener_resume_fired(struct timer *t) { listener_resume((struct listener *)((char *)t - offsetof(struct listener, resume))); }

void listener_use(struct listener *l, const struct listen_conf *conf)
{
    l->conf = conf;
    l->default_server = route_server(l->worker->route, &conf->address, slice_of("", 0));
    l->needs_local_address = route_needs_local_address(l->worker->route, conf);
}

struct listener *listener_start(struct worker *w, const struct listen_conf *conf)
{
    struct listener *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->source = (struct source){.ready = listener_ready, .fd = conf->fd};
    l->resume.fire = listener_resume_fired;
    l->worker = w;
    l->gate = gate_for(conf->protocol);
    listener_use(l, conf);
    int one = 1;
    if (conf->address.family != AF_UNIX)
        setsockopt(conf->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* accepted sockets inherit it */
    if (conf->address.family != AF_UNIX && l->gate && l->gate->talks_at_once) /* wakes us for the request, not for the connection before it */
        setsockopt(conf->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &one, sizeof one);
    listener_resume(l);
    return l;
}

const struct server_conf *listener_server(const struct conn *c, struct slice host)
{
    struct listener *l = c->listener;
    struct address_conf local;
    if (l->worker->conf->server_count == 1)
        return l->default_server;
    if (l->needs_local_address && conn_local_address(c, &local) == 0)
        return route_server(l->worker->route, &local, host);
    return route_server(l->worker->route, &l->conf->address, host);
}

void listener_resume(struct listener *l)
{
    timer_disarm(&l->worker->loop.timers, &l->resume);
    l->aside = false;
    if (l->open)
        return;
    l->source.fd = l->conf->fd;
    l->open = loop_add(&l->worker->loop, &l->source, EPOLLIN | EPOLLEXCLUSIVE) == 0;
    if (!l->open)
        listener_pause(l, l->worker->loop.now_ns + (int64_t)PAUSE_MS * NS_PER_MS);
}

void listener_pause(struct listener *l, int64_t until_ns)
{
    if (l->open)
        loop_remove(&l->worker->loop, &l->source);
    l->open = false;
    timer_arm(&l->worker->loop.timers, &l->resume, until_ns);
}

/* 503 to a client for which there is no room; it would otherwise wait in the queue for nothing. */
static void listener_refuse(const struct listener *l, int fd)
{
    struct slice common = response_common_fields(&l->worker->loop, l->default_server);
    char answer[384], away[512];
    int len = snprintf(answer, sizeof answer, "HTTP/1.1 503 Service Unavailable\r\n%.*sConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
                       (int)common.len, common.at);
    if (send(fd, answer, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        shutdown(fd, SHUT_WR);
    while (recv(fd, away, sizeof away, MSG_DONTWAIT) > 0)
        continue;
    close(fd);
}

static void listener_out_of_descriptors(struct listener *l, int error)
{
    struct worker *w = l->worker;
    if (!l->fault_logged_ns || l->fault_logged_ns + 1000000000 <= w->loop.now_ns) {
        l->fault_logged_ns = w->loop.now_ns;
        log_error(NULL, LEVEL_CRIT, "core", "cannot accept on %s: %s; accepting pauses for %d ms", l->conf->where, strerror(error), PAUSE_MS);
    }
    if ((error == EMFILE || error == ENFILE) && w->reserve_fd >= 0) {
        close(w->reserve_fd);
        int fd = accept4(l->conf->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            listener_refuse(l, fd);
        w->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    listener_pause(l, w->loop.now_ns + (int64_t)PAUSE_MS * NS_PER_MS);
}

static bool listener_is_full(struct listener *l)
{
    struct worker *w = l->worker;
    if (w->conn_count < (uint32_t)w->conf->max_connections)
        return false;
    if (w->full_logged_ns + 1000000000 <= w->loop.now_ns) {
        w->full_logged_ns = w->loop.now_ns;
        log_error(NULL, LEVEL_WARN, "core", "%u connections are open, as many as PyMaxConnections allows; accepting pauses", w->conn_count);
    }
    shm_add(limits_hit, 1);
    listener_pause(l, w->loop.now_ns + (int64_t)PAUSE_MS * NS_PER_MS);
    return true;
}

/* False: no more for now. */
static bool listener_accept(struct listener *l)
{
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    int fd = accept4(l->conf->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        int error = errno;
        if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS)
            listener_out_of_descriptors(l, error);
        return error == ECONNABORTED || error == EINTR;
    }
    struct peer peer;
    peer_from(&peer, &from);
    struct conn *c = conn_new(l, fd, &peer);
    if (c) {
        shm_add(connections_total, 1);
        c->gate->opened(c);
        conn_start(c);
    }
    return true;
}

/* The kernel wakes the worker that stands first in the listener's row, and as long as that one is quick it is always the same: it would get nearly
 * all connections, and with them the work of later. So who has more than another one that is at rest steps aside for a moment, and then stands last. */
static bool listener_has_its_share(const struct listener *l)
{
    uint32_t mine = l->worker->conn_count;
    if (mine % SHARE_STEP)
        return false;
    for (int i = 0; i < shm->slots_end; i++) {
        const struct slot *s = &shm->slots[i];
        if (s != shm_slot && s->state == SLOT_READY && s->generation == shm_slot->generation && !s->busy && s->connections + SHARE_STEP <= mine)
            return true;
    }
    return false;
}

static void listener_ready(struct source *s, uint32_t events)
{
    struct listener *l = (struct listener *)s;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN && l->open; i++) {
        if (listener_is_full(l) || !listener_accept(l))
            break;
        if (l->open && listener_has_its_share(l)) {
            listener_pause(l, l->worker->loop.now_ns + NS_PER_MS);
            l->aside = true;
        }
    }
}

void listener_stop(struct listener *l)
{
    while ((l->open || l->aside) && listener_accept(l))
        continue;
    l->aside = false;
    timer_disarm(&l->worker->loop.timers, &l->resume);
    if (l->open)
        loop_remove(&l->worker->loop, &l->source);
    l->open = false;
}

void listener_free(struct listener *l)
{
    if (l)
        listener_stop(l);
    free(l);
}
