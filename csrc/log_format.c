/* LogFormat, compiled once into a list of items; a line is a walk over it. httpd's mod_log_config is the model of every item. */
#include "log_parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "request.h"

#define FORMAT_COMMON "%h %l %u %t \"%r\" %>s %b"
#define FORMAT_REFERERS " \"%{Referer}i\" \"%{User-Agent}i\""

static const struct { const char *name, *format; } nicknames[] = {
    {"common", FORMAT_COMMON},
    {"combined", FORMAT_COMMON FORMAT_REFERERS},
    {"combinedio", FORMAT_COMMON FORMAT_REFERERS " %I %O"},
    {"vhost_combined", "%v:%p " FORMAT_COMMON FORMAT_REFERERS},
    {"referer", "%{Referer}i -> %U"},
    {"agent", "%{User-agent}i"},
};

static const char *format_text(const char *text)
{
    if (!text || !*text)
        return nicknames[1].format;
    for (size_t i = 0; i < sizeof nicknames / sizeof *nicknames; i++)
        if (strcmp(text, nicknames[i].name) == 0)
            return nicknames[i].format;
    return text;
}

struct parse { struct log_format *f; char *room; char *error; size_t error_room; };

static const char *parse_failed(struct parse *p, const char *what, const char *at)
{
    snprintf(p->error, p->error_room, "%s at \"%.40s\"", what, at);
    return NULL;
}

/* Literal text up to the next item; \n, \t and \" are what they are in C, as httpd reads them. */
static const char *parse_literal(struct parse *p, const char *at, struct log_item *item)
{
    char *to = p->room;
    for (; *at && !(at[0] == '%' && at[1] != '%'); at++) {
        char byte = *at;
        if (byte == '%')
            at++;
        else if (byte == '\\' && at[1]) {
            byte = *++at;
            byte = byte == 'n' ? '\n' : byte == 't' ? '\t' : byte == 'r' ? '\r' : byte;
        }
        *to++ = byte;
    }
    item->text = p->room;
    item->text_len = (uint32_t)(to - p->room);
    p->room = to;
    return at;
}

/* "400,501" or "!200,304" */
static const char *parse_statuses(struct parse *p, const char *at, struct log_item *item)
{
    if (*at == '!') {
        item->unless = true;
        at++;
    }
    while (isdigit((unsigned char)*at)) {
        char *end;
        long status = strtol(at, &end, 10);
        if (item->status_count == sizeof item->statuses / sizeof *item->statuses || status > 999)
            return parse_failed(p, "too many or too large status codes", at);
        item->statuses[item->status_count++] = (uint16_t)status;
        at = end + (*end == ',');
    }
    return at;
}

static bool reads_original(char letter) { return strchr("sUTDr", letter) != NULL; } /* httpd's defaults of %< and %> */

static const char *parse_item(struct parse *p, const char *at, struct log_item *item)
{
    const char *start = at++;
    const char *arg = NULL;
    int which = 0;
    for (bool more = true; more;) {
        if (*at == '<' || *at == '>')
            which = *at++;
        else if (*at == '!' || isdigit((unsigned char)*at)) {
            if (!(at = parse_statuses(p, at, item)))
                return NULL;
        } else if (*at == '{') {
            const char *end = strchr(at, '}');
            if (!end)
                return parse_failed(p, "missing }", start);
            size_t len = (size_t)(end - at) - 1;
            memcpy(p->room, at + 1, len);
            p->room[len] = 0;
            arg = p->room;
            item->text = arg;
            item->text_len = (uint32_t)len;
            p->room += len + 1;
            at = end + 1;
        } else
            more = false;
    }
    bool trailer = at[0] == '^' && at[1] == 't' && (at[2] == 'i' || at[2] == 'o');
    at += trailer ? 2 : 0;
    if (!*at || (trailer ? log_item_trailer(*at, arg, item) : log_item_find(*at, arg, item)) < 0)
        return parse_failed(p, "no such LogFormat item", start);
    item->original = which ? which == '<' : reads_original(*at);
    return at + 1;
}

struct log_format *log_format_new(const char *text, char *error, size_t room)
{
    text = format_text(text);
    size_t len = strlen(text), items = 1;
    for (const char *at = text; *at; at++)
        items += *at == '%' ? 2 : 0;
    struct log_format *f = calloc(1, sizeof *f);
    if (f) {
        f->items = calloc(items, sizeof *f->items);
        f->texts = malloc(len * 2 + 2);
    }
    if (!f || !f->items || !f->texts) {
        log_format_free(f);
        snprintf(error, room, "out of memory");
        return NULL;
    }
    struct parse p = {f, f->texts, error, room};
    while (text && *text) {
        struct log_item *item = &f->items[f->count++];
        text = text[0] == '%' && text[1] != '%' ? parse_item(&p, text, item) : parse_literal(&p, text, item);
    }
    if (!text) {
        log_format_free(f);
        return NULL;
    }
    return f;
}

void log_format_free(struct log_format *f)
{
    if (!f)
        return;
    free(f->items);
    free(f->texts);
    free(f);
}

static bool item_applies(const struct log_item *item, int status)
{
    for (int i = 0; i < item->status_count; i++)
        if (item->statuses[i] == status)
            return !item->unless;
    return item->unless;
}

void log_format_line(const struct log_format *f, const struct request *r, struct log_sink *out)
{
    const struct request *original = r, *final = r;
    while (original->prev)
        original = original->prev;
    while (final->next)
        final = final->next;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct log_item *item = &f->items[i];
        if (!item->write)
            sink_put(out, item->text, item->text_len);
        else if (item->status_count && !item_applies(item, final->status))
            sink_byte(out, '-');
        else
            item->write(out, item->original ? original : final, item);
    }
    sink_byte(out, '\n');
}

void sink_escaped(struct log_sink *s, struct slice text)
{
    if (!text.len) {
        sink_byte(s, '-');
        return;
    }
    size_t room = (size_t)(s->end - s->at);
    s->at += log_escape(s->at, room, text);
    if (text.len * 4 > room && s->end - s->at < 4)
        s->full = true;
}

void sink_number(struct log_sink *s, int64_t value)
{
    char digits[24], *at = digits + sizeof digits;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        *--at = '-';
    sink_put(s, at, (size_t)(digits + sizeof digits - at));
}

void sink_padded(struct log_sink *s, unsigned value, int digits)
{
    char text[12];
    for (int i = digits; i-- > 0; value /= 10)
        text[i] = (char)('0' + value % 10);
    sink_put(s, text, (size_t)digits);
}
