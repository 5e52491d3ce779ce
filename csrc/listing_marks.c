/* Icons, their words, and descriptions of the entries of a listing: the first rule of the configuration that fits. */
#include "errors.h"
#include "glob.h"
#include "listing_parts.h"
#include "route.h"

/* Encodings by extension, under the names that httpd's own configuration gives them. */
static const char *encoding_of(const char *name)
{
    static const struct { const char *extension, *encoding; } known[] = {
        {".gz", "x-gzip"}, {".tgz", "x-gzip"}, {".Z", "x-compress"}, {".bz2", "x-bzip2"}, {".xz", "x-xz"}, {".zst", "zstd"}, {".br", "br"}};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof known / sizeof *known; i++)
        if (strcmp(dot, known[i].extension) == 0)
            return known[i].encoding;
    return NULL;
}

static bool pattern_fits(const char *pattern, const char *text)
{
    return text && glob_match(pattern, slice_text(text));
}

/* Without wildcards it is the end of a name: an extension, or all of it. */
static bool name_fits(const char *pattern, const char *name)
{
    size_t len = strlen(pattern), all = strlen(name);
    if (strpbrk(pattern, "*?["))
        return pattern_fits(pattern, name);
    return len <= all && strcmp(name + all - len, pattern) == 0;
}

static bool mark_fits(const struct index_mark *m, const struct request *r, const char *name, bool is_dir)
{
    switch ((enum index_mark_kind)m->kind) {
    case MARK_DIRECTORY: return is_dir && strcmp(name, "..") != 0;
    case MARK_BLANK: return false; /* a row for the heads of columns has no icon here */
    case MARK_NAME: return name_fits(m->pattern, name);
    case MARK_TYPE: return !is_dir && pattern_fits(m->pattern, route_type(r, name));
    case MARK_ENCODING: return !is_dir && pattern_fits(m->pattern, encoding_of(name));
    }
    return false;
}

static const char *mark_find(const struct index_mark *marks, int count, const struct request *r, const char *name, bool is_dir)
{
    for (int i = 0; i < count; i++)
        if (mark_fits(&marks[i], r, name, is_dir))
            return marks[i].value;
    return NULL;
}

const char *listing_description(const struct dir_conf *conf, const char *name)
{
    for (int i = 0; i < conf->index_description_count; i++)
        if (name_fits(conf->index_descriptions[i].pattern, name))
            return conf->index_descriptions[i].value;
    return NULL;
}

bool listing_has_icons(const struct dir_conf *conf)
{
    return (conf->index_icon_count || conf->default_icon) && !(conf->index_options & INDEX_SUPPRESS_ICON);
}

int listing_icon(struct buf *to, const struct request *r, const char *name, bool is_dir)
{
    const struct dir_conf *conf = r->conf;
    const char *icon = NULL, *alt;
    if (listing_has_icons(conf))
        icon = mark_find(conf->index_icons, conf->index_icon_count, r, name, is_dir);
    if (!icon && listing_has_icons(conf))
        icon = conf->default_icon;
    if (!icon)
        return 0;
    alt = mark_find(conf->index_alts, conf->index_alt_count, r, name, is_dir);
    if (buf_addf(to, "<img src=\"") < 0 || html_escape(to, slice_text(icon)) < 0 || buf_addf(to, "\" alt=\"") < 0
        || html_escape(to, slice_text(alt ? alt : "")) < 0)
        return -1;
    return buf_addf(to, "\"> ");
}
