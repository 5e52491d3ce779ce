// sources: log_event.c log_event_items.c log_format.c log_items.c log_items_net.c log_escape.c log_time.c request.c table.c buf.c peer.c
/* ErrorLogFormat: every item, words that go with one that has no value, errors, hostile bytes, lines that do not fit. What is expected where httpd
 * has the item is what Apache 2.4 writes. */
#include "check.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log_event.h"
#include "request.h"

/* log.c's, which needs the files of the log. */
const char *log_level_name(int level) { return level == LEVEL_ERROR ? "error" : "info"; }

static struct server_conf server = {.server_name = "www.example.org"};

static struct request *make(void)
{
    struct request *r = request_new(100);
    r->server = &server;
    r->hostname = (char *)"asked.example.org";
    r->id = 42;
    r->keepalives = 3;
    r->peer = (struct peer){.address = {[10] = 0xff, [11] = 0xff, 203, 0, 113, 9}, .port = 54321, .family = AF_INET};
    r->local = (struct peer){.address = {0x20, 1, 0xd, 0xb8, [15] = 1}, .port = 443, .family = AF_INET6};
    table_set(request_headers_in(r), SLICE("Host"), SLICE("a b\n\"c"));
    table_set(&r->subprocess_env, SLICE("VAR"), SLICE("value"));
    table_set(&r->notes, SLICE("key"), SLICE("note"));
    return r;
}

static struct log_event event(const struct request *r, int level)
{
    return (struct log_event){.server = &server, .r = r, .level = level, .module = "core", .place = "a/b/file.c:12", .message = SLICE("it \"is\"\n so"), .dated = true};
}

static void expect(const char *format, enum log_event_kind kind, const struct log_event *e, const char *want)
{
    char error[128] = "", out[1024], full[1024];
    struct event_format *f = event_format_new(format, kind, error, sizeof error);
    CHECK(f != NULL, "%s: %s", format, error);
    size_t n = event_format_line(f, e, out, sizeof out);
    int m = snprintf(full, sizeof full, *want ? "%s\n" : "%s", want);
    CHECK(n == (size_t)m && memcmp(out, full, n) == 0, "%s gave %.*s, not %s", format, (int)n, out, full);
    event_format_free(f);
}

static void test_items(struct request *r)
{
    static const struct { const char *format, *want, *without; } cases[] = {
        {"%M", "it \"is\"\\n so", "it \"is\"\\n so"}, {"%l %m %F|%%|%M", "error core file.c:12|%|it \"is\"\\n so", "error core file.c:12|%|it \"is\"\\n so"},
        {"%M %a", "it \"is\"\\n so 203.0.113.9:54321", "it \"is\"\\n so"}, {"[%{c}a] %M", "[203.0.113.9:54321] it \"is\"\\n so", " it \"is\"\\n so"},
        {"%A k%k %M", "2001:db8::1:443 k3 it \"is\"\\n so", " it \"is\"\\n so"},
        {"%v %V %M", "www.example.org asked.example.org it \"is\"\\n so", "www.example.org www.example.org it \"is\"\\n so"},
        {"%M <%{VAR}e|%{key}n>", "it \"is\"\\n so <value|note>", "it \"is\"\\n so"}, {"%M %{host}i", "it \"is\"\\n so a b\\n\\\"c", "it \"is\"\\n so"},
        {"%E: %M %-E", " it \"is\"\\n so -", " it \"is\"\\n so -"}, {"%M a  b%{No}e  c\\\\d \\x\\ty", "it \"is\"\\n so a  c\\d x\ty", "it \"is\"\\n so a  c\\d x\ty"},
        {"a%{No}eb%M c", "it \"is\"\\n so c", "it \"is\"\\n so c"}, /* the message stays */
        {"%M% ,\\ by\\ %{host}i% !", "it \"is\"\\n so, by a b\\n\\\"c!", "it \"is\"\\n so!"}, {"x\\ %{No}e %M", " it \"is\"\\n so", " it \"is\"\\n so"},
        {"%7F: %3l: %4l: %M", " error: it \"is\"\\n so", " error: it \"is\"\\n so"}, {"%-7F %M", " it \"is\"\\n so", " it \"is\"\\n so"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct log_event with = event(r, LEVEL_ERROR), without = event(NULL, LEVEL_ERROR);
        expect(cases[i].format, EVENT_MESSAGE, &with, cases[i].want);
        expect(cases[i].format, EVENT_MESSAGE, &without, cases[i].without);
    }
    char want[64];
    struct log_event e = event(r, LEVEL_ERROR);
    snprintf(want, sizeof want, "%d %d %d.42 it \"is\"\\n so", (int)getpid(), (int)getpid(), (int)getpid());
    expect("%P %T %L %M", EVENT_MESSAGE, &e, want); /* the first thread's number is the process's */
    expect("%{c}L %{C}L %M", EVENT_MESSAGE, &e, " it \"is\"\\n so"); /* its connection has let go */
    r->useragent_ip = (char *)"198.51.100.7";
    expect("%a %{c}a %M", EVENT_MESSAGE, &e, "198.51.100.7 203.0.113.9:54321 it \"is\"\\n so");
    server.use_canonical_name = 1;
    expect("%V %M", EVENT_MESSAGE, &e, "www.example.org it \"is\"\\n so");
}

static void test_lines_once(struct request *r)
{
    struct log_event e = event(r, LEVEL_ERROR);
    expect("%+{key}n", EVENT_REQUEST, &e, "note");
    expect("a %+{none}n b", EVENT_REQUEST, &e, "");
    expect("a %{none}n b", EVENT_CONNECTION, &e, "a b");
}

static void test_times(struct request *r)
{
    static const struct { const char *format; size_t len; } cases[] = {{"%t%M", 24}, {"%{u}t%M", 31}, {"%{c}t%M", 19}, {"%{uc}t%M", 26}, {"%{cu}t%M", 26}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[64], out[128];
        struct event_format *f = event_format_new(cases[i].format, EVENT_MESSAGE, error, sizeof error);
        struct log_event e = event(r, LEVEL_INFO);
        e.message = SLICE("");
        size_t n = event_format_line(f, &e, out, sizeof out);
        CHECK(n == cases[i].len + 1, "%s: %.*s", cases[i].format, (int)n, out);
        e.dated = false;
        CHECK(event_format_line(f, &e, out, sizeof out) == 1, "%s for syslog", cases[i].format);
        event_format_free(f);
    }
}

static void test_errors(void)
{
    static const struct { const char *format; enum log_event_kind kind; const char *want; } cases[] = {
        {"%Z %M", EVENT_MESSAGE, "%a %A %E %F %k %l %L %m %M %P %t %T %v %V %{name}e %{name}i %{name}n or %% expected: %Z %M"},
        {"%M %{x", EVENT_MESSAGE, "closing } expected: %{x"}, {"no", EVENT_MESSAGE, "%M, the message, expected in it: no"},
        {"%M", EVENT_REQUEST, "%M expected in the format of the message alone: %M"},
        {"%+M", EVENT_MESSAGE, "+ expected in formats of connections and requests alone: %+M"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[256] = "";
        CHECK(!event_format_new(cases[i].format, cases[i].kind, error, sizeof error) && strcmp(error, cases[i].want) == 0, "%s: %s", cases[i].format, error);
    }
    static const char *const more[] = {"%i%M", "%{}i%M", "%e%M", "%n%M", "%M%", "%M%-", "%M%4"};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        char error[256];
        CHECK(!event_format_new(more[i], EVENT_MESSAGE, error, sizeof error), "%s is taken", more[i]);
    }
}

static void test_what_does_not_fit_is_cut(struct request *r)
{
    char error[64];
    struct event_format *f = event_format_new("%m %M %{Host}i %M", EVENT_MESSAGE, error, sizeof error);
    struct log_event e = event(r, LEVEL_ERROR);
    for (size_t room = 2; room < 64; room++) {
        char *out = malloc(room);
        size_t n = event_format_line(f, &e, out, room);
        CHECK(n > 0 && n <= room && out[n - 1] == '\n' && !memchr(out, '\n', n - 1), "%zu: %zu", room, n);
        free(out);
    }
    event_format_free(f);
}

int main(void)
{
    struct request *r = make();
    test_items(r);
    test_lines_once(r);
    test_times(r);
    test_errors();
    test_what_does_not_fit_is_cut(r);
    request_unref(r);
    return check_result();
}
