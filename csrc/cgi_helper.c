/* The process that forks scripts: this very program, started anew without Python, so that a fork copies next to nothing and nothing of the server
 * (listeners, logs, clients, memory) is there to be inherited. It keeps no state: what it has begun goes on without it. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgi_order.h"

static void quiet_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        if (number != SIGKILL && number != SIGSTOP)
            sigaction(number, &action, NULL);
    action.sa_handler = SIG_IGN;
    action.sa_flags = SA_NOCLDWAIT; /* guards are nobody's to wait for */
    sigaction(SIGCHLD, &action, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The worker has raised it as far as it goes; programs that walk all descriptors, or use select(), want the one the server was started with. */
static void files_back(const char *soft_files)
{
    struct rlimit limit;
    unsigned long long soft = strtoull(soft_files, NULL, 10);
    if (soft && getrlimit(RLIMIT_NOFILE, &limit) == 0 && soft <= limit.rlim_max) {
        limit.rlim_cur = soft;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* 1: an order; 0: the worker is gone; -1: not one of ours. */
static int take_order(struct cgi_order *order, int fds[CGI_FDS])
{
    union { char room[CMSG_SPACE(CGI_FDS * sizeof(int))]; struct cmsghdr align; } control;
    struct iovec part = {order, sizeof *order};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t n;
    do
        n = recvmsg(CGI_HELPER_FD, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return 0;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(CGI_FDS * sizeof(int)))
        return -1;
    memcpy(fds, CMSG_DATA(c), CGI_FDS * sizeof(int));
    return n == sizeof *order ? 1 : -1;
}

static void carry_out(const struct cgi_order *order, int fds[CGI_FDS])
{
    pid_t pid = fork();
    if (pid == 0) {
        close(CGI_HELPER_FD);
        cgi_guard_run(order, fds);
    }
    if (pid < 0) {
        struct cgi_report report = {CGI_REFUSED, errno, CGI_STAGE_FORK};
        send(fds[CGI_FD_LIFE], &report, sizeof report, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    for (int i = 0; i < CGI_FDS; i++)
        close(fds[i]);
}

int cgi_helper_main(const char *soft_files)
{
    struct cgi_order order;
    int fds[CGI_FDS], taken;
    quiet_signals();
    setsid(); /* what a terminal sends to the server is not for it */
    syscall(SYS_close_range, CGI_HELPER_FD + 1, ~0u, 0);
    files_back(soft_files);
    prctl(PR_SET_NAME, "pyhost-cgi");
    while ((taken = take_order(&order, fds)) == 1)
        carry_out(&order, fds);
    return taken == 0 ? 0 : 1;
}
