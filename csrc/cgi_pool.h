/* How many scripts run at a time in one worker, who waits for a place, and the helper process that starts them. */
#ifndef PYHOST_CGI_POOL_H
#define PYHOST_CGI_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgi_order.h"
#include "loop.h"

/* A place among the running ones, or in the queue for one. Embedded in a heap object. */
struct cgi_place {
    struct cgi_place *prev, *next;              /* the queue */
    void (*granted)(struct cgi_place *); /* its turn has come; from cgi_pool_leave of another, on the loop thread */
    enum { CGI_PLACE_NONE, CGI_PLACE_WAITS, CGI_PLACE_HELD } state;
};

struct cgi_pool {
    struct loop *loop;          /* borrowed */
    struct source helper;       /* our end of its socket; fd -1: it does not run */
    int helper_pid;
    unsigned long long soft_files; /* RLIMIT_NOFILE for scripts */
    uint32_t held, waiting;
    struct cgi_place *first, *last;
    struct cgi_job *jobs;       /* all that are not quite over (cgi_job.c) */
};

/* Context of all: the loop thread; no GIL needed; none of them switches. */
void cgi_pool_init(struct cgi_pool *p, struct loop *loop, unsigned long long soft_files);
/* True: the place is held, or waits (state says which). False: as many as may wait do. */
bool cgi_pool_enter(struct cgi_pool *p, struct cgi_place *place, uint32_t most, uint32_t most_waiting);
/* Gives a place back, whatever its state; the next in the queue gets it, when no more than most are held. */
void cgi_pool_leave(struct cgi_pool *p, struct cgi_place *place, uint32_t most);

/* cgi_launch.c */
/* A library that the program is linked with, which the loader will not find by its path any more (User has no way to it): the helper is given fd. */
void cgi_launch_with_library(int fd);
/* Starts the helper unless it runs. 0, or -1 with errno (logged). */
int cgi_launch_helper(struct cgi_pool *p);
/* Hands an order over. The descriptors stay the caller's to close. 0, or -1 with errno; a helper that has died is started again, once. */
int cgi_launch(struct cgi_pool *p, const struct cgi_order *order, const int fds[CGI_FDS]);
/* Lets the helper go; scripts that run are their guards' business. */
void cgi_launch_end(struct cgi_pool *p);

#endif
