/* SetHandler server-status: what all workers do, from the scoreboard, in httpd's words where it has them. */
#ifndef PYHOST_SERVE_STATUS_H
#define PYHOST_SERVE_STATUS_H

#include "request.h"
#include "shm.h"

struct status_worker {
    int slot, state, generation;
    pid_t pid;
    int64_t started_us, turned_ms /* ago */, memory_kib, cpu_ms;
    uint64_t requests, connections_total, bytes_out, bytes_in, errors_5xx, errors_4xx, limits_hit, log_lost, cgi_started, cgi_refused, cgi_killed;
    uint32_t connections, busy, cgi_running, cgi_waiting;
};

struct status {
    struct status_worker sum;     /* of all workers, those that are gone included; pid: the master's */
    uint64_t workers_gone;
    int64_t now_us, started_us, restarted_us;
    struct blocked blocked;       /* of all workers, too */
    int count, ready, stopping;
    struct status_worker workers[SHM_SLOTS];
};

/* Context of all: the loop thread. */
/* Is this the request's handler? */
bool status_wanted(const struct request *r);
/* Answers. 0: finished; else the status to answer. */
int status_answer(struct request *r);
/* serve_status_page.c's: the page. 0, or -1 with errno. */
int status_page(struct buf *to, const struct status *s, struct request *r);

#endif
