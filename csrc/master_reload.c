/* HUP: a new generation of workers is started beside the old one, on the same listening sockets. Only when all of it serves is the old one told to
 * finish. Whatever goes wrong before that leaves everything as it was. */
#include <Python.h>
#include <signal.h>
#include <stdio.h>

#include "listener.h"
#include "log.h"
#include "master.h"
#include "master_parts.h"
#include "upcall.h"

struct main_conf *master_next_conf;

enum { ERROR_BYTES = 512, NS_PER_MS = 1000000 };

static void reload_refused(const char *why)
{
    log_error(NULL, LEVEL_ERROR, "core", "the configuration is not reloaded, the old one stays in force: %s", why);
    notify_send("READY=1\nSTATUS=Reload failed, the old configuration stays in force");
}

/* Python has parsed it; NULL: it could not (and has said why in the log). */
static struct main_conf *reload_parse(const struct master *m)
{
    master_next_conf = NULL;
    int failed = upcall_reload();
    if (PyErr_Occurred())
        PyErr_Print();
    struct main_conf *next = failed ? NULL : master_next_conf;
    return next == m->conf ? NULL : next;
}

static int reload_open(struct master *m, struct main_conf *next, char *error)
{
    if (identity_find(next, &m->next_identity, error, ERROR_BYTES) < 0 || listener_open_all(next, m->conf, error, ERROR_BYTES) < 0)
        return -1;
    if (log_open_all(next) < 0) {
        listener_close_unused(next, m->conf);
        snprintf(error, ERROR_BYTES, "its logs cannot be opened");
        return -1;
    }
    return 0;
}

void master_reload_begin(struct master *m)
{
    char error[ERROR_BYTES] = "";
    if (m->next) {
        m->reload_again = true;
        return;
    }
    notify_reloading();
    struct main_conf *next = reload_parse(m);
    if (!next) {
        reload_refused("it has an error");
        return;
    }
    if (next->start_servers < 1)
        next->start_servers = 1;
    if (reload_open(m, next, error) < 0) {
        reload_refused(error);
        return;
    }
    m->next = next;
    m->next_until_ns = m->now_ns + (int64_t)MASTER_READY_MAX_MS * NS_PER_MS;
    for (int i = 0; i < next->start_servers; i++)
        if (master_fork(m, next, &m->next_identity) < 0) {
            master_reload_abort(m, "a worker could not be started");
            return;
        }
}

static void retire_others(struct master *m)
{
    for (int i = 0; i < SHM_SLOTS; i++)
        if (m->children[i].pid && !m->children[i].retiring && m->children[i].conf != m->conf)
            master_retire(m, &m->children[i], SIGQUIT);
}

static void reload_commit(struct master *m)
{
    char error[ERROR_BYTES];
    struct main_conf *old = m->conf;
    m->conf = m->next;
    m->next = NULL;
    m->identity = m->next_identity;
    m->wanted = m->conf->start_servers;
    m->failures = 0;
    m->fork_at_ns = m->now_ns;
    shm->generation = m->conf->generation;
    shm->restarted_us = master_clock_us();
    retire_others(m);
    listener_close_unused(old, m->conf);
    if (m->conf->pid_file ? pidfile_write(m->conf->pid_file, error, sizeof error) < 0 : (pidfile_remove(), 0))
        log_error(NULL, LEVEL_ERROR, "core", "%s", error);
    log_error(NULL, LEVEL_NOTICE, "core", "configuration reloaded, generation %d serves with %d worker%s", m->conf->generation, m->wanted,
              m->wanted == 1 ? "" : "s");
    notify_send("READY=1\nSTATUS=Serving");
    m->said_ready = true;
    master_release_old(m, old);
}

void master_reload_abort(struct master *m, const char *why)
{
    struct main_conf *next = m->next;
    m->next = NULL;
    for (int i = 0; i < SHM_SLOTS; i++)
        if (m->children[i].pid && m->children[i].conf == next)
            master_retire(m, &m->children[i], SIGTERM);
    listener_close_unused(next, m->conf);
    if (m->state == MASTER_RUNNING)
        reload_refused(why);
    master_release_old(m, next);
}

void master_reload_step(struct master *m)
{
    if (m->next && master_ready(m, m->next) >= m->next->start_servers)
        reload_commit(m);
    else if (m->next && m->now_ns >= m->next_until_ns)
        master_reload_abort(m, "its workers do not become ready");
    if (!m->next && m->reload_again && m->state == MASTER_RUNNING) {
        m->reload_again = false;
        master_reload_begin(m);
    }
}

void master_release_old(struct master *m, struct main_conf *conf)
{
    if (conf && conf != m->conf && conf != m->next && master_alive(m, conf) == 0)
        log_close_all(conf);
}
