/* The half of room green that knows Python: what coro.c and pycoro.c ask of it. */
#ifndef PYHOST_GREEN_PYTHON_H
#define PYHOST_GREEN_PYTHON_H

#include <Python.h>

#include "green.h"
#include "green_real.h"
#include "offload.h"

/* In a worker, once: finds libpython, installs the handler of the synthetic signal. False: the hooks pass everything through (a static
 * libpython). Context: hub, GIL. */
bool green_init(void);
/* Starts the sentinel for this thread. 0, or -1 with errno. Context: the loop thread. */
int green_watch(void);
/* The exception that the synthetic signal is to raise in the running greenlet: a new reference, or NULL. */
PyObject *green_take_thrown(void);
void green_forget_waiters(void);
/* green_pysocket.c: a unix socket with a timeout waits in connect() for room in the listen queue, too. Once per process, before any handler;
 * without the module _socket nothing is done. Context: GIL, no exception set. */
void green_teach_socket(void);
/* green_pysleep.c: time.sleep() waits without letting the GIL go. Once per process. Context: GIL, no exception set. */
void green_teach_sleep(void);
/* green_stdin.c: input() at a terminal gives way. Context: GIL, of the main interpreter. */
void green_teach_input(void);
/* How long to rest after the try at a full listen queue that rested for pause_ns (0: none yet). */
int64_t green_connect_pause(int64_t pause_ns);
/* Whom pthread_self names when libpython asks; 0: the thread itself. */
extern _Thread_local uintptr_t green_identity __attribute__((tls_model("initial-exec")));

#endif
