// sources: log_escape.c
/* Nothing but printing ASCII comes out of log_escape, whatever goes in, and it never writes past its room. */
#include "check.h"

#include "log_parts.h"

static void check(const char *in, size_t len, const char *want)
{
    char out[256];
    struct guarded g = guard_copy(in, len);
    size_t n = log_escape(out, sizeof out, slice_of(g.at, len));
    CHECK(n == strlen(want) && memcmp(out, want, n) == 0, "%s became %.*s", check_show(in, len), (int)n, out);
    guard_free(&g);
}

static void check_text(const char *in, size_t len, bool lines, const char *want)
{
    char out[256];
    struct guarded g = guard_copy(in, len);
    size_t n = log_escape_text(out, sizeof out, slice_of(g.at, len), lines);
    CHECK(n == strlen(want) && memcmp(out, want, n) == 0, "%s became %.*s", check_show(in, len), (int)n, out);
    guard_free(&g);
}
#define TEXT(in) in, sizeof(in) - 1

static void test_items(void)
{
    check(TEXT(""), "");
    check(TEXT("GET / HTTP/1.1"), "GET / HTTP/1.1");
    check(TEXT("a\"b\\c"), "a\\\"b\\\\c");
    check(TEXT("\r\n\t\v\b"), "\\r\\n\\t\\v\\b");
    check(TEXT("\0\x1b[31m\x7f\x80\xff"), "\\x00\\x1b[31m\\x7f\\x80\\xff");
    check(TEXT("na\xc3\xafve"), "na\\xc3\\xafve");
}

static void test_text(void)
{
    check_text(TEXT("say \"hi\"\tthen \\ and\nnext"), false, "say \"hi\"\tthen \\\\ and\\nnext");
    check_text(TEXT("C:\\x\nnext\r"), true, "C:\\x\nnext\\r");
    check_text(TEXT("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"), false, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
    check_text(TEXT("\xc2\x9b" "31m"), false, "\\xc2\\x9b" "31m");      /* a C1 control: CSI */
    check_text(TEXT("\xe2\x80\xae" "live"), false, "\\xe2\\x80\\xae" "live");  /* right to left: shows "evil" */
    check_text(TEXT("\xe2\x80\x93"), false, "\xe2\x80\x93");                      /* an en dash */
    check_text(TEXT("\xc0\xaf \xe0\x80\xaf"), false, "\\xc0\\xaf \\xe0\\x80\\xaf"); /* overlong */
    check_text(TEXT("\xed\xa0\x80"), false, "\\xed\\xa0\\x80");        /* a surrogate */
    check_text(TEXT("\xe2\x82"), false, "\\xe2\\x82");                 /* cut short */
    check_text(TEXT("\x1b]0;title\x07"), true, "\\x1b]0;title\\x07");
}

static bool is_clean(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 32 || (unsigned char)text[i] > 126)
            return false;
    return true;
}

static void test_rooms(void)
{
    uint64_t seed = 7;
    for (int turn = 0; turn < 4000; turn++) {
        char in[64], *out;
        size_t len = check_random(&seed, sizeof in), room = check_random(&seed, 80);
        for (size_t i = 0; i < len; i++)
            in[i] = (char)check_random(&seed, 256);
        out = malloc(room ? room : 1); /* the sanitizer watches its end */
        size_t n = log_escape(out, room, slice_of(in, len));
        CHECK(n <= room && is_clean(out, n), "%zu bytes into %zu: %zu", len, room, n);
        n = log_escape_text(out, room, slice_of(in, len), turn % 2);
        CHECK(n <= room, "%zu bytes into %zu: %zu", len, room, n);
        free(out);
    }
}

int main(void)
{
    test_items();
    test_text();
    test_rooms();
    return check_result();
}
