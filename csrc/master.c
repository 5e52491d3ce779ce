/* The master's life: open everything, start the workers, and then wait for signals. All signals it knows are blocked and taken by sigtimedwait, so
 * nothing ever interrupts it half-way; children get clean masks. */
#include "master.h"

#include <Python.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "listen_parts.h"
#include "listener.h"
#include "log.h"
#include "master_parts.h"
#include "worker.h"

enum { ERROR_BYTES = 512, EXIT_NOT_STARTED = 1, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

static const int handled[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGCHLD, SIGIO, SIGTTIN, SIGTTOU, SIGWINCH};

int64_t master_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t master_clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- start ---- */

static int refuse(const char *error)
{
    fprintf(stderr, "pyhost: %s\n", error);
    return -1;
}

/* Listeners before the pid file: a second server on the same addresses must not touch the first one's. */
static int open_all(struct main_conf *conf, struct identity *identity)
{
    char error[ERROR_BYTES] = "";
    if (identity_find(conf, identity, error, sizeof error) < 0 || listener_open_all(conf, NULL, error, sizeof error) < 0)
        return refuse(error);
    if (log_open_all(conf) == 0) {
        if (conf->script)
            return 0;
        listen_inherit_end();
        if (pidfile_write(conf->pid_file, error, sizeof error) == 0)
            return 0;
        refuse(error);
        log_close_all(conf);
    }
    listener_close_unused(conf, NULL);
    return -1;
}

/* No workers: this process answers (-X). */
static bool serves_itself(const struct main_conf *conf) { return conf->one_process || conf->start_servers < 1; }

static void say_start(const struct main_conf *conf, const struct identity *identity)
{
    char address[160], all[1024] = "";
    size_t at = 0;
    for (int i = 0; i < conf->listen_count && at < sizeof all; i++) {
        listen_bound_text(&conf->listens[i], address, sizeof address);
        int n = snprintf(all + at, sizeof all - at, "%s%s", i ? ", " : "", address);
        at += n > 0 ? (size_t)n : 0;
    }
    char workers[40] = "in one process";
    if (!serves_itself(conf))
        snprintf(workers, sizeof workers, "with %d worker%s", conf->start_servers, conf->start_servers == 1 ? "" : "s");
    log_error(NULL, LEVEL_NOTICE, "core", "pyhost on Python %d.%d.%d serves %s on %s", PY_MAJOR_VERSION, PY_MINOR_VERSION, PY_MICRO_VERSION, workers, all);
    if ((conf->user || conf->group) && geteuid() != 0)
        log_error(NULL, LEVEL_WARN, "core", "User and Group are not used: only root can change them");
    else if (identity->uid == 0 && (conf->user || conf->group))
        log_error(NULL, LEVEL_WARN, "core", "workers run as root, as User says");
}

static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++) {
        signal(handled[i], SIG_DFL); /* whoever started us may have left them ignored */
        sigaddset(&set, handled[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* ---- orders ---- */

static void tell_all(struct master *m, int signal)
{
    for (int i = 0; i < SHM_SLOTS; i++)
        if (m->children[i].pid)
            master_retire(m, &m->children[i], signal);
}

static void stop(struct master *m, enum master_state state)
{
    if (m->state == MASTER_STOPPING && state == MASTER_STOPPING) { /* asked twice: at once */
        tell_all(m, SIGKILL);
        return;
    }
    if (m->state >= state)
        return;
    m->state = state;
    if (m->next)
        master_reload_abort(m, "");
    notify_send("STOPPING=1");
    log_error(NULL, LEVEL_NOTICE, "core", state == MASTER_STOPPING ? "stopping" : "stopping when the requests under way are done");
    listener_close_unused(m->conf, NULL);
    tell_all(m, state == MASTER_STOPPING ? SIGTERM : SIGQUIT);
}

static void reopen_logs(struct master *m)
{
    if (log_open_all(m->conf) < 0)
        log_error(NULL, LEVEL_ERROR, "core", "not every log could be opened again");
    for (int i = 0; i < SHM_SLOTS; i++)
        if (m->children[i].pid) {
            log_send_files(m->children[i].socket_fd);
            kill(m->children[i].pid, SIGUSR1);
        }
    log_error(NULL, LEVEL_NOTICE, "core", "logs opened again");
}

static void change_number(struct master *m, int by)
{
    if (m->wanted + by < 1 || m->wanted + by > SHM_SLOTS / 2) {
        log_error(NULL, LEVEL_WARN, "core", "the number of workers is %d and must be between 1 and %d", m->wanted, SHM_SLOTS / 2);
        return;
    }
    m->wanted += by;
    log_error(NULL, LEVEL_NOTICE, "core", "%d worker%s from now on", m->wanted, m->wanted == 1 ? "" : "s");
}

static void obey(struct master *m, int signal)
{
    switch (signal) {
    case SIGTERM: case SIGINT: stop(m, MASTER_STOPPING); break;
    case SIGQUIT: case SIGWINCH: stop(m, MASTER_GRACEFUL); break;
    case SIGHUP:
        if (m->state == MASTER_RUNNING)
            master_reload_begin(m);
        break;
    case SIGUSR1: reopen_logs(m); break;
    case SIGTTIN: change_number(m, 1); break;
    case SIGTTOU: change_number(m, -1); break;
    }
}

/* ---- the wait ---- */

static void sooner(int64_t *wait_until, int64_t at)
{
    if (at > 0 && (*wait_until < 0 || at < *wait_until))
        *wait_until = at;
}

static int64_t next_event_ns(struct master *m)
{
    int64_t at = -1;
    bool starting = m->next || (!m->said_ready && m->state == MASTER_RUNNING && master_ready(m, m->conf) < m->wanted);
    if (starting)
        sooner(&at, m->now_ns + (int64_t)MASTER_READY_POLL_MS * NS_PER_MS);
    if (m->state == MASTER_RUNNING && master_count(m, m->conf) < m->wanted)
        sooner(&at, m->fork_at_ns > m->now_ns ? m->fork_at_ns : m->now_ns + 1);
    for (int i = 0; i < SHM_SLOTS; i++)
        if (m->children[i].pid)
            sooner(&at, m->children[i].kill_at_ns);
    sooner(&at, log_commands_due(m->now_ns));
    return at;
}

/* The next signal, or 0 when something is due. */
static int wait_signal(int64_t until_ns)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++)
        sigaddset(&set, handled[i]);
    int64_t left = until_ns < 0 ? 0 : until_ns - master_clock_ns();
    struct timespec wait = {.tv_sec = left > 0 ? left / NS_PER_S : 0, .tv_nsec = left > 0 ? left % NS_PER_S : 0};
    int signal;
    Py_BEGIN_ALLOW_THREADS
    signal = sigtimedwait(&set, NULL, until_ns < 0 ? NULL : &wait);
    Py_END_ALLOW_THREADS
    return signal > 0 ? signal : 0;
}

static void step(struct master *m)
{
    m->now_ns = master_clock_ns();
    master_reap(m);
    master_look(m);
    if (m->state == MASTER_RUNNING) {
        master_reload_step(m);
        master_keep_number(m);
        if (!m->said_ready && master_ready(m, m->conf) >= m->wanted) {
            m->said_ready = true;
            notify_send("READY=1\nSTATUS=Serving");
            log_error(NULL, LEVEL_INFO, "core", "all workers are ready");
        }
    }
    master_kill_overdue(m);
}

static void serve(struct master *m)
{
    step(m);
    while (m->state == MASTER_RUNNING || master_alive(m, NULL) > 0) {
        int signal = wait_signal(next_event_ns(m));
        m->now_ns = master_clock_ns();
        obey(m, signal);
        step(m);
    }
}

static void leave(struct main_conf *conf)
{
    listener_close_unused(conf, NULL);
    if (conf->script)
        return;
    pidfile_remove();
    log_error(NULL, LEVEL_NOTICE, "core", "stopped");
    log_close_all(conf);
}

static int run_one_process(struct main_conf *conf, const struct identity *identity)
{
    if (identity_take(identity) < 0)
        return refuse(strerror(errno)) < 0 ? EXIT_NOT_STARTED : 0;
    notify_send("READY=1\nSTATUS=Serving");
    int code = worker_run(conf, 0);
    notify_send("STOPPING=1");
    return code;
}

int master_run(struct main_conf *conf)
{
    struct identity identity;
    if (shm_init() < 0)
        return refuse(strerror(errno)) < 0 ? EXIT_NOT_STARTED : 0;
    shm->master = getpid();
    shm->started_us = shm->restarted_us = master_clock_us();
    shm->generation = conf->generation;
    block_signals(); /* whoever sees us listen may send one */
    if (open_all(conf, &identity) < 0)
        return EXIT_NOT_STARTED;
    int code = 0;
    if (!conf->script)
        say_start(conf, &identity);
    if (serves_itself(conf)) {
        code = run_one_process(conf, &identity);
        leave(conf);
        return code;
    }
    struct master *m = calloc(1, sizeof *m);
    if (!m)
        return EXIT_NOT_STARTED;
    m->conf = conf;
    m->identity = identity;
    m->wanted = conf->start_servers;
    serve(m);
    leave(m->conf);
    free(m);
    return code;
}
