/* Preconditions in the order of RFC 9110 13.2.2. A field that cannot be understood never makes the answer shorter than it would be
 * without it: it is ignored (dates) or matches nothing (entity tags). */
#include "conditions.h"

#include "static.h"

struct tag { struct slice opaque; bool weak; };

/* Takes one entity-tag from the front of s. */
static bool tag_take(struct slice *s, struct tag *tag)
{
    tag->weak = s->len >= 2 && memcmp(s->at, "W/", 2) == 0;
    size_t at = tag->weak ? 2 : 0;
    if (at >= s->len || s->at[at] != '"')
        return false;
    const char *end = memchr(s->at + at + 1, '"', s->len - at - 1);
    if (!end)
        return false;
    size_t used = (size_t)(end + 1 - s->at);
    tag->opaque = slice_of(s->at + at, used - at);
    *s = slice_of(s->at + used, s->len - used);
    return true;
}

static bool tag_equal(const struct tag *a, const struct tag *b, bool strong)
{
    return slice_eq(a->opaque, b->opaque) && !(strong && (a->weak || b->weak));
}

static void skip_list_space(struct slice *s)
{
    while (s->len && (*s->at == ' ' || *s->at == '\t' || *s->at == ',')) {
        s->at++;
        s->len--;
    }
}

bool conditions_etag_listed(struct slice list, struct slice etag, bool strong)
{
    struct tag own, tag;
    skip_list_space(&list);
    if (slice_is(list, "*", 1))
        return true;
    if (!etag.at || !tag_take(&etag, &own) || etag.len)
        return false;
    while (tag_take(&list, &tag)) {
        if (tag_equal(&tag, &own, strong))
            return true;
        skip_list_space(&list);
    }
    return false;
}

static bool not_modified_since(const struct conditions *c)
{
    if (!c->if_modified_since.at || c->mtime_s < 0)
        return false;
    int64_t since = http_date_parse(c->if_modified_since);
    /* A date ahead of our clock cannot be one that we gave: as httpd, we do not believe it. */
    return since >= 0 && since <= c->now_s && c->mtime_s <= since;
}

static bool modified_since(const struct conditions *c)
{
    if (!c->if_unmodified_since.at || c->mtime_s < 0)
        return false;
    int64_t since = http_date_parse(c->if_unmodified_since);
    return since >= 0 && c->mtime_s > since;
}

int conditions_evaluate(const struct conditions *c)
{
    if (c->if_match.at ? !conditions_etag_listed(c->if_match, c->etag, true) : modified_since(c))
        return 412;
    if (c->if_none_match.at) {
        if (!conditions_etag_listed(c->if_none_match, c->etag, false))
            return 0;
        return c->is_get ? 304 : 412;
    }
    return c->is_get && not_modified_since(c) ? 304 : 0;
}

bool conditions_if_range(struct slice if_range, struct slice etag, int64_t mtime_s, int64_t now_s)
{
    struct tag theirs, own;
    if (!if_range.at)
        return true;
    if (tag_take(&if_range, &theirs))
        return if_range.len == 0 && etag.at && tag_take(&etag, &own) && tag_equal(&theirs, &own, true);
    /* A date is a strong validator only when the file cannot have changed twice within its second: RFC 9110 8.8.2.2. */
    int64_t date = http_date_parse(if_range);
    return date >= 0 && date == mtime_s && mtime_s < now_s;
}

int conditions_check(struct request *r)
{
    if (r->status < 200 || r->status > 299 || r->no_local_copy)
        return 0;
    if (r->method_number == METHOD_OPTIONS || r->method_number == METHOD_TRACE || r->method_number == METHOD_CONNECT)
        return 0;
    struct conditions c = {
        .if_match = request_header(r, FIELD_IF_MATCH, SLICE("If-Match")),
        .if_none_match = request_header(r, FIELD_IF_NONE_MATCH, SLICE("If-None-Match")),
        .if_modified_since = request_header(r, FIELD_IF_MODIFIED_SINCE, SLICE("If-Modified-Since")),
        .if_unmodified_since = request_header(r, FIELD_IF_UNMODIFIED_SINCE, SLICE("If-Unmodified-Since")),
        .mtime_s = r->mtime_us > 0 ? r->mtime_us / 1000000 : -1,
        .now_s = r->start_us / 1000000,
        .is_get = r->method_number == METHOD_GET,
    };
    const struct table_entry *e = table_find(&r->headers_out, SLICE("ETag"));
    if (e && e->value)
        c.etag = slice_of(e->value, e->value_len);
    e = table_find(&r->headers_out, SLICE("Last-Modified"));
    if (e && e->value && c.mtime_s < 0)
        c.mtime_s = http_date_parse(slice_of(e->value, e->value_len));
    return conditions_evaluate(&c);
}
