/* What all processes of one server see: the scoreboard and counters, in one anonymous shared mapping made by the master. */
#ifndef PYHOST_SHM_H
#define PYHOST_SHM_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

enum { SHM_SLOTS = 256, SHM_LOG_BYTES = 65536 };

enum slot_state { SLOT_FREE, SLOT_STARTING, SLOT_READY, SLOT_STOPPING, SLOT_DEAD };

/* Written by its worker only (pid, state, generation: by the master at fork as well). */
struct slot {
    _Atomic pid_t pid;
    _Atomic int state; /* enum slot_state */
    _Atomic int generation;
    _Atomic int64_t started_us;
    _Atomic int64_t turn_ns;          /* monotonic time of the last turn: the heartbeat */
    _Atomic uint64_t requests, connections_total, bytes_out, bytes_in, errors_5xx, errors_4xx, limits_hit;
    _Atomic uint32_t connections, busy; /* open connections, requests in flight */
    _Atomic uint32_t log_used;
    char log[SHM_LOG_BYTES];          /* access lines not yet written: records of {uint32_t fd_index, uint32_t len, bytes} (log.c) */
};

struct shm {
    _Atomic pid_t master;
    _Atomic int generation;
    _Atomic int64_t started_us, restarted_us;
    struct slot slots[SHM_SLOTS];
};

/* The mapping; one of the few globals. NULL before shm_init. */
extern struct shm *shm;
extern struct slot *shm_slot; /* this worker's; in -X and in the master it is slot 0 */
int shm_init(void); /* 0, or -1 with errno */

#endif
