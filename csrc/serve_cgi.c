/* Which files are run as CGI scripts: those of a ScriptAlias, and where Options have ExecCGI; regular, executable, and not hidden. */
#include <Python.h>

#include "serve_cgi.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cgi_job.h"
#include "coro.h"
#include "log.h"
#include "response.h"
#include "route.h"
#include "serve.h"
#include "static.h"
#include "static_room.h"
#include "worker.h"

static int refuse(const struct request *r, int status, const char *why)
{
    log_request(r, status == 404 ? LEVEL_INFO : LEVEL_ERROR, "cgi", "%s: %s", r->filename, why);
    return status;
}

static bool may_run(const struct request *r) { return r->script_aliased || r->conf->options & OPTION_EXEC_CGI; }

/* The links on the way are as Options allow them; and this user may execute what is there. */
static int check_file(const struct request *r)
{
    int fd, status = static_open(r, O_PATH, &fd);
    if (status)
        return status;
    close(fd);
    if (eaccess(r->filename, X_OK) == 0)
        return 0;
    return refuse(r, 403, errno == EACCES ? "the script is not executable" : strerror(errno));
}

static int check(struct request *r, char **uri)
{
    if (!r->filename)
        return 404;
    if (!r->file_known)
        route_stat(r);
    if (static_name_is_hidden(r->filename))
        return refuse(r, 403, "files that begin with .ht are never served");
    if (!may_run(r))
        return refuse(r, 403, "Options ExecCGI is off in this directory");
    if (!r->finfo.st_mode)
        return refuse(r, 404, "script not found");
    if (S_ISDIR(r->finfo.st_mode) && r->conf->directory_slash && r->uri[strlen(r->uri) - 1] != '/')
        return static_answer(r, uri); /* to where an index may be */
    if (S_ISDIR(r->finfo.st_mode))
        return refuse(r, 403, "attempt to invoke directory as script");
    if (!S_ISREG(r->finfo.st_mode))
        return refuse(r, 403, "the script is not a file");
    if (r->conf->accept_path_info == 0 && r->path_info && *r->path_info)
        return refuse(r, 404, "AcceptPathInfo off disallows what is behind the script");
    return check_file(r);
}

static void on_over(struct request *r, const struct cgi_result *result)
{
    switch (result->outcome) {
    case CGI_ANSWERED: serve_finish(r, 0); break;
    case CGI_STATUS: serve_finish(r, result->status); break;
    case CGI_ELSEWHERE: serve_finish_elsewhere(r, result->uri); break;
    }
}

/* A filter in Python takes what the script writes, and may switch: the greenlet goes through the script's life with it. */
static int run_here(struct request *r, char **uri)
{
    int status = 500;
    struct cgi_result result;
    struct cgi_job *job = cgi_job_start(&worker->cgi, r, coro_waker(coro_current()), NULL, &status);
    if (!job)
        return status;
    while (!cgi_job_turn(job, &result))
        if (coro_park(-1) == CORO_ERROR) {
            PyErr_Clear(); /* who is thrown out has no handler that could catch it */
            cgi_job_cancel(job);
        }
    *uri = (char *)result.uri;
    return result.outcome == CGI_ANSWERED ? 0 : result.outcome == CGI_STATUS ? result.status : SERVE_CGI_ELSEWHERE;
}

int serve_cgi(struct request *r, char **uri)
{
    int status;
    status = check(r, uri);
    if (status)
        return status;
    if (coro_current() && (r->out_filter || r->in_filter))
        return run_here(r, uri);
    return cgi_job_start(&worker->cgi, r, NULL, on_over, &status) ? SERVE_CGI_LATER : status;
}
