/* What all processes of one server see: the scoreboard and counters, in one anonymous shared mapping made by the master. */
#ifndef PYHOST_SHM_H
#define PYHOST_SHM_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "blocked.h"

enum { SHM_SLOTS = 256, SHM_LOG_BYTES = 65536, SHM_LOG_LOCKS = 64, SHM_LOCKS = 64, SHM_CHANNELS = 128 };

enum slot_state { SLOT_FREE, SLOT_STARTING, SLOT_READY, SLOT_STOPPING, SLOT_DEAD };

/* Written by its worker only (pid, state, generation: by the master at fork as well). */
struct slot {
    _Atomic pid_t pid;
    _Atomic int state; /* enum slot_state */
    _Atomic int generation;
    _Atomic int64_t started_us;
    _Atomic int64_t turn_ns;          /* monotonic time of the last turn: the heartbeat */
    _Atomic uint64_t requests, connections_total, bytes_out, bytes_in, errors_5xx, errors_4xx, limits_hit;
    _Atomic uint64_t cgi_started, cgi_refused, cgi_killed; /* scripts: run; not run for want of a place or by a fault; ended by a signal */
    _Atomic uint32_t connections, busy; /* open connections, requests in flight */
    _Atomic uint32_t cgi_running, cgi_waiting; /* scripts that run, requests that wait for a place */
    _Atomic uint32_t log_used;        /* bytes of log in use */
    _Atomic uint32_t log_flushed;     /* files of the running flush that are done, in order of their first record */
    _Atomic uint64_t log_lost;        /* access lines lost: the disk was full, or the file broken */
    struct blocked blocked;           /* stretches in which handlers held it up */
    _Alignas(8) char log[SHM_LOG_BYTES]; /* access lines not yet written, as records: see log_gather.c */
};

/* Serialises the flushes of one file, and says how far a flush got whose process was killed. */
struct shm_log_lock {
    _Atomic uint32_t word;   /* 0: free; else 1 + slot of the holder, SHM_LOG_CONTENDED when others wait (futex) */
    _Atomic uint32_t index;  /* which file of the flush, as log_flushed counts */
    _Atomic int64_t offset;  /* size of the file before the write; -1: not begun, or not a regular file */
};
#define SHM_LOG_CONTENDED 0x80000000u

struct shm_past { /* what workers that are gone had counted */
    _Atomic uint64_t workers, requests, connections_total, bytes_out, bytes_in, errors_5xx, errors_4xx, limits_hit, log_lost, cgi_started, cgi_refused, cgi_killed;
    struct blocked blocked; /* written by the master */
};

struct shm {
    _Atomic pid_t master;
    _Atomic int generation;
    _Atomic int slots_end;            /* no slot from here on has been used: looking at one would cost memory */
    _Atomic int64_t started_us, restarted_us;
    struct shm_past past;
    struct shm_log_lock log_locks[SHM_LOG_LOCKS];
    _Atomic pid_t locks[SHM_LOCKS];   /* mod_python's global locks: the process that holds one, 0: free (pyapache_lock.c) */
    _Atomic uint64_t waiting[SHM_CHANNELS][SHM_SLOTS / 64]; /* which workers have greenlets that wait on a channel (pyapache_wait.c) */
    struct slot slots[SHM_SLOTS];
};

/* The mapping; one of the few globals. NULL before shm_init. */
extern struct shm *shm;
extern struct slot *shm_slot; /* this worker's; in -X and in the master it is slot 0 */
/* Adds to a counter of our own slot. Nobody else writes it, so no locked instruction is needed. */
#define shm_add(counter, n) \
    atomic_store_explicit(&shm_slot->counter, atomic_load_explicit(&shm_slot->counter, memory_order_relaxed) + (n), memory_order_relaxed)
int shm_init(void); /* 0, or -1 with errno */
/* Takes a slot for a worker. Context: that worker. */
void shm_take(int slot);
/* Adds a dead worker's counters to the past and clears its slot, the log buffer included. Context: master. */
void shm_bury(int slot);

#endif
