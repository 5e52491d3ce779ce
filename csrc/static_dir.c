/* A URL that names a directory: the redirect to its trailing slash, DirectoryIndex, or a listing. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errors.h"
#include "log.h"
#include "origin.h"
#include "response.h"
#include "static.h"
#include "static_room.h"

static bool uri_has_slash(const struct request *r)
{
    size_t len = strlen(r->uri);
    return len && r->uri[len - 1] == '/';
}

static int args_add(struct buf *to, const struct request *r) { return r->args ? buf_addf(to, "?%s", r->args) : 0; }

/* Relative links in the directory's pages only work below the trailing slash. */
static int directory_redirect(struct request *r)
{
    struct buf to = {0};
    int status = 500;
    char *url = NULL;
    if (url_escape(&to, slice_text(r->uri)) == 0 && buf_add(&to, "/", 1) == 0 && args_add(&to, r) == 0)
        url = origin_url(r, slice_of(to.at, to.len));
    if (url && table_set(&r->err_headers_out, SLICE("Location"), slice_text(url)) == 0)
        status = 301;
    buf_clear(&to);
    return status;
}

/* The URI of an index file as a client would write it. */
static int index_uri(struct request *r, const char *name, char **index)
{
    struct buf to = {0};
    int status = 500;
    if (*name != '/' && (url_escape(&to, slice_text(r->uri)) < 0 || (!uri_has_slash(r) && buf_add(&to, "/", 1) < 0)))
        goto out;
    if (url_escape(&to, slice_text(name)) < 0 || args_add(&to, r) < 0)
        goto out;
    *index = request_strdup(r, slice_of(to.at, to.len));
    if (*index)
        status = STATIC_REDIRECT;
out:
    buf_clear(&to);
    return status;
}

/* The first DirectoryIndex that is a file. One from the root of the site is taken as it is: what it is will be seen when it is served. */
static const char *index_find(const struct request *r, int dir)
{
    struct stat st;
    for (int i = 0; i < r->conf->directory_index_count; i++) {
        const char *name = r->conf->directory_index[i];
        if (*name == '/' || (fstatat(dir, name, &st, 0) == 0 && S_ISREG(st.st_mode)))
            return name;
    }
    return NULL;
}

static int directory_list(struct request *r, int dir)
{
    int status = static_method(r);
    if (status)
        return status < 0 ? 0 : status;
    if (!(r->conf->options & OPTION_INDEXES)) {
        log_request(r, LEVEL_WARN, "static", "%s: no DirectoryIndex is there, and Options have no Indexes", r->filename);
        return 403;
    }
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? static_errno_status(errno) : listing_answer(r, fd);
}

int static_directory(struct request *r, char **index)
{
    int dir;
    if (r->path_info && *r->path_info && strcmp(r->path_info, "/") != 0)
        return 404;
    int status = static_open(r, O_PATH | O_DIRECTORY, &dir);
    if (status)
        return status;
    const char *name = NULL;
    if (!uri_has_slash(r) && r->conf->directory_slash)
        status = directory_redirect(r);
    else if ((name = index_find(r, dir)))
        status = index_uri(r, name, index);
    else
        status = directory_list(r, dir);
    close(dir);
    return status;
}
