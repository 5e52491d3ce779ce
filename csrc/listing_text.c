/* HeaderName and ReadmeName: what stands above or below a listing. HTML as it is, other text as text. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errors.h"
#include "limit.h"
#include "listing_parts.h"
#include "log.h"
#include "route.h"

static void left_out(const struct request *r, const char *why)
{
    log_request(r, LEVEL_WARN, "static", "%s is left out of the listing: %s", r->filename, why);
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
static bool type_is_text(const struct request *r, bool *is_html)
{
    const char *type = r->content_type ? r->content_type : route_type(r, r->filename);
    *is_html = type && (strncmp(type, "text/html", 9) == 0 || strncmp(type, "application/xhtml", 17) == 0);
    return !type || *is_html || strncmp(type, "text/", 5) == 0;
}

static void text_take(const struct request *r, int fd, struct listing_text *out)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        left_out(r, "it is no file");
    else if (st.st_size > LIMIT_LISTING_TEXT_BYTES)
        left_out(r, "it is longer than LIMIT_LISTING_TEXT_BYTES");
    else if (!type_is_text(r, &out->is_html))
        left_out(r, "its type is not text");
    else if (read_all(fd, &out->text) < 0) {
        left_out(r, strerror(errno));
        buf_clear(&out->text);
    }
}

void listing_text_read(const struct request *found, struct listing_text *out)
{
    int fd;
    *out = (struct listing_text){.text = {.max = LIMIT_LISTING_TEXT_BYTES + 16384}};
    if (!found || static_name_is_hidden(found->filename) || static_open(found, O_NONBLOCK, &fd) != 0)
        return;
    text_take(found, fd, out);
    close(fd);
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
