// What C and C++ libraries do that a switch of greenlets below them could break. Called by ctypes, with the GIL released.
// Built by tests/support/library.py, under a name that PyGreenLibraries lists and under one that it does not.
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static timespec after_ms(int ms)
{
    timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    long ns = t.tv_nsec + (long)ms * 1000000;
    return {t.tv_sec + ns / 1000000000, ns % 1000000000};
}

extern "C" {

// futex; timeout_ms < 0: none. Returns 0 or errno
int futex_wait(uint32_t *word, uint32_t value, int timeout_ms)
{
    timespec t = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    return syscall(SYS_futex, word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, value, timeout_ms < 0 ? NULL : &t, NULL, 0) ? errno : 0;
}

int futex_wait_until(uint32_t *word, uint32_t value, int timeout_ms)
{
    timespec t = after_ms(timeout_ms);
    return syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, value, &t, NULL, FUTEX_BITSET_MATCH_ANY) ? errno : 0;
}

// sets the word and wakes; returns how many woke
int futex_set(uint32_t *word, uint32_t value, int count)
{
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
    return (int)syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
}

static void *set_later(void *word)
{
    usleep(20000);
    futex_set((uint32_t *)word, 1, 1);
    return NULL;
}

// a thread of the library wakes who waits: as std::future does
int futex_wait_for_thread(void)
{
    uint32_t *word = (uint32_t *)calloc(1, sizeof *word);
    pthread_t thread;
    if (pthread_create(&thread, NULL, set_later, word))
        return errno;
    while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == 0)
        futex_wait(word, 0, -1);
    pthread_join(thread, NULL);
    free(word);
    return 0;
}

long plain_syscall(void) { return syscall(SYS_getpid) == getpid() && syscall(SYS_read, -1, NULL, 0) == -1 && errno == EBADF; }

pthread_rwlock_t *rw_new(void)
{
    pthread_rwlock_t *lock = (pthread_rwlock_t *)malloc(sizeof *lock);
    pthread_rwlock_init(lock, NULL);
    return lock;
}
void rw_free(pthread_rwlock_t *lock)
{
    pthread_rwlock_destroy(lock);
    free(lock);
}
int rw_read(pthread_rwlock_t *lock) { return pthread_rwlock_rdlock(lock); }
int rw_write(pthread_rwlock_t *lock) { return pthread_rwlock_wrlock(lock); }
int rw_unlock(pthread_rwlock_t *lock) { return pthread_rwlock_unlock(lock); }
int rw_read_for(pthread_rwlock_t *lock, int ms)
{
    timespec t = after_ms(ms);
    return pthread_rwlock_timedrdlock(lock, &t);
}
int rw_write_for(pthread_rwlock_t *lock, int ms)
{
    timespec t = after_ms(ms);
    return pthread_rwlock_timedwrlock(lock, &t);
}

// a mutex held across a sleep, by several at once; counts those inside
static pthread_mutex_t plain_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t recursive_mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static int inside;

static int hold(pthread_mutex_t *mutex)
{
    pthread_mutex_lock(mutex);
    int alone = ++inside == 1;
    usleep(2000);
    inside--;
    pthread_mutex_unlock(mutex);
    return alone;
}

int hold_mutex(void) { return hold(&plain_mutex); }
int hold_recursive_mutex(void)
{
    pthread_mutex_lock(&recursive_mutex);
    int alone = hold(&recursive_mutex);
    pthread_mutex_unlock(&recursive_mutex);
    return alone;
}

// a thread of the library answers through a condition variable, into a buffer that lies where `job` lies
struct job {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool done;
    unsigned char answer[256];
};

static void *answer_job(void *arg)
{
    job *j = (job *)arg;
    usleep(20000);
    pthread_mutex_lock(&j->mutex);
    memset(j->answer, 7, sizeof j->answer);
    j->done = true;
    pthread_cond_signal(&j->cond);
    pthread_mutex_unlock(&j->mutex);
    return NULL;
}

static int ask(job *j)
{
    pthread_t thread;
    pthread_mutex_init(&j->mutex, NULL);
    pthread_cond_init(&j->cond, NULL);
    j->done = false;
    memset(j->answer, 0, sizeof j->answer);
    if (pthread_create(&thread, NULL, answer_job, j))
        return -1;
    pthread_mutex_lock(&j->mutex);
    while (!j->done)
        pthread_cond_wait(&j->cond, &j->mutex);
    pthread_mutex_unlock(&j->mutex);
    pthread_join(thread, NULL);
    int right = 0;
    for (unsigned char byte : j->answer)
        right += byte == 7;
    return right;
}

int ask_on_heap(void)
{
    job *j = (job *)malloc(sizeof *j);
    int right = ask(j);
    free(j);
    return right;
}
int ask_on_stack(void)
{
    job j;
    return ask(&j);
}

// waits in the kernel as for a disk, where no signal is heard: until the child has ended, which shares the stack of its parent
int in_the_kernel(int ms)
{
    timespec t = {ms / 1000, ms % 1000 * 1000000L};
    pid_t pid = vfork();
    if (pid == 0) {
        syscall(SYS_nanosleep, &t, NULL);
        _exit(0);
    }
    return pid > 0 && waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

// C code that waits for nobody, with the GIL released
int in_c(int ms)
{
    timespec now, end = after_ms(ms);
    do
        clock_gettime(CLOCK_REALTIME, &now);
    while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
    return 0;
}

// waits inside a catch block, and throws the same exception on
int rethrow_after_wait(int number)
{
    try {
        try {
            throw number;
        } catch (int) {
            usleep(5000);
            throw;
        }
    } catch (int n) {
        return n;
    } catch (...) {
        return -1;
    }
}
}

/* Waits for a descriptor as some libraries do: is deaf to so many signals, and calls back into its user before it tells how that ended. */
extern "C" int wait_then_call(int fd, int deaf, void (*back)())
{
    struct pollfd one = {fd, POLLIN, 0};
    int error = 0;
    do
        error = poll(&one, 1, -1) < 0 ? errno : 0;
    while (error == EINTR && deaf-- > 0);
    back();
    return error;
}

/* Goes on when a wait has failed, as clients do that try the next address of a host; under a lock, as drivers that guard a connection do. */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

extern "C" int wait_again(int fd, int times)
{
    int failed = 0;
    pthread_mutex_lock(&guard);
    while (times--) {
        struct pollfd one = {fd, POLLIN, 0};
        if (poll(&one, 1, -1) == 1)
            break;
        failed++;
    }
    pthread_mutex_unlock(&guard);
    return failed;
}

// what processes share: who wakes may be in another one
#include <sys/mman.h>

struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_rwlock_t rwlock;
    int flag;
};

extern "C" {
shared *shared_new(void)
{
    shared *s = (shared *)mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t mutex;
    pthread_condattr_t cond;
    pthread_rwlockattr_t rwlock;
    pthread_mutexattr_init(&mutex), pthread_condattr_init(&cond), pthread_rwlockattr_init(&rwlock);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
    pthread_rwlockattr_setpshared(&rwlock, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&s->mutex, &mutex), pthread_cond_init(&s->cond, &cond), pthread_rwlock_init(&s->rwlock, &rwlock);
    return s;
}
int shared_wait(shared *s)
{
    pthread_mutex_lock(&s->mutex);
    while (!s->flag)
        pthread_cond_wait(&s->cond, &s->mutex);
    return pthread_mutex_unlock(&s->mutex);
}
int shared_wait_for(shared *s, int ms)
{
    timespec t = after_ms(ms);
    int error = 0;
    pthread_mutex_lock(&s->mutex);
    while (!s->flag && !error)
        error = pthread_cond_timedwait(&s->cond, &s->mutex, &t);
    pthread_mutex_unlock(&s->mutex);
    return error;
}
int shared_set(shared *s)
{
    pthread_mutex_lock(&s->mutex);
    s->flag = 1;
    pthread_cond_broadcast(&s->cond);
    return pthread_mutex_unlock(&s->mutex);
}
int shared_write(shared *s) { return pthread_rwlock_wrlock(&s->rwlock); }
int shared_read(shared *s) { return pthread_rwlock_rdlock(&s->rwlock); }
int shared_unlock(shared *s) { return pthread_rwlock_unlock(&s->rwlock); }
int shared_lock_for(shared *s, int ms)
{
    timespec t = after_ms(ms);
    return pthread_mutex_timedlock(&s->mutex, &t);
}
int shared_lock(shared *s) { return pthread_mutex_lock(&s->mutex); }
int shared_let_go(shared *s) { return pthread_mutex_unlock(&s->mutex); }
}

// waits of every kind that end at a moment of a clock
#include <semaphore.h>

struct waits {
    pthread_mutex_t mutex, held;
    pthread_cond_t cond;
    pthread_rwlock_t rwlock;
    sem_t sem;
    uint32_t word;
    int open;
};

extern "C" {
waits *waits_new(void)
{
    waits *w = (waits *)calloc(1, sizeof *w);
    pthread_mutex_init(&w->mutex, NULL), pthread_mutex_init(&w->held, NULL);
    pthread_cond_init(&w->cond, NULL), pthread_rwlock_init(&w->rwlock, NULL), sem_init(&w->sem, 0, 0);
    pthread_mutex_lock(&w->held), pthread_rwlock_wrlock(&w->rwlock);
    return w;
}
// 0 or errno; seconds: of the clock
int waits_until(waits *w, int kind, long seconds)
{
    timespec t = {seconds, 854775807};
    int error = 0;
    switch (kind) {
    case 0:
    case 1:
        pthread_mutex_lock(&w->mutex);
        while (!w->open && !error)
            error = kind ? pthread_cond_clockwait(&w->cond, &w->mutex, CLOCK_MONOTONIC, &t) : pthread_cond_timedwait(&w->cond, &w->mutex, &t);
        pthread_mutex_unlock(&w->mutex);
        return error;
    case 2:
        if (!(error = pthread_mutex_timedlock(&w->held, &t)))
            pthread_mutex_unlock(&w->held);
        return error;
    case 3:
        if (!(error = pthread_rwlock_timedwrlock(&w->rwlock, &t)))
            pthread_rwlock_unlock(&w->rwlock);
        return error;
    case 4:
        return sem_timedwait(&w->sem, &t) ? errno : 0;
    default:
        return syscall(SYS_futex, &w->word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &t, NULL, FUTEX_BITSET_MATCH_ANY) ? errno : 0;
    }
}
void waits_open(waits *w)
{
    pthread_mutex_lock(&w->mutex);
    w->open = 1;
    pthread_cond_broadcast(&w->cond);
    pthread_mutex_unlock(&w->mutex);
    pthread_mutex_unlock(&w->held), pthread_rwlock_unlock(&w->rwlock);
    sem_post(&w->sem), sem_post(&w->sem);
    futex_set(&w->word, 1, 100);
}
int sleep_until_1970(void)
{
    timespec t = {0, 0};
    return clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL);
}
}
