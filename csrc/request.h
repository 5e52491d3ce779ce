/* A request and the response that is being made for it: data only, shared by the rooms that work on it.
 * It lives as long as somebody holds a reference: the connection until the answer is out, Python as long as it likes. */
#ifndef PYHOST_REQUEST_H
#define PYHOST_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "buf.h"
#include "conf.h"
#include "http_head.h"
#include "peer.h"
#include "table.h"

struct conn;
struct interp;
struct pyfilters;
struct request;

/* Something that waits: woken once, from the loop thread. Embedded in heap objects only. */
struct waker { void (*wake)(struct waker *); };
static inline void waker_wake(struct waker *w) /* NULL: nobody waits */
{
    if (w)
        w->wake(w);
}

/* Work for a worker greenlet of one interpreter (coro.h). */
struct job {
    struct job *next;
    void (*run)(struct job *);
    bool of_request; /* it is the first member of a struct request */
};
struct job_queue { struct job *first, *last; }; /* last: of no meaning where there is no first */
static inline void job_add(struct job_queue *q, struct job *job)
{
    job->next = NULL;
    *(q->first ? &q->last->next : &q->first) = job;
    q->last = job;
}
static inline struct job *job_take(struct job_queue *q) /* NULL: it is empty */
{
    struct job *job = q->first;
    if (job)
        q->first = job->next;
    return job;
}

enum response_state {
    RESPONSE_OPEN,    /* nothing sent; status and headers may change; written bytes are buffered in out */
    RESPONSE_STARTED, /* the head is on its way */
    RESPONSE_ENDED    /* the last byte has been handed to the connection, or the connection is gone */
};

/* What a slow hash, asked in another thread, said of the credentials. */
enum password_state { PASSWORD_UNKNOWN, PASSWORD_RIGHT, PASSWORD_WRONG };

/* Why a body cannot be read any further. */
enum body_state { BODY_READING, BODY_WHOLE, BODY_TIMED_OUT, BODY_BROKEN /* cut short */, BODY_MALFORMED, BODY_TOO_LARGE };

/* Stands between who makes a body and the response, and between the body and who reads it (pyfilter.c). As response_write, response_flush,
 * request_body_read; finish: the body of the response is whole. They may switch where those that call them may. */
struct request_filter {
    int (*write)(struct request *, const void *, size_t);
    int (*flush)(struct request *);
    void (*finish)(struct request *);
    long (*read)(struct request *, void *, size_t);
};

struct arena_block { struct arena_block *next; };

enum { REQUEST_INLINE_FIELDS = 100, REQUEST_ARENA_BYTES = 2048 };

struct request {
    struct job job;      /* for the ready queue of an interpreter; run set by serve */
    uint32_t refs;
    uint8_t at_phase;    /* enum phase: what serve does next; see serve.c */
    uint8_t home_phase;  /* enum phase: what it was brought to interp's queue for; 0: nothing yet */
    uint8_t response;    /* enum response_state */
    uint8_t body;        /* enum body_state */
    uint8_t password;    /* enum password_state */
    bool chunked_out;    /* the response goes out chunked */
    bool close_after;    /* the connection closes after this response */
    bool no_body_out;    /* HEAD, 1xx, 204, 205, 304: body bytes are counted and dropped */
    bool aborted;        /* client gone before the response was out */
    bool continue_due;   /* 100 Continue has to be sent when the body is first asked for */
    bool send_soon;      /* what is sent may wait for what other requests send */
    bool logged, phases_over, out_over /* response out or client gone */, in_phases /* serve's frame is on a stack */, mapped, handed_over /* an internal redirect answers in its place */, waits /* for that one to rest */, resting /* only its clean-up is left */, looking /* sub-requests look for what the folder shows */, needs_user, errors_told /* ErrorLogFormat's lines for it have been written */, error_document, own_page /* the body is the server's error page, or a text of ErrorDocument */, file_known /* finfo is valid */, no_cache, no_local_copy, content_type_set, script_aliased /* a ScriptAlias mapped it: no Options ExecCGI is needed */, assbackwards;
    struct conn *conn;   /* borrowed; NULL once the connection has let go */
    struct peer peer, local; /* the connection's two ends; for the log, which comes when it may be gone */
    uint32_t keepalives; /* requests answered on the connection before this one */
    uint64_t conn_id;    /* the connection's, unique in the worker */
    const struct main_conf *main;
    const struct server_conf *server;
    const struct dir_conf *conf; /* NULL before the first merge */
    struct interp *interp;       /* where its current phase runs; NULL: on the hub */
    int64_t start_ns;            /* monotonic, first byte of the head */
    int64_t start_us;            /* wall clock of the same moment, microseconds since the epoch */
    uint64_t id;                 /* unique in the worker */

    /* The head. bytes holds it from its first byte; spans of head are offsets into it. */
    struct http_head head;
    char *bytes;                 /* owned by the arena; NUL behind the last byte */
    char *method;                /* as sent, arena */
    uint8_t method_number;       /* enum http_method; may be changed by internal redirects to GET */
    bool header_only;
    char *unparsed_uri;          /* the target as sent */
    char *uri;                   /* decoded path; never NULL after the head */
    char *args;                  /* raw query without '?', NULL when there is no '?' */
    char *hostname;              /* without port, lower case; NULL on HTTP/1.0 without Host */
    char *filename;              /* NULL before mapping */
    char *canonical_filename;
    char *path_info;             /* NULL before mapping */
    const char *typed_name, *type; /* while filename is typed_name, its type by name is known to be type */
    struct stat finfo;           /* valid when file_known; st_mode 0: no such file */
    char *handler;               /* NULL: default (static) */
    const char *content_of;      /* serve's: the handler whose kind content says, when content_known */
    uint8_t content;
    bool content_known;
    char *user;
    char *auth_type;
    char *extension;             /* set by hook lists with an extension */
    char *useragent_ip;          /* client as told by a trusted proxy; NULL: the peer of the connection */
    struct table headers_in;     /* built on first use: request_headers_in() */
    bool headers_in_built;
    uint16_t told_port;          /* our port as a gateway protocol tells it; 0: not told */
    bool secure;                 /* https, as told by TLS or a trusted proxy */

    /* The response. */
    int status;                  /* 200 at first */
    char *status_line;           /* "404 Not here"; NULL: the standard words */
    char *content_type;          /* NULL: none is sent */
    char *content_encoding;
    char *content_languages; /* as in the header: "en,fr"; NULL: none */
    int64_t clength;             /* Content-Length the producer announced; -1: not known */
    int64_t mtime_us;            /* request.mtime, microseconds; 0: unknown */
    struct table headers_out, err_headers_out, subprocess_env, notes, trailers_in;
    struct buf out;              /* body bytes written and not yet handed to the connection */
    uint64_t body_bytes_out;     /* body bytes given to write and sendfile */
    uint64_t wire_bytes_out;     /* bytes handed to the connection, head included */
    uint64_t allowed;            /* bit per method number, for Allow */
    char *allowed_more;          /* methods without a number, for Allow: "BREW,WHEN"; NULL: none */

    /* The body, as far as it has arrived. */
    struct buf in;               /* decoded, not yet read by the handler */
    uint64_t body_bytes_in;      /* decoded bytes received so far */
    uint64_t body_bytes_read;    /* bytes the handler took */
    int64_t body_since_ns;       /* since when, and from which byte, the client is the one to be waited for; 0: since start_ns */
    uint64_t body_since_bytes;

    struct waker *on_body;       /* woken when there is more to read, or the body ended or failed; borrowed */
    struct waker *on_drain;      /* woken when the output fell below the low-water mark, or the client is gone; borrowed */
    struct waker *on_gone;       /* woken when the client went away, or its answer is out; borrowed */
    struct waker cancel;         /* ends its handler with ClientGone (PyCancelOnDisconnect); it may be on_gone, or what that goes on to tell */
    struct coro *cancelled;      /* borrowed: where it does; NULL: no handler runs */
    struct waker *on_phases_over;/* woken when nothing but its clean-up is left (for who started it as a redirect) */

    struct request *prev, *next, *main_request; /* internal redirects and sub-requests; strong references to prev and main_request */
    struct request *subs;        /* borrowed: the newest sub-request; it is cleaned up before this one */
    struct request *behind;      /* borrowed: cleaned up after this one */
    uint8_t redirects;
    uint8_t look;                /* what is looked for: serve_index.c's */
    uint8_t index_at;            /* of DirectoryIndex: what is tried next */
    int index_status;            /* what came of it; 0: nothing to complain about */
    const struct request *beside[2]; /* borrowed: sub-requests whose files HeaderName and ReadmeName put above and below a listing; NULL: none */
    void *py;                    /* borrowed: the Python request object (it holds a reference on this struct), or NULL */
    const struct request_filter *out_filter, *in_filter; /* NULL: none */
    struct pyfilters *filters;   /* pyfilter.c's, in the arena; NULL: none */
    void *gate;                  /* the gate's own state for this request */

    struct arena_block *arena;   /* blocks beyond the first */
    uint32_t arena_used;
    struct http_field *fields;   /* inline_fields, or a larger owned array */
    struct http_field inline_fields[REQUEST_INLINE_FIELDS];
    char inline_arena[REQUEST_ARENA_BYTES];
};

/* Context of all: the loop thread; no GIL needed unless said. */
struct request *request_new(uint32_t limit_fields); /* refs 1; NULL with errno ENOMEM. Reused from a bounded free list */
static inline struct request *request_ref(struct request *r) { r->refs++; return r; }
void request_unref(struct request *r);
/* n bytes that live as long as the request; never NULL for n <= what memory allows, else NULL with ENOMEM. */
void *request_alloc(struct request *r, size_t n);
char *request_strdup(struct request *r, struct slice s); /* NUL-terminated copy in the arena */
/* Fields as a table: repeated ones joined by ", " (Cookie by "; "), Set-Cookie never. Built once, then live. */
struct table *request_headers_in(struct request *r);
/* The value of one field of the head, {NULL, 0} when absent. Does not build the table; sees the table's changes when it is built. */
struct slice request_header(struct request *r, enum http_field_name name, struct slice text);
/* The same by name alone, whichever it is; the first of several while the table is not built. */
struct slice request_header_named(const struct request *r, struct slice name);
/* The configuration that holds for it; where none is known (yet, or after a fault), its server's. NULL: not even that. */
static inline const struct dir_conf *request_conf(const struct request *r) { return r->conf ? r->conf : r->server ? r->server->base : NULL; }
static inline struct slice request_span(const struct request *r, struct http_span s) { return slice_of(r->bytes + s.at, s.len); }

#endif
