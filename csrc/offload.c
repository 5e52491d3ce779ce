/* Threads come with work and go without it. All signals are blocked in them: those belong to the loop. */
#include "offload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdbool.h>
#include <time.h>


static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct offload *first, *last;
    int threads, idle, queued;
    bool watching_fork;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

static void pool_lock(void) { pthread_mutex_lock(&pool.lock); }
static void pool_unlock(void) { pthread_mutex_unlock(&pool.lock); }

/* With the lock held. NULL: nothing came for a while. */
static struct offload *next_work(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += OFFLOAD_IDLE_S;
    pool.idle++;
    while (!pool.first && pthread_cond_timedwait(&pool.more, &pool.lock, &until) != ETIMEDOUT)
        continue;
    pool.idle--;
    struct offload *work = pool.first;
    if (work) {
        pool.queued--;
        pool.first = work->next;
        if (!pool.first)
            pool.last = NULL;
    }
    return work;
}

static void *pool_thread(void *unused)
{
    struct offload *work;
    pool_lock();
    while ((work = next_work())) {
        pool_unlock();
        work->run(work);
        pool_lock();
    }
    pool.threads--;
    pool_unlock();
    return unused;
}

/* A forked child has none of the threads. */
static void forget_pool(void)
{
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.more, NULL);
    pool.first = pool.last = NULL;
    pool.threads = pool.idle = pool.queued = 0;
}

static int start_thread(void)
{
    sigset_t all, before;
    pthread_attr_t attr;
    pthread_t thread;
    if (!pool.watching_fork)
        pthread_atfork(NULL, NULL, forget_pool);
    pool.watching_fork = true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &attr, pool_thread, NULL);
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pool.threads += !error;
    return error;
}

int offload_submit(struct offload *work)
{
    pool_lock();
    int error = 0;
    if (pool.queued >= pool.idle && pool.threads < OFFLOAD_THREADS_MAX)
        error = start_thread();
    if (error && !pool.threads) {
        pool_unlock();
        errno = error;
        return -1;
    }
    work->next = NULL;
    if (pool.last)
        pool.last->next = work;
    else
        pool.first = work;
    pool.last = work;
    pool.queued++;
    pthread_cond_signal(&pool.more);
    pool_unlock();
    return 0;
}
