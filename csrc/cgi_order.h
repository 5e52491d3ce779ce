/* What worker, helper and the guard of a script say to each other. The worker never forks: it hands an order with five descriptors to the helper, a
 * small process without Python, which forks the guard; the guard runs the script, waits for it, and ends everything that it has left behind.
 * Worker and guard talk over a socket of their own, so that neither a helper nor a worker that dies leaves a script alone or a tree alive. */
#ifndef PYHOST_CGI_ORDER_H
#define PYHOST_CGI_ORDER_H

#include <stdint.h>

enum { CGI_HELPER_FD = 3 };                /* the helper's end of its socket (SOCK_SEQPACKET) */
#define CGI_HELPER_NAME "pyhost: cgi helper" /* its argv[0] */

enum cgi_fd { CGI_FD_IN, CGI_FD_OUT, CGI_FD_ERR, CGI_FD_LIFE, CGI_FD_WORDS, CGI_FDS };
enum cgi_limit { CGI_LIMIT_CPU, CGI_LIMIT_MEMORY, CGI_LIMIT_PROCESSES, CGI_LIMITS };

/* The words lie in a file in memory: path NUL, folder NUL, arguments each with NUL, then variables "NAME=value" NUL. */
struct cgi_order {
    uint32_t bytes;                    /* of the words */
    uint32_t arguments, variables;     /* how many; arguments counts argv[0] */
    uint32_t grace_ms;                 /* from TERM to KILL */
    int64_t soft[CGI_LIMITS], hard[CGI_LIMITS]; /* 0: as the server's; -1: the most that is allowed */
};

/* Guard to worker. The end of the stream: nothing of the script is alive any more (or all of it was let go). */
enum cgi_report_kind {
    CGI_STARTED, /* value: its pid, which is that of its process group too; its descriptors are the script's alone now */
    CGI_REFUSED, /* value: errno; stage */
    CGI_ENDED    /* value: status of wait() */
};
enum cgi_stage { CGI_STAGE_FORK, CGI_STAGE_WORDS, CGI_STAGE_FOLDER, CGI_STAGE_LIMITS, CGI_STAGE_EXEC };
struct cgi_report { int32_t kind, value, stage; };

/* Worker to guard. The end of the stream: end the script and all that came of it. */
enum { CGI_LET_GO = 'g' }; /* the answer is whole: what the script left behind is its own affair; the script itself gets grace_ms to end */

/* main() of the helper; soft_files: the limit on descriptors that scripts get. Returns the exit code when the worker is gone. */
int cgi_helper_main(const char *soft_files);
/* In the helper's child: runs the order with these descriptors and guards it. */
_Noreturn void cgi_guard_run(const struct cgi_order *order, int fds[CGI_FDS]);

#endif
