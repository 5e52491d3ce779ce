/* Which configuration holds for a request: virtual host, Location, URI to file, Directory, Files. Pure look-ups in frozen tables
 * plus the stat calls that mapping needs; merged sets are cached by the list of matching sections. */
#ifndef PYHOST_ROUTE_H
#define PYHOST_ROUTE_H

#include "request.h"

struct route; /* indexes over one main_conf; owned by the worker */
/* Does the condition of an <If> hold? Set by who knows expressions; NULL: none does. */
extern bool (*route_expr_holds)(const struct expr_conf *condition, const struct request *r);

/* Makes a dir_conf for the sections ids (count of them, in merge order) of the server with these .htaccess files merged between
 * them (paths, shallow first; NULL-terminated). NULL: failed (logged), answer 500. Called on the hub only, it may run Python. */
typedef const struct dir_conf *(*route_merge_fn)(const struct server_conf *server, const int *ids, int count, const char *const *htaccess);

enum route_result {
    ROUTE_OK,
    ROUTE_STATUS,   /* r->status says what to answer; redirects have put Location into err_headers_out */
    ROUTE_NEEDS_HUB /* a merge is needed and may_merge was false: call again on the hub */
};

/* Context of all: the loop thread. */
struct route *route_new(const struct main_conf *main, route_merge_fn merge); /* NULL with errno */
void route_free(struct route *route);
/* The virtual host for a request to the local address (family/address/port of the socket) and the Host name (lower case, no port; may be empty). */
const struct server_conf *route_server(const struct route *route, const struct address_conf *local, struct slice host);
/* Is every virtual host reachable at this listener chosen by name only, so that the local address need not be known? */
bool route_needs_local_address(const struct route *route, const struct listen_conf *listen);
/* r->uri -> r->conf by Location sections only (what holds before mapping: PostReadRequest, Trans). */
enum route_result route_location(struct route *route, struct request *r, bool may_merge);
/* r->uri -> redirects, aliases, DocumentRoot -> r->filename, canonical_filename, path_info, finfo -> r->conf with Directory, .htaccess, Files and
 * Location merged. When the handler that Location sections set needs no file (mod_python, wsgi …), no stat is made: file_known stays
 * false and filename is the unsplit path; route_stat does the rest on demand. A filename that a Trans handler set is kept. */
enum route_result route_map(struct route *route, struct request *r, bool may_merge);
/* Redirects of the merged configuration (Redirect in Directory, Location, .htaccess). Belongs behind access control, with the fixups, as in
 * httpd. ROUTE_STATUS as above, else ROUTE_OK. */
enum route_result route_fixup(struct request *r);
/* Splits filename into filename and path_info at the first component that does not exist and fills finfo. */
void route_stat(struct request *r);
/* The handler by SetHandler, AddHandler (extension) or NULL for static; sets r->handler and, when unset, content_type from AddType/TypesConfig. */
void route_handler(struct request *r);
/* MIME type of a file name by AddType/ForceType/TypesConfig, or NULL. */
const char *route_type(const struct request *r, const char *name);

#endif
