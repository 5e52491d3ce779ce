/* Log commands: "|command" reads lines on its standard input. The master keeps the reading end as well, so that when a command dies the next one
 * goes on with the line after. They run in a process group of their own: a Ctrl-C for the server must not end them before the last line. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "log_parts.h"

enum { PIPE_ROOM_BYTES = 1 << 20, PIPE_WAIT_MS = 250 };
#define PIPE_STUCK_NS ((int64_t)5000000000)

static _Atomic int64_t stuck_until_ns; /* this process waits for no command before that */

extern char **environ;

/* Everything a child must not inherit from us: blocked and ignored signals. */
static int attributes_fill(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    return posix_spawnattr_setsigmask(attributes, &none) || posix_spawnattr_setsigdefault(attributes, &all) ||
           posix_spawnattr_setpgroup(attributes, 0) ||
           posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static const char *command_of(const struct log_file *f)
{
    const char *command = f->path + 1;
    command += *command == '|' || *command == '$'; /* httpd's "||" and "|$" */
    while (*command == ' ')
        command++;
    return command;
}

int log_pipe_spawn(struct log_file *f)
{
    struct timespec now;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    char shell[] = "sh", option[] = "-c";
    char *command = strdup(command_of(f));
    char *words[] = {shell, option, command, NULL};
    if (!command)
        return -1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    f->started_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
    int error = attributes_fill(&attributes);
    if (!error)
        error = posix_spawn_file_actions_adddup2(&actions, f->reader_fd, STDIN_FILENO);
    if (!error)
        error = posix_spawn(&f->pid, "/bin/sh", &actions, &attributes, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    free(command);
    if (error)
        f->pid = 0;
    errno = error;
    return error ? -1 : 0;
}

int log_pipe_open(struct log_file *f)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    f->reader_fd = ends[0];
    f->fd = ends[1];
    fcntl(f->fd, F_SETFL, O_NONBLOCK);
    fcntl(f->fd, F_SETPIPE_SZ, PIPE_ROOM_BYTES); /* what it cannot have stays as it is */
    return log_pipe_spawn(f);
}

bool log_pipe_wait(int fd)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    int64_t now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    if (now_ns < stuck_until_ns)
        return false;
    if (poll(&room, 1, PIPE_WAIT_MS) > 0 && room.revents & POLLOUT)
        return true;
    stuck_until_ns = now_ns + PIPE_STUCK_NS;
    return false;
}

void log_pipe_close(struct log_file *f)
{
    if (f->reader_fd >= 0)
        close(f->reader_fd);
    f->reader_fd = -1;
}
