/* Reading from connections. Those that a turn finds readable are read one after the other and only then looked at: the kernel's way is quicker where
 * nothing of ours lies in between, and ours where nothing of the kernel's does. */
#include "conn.h"

#include <errno.h>

#include "limit.h"
#include "log.h"
#include "proxy_head.h"
#include "sock.h"

enum { SOON_MAX = 64, SOON_BYTES = 2048 };

static char read_buffer[LIMIT_READ_BYTES]; /* shared by all connections: an idle one holds no buffer */

static struct {
    struct { struct conn *c; const char *at; ssize_t n; int error; } reads[SOON_MAX];
    unsigned count;
    unsigned earlier; /* read in this turn before those */
    char bytes[SOON_MAX * SOON_BYTES]; /* the rest of what is longer goes through read_buffer */
} soon;

/* Whom the proxy in front speaks for. Nothing else is believed on such a listener, so that nobody gets by without it. */
static size_t conn_take_proxy_header(struct conn *c, const char *bytes, size_t len)
{
    size_t used = 0;
    switch (proxy_head_read(bytes, len, &c->peer, &used)) {
    case PROXY_MORE:
        return 0;
    case PROXY_DONE:
        c->proxy_header_due = false;
        return used;
    case PROXY_BAD:
        break;
    }
    char who[64];
    conn_peer_text(&c->peer, who, sizeof who);
    log_error(NULL, LEVEL_INFO, "remoteip", "%s sent no PROXY header: RemoteIPProxyProtocol: closed", who);
    conn_close(c);
    return 0;
}

/* The client was told; what it goes on sending is not worth more than so much. */
static size_t conn_read_away(struct conn *c, size_t len)
{
    c->lingered += (uint32_t)len;
    if (c->lingered > LIMIT_LINGER_BYTES)
        conn_close(c);
    return len;
}

/* Gives bytes to the gate until it wants no more; returns how many were used. */
static size_t conn_feed(struct conn *c, const char *bytes, size_t len)
{
    size_t used = c->proxy_header_due ? conn_take_proxy_header(c, bytes, len) : 0;
    if (c->proxy_header_due)
        return 0;
    while (used < len && !c->paused && c->state != CONN_CLOSED) {
        size_t n = c->state == CONN_LINGERING ? conn_read_away(c, len - used) : c->gate->input(c, bytes + used, len - used);
        if (n == 0)
            break;
        used += n;
    }
    return used;
}

static void conn_feed_kept(struct conn *c)
{
    if (!c->in.len || c->paused || c->state == CONN_CLOSED)
        return;
    size_t used = conn_feed(c, c->in.at, c->in.len);
    if (c->state != CONN_CLOSED && used)
        buf_drop(&c->in, used);
}

static void conn_take(struct conn *c, const char *bytes, size_t n)
{
    if (c->in.len) {
        if (buf_add(&c->in, bytes, n) < 0)
            conn_close(c);
        else
            conn_feed_kept(c);
        return;
    }
    size_t used = conn_feed(c, bytes, n);
    if (c->state != CONN_CLOSED && used < n && buf_add(&c->in, bytes + used, n - used) < 0)
        conn_close(c);
}

static void conn_ended(struct conn *c, bool broken)
{
    c->readable = false;
    c->eof = true;
    if (c->state == CONN_LINGERING)
        conn_close(c);
    else
        c->gate->eof(c, broken);
}

/* What a read of at most room bytes has brought. A short one has emptied the socket. */
static void conn_has_read(struct conn *c, const char *bytes, ssize_t n, size_t room, int error)
{
    if (n > 0) {
        if ((size_t)n < room && !c->eof)
            c->readable = false;
        conn_take(c, bytes, (size_t)n);
    } else if (n < 0 && (error == EAGAIN || error == EWOULDBLOCK)) {
        c->readable = false;
    } else if (n == 0 || error != EINTR) {
        conn_ended(c, n < 0);
    }
}

/* Reads while the edge lasts and the gate wants bytes. */
static void conn_read_on(struct conn *c)
{
    while (c->readable && !c->paused && c->state != CONN_CLOSED) {
        ssize_t n = sock_recv(c->source.fd, read_buffer, sizeof read_buffer);
        conn_has_read(c, read_buffer, n, sizeof read_buffer, errno);
    }
}

void conn_pump(struct conn *c)
{
    if (c->in_input)
        return;
    c->in_input = true;
    conn_feed_kept(c);
    conn_read_on(c);
    c->in_input = false;
}

static void conn_read_first(struct conn *c, unsigned i)
{
    c->in_input = true;
    conn_has_read(c, soon.reads[i].at, soon.reads[i].n, SOON_BYTES, soon.reads[i].error);
    conn_read_on(c);
    c->in_input = false;
}

static void read_all(void)
{
    unsigned count = soon.count;
    char *at = soon.bytes;
    for (unsigned i = 0; i < count; i++) {
        int fd = soon.reads[i].c->source.fd; /* -1: another one's event has closed it */
        ssize_t n = fd < 0 ? 0 : sock_recv(fd, at, SOON_BYTES);
        soon.reads[i].error = errno;
        soon.reads[i].n = n;
        soon.reads[i].at = at;
        at += n > 0 ? n : 0;
    }
    for (unsigned i = 0; i < count; i++)
        if (soon.reads[i].c->state != CONN_CLOSED)
            conn_read_first(soon.reads[i].c, i);
    soon.earlier += count;
    soon.count = 0;
}

void conn_read_soon(struct conn *c)
{
    if (c->in_input || c->in.len || c->paused || c->eof) {
        conn_pump(c);
        return;
    }
    if (soon.count == SOON_MAX)
        read_all();
    soon.reads[soon.count++].c = c;
}

unsigned conn_read_due(void)
{
    read_all();
    unsigned count = soon.earlier;
    soon.earlier = 0;
    return count;
}
