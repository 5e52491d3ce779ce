/* Which configuration holds for a request. The order of httpd: Location for the early phases; redirects, aliases and DocumentRoot; then Directory
 * with .htaccess, DirectoryMatch, Files and Location together. A path that needs no look at the disk is remembered whole. */
#include "route.h"

#include <errno.h>
#include <stdlib.h>

#include "log.h"
#include "route_parts.h"

bool (*route_expr_holds)(const struct expr_conf *condition, const struct request *r);

struct route *route_new(const struct main_conf *main, route_merge_fn merge)
{
    struct route *route = calloc(1, sizeof *route);
    if (!route)
        return NULL;
    route->main = main;
    route->merge = merge;
    route->servers = calloc((size_t)main->server_count, sizeof *route->servers);
    route->hosts = host_map_new(main);
    if (!route->servers || !route->hosts)
        goto fail;
    for (int i = 0; i < main->server_count; i++)
        if (server_index_init(&route->servers[i], main->servers[i]) < 0)
            goto fail;
    return route;
fail:
    route_free(route);
    errno = ENOMEM;
    return NULL;
}

void route_free(struct route *route)
{
    if (!route)
        return;
    for (int i = 0; route->servers && i < route->main->server_count; i++)
        server_index_clear(&route->servers[i]);
    for (int i = 0; i < LIMIT_ROUTE_PATHS; i++)
        free(route->paths[i]);
    merge_cache_clear(&route->merged);
    host_map_free(route->hosts);
    free(route->servers);
    free(route);
}

static enum route_result route_fail(struct request *r, int status, const char *why)
{
    if (why)
        log_request(r, LEVEL_ERROR, "route", "%s", why);
    r->status = status;
    return ROUTE_STATUS;
}

static int ids_of(const struct server_index *index, const struct match_list *list, int *ids)
{
    for (int i = 0; i < list->count; i++)
        ids[i] = index->sections[list->at[i]]->id;
    return list->count;
}

static enum route_result location_conf(struct route *route, const struct server_index *index, struct request *r, struct match_list *found,
                                       bool may_merge, const struct dir_conf **out)
{
    int ids[LIMIT_MATCHED_SECTIONS];
    found->count = 0;
    found->overflow = false;
    match_locations(index, slice_text(r->uri), found);
    if (found->overflow)
        return route_fail(r, 500, "more Location sections hold than LIMIT_MATCHED_SECTIONS");
    enum route_result result = merge_cache_find(route, index->conf, ids, ids_of(index, found, ids), NULL, may_merge, out);
    return result == ROUTE_STATUS ? route_fail(r, 500, NULL) : result;
}

enum route_result route_location(struct route *route, struct request *r, bool may_merge)
{
    struct slice uri = slice_text(r->uri);
    const struct path_entry *e = path_find(route, r->server, uri, path_hash(r->server, uri));
    struct match_list found;
    if (!e)
        return location_conf(route, &route->servers[r->server->index], r, &found, may_merge, &r->conf);
    r->conf = e->location_conf;
    return ROUTE_OK;
}

/* What one call of route_map has found so far. */
struct mapping {
    const struct server_index *index;
    char *name;          /* arena: file name and what is behind it */
    size_t file_len;     /* of name, up to path_info once it is split */
    bool split;           /* the disk was asked: what comes out holds for this request only */
    bool may_merge;
    const char *handler; /* of a ScriptAlias */
    const struct dir_conf *location_conf, *conf;
    struct match_list locations;
    struct stat st;
};

static struct slice base_name(const struct mapping *m)
{
    size_t i = m->file_len;
    while (i && m->name[i - 1] != '/')
        i--;
    return slice_of(m->name + i, m->file_len - i);
}

static void mapping_split(struct mapping *m)
{
    m->file_len = route_split(m->name, strlen(m->name), &m->st);
    m->split = true;
}

/* Handlers that Location or an alias gave and that look at no file. */
static bool needs_file(const struct mapping *m)
{
    const char *h = m->handler ? m->handler : m->location_conf->set_handler;
    return !h || !(!strcmp(h, "mod_python") || !strcmp(h, "python-program") || !strcmp(h, "wsgi") || !strcmp(h, "asgi")
                   || !strcmp(h, "server-status") || !strcmp(h, "server-info"));
}

/* Appends the ids of the Files sections that hold: those of the server, then those inside the Directory sections that hold. -1: too many. */
static int file_ids(const struct mapping *m, const struct match_list *directories, int *ids, int count)
{
    const struct server_index *index = m->index;
    struct slice name = base_name(m);
    for (int d = -1; d < directories->count; d++) {
        int parent = d < 0 ? -1 : index->sections[directories->at[d]]->id;
        for (int i = index->directory_match_end; i < index->files_end; i++) {
            if (index->sections[i]->parent_id != parent || !match_file(index->sections[i], name))
                continue;
            if (count == LIMIT_MATCHED_SECTIONS)
                return -1;
            ids[count++] = index->sections[i]->id;
        }
    }
    return count;
}

/* Conditions see the file that the request is about to get. */
static int if_ids(const struct mapping *m, struct request *r, const struct section_conf *const *sections, int n, int *ids, int count)
{
    char *filename = r->filename, *path_info = r->path_info, behind = m->name[m->file_len];
    if (n == 0)
        return count;
    r->path_info = request_strdup(r, slice_text(m->name + m->file_len));
    m->name[m->file_len] = 0;
    r->filename = m->name;
    count = match_ifs(sections, n, r, ids, count);
    m->name[m->file_len] = behind;
    r->filename = filename;
    r->path_info = path_info;
    return count;
}

/* The same for the sections of .htaccess files: Files, then If. */
static int htaccess_ids(const struct mapping *m, struct request *r, int *ids, int count)
{
    const struct section_conf *const *sections = m->conf->htaccess_sections;
    int n = m->conf->htaccess_section_count;
    for (int i = 0; i < n; i++) {
        if (sections[i]->kind == SECTION_IF || !match_file(sections[i], base_name(m)))
            continue;
        if (count == LIMIT_MATCHED_SECTIONS)
            return -1;
        ids[count++] = sections[i]->id;
    }
    return if_ids(m, r, sections, n, ids, count);
}

/* Directory and Files, Location, If. -1: too many. */
static int all_ids(struct request *r, const struct mapping *m, const struct match_list *directories, int *ids)
{
    const struct server_index *index = m->index;
    int count = file_ids(m, directories, ids, ids_of(index, directories, ids));
    if (count < 0 || count + m->locations.count > LIMIT_MATCHED_SECTIONS)
        return -1;
    count += ids_of(index, &m->locations, ids + count);
    return if_ids(m, r, index->sections + index->location_end, index->section_count - index->location_end, ids, count);
}

static enum route_result too_many(struct request *r) { return route_fail(r, 500, "more sections hold than LIMIT_MATCHED_SECTIONS"); }

/* What .htaccess files have in sections of their own is known when they have been merged, and merged in a second round. */
static enum route_result merge_all(struct route *route, struct request *r, struct mapping *m, const struct match_list *directories, const struct htaccess *h)
{
    int ids[LIMIT_MATCHED_SECTIONS], count = all_ids(r, m, directories, ids), more;
    if (count < 0)
        return too_many(r);
    enum route_result result = merge_cache_find(route, m->index->conf, ids, count, h, m->may_merge, &m->conf);
    if (result == ROUTE_OK && m->conf->htaccess_section_count) {
        if ((more = htaccess_ids(m, r, ids, count)) < 0)
            return too_many(r);
        if (more > count)
            result = merge_cache_find(route, m->index->conf, ids, more, h, m->may_merge, &m->conf);
    }
    return result == ROUTE_STATUS ? route_fail(r, 500, NULL) : result;
}

static enum route_result map_sections(struct route *route, struct request *r, struct mapping *m)
{
    struct match_list directories = {0};
    struct htaccess h;
    int status = 500;
    h.count = 0;
    match_directories(m->index, slice_of(m->name, m->file_len), &directories);
    if (m->index->conf->has_htaccess) {
        enum route_result result = htaccess_find(route, m->index, r, slice_of(m->name, m->file_len), &directories, m->may_merge, m->split, &h, &status);
        if (result != ROUTE_OK)
            return result == ROUTE_STATUS ? route_fail(r, status, NULL) : result;
        if (h.allowed && !m->split) { /* only folders that exist are looked into, and Files in them want the base name */
            mapping_split(m);
            return map_sections(route, r, m);
        }
    }
    match_directory_regexes(m->index, slice_of(m->name, m->file_len), &directories);
    if (directories.overflow)
        return route_fail(r, 500, "more Directory sections hold than LIMIT_MATCHED_SECTIONS");
    return merge_all(route, r, m, &directories, h.count ? &h : NULL);
}

/* Takes "." and ".." and empty components out of an absolute path, in place: sections compare text. */
static void path_normalize(char *path)
{
    char *to = path;
    for (const char *at = path; *at;) {
        size_t len = strcspn(at + 1, "/");
        if (len == 2 && at[1] == '.' && at[2] == '.')
            while (to > path && *--to != '/')
                continue;
        else if (len && !(len == 1 && at[1] == '.'))
            to = (char *)memmove(to, at, len + 1) + len + 1;
        if (!at[len + 1] || !at[len + 2]) { /* the last component, or the slash behind it */
            if (at[len + 1] || !len || to == path)
                *to++ = '/';
            break;
        }
        at += len + 1;
    }
    *to = 0;
}

/* m->name: the file that a Trans handler set, or what redirects, aliases and DocumentRoot say. */
static enum route_result map_name(struct request *r, struct mapping *m)
{
    int status;
    if (r->filename) {
        m->name = request_strdup(r, slice_text(r->filename));
        if (m->name && m->name[0] == '/')
            path_normalize(m->name);
        m->file_len = m->name ? strlen(m->name) : 0;
        return m->name ? ROUTE_OK : route_fail(r, 500, NULL);
    }
    enum route_result result = route_redirect(r, m->index->conf->aliases, &m->index->redirects, 0);
    if (result != ROUTE_OK)
        return result;
    m->name = route_filename(m->index, r, &m->handler, &status);
    m->file_len = m->name ? strlen(m->name) : 0;
    return m->name ? ROUTE_OK : route_fail(r, status, NULL);
}

/* r is mapped. */
static void mapping_keep(struct route *route, struct request *r, const struct mapping *m, uint64_t hash)
{
    struct path_entry entry = {.hash = hash, .server = r->server, .location_conf = m->location_conf, .conf = m->conf, .handler = m->handler,
                               .type = route_type(r, m->name)};
    path_store(route, &entry, slice_text(r->uri), slice_of(m->name, m->file_len));
}

static enum route_result mapping_done(struct request *r, struct mapping *m)
{
    r->conf = m->conf;
    if (m->split) {
        r->path_info = request_strdup(r, slice_text(m->name + m->file_len));
        r->finfo = m->st;
        r->file_known = true;
        m->name[m->file_len] = 0;
    }
    r->filename = r->canonical_filename = m->name;
    r->script_aliased = m->handler != NULL;
    if (m->handler && !r->handler)
        r->handler = (char *)m->handler;
    return ROUTE_OK;
}

static enum route_result map_known(struct request *r, const struct path_entry *e)
{
    r->filename = r->canonical_filename = request_strdup(r, slice_of(e->text + e->uri_len + 1, e->filename_len));
    if (!r->filename)
        return route_fail(r, 500, NULL);
    r->conf = e->conf;
    r->script_aliased = e->handler != NULL;
    r->typed_name = r->filename;
    r->type = e->type;
    if (e->handler && !r->handler)
        r->handler = (char *)e->handler;
    return ROUTE_OK;
}

static enum route_result map_anew(struct route *route, struct request *r, bool may_merge, uint64_t hash)
{
    struct mapping m;
    m.index = &route->servers[r->server->index];
    m.split = false;
    m.may_merge = may_merge;
    m.handler = NULL;
    enum route_result result = location_conf(route, m.index, r, &m.locations, may_merge, &m.location_conf);
    if (result != ROUTE_OK)
        return result;
    r->conf = m.location_conf;
    if ((result = map_name(r, &m)) != ROUTE_OK)
        return result;
    if (needs_file(&m) || match_any_file(m.index, slice_of(m.name, m.file_len)))
        mapping_split(&m);
    if ((result = map_sections(route, r, &m)) != ROUTE_OK)
        return result;
    bool keep = !m.split && !r->filename && m.index->location_end == m.index->section_count;
    result = mapping_done(r, &m);
    if (keep)
        mapping_keep(route, r, &m, hash);
    return result;
}

enum route_result route_map(struct route *route, struct request *r, bool may_merge)
{
    struct slice uri = slice_text(r->uri);
    uint64_t hash = path_hash(r->server, uri);
    const struct path_entry *e = r->filename ? NULL : path_find(route, r->server, uri, hash);
    return e ? map_known(r, e) : map_anew(route, r, may_merge, hash);
}

enum route_result route_fixup(struct request *r)
{
    return route_redirect(r, r->conf->redirects, NULL, r->conf->redirect_count);
}
