/* What C does in each phase of a request, in httpd's order. Mapping is serve.c's, for it comes before the first phase that a folder can configure. */
#include "access.h"
#include "coro.h"
#include "env.h"
#include "log.h"
#include "serve_auth.h"
#include "serve_cgi.h"
#include "serve_content.h"
#include "serve_parts.h"
#include "serve_redirect.h"
#include "serve_status.h"
#include "static.h"

/* Before a URI is mapped, only Location sections hold; most servers have no handlers there, and the look-up is left out. */
static enum step do_post_read_request(struct request *r)
{
    int early = 1 << PHASE_POST_READ_REQUEST | 1 << PHASE_TRANS;
    if (!(r->server->python_hook_phases & early))
        r->at_phase = PHASE_TRANS;
    return serve_next_phase(r);
}

static enum step do_access(struct request *r)
{
    char *claimed = r->user; /* req.get_basic_auth_pw() sets it from what the client claims: it counts from the authentication on */
    r->user = NULL;
    enum access_result result = r->conf->require ? access_check(r) : ACCESS_GRANTED;
    r->user = claimed;
    if (result == ACCESS_DENIED) {
        log_request(r, LEVEL_ERROR, "core", "client denied by server configuration: %s", r->filename ? r->filename : r->uri);
        return serve_end_with(r, 403);
    }
    bool known = r->main_request && r->main_request->user && r->main_request->conf == r->conf;
    r->needs_user = result == ACCESS_NEEDS_USER && !known;
    r->at_phase = r->needs_user ? PHASE_AUTHEN : PHASE_TYPE;
    return STEP_ON;
}

static void authen_resume(struct request *r) { serve_on_hub(r); }

static enum step do_authen(struct request *r)
{
    struct password_check *slow = NULL;
    int status = access_basic(r, &slow); /* whoever set r->user: no handler has said that it is right */
    if (status == ACCESS_BASIC_SLOW) {
        if (auth_later(&worker->loop, r, slow, authen_resume))
            return STEP_MOVED;
        status = access_basic(r, &slow);
    }
    return status ? serve_end_with(r, status) : serve_next_phase(r);
}

static enum step do_authz(struct request *r)
{
    if (access_check(r) != ACCESS_GRANTED) {
        log_request(r, LEVEL_ERROR, "core", "user %s: access to %s denied by Require", r->user ? r->user : "-", r->uri);
        return serve_end_with(r, 401);
    }
    return serve_next_phase(r);
}

static enum step do_type(struct request *r)
{
    route_handler(r);
    return serve_next_phase(r);
}

static enum step do_fixup(struct request *r)
{
    if (r->conf->request_header_rule_count)
        env_request_headers(r);
    if (r->conf->setenv_count)
        env_apply(r, true);
    if (r->conf->redirect_count) {
        enum step step = serve_routed(r, route_fixup(r));
        if (step != STEP_ON || r->at_phase != PHASE_FIXUP)
            return step;
    }
    r->at_phase = PHASE_CONTENT;
    return serve_index(r);
}

static enum step do_content(struct request *r)
{
    char *uri = NULL;
    bool script = serve_content_kind(r) == CONTENT_CGI;
    int status = script ? serve_cgi(r, &uri) : status_wanted(r) ? status_answer(r) : static_answer(r, &uri);
    if (status > 0)
        return serve_end_with(r, status);
    if (status == SERVE_CGI_LATER)
        return STEP_MOVED;
    if (status) { /* STATIC_REDIRECT, SERVE_CGI_ELSEWHERE */
        struct request *to = script ? redirect_script(r, uri) : redirect_take_over(r, uri);
        return to ? serve_hand_over(r, to) : serve_end_with(r, 500);
    }
    return serve_end(r);
}

/* The log line is written when the last byte is out, so that it can tell how it went. */
static enum step do_log(struct request *r)
{
    if (!r->out_over && !r->handed_over) {
        if (r->send_soon && r->py && coro_current() && pyphase_ends_plainly(r))
            pyphase_finish(r); /* here, where its interpreter is */
        return STEP_MOVED;
    }
    if (!r->handed_over && !r->logged) {
        r->logged = true;
        log_access(r);
    }
    return r->prev ? serve_rest(r) : serve_clean_up(r);
}

static enum step do_cleanup(struct request *r)
{
    if (r->py)
        pyphase_finish(r);
    return STEP_OVER;
}

const struct phase_in_c serve_phases[PHASES] = {
    [PHASE_CONNECTION] = {serve_next_phase, false}, [PHASE_POST_READ_REQUEST] = {do_post_read_request, false},
    [PHASE_TRANS] = {serve_next_phase, false},      [PHASE_HEADER_PARSER] = {serve_next_phase, false},
    [PHASE_ACCESS] = {do_access, false},            [PHASE_AUTHEN] = {do_authen, true},
    [PHASE_AUTHZ] = {do_authz, true},               [PHASE_TYPE] = {do_type, false},
    [PHASE_FIXUP] = {do_fixup, false},              [PHASE_CONTENT] = {do_content, true},
    [PHASE_LOG] = {do_log, false},                  [PHASE_CLEANUP] = {do_cleanup, false},
};
