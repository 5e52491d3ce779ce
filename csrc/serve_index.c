/* What a folder shows, found as httpd finds it: by sub-requests, which go through translation, access, type and fix-up.
 * Where Python has handlers, or files are CGI scripts: one for each name of DirectoryIndex that is a file, and what it has become is put into the
 * request of the folder. (The index of other folders is static_dir.c's.) Where there will be a listing: one for HeaderName, one for ReadmeName. */
#include <string.h>
#include <sys/stat.h>

#include "errors.h"
#include "log.h"
#include "serve_content.h"
#include "serve_parts.h"
#include "serve_redirect.h"

/* request.look: in this order. */
enum { LOOK_INDEX, LOOK_HEADER, LOOK_README, LOOK_OVER };

static void look_on(struct request *r);

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
    char *path = *name && !strchr(name, '/') ? request_alloc(r, len + more + 2) : NULL;
    if (!path)
        return false;
    memcpy(path, r->filename, len);
    if (!ends_with_slash(r->filename)) /* DirectorySlash Off */
        path[len++] = '/';
    memcpy(path + len, name, more + 1);
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* As a client would write it: a target inside is decoded once. */
static struct request *look_up(struct request *r, const char *name, const char *args)
{
    struct buf to = {0};
    struct request *made = NULL;
    const char *folder = *name == '/' ? "" : r->uri, *slash = *folder && !ends_with_slash(folder) ? "/" : "";
    if (url_escape(&to, slice_text(folder)) == 0 && buf_addf(&to, "%s", slash) == 0 && url_escape(&to, slice_text(name)) == 0
        && (!args || buf_addf(&to, "?%s", args) == 0) && buf_add(&to, "", 1) == 0)
        made = redirect_look_up(r, to.at);
    buf_clear(&to);
    return made;
}

/* Will the answer be a listing with something above or below it? */
static bool wants_texts(struct request *r)
{
    const struct dir_conf *conf = r->conf;
    if ((!conf->index_header && !conf->index_readme) || !(conf->options & OPTION_INDEXES) || r->main_request || r->method_number != METHOD_GET
        || (conf->directory_slash && !ends_with_slash(r->uri)) || (r->path_info && *r->path_info))
        return false;
    if (!r->file_known && r->filename)
        route_stat(r);
    if (!r->file_known || !S_ISDIR(r->finfo.st_mode) || serve_content_kind(r) != CONTENT_STATIC)
        return false;
    for (int i = 0; i < conf->directory_index_count; i++)
        if (is_file(r, conf->directory_index[i]))
            return false;
    return true;
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
    r->content_languages = kept(r, index->content_languages);
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
static void look_over(struct request *r)
{
    r->look = LOOK_OVER;
    r->looking = false;
    if (!r->in_phases)
        serve_on_hub(r);
}

static void index_came(struct request *r, struct request *index, int status)
{
    if (status == 0 && became_file(index)) {
        r->index_status = 0;
        adopt(r, index);
        look_over(r);
        return;
    }
    if (status && status != 404)
        r->index_status = status;
    look_on(r);
}

/* Something to show is a file that would be served as it is. */
static void text_came(struct request *r, struct request *text, int status)
{
    if (status == 0 && serve_content_kind(text) == CONTENT_STATIC && became_file(text))
        r->beside[r->look == LOOK_README] = text;
    r->look++;
    look_on(r);
}

enum step serve_sub_over(struct request *sub, int status)
{
    struct request *r = sub->main_request;
    sub->at_phase = PHASE_CLEANUP;
    sub->resting = true;
    if (r->look == LOOK_INDEX)
        index_came(r, sub, status);
    else
        text_came(r, sub, status);
    return STEP_MOVED;
}

/* The next sub-request, or NULL: there is nothing more to look for. */
static struct request *next_look(struct request *r)
{
    struct request *sub = NULL;
    while (!sub && r->look == LOOK_INDEX && r->index_at < r->conf->directory_index_count) {
        const char *name = r->conf->directory_index[r->index_at++];
        sub = is_file(r, name) ? look_up(r, name, r->args) : NULL;
    }
    if (!sub && r->look == LOOK_INDEX)
        r->look = !r->index_status && wants_texts(r) ? LOOK_HEADER : LOOK_OVER;
    while (!sub && r->look < LOOK_OVER) {
        const char *name = r->look == LOOK_HEADER ? r->conf->index_header : r->conf->index_readme;
        sub = name && *name ? look_up(r, name, NULL) : NULL;
        r->look += !sub;
    }
    return sub;
}

/* Never waits: the sub-request may go on elsewhere. */
static void look_on(struct request *r)
{
    struct request *sub = next_look(r);
    if (!sub) {
        look_over(r);
        return;
    }
    sub->at_phase = PHASE_POST_READ_REQUEST;
    sub->behind = r->subs ? r->subs : r;
    r->subs = sub;
    serve_job(&sub->job);
}

enum step serve_index(struct request *r)
{
    bool index = wants_index(r);
    if (!index && !wants_texts(r))
        return STEP_ON;
    r->look = index ? LOOK_INDEX : LOOK_HEADER;
    r->looking = true;
    look_on(r);
    return r->looking ? STEP_MOVED : STEP_ON;
}
