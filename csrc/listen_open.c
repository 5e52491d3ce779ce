/* Listening sockets on the master's side: opened once, kept over reloads for as long as the configuration names their address. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "limit.h"
#include "listen_parts.h"
#include "listener.h"

static bool address_same(const struct address_conf *a, const struct address_conf *b)
{
    if (a->family != b->family)
        return false;
    if (a->family == AF_UNIX)
        return strcmp(a->path, b->path) == 0;
    return a->port == b->port && memcmp(a->address, b->address, a->family == AF_INET ? 4 : a->family == AF_INET6 ? 16 : 0) == 0;
}

void listen_address_text(const struct address_conf *a, char *out, size_t room)
{
    char host[INET6_ADDRSTRLEN] = "*";
    if (a->family == AF_UNIX) {
        snprintf(out, room, "unix:%s", a->path);
        return;
    }
    if (a->family)
        inet_ntop(a->family, a->address, host, sizeof host);
    snprintf(out, room, a->family == AF_INET6 ? "[%s]:%d" : "%s:%d", host, a->port);
}

void listen_bound_text(const struct listen_conf *l, char *out, size_t room)
{
    struct address_conf bound = l->address;
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (bound.family != AF_UNIX && !bound.port && getsockname(l->fd, (struct sockaddr *)&address, &len) == 0)
        bound.port = ntohs(((struct sockaddr_in *)&address)->sin_port); /* at the same place in sockaddr_in6 */
    listen_address_text(&bound, out, room);
}

int listen_sockaddr(const struct address_conf *a, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (a->family == AF_UNIX) {
        struct sockaddr_un *un = (struct sockaddr_un *)out;
        un->sun_family = AF_UNIX;
        size_t len = strlen(a->path);
        if (len >= sizeof un->sun_path) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(un->sun_path, a->path, len);
        return (int)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    }
    if (a->family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)out;
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)a->port)};
        memcpy(&in->sin_addr, a->address, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)a->port)};
    if (a->family == AF_INET6)
        memcpy(&in6->sin6_addr, a->address, 16);
    return sizeof *in6;
}

/* A socket file nobody listens on is left over from a killed server; anything else is left alone. */
static int unix_clear_stale(const struct sockaddr_storage *address, socklen_t len)
{
    const char *path = ((const struct sockaddr_un *)address)->sun_path;
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : -1;
    if (!S_ISSOCK(st.st_mode)) {
        errno = EEXIST;
        return -1;
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return -1;
    int refused = connect(probe, (const struct sockaddr *)address, len) < 0 && errno == ECONNREFUSED;
    close(probe);
    if (refused)
        return unlink(path);
    errno = EADDRINUSE;
    return -1;
}

static int socket_bind(const struct listen_conf *l, int family, const struct sockaddr_storage *address, socklen_t len)
{
    int one = 1, only = l->address.family == AF_INET6; /* "*" takes both families, [::] leaves 0.0.0.0 to another socket */
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    mode_t mask = family == AF_UNIX ? umask(0177) : 0; /* nobody else connects before the mode is set */
    bool ok = family == AF_UNIX ? unix_clear_stale(address, len) == 0 : setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0;
    if (ok && family == AF_INET6)
        ok = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) == 0;
    ok = ok && bind(fd, (const struct sockaddr *)address, len) == 0;
    if (family == AF_UNIX) {
        umask(mask);
        ok = ok && chmod(l->address.path, l->mode ? (mode_t)l->mode : 0666) == 0;
    }
    if (ok && listen(fd, l->backlog > 0 ? l->backlog : LIMIT_LISTEN_BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int socket_open(const struct listen_conf *l)
{
    struct sockaddr_storage address;
    int len = listen_sockaddr(&l->address, &address);
    if (len < 0)
        return -1;
    int fd = socket_bind(l, address.ss_family, &address, (socklen_t)len);
    if (fd >= 0 || l->address.family != 0 || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
        return fd;
    struct address_conf any = {.family = AF_INET, .port = l->address.port}; /* a host without IPv6 */
    len = listen_sockaddr(&any, &address);
    return socket_bind(l, AF_INET, &address, (socklen_t)len);
}

static int listen_kept(const struct listen_conf *l, const struct main_conf *old)
{
    for (int i = 0; old && i < old->listen_count; i++)
        if (old->listens[i].fd >= 0 && address_same(&old->listens[i].address, &l->address))
            return old->listens[i].fd;
    return -1;
}

static int failed(const struct listen_conf *l, char *error, int room)
{
    char address[160];
    const char *why = strerror(errno);
    listen_address_text(&l->address, address, sizeof address);
    snprintf(error, (size_t)room, "%s: Listen: cannot listen on %s: %s", l->where ? l->where : "configuration", address, why);
    return -1;
}

/* Kept ones get the mode and the backlog that are written now. */
static void listen_refresh(const struct listen_conf *l)
{
    if (l->address.family == AF_UNIX && !listen_was_inherited(l->fd))
        chmod(l->address.path, l->mode ? (mode_t)l->mode : 0666);
    listen(l->fd, l->backlog > 0 ? l->backlog : LIMIT_LISTEN_BACKLOG);
}

int listener_open_all(struct main_conf *conf, const struct main_conf *old, char *error, int room)
{
    for (int i = 0; i < conf->listen_count; i++)
        conf->listens[i].fd = -1;
    for (int i = 0; i < conf->listen_count; i++) {
        struct listen_conf *l = &conf->listens[i];
        l->fd = listen_kept(l, old);
        if (l->fd < 0)
            l->fd = listen_inherited(&l->address);
        if (l->fd >= 0) {
            listen_refresh(l);
            continue;
        }
        l->fd = socket_open(l);
        if (l->fd < 0) {
            failed(l, error, room);
            listener_close_unused(conf, old);
            return -1;
        }
    }
    return 0;
}

static bool listen_uses(const struct main_conf *conf, int fd)
{
    for (int i = 0; conf && i < conf->listen_count; i++)
        if (conf->listens[i].fd == fd)
            return true;
    return false;
}

/* Somebody may have put another socket under our name: then it is his. */
static bool unix_is_ours(int fd, const char *path)
{
    struct sockaddr_un name;
    socklen_t len = sizeof name;
    return getsockname(fd, (struct sockaddr *)&name, &len) == 0 && name.sun_family == AF_UNIX && strncmp(name.sun_path, path, sizeof name.sun_path) == 0;
}

void listener_close_unused(const struct main_conf *old, const struct main_conf *conf)
{
    for (int i = 0; old && i < old->listen_count; i++) {
        struct listen_conf *l = &((struct main_conf *)old)->listens[i];
        if (l->fd < 0 || listen_uses(conf, l->fd))
            continue;
        if (l->address.family == AF_UNIX && !listen_was_inherited(l->fd) && unix_is_ours(l->fd, l->address.path))
            unlink(l->address.path);
        listen_inherit_forget(l->fd);
        close(l->fd);
        l->fd = -1;
    }
}

void listener_leave(struct main_conf *conf, const struct main_conf *keep)
{
    for (int i = 0; conf && i < conf->listen_count; i++)
        if (conf->listens[i].fd >= 0 && !listen_uses(keep, conf->listens[i].fd)) {
            close(conf->listens[i].fd);
            conf->listens[i].fd = -1;
        }
}
