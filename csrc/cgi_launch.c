/* The helper process of this worker: started before it is needed where the configuration says that it will be, else with the first script; started
 * again when it has died. Scripts that run do not notice. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgi_pool.h"
#include "log.h"

extern char **environ; /* for the loader: LD_LIBRARY_PATH; scripts get none of it */

static void how(int status, char *out, size_t room)
{
    if (WIFSIGNALED(status))
        snprintf(out, room, "was killed by signal %d", WTERMSIG(status));
    else
        snprintf(out, room, "ended with exit code %d", WEXITSTATUS(status));
}

/* Its socket says that it has gone, or it is to go: what is left of it is on its way out, so that nobody has to wait. */
static int bury(struct cgi_pool *p)
{
    int status = 0, fd = p->helper.fd;
    loop_remove(p->loop, &p->helper);
    close(fd);
    kill(p->helper_pid, SIGKILL);
    while (waitpid(p->helper_pid, &status, 0) < 0 && errno == EINTR)
        continue;
    p->helper_pid = 0;
    return status;
}

static void lost(struct cgi_pool *p)
{
    char words[64];
    int pid = p->helper_pid;
    how(bury(p), words, sizeof words);
    log_error(NULL, LEVEL_WARN, "cgi", "the CGI helper %d %s; the next script starts another one", pid, words);
}

static void on_helper(struct source *s, uint32_t events)
{
    struct cgi_pool *p = (struct cgi_pool *)((char *)s - offsetof(struct cgi_pool, helper));
    if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
        lost(p);
}

static int library_fd = -1;

void cgi_launch_with_library(int fd) { library_fd = fd; }

/* Our environment with the library before it; what it points to is the caller's to free. */
static char **environment(char preload[64])
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **made = calloc(count + 2, sizeof *made);
    if (!made)
        return NULL;
    made[0] = preload;
    memcpy(made + 1, environ, count * sizeof *made);
    snprintf(preload, 64, "LD_PRELOAD=/proc/self/fd/%d", library_fd);
    return made;
}

static int spawn(struct cgi_pool *p, int fd)
{
    char files[24], preload[64], name[] = CGI_HELPER_NAME;
    char *argv[] = {name, files, NULL}, **env = library_fd < 0 ? NULL : environment(preload);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    snprintf(files, sizeof files, "%llu", p->soft_files);
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    int error = posix_spawn_file_actions_adddup2(&actions, fd, CGI_HELPER_FD);
    if (!error && env) /* a descriptor onto itself: stays open */
        error = posix_spawn_file_actions_adddup2(&actions, library_fd, library_fd);
    if (!error)
        error = posix_spawn(&p->helper_pid, "/proc/self/exe", &actions, &attributes, argv, env ? env : environ);
    free(env);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int cgi_launch_helper(struct cgi_pool *p)
{
    int ends[2], error = 0;
    if (p->helper.fd >= 0)
        return 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
        error = errno;
    } else {
        fcntl(ends[1], F_SETFL, 0); /* the helper waits in its recvmsg */
        error = spawn(p, ends[1]);
        close(ends[1]);
        p->helper = (struct source){.ready = on_helper, .fd = ends[0]};
        if (error) {
            close(ends[0]);
            p->helper.fd = -1;
        } else if (loop_add(p->loop, &p->helper, EPOLLIN | EPOLLRDHUP | EPOLLET) < 0) {
            error = errno;
            bury(p);
        }
    }
    if (!error)
        return 0;
    log_error(NULL, LEVEL_ERROR, "cgi", "the CGI helper cannot be started: %s", strerror(error));
    errno = error;
    return -1;
}

static int hand_over(const struct cgi_pool *p, const struct cgi_order *order, const int fds[CGI_FDS])
{
    union { char room[CMSG_SPACE(CGI_FDS * sizeof(int))]; struct cmsghdr align; } control;
    struct iovec part = {(void *)order, sizeof *order};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(CGI_FDS * sizeof(int));
    memcpy(CMSG_DATA(c), fds, CGI_FDS * sizeof(int));
    return sendmsg(p->helper.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

int cgi_launch(struct cgi_pool *p, const struct cgi_order *order, const int fds[CGI_FDS])
{
    for (int tries = 0; tries < 2; tries++) {
        if (cgi_launch_helper(p) < 0)
            return -1;
        if (hand_over(p, order, fds) == 0)
            return 0;
        if (errno != EPIPE && errno != ECONNRESET && errno != ENOTCONN)
            return -1; /* EAGAIN: it does not take its orders; ETOOMANYREFS */
        lost(p);
    }
    return -1;
}

void cgi_launch_end(struct cgi_pool *p)
{
    if (p->helper.fd >= 0)
        bury(p);
}
