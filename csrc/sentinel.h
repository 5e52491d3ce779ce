/* A small thread that never takes the GIL and watches whether the loop's greenlets give way: it asks one that computes for long to do so, and
 * names one that blocks. It knows neither requests nor Python; what it finds is looked up by a signal handler on the loop's own thread. */
#ifndef PYHOST_SENTINEL_H
#define PYHOST_SENTINEL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Written by the loop thread, read by the sentinel. */
struct sentinel_watch {
    _Atomic uint64_t progress; /* counts switches and jobs: a stretch is the time it stays the same */
    _Atomic bool running;      /* a greenlet runs; false: the hub does */
    _Atomic bool deaf;         /* asked to give way it could not: it has let the GIL go and is in C code */
    _Atomic bool asleep;       /* the sentinel has nothing to watch and must be woken */
    _Atomic int64_t slice_ns, blocked_ns;
    _Atomic(void *) who;       /* for sentinel_start's third function: the greenlet that runs */
    _Atomic(void *) whose;     /* for sentinel_start's second function: the interpreter of the greenlet that runs */
};
extern struct sentinel_watch sentinel_watch;

/* What the loop thread is asked for, by a signal. */
enum sentinel_order { SENTINEL_GIVE_WAY = 1, SENTINEL_REPORT = 2, SENTINEL_RELEASE = 4 };

/* Starts the thread. obey runs in a signal handler on the calling thread; for SENTINEL_REPORT it writes what runs and its stack. hears runs in the
 * sentinel's own thread before a greenlet is asked to give way, which is still the same while the progress is: false when a signal would reach
 * nobody, or it has been asked otherwise. read_stuck, in that thread too, writes the same as obey for a loop thread that is stuck in the kernel: it cannot come
 * back meanwhile. 0, or -1 with errno. Context: the loop thread, once per process. */
int sentinel_start(void (*obey)(unsigned orders, char *report, size_t room), bool (*hears)(void *whose, uint64_t progress),
                   void (*read_stuck)(void *who, char *report, size_t room));
void sentinel_wake(void);
/* held: the number of what the loop thread holds back for the end of its turn, 0: nothing. When it is the same at two looks, release runs in a signal handler
 * on the loop thread. Context: the loop thread, before sentinel_start. */
void sentinel_set_held(const _Atomic uint32_t *held, void (*release)(void));

/* sentinel_files.c; context of all: the sentinel's thread. At its start: from now on it has descriptors of its own, none, if the system lets it. */
void sentinel_leave_files(void);
/* The loop's descriptor under the same number, until it is returned. fd -1: syslog's, which cannot be borrowed. False: it cannot be had. */
bool sentinel_borrow_file(int fd);
void sentinel_return_file(int fd);

/* Context of both: the loop thread, at each switch and job; a handful of stores. */
static inline void sentinel_watch_job(int64_t slice_ns, int64_t blocked_ns)
{
    struct sentinel_watch *w = &sentinel_watch;
    atomic_store_explicit(&w->slice_ns, slice_ns, memory_order_relaxed);
    atomic_store_explicit(&w->blocked_ns, blocked_ns, memory_order_relaxed);
    atomic_store_explicit(&w->progress, atomic_load_explicit(&w->progress, memory_order_relaxed) + 1, memory_order_relaxed);
}
static inline void sentinel_running(bool runs)
{
    atomic_store_explicit(&sentinel_watch.running, runs, memory_order_relaxed);
    if (runs && atomic_load_explicit(&sentinel_watch.asleep, memory_order_relaxed))
        sentinel_wake();
}

#endif
