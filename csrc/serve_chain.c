/* Requests that belong together: redirects stand behind each other, sub-requests below a request. The first is logged when the last one's answer is
 * out, with all of them still alive; then they are cleaned up, newest first. */
#include "serve_parts.h"

enum step serve_rest(struct request *r)
{
    r->at_phase = PHASE_CLEANUP;
    r->resting = true;
    waker_wake(r->on_phases_over);
    struct request *before = r->prev;
    if (before->waits) {
        before->waits = false;
        serve_on_hub(before);
    }
    return STEP_MOVED;
}

static struct request *front_of(struct request *r) { return r->subs ? r->subs : r; }

enum step serve_clean_up(struct request *r)
{
    struct request *last = r;
    while (last->next && last->next->resting)
        last = last->next;
    for (struct request *q = last; q != r; q = q->prev)
        q->behind = front_of(q->prev);
    r->at_phase = PHASE_CLEANUP;
    struct request *front = front_of(last);
    if (front == r)
        return STEP_ON;
    serve_job(&front->job); /* whoever is cleaned up goes on with the one behind it, and so comes to r */
    return STEP_MOVED;
}

void serve_cleaned_up(struct request *r)
{
    r->phases_over = true;
    waker_wake(r->on_phases_over);
    if (r->behind)
        serve_job(&r->behind->job); /* it stands at PHASE_CLEANUP */
    request_unref(r); /* the reference of the request in flight */
}
