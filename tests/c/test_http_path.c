/* http_path_decode: decoded once, resolved after decoding, never above the root. */
// sources: http_path.c http_bytes.c
#include "check.h"
#include "http_head.h"

struct path_case { const char *raw, *out; long status; bool slashes_ok; };

static const struct path_case cases[] = {
    {"/", "/", 0, false},
    {"/a/b", "/a/b", 0, false},
    {"/a/b/", "/a/b/", 0, false},
    {"/a//b///c", "/a/b/c", 0, false},
    {"//", "/", 0, false},
    {"//a", "/a", 0, false},
    {"/.", "/", 0, false},
    {"/./", "/", 0, false},
    {"/a/.", "/a/", 0, false},
    {"/a/./b", "/a/b", 0, false},
    {"/a/..", "/", 0, false},
    {"/a/../", "/", 0, false},
    {"/a/b/..", "/a/", 0, false},
    {"/a/b/../c", "/a/c", 0, false},
    {"/a//../b", "/b", 0, false},
    {"/a/b/../../c", "/c", 0, false},
    {"/...", "/...", 0, false},
    {"/..a/.b", "/..a/.b", 0, false},
    {"/a/..b/", "/a/..b/", 0, false},
    {"/%41%6a", "/Aj", 0, false},
    {"/%2e", "/", 0, false},
    {"/a/%2e%2e/b", "/b", 0, false},
    {"/a/.%2E/b", "/b", 0, false},
    {"/%252e%252e/x", "/%2e%2e/x", 0, false},
    {"/a\\..\\b", "/a\\..\\b", 0, false},
    {"/a%5c..%5cb", "/a\\..\\b", 0, false},
    {"/%ff\xfe", "/\xff\xfe", 0, false},
    {"/%0a", "/\n", 0, false},
    {"/a%3fb%23", "/a?b#", 0, false},
    {"*", "*", 0, false},
    {"/a%2fb", "/a/b", 0, true},
    {"/a%2F..%2Fb", "/b", 0, true},
    {"/a%2fb", NULL, -2, false},
    {"/..%2f", NULL, -2, false},
    {"/..%2f", NULL, -1, true},
    {"/..", NULL, -1, false},
    {"/../", NULL, -1, false},
    {"/a/../..", NULL, -1, false},
    {"/a/../../b", NULL, -1, false},
    {"/%2e%2e/etc/passwd", NULL, -1, false},
    {"/.%2e/x", NULL, -1, false},
    {"//..", NULL, -1, false},
    {"/./..", NULL, -1, false},
    {"/%00", NULL, -1, false},
    {"/a%00.html", NULL, -1, false},
    {"/%", NULL, -1, false},
    {"/%4", NULL, -1, false},
    {"/%4g", NULL, -1, false},
    {"/%g4", NULL, -1, false},
    {"/% 1", NULL, -1, false},
    {"/%-1", NULL, -1, false},
    {"/%u0041", NULL, -1, false},
    {"", NULL, -1, false},
    {"a", NULL, -1, false},
    {"**", NULL, -1, false},
};

static void check_case(const struct path_case *c)
{
    size_t len = strlen(c->raw);
    struct guarded in = guard_copy(c->raw, len), out = guard_copy(c->raw, len + 1);
    long n = http_path_decode(slice_of(in.at, len), c->slashes_ok, out.at);
    if (c->out)
        CHECK(n == (long)strlen(c->out) && memcmp(out.at, c->out, (size_t)n + 1) == 0, "%s gave %ld %s", c->raw, n, n >= 0 ? out.at : "");
    else
        CHECK(n == c->status, "%s gave %ld", c->raw, n);
    guard_free(&in);
    guard_free(&out);
}

/* Whatever comes in, what comes out begins with a slash, has no dot segment, no empty one and no NUL. */
static void check_random_paths(void)
{
    static const char alphabet[] = "/.%2eEfF5ca/../";
    uint64_t seed = 7;
    char raw[24], out[25];
    for (int i = 0; i < 200000; i++) {
        size_t len = 1 + check_random(&seed, sizeof raw - 1);
        raw[0] = '/';
        for (size_t at = 1; at < len; at++)
            raw[at] = alphabet[check_random(&seed, sizeof alphabet - 1)];
        long n = http_path_decode(slice_of(raw, len), true, out);
        if (n < 0)
            continue;
        CHECK(n >= 1 && (size_t)n <= len && out[0] == '/' && strlen(out) == (size_t)n, "%s", check_show(raw, len));
        CHECK(!strstr(out, "//") && !strstr(out, "/./") && !strstr(out, "/../"), "%s", check_show(raw, len));
        CHECK(n < 2 || strcmp(out + n - 2, "/.") != 0, "%s", check_show(raw, len));
        CHECK(n < 3 || strcmp(out + n - 3, "/..") != 0, "%s", check_show(raw, len));
    }
}

int main(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(&cases[i]);
    check_random_paths();
    return check_result();
}
