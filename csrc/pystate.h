/* What is not public in CPython and differs between its versions: one file, one function per matter.
 * An unknown version is refused when pystate.c is compiled. */
#ifndef PYHOST_PYSTATE_H
#define PYHOST_PYSTATE_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

/* Tells PyGILState which thread state this OS thread has. 3.12 does so in PyThreadState_Swap. Context: GIL held, tstate current. */
void pystate_bind_gilstate(PyThreadState *tstate);
/* Heap types that several interpreters share must not be changed per interpreter: their version tags would collide in the type cache (3.12+). */
void pystate_freeze_type(PyTypeObject *type);

/* Does this OS thread hold the GIL? tstate: its own. Any context. Since 3.12 the current thread state is per OS thread, and one of an interpreter
 * that the handler itself has made counts as well. */
static inline bool pystate_holds_gil(const PyThreadState *tstate)
{
#if PY_VERSION_HEX >= 0x030c0000
    (void)tstate;
    return _PyThreadState_UncheckedGet() != NULL;
#else
    return _PyThreadState_UncheckedGet() == tstate;
#endif
}

/* What makes a thread a thread to Python, kept aside for each greenlet while it does not run. */
struct pystate_identity {
    PyObject *dict;         /* strong: threading.local and the like */
    unsigned long thread_id;/* whom PyThreadState_SetAsyncExc and sys._current_frames name */
    uint64_t id;            /* caches of contextvars and asyncio are keyed by it */
    PyObject *async_exc;    /* strong: what PyThreadState_SetAsyncExc left for it and it has not met yet */
    PyObject *local_key, *local_sentinel, *running_loop; /* strong; 3.13 */
};
void pystate_init_identity(struct pystate_identity *identity, unsigned long thread_id);
/* Exchanges the identity of a thread state with the one that was put aside. Context: GIL held. */
void pystate_swap_identity(PyThreadState *tstate, struct pystate_identity *identity);
/* After a swap: what waits in the thread state is looked at again. Context as above. */
void pystate_renew_async(PyThreadState *tstate);
/* Where a thread state's Python code stands, for coro_ahead.c. Borrowed, and soon stale. Context: GIL held. */
struct pystate_place { const void *frame, *context; };
struct pystate_place pystate_place_of(const PyThreadState *tstate);
/* The Python object of such a frame while its code still waits there; NULL: none. */
const void *pystate_object_of_frame(const void *frame);
/* Drops what a greenlet kept; runs destructors of its thread-locals. Context: hub, GIL, its interpreter. */
void pystate_clear_identity(struct pystate_identity *identity);

/* Has a dict been changed since it was marked (false), as far as can be told (true: certainly not)? watcher: one for each interpreter, -1 with an
 * exception. Context of all: GIL held, the interpreter current. */
int pystate_dict_watcher(void);
uint64_t pystate_dict_mark(int watcher, PyObject *dict);
bool pystate_dict_is_as_marked(int watcher, PyObject *dict, uint64_t mark);

/* Is this context, which nobody has entered, the caller's alone and no different from a fresh copy of the current one? Context: GIL held. */
bool pystate_context_is_copy(PyObject *context);

/* Lets the next PyErr_CheckSignals of the greenlet with this thread id call the handler of the synthetic signal: for that moment it counts as the
 * main thread of the main interpreter. 0, or -1 when nobody handles it. Context: GIL held, or just given away by this thread, which is about to take
 * it back; a signal handler while this thread holds the GIL, unless pystate_needs_call. */
int pystate_raise_signal(PyThreadState *tstate, unsigned long thread_id);
/* Who took the GIL of that interpreter last and has it still; NULL: it is free. A thread that changes interpreters keeps it under the name of the
 * one that took it. Context: any thread, without the GIL: the answer is old already. */
const PyThreadState *pystate_gil_holder(const PyThreadState *tstate);
/* Must code that computes in this thread state be asked by pystate_call_soon, as signals do not reach it? Any context. */
bool pystate_needs_call(const PyThreadState *tstate);
/* Calls function(arg) at the next safe point of any thread of that interpreter. 0, or -1 when too many calls are waiting. Context: any thread but the
 * one of tstate; no GIL needed. */
int pystate_call_soon(PyThreadState *tstate, int (*function)(void *), void *arg);
/* In such a call, before it switches: others may be asked meanwhile. Context: GIL held. */
void pystate_let_calls_in(PyThreadState *tstate);
/* Has the thread state's bytecode look for signals soon: since 3.13 the request is forgotten where another greenlet has met it. Context: GIL held, or
 * a signal handler. */
void pystate_look_for_signals(PyThreadState *tstate);
/* The main thread is the main thread again. Cheap when nothing is to be done. */
void pystate_end_signal(void);
int pystate_signal_number(void);
/* The greenlet with this thread id counts as the main thread from now on: signal handlers run in it. Context: GIL held. */
void pystate_make_main(unsigned long thread_id);

/* Writes where a thread state's Python code stands, innermost first, one line per frame, at most so many bytes, NUL-terminated. Returns the length.
 * Context: a signal handler on that very thread, or any other while that one stands still; no GIL needed, nothing is allocated. */
size_t pystate_write_stack(const PyThreadState *tstate, char *to, size_t room);

#endif
