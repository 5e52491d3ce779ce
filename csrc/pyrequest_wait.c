/* Waiting for a request's body, or for room for its answer: in its greenlet, which parks, or in a thread that the application has started. Such a
 * thread may touch the request while it holds the GIL, because the hub lets that go only where it waits for events. */
#include <Python.h>

#include "coro.h"
#include "pyreq.h"

enum { LOOK_AGAIN_US = 1000000 }; /* the end of a request may take the place of a thread that waits */

struct thread_waiter {
    struct waker waker;
    PyThread_type_lock woken; /* owned */
};

static void wake_thread(struct waker *w) { PyThread_release_lock(((struct thread_waiter *)((char *)w - offsetof(struct thread_waiter, waker)))->woken); }

static struct thread_waiter *waiter_new(void)
{
    struct thread_waiter *w = PyMem_Malloc(sizeof *w);
    if (w && !(w->woken = PyThread_allocate_lock())) {
        PyMem_Free(w);
        w = NULL;
    }
    if (!w) {
        PyErr_NoMemory();
        return NULL;
    }
    w->waker.wake = wake_thread;
    PyThread_acquire_lock(w->woken, NOWAIT_LOCK);
    return w;
}

static int wait_in_thread(struct waker **slot)
{
    struct thread_waiter *w = waiter_new();
    if (!w)
        return -1;
    *slot = &w->waker;
    coro_nudge(); /* what this thread has asked for is done at the end of a turn */
    Py_BEGIN_ALLOW_THREADS
    PyThread_acquire_lock_timed(w->woken, LOOK_AGAIN_US, 0);
    Py_END_ALLOW_THREADS
    if (*slot == &w->waker)
        *slot = NULL;
    PyThread_free_lock(w->woken);
    PyMem_Free(w);
    return 0;
}

int pyrequest_wait(struct waker **slot)
{
    struct coro *me = coro_current();
    if (!me && coro_hub) {
        PyErr_SetString(PyExc_BlockingIOError, "the hub cannot wait for a request's client");
        return -1;
    }
    if (*slot) {
        PyErr_SetString(PyExc_RuntimeError, "another greenlet or thread waits for this request's client already");
        return -1;
    }
    if (!me)
        return wait_in_thread(slot);
    *slot = coro_waker(me);
    enum coro_wake woken = coro_park(-1);
    *slot = NULL;
    return woken == CORO_ERROR ? -1 : 0;
}
