/* The index of a folder for which Python has handlers, or whose files are CGI scripts. httpd's way: a sub-request goes through translation, access, type and fix-up for each name
 * of DirectoryIndex that is a file, and what it has become is put into the request of the folder. Folders without handlers are static_dir.c's. */
#include <string.h>
#include <sys/stat.h>

#include "errors.h"
#include "log.h"
#include "serve_parts.h"
#include "serve_redirect.h"

static void index_next(struct request *r);

static bool ends_with_slash(const char *text) { return text[0] && text[strlen(text) - 1] == '/'; }

static bool wants_index(const struct request *r)
{
    bool script = r->handler && strcmp(r->handler, "cgi-script") == 0;
    return (script || r->conf->hook_phases || r->server->python_hook_phases) && !r->main_request && r->file_known && S_ISDIR(r->finfo.st_mode) &&
           ends_with_slash(r->uri) && ends_with_slash(r->filename) && !(r->path_info && *r->path_info);
}

static bool is_file(struct request *r, const char *name)
{
    struct stat st;
    size_t len = strlen(r->filename), more = strlen(name);
    char *path = *name && !strchr(name, '/') ? request_alloc(r, len + more + 1) : NULL;
    if (!path)
        return false;
    memcpy(path, r->filename, len);
    memcpy(path + len, name, more + 1);
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* As a client would write it: a target inside is decoded once. */
static struct request *look_up(struct request *r, const char *name)
{
    struct buf to = {0};
    struct request *made = NULL;
    if (url_escape(&to, slice_text(r->uri)) == 0 && url_escape(&to, slice_text(name)) == 0 && (!r->args || buf_addf(&to, "?%s", r->args) == 0) &&
        buf_add(&to, "", 1) == 0)
        made = redirect_look_up(r, to.at);
    buf_clear(&to);
    return made;
}

static void add_all(struct table *to, const struct table *from)
{
    for (uint32_t i = 0; i < from->count; i++)
        if (from->entries[i].value)
            table_set(to, slice_of(from->entries[i].key, from->entries[i].key_len), slice_of(from->entries[i].value, from->entries[i].value_len));
}

static char *kept(struct request *r, const char *text) { return text ? request_strdup(r, slice_text(text)) : NULL; }

/* httpd's internal fast redirect: the request becomes that of the index. */
static void adopt(struct request *r, struct request *index)
{
    r->uri = kept(r, index->uri);
    r->filename = kept(r, index->filename);
    r->canonical_filename = kept(r, index->canonical_filename);
    r->path_info = NULL;
    r->finfo = index->finfo;
    r->file_known = index->file_known;
    r->conf = index->conf;
    r->handler = kept(r, index->handler);
    r->content_known = false;
    r->content_type = kept(r, index->content_type);
    r->content_type_set = index->content_type_set;
    r->content_encoding = kept(r, index->content_encoding);
    r->extension = kept(r, index->extension);
    r->script_aliased = index->script_aliased;
    r->user = kept(r, index->user);
    r->auth_type = kept(r, index->auth_type);
    add_all(&r->notes, &index->notes);
    add_all(&r->subprocess_env, &index->subprocess_env);
    add_all(&r->headers_out, &index->headers_out);
    add_all(&r->err_headers_out, &index->err_headers_out);
}

static bool became_file(struct request *index)
{
    if (!index->file_known && index->filename)
        route_stat(index);
    return index->uri && index->filename && index->file_known && S_ISREG(index->finfo.st_mode);
}

/* The request of the folder goes on: here, where it is on the stack, or on the hub. */
static void index_over(struct request *r)
{
    r->index_due = false;
    if (!r->in_phases)
        serve_on_hub(r);
}

enum step serve_sub_over(struct request *index, int status)
{
    struct request *r = index->main_request;
    index->at_phase = PHASE_CLEANUP;
    index->resting = true;
    if (status == 0 && became_file(index)) {
        r->index_status = 0;
        adopt(r, index);
        index_over(r);
    } else {
        if (status && status != 404)
            r->index_status = status;
        index_next(r);
    }
    return STEP_MOVED;
}

/* Never waits: the sub-request may go on elsewhere. */
static void index_next(struct request *r)
{
    while (r->index_at < r->conf->directory_index_count) {
        const char *name = r->conf->directory_index[r->index_at++];
        struct request *index = is_file(r, name) ? look_up(r, name) : NULL;
        if (!index)
            continue;
        index->at_phase = PHASE_POST_READ_REQUEST;
        index->behind = r->subs ? r->subs : r;
        r->subs = index;
        serve_job(&index->job);
        return;
    }
    index_over(r);
}

enum step serve_index(struct request *r)
{
    if (!wants_index(r))
        return STEP_ON;
    r->index_due = true;
    index_next(r);
    return r->index_due ? STEP_MOVED : STEP_ON;
}
