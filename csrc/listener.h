/* Listening sockets: opened by the master, kept over reloads, accepted from by each worker. */
#ifndef PYHOST_LISTENER_H
#define PYHOST_LISTENER_H

#include "conf.h"
#include "conn.h"

/* Opens (or takes over from old, where the address is the same) every Listen of the configuration: SO_REUSEADDR, close-on-exec, non-blocking;
 * unix sockets with their mode, stale ones removed. old may be NULL. 0, or -1 with "file:line: Listen: what failed" in error and nothing
 * left open that was not open before. Context: master. */
int listener_open_all(struct main_conf *conf, const struct main_conf *old, char *error, int room);
/* Closes those of old that conf does not use (conf NULL: all; unix sockets are unlinked). */
void listener_close_unused(const struct main_conf *old, const struct main_conf *conf);
/* Closes a worker's copies of what keep does not use (keep NULL: all): clients are refused once the others have closed theirs too. Context: worker. */
void listener_leave(struct main_conf *conf, const struct main_conf *keep);

struct listener { /* a worker's side of one listening socket */
    struct source source;
    struct timer resume;        /* accepting pauses after EMFILE and the like, and above the bounds */
    const struct listen_conf *conf;
    struct worker *worker;      /* borrowed */
    const struct gate *gate;
    const struct server_conf *default_server; /* for what is decided before Host is known */
    bool needs_local_address;   /* virtual hosts are told apart by our address too */
    int64_t fault_logged_ns;    /* when a failure to accept was last logged */
    bool open;
    bool aside;                 /* not open for a moment, so that others get their share */
};
struct listener *listener_start(struct worker *worker, const struct listen_conf *conf); /* NULL with errno */
/* The virtual host for a Host name (lower case, no port) on this connection. */
const struct server_conf *listener_server(const struct conn *c, struct slice host);
/* Goes on with the tables of another configuration (worker->route) that has the same socket. */
void listener_use(struct listener *l, const struct listen_conf *conf);
void listener_pause(struct listener *l, int64_t until_ns);
void listener_resume(struct listener *l);
void listener_stop(struct listener *l); /* accepts what is in the queue, then stops */
void listener_free(struct listener *l);

#endif
