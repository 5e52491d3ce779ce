// sources: log_format.c log_items.c log_items_net.c log_escape.c log_time.c request.c table.c buf.c
/* LogFormat: every item, conditions, redirects, errors, hostile bytes, lines that do not fit. */
#include "check.h"

#include <sys/socket.h>
#include <time.h>

#include "log_parts.h"
#include "request.h"

static struct server_conf server = {.server_name = "www.example.org", .server_port = 8080, .use_canonical_name = 1};
static const char head_bytes[] = "GET /a%20b?x=1&y HTTP/1.1\r\n\r\n";

static struct request *make(void)
{
    struct request *r = request_new(100);
    r->server = &server;
    r->bytes = (char *)head_bytes;
    r->head.start = 0;
    r->head.line_len = (uint32_t)strcspn(head_bytes, "\r");
    r->head.at = sizeof head_bytes - 1;
    r->head.minor = 1;
    r->head.keep_alive = true;
    r->method = (char *)"GET";
    r->unparsed_uri = (char *)"/a%20b?x=1&y";
    r->uri = (char *)"/a b";
    r->args = (char *)"x=1&y";
    r->hostname = (char *)"asked.example.org";
    r->filename = (char *)"/www/a b";
    r->handler = (char *)"mod_python";
    r->status = 404;
    r->body_bytes_out = 512;
    r->wire_bytes_out = 700;
    r->body_bytes_in = 10;
    r->id = 42;
    r->start_us = 1790000000123456;
    r->keepalives = 3;
    r->peer = (struct peer){.address = {[10] = 0xff, [11] = 0xff, 203, 0, 113, 9}, .port = 54321, .family = AF_INET};
    r->local = (struct peer){.address = {0x20, 1, 0xd, 0xb8, [15] = 1}, .port = 443, .family = AF_INET6};
    request_headers_in(r);
    return r;
}

static size_t line(const char *format, const struct request *r, char *out, size_t room)
{
    char error[128] = "";
    struct log_format *f = log_format_new(format, error, sizeof error);
    CHECK(f != NULL, "%s: %s", format, error);
    struct log_sink sink = {out, out + room, false};
    if (f)
        log_format_line(f, r, &sink);
    log_format_free(f);
    return (size_t)(sink.at - out);
}

static void expect(const char *format, const struct request *r, const char *want)
{
    char out[2048], full[2048];
    size_t n = line(format, r, out, sizeof out);
    snprintf(full, sizeof full, "%s\n", want);
    CHECK(n == strlen(full) && memcmp(out, full, n) == 0, "%s gave %.*s, not %s", format, (int)n, out, full);
}

static void set(struct table *t, const char *name, const char *value) { table_set(t, slice_text(name), slice_text(value)); }

static void test_items(void)
{
    static const struct { const char *format, *want; } cases[] = {
        {"%h %a %{c}a %{c}h", "203.0.113.9 203.0.113.9 203.0.113.9 203.0.113.9"},
        {"%A", "2001:db8::1"}, {"%l %u", "- -"}, {"%r", "GET /a%20b?x=1&y HTTP/1.1"},
        {"%s %>s %<s", "404 404 404"}, {"%b %B", "512 512"}, {"%O %I %S", "700 39 739"},
        {"%U%q %m %H", "/a b?x=1&y GET HTTP/1.1"}, {"%v %V", "www.example.org www.example.org"},
        {"%p %{canonical}p %{local}p %{remote}p", "8080 8080 443 54321"}, {"%f %R", "/www/a b mod_python"},
        {"%X %k", "+ 3"}, {"%%h 100%% \\\"q\\\" a\\tb", "%h 100% \"q\" a\tb"},
        {"%{sec}t %{msec}t %{usec}t %{msec_frac}t %{usec_frac}t", "1790000000 1790000000123 1790000000123456 123 123456"},
        {"%{begin:sec}t %{%Y}t %{begin:%Y-%m}t", "1790000000 2026 2026-09"}, {"%t", "[21/Sep/2026:14:13:20 +0000]"},
        {"%{User-Agent}i %{user-agent}i %{Nope}i", "curl/8 curl/8 -"}, {"%{Content-Type}o %{X-A}o %{X-B}o %{X-C}o", "text/html a b -"},
        {"%{sid}C %{B}C %{c}C %{d}C", "42 two - -"}, {"%{VAR}e %{NONE}e %{key}n", "value - note"},
        {"%404{User-Agent}i %!404{User-Agent}i %200,404{X-A}o %!200,302{X-A}o %500,501h", "curl/8 - a a -"},
        {"%>400,404s", "404"},
    };
    struct request *r = make();
    set(&r->headers_in, "User-Agent", "curl/8");
    set(&r->headers_in, "Cookie", "a=1; sid=42;b=two ;c; dd=x");
    set(&r->headers_out, "X-A", "a");
    set(&r->err_headers_out, "X-B", "b");
    set(&r->subprocess_env, "VAR", "value");
    set(&r->notes, "key", "note");
    r->content_type = (char *)"text/html";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i].format, r, cases[i].want);
    request_unref(r);
}

static void test_common_formats(void)
{
    struct request *r = make();
    set(&r->headers_in, "Referer", "http://a/");
    set(&r->headers_in, "User-Agent", "x \"y\"");
    r->user = (char *)"";
    r->body_bytes_out = 0;
    expect("common", r, "203.0.113.9 - \"\" [21/Sep/2026:14:13:20 +0000] \"GET /a%20b?x=1&y HTTP/1.1\" 404 -");
    r->user = (char *)"ann";
    const char *combined = "203.0.113.9 - ann [21/Sep/2026:14:13:20 +0000] \"GET /a%20b?x=1&y HTTP/1.1\" 404 - \"http://a/\" \"x \\\"y\\\"\"";
    expect("combined", r, combined);
    expect(NULL, r, combined);
    r->body_bytes_out = 9;
    r->no_body_out = true; /* HEAD */
    expect("%b %B", r, "- 0");
    r->useragent_ip = (char *)"198.51.100.1";
    expect("%h %a %{c}a", r, "198.51.100.1 198.51.100.1 203.0.113.9");
    request_unref(r);
}

static void test_nothing_known(void)
{
    struct request *r = request_new(100);
    expect("%h %A %p %u \"%r\" %U %m %H %f %R %v %V %{remote}p %q%{A}i %{C}C %b", r, "- - - - \"-\" - - - - - - - - - - -");
    r->method = (char *)"POST";
    r->unparsed_uri = (char *)"/by fcgi";
    expect("%r", r, "POST /by fcgi HTTP/1.0");
    r->peer.family = AF_UNIX;
    r->aborted = true;
    expect("%h %X", r, "- X");
    request_unref(r);
}

static void test_durations(void)
{
    struct request *r = make();
    struct timespec now;
    char out[64];
    clock_gettime(CLOCK_MONOTONIC, &now);
    r->start_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - 2500000000;
    out[line("%T %{s}T", r, out, sizeof out)] = 0;
    CHECK(strcmp(out, "2 2\n") == 0 || strcmp(out, "3 3\n") == 0, "%s", out);
    long us = 0, ms = 0;
    out[line("%D %{ms}T", r, out, sizeof out)] = 0;
    sscanf(out, "%ld %ld", &us, &ms);
    CHECK(us >= 2500000 && us < 60000000 && ms >= 2500 && ms <= us / 1000 + 1, "%s", out);
    request_unref(r);
}

static void test_redirects_show_both_ends(void)
{
    struct request *first = make(), *last = make();
    last->status = 200;
    last->uri = (char *)"/index.html";
    last->prev = first; /* its reference is last's from now on */
    first->next = last;
    expect("%s %>s %<s %U %>U %B", first, "404 200 404 /a b /index.html 512");
    expect("%s %>s", last, "404 200");
    request_unref(last);
}

static void test_bad_formats(void)
{
    static const char *const bad[] = {"%", "%Z", "%{open", "%{x}Z", "%{}i", "%i", "%{weird}T", "%{x}p", "%{x}P", "%1,2,3,4,5,6,7,8,9h", "%9999h", "%{x}h", "abc %>", "%^ti", "%{}^ti", "%{x}^t", "%{x}^tx", "%{x}^", "%{x}^FB"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char error[64] = "";
        struct log_format *f = log_format_new(bad[i], error, sizeof error);
        CHECK(!f && *error, "%s is taken", bad[i]);
        log_format_free(f);
    }
}

/* Whatever bytes stand wherever a client can put them, a line is one line of printing ASCII. */
static void test_hostile_bytes(void)
{
    static const char format[] = "%h %u \"%r\" %U %q %m %f %V %{User-Agent}i %{X}o %{sid}C %{V}e %{n}n %R";
    uint64_t seed = 99;
    for (int turn = 0; turn < 200; turn++) {
        char bytes[40] = {0}, cookie[64], out[4096];
        for (size_t i = 0; i + 1 < sizeof bytes; i++)
            bytes[i] = (char)(1 + check_random(&seed, 255));
        struct request *r = make();
        r->bytes = r->method = r->uri = r->args = r->filename = r->hostname = r->user = r->useragent_ip = r->handler = bytes;
        r->head.line_len = sizeof bytes;
        snprintf(cookie, sizeof cookie, "sid=%s", bytes);
        set(&r->headers_in, "User-Agent", bytes);
        set(&r->headers_in, "Cookie", cookie);
        set(&r->headers_out, "X", bytes);
        set(&r->subprocess_env, "V", bytes);
        set(&r->notes, "n", bytes);
        size_t n = line(format, r, out, sizeof out);
        bool clean = n && out[n - 1] == '\n';
        for (size_t i = 0; i + 1 < n; i++)
            clean &= out[i] >= 32 && out[i] < 127;
        CHECK(clean, "%s", check_show(out, n));
        request_unref(r);
    }
}

static void test_short_room(void)
{
    struct request *r = make();
    char whole[512];
    size_t len = line("combined", r, whole, sizeof whole);
    for (size_t room = 0; room <= len; room++) {
        char *out = malloc(room ? room : 1);
        struct log_format *f = log_format_new("combined", whole, 0);
        struct log_sink sink = {out, out + room, false};
        log_format_line(f, r, &sink);
        CHECK(sink.at <= sink.end && sink.full == (room < len), "room %zu of %zu", room, len);
        log_format_free(f);
        free(out);
    }
    request_unref(r);
}

static void print_speed(void)
{
    enum { LINES = 20000 };
    struct request *r = make();
    char out[512], error[64];
    struct timespec a, b;
    set(&r->headers_in, "Referer", "http://www.example.org/some/page.html");
    set(&r->headers_in, "User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0");
    struct log_format *f = log_format_new("combined", error, sizeof error);
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < LINES; i++) {
        struct log_sink sink = {out, out + sizeof out, false};
        log_format_line(f, r, &sink);
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("a combined line: %.0f ns\n", ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / LINES);
    log_format_free(f);
    request_unref(r);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    test_items();
    test_common_formats();
    test_nothing_known();
    test_durations();
    test_redirects_show_both_ends();
    test_bad_formats();
    test_hostile_bytes();
    test_short_room();
    print_speed();
    return check_result();
}
