/* What makes the content of a request, and the index of a folder that a handler in Python answers for. */
#include "serve_content.h"

#include <string.h>
#include <sys/stat.h>

#include "pyphase.h"
#include "route.h"

static enum content content_by_name(const struct request *r)
{
    if (!r->handler)
        return CONTENT_STATIC;
    if (strcmp(r->handler, "mod_python") == 0 || strcmp(r->handler, "python-program") == 0)
        return pyphase_has(r, PHASE_CONTENT) ? CONTENT_MOD_PYTHON : CONTENT_STATIC;
    return strcmp(r->handler, "wsgi") == 0 ? CONTENT_WSGI : strcmp(r->handler, "asgi") == 0 ? CONTENT_ASGI : CONTENT_STATIC;
}

/* Asked twice, and strings are compared: remembered for the handler it was asked for. */
enum content serve_content_kind(struct request *r)
{
    if (!r->content_known || r->content_of != r->handler) {
        r->content = (uint8_t)content_by_name(r);
        r->content_of = r->handler;
        r->content_known = true;
    }
    return r->content;
}

static void python_index(struct request *r)
{
    size_t len = strlen(r->filename);
    for (int i = 0; i < r->conf->directory_index_count; i++) {
        struct slice name = slice_text(r->conf->directory_index[i]);
        char *path = request_alloc(r, len + name.len + 1), *uri = request_alloc(r, strlen(r->uri) + name.len + 1);
        struct stat st;
        if (!path || !uri || !name.len || memchr(name.at, '/', name.len))
            continue;
        memcpy(path, r->filename, len);
        memcpy(path + len, name.at, name.len + 1);
        if (stat(path, &st) || !S_ISREG(st.st_mode))
            continue;
        memcpy(uri, r->uri, strlen(r->uri));
        memcpy(uri + strlen(r->uri), name.at, name.len + 1);
        r->uri = uri;
        r->filename = r->canonical_filename = path;
        r->path_info = NULL;
        r->finfo = st;
        route_handler(r);
        return;
    }
}

static bool is_folder_for_python(struct request *r)
{
    return r->file_known && S_ISDIR(r->finfo.st_mode) && r->uri[strlen(r->uri) - 1] == '/' && r->filename[strlen(r->filename) - 1] == '/' &&
           serve_content_kind(r) == CONTENT_MOD_PYTHON;
}

void serve_folder_index(struct request *r)
{
    if (is_folder_for_python(r))
        python_index(r);
}
