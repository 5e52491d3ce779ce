/* Handler and media type of a file by its name, as mod_mime: each extension behind the base name counts, the last that says something wins. */
#include <stdlib.h>

#include "route_mime.h"

/* From the first dot on, leading dots aside. */
struct slice route_extensions(const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name;
    while (*base == '.')
        base++;
    const char *dot = strchr(base, '.');
    return slice_text(dot ? dot : "");
}

bool route_extension_next(struct slice *rest, char out[EXTENSION_BYTES])
{
    if (!rest->len)
        return false;
    const char *dot = memchr(rest->at + 1, '.', rest->len - 1);
    size_t len = dot ? (size_t)(dot - rest->at) : rest->len, n = len < EXTENSION_BYTES ? len : 0;
    for (size_t i = 0; i < n; i++) {
        char c = rest->at[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
    }
    out[n] = 0;
    *rest = slice_of(rest->at + len, rest->len - len);
    return true;
}

const char *route_pair_find(const struct pair_conf *pairs, int count, const char *key)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(pairs[i].key, key))
            return pairs[i].value;
    return NULL;
}

static int pair_compare(const void *key, const void *pair) { return strcmp(key, ((const struct pair_conf *)pair)->key); }

/* NULL: it says nothing, or RemoveType took it back. */
static const char *type_of_extension(const struct request *r, const char *extension)
{
    for (int i = 0; i < r->conf->add_type_count; i++)
        if (!strcmp(r->conf->add_type[i].key, extension))
            return r->conf->add_type[i].value;
    if (!r->main || !r->main->type_count || !extension[0])
        return NULL;
    const struct pair_conf *found = bsearch(extension + 1, r->main->types, (size_t)r->main->type_count, sizeof *found, pair_compare);
    return found ? found->value : NULL;
}

const char *route_type(const struct request *r, const char *name)
{
    const char *type = NULL, *forced = r->conf->force_type;
    char extension[EXTENSION_BYTES];
    struct slice rest = route_extensions(name);
    if (forced && strcasecmp(forced, "none") != 0)
        return forced;
    while (route_extension_next(&rest, extension)) {
        const char *found = type_of_extension(r, extension);
        type = found ? found : type;
    }
    return type;
}

static const char *handler_of(const struct request *r)
{
    const char *handler = NULL, *set = r->conf->set_handler;
    char extension[EXTENSION_BYTES];
    if (set && *set && strcasecmp(set, "none") != 0)
        return set;
    struct slice rest = r->conf->add_handler_count && r->filename ? route_extensions(r->filename) : slice_of(NULL, 0);
    while (route_extension_next(&rest, extension)) {
        const char *found = route_pair_find(r->conf->add_handler, r->conf->add_handler_count, extension);
        handler = found ? found : handler;
    }
    return handler;
}

/* The configuration's text is borrowed: it outlives the request, and nobody writes into these strings. */
void route_handler(struct request *r)
{
    if (!r->handler)
        r->handler = (char *)handler_of(r);
    if (!r->content_type && r->filename && !(r->file_known && S_ISDIR(r->finfo.st_mode)))
        route_describe(r, r->filename == r->typed_name ? r->type : route_type(r, r->filename));
}
