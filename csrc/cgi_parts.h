/* What the files of a running script share; nobody outside includes it. */
#ifndef PYHOST_CGI_PARTS_H
#define PYHOST_CGI_PARTS_H

#include "cgi_answer.h"
#include "cgi_job.h"
#include "limit.h"

enum { CGI_PIECE_BYTES = 32768 };

enum cgi_state {
    CGI_GATHERS, /* a body of unknown length is written to a file first: RFC 3875 4.1.2 wants its length */
    CGI_WAITS,   /* for a place */
    CGI_STARTS,  /* the order is on its way */
    CGI_RUNS,
    CGI_OVER     /* the request has its answer; what is left is the script's end */
};

struct cgi_job {
    struct deferred step;
    struct cgi_job *prev, *next;      /* the pool's */
    struct cgi_pool *pool;            /* borrowed */
    struct request *request;          /* strong */
    struct waker *sitter;             /* borrowed; NULL: it goes on by itself */
    void (*over)(struct request *, const struct cgi_result *);
    struct waker on_body, on_drain, on_gone;
    struct source in, out, err, life; /* ours; in is written to; fd -1: closed */
    struct timer timer;
    struct cgi_place place;
    int64_t moved_ns;                 /* when the script last did something */
    int64_t timeout_ns, until_ns;     /* without a sign of the script; in all (0: for ever) */
    int64_t gone_ns;                  /* when the client closed its side; 0: it has not */
    struct cgi_result result;         /* valid in CGI_OVER */
    struct buf unsent;                /* body that the pipe did not take */
    struct buf head;                  /* of the answer, as far as it has come */
    struct buf line;                  /* of its standard error */
    char *piece;                      /* owned: CGI_PIECE_BYTES */
    uint32_t most;                    /* PyCGIProcesses */
    uint32_t logged_bytes;
    int body_fd;                      /* the gathered body; -1: none */
    int script_pid, refused, refused_stage;
    uint8_t state, tries;             /* enum cgi_state */
    bool queued : 1, prepared : 1, nph : 1, has_body : 1, head_done : 1, raw : 1, ended : 1, hung_up : 1, let_go : 1, drops : 1;
    struct cgi_answer answer;
};

/* ---- cgi_job.c ---- */
void cgi_job_wake(struct cgi_job *job);                        /* something to do in this turn */
void cgi_job_decide(struct cgi_job *job, enum cgi_outcome outcome, int status, const char *uri, bool end_it); /* once; end_it: kill the tree */
static inline bool cgi_job_open(const struct cgi_job *job) { return job->state != CGI_OVER; }

#define CGI_JOB_OF(pointer, member) ((struct cgi_job *)((char *)(pointer) - offsetof(struct cgi_job, member)))
static inline int64_t cgi_job_now_ns(const struct cgi_job *job) { return job->pool->loop->now_ns; }

/* ---- cgi_start.c ---- */
void cgi_job_begin(struct cgi_job *job);                       /* it has its place: order the script */
void cgi_job_refused(struct cgi_job *job);                     /* the guard could not run it */
void cgi_job_lost(struct cgi_job *job);                        /* the helper has died with the order */
void cgi_job_close(struct cgi_job *job);                       /* every descriptor */
void cgi_source_close(struct cgi_job *job, struct source *s);

/* ---- cgi_body.c ---- */
bool cgi_body_is_gathered(const struct request *r);            /* must its length be found first? */
bool cgi_body_exists(const struct request *r);
void cgi_body_gather(struct cgi_job *job);                     /* goes on; state is CGI_WAITS when it is whole */
void cgi_body_pump(struct cgi_job *job);

/* ---- cgi_output.c ---- */
void cgi_output_pump(struct cgi_job *job);                     /* standard output, while the request is open */
void cgi_output_drop(struct cgi_job *job);                     /* and when it is not */
void cgi_output_errors(struct cgi_job *job);                   /* standard error */
void cgi_output_end(struct cgi_job *job);                      /* the end of the output has been seen, or will never be */

/* ---- cgi_words.c ---- */
/* Path, folder, arguments and environment of r's script into a file in memory. Its descriptor, or -1 with errno. */
int cgi_words_write(struct request *r, struct cgi_order *order);

#endif
