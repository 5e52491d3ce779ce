/* Dates of RFC 9110 5.6.7: written as IMF-fixdate, read in all three forms. Civil days are computed here because gmtime and strptime
 * depend on the locale, and because they are slow in the path of every static file. */
#include <ctype.h>
#include <stdio.h>
#include <time.h>

#include "static.h"

enum { DAY_SECONDS = 86400 };
static const int64_t LAST_SECOND = 253402300799; /* 9999-12-31 23:59:59: years have four digits */
static const char DAYS[] = "SunMonTueWedThuFriSat";
static const char LONG_DAYS[7][10] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct civil { int year, month /* 1..12 */, day, hour, minute, second; };

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar; years are counted from March so that leap days come last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400, in_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + day_of_year - 719468;
}

static void civil_of(int64_t days, struct civil *c)
{
    int64_t z = days + 719468, era = z / 146097, in_era = z - era * 146097;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t day_of_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    c->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    c->month = (int)(month < 10 ? month + 3 : month - 9);
    c->year = (int)(year + era * 400 + (c->month <= 2));
}

static void put_digits(char *to, int value, int width)
{
    for (; width-- > 0; value /= 10)
        to[width] = (char)('0' + value % 10);
}

void http_date(int64_t seconds, char out[30])
{
    struct civil c;
    if (seconds < 0)
        seconds = 0;
    if (seconds > LAST_SECOND)
        seconds = LAST_SECOND;
    int64_t days = seconds / DAY_SECONDS;
    int rest = (int)(seconds % DAY_SECONDS);
    civil_of(days, &c);
    memcpy(out, "Sun, 06 Nov 1994 08:49:37 GMT", 30);
    memcpy(out, DAYS + 3 * ((days + 4) % 7), 3);
    put_digits(out + 5, c.day, 2);
    memcpy(out + 8, MONTHS + 3 * (c.month - 1), 3);
    put_digits(out + 12, c.year, 4);
    put_digits(out + 17, rest / 3600, 2);
    put_digits(out + 20, rest / 60 % 60, 2);
    put_digits(out + 23, rest % 60, 2);
}

/* --- reading: each take_ moves s on and says whether it found what it wanted --- */

static bool take_text(struct slice *s, const char *text, size_t len)
{
    if (s->len < len || memcmp(s->at, text, len) != 0)
        return false;
    s->at += len;
    s->len -= len;
    return true;
}

static bool take_number(struct slice *s, int width, int *value)
{
    *value = 0;
    if (s->len < (size_t)width)
        return false;
    for (int i = 0; i < width; i++) {
        if (!isdigit((unsigned char)s->at[i]))
            return false;
        *value = *value * 10 + (s->at[i] - '0');
    }
    s->at += width;
    s->len -= (size_t)width;
    return true;
}

static bool take_day_name(struct slice *s)
{
    for (int i = 0; i < 7; i++)
        if (take_text(s, LONG_DAYS[i], strlen(LONG_DAYS[i])) || take_text(s, DAYS + 3 * i, 3))
            return true;
    return false;
}

static bool take_month(struct slice *s, int *month)
{
    for (int i = 0; i < 12; i++)
        if (take_text(s, MONTHS + 3 * i, 3)) {
            *month = i + 1;
            return true;
        }
    return false;
}

static bool take_time(struct slice *s, struct civil *c)
{
    return take_number(s, 2, &c->hour) && take_text(s, ":", 1) && take_number(s, 2, &c->minute) && take_text(s, ":", 1)
           && take_number(s, 2, &c->second);
}

/* RFC 9110 5.6.7: two digits that look more than 50 years ahead are the most recent past year that ends in them. */
static int full_year(int two_digits)
{
    struct civil now;
    civil_of((int64_t)time(NULL) / DAY_SECONDS, &now);
    int year = now.year - now.year % 100 + two_digits;
    return year > now.year + 50 ? year - 100 : year;
}

/* "06 Nov 1994 08:49:37 GMT" and "06-Nov-94 08:49:37 GMT", behind the day name and its comma. */
static bool read_comma_form(struct slice *s, struct civil *c)
{
    if (!take_number(s, 2, &c->day))
        return false;
    if (take_text(s, "-", 1)) {
        if (!take_month(s, &c->month) || !take_text(s, "-", 1) || !take_number(s, 2, &c->year))
            return false;
        c->year = full_year(c->year);
    } else if (!take_text(s, " ", 1) || !take_month(s, &c->month) || !take_text(s, " ", 1) || !take_number(s, 4, &c->year)) {
        return false;
    }
    return take_text(s, " ", 1) && take_time(s, c) && take_text(s, " GMT", 4);
}

/* asctime: "Sun Nov  6 08:49:37 1994", behind the day name. */
static bool read_asctime_form(struct slice *s, struct civil *c)
{
    if (!take_text(s, " ", 1) || !take_month(s, &c->month) || !take_text(s, " ", 1))
        return false;
    if (!(take_text(s, " ", 1) ? take_number(s, 1, &c->day) : take_number(s, 2, &c->day)))
        return false;
    return take_text(s, " ", 1) && take_time(s, c) && take_text(s, " ", 1) && take_number(s, 4, &c->year);
}

static bool civil_valid(const struct civil *c)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;
    int last = lengths[c->month - 1] + (c->month == 2 && leap);
    return c->day >= 1 && c->day <= last && c->hour < 24 && c->minute < 60 && c->second <= 60; /* 60: a leap second */
}

int64_t http_date_parse(struct slice text)
{
    struct civil c = {0};
    if (!take_day_name(&text))
        return -1;
    if (!(take_text(&text, ", ", 2) ? read_comma_form(&text, &c) : read_asctime_form(&text, &c)))
        return -1;
    if (text.len || !civil_valid(&c))
        return -1;
    int64_t seconds = days_of(c.year, c.month, c.day) * DAY_SECONDS + c.hour * 3600 + c.minute * 60 + c.second;
    return seconds < 0 ? 0 : seconds; /* before 1970: older than any file, and -1 means no date */
}
