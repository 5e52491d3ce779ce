// sources: range.c
// Range fields: tables at, below and above each bound, and random ones against a plain set of bytes.
#include <limits.h>

#include "check.h"
#include "range.h"

enum { WHOLE = RANGE_WHOLE, SOME = RANGE_SOME, NONE = RANGE_UNSATISFIABLE };

struct sample { const char *field; int64_t length; int result; const char *ranges; };

static const struct sample samples[] = {
    {"bytes=0-0", 10, SOME, "0-0"}, {"bytes=0-9", 10, SOME, "0-9"}, {"bytes=0-10", 10, SOME, "0-9"}, {"bytes=0-", 10, SOME, "0-9"},
    {"bytes=9-", 10, SOME, "9-9"}, {"bytes=9-9", 10, SOME, "9-9"}, {"bytes=10-", 10, NONE, ""}, {"bytes=10-10", 10, NONE, ""},
    {"bytes=-1", 10, SOME, "9-9"}, {"bytes=-10", 10, SOME, "0-9"}, {"bytes=-11", 10, SOME, "0-9"}, {"bytes=-0", 10, NONE, ""},
    {"bytes=0-", 0, NONE, ""}, {"bytes=-5", 0, WHOLE, ""}, {"bytes=-0", 0, NONE, ""}, {"bytes=0-0", 1, SOME, "0-0"},
    {"BYTES=1-2", 10, SOME, "1-2"}, {"bytes= 1-2", 10, SOME, "1-2"}, {"bytes=1-2 ", 10, SOME, "1-2"}, {"bytes=1-2 , 5-6", 10, SOME, "1-2 5-6"},
    {"bytes=,1-2", 10, SOME, "1-2"}, {"bytes=1-2,", 10, SOME, "1-2"}, {"bytes=1-2,,5-6", 10, SOME, "1-2 5-6"},
    /* what is not a range set is ignored */
    {"", 10, WHOLE, ""}, {"bytes", 10, WHOLE, ""}, {"bytes=", 10, WHOLE, ""}, {"bytes=,", 10, WHOLE, ""}, {"bytes=-", 10, WHOLE, ""},
    {"bytes=5", 10, WHOLE, ""}, {"bytes=5-4", 10, WHOLE, ""}, {"bytes=a-b", 10, WHOLE, ""}, {"bytes=1-2x", 10, WHOLE, ""}, {"bytes=--1", 10, WHOLE, ""},
    {"bytes=1--2", 10, WHOLE, ""}, {"bytes=+1-2", 10, WHOLE, ""}, {"bytes=0x1-2", 10, WHOLE, ""}, {"bytes=1 -2", 10, WHOLE, ""},
    {"bytes =1-2", 10, WHOLE, ""}, {"items=1-2", 10, WHOLE, ""}, {"bytes=1-2,foo", 10, WHOLE, ""}, {"bytes=1-2;5-6", 10, WHOLE, ""},
    {"bytes=20-10", 5, WHOLE, ""}, {"bytes=1-2,4-3", 10, WHOLE, ""},
    /* numbers that do not fit (CVE-2017-7529) */
    {"bytes=9223372036854775807-", 10, NONE, ""}, {"bytes=0-9223372036854775807", 10, SOME, "0-9"}, {"bytes=0-9223372036854775808", 10, SOME, "0-9"},
    {"bytes=-9223372036854775808", 10, SOME, "0-9"}, {"bytes=-99999999999999999999999", 10, SOME, "0-9"},
    {"bytes=99999999999999999999999-", 10, NONE, ""}, {"bytes=-9223372036854775807,-9223372036854775607", 10, SOME, "0-9"},
    {"bytes=0-", INT64_MAX, SOME, "0-9223372036854775806"}, {"bytes=9223372036854775806-", INT64_MAX, SOME, "9223372036854775806-9223372036854775806"},
    {"bytes=5368709119-5368709119", 5368709120, SOME, "5368709119-5368709119"},
    /* overlapping and touching ones are one (CVE-2011-3192); the order is kept */
    {"bytes=0-4,5-9", 20, SOME, "0-9"}, {"bytes=0-4,6-9", 20, SOME, "0-4 6-9"}, {"bytes=0-4,4-9", 20, SOME, "0-9"}, {"bytes=5-9,0-4", 20, SOME, "0-9"},
    {"bytes=0-0,-1", 10, SOME, "0-0 9-9"}, {"bytes=-1,0-0", 10, SOME, "9-9 0-0"}, {"bytes=0-,0-,0-,5-,-3", 10, SOME, "0-9"},
    {"bytes=0-1,4-5,8-9,1-8", 10, SOME, "0-9"}, {"bytes=0-0,2-2,4-4,6-6,3-3", 10, SOME, "0-0 2-4 6-6"}, {"bytes=5-5,5-5", 10, SOME, "5-5"},
    {"bytes=20-30,1-2", 10, SOME, "1-2"}, {"bytes=20-30,40-", 10, NONE, ""}, {"bytes=0-18446744073709551616,3-4", 10, SOME, "0-9"}};

static void render(char *to, size_t room, const struct range *ranges, int count)
{
    size_t n = 0;
    *to = 0;
    for (int i = 0; i < count; i++)
        n += (size_t)snprintf(to + n, room - n, "%s%lld-%lld", i ? " " : "", (long long)ranges[i].first, (long long)ranges[i].last);
}

static void check_samples(void)
{
    struct range ranges[16];
    char text[256];
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const struct sample *s = &samples[i];
        struct guarded g = guard_copy(s->field, strlen(s->field));
        int count = -1, result = range_parse(slice_of(g.at, g.len), s->length, 16, ranges, &count);
        CHECK(result == s->result, "%s of %lld: %d", s->field, (long long)s->length, result);
        CHECK(range_count(slice_of(g.at, g.len)) >= count, "%s lists more than counted", s->field);
        if (result == RANGE_SOME) {
            render(text, sizeof text, ranges, count);
            CHECK(strcmp(text, s->ranges) == 0, "%s of %lld: %s", s->field, (long long)s->length, text);
        }
        guard_free(&g);
    }
}

/* MaxRanges: at it, and one more. */
static void check_bound(void)
{
    struct range ranges[200];
    char field[4096];
    for (int listed = 199; listed <= 201; listed++) {
        size_t n = (size_t)snprintf(field, sizeof field, "bytes=");
        for (int i = 0; i < listed; i++)
            n += (size_t)snprintf(field + n, sizeof field - n, "%s%d-%d", i ? "," : "", i * 3, i * 3);
        int count, result = range_parse(slice_of(field, n), 100000, 200, ranges, &count);
        CHECK(range_count(slice_of(field, n)) == listed, "%d listed", listed);
        CHECK(result == (listed <= 200 ? SOME : WHOLE), "%d listed: %d", listed, result);
        CHECK(listed > 200 || count == listed, "%d listed: %d", listed, count);
    }
}

static size_t put_spec(char *to, size_t room, int64_t length, uint64_t *seed, unsigned char *wanted)
{
    int64_t first = (int64_t)check_random(seed, (size_t)length + 5), last = first + (int64_t)check_random(seed, 12);
    switch (check_random(seed, 3)) {
    case 0:
        for (int64_t i = first; i <= last && i < length; i++)
            wanted[i] = 1;
        return (size_t)snprintf(to, room, "%lld-%lld", (long long)first, (long long)last);
    case 1:
        for (int64_t i = first; i < length; i++)
            wanted[i] = 1;
        return (size_t)snprintf(to, room, "%lld-", (long long)first);
    default:
        for (int64_t i = length > first ? length - first : 0; i < length; i++)
            wanted[i] = 1;
        return (size_t)snprintf(to, room, "-%lld", (long long)first);
    }
}

/* Disjoint, inside the file, and together exactly the bytes that were asked for. */
static void check_random_sets(void)
{
    uint64_t seed = 42;
    struct range ranges[16];
    for (int round = 0; round < 20000; round++) {
        unsigned char wanted[64] = {0}, got[64] = {0};
        char field[512] = "bytes=";
        int64_t length = 1 + (int64_t)check_random(&seed, 60);
        int specs = 1 + (int)check_random(&seed, 10), count;
        size_t n = 6;
        for (int i = 0; i < specs; i++) {
            n += i ? (size_t)snprintf(field + n, sizeof field - n, ",") : 0;
            n += put_spec(field + n, sizeof field - n, length, &seed, wanted);
        }
        int result = range_parse(slice_of(field, n), length, 16, ranges, &count);
        CHECK(result == SOME || !memchr(wanted, 1, 64), "%s of %lld", field, (long long)length);
        for (int i = 0; i < count; i++)
            for (int64_t at = ranges[i].first; at <= ranges[i].last; at++) {
                CHECK(at < length && !got[at], "%s of %lld: byte %lld", field, (long long)length, (long long)at);
                got[at < length ? at : 63] = 1;
            }
        CHECK(memcmp(wanted, got, 64) == 0, "%s of %lld", field, (long long)length);
    }
}

static void check_garbage(void)
{
    static const char letters[] = "0123456789-,- ,=bytes\t";
    uint64_t seed = 9;
    struct range ranges[16];
    for (int round = 0; round < 20000; round++) {
        char field[40] = "bytes=";
        size_t n = 6 + check_random(&seed, 34);
        for (size_t i = 6; i < n; i++)
            field[i] = letters[check_random(&seed, sizeof letters - 1)];
        struct guarded g = guard_copy(field, n);
        int count = -1;
        range_parse(slice_of(g.at, n), 30, 16, ranges, &count);
        CHECK(count >= 0 && count <= 16, "%s", check_show(field, n));
        guard_free(&g);
    }
}

int main(void)
{
    check_samples();
    check_bound();
    check_random_sets();
    check_garbage();
    return check_result();
}
