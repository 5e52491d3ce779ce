/* The watch itself: a look every few milliseconds while there is something to see, sleep while there is not. */
#include "sentinel.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "proc.h"

enum {
    LOOK_EVERY_NS = 5000000,
    LOOKS_BEFORE_SLEEP = 20,
    ANSWER_LOOKS = 40,          /* how many looks a report may take; a thread in the kernel's uninterruptible sleep never answers */
    REPORT_BYTES = 8192,
    PATIENCE_MAX = 64,          /* slices between two requests to code that cannot hear them */
    NS_PER_MS = 1000000
};

struct sentinel_watch sentinel_watch;

static struct {
    pthread_t loop_thread;
    pid_t loop_tid;
    sem_t wake;
    void (*obey)(unsigned, char *, size_t);
    bool (*hears)(void *, uint64_t);
    void (*read_stuck)(void *, char *, size_t);
    const _Atomic uint32_t *held; /* NULL: nothing ever is */
    void (*release)(void);
    _Atomic bool looking;       /* the loop thread, which comes back from the kernel by the signal handler, waits there */
    _Atomic unsigned orders;
    _Atomic bool answered;
    char report[REPORT_BYTES];
} sentinel;

static int signal_number(void) { return SIGRTMAX - 3; }

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void on_signal(int number)
{
    (void)number;
    int error = errno;
    while (atomic_load(&sentinel.looking))
        sched_yield();
    unsigned orders = atomic_exchange(&sentinel.orders, 0);
    if (orders && pthread_equal(pthread_self(), sentinel.loop_thread)) {
        if (orders & SENTINEL_RELEASE)
            sentinel.release();
        if (orders & ~(unsigned)SENTINEL_RELEASE)
            sentinel.obey(orders, sentinel.report, sizeof sentinel.report);
        if (orders & SENTINEL_REPORT)
            atomic_store(&sentinel.answered, true);
    }
    errno = error;
}

static void ask(unsigned order)
{
    atomic_fetch_or(&sentinel.orders, order);
    pthread_kill(sentinel.loop_thread, signal_number());
}

/* A signal ends system calls with EINTR, so code that could not give way anyway is left alone. */
static void ask_to_give_way(uint64_t progress)
{
    void *whose = atomic_load(&sentinel_watch.whose);
    if (whose && sentinel.hears(whose, progress))
        ask(SENTINEL_GIVE_WAY);
}

void sentinel_set_held(const _Atomic uint32_t *held, void (*release)(void))
{
    sentinel.held = held;
    sentinel.release = release;
}

void sentinel_wake(void)
{
    if (atomic_exchange(&sentinel_watch.asleep, false))
        sem_post(&sentinel.wake);
}

static void pause_a_look(void) { nanosleep(&(struct timespec){.tv_nsec = LOOK_EVERY_NS}, NULL); }

/* Would the signal come before anything else when it comes back? Not when code of others has blocked it. */
static bool would_hear(void)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)sentinel.loop_tid);
    proc_read(path, text, sizeof text);
    const char *blocked = strstr(text, "SigBlk:");
    return blocked && !(strtoull(blocked + strlen("SigBlk:"), NULL, 16) >> (signal_number() - 1) & 1);
}

/* A thread that waits in the kernel, for a disk, answers no signal before it comes back; so long its stack stands still, and is read from here.
 * False: it has answered by now. */
static bool look_from_outside(void)
{
    atomic_store(&sentinel.looking, true);
    void *who = atomic_load(&sentinel_watch.who);
    bool silent = !atomic_load(&sentinel.answered) && atomic_fetch_and(&sentinel.orders, ~(unsigned)SENTINEL_REPORT) & SENTINEL_REPORT;
    if (silent && who && would_hear())
        sentinel.read_stuck(who, sentinel.report, sizeof sentinel.report);
    else if (silent)
        snprintf(sentinel.report, sizeof sentinel.report, "(it does not answer: it waits in the kernel, and has blocked signals)");
    atomic_store(&sentinel.looking, false);
    return silent;
}

/* One line that names the request, one per frame of its stack. */
static void write_report(int64_t stretch_ns, const char *text)
{
    const char *line = strchr(text, '\n');
    size_t first = line ? (size_t)(line - text) : strlen(text);
    log_error(NULL, LEVEL_WARN, "sentinel", "the worker has been held up for %lld ms by %.*s", (long long)(stretch_ns / NS_PER_MS), (int)first, text);
    if (line && line[1])
        log_text(NULL, NULL, LEVEL_WARN, "sentinel", slice_text(line + 1), true);
}

static void report(int64_t stretch_ns)
{
    atomic_store(&sentinel.answered, false);
    ask(SENTINEL_REPORT);
    for (int looks = 0; looks < ANSWER_LOOKS && !atomic_load(&sentinel.answered); looks++)
        pause_a_look();
    for (int looks = 0; !atomic_load(&sentinel.answered) && !look_from_outside() && looks < ANSWER_LOOKS; looks++)
        pause_a_look(); /* it is about to */
    const char *text = sentinel.report;
    if (!*text)
        text = "a handler that has given way meanwhile";
    int fd = log_main_fd();
    if (sentinel_borrow_file(fd)) {
        write_report(stretch_ns, text);
        sentinel_return_file(fd);
    }
}

struct stretch { uint64_t progress; int64_t since_ns, sliced_ns; unsigned patience; bool reported; unsigned idle; uint32_t held; };

static void look_at_held(struct stretch *s)
{
    uint32_t held = sentinel.held ? atomic_load(sentinel.held) : 0;
    if (held && held == s->held)
        ask(SENTINEL_RELEASE);
    s->held = held;
}

static void look(struct stretch *s)
{
    struct sentinel_watch *w = &sentinel_watch;
    uint64_t progress = atomic_load(&w->progress);
    int64_t now = now_ns();
    if (progress != s->progress || !atomic_load(&w->running)) {
        s->idle = progress == s->progress ? s->idle + 1 : 0;
        s->progress = progress;
        s->since_ns = s->sliced_ns = now;
        s->reported = false;
        s->patience = 1;
        return;
    }
    int64_t slice_ns = atomic_load(&w->slice_ns), blocked_ns = atomic_load(&w->blocked_ns);
    s->idle = 0;
    if (atomic_exchange(&w->deaf, false) && s->patience < PATIENCE_MAX) /* each signal interrupts a system call: fewer and fewer of them */
        s->patience *= 2;
    if (slice_ns && now - s->sliced_ns >= slice_ns * s->patience) {
        s->sliced_ns = now;
        ask_to_give_way(progress);
    }
    if (blocked_ns && !s->reported && now - s->since_ns >= blocked_ns) {
        s->reported = true;
        report(now - s->since_ns);
    }
}

static void rest(struct stretch *s)
{
    atomic_store(&sentinel_watch.asleep, true);
    if (atomic_load(&sentinel_watch.progress) == s->progress && !atomic_load(&sentinel_watch.running))
        while (sem_wait(&sentinel.wake) && errno == EINTR)
            continue;
    atomic_store(&sentinel_watch.asleep, false);
    s->idle = 0;
}

static void *sentinel_thread(void *unused)
{
    struct stretch s = {.progress = 0, .since_ns = now_ns(), .patience = 1};
    if (log_main_fd() >= 0) /* libc keeps syslog's descriptor to itself */
        sentinel_leave_files();
    for (;;) {
        pause_a_look();
        look(&s);
        look_at_held(&s);
        if (s.idle >= LOOKS_BEFORE_SLEEP)
            rest(&s);
    }
    return unused;
}

int sentinel_start(void (*obey)(unsigned orders, char *report, size_t room), bool (*hears)(void *whose, uint64_t progress),
                   void (*read_stuck)(void *who, char *report, size_t room))
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigset_t all, before;
    pthread_t thread;
    pthread_attr_t attr;
    sentinel.loop_thread = pthread_self();
    sentinel.loop_tid = gettid();
    sentinel.obey = obey;
    sentinel.hears = hears;
    sentinel.read_stuck = read_stuck;
    if (sigaction(signal_number(), &action, NULL) || sem_init(&sentinel.wake, 0, 0))
        return -1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 131072);
    int error = pthread_create(&thread, &attr, sentinel_thread, NULL);
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return error ? -1 : 0;
}
