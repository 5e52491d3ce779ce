/* HeaderName and ReadmeName: a file of the folder (or, by a URL path, below DocumentRoot) that stands above or below its listing. HTML as it is,
 * other text as text. It is read as a file: what a request for it would be answered does not matter, but for .ht* and links that Options forbid. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errors.h"
#include "limit.h"
#include "listing_parts.h"
#include "log.h"
#include "route.h"

static void left_out(const struct request *r, const char *path, const char *why)
{
    log_request(r, LEVEL_WARN, "static", "%s is left out of the listing: %s", path, why);
}

static int read_all(int fd, struct buf *to)
{
    for (;;) {
        char *room = buf_room(to, 16384);
        ssize_t n = room ? read(fd, room, 16384) : -1;
        if (n < 0 && room && errno == EINTR)
            continue;
        if (n <= 0)
            return (int)n;
        to->len += (uint32_t)n;
    }
}

/* Does its type, or the want of one, let it be shown? */
static bool type_is_text(const struct request *r, const char *path, bool *is_html)
{
    const char *slash = strrchr(path, '/'), *type = route_type(r, slash ? slash + 1 : path);
    *is_html = type && (strncmp(type, "text/html", 9) == 0 || strncmp(type, "application/xhtml", 17) == 0);
    return !type || *is_html || strncmp(type, "text/", 5) == 0;
}

static void text_take(const struct request *r, const char *path, int fd, struct listing_text *out)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        left_out(r, path, "it is no file");
    else if (st.st_size > LIMIT_LISTING_TEXT_BYTES)
        left_out(r, path, "it is longer than LIMIT_LISTING_TEXT_BYTES");
    else if (!type_is_text(r, path, &out->is_html))
        left_out(r, path, "its type is not text");
    else if (read_all(fd, &out->text) < 0) {
        left_out(r, path, strerror(errno));
        buf_clear(&out->text);
    }
}

void listing_text_read(const struct request *r, const char *name, struct listing_text *out)
{
    char *path = NULL;
    int fd;
    *out = (struct listing_text){.text = {.max = LIMIT_LISTING_TEXT_BYTES + 16384}};
    if (!name || !*name || static_name_is_hidden(name))
        return;
    const char *folder = *name == '/' ? r->server->document_root : r->filename;
    if (!folder || asprintf(&path, "%.*s/%s", (int)static_root_len(folder), folder, name + (*name == '/')) < 0)
        return;
    if (static_open_path_of(r, *name == '/' ? folder : NULL, path, O_NONBLOCK, &fd) == 0) {
        text_take(r, path, fd, out);
        close(fd);
    }
    free(path);
}

int listing_text_add(struct buf *to, const struct listing_text *text)
{
    struct slice words = slice_of(text->text.at, text->text.len);
    if (!words.len)
        return 0;
    if (text->is_html)
        return buf_add(to, words.at, words.len);
    return buf_addf(to, "<pre>") < 0 || html_escape(to, words) < 0 ? -1 : buf_addf(to, "</pre>\n");
}
