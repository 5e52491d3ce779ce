/* Sockets that were open when we started: systemd passes them from descriptor 3 on (LISTEN_PID, LISTEN_FDS), spawn-fcgi as descriptor 0.
 * They are found by their address, so the configuration names them as any other Listen. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "listen_parts.h"
#include "log.h"

enum { SYSTEMD_FIRST_FD = 3, INHERITED_MAX = 64 };

static struct { bool looked; int count; int fds[INHERITED_MAX]; bool claimed[INHERITED_MAX]; } inherited;

static bool is_listening(int fd)
{
    int on = 0, type = 0;
    socklen_t len = sizeof on;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) < 0 || !on)
        return false;
    len = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

static void take(int fd)
{
    if (inherited.count == INHERITED_MAX || !is_listening(fd))
        return;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    inherited.fds[inherited.count++] = fd;
}

/* Descriptor 0 becomes /dev/null again: children expect a standard input there. */
static void take_standard_input(void)
{
    if (!is_listening(STDIN_FILENO))
        return;
    int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, SYSTEMD_FIRST_FD), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO)
        take(fd);
    if (null >= 0)
        close(null);
}

static void look(void)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    inherited.looked = true;
    if (pid && fds && strtol(pid, NULL, 10) == getpid()) {
        long count = strtol(fds, NULL, 10);
        for (int i = 0; i < count && i < INHERITED_MAX; i++)
            take(SYSTEMD_FIRST_FD + i);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    take_standard_input();
}

static bool same_unix(const struct sockaddr_storage *is, const struct sockaddr_storage *wanted)
{
    const struct sockaddr_un *a = (const struct sockaddr_un *)is, *b = (const struct sockaddr_un *)wanted;
    return strncmp(a->sun_path, b->sun_path, sizeof a->sun_path) == 0;
}

static bool same_ip(const struct sockaddr_storage *is, const struct sockaddr_storage *wanted)
{
    if (is->ss_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)is, *b = (const struct sockaddr_in *)wanted;
        return a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
    }
    const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)is, *b = (const struct sockaddr_in6 *)wanted;
    return a->sin6_port == b->sin6_port && memcmp(&a->sin6_addr, &b->sin6_addr, sizeof a->sin6_addr) == 0;
}

static bool listens_on(int fd, const struct address_conf *address)
{
    struct sockaddr_storage is, wanted;
    socklen_t len = sizeof is;
    memset(&is, 0, sizeof is);
    if (getsockname(fd, (struct sockaddr *)&is, &len) < 0)
        return false;
    struct address_conf any = {.family = AF_INET, .port = address->port};
    if (address->family == 0 && is.ss_family == AF_INET) /* "*" is any address of either family */
        address = &any;
    if (listen_sockaddr(address, &wanted) < 0 || is.ss_family != wanted.ss_family)
        return false;
    return is.ss_family == AF_UNIX ? same_unix(&is, &wanted) : same_ip(&is, &wanted);
}

int listen_inherited(const struct address_conf *address)
{
    if (!inherited.looked)
        look();
    for (int i = 0; i < inherited.count; i++)
        if (!inherited.claimed[i] && listens_on(inherited.fds[i], address)) {
            inherited.claimed[i] = true;
            return inherited.fds[i];
        }
    return -1;
}

bool listen_was_inherited(int fd)
{
    for (int i = 0; i < inherited.count; i++)
        if (inherited.fds[i] == fd)
            return true;
    return false;
}

void listen_inherit_forget(int fd)
{
    for (int i = 0; i < inherited.count; i++)
        if (inherited.fds[i] == fd)
            inherited.fds[i] = -1;
}

void listen_inherit_end(void)
{
    int kept = 0;
    for (int i = 0; i < inherited.count; i++)
        if (inherited.claimed[i])
            inherited.fds[kept++] = inherited.fds[i];
        else {
            log_error(NULL, LEVEL_WARN, "core", "a listening socket was inherited as descriptor %d, but no Listen names its address", inherited.fds[i]);
            close(inherited.fds[i]);
        }
    inherited.count = kept;
}
