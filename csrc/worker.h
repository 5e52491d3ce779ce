/* A worker: one thread, one loop, all interpreters. Serves until told to stop. */
#ifndef PYHOST_WORKER_H
#define PYHOST_WORKER_H

#include "cgi_pool.h"
#include "conf.h"
#include "conn.h"
#include "loop.h"
#include "route.h"

struct worker {
    struct loop loop;
    struct main_conf *conf;
    struct route *route;
    struct listener **listeners; /* owned */
    int listener_count;
    struct conn *conns;          /* all of them, newest first */
    uint32_t conn_count, in_flight;
    uint64_t next_conn_id, next_request_id;
    int reserve_fd;              /* given up for a moment to answer 503 when descriptors are out */
    bool draining;
    int64_t drain_until_ns;
    int64_t full_logged_ns;      /* when the bound on connections was last logged */
    struct job_queue hub;        /* requests that have to go on on the hub */
    uint64_t served;
    struct cgi_pool cgi;
    unsigned long long soft_files; /* RLIMIT_NOFILE as we were started */
    int exit_code;               /* of a script */
};
extern struct worker *worker; /* this process's; NULL in the master */

/* Serves until it is stopped and leaves by _exit after clean-up. It returns the exit code when it could not begin, and with one_process.
 * slot: its slot in the scoreboard. Context: the main thread with the GIL, main_interpreter current, no greenlet started. */
int worker_run(struct main_conf *conf, int slot);
/* Queues a job for the hub itself, before the next wait. Context: loop thread, never switches. */
void worker_on_hub(struct worker *w, struct job *job);
/* A script's: serves what conf says from now on, which has all that was served before as well. 0, or -1 with the reason in error. conf and what was
 * in force live as long as the process. Context: loop thread, GIL held; never switches. */
int worker_serve(struct main_conf *conf, char *error, int room);
/* A script has ended: finish what is in flight and leave with this code. */
void worker_end(int code);
/* From a signal handler: what the loop does next. Async-signal-safe. */
enum worker_order { WORKER_STOP = 1, WORKER_GRACEFUL = 2, WORKER_REOPEN_LOGS = 4 };
void worker_order(enum worker_order order);

#endif
