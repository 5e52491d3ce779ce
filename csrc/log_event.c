/* ErrorLogFormat from text to items and from items to a line. What a client sends is escaped wherever it can stand. */
#include "log_event.h"

#include <stdio.h>
#include <stdlib.h>

#include "log_event_items.h"

enum event_flag {
    EVENT_SEPARATES = 1, /* a new field begins here */
    EVENT_IS_MESSAGE = 2,
    EVENT_HYPHEN = 4,    /* %-…: a hyphen stands for no value */
    EVENT_REQUIRED = 8   /* %+…: without a value there is no line */
};

struct event_format { uint32_t count; struct event_item *items; char *texts; }; /* owned */

/* ---- text to items ---- */

struct parse { struct event_format *f; char *room; enum log_event_kind kind; char *error; size_t error_room; };

static const char *failed(struct parse *p, const char *what, const char *at)
{
    snprintf(p->error, p->error_room, "%s: %.40s", what, at);
    return NULL;
}

/* Spaces that begin a field, and words up to the next space or item. "\ " is a space that begins no field. */
static const char *parse_words(struct parse *p, const char *at, struct event_item *item)
{
    char *to = p->room;
    item->text = to;
    if (*at == ' ')
        item->flags |= EVENT_SEPARATES;
    while (*at == ' ')
        *to++ = *at++;
    while (*at && *at != '%' && *at != ' ') {
        char byte = *at++;
        if (byte == '\\' && *at) {
            byte = *at++;
            byte = byte == 'n' ? '\n' : byte == 't' ? '\t' : byte == 'r' ? '\r' : byte;
        }
        *to++ = byte;
    }
    item->text_len = (uint32_t)(to - p->room);
    p->room = to;
    return at;
}

/* What stands between % and the letter: - + level {arg}. */
static const char *parse_modifiers(struct parse *p, const char *at, struct event_item *item)
{
    for (const char *start = at - 1;; at++) {
        if (*at == '-')
            item->flags |= EVENT_HYPHEN;
        else if (*at == '+')
            item->flags |= EVENT_REQUIRED;
        else if (*at >= '0' && *at <= '9')
            item->least_level = (uint8_t)(*at - '0');
        else if (*at == '{') {
            size_t len = strcspn(at + 1, "}");
            if (!at[len + 1])
                return failed(p, "closing } expected", start);
            memcpy(p->room, at + 1, len);
            p->room[len] = 0;
            item->text = p->room;
            item->text_len = (uint32_t)len;
            p->room += len + 1;
            at += len + 1;
        } else
            return at;
    }
}

static const char *parse_item(struct parse *p, const char *at, struct event_item *item)
{
    const char *start = at++;
    if (!(at = parse_modifiers(p, at, item)))
        return NULL;
    if (*at == '%') {
        *item = (struct event_item){.text = "%", .text_len = 1};
    } else if (*at == ' ') {
        *item = (struct event_item){.text = "", .flags = EVENT_SEPARATES};
    } else if (*at == 'M') {
        if (p->kind != EVENT_MESSAGE)
            return failed(p, "%M expected in the format of the message alone", start);
        item->flags |= EVENT_IS_MESSAGE;
    } else if (!*at || event_item_find(*at, item) < 0) {
        return failed(p, "%a %A %E %F %k %l %L %m %M %P %t %T %v %V %{name}e %{name}i %{name}n or %% expected", start);
    }
    if (item->flags & EVENT_REQUIRED && p->kind == EVENT_MESSAGE)
        return failed(p, "+ expected in formats of connections and requests alone", start);
    return at + 1;
}

static bool has_message(const struct event_format *f)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (f->items[i].flags & EVENT_IS_MESSAGE)
            return true;
    return false;
}

struct event_format *event_format_new(const char *text, enum log_event_kind kind, char *error, size_t room)
{
    size_t len = strlen(text);
    struct event_format *f = calloc(1, sizeof *f);
    if (!f || !(f->items = calloc(len + 1, sizeof *f->items)) || !(f->texts = malloc(2 * len + 2))) {
        event_format_free(f);
        snprintf(error, room, "out of memory");
        return NULL;
    }
    struct parse p = {f, f->texts, kind, error, room};
    const char *at = text;
    while (at && *at) {
        struct event_item *item = &f->items[f->count++];
        at = *at == '%' ? parse_item(&p, at, item) : parse_words(&p, at, item);
    }
    if (at && kind == EVENT_MESSAGE && !has_message(f))
        at = failed(&p, "%M, the message, expected in it", text);
    if (!at) {
        event_format_free(f);
        return NULL;
    }
    return f;
}

void event_format_free(struct event_format *f)
{
    if (!f)
        return;
    free(f->items);
    free(f->texts);
    free(f);
}

/* ---- items to a line ---- */

/* Writes one item; false: it has no value here. */
static bool item_out(const struct event_item *item, const struct log_event *e, struct log_sink *out)
{
    if (e->level < item->least_level)
        return false;
    if (!item->write) {
        sink_put(out, item->text, item->text_len);
        return true;
    }
    const char *before = out->at;
    item->write(out, e, item);
    return out->at > before || out->full;
}

/* As httpd does it: an item without value takes its field with it, from the space before to the space behind; the message stays in any case. */
size_t event_format_line(const struct event_format *f, const struct log_event *e, char *to, size_t room)
{
    struct log_sink out = {to, to + room - 1, false};
    char *field = to;
    bool skipping = false;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct event_item *item = &f->items[i];
        if (item->flags & EVENT_SEPARATES && !skipping)
            field = out.at;
        if (item->flags & EVENT_SEPARATES)
            skipping = false;
        if (item->flags & EVENT_IS_MESSAGE) {
            out.at += log_escape_text(out.at, (size_t)(out.end - out.at), e->message, false);
        } else if (!skipping && !item_out(item, e, &out)) {
            if (item->flags & EVENT_REQUIRED)
                return 0;
            if (item->flags & EVENT_HYPHEN && e->level >= item->least_level) {
                sink_byte(&out, '-');
            } else {
                out.at = field;
                skipping = true;
            }
        }
    }
    *out.at++ = '\n';
    return (size_t)(out.at - to);
}

/* ---- those of a server ---- */

static int list_new(const char *const *texts, int count, enum log_event_kind kind, struct event_format ***out, int *made, char *error, size_t room)
{
    if (count && !(*out = calloc((size_t)count, sizeof **out))) {
        snprintf(error, room, "out of memory");
        return -1;
    }
    for (*made = 0; *made < count; ++*made)
        if (!((*out)[*made] = event_format_new(texts[*made], kind, error, room)))
            return -1;
    return 0;
}

int event_formats_new(const struct server_conf *server, struct event_formats **out, char *error, size_t room)
{
    *out = NULL;
    if (!server->error_log_format && !server->error_connection_format_count && !server->error_request_format_count)
        return 0;
    struct event_formats *f = calloc(1, sizeof *f);
    if (!f) {
        snprintf(error, room, "out of memory");
        return -1;
    }
    if ((server->error_log_format && !(f->message = event_format_new(server->error_log_format, EVENT_MESSAGE, error, room)))
        || list_new(server->error_connection_formats, server->error_connection_format_count, EVENT_CONNECTION, &f->connection, &f->connection_count, error, room) < 0
        || list_new(server->error_request_formats, server->error_request_format_count, EVENT_REQUEST, &f->request, &f->request_count, error, room) < 0) {
        event_formats_free(f);
        return -1;
    }
    *out = f;
    return 0;
}

void event_formats_free(struct event_formats *f)
{
    if (!f)
        return;
    event_format_free(f->message);
    for (int i = 0; i < f->connection_count; i++)
        event_format_free(f->connection[i]);
    for (int i = 0; i < f->request_count; i++)
        event_format_free(f->request[i]);
    free(f->connection);
    free(f->request);
    free(f);
}
