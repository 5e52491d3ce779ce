// sources: errors.c buf.c table.c request.c
// The server's own pages: nothing of a client gets out of its text or its attribute.
#include "check.h"
#include "errors.h"
#include "request.h"

static void check_escapes(void)
{
    static const struct { const char *in, *html, *url; } rows[] = {
        {"", "", ""}, {"plain.txt", "plain.txt", "plain.txt"},
        {"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;", "%3Cscript%3Ealert(1)%3C/script%3E"},
        {"a&b\"c'd", "a&amp;b&quot;c&#39;d", "a%26b%22c%27d"}, {"javascript:x", "javascript:x", "javascript%3Ax"},
        {"a b?c#d%e", "a b?c#d%e", "a%20b%3Fc%23d%25e"}, {"\xc3\xa9\xff", "\xc3\xa9\xff", "%C3%A9%FF"},
        {"line\nbreak\x1b\x7f", "line\xef\xbf\xbd" "break\xef\xbf\xbd\xef\xbf\xbd", "line%0Abreak%1B%7F"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct guarded g = guard_copy(rows[i].in, strlen(rows[i].in));
        struct buf html = {0}, url = {0};
        CHECK(html_escape(&html, slice_of(g.at, g.len)) == 0 && slice_is(slice_text(rows[i].html), html.at, html.len), "%s: %.*s", rows[i].in, (int)html.len, html.at);
        CHECK(url_escape(&url, slice_of(g.at, g.len)) == 0 && slice_is(slice_text(rows[i].url), url.at, url.len), "%s: %.*s", rows[i].in, (int)url.len, url.at);
        buf_clear(&html);
        buf_clear(&url);
        guard_free(&g);
    }
}

static bool page_has(const struct buf *page, const char *text) { return memmem(page->at, page->len, text, strlen(text)) != NULL; }

static void check_page(void)
{
    struct server_conf server = {.server_name = "example.org", .server_admin = "root@example.org", .server_signature = 2, .server_tokens = 5};
    struct request *r = request_new(8);
    struct buf page = {0};
    char host[] = "<b>host";
    r->server = &server;
    r->hostname = host;
    CHECK(errors_page(&page, 404, "Not Found", r) == 0, "page");
    CHECK(page_has(&page, "<title>404 Not Found</title>") && page_has(&page, "moved or removed"), "%.*s", (int)page.len, page.at);
    CHECK(page_has(&page, "pyhost at &lt;b&gt;host") && page_has(&page, "mailto:root@example.org") && !page_has(&page, "<b>"), "signature");
    buf_clear(&page);
    server.server_signature = 0;
    CHECK(errors_page(&page, 404, "Not <i>Found", r) == 0 && !page_has(&page, "pyhost") && !page_has(&page, "<i>"), "no signature");
    buf_clear(&page);
    table_set(&r->err_headers_out, SLICE("Location"), SLICE("http://x/\"><script>"));
    CHECK(errors_page(&page, 301, "Moved", r) == 0 && page_has(&page, "href=\"http://x/&quot;&gt;&lt;script&gt;\""), "%.*s", (int)page.len, page.at);
    buf_clear(&page);
    table_set(&r->err_headers_out, SLICE("Location"), SLICE("javascript:alert(1)"));
    CHECK(errors_page(&page, 302, "Found", r) == 0 && !page_has(&page, "href"), "only web addresses are links");
    buf_clear(&page);
    table_set(&r->err_headers_out, SLICE("Location"), SLICE(""));
    CHECK(errors_page(&page, 302, "Found", r) == 0 && !page_has(&page, "href"), "an empty one is none");
    buf_clear(&page);
    for (int status = 300; status < 600; status++) {
        CHECK(errors_page(&page, status, "Reason", NULL) == 0 && page_has(&page, "</html>"), "%d", status);
        buf_clear(&page);
    }
    request_unref(r);
}

/* A buffer that is full ends the page with an error, not with half of it. */
static void check_full(void)
{
    struct buf page = {0};
    CHECK(errors_page(&page, 404, "Not Found", NULL) == 0, "whole");
    uint32_t whole = page.len;
    buf_clear(&page);
    for (uint32_t max = 1; max < whole; max += 97) {
        page.max = max;
        CHECK(errors_page(&page, 404, "Not Found", NULL) < 0, "%u of %u bytes", max, whole);
        buf_clear(&page);
    }
}

int main(void)
{
    check_escapes();
    check_page();
    check_full();
    return check_result();
}
