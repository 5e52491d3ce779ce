/* From an order to a running script: its descriptors, its words, and what becomes of it when it cannot be run. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cgi_parts.h"
#include "env.h"
#include "log.h"
#include "shm.h"

/* ---- descriptors ---- */

static void on_in(struct source *s, uint32_t events) { (void)events; cgi_job_wake(CGI_JOB_OF(s, in)); }
static void on_out(struct source *s, uint32_t events) { (void)events; cgi_job_wake(CGI_JOB_OF(s, out)); }
static void on_err(struct source *s, uint32_t events) { (void)events; cgi_job_wake(CGI_JOB_OF(s, err)); }
static void on_life(struct source *s, uint32_t events) { (void)events; cgi_job_wake(CGI_JOB_OF(s, life)); }

void cgi_source_close(struct cgi_job *job, struct source *s)
{
    int fd = s->fd;
    if (fd < 0)
        return;
    loop_remove(job->pool->loop, s);
    close(fd);
}

void cgi_job_close(struct cgi_job *job)
{
    cgi_source_close(job, &job->in);
    cgi_source_close(job, &job->out);
    cgi_source_close(job, &job->err);
    cgi_source_close(job, &job->life);
}

static void close_fds(int fds[CGI_FDS])
{
    for (int i = 0; i < CGI_FDS; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static int watch(struct cgi_job *job, struct source *s, int fd, void (*ready)(struct source *, uint32_t), uint32_t events)
{
    *s = (struct source){.ready = ready, .fd = fd};
    if (fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && loop_add(job->pool->loop, s, events | EPOLLET) == 0)
        return 0;
    int error = errno;
    s->fd = -1;
    close(fd);
    errno = error;
    return -1;
}

/* A pipe; their end goes into *theirs, ours into the source. */
static int open_pipe(struct cgi_job *job, struct source *s, int *theirs, bool they_read, void (*ready)(struct source *, uint32_t))
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    *theirs = ends[!they_read];
    return watch(job, s, ends[they_read], ready, they_read ? EPOLLOUT : EPOLLIN);
}

static int open_input(struct cgi_job *job, int *theirs)
{
    if (job->body_fd >= 0)
        *theirs = fcntl(job->body_fd, F_DUPFD_CLOEXEC, 3);
    else if (!job->has_body)
        *theirs = open("/dev/null", O_RDONLY | O_CLOEXEC);
    else
        return open_pipe(job, &job->in, theirs, true, on_in);
    return *theirs < 0 ? -1 : 0;
}

static int open_life(struct cgi_job *job, int *theirs)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    *theirs = ends[1];
    return watch(job, &job->life, ends[0], on_life, EPOLLIN);
}

/* ---- the start ---- */

static void fill_limits(const struct dir_conf *conf, struct cgi_order *o)
{
    o->soft[CGI_LIMIT_CPU] = conf->rlimit_cpu_soft;
    o->hard[CGI_LIMIT_CPU] = conf->rlimit_cpu_hard;
    o->soft[CGI_LIMIT_MEMORY] = conf->rlimit_memory_soft;
    o->hard[CGI_LIMIT_MEMORY] = conf->rlimit_memory_hard;
    o->soft[CGI_LIMIT_PROCESSES] = conf->rlimit_processes_soft;
    o->hard[CGI_LIMIT_PROCESSES] = conf->rlimit_processes_hard;
}

static int launch(struct cgi_job *job)
{
    struct request *r = job->request;
    struct cgi_order order = {.grace_ms = LIMIT_CGI_GRACE_MS};
    int fds[CGI_FDS] = {-1, -1, -1, -1, -1}, result = -1;
    if (!job->prepared) {
        env_add_common(r);
        env_add_cgi(r);
        job->prepared = true;
    }
    fill_limits(r->conf, &order);
    fds[CGI_FD_WORDS] = cgi_words_write(r, &order);
    if (fds[CGI_FD_WORDS] >= 0 && open_input(job, &fds[CGI_FD_IN]) == 0 && open_pipe(job, &job->out, &fds[CGI_FD_OUT], false, on_out) == 0 &&
        open_pipe(job, &job->err, &fds[CGI_FD_ERR], false, on_err) == 0 && open_life(job, &fds[CGI_FD_LIFE]) == 0)
        result = cgi_launch(job->pool, &order, fds);
    int error = errno;
    close_fds(fds);
    if (result < 0)
        cgi_job_close(job);
    errno = error;
    return result;
}

void cgi_job_begin(struct cgi_job *job)
{
    job->state = CGI_STARTS;
    job->moved_ns = cgi_job_now_ns(job);
    job->tries++;
    if (launch(job) == 0)
        return;
    shm_add(cgi_refused, 1);
    log_request(job->request, LEVEL_ERROR, "cgi", "script %s cannot be started: %s", job->request->filename, strerror(errno));
    cgi_job_decide(job, CGI_STATUS, errno == EMFILE || errno == ENFILE || errno == EAGAIN ? 503 : 500, NULL, true);
}

void cgi_job_refused(struct cgi_job *job)
{
    const struct request *r = job->request;
    int error = job->refused, status = 500;
    const char *more = "";
    if (job->refused_stage == CGI_STAGE_EXEC && error == ENOEXEC)
        more = " (it is no program, and does not begin with a #! line)";
    else if (job->refused_stage == CGI_STAGE_EXEC && error == ENOENT)
        more = " (the interpreter that its #! line names is not there)";
    else if (job->refused_stage == CGI_STAGE_EXEC && error == EACCES)
        status = 403;
    else if (job->refused_stage == CGI_STAGE_FORK)
        status = 503;
    shm_add(cgi_refused, 1);
    log_request(r, LEVEL_ERROR, "cgi", "script %s cannot be run: %s: %s%s", r->filename,
                job->refused_stage == CGI_STAGE_FORK ? "fork" : job->refused_stage == CGI_STAGE_FOLDER ? "chdir" :
                job->refused_stage == CGI_STAGE_LIMITS ? "setrlimit" : job->refused_stage == CGI_STAGE_WORDS ? "its arguments" : "exec",
                strerror(error), more);
    cgi_job_decide(job, CGI_STATUS, status, NULL, true);
}

/* The order was lost with the helper: nothing of the script has run, so it can be tried again. */
void cgi_job_lost(struct cgi_job *job)
{
    cgi_job_close(job);
    if (job->tries < LIMIT_CGI_STARTS) {
        cgi_job_begin(job);
        return;
    }
    shm_add(cgi_refused, 1);
    log_request(job->request, LEVEL_ERROR, "cgi", "script %s cannot be started: the helper ends before it runs", job->request->filename);
    cgi_job_decide(job, CGI_STATUS, 500, NULL, true);
}
