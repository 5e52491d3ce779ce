/* The master's children: how a worker is made, how its end is noticed, and when the next one starts. */
#include <Python.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgi_pool.h"
#include "listener.h"
#include "log.h"
#include "master.h"
#include "master_parts.h"
#include "worker.h"

enum { LIBRARY_FD_LEAST = 10, EXIT_NO_IDENTITY = 5, EXIT_NEVER_SERVED = 6, NS_PER_MS = 1000000 };

static int master_fd = -1; /* in a worker: the socket whose other end makes the master wake up */

void master_notice(void)
{
    if (master_fd >= 0)
        send(master_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- a new one ---- */

static int slot_free(const struct master *m)
{
    for (int i = 0; i < SHM_SLOTS; i++)
        if (!m->children[i].pid)
            return i;
    return -1;
}

/* Orders that come before worker_run has installed its own handlers must not be lost, nor kill. */
static void on_early_signal(int number) { worker_order(number == SIGUSR1 ? WORKER_REOPEN_LOGS : number == SIGQUIT ? WORKER_GRACEFUL : WORKER_STOP); }

static void child_signals(void)
{
    static const int orders[] = {SIGTERM, SIGINT, SIGQUIT, SIGUSR1};
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        if (number != SIGKILL && number != SIGSTOP && number != SIGPIPE)
            sigaction(number, &action, NULL);
    action.sa_handler = on_early_signal;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        sigaction(orders[i], &action, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What is the master's alone: other workers' sockets, listeners of the other generation, the lock of the pid file. */
static void child_drop_masters(struct master *m, const struct main_conf *conf, int own_fd)
{
    if (m->conf != conf)
        listener_leave(m->conf, conf);
    if (m->next != conf)
        listener_leave(m->next, conf);
    for (int i = 0; i < SHM_SLOTS; i++)
        if (m->children[i].pid)
            close(m->children[i].socket_fd);
    pidfile_forget();
    log_in_worker(own_fd);
    master_fd = own_fd;
}

/* A Python in a home folder that the workers' user cannot read: every import would fail, each in its own words. */
static bool child_reads_python(const struct main_conf *conf)
{
    PyObject *folder = PySys_GetObject("_stdlib_dir");
    const char *path = folder && PyUnicode_Check(folder) ? PyUnicode_AsUTF8(folder) : NULL;
    if (!path || access(path, R_OK | X_OK) == 0)
        return true;
    log_error(NULL, LEVEL_EMERG, "core", "user %s cannot read Python's library %s: %s", conf->user ? conf->user : "", path, strerror(errno));
    return false;
}

/* libpython, where it is a file of its own: opened while we still may. */
struct library { const char *path; int fd; };

static struct library child_open_library(const struct identity *identity)
{
    Dl_info info, ours;
    struct library library = {NULL, -1};
    if (identity->change && dladdr((void *)(uintptr_t)Py_GetVersion, &info) && dladdr((void *)(uintptr_t)master_fork, &ours) &&
        info.dli_fbase != ours.dli_fbase && info.dli_fname[0] == '/') {
        int fd = open(library.path = info.dli_fname, O_RDONLY | O_CLOEXEC);
        library.fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, LIBRARY_FD_LEAST);
        if (fd >= 0)
            close(fd);
    }
    return library;
}

/* The helper of CGI scripts starts as the new user, and needs it. */
static void child_keep_library(const struct library *library)
{
    if (library->fd < 0)
        return;
    if (access(library->path, R_OK) == 0)
        close(library->fd);
    else
        cgi_launch_with_library(library->fd);
}

static _Noreturn void child_run(struct master *m, struct main_conf *conf, const struct identity *identity, int slot, int own_fd)
{
    pid_t master = getppid();
    child_signals();
    child_drop_masters(m, conf, own_fd);
    struct library library = child_open_library(identity);
    if (identity_take(identity) < 0) {
        log_error(NULL, LEVEL_EMERG, "core", "a worker cannot become user %s: %s", conf->user ? conf->user : "", strerror(errno));
        _exit(EXIT_NO_IDENTITY);
    }
    if (identity->change && !child_reads_python(conf))
        _exit(EXIT_NO_IDENTITY);
    child_keep_library(&library);
    prctl(PR_SET_PDEATHSIG, SIGQUIT); /* after the change of user, which clears it */
    if (getppid() != master)
        _exit(EXIT_NEVER_SERVED);
    int code = worker_run(conf, slot);
    _exit(code);
}

static void slot_prepare(int slot, const struct main_conf *conf)
{
    struct slot *s = &shm->slots[slot];
    s->state = SLOT_STARTING;
    s->generation = conf->generation;
    s->started_us = master_clock_us();
}

/* Text still buffered would come out once more in each child. */
static void flush_python(void)
{
    static const char *const names[] = {"stdout", "stderr"};
    for (int i = 0; i < 2; i++) {
        PyObject *stream = PySys_GetObject(names[i]);
        PyObject *done = stream && stream != Py_None ? PyObject_CallMethod(stream, "flush", NULL) : NULL;
        Py_XDECREF(done);
        PyErr_Clear();
    }
    fflush(NULL);
}

int master_fork(struct master *m, struct main_conf *conf, const struct identity *identity)
{
    int slot = slot_free(m), ends[2];
    if (slot < 0) {
        log_error(NULL, LEVEL_ERROR, "core", "no more than %d workers can run at a time", SHM_SLOTS);
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        log_error(NULL, LEVEL_CRIT, "core", "a worker cannot be started: socketpair: %s", strerror(errno));
        return -1;
    }
    slot_prepare(slot, conf);
    flush_python();
    PyOS_BeforeFork();
    pid_t pid = fork();
    if (pid == 0) {
        PyOS_AfterFork_Child();
        close(ends[0]);
        child_run(m, conf, identity, slot, ends[1]);
    }
    int error = errno;
    PyOS_AfterFork_Parent();
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        shm->slots[slot].state = SLOT_FREE;
        log_error(NULL, LEVEL_CRIT, "core", "a worker cannot be started: fork: %s", strerror(error));
        return -1;
    }
    shm->slots[slot].pid = pid;
    fcntl(ends[0], F_SETOWN, getpid()); /* SIGIO when the worker sends something */
    fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK);
    m->children[slot] = (struct child){.pid = pid, .conf = conf, .socket_fd = ends[0], .forked_ns = master_clock_ns()};
    return 0;
}

/* ---- the end of one ---- */

static void how_it_ended(int status, char *out, size_t room)
{
    if (WIFSIGNALED(status))
        snprintf(out, room, "was killed by signal %d (%s%s)", WTERMSIG(status), strsignal(WTERMSIG(status)), WCOREDUMP(status) ? ", core dumped" : "");
    else
        snprintf(out, room, "ended with exit code %d", WEXITSTATUS(status));
}

/* One failure for each round of pauses, however many workers die in it. */
static int64_t plan_next(struct master *m, bool early)
{
    if (!early) {
        m->failures = 0;
        m->fork_at_ns = m->now_ns;
        return 0;
    }
    if (m->now_ns >= m->fork_at_ns) {
        int64_t pause_ms = (int64_t)MASTER_BACKOFF_MS << (m->failures < 12 ? m->failures : 12);
        if (pause_ms > MASTER_BACKOFF_MAX_MS)
            pause_ms = MASTER_BACKOFF_MAX_MS;
        m->failures++;
        m->fork_at_ns = m->now_ns + pause_ms * NS_PER_MS;
    }
    return (m->fork_at_ns - m->now_ns) / NS_PER_MS;
}

static void child_ended(struct master *m, int slot, int status, int state)
{
    struct child *c = &m->children[slot];
    char how[96];
    how_it_ended(status, how, sizeof how);
    double lived = (double)(m->now_ns - c->forked_ns) / 1e9;
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    unsigned long long requests = shm->slots[slot].requests;
    if (c->retiring || (m->state != MASTER_RUNNING && clean)) {
        log_error(NULL, clean ? LEVEL_INFO : LEVEL_WARN, "core", "worker %d (slot %d) %s after %.1f s and %llu requests, %s", (int)c->pid, slot, how,
                  lived, requests, c->leaving ? "by its own will" : "told to finish");
    } else if (c->conf == m->next) {
        char why[160];
        snprintf(why, sizeof why, "its worker %d %s %s", (int)c->pid, how, state == SLOT_STARTING ? "before it was ready" : "while the others were starting");
        c->pid = 0;
        master_reload_abort(m, why);
    } else {
        bool early = !(clean && state != SLOT_STARTING) && (state == SLOT_STARTING || m->now_ns - c->forked_ns < (int64_t)MASTER_EARLY_MS * NS_PER_MS);
        int64_t pause_ms = plan_next(m, early);
        log_error(NULL, clean ? LEVEL_INFO : LEVEL_ALERT, "core", "worker %d (slot %d) %s after %.1f s and %llu requests%s; the next one starts in %lld ms",
                  (int)c->pid, slot, how, lived, requests, state == SLOT_STARTING ? ", before it was ready" : "", (long long)pause_ms);
    }
}

static void child_bury(struct master *m, int slot, int status)
{
    struct child *c = &m->children[slot];
    struct main_conf *conf = c->conf;
    int state = shm->slots[slot].state;
    shm->slots[slot].state = SLOT_DEAD;
    log_rescue(slot);
    close(c->socket_fd);
    child_ended(m, slot, status, state);
    c->pid = 0;
    c->conf = NULL;
    shm_bury(slot);
    master_release_old(m, conf);
}

static int slot_of(const struct master *m, pid_t pid)
{
    for (int i = 0; i < SHM_SLOTS; i++)
        if (m->children[i].pid == pid)
            return i;
    return -1;
}

void master_reap(struct master *m)
{
    /* All are taken in before the first log is rescued: a file's lock may be in the hand of the next dead one. */
    struct { int slot, status; } dead[SHM_SLOTS];
    int count = 0, status;
    pid_t pid;
    while (count < SHM_SLOTS && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
        int slot = slot_of(m, pid);
        if (slot >= 0) {
            dead[count].slot = slot;
            dead[count++].status = status;
        } else {
            log_child_ended(pid, status);
        }
    }
    for (int i = 0; i < count; i++)
        child_bury(m, dead[i].slot, dead[i].status);
}

/* ---- as many as wanted ---- */

void master_retire(struct master *m, struct child *c, int signal)
{
    int64_t within_ms = MASTER_STOP_GRACE_MS;
    if (signal == SIGQUIT)
        within_ms = c->conf->graceful_timeout_ms ? c->conf->graceful_timeout_ms + MASTER_STOP_GRACE_MS : 0;
    c->retiring = true;
    c->kill_at_ns = within_ms ? m->now_ns + within_ms * NS_PER_MS : 0;
    kill(c->pid, signal);
}

void master_look(struct master *m)
{
    char byte;
    for (int i = 0; i < SHM_SLOTS; i++) {
        struct child *c = &m->children[i];
        if (!c->pid)
            continue;
        while (recv(c->socket_fd, &byte, 1, MSG_DONTWAIT) > 0)
            continue;
        if (!c->retiring && shm->slots[i].state == SLOT_STOPPING)
            c->retiring = c->leaving = true;
    }
}

void master_kill_overdue(struct master *m)
{
    for (int i = 0; i < SHM_SLOTS; i++) {
        struct child *c = &m->children[i];
        if (!c->pid || !c->kill_at_ns || c->kill_at_ns > m->now_ns)
            continue;
        log_error(NULL, LEVEL_ERROR, "core", "worker %d (slot %d) does not end and is killed", (int)c->pid, i);
        kill(c->pid, SIGKILL);
        c->kill_at_ns = m->now_ns + (int64_t)MASTER_STOP_GRACE_MS * NS_PER_MS;
    }
}

int master_count(const struct master *m, const struct main_conf *conf)
{
    int n = 0;
    for (int i = 0; i < SHM_SLOTS; i++)
        n += m->children[i].pid && !m->children[i].retiring && (!conf || m->children[i].conf == conf);
    return n;
}

int master_alive(const struct master *m, const struct main_conf *conf)
{
    int n = 0;
    for (int i = 0; i < SHM_SLOTS; i++)
        n += m->children[i].pid && (!conf || m->children[i].conf == conf);
    return n;
}

int master_ready(const struct master *m, const struct main_conf *conf)
{
    int n = 0;
    for (int i = 0; i < SHM_SLOTS; i++)
        n += m->children[i].pid && m->children[i].conf == conf && shm->slots[i].state == SLOT_READY;
    return n;
}

static struct child *newest(struct master *m)
{
    struct child *found = NULL;
    for (int i = 0; i < SHM_SLOTS; i++) {
        struct child *c = &m->children[i];
        if (c->pid && !c->retiring && c->conf == m->conf && (!found || c->forked_ns > found->forked_ns))
            found = c;
    }
    return found;
}

void master_keep_number(struct master *m)
{
    int have = master_count(m, m->conf);
    while (have < m->wanted && m->now_ns >= m->fork_at_ns) {
        if (master_fork(m, m->conf, &m->identity) < 0) {
            m->fork_at_ns = m->now_ns + (int64_t)MASTER_EARLY_MS * NS_PER_MS;
            return;
        }
        have++;
    }
    for (; have > m->wanted; have--)
        master_retire(m, newest(m), SIGQUIT);
}
