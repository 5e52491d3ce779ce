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
/* The end of a request that has no configuration but its server's: a text of ErrorDocument, or the built-in page. close: the connection too. */
void serve_refuse(struct request *r, int status, bool close);
/* The request to, made from r, answers in its place; r waits for it. */
enum step serve_hand_over(struct request *r, struct request *to);
/* A request that stands behind another one has nothing left but its clean-up, which comes after the log of the first. */
enum step serve_rest(struct request *r);
/* The first request is logged: it is cleaned up, and before it what came of it, newest first. */
enum step serve_clean_up(struct request *r);
/* All phases of r are over, for good. */
void serve_cleaned_up(struct request *r);
/* Before the content of a folder: sub-requests go through the phases for what DirectoryIndex names, and the first that is a file takes its place; for
 * what stands above and below a listing. */
enum step serve_index(struct request *r);
/* A sub-request has come to its content, or to an end before it. */
enum step serve_sub_over(struct request *r, int status);

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
    if (r->main_request)
        return serve_sub_over(r, 0);
    r->at_phase = PHASE_LOG;
    r->send_soon = !r->conf || pyphase_ends_plainly(r);
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
