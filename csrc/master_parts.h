/* What the files of the master share: its state, its children, and the small things it does to the system. */
#ifndef PYHOST_MASTER_PARTS_H
#define PYHOST_MASTER_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf.h"
#include "shm.h"

enum {
    MASTER_STOP_GRACE_MS = 10000,  /* from TERM to KILL; and what a graceful end may take beyond GracefulShutdownTimeout */
    MASTER_EARLY_MS = 1000,        /* a worker that lives no longer than this died at start */
    MASTER_BACKOFF_MS = 100,       /* first pause after a death at start; doubles */
    MASTER_BACKOFF_MAX_MS = 30000, /* and its longest */
    MASTER_READY_POLL_MS = 10,     /* how often it looks whether new workers are ready */
    MASTER_READY_MAX_MS = 120000   /* a reload whose workers are not ready by then is given up */
};

/* ---- who the workers run as (identity.c) ---- */
struct identity { bool change; uid_t uid; gid_t gid; char name[64]; };
/* From User and Group. 0, or -1 with what is wrong in error. */
int identity_find(const struct main_conf *conf, struct identity *out, char *error, int room);
/* Becomes it for good. 0, or -1 with errno. */
int identity_take(const struct identity *identity);

/* ---- the pid file (pidfile.c) ---- */
/* Writes our pid, whole or not at all, and holds a lock on the file so that nobody takes it for a stale one. -1: why is in error. */
int pidfile_write(const char *path, char *error, int room);
/* Removes it if it still is ours. */
void pidfile_remove(void);
void pidfile_forget(void); /* in a worker: the lock stays the master's */

/* ---- systemd (notify.c) ---- */
/* Sends "READY=1" … to NOTIFY_SOCKET; nothing without it. */
void notify_send(const char *text);
void notify_reloading(void);

/* ---- the master itself ---- */
struct child {
    pid_t pid;              /* 0: the slot is free */
    struct main_conf *conf; /* what it serves */
    int socket_fd;          /* our end: files for its logs go through it */
    int64_t forked_ns;
    int64_t kill_at_ns;     /* 0: not told to go, or may take for ever */
    bool retiring;          /* told to finish */
    bool leaving;           /* finishes by itself (MaxConnectionsPerChild); retiring is set with it */
};

enum master_state { MASTER_RUNNING, MASTER_GRACEFUL, MASTER_STOPPING };

struct master {
    struct main_conf *conf;  /* what is served */
    struct main_conf *next;  /* a reload whose workers are not ready yet; NULL: none */
    struct identity identity, next_identity;
    int64_t next_until_ns;
    bool reload_again;       /* HUP came while a reload was under way */
    enum master_state state;
    int wanted;              /* workers of conf */
    unsigned failures;       /* rounds of deaths at start in a row */
    int64_t fork_at_ns;      /* not before */
    bool said_ready;
    int64_t now_ns;
    struct child children[SHM_SLOTS];
};

/* master_child.c. Context of all: master, GIL held. */
/* Forks a worker for conf. 0, or -1 (logged). Does not return in the child. */
int master_fork(struct master *m, struct main_conf *conf, const struct identity *identity);
/* Takes in every child that has ended: rescues its log, says how it ended, plans the next. */
void master_reap(struct master *m);
/* TERM, QUIT: tells a worker to go, and when it will be killed. */
void master_retire(struct master *m, struct child *c, int signal);
/* Sees which workers finish by themselves, so that others can be started at once. */
void master_look(struct master *m);
void master_kill_overdue(struct master *m);
int master_count(const struct master *m, const struct main_conf *conf); /* workers of conf (NULL: of any) that have not been told to go */
int master_alive(const struct master *m, const struct main_conf *conf); /* all of conf; NULL: all */
int master_ready(const struct master *m, const struct main_conf *conf); /* those that serve */
/* Forks or retires workers of the running configuration until there are as many as wanted. */
void master_keep_number(struct master *m);

/* master_reload.c */
void master_reload_begin(struct master *m);
void master_reload_step(struct master *m);  /* commits or gives up */
void master_reload_abort(struct master *m, const char *why);
void master_release_old(struct master *m, struct main_conf *conf); /* its last worker may be gone: closes its logs */

int64_t master_clock_ns(void);
int64_t master_clock_us(void); /* wall */

#endif
