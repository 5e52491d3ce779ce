/* Matching with one point of return: since no wildcard crosses a '/', going back to an earlier star can never help. */
#include "glob.h"

/* at points behind '['. Sets *end behind ']' and returns whether byte is in the set; an unclosed '[' leaves *end NULL. */
static bool set_has(const char *at, unsigned char byte, const char **end)
{
    bool negated = *at == '!' || *at == '^', found = false;
    const char *first = at += negated;
    for (; *at && (*at != ']' || at == first); at++) {
        if (*at == '\\' && at[1])
            at++;
        unsigned char low = (unsigned char)*at, high = low;
        if (at[1] == '-' && at[2] && at[2] != ']') {
            at += 2;
            if (*at == '\\' && at[1])
                at++;
            high = (unsigned char)*at;
        }
        found |= low <= byte && byte <= high;
    }
    *end = *at ? at + 1 : NULL;
    return found != negated;
}

/* Where the pattern goes on when its next element matches byte; NULL when it does not. */
static const char *element_match(const char *p, unsigned char byte)
{
    const char *end;
    switch (*p) {
    case 0:
        return NULL;
    case '?':
        return byte == '/' ? NULL : p + 1;
    case '[': {
        bool inside = set_has(p + 1, byte, &end);
        if (end)
            return inside && byte != '/' ? end : NULL;
        return byte == '[' ? p + 1 : NULL;
    }
    case '\\':
        if (p[1])
            p++;
        break;
    }
    return (unsigned char)*p == byte ? p + 1 : NULL;
}

bool glob_match(const char *p, struct slice text)
{
    const char *t = text.at, *end = t + text.len, *star = NULL, *star_at = NULL;
    while (t < end) {
        const char *next = NULL;
        if (*p == '*') {
            star = ++p;
            star_at = t;
            continue;
        }
        next = element_match(p, (unsigned char)*t);
        if (next) {
            p = next;
            t++;
        } else if (star && *star_at != '/') { /* the star takes one byte more */
            p = star;
            t = ++star_at;
        } else {
            return false;
        }
    }
    while (*p == '*')
        p++;
    return !*p;
}
