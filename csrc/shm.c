/* The one shared mapping. Pages that no worker touches cost nothing, so there is room for every slot from the start. */
#include "shm.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

struct shm *shm;
struct slot *shm_slot;

int shm_init(void)
{
    if (shm)
        return 0;
    void *at = mmap(NULL, sizeof *shm, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return -1;
    shm = at;
    shm_slot = &shm->slots[0];
    return 0;
}

void shm_take(int slot)
{
    int end = shm->slots_end;
    shm_slot = &shm->slots[slot];
    while (end <= slot && !atomic_compare_exchange_weak(&shm->slots_end, &end, slot + 1))
        continue;
}

void shm_bury(int slot)
{
    struct slot *s = &shm->slots[slot];
    struct shm_past *past = &shm->past;
    past->workers++;
    past->requests += atomic_exchange(&s->requests, 0);
    past->connections_total += atomic_exchange(&s->connections_total, 0);
    past->bytes_out += atomic_exchange(&s->bytes_out, 0);
    past->bytes_in += atomic_exchange(&s->bytes_in, 0);
    past->errors_5xx += atomic_exchange(&s->errors_5xx, 0);
    past->errors_4xx += atomic_exchange(&s->errors_4xx, 0);
    past->limits_hit += atomic_exchange(&s->limits_hit, 0);
    past->cgi_started += atomic_exchange(&s->cgi_started, 0);
    past->cgi_refused += atomic_exchange(&s->cgi_refused, 0);
    past->cgi_killed += atomic_exchange(&s->cgi_killed, 0);
    blocked_add(&past->blocked, &s->blocked);
    memset(&s->blocked, 0, sizeof s->blocked);
    past->log_lost += atomic_exchange(&s->log_lost, 0);
    s->connections = s->busy = s->cgi_running = s->cgi_waiting = 0;
    s->log_used = s->log_flushed = 0;
    s->turn_ns = s->started_us = 0;
    s->pid = 0;
    s->state = SLOT_FREE;
}
