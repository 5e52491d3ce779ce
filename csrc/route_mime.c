/* Charset, encodings and languages of a file by its name, as mod_mime: `page.html.fr.utf8` is French, `data.csv.Z.gz` was packed twice. */
#include "route_mime.h"

#include <string.h>

#include "buf.h"

/* Appends a word to what the request has there already. Without memory it stays as it is. */
static void add_word(struct request *r, char **text, const char *between, const char *word)
{
    struct buf longer = {0};
    if (word && buf_addf(&longer, "%s%s%s", *text ? *text : "", *text ? between : "", word) == 0) {
        char *copy = request_strdup(r, slice_of(longer.at, longer.len));
        *text = copy ? copy : *text;
    }
    buf_clear(&longer);
}

static struct slice without_spaces(const char *at, size_t len)
{
    while (len && (*at == ' ' || *at == '\t')) {
        at++;
        len--;
    }
    while (len && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    return slice_of(at, len);
}

/* The type with this charset in the place of its own, else at its end. */
static void set_charset(struct request *r, const char *charset)
{
    struct buf text = {0};
    const char *at = r->content_type;
    size_t len = strcspn(at, ";");
    bool named = false;
    int failed = buf_add(&text, at, len);
    while (!failed && at[len]) {
        at += len + 1;
        len = strcspn(at, ";");
        struct slice parameter = without_spaces(at, len);
        bool is_charset = parameter.len > 8 && strncasecmp(parameter.at, "charset=", 8) == 0;
        named |= is_charset;
        failed = is_charset ? buf_addf(&text, "; charset=%s", charset) : buf_addf(&text, "; %.*s", (int)parameter.len, parameter.at);
    }
    if (!failed && !named)
        failed = buf_addf(&text, "; charset=%s", charset);
    char *type = failed ? NULL : request_strdup(r, slice_of(text.at, text.len));
    if (type)
        r->content_type = type;
    buf_clear(&text);
}

void route_describe(struct request *r, const char *type)
{
    const struct dir_conf *conf = r->conf;
    r->content_type = (char *)type; /* the configuration's text: it outlives the request, and nobody writes into it */
    if (!(conf->add_charset_count | conf->add_encoding_count | conf->add_language_count) && !conf->default_language)
        return;
    const char *charset = NULL;
    char extension[EXTENSION_BYTES];
    struct slice rest = route_extensions(r->filename);
    r->content_encoding = r->content_languages = NULL;
    while (route_extension_next(&rest, extension)) {
        const char *found = route_pair_find(conf->add_charset, conf->add_charset_count, extension);
        charset = found ? found : charset;
        add_word(r, &r->content_encoding, ", ", route_pair_find(conf->add_encoding, conf->add_encoding_count, extension));
        add_word(r, &r->content_languages, ",", route_pair_find(conf->add_language, conf->add_language_count, extension));
    }
    if (charset && type && type != conf->force_type)
        set_charset(r, charset);
    if (!r->content_languages && conf->default_language)
        r->content_languages = request_strdup(r, slice_text(conf->default_language));
}
