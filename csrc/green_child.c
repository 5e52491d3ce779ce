/* Waiting for children: look, then wait on a descriptor of the process; what has none (groups, stops) waits in the thread pool. */
#include "green.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "green_hooks.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define HOOKED() (green_coro && green_gil_released())

struct group_wait { idtype_t type; id_t id; int options; };

/* WNOWAIT leaves the child to be reaped by the call that asked. */
static void group_work(void *arg)
{
    struct group_wait *g = arg;
    siginfo_t info;
    while (green_real.waitid(g->type, g->id, &info, g->options | WNOWAIT) && errno == EINTR)
        continue;
}

/* 1: look again; 0: do the real call; -1: errno. */
static int result_of(int result)
{
    if (result == GREEN_READY || result == EBADF)
        return 1;
    if (result == GREEN_BLOCK || result == ENOMEM)
        return 0;
    errno = result;
    return -1;
}

static int wait_group(idtype_t type, id_t id, int options)
{
    struct group_wait *g = malloc(sizeof *g);
    if (!g)
        return 0;
    *g = (struct group_wait){type, id, options};
    int result = green_offload(group_work, free, g), error = errno;
    if (result == GREEN_READY || result == GREEN_BLOCK || result == ENOMEM)
        free(g);
    errno = error;
    return result_of(result);
}

static int wait_process(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return errno == ENOSYS ? wait_group(P_PID, (id_t)pid, WEXITED) : 0;
    int again = result_of(green_wait_fd(fd, EPOLLIN, GREEN_FOREVER)), error = errno;
    green_real.close(fd);
    errno = error;
    return again;
}

static int wait_for(pid_t pid, int options)
{
    if (pid > 0 && !(options & (WUNTRACED | WCONTINUED)))
        return wait_process(pid);
    int wanted = WEXITED | (options & WUNTRACED ? WSTOPPED : 0) | (options & WCONTINUED);
    if (pid > 0)
        return wait_group(P_PID, (id_t)pid, wanted);
    if (pid == -1)
        return wait_group(P_ALL, 0, wanted);
    return wait_group(P_PGID, (id_t)(pid ? -pid : getpgrp()), wanted);
}

static pid_t wait_any(pid_t pid, int *status, int options, struct rusage *usage, const void *caller)
{
    if (!HOOKED() || (options & WNOHANG))
        return green_real.wait4(pid, status, options, usage);
    for (;;) {
        pid_t got = green_real.wait4(pid, status, options | WNOHANG, usage);
        if (got)
            return got;
        int again = green_may_yield(caller) ? wait_for(pid, options) : 0;
        if (again <= 0)
            return again < 0 ? -1 : green_real.wait4(pid, status, options, usage);
    }
}

pid_t waitpid(pid_t pid, int *status, int options) { return wait_any(pid, status, options, NULL, GREEN_CALLER()); }
pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage) { return wait_any(pid, status, options, usage, GREEN_CALLER()); }
pid_t wait3(int *status, int options, struct rusage *usage) { return wait_any(-1, status, options, usage, GREEN_CALLER()); }
pid_t wait(int *status) { return wait_any(-1, status, 0, NULL, GREEN_CALLER()); }

static int wait_id(idtype_t type, id_t id, int options)
{
    if (type == P_PIDFD)
        return result_of(green_wait_fd((int)id, EPOLLIN, GREEN_FOREVER));
    if (type == P_PID && !(options & (WSTOPPED | WCONTINUED)))
        return wait_process((pid_t)id);
    return wait_group(type, id, options & (WEXITED | WSTOPPED | WCONTINUED));
}

int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    if (!HOOKED() || (options & WNOHANG) || !info)
        return green_real.waitid(type, id, info, options);
    for (;;) {
        info->si_pid = 0;
        int result = green_real.waitid(type, id, info, options | WNOHANG);
        if (result || info->si_pid)
            return result;
        int again = green_may_yield(GREEN_CALLER()) ? wait_id(type, id, options) : 0;
        if (again <= 0)
            return again < 0 ? -1 : green_real.waitid(type, id, info, options);
    }
}

/* os.system(): libc's own waits for the shell without asking us. The symbol is fixed, so that nobody else here is tempted to use the name. */
int green_system(const char *command) __asm__("system");

int green_system(const char *command)
{
    pid_t pid;
    int status;
    char *const words[] = {"sh", "-c", (char *)command, NULL};
    if (!command || !HOOKED() || !green_may_yield(GREEN_CALLER()))
        return (*green_real.system)(command);
    if (posix_spawn(&pid, "/bin/sh", NULL, NULL, words, environ))
        return -1;
    pid_t got;
    do
        got = wait_any(pid, &status, 0, NULL, GREEN_CALLER());
    while (got < 0 && errno == EINTR);
    return got < 0 ? -1 : status;
}
