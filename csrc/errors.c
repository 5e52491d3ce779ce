/* The server's own pages. They are complete documents with their style inside: nothing is loaded, so they work when nothing else does. */
#include "errors.h"

#include <stdio.h>

#include "request.h"
#include "version.h"

/* Light and dark by what the reader prefers; system fonts; readable on a phone. */
static const char STYLE[] =
    ":root{color-scheme:light dark;--text:#1c2230;--dim:#5d6575;--page:#fbfbfd;--line:#e2e5ec;--link:#1b57c0;--hover:#f0f3f9}"
    "@media(prefers-color-scheme:dark){:root{--text:#e5e8ef;--dim:#9aa2b1;--page:#15171c;--line:#2b2f38;--link:#86b4ff;--hover:#1e2129}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--page);color:var(--text);font:1rem/1.55 system-ui,-apple-system,\"Segoe UI\",sans-serif}"
    "main{max-width:58rem;margin:0 auto;padding:clamp(1.5rem,6vw,4rem) 1.25rem 3rem}"
    "h1{font-size:1.6rem;line-height:1.25;font-weight:650;margin:0 0 .75rem;overflow-wrap:anywhere}"
    "p{margin:.5rem 0;max-width:40rem}"
    "a{color:var(--link);text-underline-offset:.2em}"
    "footer{margin-top:2.5rem;padding-top:.75rem;border-top:1px solid var(--line);color:var(--dim);font-size:.85rem}";

static const char ERROR_STYLE[] = ".status{color:var(--dim);font-variant-numeric:tabular-nums;font-weight:500;margin-right:.5rem}";

int html_escape(struct buf *to, struct slice text)
{
    size_t from = 0;
    for (size_t i = 0; i <= text.len; i++) {
        unsigned char c = i < text.len ? (unsigned char)text.at[i] : 0;
        const char *entity = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : c == '\'' ? "&#39;" : NULL;
        if (!entity && (c < 0x20 || c == 0x7f))
            entity = i < text.len ? "\xef\xbf\xbd" : ""; /* U+FFFD: a control byte is shown, never obeyed */
        if (!entity)
            continue;
        if ((i > from && buf_add(to, text.at + from, i - from) < 0) || buf_add(to, entity, strlen(entity)) < 0)
            return -1;
        from = i + 1;
    }
    return 0;
}

static bool url_is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~/!$*+,;=@()", c));
}

int url_escape(struct buf *to, struct slice path)
{
    static const char digits[] = "0123456789ABCDEF";
    char *room = buf_room(to, path.len * 3);
    if (!room)
        return path.len ? -1 : 0;
    size_t used = 0;
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.at[i];
        if (url_is_plain(c)) {
            room[used++] = (char)c;
            continue;
        }
        room[used++] = '%';
        room[used++] = digits[c >> 4];
        room[used++] = digits[c & 15];
    }
    to->len += (uint32_t)used;
    return 0;
}

int page_begin(struct buf *to, struct slice title, const char *style)
{
    static const char head[] = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                               "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>";
    if (buf_add(to, head, sizeof head - 1) < 0 || html_escape(to, title) < 0)
        return -1;
    return buf_addf(to, "</title>\n<style>%s%s</style>\n</head>\n<body>\n<main>\n", STYLE, style);
}

/* "pyhost/1.2 at example.org, port 80", as ServerSignature says. */
static int page_signature(struct buf *to, const struct request *r)
{
    const struct server_conf *server = r ? r->server : NULL;
    if (!server || !server->server_signature)
        return 0;
    const char *host = server->use_canonical_name || !r->hostname ? server->server_name : r->hostname;
    if (buf_addf(to, "<footer>%s", version_words(server->server_tokens)) < 0)
        return -1;
    if (host && (buf_add(to, " at ", 4) < 0 || html_escape(to, slice_text(host)) < 0))
        return -1;
    if (server->server_signature == 2 && server->server_admin && strchr(server->server_admin, '@')) {
        if (buf_add(to, " · <a href=\"mailto:", 20) < 0 || url_escape(to, slice_text(server->server_admin)) < 0
            || buf_add(to, "\">", 2) < 0 || html_escape(to, slice_text(server->server_admin)) < 0 || buf_add(to, "</a>", 4) < 0)
            return -1;
    }
    return buf_add(to, "</footer>\n", 10);
}

int page_end(struct buf *to, const struct request *r)
{
    static const char end[] = "</main>\n</body>\n</html>\n";
    return page_signature(to, r) < 0 ? -1 : buf_add(to, end, sizeof end - 1);
}

/* What the reader can do about it, where there is something. */
static const char *errors_sentence(int status)
{
    static const struct { short status; const char *sentence; } sentences[] = {
        {400, "The browser sent a request that this server could not understand."},
        {401, "This page needs a user name and a password, and those given were missing or not accepted."},
        {403, "You do not have permission to see this page."},
        {404, "There is nothing at this address. It may have been moved or removed, or the address may be mistyped."},
        {405, "This address does not accept this kind of request."},
        {406, "There is no version of this page in a form that your browser accepts."},
        {408, "The request took too long to arrive. Reloading the page may help."},
        {409, "The request conflicts with the present state of this address."},
        {410, "What was here has been removed for good."},
        {411, "The request has to say how long its content is."},
        {412, "The page has changed, or has not, against what the request asked for."},
        {413, "What was sent is larger than this server takes."},
        {414, "The address is longer than this server takes."},
        {415, "This address does not take content of this type."},
        {416, "The part of the file that was asked for does not exist."},
        {417, "The request expects something that this server does not do."},
        {421, "This server does not answer for the host that was asked for."},
        {422, "The content was understood, but could not be processed."},
        {426, "This address needs another protocol."},
        {429, "Too many requests came in a short time. Please wait a little before trying again."},
        {431, "The header of the request is larger than this server takes; clearing the cookies of this site may help."},
        {500, "Something went wrong on the server. The details are in its error log."},
        {501, "This server does not know this kind of request."},
        {502, "A server behind this one did not answer as it should."},
        {503, "The server cannot take the request just now. Please try again in a moment."},
        {504, "The answer took too long to make. Please try again later."},
        {505, "This server does not speak the version of HTTP that was asked for."},
        {507, "The server has run out of room."},
        {508, "The address leads back to itself."},
    };
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++)
        if (sentences[i].status == status)
            return sentences[i].sentence;
    return status >= 500 ? "The server could not answer the request." : "The request could not be answered.";
}

/* RFC 9110 15.4: a redirect names its target for those who do not follow by themselves. */
static int errors_target(struct buf *to, const struct request *r)
{
    const struct table_entry *e = r ? table_find(&r->err_headers_out, SLICE("Location")) : NULL;
    if (r && !e)
        e = table_find(&r->headers_out, SLICE("Location"));
    if (!e || !e->value)
        return buf_addf(to, "<p>The document has moved.</p>\n");
    struct slice target = slice_of(e->value, e->value_len);
    bool web = target.len && (*target.at == '/' || (target.len > 8 && (strncasecmp(target.at, "http://", 7) == 0 || strncasecmp(target.at, "https://", 8) == 0)));
    if (!web)
        return buf_addf(to, "<p>The document has moved.</p>\n");
    if (buf_addf(to, "<p>The document has moved <a href=\"") < 0 || html_escape(to, target) < 0)
        return -1;
    return buf_addf(to, "\">here</a>.</p>\n");
}

int errors_page(struct buf *to, int status, const char *reason, const struct request *r)
{
    char title[128];
    snprintf(title, sizeof title, "%d %s", status, reason);
    if (page_begin(to, slice_text(title), ERROR_STYLE) < 0 || buf_addf(to, "<h1><span class=\"status\">%d</span>", status) < 0
        || html_escape(to, slice_text(reason)) < 0 || buf_add(to, "</h1>\n", 6) < 0)
        return -1;
    bool moved = status >= 300 && status < 400;
    if (moved ? errors_target(to, r) < 0 : buf_addf(to, "<p>%s</p>\n", errors_sentence(status)) < 0)
        return -1;
    return page_end(to, r);
}
