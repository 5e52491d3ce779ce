// sources: conditions.c http_date.c request.c table.c buf.c
// Preconditions: every row of RFC 9110 13.2.2, the two comparisons of entity tags, and If-Range.
#include "check.h"
#include "conditions.h"
#include "static.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"
#define FUTURE "Sun, 06 Nov 2044 08:49:37 GMT"
enum { MTIME = 784111777, NOW = MTIME + 1000 };

struct sample { const char *match, *none_match, *modified, *unmodified, *etag; int64_t mtime; int get, post; };

static const struct sample samples[] = {
    {NULL, NULL, NULL, NULL, "\"a\"", MTIME, 0, 0},
    /* If-Match: strong */
    {"\"a\"", NULL, NULL, NULL, "\"a\"", MTIME, 0, 0}, {"\"b\"", NULL, NULL, NULL, "\"a\"", MTIME, 412, 412},
    {"*", NULL, NULL, NULL, "\"a\"", MTIME, 0, 0}, {"*", NULL, NULL, NULL, NULL, -1, 0, 0}, {"\"a\"", NULL, NULL, NULL, NULL, MTIME, 412, 412},
    {"W/\"a\"", NULL, NULL, NULL, "\"a\"", MTIME, 412, 412}, {"\"a\"", NULL, NULL, NULL, "W/\"a\"", MTIME, 412, 412},
    {"\"b\", \"a\"", NULL, NULL, NULL, "\"a\"", MTIME, 0, 0}, {"\"b\",\"c\"", NULL, NULL, NULL, "\"a\"", MTIME, 412, 412},
    {"a", NULL, NULL, NULL, "\"a\"", MTIME, 412, 412}, {"", NULL, NULL, NULL, "\"a\"", MTIME, 412, 412}, {"\"a", NULL, NULL, NULL, "\"a\"", MTIME, 412, 412},
    /* If-Unmodified-Since, only where there is no If-Match */
    {NULL, NULL, NULL, DATE, "\"a\"", MTIME, 0, 0}, {NULL, NULL, NULL, AFTER, "\"a\"", MTIME, 0, 0}, {NULL, NULL, NULL, BEFORE, "\"a\"", MTIME, 412, 412},
    {NULL, NULL, NULL, "yesterday", "\"a\"", MTIME, 0, 0}, {NULL, NULL, NULL, BEFORE, "\"a\"", -1, 0, 0}, {"\"a\"", NULL, NULL, BEFORE, "\"a\"", MTIME, 0, 0},
    /* If-None-Match: weak; 304 for GET and HEAD, 412 for the others */
    {NULL, "\"a\"", NULL, NULL, "\"a\"", MTIME, 304, 412}, {NULL, "W/\"a\"", NULL, NULL, "\"a\"", MTIME, 304, 412},
    {NULL, "\"a\"", NULL, NULL, "W/\"a\"", MTIME, 304, 412}, {NULL, "\"b\"", NULL, NULL, "\"a\"", MTIME, 0, 0}, {NULL, "*", NULL, NULL, "\"a\"", MTIME, 304, 412},
    {NULL, "\"x\" ,, \"a\"", NULL, NULL, "\"a\"", MTIME, 304, 412}, {NULL, "\"a,b\"", NULL, NULL, "\"b\"", MTIME, 0, 0}, {NULL, "\"A\"", NULL, NULL, "\"a\"", MTIME, 0, 0},
    {NULL, "w/\"a\"", NULL, NULL, "\"a\"", MTIME, 0, 0}, {NULL, "", NULL, NULL, "\"a\"", MTIME, 0, 0}, {NULL, "\"a\"", NULL, NULL, NULL, MTIME, 0, 0},
    {NULL, "\"b\"garbage\"a\"", NULL, NULL, "\"a\"", MTIME, 0, 0},
    /* If-Modified-Since, only where there is no If-None-Match, and only for GET and HEAD */
    {NULL, NULL, DATE, NULL, "\"a\"", MTIME, 304, 0}, {NULL, NULL, AFTER, NULL, "\"a\"", MTIME, 304, 0}, {NULL, NULL, BEFORE, NULL, "\"a\"", MTIME, 0, 0},
    {NULL, NULL, "never", NULL, "\"a\"", MTIME, 0, 0}, {NULL, NULL, FUTURE, NULL, "\"a\"", MTIME, 0, 0}, {NULL, NULL, DATE, NULL, "\"a\"", -1, 0, 0},
    {NULL, "\"b\"", DATE, NULL, "\"a\"", MTIME, 0, 0}, {NULL, "\"a\"", BEFORE, NULL, "\"a\"", MTIME, 304, 412}, {NULL, "", DATE, NULL, "\"a\"", MTIME, 0, 0},
    /* together: the first step that fails decides */
    {"\"b\"", "\"a\"", NULL, NULL, "\"a\"", MTIME, 412, 412}, {"\"a\"", "\"a\"", NULL, NULL, "\"a\"", MTIME, 304, 412},
    {NULL, "\"a\"", NULL, BEFORE, "\"a\"", MTIME, 412, 412}, {NULL, NULL, DATE, BEFORE, "\"a\"", MTIME, 412, 412}, {NULL, NULL, DATE, DATE, "\"a\"", MTIME, 304, 0}};

static void check_samples(void)
{
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const struct sample *s = &samples[i];
        for (int get = 0; get < 2; get++) {
            struct conditions c = {slice_text(s->match), slice_text(s->none_match), slice_text(s->modified), slice_text(s->unmodified),
                                   slice_text(s->etag), s->mtime, NOW, get};
            int got = conditions_evaluate(&c), want = get ? s->get : s->post;
            CHECK(got == want, "row %zu, %s: %d, not %d", i, get ? "GET" : "POST", got, want);
        }
    }
}

static void check_if_range(void)
{
    static const struct { const char *field, *etag; int64_t mtime, now; bool want; } rows[] = {
        {NULL, "\"a\"", MTIME, NOW, true}, {"\"a\"", "\"a\"", MTIME, NOW, true}, {"\"b\"", "\"a\"", MTIME, NOW, false},
        {"W/\"a\"", "\"a\"", MTIME, NOW, false}, {"\"a\"", "W/\"a\"", MTIME, NOW, false}, {"\"a\"", NULL, MTIME, NOW, false},
        {"\"a\", \"b\"", "\"a\"", MTIME, NOW, false}, {"*", "\"a\"", MTIME, NOW, false}, {"", "\"a\"", MTIME, NOW, false},
        {DATE, "\"a\"", MTIME, NOW, true}, {BEFORE, "\"a\"", MTIME, NOW, false}, {AFTER, "\"a\"", MTIME, NOW, false},
        {DATE, "\"a\"", MTIME, MTIME, false}, {DATE, "\"a\"", MTIME, MTIME + 1, true}, {"some day", "\"a\"", MTIME, NOW, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool got = conditions_if_range(slice_text(rows[i].field), slice_text(rows[i].etag), rows[i].mtime, rows[i].now);
        CHECK(got == rows[i].want, "row %zu: %s", i, rows[i].field ? rows[i].field : "(absent)");
    }
}

/* Nothing is read outside the list, whatever is in it. */
static void check_garbage(void)
{
    static const char letters[] = "\"\"W/ab,* \t";
    uint64_t seed = 3;
    for (int round = 0; round < 50000; round++) {
        char text[24];
        size_t n = check_random(&seed, sizeof text);
        for (size_t i = 0; i < n; i++)
            text[i] = letters[check_random(&seed, sizeof letters - 1)];
        struct guarded g = guard_copy(text, n);
        conditions_etag_listed(slice_of(g.at, n), SLICE("\"a\""), round % 2);
        conditions_etag_listed(SLICE("\"a\""), slice_of(g.at, n), round % 2);
        conditions_if_range(slice_of(g.at, n), SLICE("\"a\""), MTIME, NOW);
        guard_free(&g);
    }
}

/* The door: fields of a request, validators in its tables. */
static void check_request(void)
{
    struct request *r = request_new(8);
    r->start_us = (int64_t)NOW * 1000000;
    request_headers_in(r);
    table_set(&r->headers_in, SLICE("if-none-match"), SLICE("\"a\""));
    CHECK(conditions_check(r) == 0, "no ETag yet");
    table_set(&r->headers_out, SLICE("ETag"), SLICE("\"a\""));
    CHECK(conditions_check(r) == 304, "ETag of the response");
    r->method_number = METHOD_PUT;
    CHECK(conditions_check(r) == 412, "PUT");
    r->method_number = METHOD_OPTIONS;
    CHECK(conditions_check(r) == 0, "OPTIONS has no conditions");
    r->method_number = METHOD_GET;
    r->status = 404;
    CHECK(conditions_check(r) == 0, "only what would be a success");
    r->status = 299;
    CHECK(conditions_check(r) == 304, "299");
    r->no_local_copy = true;
    CHECK(conditions_check(r) == 0, "no_local_copy");
    r->no_local_copy = false;
    table_clear(&r->headers_in);
    table_set(&r->headers_in, SLICE("If-Modified-Since"), SLICE(DATE));
    CHECK(conditions_check(r) == 0, "no time yet");
    table_set(&r->headers_out, SLICE("Last-Modified"), SLICE(DATE));
    CHECK(conditions_check(r) == 304, "Last-Modified of the response");
    r->mtime_us = (int64_t)(MTIME + 1) * 1000000;
    CHECK(conditions_check(r) == 0, "mtime of the request wins");
    request_unref(r);
}

int main(void)
{
    check_samples();
    check_if_range();
    check_garbage();
    check_request();
    return check_result();
}
