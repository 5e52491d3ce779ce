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
/* Whom pthread_self names when libpython asks; 0: the thread itself. */
extern _Thread_local uintptr_t green_identity __attribute__((tls_model("initial-exec")));

#endif
