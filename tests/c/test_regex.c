/* regex_match and regex_expand: groups, no match, limits, truncation. Build with csrc/conf.c and -lpcre2-8. */
// sources: conf.c
// libs: pcre2-8
// sources: conf.c
// libs: pcre2-8
#include <assert.h>
#include <stdint.h>
#include <stdio.h>

#include "bridge.h"
#include "regex.h"

static struct regex_conf compile(const char *pattern, int nocase)
{
    struct regex_conf r = {.pattern = pattern, .nocase = nocase};
    char error[200];
    int bad = bridge_regex_compile(&r, error, sizeof error);
    assert(!bad);
    return r;
}

static void test_groups_are_expanded(void)
{
    struct regex_conf r = compile("^/(a+)(x)?/(.*)$", 0);
    size_t at[2 * REGEX_PAIRS];
    char out[64];
    struct slice subject = SLICE("/aa/rest");
    int n = regex_match(&r, subject, at, REGEX_PAIRS);
    assert(n == 4);
    size_t len = regex_expand(out, sizeof out, SLICE("<$1|$2|$3|$9|\\$1|\\\\|$>"), subject, at, n);
    assert(!strcmp(out, "<aa||rest||$1|\\|$>") && len == strlen(out));
    len = regex_expand(out, 5, SLICE("$3$3$3"), subject, at, n);
    assert(len == 12 && !strcmp(out, "rest"));
    len = regex_expand(NULL, 0, SLICE("$3$3$3"), subject, at, n);
    assert(len == 12);
    assert(regex_match(&r, SLICE("/b"), at, REGEX_PAIRS) == 0);
    assert(regex_match(&r, slice_of(NULL, 0), NULL, 0) == 0);
    assert(regex_match(&r, subject, at, 2) == 2);
    assert(regex_match(&r, subject, NULL, 0) >= 1);
    bridge_regex_free(&r);
    assert(regex_match(&r, subject, at, 1) == 0);
    bridge_regex_free(&r);
    bridge_regex_free(NULL);
}

static void test_case_and_bytes(void)
{
    struct regex_conf r = compile("caf\xe9.x$", 1);
    assert(regex_match(&r, slice_of("CAF\xe9\nX", 6), NULL, 0) == 1);
    assert(regex_match(&r, slice_of("CAF\xe9\nX\n", 7), NULL, 0) == 0); /* $ is the end, not "before a last newline" */
    bridge_regex_free(&r);
}

static void test_a_bad_pattern_says_where(void)
{
    struct regex_conf r = {.pattern = "a(b"};
    char error[200] = "";
    assert(bridge_regex_compile(&r, error, sizeof error) == -1);
    assert(strstr(error, "at character 4") && !r.compiled);
}

static void test_catastrophic_backtracking_ends(void)
{
    struct regex_conf r = compile("^(a|aa|a?)+$", 0);
    static char many[4000];
    memset(many, 'a', sizeof many - 1);
    many[sizeof many - 1] = 'b';
    assert(regex_match(&r, slice_of(many, sizeof many), NULL, 0) <= 0);
    bridge_regex_free(&r);
}

int main(void)
{
    test_groups_are_expanded();
    test_case_and_bytes();
    test_a_bad_pattern_says_where();
    test_catastrophic_backtracking_ends();
    puts("ok");
    return 0;
}
