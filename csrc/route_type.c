/* Handler and media type of a file by its name, as mod_mime: each extension behind the base name counts, the last that says something wins. */
#include <stdlib.h>

#include "route.h"

enum { EXTENSION_BYTES = 64 };

/* The extensions of the base name: from the first dot on, leading dots aside. */
static struct slice extensions_of(const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name;
    while (*base == '.')
        base++;
    const char *dot = strchr(base, '.');
    return slice_text(dot ? dot : "");
}

/* Takes ".ext" off the front of *rest into out, lower case with its dot; false: none left. Those too long for any table come out empty. */
static bool extension_next(struct slice *rest, char out[EXTENSION_BYTES])
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

static const char *pair_find(const struct pair_conf *pairs, int count, const char *key)
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
    struct slice rest = extensions_of(name);
    if (forced && strcasecmp(forced, "none") != 0)
        return forced;
    while (extension_next(&rest, extension)) {
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
    struct slice rest = r->conf->add_handler_count && r->filename ? extensions_of(r->filename) : slice_of(NULL, 0);
    while (extension_next(&rest, extension)) {
        const char *found = pair_find(r->conf->add_handler, r->conf->add_handler_count, extension);
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
        r->content_type = (char *)(r->filename == r->typed_name ? r->type : route_type(r, r->filename));
}
