// sources: http_date.c
// Dates: written and read back, the three forms, and everything that is nearly one.
#include <time.h>

#include "check.h"
#include "static.h"

static void check_written(int64_t seconds, const char *want)
{
    char out[30];
    memset(out, 'x', sizeof out);
    http_date(seconds, out);
    CHECK(strcmp(out, want) == 0, "%lld: %s, not %s", (long long)seconds, out, want);
}

static void check_read(const char *text, int64_t want)
{
    struct guarded g = guard_copy(text, strlen(text));
    int64_t got = http_date_parse(slice_of(g.at, g.len));
    CHECK(got == want, "%s: %lld, not %lld", text, (long long)got, (long long)want);
    guard_free(&g);
}

static void every_day_comes_back(void)
{
    char out[30];
    for (int64_t day = 0; day < 366 * 450; day += 1) {
        int64_t seconds = day * 86400 + day % 86400;
        http_date(seconds, out);
        CHECK(http_date_parse(slice_of(out, 29)) == seconds, "%s", out);
    }
}

/* libc in the C locale agrees. */
static void libc_agrees(void)
{
    uint64_t seed = 7;
    char out[30], libc[64];
    for (int i = 0; i < 20000; i++) {
        time_t t = (time_t)((check_random(&seed, 1u << 31) << 4) % 253402300799);
        struct tm tm;
        gmtime_r(&t, &tm);
        strftime(libc, sizeof libc, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        http_date(t, out);
        CHECK(strcmp(out, libc) == 0, "%s, libc: %s", out, libc);
    }
}

static void two_digit_years(void)
{
    time_t now = time(NULL);
    struct tm tm;
    char text[64];
    gmtime_r(&now, &tm);
    int this_year = tm.tm_year + 1900;
    for (int ahead = -49; ahead <= 60; ahead++) {
        int year = this_year + ahead;
        if (year % 4 == 0)
            continue;
        snprintf(text, sizeof text, "Sunday, 06-Nov-%02d 08:49:37 GMT", year % 100);
        int64_t got = http_date_parse(slice_text(text));
        snprintf(text, sizeof text, "Sun, 06 Nov %04d 08:49:37 GMT", ahead > 50 ? year - 100 : year);
        CHECK(got == http_date_parse(slice_text(text)), "%d years ahead", ahead);
    }
}

int main(void)
{
    static const char *const bad[] = {
        "", " ", "Sun", "Sun,", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GM", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 +0000", "Sun, 6 Nov 1994 08:49:37 GMT", "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 29 Feb 1900 08:49:37 GMT", "Sun, 29 Feb 2023 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT; length=5", "Sun, 06 Nov -994 08:49:37 GMT", "Sun, 06 Nov 19940 08:49:37 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Xyz 1994 08:49:37 GMT", "784111777", "Sun Nov 6 08:49:37 1994", "Sun Nov  6 08:49:37 94", "Sun Nov 06 08:49:37 1994 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT", "Sunday, 06 Nov 94 08:49:37 GMT"};
    check_written(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
    check_written(0, "Thu, 01 Jan 1970 00:00:00 GMT");
    check_written(-1, "Thu, 01 Jan 1970 00:00:00 GMT");
    check_written(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
    check_written(253402300799, "Fri, 31 Dec 9999 23:59:59 GMT");
    check_written(253402300800, "Fri, 31 Dec 9999 23:59:59 GMT");
    check_written(INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
    check_written(INT64_MIN, "Thu, 01 Jan 1970 00:00:00 GMT");
    check_read("Sun, 06 Nov 1994 08:49:37 GMT", 784111777);
    check_read("Sunday, 06-Nov-94 08:49:37 GMT", 784111777);
    check_read("Sun Nov  6 08:49:37 1994", 784111777);
    check_read("Wed Nov 16 08:49:37 1994", 784111777 + 10 * 86400);
    check_read("Tue, 29 Feb 2000 00:00:00 GMT", 951782400);
    check_read("Sun, 01 Jan 1950 00:00:00 GMT", 0);
    check_read("Sat, 01 Jan 0000 00:00:00 GMT", 0);
    check_read("Fri, 30 Jun 1972 23:59:60 GMT", 78796800);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_read(bad[i], -1);
    every_day_comes_back();
    libc_agrees();
    two_digit_years();
    return check_result();
}
