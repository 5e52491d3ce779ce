/* Where a path leads: redirects and aliases, the first of the file that holds; else DocumentRoot. */
#include <errno.h>
#include <limits.h>
#include <stdint.h>

#include "errors.h"
#include "log.h"
#include "origin.h"
#include "regex.h"
#include "route_parts.h"

enum { PAIRS = 2 * REGEX_PAIRS };

static struct slice uri_of(const struct request *r) { return slice_text(r->uri); }

/* "/foo" holds for /foo and /foo/…, "/foo/" for /foo/… */
static bool prefix_holds(struct slice pattern, struct slice path)
{
    if (path.len < pattern.len || memcmp(path.at, pattern.at, pattern.len) != 0)
        return false;
    return path.len == pattern.len || path.at[pattern.len] == '/' || (pattern.len && pattern.at[pattern.len - 1] == '/');
}

/* Position of the first alias that holds, or -1; for a regular expression the groups are in ovector. */
static int alias_find(const struct alias_conf *aliases, const struct pattern_list *list, struct slice uri, size_t *ovector, int *pairs)
{
    int best = prefix_find_least(&list->plain, uri);
    *pairs = 0;
    for (int i = 0; i < list->other_count && (best < 0 || list->others[i] < best); i++) {
        const struct alias_conf *a = &aliases[list->others[i]];
        int n = a->regex.pattern ? regex_match(&a->regex, uri, ovector, REGEX_PAIRS) : 1; /* neither pattern nor regex: the section was it */
        if (n > 0) {
            *pairs = a->regex.pattern ? n : 0;
            return list->others[i];
        }
    }
    return best;
}

static int dir_redirect_find(const struct alias_conf *a, int count, struct slice uri, size_t *ovector, int *pairs)
{
    for (int i = 0; i < count; i++) {
        *pairs = a[i].regex.pattern ? regex_match(&a[i].regex, uri, ovector, REGEX_PAIRS) : 0;
        if (*pairs > 0)
            return i;
        *pairs = 0;
        if (!a[i].regex.pattern && (!a[i].from || prefix_holds(slice_of(a[i].from, (size_t)a[i].from_len), uri)))
            return i;
    }
    return -1;
}

static char *expand(struct request *r, const char *to, struct slice subject, const size_t *ovector, int pairs)
{
    struct slice pattern = slice_text(to);
    size_t len = regex_expand(NULL, 0, pattern, subject, ovector, pairs);
    char *out = request_alloc(r, len + 1);
    if (out)
        regex_expand(out, len + 1, pattern, subject, ovector, pairs);
    return out;
}

/* The same with every group percent-encoded: what a client wrote stays a part of the path, whatever bytes it has. */
static char *expand_escaped(struct request *r, const char *to, struct slice subject, const size_t *ovector, int pairs)
{
    struct buf escaped = {0};
    size_t at[PAIRS];
    char *out = NULL;
    for (int i = 0; i < pairs; i++) {
        at[2 * i] = at[2 * i + 1] = SIZE_MAX;
        if (ovector[2 * i] == SIZE_MAX)
            continue;
        at[2 * i] = escaped.len;
        if (url_escape(&escaped, slice_of(subject.at + ovector[2 * i], ovector[2 * i + 1] - ovector[2 * i])) < 0)
            goto done;
        at[2 * i + 1] = escaped.len;
    }
    out = expand(r, to, slice_of(escaped.at ? escaped.at : "", escaped.len), at, pairs);
done:
    buf_clear(&escaped);
    return out;
}

static char *join(struct request *r, struct slice a, struct slice b, struct slice c)
{
    char *out = request_alloc(r, a.len + b.len + c.len + 1);
    if (!out)
        return NULL;
    memcpy(out, a.at, a.len);
    if (b.len)
        memcpy(out + a.len, b.at, b.len);
    if (c.len)
        memcpy(out + a.len + b.len, c.at, c.len);
    out[a.len + b.len + c.len] = 0;
    return out;
}

static char *append_escaped(struct request *r, const char *to, struct slice rest)
{
    struct buf escaped = {0};
    char *out = NULL;
    if (url_escape(&escaped, rest) == 0)
        out = join(r, slice_text(to), slice_of(escaped.at, escaped.len), slice_of(NULL, 0));
    buf_clear(&escaped);
    return out;
}

/* The target with the rest of the path or the groups, then made absolute, then with the query. NULL with errno. */
static char *redirect_target(struct request *r, const struct alias_conf *a, const size_t *ovector, int pairs)
{
    struct slice uri = uri_of(r);
    char *to;
    if (pairs)
        to = expand_escaped(r, a->to, uri, ovector, pairs);
    else if (a->from)
        to = append_escaped(r, a->to, slice_of(uri.at + a->from_len, uri.len - (size_t)a->from_len));
    else
        to = request_strdup(r, slice_text(a->to));
    if (to && to[0] == '/')
        to = origin_url(r, slice_text(to));
    if (to && r->args && !strchr(to, '?'))
        to = join(r, slice_text(to), SLICE("?"), slice_text(r->args));
    return to;
}

static enum route_result redirect_answer(struct request *r, const struct alias_conf *a, const size_t *ovector, int pairs)
{
    r->status = a->status;
    if (a->status < 300 || a->status > 399 || !a->to)
        return ROUTE_STATUS;
    char *to = redirect_target(r, a, ovector, pairs);
    if (!to || !http_is_value(slice_text(to)) || table_set(&r->err_headers_out, SLICE("Location"), slice_text(to)) < 0)
        r->status = 500;
    return ROUTE_STATUS;
}

enum route_result route_redirect(struct request *r, const struct alias_conf *aliases, const struct pattern_list *list, int count)
{
    size_t ovector[PAIRS];
    int pairs = 0, at = -1;
    if (list)
        at = alias_find(aliases, list, uri_of(r), ovector, &pairs);
    else if (count)
        at = dir_redirect_find(aliases, count, uri_of(r), ovector, &pairs);
    return at < 0 ? ROUTE_OK : redirect_answer(r, &aliases[at], ovector, pairs);
}

/* root + rest with exactly one slash between them. */
static char *path_join(struct request *r, struct slice root, struct slice rest)
{
    bool ends = root.len && root.at[root.len - 1] == '/', begins = rest.len && rest.at[0] == '/';
    root.len -= ends && begins;
    return join(r, root, rest.len && !ends && !begins ? SLICE("/") : slice_of(NULL, 0), rest);
}

/* Groups are pieces of a path without dot segments, but a pattern may cut them so that they join to one. */
static bool has_dot_segment(const char *path)
{
    for (const char *p = path; (p = strstr(p, "/..")); p += 3)
        if (p[3] == '/' || !p[3])
            return true;
    return false;
}

static char *alias_filename(struct request *r, const struct alias_conf *a, const size_t *ovector, int pairs, int *status)
{
    struct slice uri = uri_of(r);
    if (!pairs)
        return path_join(r, slice_text(a->to), slice_of(uri.at + a->from_len, uri.len - (size_t)a->from_len));
    char *name = expand(r, a->to, uri, ovector, pairs);
    if (name && has_dot_segment(name)) {
        log_request(r, LEVEL_ERROR, "route", "AliasMatch %s: the file name would have a \"..\" segment", a->from ? a->from : a->regex.pattern);
        *status = 403;
        return NULL;
    }
    return name;
}

static const char *alias_handler(int kind)
{
    return kind == ALIAS_SCRIPT ? "cgi-script" : NULL;
}

char *route_filename(const struct server_index *index, struct request *r, const char **handler, int *status)
{
    const struct server_conf *server = index->conf;
    size_t ovector[PAIRS];
    int pairs, at = alias_find(server->aliases, &index->aliases, uri_of(r), ovector, &pairs);
    char *name;
    *status = 500;
    if (at >= 0) {
        *handler = alias_handler(server->aliases[at].kind);
        name = alias_filename(r, &server->aliases[at], ovector, pairs, status);
    } else {
        name = path_join(r, slice_text(server->document_root ? server->document_root : "/"), uri_of(r));
    }
    if (!name || strlen(name) <= LIMIT_PATH_BYTES)
        return name;
    log_request(r, LEVEL_INFO, "route", "answered 414: the file's name would be longer than LIMIT_PATH_BYTES");
    *status = 414;
    return NULL;
}
