/* Waiting for what others give back, in this process or in another worker: on a channel, whose number both sides know. A wake is a hint: who
 * waits looks again, and looks by itself from time to time, since a process may die with what it has. */
#ifndef PYHOST_PYAPACHE_WAIT_H
#define PYHOST_PYAPACHE_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "shm.h"

/* The first SHM_LOCKS channels are the global locks', the rest those of keys; beyond SHM_CHANNELS: of this process alone. */
struct waiting;

/* Context of all: the GIL held; any thread. */
/* From now on a wake is not lost: look whether there is anything to wait for after this. Owned by the caller; NULL with MemoryError. */
struct waiting *waiting_begin(int channel);
/* Until a wake, until_ns (absolute monotonic, -1: no deadline), or it is time to look again. 0, or -1 with an exception. SWITCHES in a handler;
 * in a thread of its own it sleeps without the GIL. */
int waiting_park(struct waiting *w, int64_t until_ns);
/* got: it has what it waited for. Frees w. */
void waiting_end(struct waiting *w, bool got);
/* Something was given back. all: every waiter of the channel looks again, else the one that has waited longest in each process. Never switches. */
void waiting_wake(int channel, bool all);

#endif
