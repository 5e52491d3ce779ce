/* One running script. Whatever happens to it (a pipe, a report of its guard, its client, a timer) only asks for a step at the end of the turn; the step
 * looks at everything and goes on as far as it can. So nothing here runs inside of a connection's own callbacks. */
#include "cgi_job.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgi_parts.h"
#include "conn.h"
#include "log.h"
#include "response.h"
#include "shm.h"

enum { NS_PER_MS = 1000000 };

/* ---- asking for a step ---- */

static void job_step(struct cgi_job *job);

static void step_due(struct deferred *d)
{
    struct cgi_job *job = (struct cgi_job *)d;
    job->queued = false;
    job_step(job);
}

void cgi_job_wake(struct cgi_job *job)
{
    if (job->sitter && cgi_job_open(job)) {
        job->sitter->wake(job->sitter);
    } else if (!job->queued) {
        job->queued = true;
        loop_defer(job->pool->loop, &job->step, step_due);
    }
}

static void on_timer(struct timer *t) { cgi_job_wake(CGI_JOB_OF(t, timer)); }
static void on_granted(struct cgi_place *p) { cgi_job_wake(CGI_JOB_OF(p, place)); }
static void on_gone(struct waker *w) { cgi_job_wake(CGI_JOB_OF(w, on_gone)); }

static void on_drain(struct waker *w)
{
    struct cgi_job *job = CGI_JOB_OF(w, on_drain);
    job->moved_ns = cgi_job_now_ns(job); /* it was not the script that was waited for */
    cgi_job_wake(job);
}

static void on_body(struct waker *w)
{
    struct cgi_job *job = CGI_JOB_OF(w, on_body);
    job->moved_ns = cgi_job_now_ns(job);
    cgi_job_wake(job);
}

/* ---- the end ---- */

static void job_free(struct cgi_job *job)
{
    struct cgi_pool *p = job->pool;
    timer_disarm(&p->loop->timers, &job->timer);
    cgi_job_close(job);
    if (job->body_fd >= 0)
        close(job->body_fd);
    cgi_pool_leave(p, &job->place, job->most);
    if (job->prev)
        job->prev->next = job->next;
    else
        p->jobs = job->next;
    if (job->next)
        job->next->prev = job->prev;
    buf_clear(&job->unsent);
    buf_clear(&job->head);
    buf_clear(&job->line);
    request_unref(job->request);
    free(job->piece);
    free(job);
}

static void hang_up(struct cgi_job *job)
{
    if (job->life.fd >= 0 && !job->hung_up)
        shutdown(job->life.fd, SHUT_WR);
    job->hung_up = true;
}

static void forget_wakers(struct cgi_job *job)
{
    struct request *r = job->request;
    if (r->on_body == &job->on_body)
        r->on_body = NULL;
    if (r->on_drain == &job->on_drain)
        r->on_drain = NULL;
    if (r->on_gone == &job->on_gone)
        r->on_gone = NULL;
}

void cgi_job_decide(struct cgi_job *job, enum cgi_outcome outcome, int status, const char *uri, bool end_it)
{
    if (!cgi_job_open(job))
        return;
    job->result = (struct cgi_result){outcome, status, uri};
    job->state = CGI_OVER;
    forget_wakers(job);
    cgi_source_close(job, &job->in);
    buf_clear(&job->unsent);
    if (job->place.state == CGI_PLACE_WAITS)
        cgi_pool_leave(job->pool, &job->place, job->most);
    if (end_it)
        hang_up(job);
    cgi_job_wake(job); /* for what is left */
    if (job->over)
        job->over(job->request, &job->result);
}

static void let_go(struct cgi_job *job)
{
    const char word = CGI_LET_GO;
    if (!job->let_go && !job->hung_up)
        send(job->life.fd, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    job->let_go = true;
}

/* ---- what the guard says ---- */

static void say_how(const struct cgi_job *job, int status)
{
    const char *name = job->request->filename;
    if (WIFSIGNALED(status))
        shm_add(cgi_killed, 1);
    if (job->hung_up)
        return; /* we have said why */
    if (WIFSIGNALED(status))
        log_request(job->request, LEVEL_WARN, "cgi", "script %s was killed by signal %d (%s)", name, WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status))
        log_request(job->request, LEVEL_WARN, "cgi", "script %s ended with exit code %d", name, WEXITSTATUS(status));
    else
        log_request(job->request, LEVEL_DEBUG, "cgi", "script %s has ended", name);
}

static void hear_report(struct cgi_job *job, const struct cgi_report *report)
{
    switch ((enum cgi_report_kind)report->kind) {
    case CGI_STARTED:
        job->script_pid = report->value;
        shm_add(cgi_started, 1);
        shm_add(cgi_running, 1);
        log_request(job->request, LEVEL_DEBUG, "cgi", "script %s runs as process %d", job->request->filename, job->script_pid);
        if (cgi_job_open(job))
            job->state = CGI_RUNS;
        job->moved_ns = cgi_job_now_ns(job);
        break;
    case CGI_REFUSED:
        job->refused = report->value;
        job->refused_stage = report->stage;
        break;
    case CGI_ENDED:
        job->ended = true;
        say_how(job, report->value);
        break;
    }
}

/* The guard is gone. It reports the end of its script first, unless somebody has killed it: then nobody else ends what it guarded. */
static void life_over(struct cgi_job *job)
{
    cgi_source_close(job, &job->life);
    if (job->script_pid)
        shm_add(cgi_running, -1);
    if (job->script_pid && !job->ended && !job->hung_up) {
        log_request(job->request, LEVEL_WARN, "cgi", "the guard of script %s was killed; the script is ended", job->request->filename);
        kill(-job->script_pid, SIGKILL);
        shm_add(cgi_killed, 1);
    }
}

static void hear_guard(struct cgi_job *job)
{
    struct cgi_report report;
    while (job->life.fd >= 0) {
        ssize_t n = recv(job->life.fd, &report, sizeof report, MSG_DONTWAIT);
        if (n == (ssize_t)sizeof report)
            hear_report(job, &report);
        else if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        else
            life_over(job);
    }
}

/* ---- time, and clients that go ---- */

static bool client_is_waited_for(const struct cgi_job *job)
{
    return (job->in.fd >= 0 && !job->unsent.len && job->request->body == BODY_READING) || (job->head_done && response_is_congested(job->request));
}

static void sooner(int64_t *at, int64_t other)
{
    if (other && (!*at || other < *at))
        *at = other;
}

static void gone(struct cgi_job *job)
{
    log_request(job->request, LEVEL_INFO, "cgi", "the client has gone: script %s is ended", job->request->filename);
    job->request->close_after = true;
    cgi_job_decide(job, CGI_STATUS, 408, NULL, true);
}

/* Whoever closes the connection looks at first like one who has only finished sending: if the script is silent, it does not live on for long. */
static bool client_has_gone(struct cgi_job *job, int64_t *due)
{
    const struct request *r = job->request;
    if (!r->conn || r->aborted)
        return true;
    if (!r->conn->eof)
        return false;
    if (r->conf->cancel_on_disconnect)
        return true;
    if (!job->gone_ns)
        job->gone_ns = cgi_job_now_ns(job);
    if (response_is_congested(r))
        return false; /* it still takes what there is */
    int64_t since = job->gone_ns > job->moved_ns ? job->gone_ns : job->moved_ns, until = since + (int64_t)LIMIT_CGI_GONE_MS * NS_PER_MS;
    sooner(due, until);
    return cgi_job_now_ns(job) >= until;
}

static void timed_out(struct cgi_job *job, const char *what, const char *directive, int status)
{
    log_request(job->request, LEVEL_ERROR, "cgi", "script %s: %s: %s", job->request->filename, what, directive);
    shm_add(limits_hit, 1);
    cgi_job_decide(job, CGI_STATUS, status, NULL, true);
}

/* False: it is over. */
static bool within_time(struct cgi_job *job)
{
    int64_t due = 0, now = cgi_job_now_ns(job);
    if (client_has_gone(job, &due)) {
        gone(job);
        return false;
    }
    int64_t silent_until = job->timeout_ns && job->state != CGI_GATHERS && !client_is_waited_for(job) ? job->moved_ns + job->timeout_ns : 0;
    sooner(&due, silent_until);
    sooner(&due, job->until_ns);
    if (due && due > now) {
        timer_arm(&job->pool->loop->timers, &job->timer, due);
        return true;
    }
    if (!due)
        return true;
    if (job->until_ns && now >= job->until_ns)
        timed_out(job, "it takes too long", "PyRequestTimeout", 504);
    else if (job->state == CGI_WAITS) {
        shm_add(cgi_refused, 1);
        timed_out(job, "no place came free in time", "PyCGIProcesses", 503);
    } else if (silent_until && now >= silent_until)
        timed_out(job, "nothing came from it in time", "CGIDScriptTimeout", 504);
    return cgi_job_open(job);
}

/* ---- the step ---- */

static void wait_for_place(struct cgi_job *job)
{
    struct request *r = job->request;
    if (job->place.state == CGI_PLACE_NONE && !cgi_pool_enter(job->pool, &job->place, job->most, (uint32_t)r->main->cgi_queue)) {
        log_request(r, LEVEL_WARN, "cgi", "%u CGI scripts run and %u requests wait for one to end, as many as PyCGIProcesses and PyCGIQueue allow",
                    job->pool->held, job->pool->waiting);
        shm_add(limits_hit, 1);
        shm_add(cgi_refused, 1);
        table_set(&r->err_headers_out, SLICE("Retry-After"), SLICE("1"));
        cgi_job_decide(job, CGI_STATUS, 503, NULL, true);
    } else if (job->place.state == CGI_PLACE_HELD) {
        cgi_job_begin(job);
    }
}

static void run(struct cgi_job *job)
{
    if (job->refused)
        cgi_job_refused(job);
    else if (job->state == CGI_STARTS && job->life.fd < 0)
        cgi_job_lost(job);
    if (job->state != CGI_RUNS)
        return;
    cgi_body_pump(job);
    cgi_output_pump(job);
    if (cgi_job_open(job) && job->out.fd < 0)
        cgi_output_end(job);
}

static void go_on(struct cgi_job *job)
{
    if (job->state == CGI_GATHERS)
        cgi_body_gather(job);
    if (job->state == CGI_WAITS)
        wait_for_place(job);
    if (job->state == CGI_STARTS || job->state == CGI_RUNS)
        run(job);
    if (cgi_job_open(job))
        within_time(job);
}

/* The answer is out. What the script still writes is read and dropped, so that it can end; it has as long as before. */
static void wind_up(struct cgi_job *job)
{
    if (job->life.fd < 0) {
        if (!job->queued) /* what is queued still needs it */
            job_free(job);
        return;
    }
    cgi_output_drop(job);
    if (job->out.fd < 0)
        let_go(job);
    else if (job->timeout_ns && cgi_job_now_ns(job) >= job->moved_ns + job->timeout_ns)
        hang_up(job);
    else if (job->timeout_ns)
        timer_arm(&job->pool->loop->timers, &job->timer, job->moved_ns + job->timeout_ns);
}

static void job_step(struct cgi_job *job)
{
    hear_guard(job);
    cgi_output_errors(job);
    if (cgi_job_open(job))
        go_on(job);
    else
        wind_up(job);
}

/* A filter that waited in a write or a read of its own has put its waker in our place. */
static void hook_again(struct cgi_job *job)
{
    struct request *r = job->request;
    if (!r->on_body)
        r->on_body = &job->on_body;
    if (!r->on_drain)
        r->on_drain = &job->on_drain;
}

bool cgi_job_turn(struct cgi_job *job, struct cgi_result *result)
{
    if (cgi_job_open(job)) {
        hook_again(job);
        hear_guard(job);
        cgi_output_errors(job);
        go_on(job);
    }
    if (cgi_job_open(job))
        hook_again(job);
    *result = job->result;
    return !cgi_job_open(job);
}

void cgi_job_cancel(struct cgi_job *job) { cgi_job_decide(job, CGI_STATUS, 500, NULL, true); }

/* ---- doors ---- */

static void job_limits(struct cgi_job *job)
{
    const struct request *r = job->request;
    int64_t timeout_ms = r->conf->cgi_timeout_ms ? r->conf->cgi_timeout_ms : r->server->timeout_ms;
    job->moved_ns = cgi_job_now_ns(job);
    job->timeout_ns = timeout_ms * NS_PER_MS;
    job->until_ns = r->conf->request_timeout_ms ? job->moved_ns + r->conf->request_timeout_ms * NS_PER_MS : 0;
    job->most = (uint32_t)r->main->cgi_processes;
}

static bool is_nph(const char *filename)
{
    const char *slash = strrchr(filename, '/');
    return strncmp(slash ? slash + 1 : filename, "nph-", 4) == 0;
}

static void hook(struct cgi_job *job)
{
    struct request *r = job->request;
    job->on_body.wake = on_body;
    job->on_drain.wake = on_drain;
    job->on_gone.wake = on_gone;
    job->timer.fire = on_timer;
    job->place.granted = on_granted;
    r->on_body = &job->on_body;
    r->on_drain = &job->on_drain;
    r->on_gone = &job->on_gone;
    job->next = job->pool->jobs;
    if (job->next)
        job->next->prev = job;
    job->pool->jobs = job;
}

struct cgi_job *cgi_job_start(struct cgi_pool *pool, struct request *r, struct waker *sitter, void (*over)(struct request *, const struct cgi_result *),
                              int *status)
{
    struct cgi_job *job = calloc(1, sizeof *job);
    if (!job || !(job->piece = malloc(CGI_PIECE_BYTES))) {
        free(job);
        log_request(r, LEVEL_ERROR, "cgi", "out of memory");
        *status = 500;
        return NULL;
    }
    job->pool = pool;
    job->request = request_ref(r);
    job->sitter = sitter;
    job->over = over;
    job->body_fd = job->in.fd = job->out.fd = job->err.fd = job->life.fd = -1;
    job->nph = is_nph(r->filename);
    job->has_body = cgi_body_exists(r);
    job->state = cgi_body_is_gathered(r) ? CGI_GATHERS : CGI_WAITS;
    cgi_answer_init(&job->answer, job->nph);
    job_limits(job);
    hook(job);
    cgi_job_wake(job);
    return job;
}

bool cgi_job_end_all(struct cgi_pool *pool)
{
    for (struct cgi_job *job = pool->jobs; job; job = job->next)
        hang_up(job);
    return pool->jobs;
}
