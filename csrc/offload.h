/* A small pool of C threads for what cannot be waited on: name look-ups, group waits, calls that somebody moved away. No Python. */
#ifndef PYHOST_OFFLOAD_H
#define PYHOST_OFFLOAD_H

struct offload {
    struct offload *next;
    void (*run)(struct offload *); /* called once in a pool thread; may free the struct */
};

enum { OFFLOAD_THREADS_MAX = 16, OFFLOAD_IDLE_S = 30 };

/* Queues the work; threads are started as needed and end after OFFLOAD_IDLE_S without any. 0, or -1 with errno when not even one thread
 * can be had. Context: any thread. */
int offload_submit(struct offload *work);

#endif
