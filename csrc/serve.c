/* The life of a request on one screen: the phases in httpd's order, each with its share in C and its handlers in Python.
 *
 * A request is a small state machine (r->at_phase). It starts on the hub; the first phase that has Python handlers moves it into the ready queue
 * of its interpreter, where a worker greenlet goes on from there. What needs the hub again (a merge of configuration, a new interpreter)
 * moves it back. Nobody waits for anybody on the way. */
#include "serve.h"

#include <stdio.h>
#include <stdlib.h>

#include "conn.h"
#include "coro.h"
#include "env.h"
#include "gate_raw.h"
#include "limit.h"
#include "log.h"
#include "pyfilter.h"
#include "pyasgi.h"
#include "pywsgi.h"
#include "remote.h"
#include "serve_content.h"
#include "serve_parts.h"
#include "serve_redirect.h"
#include "shm.h"

static void serve_run(struct request *r);
void serve_job(struct job *job) { serve_run((struct request *)job); }

/* ---- moving between the hub and the interpreters ---- */

/* True: this phase's handlers can run right here. */
static bool at_home(struct request *r, enum phase phase, enum step *step)
{
    if (r->home_phase == phase && coro_current() && interp_current() == r->interp)
        return true; /* it was brought here for this */
    const char *name = pyphase_interpreter(r, phase);
    struct interp *home = interp_find(name);
    if (coro_current() && home && interp_current() == home)
        return true;
    if (!home && coro_current()) {
        *step = serve_on_hub(r); /* only the hub makes interpreters */
        return false;
    }
    if (!home)
        home = interp_get(name);
    if (!home) {
        log_request(r, LEVEL_ERROR, "python", "the interpreter %s cannot be made", name);
        *step = serve_end_with(r, 500);
        return false;
    }
    r->interp = home;
    r->home_phase = (uint8_t)phase;
    r->job.run = serve_job;
    r->job.of_request = true;
    coro_submit(home, &r->job);
    *step = STEP_MOVED;
    return false;
}

/* ---- one step ---- */

static enum step do_map(struct request *r)
{
    enum step step = serve_routed(r, route_map(worker->route, r, !coro_current()));
    if (step != STEP_ON || r->at_phase != PHASE_HEADER_PARSER)
        return step;
    if (!r->main_request && r->conf->limit_request_body_bytes && r->head.has_length && r->head.length > (uint64_t)r->conf->limit_request_body_bytes) {
        log_request(r, LEVEL_WARN, "core", "Content-Length is larger than LimitRequestBody allows");
        shm_add(limits_hit, 1);
        r->close_after = true;
        return serve_end_with(r, 413);
    }
    if (r->conf->setenvif_count || r->conf->setenv_count)
        env_apply(r, false);
    return STEP_ON;
}

/* Between the mapping and the content, most configurations have nobody who wants to be asked. */
static bool nobody_is_between(const struct request *r)
{
    const struct dir_conf *conf = r->conf;
    int between = 1 << PHASE_HEADER_PARSER | 1 << PHASE_ACCESS | 1 << PHASE_AUTHEN | 1 << PHASE_AUTHZ | 1 << PHASE_TYPE | 1 << PHASE_FIXUP;
    return !r->py && !(conf->hook_phases & between) && !conf->require;
}

/* What a Python handler's value means. */
static enum step after_python(struct request *r, enum phase phase, int value)
{
    if (phase >= PHASE_LOG)
        return serve_phases[phase].run(r);
    if (r->handed_over) { /* the handler redirected inside: the other request answers */
        r->at_phase = PHASE_LOG;
        return STEP_ON;
    }
    if (value == PY_LATER)
        return STEP_MOVED;
    if (value == PY_DONE)
        return serve_end(r);
    if (value > 0)
        return serve_end_with(r, value);
    if (phase == PHASE_CONTENT)
        return value == PY_OK ? serve_end(r) : serve_phases[phase].run(r);
    if (phase == PHASE_AUTHEN && value == PY_OK && !r->user) {
        log_request(r, LEVEL_ERROR, "python", "PythonAuthenHandler returned OK and left req.user unset");
        return serve_end_with(r, 500);
    }
    if (serve_phases[phase].first && value == PY_OK)
        return serve_next_phase(r);
    return serve_phases[phase].run(r);
}

static int run_python(struct request *r, enum phase phase)
{
    if (phase != PHASE_CONTENT)
        return pyphase_run(r, phase);
    if (pyfilter_wanted(r))
        pyfilter_start(r);
    switch (serve_content_kind(r)) {
    case CONTENT_MOD_PYTHON: return pyphase_run(r, phase);
    case CONTENT_WSGI: return pywsgi_run(r);
    case CONTENT_ASGI: return pyasgi_run(r);
    case CONTENT_CGI: case CONTENT_STATIC: break;
    }
    return PY_DECLINED;
}

static bool phase_wants_python(struct request *r, enum phase phase)
{
    if (phase == PHASE_CONTENT)
        return (serve_content_kind(r) != CONTENT_STATIC && serve_content_kind(r) != CONTENT_CGI) || r->out_filter || pyfilter_wanted(r);
    if (phase == PHASE_CLEANUP)
        return r->py || pyphase_has(r, phase);
    if (phase == PHASE_LOG && (r->prev || (!r->handed_over && (!r->out_over || r->logged))))
        return false; /* it is the first request that is logged, whoever has answered */
    if (r->main_request && (phase == PHASE_POST_READ_REQUEST || phase == PHASE_HEADER_PARSER))
        return false;
    return (r->conf->hook_phases & 1 << phase || r->py) && pyphase_has(r, phase);
}

static enum step serve_step(struct request *r)
{
    enum phase phase = r->at_phase;
    enum step step = STEP_ON;
    if (phase == PHASE_CONTENT && r->main_request)
        return serve_sub_over(r, 0);
    if (phase == PHASE_CONTENT && r->index_status)
        return serve_end_with(r, r->index_status);
    if (phase == PHASE_LOG && r->handed_over && r->next && !r->next->resting) {
        r->waits = true;
        return STEP_MOVED;
    }
    if (phase == PHASE_POST_READ_REQUEST && !r->conf && r->server->python_hook_phases & (1 << PHASE_POST_READ_REQUEST | 1 << PHASE_TRANS)) {
        step = serve_routed(r, route_location(worker->route, r, !coro_current()));
        if (step != STEP_ON || r->at_phase != phase)
            return step;
    }
    if (phase == PHASE_HEADER_PARSER && !r->mapped) {
        step = do_map(r);
        if (step != STEP_ON || r->at_phase != phase)
            return step;
        r->mapped = true;
        if (nobody_is_between(r)) {
            serve_phases[PHASE_TYPE].run(r);
            r->at_phase = PHASE_FIXUP;
            return serve_phases[PHASE_FIXUP].run(r);
        }
    }
    bool python_was_asked = phase == PHASE_AUTHEN && r->password != PASSWORD_UNKNOWN;
    if (!r->conf || python_was_asked || !phase_wants_python(r, phase))
        return serve_phases[phase].run(r);
    if (!at_home(r, phase, &step))
        return step;
    if (phase == PHASE_CLEANUP)
        return serve_phases[phase].run(r);
    return after_python(r, phase, run_python(r, phase));
}

static void serve_run(struct request *r)
{
    request_ref(r);
    r->in_phases = true;
    enum step step;
    do
        step = serve_step(r);
    while (step == STEP_ON);
    r->in_phases = false;
    if (step == STEP_OVER)
        serve_cleaned_up(r);
    request_unref(r);
}

/* ---- doors ---- */

void serve_hub_job(struct job *job) { worker_on_hub(worker, job); }

static bool refuse_early(struct request *r)
{
    if (worker->in_flight > (uint32_t)r->main->max_requests_in_flight) {
        log_request(r, LEVEL_WARN, "core", "%u requests are in flight, as many as PyMaxRequestsInFlight allows", worker->in_flight - 1);
        shm_add(limits_hit, 1);
        table_set(&r->err_headers_out, SLICE("Retry-After"), SLICE("1"));
        serve_refuse(r, 503, true);
    } else if (r->head.method == METHOD_CONNECT || (r->head.method == METHOD_TRACE && !r->server->trace_enable)) {
        r->allowed = 1u << METHOD_GET | 1u << METHOD_POST | 1u << METHOD_OPTIONS;
        serve_refuse(r, 405, r->head.method == METHOD_CONNECT); /* what follows is for the other end of a tunnel that there is not */
    } else if (r->head.form == TARGET_ASTERISK) {
        table_set(&r->headers_out, SLICE("Allow"), SLICE("GET,HEAD,POST,OPTIONS"));
        response_finish(r);
    } else {
        return false;
    }
    return true;
}

void serve_request(struct request *r)
{
    worker->in_flight++;
    r->at_phase = PHASE_LOG;
    r->in_phases = true; /* an early answer that is out at once must not end the request under our feet */
    if (r->server->remoteip_header)
        remote_apply(r);
    if (!refuse_early(r))
        r->at_phase = PHASE_POST_READ_REQUEST;
    serve_run(r);
}

static void connection_job(struct job *job)
{
    struct request *r = (struct request *)job;
    int value = pyphase_connection(r);
    r->out_over = true;
    worker->in_flight--;
    gate_raw_over(r, value == PY_DECLINED);
    pyphase_finish(r);
    request_unref(r);
}

void serve_connection(struct request *r)
{
    struct conn *c = r->conn;
    r->conf = r->server->base;
    r->at_phase = PHASE_CONNECTION;
    worker->in_flight++;
    r->interp = interp_get(pyphase_interpreter(r, PHASE_CONNECTION));
    if (!r->interp) {
        worker->in_flight--;
        conn_close(c);
        request_unref(r);
        return;
    }
    r->job.run = connection_job;
    r->job.of_request = true;
    coro_submit(r->interp, &r->job);
}

void serve_fault(struct request *r, int status, const char *why, const char *directive)
{
    log_request(r, directive ? LEVEL_WARN : LEVEL_INFO, "core", "answered %d: %s%s%s", status, why, directive ? ": " : "", directive ? directive : "");
    if (directive)
        shm_add(limits_hit, 1);
    worker->in_flight++;
    r->at_phase = PHASE_LOG;
    r->in_phases = true;
    serve_refuse(r, status, status != 404);
    serve_run(r);
}

static void count(const struct request *r)
{
    shm_add(requests, 1);
    shm_add(bytes_out, r->wire_bytes_out);
    shm_add(bytes_in, r->body_bytes_in);
    if (r->status >= 500)
        shm_add(errors_5xx, 1);
    else if (r->status >= 400)
        shm_add(errors_4xx, 1);
}

void serve_done(struct request *r)
{
    if (r->out_over)
        return;
    r->out_over = true;
    waker_wake(r->on_gone);
    worker->in_flight--;
    worker->served++;
    count(r);
    if (!r->in_phases)
        serve_run(r); /* it stands at PHASE_LOG */
}

void serve_finish(struct request *r, int status)
{
    if (r->at_phase != PHASE_CONTENT)
        return;
    r->in_phases = true; /* what ends here must not end again under our feet */
    enum step step = status ? serve_end_with(r, status) : serve_end(r);
    r->in_phases = false;
    if (step != STEP_MOVED)
        serve_run(r);
}

void serve_finish_elsewhere(struct request *r, const char *uri)
{
    struct request *to = r->at_phase == PHASE_CONTENT ? redirect_script(r, uri) : NULL;
    if (to)
        serve_hand_over(r, to);
    else
        serve_finish(r, 500);
}

/* ---- requests inside requests ---- */

static void wait_for_phases(struct request *r)
{
    struct coro *me = coro_current();
    while (me && !r->resting && !r->phases_over) {
        r->on_phases_over = coro_waker(me);
        if (coro_park(-1) == CORO_ERROR)
            break;
    }
    r->on_phases_over = NULL;
}

int serve_internal_redirect(struct request *r, const char *uri)
{
    struct request *to = redirect_take_over(r, uri);
    if (!to)
        return 500;
    request_ref(to);
    request_ref(r); /* for its own end: the reference of the connection went to the new one's prev */
    to->at_phase = PHASE_POST_READ_REQUEST;
    serve_run(to);
    wait_for_phases(to);
    int status = to->status >= 400 ? to->status : 0;
    request_unref(to);
    return status;
}
