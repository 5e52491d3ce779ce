/* The master: opens listeners and logs, forks workers, keeps their number, reloads. Runs no user code, and survives anything a worker does. */
#ifndef PYHOST_MASTER_H
#define PYHOST_MASTER_H

#include "conf.h"

/* Serves with this configuration until told to stop; returns the exit code. With conf->one_process it serves in this process.
 * Context: main thread, GIL held, called from main() with no Python frame below. */
int master_run(struct main_conf *conf);
/* In a worker: makes the master look at the scoreboard now. Context: loop thread. */
void master_notice(void);
/* The configuration a reload has brought (bridge_configure sets it). */
extern struct main_conf *master_next_conf;

#endif
