/* One small process for each script: it starts the script, waits for it, and takes in every orphan of its tree (PR_SET_CHILD_SUBREAPER), so that
 * daemons, sessions and process groups of their own do not get away. When the worker hangs up, all of the tree gets TERM, and after the grace KILL
 * until nothing is left. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cgi_order.h"
#include "proc.h"

enum { KILL_PAUSE_MS = 20, KILL_MOST_MS = 5000, BUSY_TRIES = 50, BUSY_PAUSE_MS = 10, MS_PER_S = 1000, NS_PER_MS = 1000000 };

struct guard {
    const struct cgi_order *order;
    int *fds;
    int signal_fd;
    pid_t script;
    bool ended, let_go, killing;
    int64_t due_ms; /* KILL, or the end of the grace; -1: nothing is due */
    int64_t give_up_ms;
    char *path, *folder, **argv, **env;
    volatile int stage, error; /* written by the child, whose memory is ours until it execs */
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

static void report(const struct guard *g, int kind, int value, int stage)
{
    struct cgi_report r = {kind, value, stage};
    send(g->fds[CGI_FD_LIFE], &r, sizeof r, MSG_NOSIGNAL);
}

/* ---- the words of the order ---- */

static char *next_word(char **at, const char *end)
{
    char *word = *at, *stop = word < end ? memchr(word, 0, (size_t)(end - word)) : NULL;
    *at = stop ? stop + 1 : word;
    return stop ? word : NULL;
}

static bool take_words(struct guard *g)
{
    const struct cgi_order *o = g->order;
    char *at = mmap(NULL, o->bytes ? o->bytes : 1, PROT_READ, MAP_PRIVATE, g->fds[CGI_FD_WORDS], 0);
    g->argv = calloc((size_t)o->arguments + 1, sizeof *g->argv);
    g->env = calloc((size_t)o->variables + 1, sizeof *g->env);
    if (at == MAP_FAILED || !g->argv || !g->env)
        return false;
    const char *end = at + o->bytes;
    bool whole = (g->path = next_word(&at, end)) && (g->folder = next_word(&at, end));
    for (uint32_t i = 0; i < o->arguments; i++)
        whole = (g->argv[i] = next_word(&at, end)) && whole;
    for (uint32_t i = 0; i < o->variables; i++)
        whole = (g->env[i] = next_word(&at, end)) && whole;
    errno = whole ? 0 : EINVAL;
    return whole;
}

/* ---- the script ---- */

static int set_limit(const struct cgi_order *o, enum cgi_limit which, int resource)
{
    struct rlimit limit;
    if (!o->soft[which] || getrlimit(resource, &limit) < 0)
        return 0;
    rlim_t most = limit.rlim_max;
    if (o->hard[which] > 0 && (rlim_t)o->hard[which] < most)
        most = (rlim_t)o->hard[which];
    limit.rlim_max = most;
    limit.rlim_cur = o->soft[which] > 0 && (rlim_t)o->soft[which] < most ? (rlim_t)o->soft[which] : most;
    return setrlimit(resource, &limit);
}

static int set_limits(const struct cgi_order *o)
{
    return set_limit(o, CGI_LIMIT_CPU, RLIMIT_CPU) < 0 || set_limit(o, CGI_LIMIT_MEMORY, RLIMIT_AS) < 0 ||
           set_limit(o, CGI_LIMIT_PROCESSES, RLIMIT_NPROC) < 0 ? -1 : 0;
}

/* In the child, on our stack and memory: only system calls. dup2 leaves close-on-exec behind, and none of the five is below 3. */
static void become_script(struct guard *g)
{
    sigset_t none;
    sigemptyset(&none);
    setsid();
    for (int i = CGI_FD_IN; i <= CGI_FD_ERR; i++)
        dup2(g->fds[i], i);
    signal(SIGCHLD, SIG_DFL);
    g->stage = CGI_STAGE_FOLDER;
    if (chdir(g->folder) == 0) {
        g->stage = CGI_STAGE_LIMITS;
        if (set_limits(g->order) == 0) {
            g->stage = CGI_STAGE_EXEC;
            sigprocmask(SIG_SETMASK, &none, NULL);
            execve(g->path, g->argv, g->env);
        }
    }
    g->error = errno;
    _exit(127);
}

/* A frame of its own, with nothing in it that the child could change under our feet. */
static __attribute__((noinline)) void fork_script(struct guard *g)
{
    g->stage = CGI_STAGE_FORK;
    g->error = 0;
    g->script = vfork();
    if (g->script == 0)
        become_script(g);
    if (g->script < 0)
        g->error = errno;
}

static void start_script(struct guard *g)
{
    struct timespec pause = {.tv_nsec = (long)BUSY_PAUSE_MS * NS_PER_MS};
    fork_script(g);
    for (int i = 0; g->error == ETXTBSY && i < BUSY_TRIES; i++) {
        waitpid(g->script, NULL, 0); /* somebody has it open for writing: whoever forks while a script is replaced has, for a moment */
        nanosleep(&pause, NULL);
        fork_script(g);
    }
}

/* ---- the tree ---- */

struct process { pid_t pid, parent; bool ours; };

/* The parent stands behind the name, which may have any bytes but ends at the last ')'. */
static pid_t parent_of(const char *pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    proc_read(path, text, sizeof text);
    const char *name_end = strrchr(text, ')');
    return name_end && strlen(name_end) > 4 ? (pid_t)strtol(name_end + 4, NULL, 10) : 0;
}

static struct process *all_processes(size_t *count)
{
    struct process *found = NULL, *more;
    size_t room = 0;
    DIR *folder = opendir("/proc");
    *count = 0;
    for (struct dirent *e; folder && (e = readdir(folder));) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (pid <= 0)
            continue;
        if (*count == room) {
            more = realloc(found, (room = room ? room * 2 : 256) * sizeof *found);
            if (!more)
                break;
            found = more;
        }
        found[(*count)++] = (struct process){pid, parent_of(e->d_name), false};
    }
    if (folder)
        closedir(folder);
    return found;
}

static bool is_ours(const struct process *all, size_t count, pid_t pid)
{
    if (pid == getpid())
        return true;
    for (size_t i = 0; i < count; i++)
        if (all[i].pid == pid)
            return all[i].ours;
    return false;
}

/* Generation by generation; a process that appears meanwhile is met in the next round, for the guard goes on until it has no child. */
static void kill_tree(const struct guard *g, int signal)
{
    size_t count;
    struct process *all = all_processes(&count);
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < count; i++)
            if (!all[i].ours && all[i].pid != getpid() && is_ours(all, count, all[i].parent))
                more = all[i].ours = true;
    }
    if (!g->ended)
        kill(-g->script, signal);
    for (size_t i = 0; i < count; i++)
        if (all[i].ours)
            kill(all[i].pid, signal);
    free(all);
}

/* ---- waiting ---- */

/* False: there is no child left. */
static bool reap(struct guard *g)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;
    while (read(g->signal_fd, &info, sizeof info) > 0)
        continue;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == g->script) {
            g->ended = true;
            report(g, CGI_ENDED, status, 0);
        }
    return pid == 0;
}

static void begin_killing(struct guard *g)
{
    g->killing = true;
    g->due_ms = now_ms() + g->order->grace_ms;
    g->give_up_ms = g->due_ms + KILL_MOST_MS;
    kill_tree(g, SIGTERM);
    kill_tree(g, SIGCONT); /* a stopped one would not hear it */
}

static void hear_worker(struct guard *g)
{
    char word = 0;
    ssize_t n = recv(g->fds[CGI_FD_LIFE], &word, 1, MSG_DONTWAIT);
    if (n == 1 && word == CGI_LET_GO) {
        g->let_go = true;
        g->due_ms = now_ms() + g->order->grace_ms;
    } else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        if (!g->killing && !g->let_go)
            begin_killing(g);
    }
}

static void when_due(struct guard *g)
{
    if (g->killing) {
        kill_tree(g, SIGKILL);
        g->due_ms = now_ms() + KILL_PAUSE_MS;
    } else {
        begin_killing(g);
    }
}

static bool goes_on(struct guard *g)
{
    if (!reap(g))
        return !g->ended || (!g->let_go && !g->killing);
    if (g->let_go && g->ended && !g->killing)
        return false;
    return !g->killing || now_ms() < g->give_up_ms; /* what another user runs by now cannot be killed */
}

static void guard_script(struct guard *g)
{
    struct pollfd wait[2] = {{.fd = g->signal_fd, .events = POLLIN}, {.fd = g->fds[CGI_FD_LIFE], .events = POLLIN}};
    while (goes_on(g)) {
        int64_t left = g->due_ms < 0 ? -1 : g->due_ms - now_ms();
        wait[1].fd = g->killing || g->let_go ? -1 : g->fds[CGI_FD_LIFE];
        poll(wait, 2, (int)(g->due_ms < 0 ? -1 : left > 0 ? left : 0));
        if (wait[1].fd >= 0 && wait[1].revents)
            hear_worker(g);
        if (g->due_ms >= 0 && now_ms() >= g->due_ms)
            when_due(g);
    }
}

static int child_signals(void)
{
    sigset_t child;
    signal(SIGCHLD, SIG_DFL); /* the helper ignores it: nothing could be waited for */
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool worker_hung_up(const struct guard *g)
{
    struct pollfd life = {.fd = g->fds[CGI_FD_LIFE], .events = POLLIN | POLLRDHUP};
    return poll(&life, 1, 0) > 0 && (life.revents & (POLLHUP | POLLRDHUP | POLLERR));
}

void cgi_guard_run(const struct cgi_order *order, int fds[CGI_FDS])
{
    struct guard g = {.order = order, .fds = fds, .due_ms = -1};
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "pyhost-guard");
    g.signal_fd = child_signals();
    if (worker_hung_up(&g))
        _exit(0); /* nobody wants it any more */
    g.stage = CGI_STAGE_WORDS;
    if (g.signal_fd < 0 || !take_words(&g))
        g.error = errno ? errno : EINVAL;
    else
        start_script(&g);
    if (g.error) {
        report(&g, CGI_REFUSED, g.error, g.stage);
        _exit(0);
    }
    report(&g, CGI_STARTED, g.script, 0);
    for (int i = CGI_FD_IN; i <= CGI_FD_ERR; i++)
        close(fds[i]); /* behind the report: the end of its output is never seen before it */
    close(fds[CGI_FD_WORDS]);
    guard_script(&g);
    _exit(0);
}
