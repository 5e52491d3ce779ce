/* Range fields of RFC 9110 section 14, read against hostile lists: CVE-2011-3192 (thousands that overlap), CVE-2017-7529 (numbers that overflow). */
#include "range.h"

static void skip_space(struct slice *s)
{
    while (s->len && (*s->at == ' ' || *s->at == '\t')) {
        s->at++;
        s->len--;
    }
}

/* Digits to a number that stops at INT64_MAX; false when there is no digit. */
static bool take_position(struct slice *s, int64_t *value)
{
    const char *begin = s->at;
    *value = 0;
    while (s->len && *s->at >= '0' && *s->at <= '9') {
        int digit = *s->at - '0';
        *value = *value > (INT64_MAX - digit) / 10 ? INT64_MAX : *value * 10 + digit;
        s->at++;
        s->len--;
    }
    return s->at != begin;
}

enum spec { SPEC_BAD, SPEC_BEYOND /* unsatisfiable */, SPEC_GOOD };

static enum spec suffix_take(struct slice *s, int64_t length, struct range *out)
{
    int64_t suffix;
    if (!take_position(s, &suffix))
        return SPEC_BAD;
    if (suffix == 0)
        return SPEC_BEYOND;
    if (length == 0) /* RFC 9110 14.1.2 calls it satisfiable, but Content-Range cannot say it: the whole of nothing is sent */
        return SPEC_BAD;
    *out = (struct range){suffix >= length ? 0 : length - suffix, length - 1};
    return SPEC_GOOD;
}

/* One int-range or suffix-range; what follows it stays in s. */
static enum spec spec_take(struct slice *s, int64_t length, struct range *out)
{
    int64_t first, last;
    bool has_first = take_position(s, &first);
    if (!s->len || *s->at != '-')
        return SPEC_BAD;
    *s = slice_of(s->at + 1, s->len - 1);
    if (!has_first)
        return suffix_take(s, length, out);
    if (!take_position(s, &last))
        last = INT64_MAX;
    if (last < first)
        return SPEC_BAD;
    if (first >= length)
        return SPEC_BEYOND;
    *out = (struct range){first, last >= length ? length - 1 : last};
    return SPEC_GOOD;
}

/* Unites a range with those it overlaps or touches; the union stands where the first of them stood. */
static int range_unite(struct range *all, int count, struct range one)
{
    int place = -1, kept = 0;
    for (int i = 0; i < count; i++) {
        if (one.first > all[i].last + 1 || all[i].first > one.last + 1) {
            all[kept++] = all[i];
            continue;
        }
        one.first = one.first < all[i].first ? one.first : all[i].first;
        one.last = one.last > all[i].last ? one.last : all[i].last;
        if (place < 0)
            place = kept++;
    }
    all[place < 0 ? kept++ : place] = one;
    return kept;
}

int range_count(struct slice field)
{
    int commas = 0;
    for (size_t i = 0; i < field.len; i++)
        commas += field.at[i] == ',';
    return commas + 1;
}

enum range_result range_parse(struct slice field, int64_t length, int max, struct range *out, int *count)
{
    int listed = 0;
    struct range one;
    *count = 0;
    if (field.len < 6 || strncasecmp(field.at, "bytes=", 6) != 0)
        return RANGE_WHOLE;
    field = slice_of(field.at + 6, field.len - 6);
    for (;;) {
        skip_space(&field);
        if (field.len && *field.at != ',') {
            enum spec spec = spec_take(&field, length, &one);
            skip_space(&field);
            if (spec == SPEC_BAD || ++listed > max || (field.len && *field.at != ','))
                return RANGE_WHOLE;
            if (spec == SPEC_GOOD)
                *count = range_unite(out, *count, one);
        }
        if (!field.len)
            break;
        field = slice_of(field.at + 1, field.len - 1);
    }
    if (!listed)
        return RANGE_WHOLE;
    return *count ? RANGE_SOME : RANGE_UNSATISFIABLE;
}
