/* Notices when Python files in folders change: one inotify descriptor in the loop. Those who depend on files compare a number. */
#ifndef PYHOST_WATCH_H
#define PYHOST_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"

/* Context of all: the loop thread; no GIL. */
/* Opens the descriptor, so that a process has it from the beginning. Without one every watch_folder fails. */
void watch_start(struct loop *loop);
/* Watches a folder from now on (once, however often it is asked for), or the one that has taken its place meanwhile. False: it cannot be watched; look at its files by stat. */
bool watch_folder(struct loop *loop, const char *path);
/* Goes up when a .py file in a watched folder was written, replaced, made or removed, or a folder itself went away. */
extern uint64_t watch_epoch;

#endif
