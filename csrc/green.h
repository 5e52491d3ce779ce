/* Green system calls: what pyhost exports in place of libc's waiting functions, so that blocking code in a handler greenlet gives way.
 * Free of Python.h, whose configuration renames some of the very functions that are defined here. */
#ifndef PYHOST_GREEN_H
#define PYHOST_GREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct coro;

/* The handler greenlet whose calls are green; NULL on the hub, in other threads, in a forked child and where PyGreen is Off. */
extern _Thread_local struct coro *green_coro __attribute__((tls_model("initial-exec")));

/* Address of the instruction after the call that came in: tells which library asks. */
#define GREEN_CALLER() __builtin_return_address(0)

enum { GREEN_READY = 0, GREEN_BLOCK = -1 /* not here: do the real call */ }; /* > 0: an errno */
enum { GREEN_FOREVER = -1 };

/* Has the caller declared that other Python code may run now? (It has released the GIL.) Cheap. */
bool green_gil_released(void);
/* The same, and its library is known to bear a switch. Counts refusals. */
bool green_may_yield(const void *caller);
bool green_library_allowed(const void *address);
bool green_in_libpython(const void *address);
/* Notes which thread greenlets run on. Context: that thread, once per process. */
void green_identity_init(void);
/* Notes where libpython lies; false when it is in this very program, so that its calls cannot be told apart. */
bool green_find_libpython(const void *inside);
/* Links libpython's own mutexes and condition variables (the GIL's) straight to libc, which they would be passed to anyway. Once, after
 * green_find_libpython, before other threads run. What cannot be linked stays as it is. */
void green_link_python(const void *inside);
/* Adds "name" prefixes of libraries (PyGreenLibraries), borrowed for ever. */
void green_allow_library(const char *prefix);
bool green_on_stack(const void *address);
int64_t green_now_ns(void);
/* Until when, of green_now_ns: a moment of a clock, or so long from now on (NULL: GREEN_FOREVER). What cannot be counted in
 * nanoseconds is 0 where it is over, else INT64_MAX. */
struct timespec;
int64_t green_until(int clock, const struct timespec *moment);
int64_t green_after(const struct timespec *wait);

/* The waits. All SWITCH; context: handler greenlet, GIL not held, green_may_yield. Return GREEN_READY, ETIMEDOUT, EBADF (closed by another
 * greenlet), EINTR (an exception is to be raised: CPython finds it by PyErr_CheckSignals), ECANCELED (the caller did not look), ENOMEM,
 * or GREEN_BLOCK. until_ns: absolute monotonic, GREEN_FOREVER. */
int green_wait_fd(int fd, uint32_t events, int64_t until_ns); /* events as fd_wait_link */
int green_wait_events(int fd, uint32_t events, int64_t until_ns, uint32_t *got); /* the same; GREEN_READY: what came, as poll tells it */
struct pollfd;
int green_wait_fds(const struct pollfd *fds, size_t count, int64_t until_ns);
int green_sleep_until(int64_t until_ns);
/* Until green_wake_address(address) by any thread. still_blocked is asked after the wait is linked, so no wake is lost. */
int green_wait_address(const void *address, bool (*still_blocked)(void *), void *arg, int64_t until_ns);
/* At most so many, oldest first. Returns how many there were. */
int green_wake_address(const void *address, int count);
extern _Atomic int green_address_waiters;
/* Runs work(arg) in the thread pool. On EINTR/ECANCELED the pool still works on arg and calls drop(arg) when it is done; otherwise the caller
 * owns arg again. */
int green_offload(void (*work)(void *), void (*drop)(void *), void *arg);

/* Before a descriptor is closed or replaced, any thread: wakes those who wait on it, forgets its kind. */
void green_fd_closing(int fd);
void green_fds_closing(unsigned first, unsigned last);
/* Changes whenever a descriptor of this number is closed, by any thread. */
uint32_t green_fd_closes(int fd);
enum { GREEN_CLOSES_UNKNOWN = 0 }; /* too large a number to be counted */
enum green_kind { GREEN_UNKNOWN, GREEN_FILE, GREEN_SOCKET, GREEN_PIPE, GREEN_CHAR, GREEN_OTHER };
enum green_kind green_fd_kind(int fd);
bool green_fd_nonblocking(int fd);

/* After a call said EAGAIN. 1: try again; 0: do the real blocking call; -1: errno is set. option: SO_RCVTIMEO, SO_SNDTIMEO or 0. */
struct green_try { int64_t until_ns; bool known; };
int green_again(int fd, uint32_t events, int option, struct green_try *state, const void *caller);

extern const char *const green_call_names[]; /* ends with NULL */

/* Counters for the status page. */
struct green_counts { uint64_t waits, refused_library, refused_gil; };
extern struct green_counts green_counts;

#endif
