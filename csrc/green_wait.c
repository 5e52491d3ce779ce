/* The one place where a green system call leaves C for the hub: the GIL is taken back, the error indicator put aside, the greenlet parked.
 *
 * It also carries cancellation. An exception thrown into a greenlet that waits here cannot be raised from C code of others; the call returns
 * EINTR with a synthetic signal pending, so that CPython's own PyErr_CheckSignals raises it exactly at the call. A library that retries
 * without looking gets ECANCELED the second time, and the exception at the next bytecode of its caller (coro_owed.c); until it comes back there each
 * of its waits for descriptors and times ends so after a moment, which keeps one that tries for ever from spinning. Waits for locks go on. */
#include "green_python.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coro_impl.h"
#include "green_hooks.h"
#include "pystate.h"

enum { AGAIN_NS = 50000000 };

_Thread_local struct coro *green_coro __attribute__((tls_model("initial-exec")));
struct green_counts green_counts;

int64_t green_now_ns(void) { return coro_now_ns(); }

bool green_gil_released(void) { return !pystate_holds_gil(green_coro->interp->tstate); }

bool green_may_yield(const void *caller)
{
    if (!green_gil_released()) {
        green_counts.refused_gil++;
        return false;
    }
    if (green_library_allowed(caller))
        return true;
    green_counts.refused_library++;
    return false;
}

/* What waiting must not disturb. */
struct aside { PyObject *type, *value, *trace; int error; };

static void step_in(struct aside *a)
{
    a->error = errno;
    PyEval_RestoreThread(green_coro->interp->tstate);
    PyErr_Fetch(&a->type, &a->value, &a->trace);
    green_counts.waits++;
}

static void step_out(struct aside *a)
{
    PyErr_Restore(a->type, a->value, a->trace);
    PyEval_SaveThread();
    errno = a->error;
}

/* The exception that was thrown in: told by signal first, then by force. GIL held. */
static int cancelled(struct coro *c)
{
    if (!c->thrown)
        return EINTR;
    if (!c->told)
        coro_note_call(c);
    if (!c->told && coro_announce(c) == 0) {
        c->told = true;
        return EINTR;
    }
    pystate_end_signal();
    coro_owe(c);
    return ECANCELED;
}

PyObject *green_take_thrown(void)
{
    struct coro *c = coro_current();
    pystate_end_signal();
    PyObject *exception = !c ? NULL : c->thrown ? c->thrown : c->owed;
    if (!exception)
        return NULL;
    Py_INCREF(exception);
    coro_take_back(c, exception);
    return exception;
}

/* Parks until done(arg), the deadline or an exception. GIL held. */
static int park_until(bool (*done)(void *), void *arg, int64_t until_ns)
{
    struct coro *c = green_coro;
    while (!done(arg)) {
        enum coro_wake woken = coro_block(until_ns);
        if (woken == CORO_ERROR) {
            PyErr_Clear(); /* GreenletExit of a greenlet that is dropped: the call must still come to an end */
            return cancelled(c);
        }
        if (c->interrupted) {
            c->interrupted = false;
            if (!done(arg))
                return EINTR;
        }
        if (woken == CORO_TIMED_OUT && !done(arg))
            return ETIMEDOUT;
    }
    return GREEN_READY;
}

/* Waits that can be ended. A call that goes on after it was ended, to the next address of a host say, may clean up, but has no long wait any more. */
static int park_for(bool (*done)(void *), void *arg, int64_t until_ns)
{
    int64_t by_ns = coro_call_waits_again(green_coro) ? coro_now_ns() + AGAIN_NS : GREEN_FOREVER;
    if (by_ns == GREEN_FOREVER || (until_ns != GREEN_FOREVER && until_ns <= by_ns))
        return park_until(done, arg, until_ns);
    int result = park_until(done, arg, by_ns);
    return result == ETIMEDOUT ? ECANCELED : result;
}

static bool fd_done(void *arg)
{
    struct fd_wait *w = arg;
    return w->got || w->error;
}

int green_wait_events(int fd, uint32_t events, int64_t until_ns, uint32_t *got)
{
    struct coro *c = green_coro;
    struct fd_wait *w = &c->fd_wait;
    struct aside aside;
    step_in(&aside);
    int result = fd_wait_link(w, c, fd, events) < 0 ? GREEN_BLOCK : park_for(fd_done, w, until_ns);
    fd_wait_unlink(w);
    step_out(&aside);
    *got = w->got;
    return result == GREEN_READY ? w->error : result;
}

int green_wait_fd(int fd, uint32_t events, int64_t until_ns)
{
    uint32_t got;
    return green_wait_events(fd, events, until_ns, &got);
}

struct many { size_t count; struct fd_wait waits[]; };

static bool many_done(void *arg)
{
    struct many *m = arg;
    for (size_t i = 0; i < m->count; i++)
        if (m->waits[i].got || m->waits[i].error)
            return true;
    return false;
}

int green_wait_fds(const struct pollfd *fds, size_t count, int64_t until_ns)
{
    struct many *m = malloc(sizeof *m + count * sizeof *m->waits);
    if (!m)
        return ENOMEM;
    m->count = 0;
    struct aside aside;
    int result = GREEN_READY;
    step_in(&aside);
    for (size_t i = 0; i < count && result == GREEN_READY; i++)
        if (fds[i].fd >= 0 && fd_wait_link(&m->waits[m->count++], green_coro, fds[i].fd, (uint16_t)fds[i].events) < 0)
            result = GREEN_BLOCK;
    if (result == GREEN_READY)
        result = park_for(many_done, m, until_ns);
    for (size_t i = 0; i < m->count; i++)
        fd_wait_unlink(&m->waits[i]);
    step_out(&aside);
    free(m);
    return result;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

int green_sleep_until(int64_t until_ns)
{
    struct aside aside;
    step_in(&aside);
    int result = park_for(never, NULL, until_ns);
    step_out(&aside);
    return result;
}

/* --- waits on an address: semaphores, mutexes, condition variables --- */

struct address_wait {
    struct address_wait *next;
    const void *address;
    struct coro *coro;
    _Atomic bool woken;
};

enum { ADDRESS_SLOTS = 1024 };
static struct address_wait *addresses[ADDRESS_SLOTS];
static pthread_mutex_t addresses_lock = PTHREAD_MUTEX_INITIALIZER;
_Atomic int green_address_waiters;

static struct address_wait **slot_of(const void *address) { return &addresses[((uintptr_t)address >> 4) * 0x9E3779B97F4A7C15u >> 54]; }

static void address_link(struct address_wait *w)
{
    green_real.pthread_mutex_lock(&addresses_lock);
    struct address_wait **at = slot_of(w->address);
    while (*at)
        at = &(*at)->next;
    w->next = NULL;
    *at = w;
    green_address_waiters++;
    green_real.pthread_mutex_unlock(&addresses_lock);
}

static void address_unlink(struct address_wait *w)
{
    green_real.pthread_mutex_lock(&addresses_lock);
    struct address_wait **at = slot_of(w->address);
    while (*at && *at != w)
        at = &(*at)->next;
    if (*at) {
        *at = w->next;
        green_address_waiters--;
    }
    green_real.pthread_mutex_unlock(&addresses_lock);
}

int green_wake_address(const void *address, int count)
{
    int error = errno, woken = 0;
    green_real.pthread_mutex_lock(&addresses_lock);
    struct address_wait **at = slot_of(address);
    while (*at && count > 0) {
        struct address_wait *w = *at;
        if (w->address != address) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        green_address_waiters--;
        w->woken = true;
        coro_wake_from_anywhere(w->coro);
        count--;
        woken++;
    }
    green_real.pthread_mutex_unlock(&addresses_lock);
    errno = error;
    return woken;
}

static bool address_done(void *arg) { return ((struct address_wait *)arg)->woken; }

int green_wait_address(const void *address, bool (*still_blocked)(void *), void *arg, int64_t until_ns)
{
    struct address_wait *w = malloc(sizeof *w);
    if (!w)
        return GREEN_BLOCK;
    *w = (struct address_wait){.address = address, .coro = green_coro};
    struct aside aside;
    address_link(w);
    int result = GREEN_READY;
    if (still_blocked(arg)) {
        step_in(&aside);
        result = park_until(address_done, w, until_ns);
        step_out(&aside);
    }
    int error = errno;
    address_unlink(w);
    if (result != GREEN_READY && w->woken) /* somebody else must have the wake that this one cannot use */
        green_wake_address(address, 1);
    free(w);
    errno = error;
    return result;
}

/* In a forked child nobody waits: those who did are in the parent. */
void green_forget_waiters(void)
{
    pthread_mutex_init(&addresses_lock, NULL);
    memset(addresses, 0, sizeof addresses);
    green_address_waiters = 0;
}

/* --- the thread pool --- */

struct offloaded {
    struct offload offload;
    void (*work)(void *);
    void (*drop)(void *);
    void *arg;
    struct coro *coro;
    _Atomic int state; /* OFFLOADED_… */
};
enum { OFFLOADED_RUNS, OFFLOADED_DONE, OFFLOADED_LEFT };

static void offloaded_run(struct offload *offload)
{
    struct offloaded *o = (struct offloaded *)offload;
    o->work(o->arg);
    green_real.pthread_mutex_lock(&addresses_lock);
    int was = o->state;
    o->state = OFFLOADED_DONE;
    if (was != OFFLOADED_LEFT)
        coro_wake_from_anywhere(o->coro);
    green_real.pthread_mutex_unlock(&addresses_lock);
    if (was == OFFLOADED_LEFT) {
        o->drop(o->arg);
        free(o);
    }
}

static bool offloaded_done(void *arg) { return ((struct offloaded *)arg)->state == OFFLOADED_DONE; }

int green_offload(void (*work)(void *), void (*drop)(void *), void *arg)
{
    struct offloaded *o = malloc(sizeof *o);
    if (!o)
        return ENOMEM;
    *o = (struct offloaded){.offload.run = offloaded_run, .work = work, .drop = drop, .arg = arg, .coro = green_coro};
    if (offload_submit(&o->offload)) {
        free(o);
        return GREEN_BLOCK;
    }
    struct aside aside;
    step_in(&aside);
    int result = park_until(offloaded_done, o, GREEN_FOREVER);
    step_out(&aside);
    green_real.pthread_mutex_lock(&addresses_lock);
    bool over = o->state == OFFLOADED_DONE;
    if (!over)
        o->state = OFFLOADED_LEFT;
    green_real.pthread_mutex_unlock(&addresses_lock);
    if (over) {
        if (result != GREEN_READY)
            drop(arg);
        free(o);
    }
    return result;
}

/* Called in any thread; a vfork child shares our memory and must wake nobody. */
void green_fd_closing(int fd)
{
    green_fd_forget(fd);
    if (coro_hub && coro_fd_known(fd) && coro_hub->pid == getpid())
        coro_fd_closing(fd);
}

void green_fds_closing(unsigned first, unsigned last)
{
    if (coro_hub && coro_hub->pid != getpid())
        return; /* its descriptors are not ours: subprocess closes thousands in each child */
    green_fds_forget(first, last);
    if (coro_hub)
        coro_fds_closing(first, last);
}
