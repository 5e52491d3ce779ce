/* Who waits on a channel is noted in shared memory, so that giving back costs nothing where nobody waits; another worker is told by a datagram to
 * the abstract address that bears its pid. It opens its end when one of its greenlets waits for the first time. */
#include "pyapache_wait.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "coro.h"
#include "pyapache.h"
#include "pyserver.h"

enum { LOOK_AGAIN_NS = 200000000, POLL_NS = 10000000 /* where nobody can tell us */, SLOT_BITS = 64 };

struct waiting {
    struct waiting *next;
    struct coro *coro; /* borrowed: it waits; NULL: a thread of its own */
    int channel;
};

/* Of this process; the GIL guards it. */
static struct {
    struct source source;
    struct waiting *first; /* owned by those who wait, oldest first */
    bool tried;
    bool alone;            /* there are no other workers */
} here = {.source.fd = -1};

/* ---- the other workers ---- */

static socklen_t address_of(pid_t pid, struct sockaddr_un *to)
{
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(to->sun_path + 1, sizeof to->sun_path - 1, "pyhost-waiting-%d", (int)pid);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

/* What has been given back is not said: everybody looks. */
static void told(struct source *s, uint32_t events)
{
    char byte;
    (void)events;
    while (recv(s->fd, &byte, 1, MSG_DONTWAIT) >= 0)
        ;
    for (struct waiting *w = here.first; w; w = w->next)
        if (w->coro)
            coro_wake(w->coro);
}

static void here_open(void)
{
    struct sockaddr_un address;
    here.tried = true;
    here.alone = !pyserver_main() || pyserver_main()->one_process;
    int fd = shm && coro_hub && !here.alone ? socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return;
    socklen_t len = address_of(getpid(), &address);
    here.source = (struct source){.ready = told, .fd = fd};
    if (bind(fd, (struct sockaddr *)&address, len) == 0 && loop_add(coro_hub->loop, &here.source, EPOLLIN) == 0)
        return;
    close(fd);
    here.source.fd = -1;
}

static _Atomic uint64_t *word_of(int channel, long slot) { return &shm->waiting[channel][slot / SLOT_BITS]; }
static uint64_t bit_of(long slot) { return 1ull << (slot % SLOT_BITS); }

static void note(int channel, bool waits)
{
    if (here.source.fd < 0 || channel >= SHM_CHANNELS)
        return;
    long slot = shm_slot - shm->slots;
    if (waits)
        atomic_fetch_or(word_of(channel, slot), bit_of(slot));
    else
        atomic_fetch_and(word_of(channel, slot), ~bit_of(slot));
}

static void tell(int channel, long slot, int fd)
{
    struct sockaddr_un address;
    socklen_t len = address_of(shm->slots[slot].pid, &address);
    if (sendto(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address, len) < 0 && errno == ECONNREFUSED)
        atomic_fetch_and(word_of(channel, slot), ~bit_of(slot)); /* it died while it waited */
}

static void tell_others(int channel)
{
    if (!shm || here.alone || channel >= SHM_CHANNELS)
        return;
    int fd = here.source.fd;
    for (long w = 0; w < SHM_SLOTS / SLOT_BITS; w++)
        for (uint64_t bits = atomic_load(&shm->waiting[channel][w]); bits; bits &= bits - 1) {
            long slot = w * SLOT_BITS + __builtin_ctzll(bits);
            if (&shm->slots[slot] == shm_slot || (fd < 0 && (fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0))
                continue;
            tell(channel, slot, fd);
        }
    if (fd >= 0 && fd != here.source.fd)
        close(fd);
}

/* ---- this process ---- */

static struct waiting *first_of(int channel)
{
    struct waiting *w = here.first;
    while (w && w->channel != channel)
        w = w->next;
    return w;
}

struct waiting *waiting_begin(int channel)
{
    struct waiting *w = PyMem_RawCalloc(1, sizeof *w), **end = &here.first;
    if (!w) {
        PyErr_NoMemory();
        return NULL;
    }
    if (!here.tried && channel < SHM_CHANNELS)
        here_open();
    w->coro = coro_current();
    w->channel = channel;
    while (*end)
        end = &(*end)->next;
    *end = w;
    note(channel, true);
    return w;
}

void waiting_end(struct waiting *w, bool got)
{
    struct waiting **at = &here.first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    struct waiting *left = first_of(w->channel);
    if (!left)
        note(w->channel, false);
    else if (!got && left->coro) /* a wake that was meant for it is another's */
        coro_wake_from_anywhere(left->coro);
    PyMem_RawFree(w);
}

int waiting_park(struct waiting *w, int64_t until_ns)
{
    bool can_be_told = here.alone || here.source.fd >= 0 || w->channel >= SHM_CHANNELS;
    int64_t pause = w->coro && can_be_told ? LOOK_AGAIN_NS : POLL_NS, again = coro_now_ns() + pause;
    if (until_ns >= 0 && until_ns < again)
        again = until_ns;
    if (w->coro)
        return coro_park(again) == CORO_ERROR ? -1 : 0;
    const struct timespec span = {0, POLL_NS};
    Py_BEGIN_ALLOW_THREADS
    clock_nanosleep(CLOCK_MONOTONIC, 0, &span, NULL);
    Py_END_ALLOW_THREADS
    return 0;
}

void waiting_wake(int channel, bool all)
{
    for (struct waiting *w = here.first; w; w = w->next) {
        if (w->channel != channel || !w->coro)
            continue;
        coro_wake_from_anywhere(w->coro);
        if (!all)
            break;
    }
    tell_others(channel);
}

/* ---- for Python ---- */

/* Is there what it waits for? 1, 0, or -1 with an exception. */
static int ask(PyObject *ready)
{
    PyObject *answer = PyObject_CallNoArgs(ready);
    int result = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    return result;
}

/* (channel, ready, seconds): until ready() is true. False when the seconds (< 0: for ever) have passed. SWITCHES. */
PyObject *pyapache_wait(PyObject *module, PyObject *args)
{
    int channel, got;
    PyObject *ready;
    double seconds;
    (void)module;
    if (!PyArg_ParseTuple(args, "iOd:_wait", &channel, &ready, &seconds))
        return NULL;
    if (channel < 0 || channel > SHM_CHANNELS) {
        PyErr_SetString(PyExc_ValueError, "there is no such channel");
        return NULL;
    }
    int64_t until = seconds < 0 || seconds > 1e9 ? -1 : coro_now_ns() + (int64_t)(seconds * 1e9);
    struct waiting *w = waiting_begin(channel);
    if (!w)
        return NULL;
    while ((got = ask(ready)) == 0 && (until < 0 || coro_now_ns() < until))
        if (waiting_park(w, until)) {
            got = -1;
            break;
        }
    waiting_end(w, got == 1);
    return got < 0 ? NULL : PyBool_FromLong(got);
}

/* (channel): those who wait on it look again. */
PyObject *pyapache_wake(PyObject *module, PyObject *args)
{
    int channel;
    (void)module;
    if (!PyArg_ParseTuple(args, "i:_wake", &channel))
        return NULL;
    if (channel >= 0 && channel <= SHM_CHANNELS)
        waiting_wake(channel, true);
    Py_RETURN_NONE;
}
