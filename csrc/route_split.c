/* A path and the files it meets: where file name ends and path_info begins, and which .htaccess files lie on the way. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "log.h"
#include "route_parts.h"

/* How coarse file times are (a tick of the kernel is 1 to 10 ms), with much to spare: two changes within it may look alike. */
enum { SETTLED_NS = 50 * 1000000 };

/* End of the first k components of a path. */
static size_t component_end(const char *name, size_t len, size_t k)
{
    size_t i = 0;
    for (; k; k--) {
        while (i < len && name[i] == '/')
            i++;
        while (i < len && name[i] != '/')
            i++;
    }
    return i;
}

static bool exists(char *name, size_t end, struct stat *st)
{
    char kept = name[end];
    name[end] = 0;
    bool found = stat(end ? name : "/", st) == 0;
    name[end] = kept;
    return found;
}

/* How many components exist: below that all do, above none, so halving finds it with few calls however long the path is. */
static size_t components_existing(char *name, size_t len, size_t count)
{
    struct stat st;
    size_t low = 0, high = count, probe = count - 1; /* low exists, high + 1 does not; most often only the last is missing */
    if (exists(name, component_end(name, len, count), &st))
        return count;
    high = count - 1;
    while (low < high) {
        if (exists(name, component_end(name, len, probe), &st))
            low = probe;
        else
            high = probe - 1;
        probe = low + (high - low + 1) / 2;
    }
    return low;
}

size_t route_split(char *name, size_t len, struct stat *st)
{
    if (stat(name, st) == 0)
        return len;
    size_t count = (size_t)directory_depth(slice_of(name, len)), found = count ? components_existing(name, len, count) : 0;
    size_t end = component_end(name, len, found);
    if (exists(name, end, st) && !S_ISDIR(st->st_mode))
        return end;
    memset(st, 0, sizeof *st);
    return component_end(name, len, found + 1);
}

void route_stat(struct request *r)
{
    if (r->file_known || !r->filename)
        return;
    size_t len = strlen(r->filename), end = route_split(r->filename, len, &r->finfo);
    r->path_info = request_strdup(r, slice_of(r->filename + end, len - end));
    r->filename[end] = 0;
    r->file_known = true;
}

static int64_t nanoseconds(struct timespec t) { return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec; }

static void htaccess_add(struct htaccess *out, char *path, const struct stat *st)
{
    struct timespec now;
    struct file_identity *id = &out->files[out->count];
    *id = (struct file_identity){.mtime_ns = nanoseconds(st->st_mtim), .ctime_ns = nanoseconds(st->st_ctim), .size = st->st_size,
                                 .inode = st->st_ino, .device = st->st_dev};
    clock_gettime(CLOCK_REALTIME, &now);
    out->unsettled |= llabs(nanoseconds(now) - id->ctime_ns) < SETTLED_NS; /* a clock that was set back must not make it so for hours */
    out->paths[out->count++] = path;
}

/* What cannot be looked at or read might be there to forbid something: 403, as httpd. */
static enum route_result htaccess_look(const struct server_conf *server, struct request *r, struct slice folder, struct htaccess *out, int *status)
{
    const char *name = server->access_file_name ? server->access_file_name : ".htaccess";
    size_t room = folder.len + strlen(name) + 2;
    struct stat st;
    char *path = request_alloc(r, room);
    *status = 500;
    if (!path)
        return ROUTE_STATUS;
    snprintf(path, room, "%.*s/%s", (int)folder.len, folder.at, name);
    if (stat(path, &st) < 0) {
        bool cannot_exist = errno == ENAMETOOLONG && room <= PATH_MAX; /* a component longer than any name */
        if (errno == ENOENT || errno == ENOTDIR || cannot_exist)
            return ROUTE_OK;
        *status = 403;
        log_request(r, LEVEL_CRIT, "route", "%s: cannot be looked at (%s): access denied", path, strerror(errno));
        return ROUTE_STATUS;
    }
    if (!S_ISREG(st.st_mode)) {
        *status = 403;
        log_request(r, LEVEL_CRIT, "route", "%s: no regular file: access denied", path);
        return ROUTE_STATUS;
    }
    if (out->count == LIMIT_HTACCESS_FILES) {
        log_request(r, LEVEL_ERROR, "route", "more than %d %s files hold for one request", LIMIT_HTACCESS_FILES, name);
        return ROUTE_STATUS;
    }
    htaccess_add(out, path, &st);
    return ROUTE_OK;
}

/* Sections of up to this depth, of those from *next on, join ids. */
static int directories_down_to(const struct server_index *index, const struct match_list *directories, int depth, int *ids, int next)
{
    for (; next < directories->count; next++) {
        const struct section_conf *s = index->sections[directories->at[next]];
        if (directory_depth(slice_of(s->pattern, (size_t)s->pattern_len)) > depth)
            break;
        ids[next] = s->id;
    }
    return next;
}

enum route_result htaccess_find(struct route *route, const struct server_index *index, struct request *r, struct slice path,
                                const struct match_list *directories, bool may_merge, bool look, struct htaccess *out, int *status)
{
    int ids[LIMIT_MATCHED_SECTIONS], count = 0, levels = directory_depth(path);
    const struct dir_conf *conf = index->conf->base;
    out->count = out->unsettled = out->allowed = 0;
    for (int depth = 0; depth <= levels; depth++) {
        int before = count;
        enum route_result result = ROUTE_OK;
        count = directories_down_to(index, directories, depth, ids, count);
        *status = 500;
        if (count > before)
            result = merge_cache_find(route, index->conf, ids, count, NULL, may_merge, &conf);
        out->allowed |= result == ROUTE_OK && conf->allow_override;
        if (result == ROUTE_OK && conf->allow_override && look)
            result = htaccess_look(index->conf, r, slice_of(path.at, component_end(path.at, path.len, (size_t)depth)), out, status);
        if (result != ROUTE_OK)
            return result;
        if (out->allowed && !look)
            break;
    }
    out->paths[out->count] = NULL;
    return ROUTE_OK;
}
