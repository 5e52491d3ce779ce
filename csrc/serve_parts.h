/* What the files of serve share: the steps of the state machine and what ends it. serve.c turns it. */
#ifndef PYHOST_SERVE_PARTS_H
#define PYHOST_SERVE_PARTS_H

#include "pyphase.h"
#include "response.h"
#include "route.h"
#include "worker.h"

enum step {
    STEP_ON,    /* the next phase */
    STEP_MOVED, /* it goes on elsewhere, or later */
    STEP_OVER   /* all phases are over */
};

/* What C does in a phase, after the Python handlers have had their say. first: a handler's OK replaces it (httpd's RUN_FIRST phases). */
struct phase_in_c {
    enum step (*run)(struct request *);
    bool first;
};
extern const struct phase_in_c serve_phases[PHASES];

/* Context of all: the loop thread. */
/* Goes on with r where it stands; the run of its job. */
void serve_job(struct job *job);
/* The request ends with this status: an error document of the configuration, or the built-in page. */
enum step serve_end_with(struct request *r, int status);
/* The request to, made from r, answers in its place; r has only its clean-up left. */
enum step serve_hand_over(struct request *r, struct request *to);

static inline enum step serve_on_hub(struct request *r)
{
    r->job.run = serve_job;
    worker_on_hub(worker, &r->job);
    return STEP_MOVED;
}

static inline enum step serve_next_phase(struct request *r)
{
    r->at_phase++;
    return STEP_ON;
}

/* The response is whole. */
static inline enum step serve_end(struct request *r)
{
    r->at_phase = PHASE_LOG;
    response_finish(r);
    return STEP_ON;
}

static inline enum step serve_routed(struct request *r, enum route_result result)
{
    if (result == ROUTE_NEEDS_HUB)
        return serve_on_hub(r);
    return result == ROUTE_STATUS ? serve_end_with(r, r->status) : STEP_ON;
}

#endif
