/* What an access line can say about a request. Everything that can hold a byte of the client's goes through sink_escaped. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "log_parts.h"
#include "request.h"

static void put_text(struct log_sink *out, const char *text) { sink_escaped(out, slice_text(text)); }

static struct slice table_value(const struct table *t, const struct log_item *item)
{
    const struct table_entry *e = t->count ? table_find(t, slice_of(item->text, item->text_len)) : NULL;
    return e && e->value ? slice_of(e->value, e->value_len) : slice_of(NULL, 0);
}

static void write_dash(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)r, (void)item;
    sink_byte(out, '-');
}

static void write_user(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    if (r->user && !*r->user)
        sink_put(out, "\"\"", 2); /* httpd: an empty name is not "no name" */
    else
        put_text(out, r->user);
}

static void put_protocol(struct log_sink *out, const struct request *r)
{
    sink_put(out, "HTTP/1.", 7);
    sink_byte(out, r->head.minor ? '1' : '0');
}

static void write_request_line(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    if (r->bytes && r->head.line_len)
        sink_escaped(out, slice_of(r->bytes + r->head.start, r->head.line_len));
    else if (r->method && r->unparsed_uri) { /* it came by a protocol that has no such line */
        put_text(out, r->method);
        sink_byte(out, ' ');
        put_text(out, r->unparsed_uri);
        sink_byte(out, ' ');
        put_protocol(out, r);
    } else
        sink_byte(out, '-');
}

static void write_status(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    if (r->status > 0)
        sink_number(out, r->status);
    else
        sink_byte(out, '-');
}

static int64_t body_bytes(const struct request *r) { return r->no_body_out ? 0 : (int64_t)r->body_bytes_out; }
static int64_t bytes_in(const struct request *r) { return (int64_t)r->head.at + (int64_t)r->body_bytes_in; }

static void write_body_bytes(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    sink_number(out, body_bytes(r));
}

static void write_body_bytes_clf(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    if (body_bytes(r))
        write_body_bytes(out, r, item);
    else
        sink_byte(out, '-');
}

static void write_bytes_out(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    sink_number(out, (int64_t)r->wire_bytes_out);
}

static void write_bytes_in(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    sink_number(out, bytes_in(r));
}

static void write_bytes_both(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    sink_number(out, bytes_in(r) + (int64_t)r->wire_bytes_out);
}

static void write_header_in(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    /* request_header only reads; it takes no const because others of its family build the table. */
    sink_escaped(out, request_header((struct request *)r, item->number, slice_of(item->text, item->text_len)));
}

static void write_header_out(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    struct slice name = slice_of(item->text, item->text_len), value = table_value(&r->headers_out, item);
    if (!value.at)
        value = table_value(&r->err_headers_out, item);
    if (!value.at && slice_eq_nocase(name, SLICE("Content-Type")))
        value = slice_text(r->content_type);
    if (!value.at && r->clength >= 0 && slice_eq_nocase(name, SLICE("Content-Length")))
        sink_number(out, r->clength);
    else
        sink_escaped(out, value);
}

/* The value of one cookie of the Cookie field; httpd compares the name without regard to case. */
static void write_cookie(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    struct slice field = request_header((struct request *)r, FIELD_COOKIE, SLICE("Cookie"));
    const char *at = field.at, *end = field.at + field.len;
    while (at && at < end) {
        const char *stop = memchr(at, ';', (size_t)(end - at));
        stop = stop ? stop : end;
        struct slice pair = slice_trim(slice_of(at, (size_t)(stop - at)));
        const char *equals = pair.len ? memchr(pair.at, '=', pair.len) : NULL;
        if (equals && slice_eq_nocase(slice_of(pair.at, (size_t)(equals - pair.at)), slice_of(item->text, item->text_len))) {
            sink_escaped(out, slice_of(equals + 1, pair.len - (size_t)(equals + 1 - pair.at)));
            return;
        }
        at = stop + 1;
    }
    sink_byte(out, '-');
}

static void write_env(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    sink_escaped(out, table_value(&r->subprocess_env, item));
}

static void write_note(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    sink_escaped(out, table_value(&r->notes, item));
}

static void write_trailer_in(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    sink_escaped(out, table_value(&r->trailers_in, item));
}

enum duration_unit { UNIT_S, UNIT_MS, UNIT_US };

static void write_duration(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t us = ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec - r->start_ns) / 1000;
    sink_number(out, item->number == UNIT_S ? us / 1000000 : item->number == UNIT_MS ? us / 1000 : us);
}

static log_item_fn duration_item(const char *unit, struct log_item *item)
{
    static const char *const names[] = {[UNIT_S] = "s", [UNIT_MS] = "ms", [UNIT_US] = "us"};
    for (uint16_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!unit || strcmp(unit, names[i]) == 0) {
            item->number = i;
            return write_duration;
        }
    return NULL;
}

static void write_path(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    put_text(out, r->uri);
}

static void write_query(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    if (!r->args)
        return; /* httpd: nothing at all, so that %U%q is the whole */
    sink_byte(out, '?');
    if (*r->args)
        put_text(out, r->args);
}

static void write_method(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    put_text(out, r->method);
}

static void write_protocol(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    if (r->bytes || r->method)
        put_protocol(out, r);
    else
        sink_byte(out, '-');
}

static void write_file_name(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    put_text(out, r->filename);
}

static void write_handler(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    put_text(out, r->handler);
}

static void write_process(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)r;
    sink_number(out, item->number ? (int64_t)syscall(SYS_gettid) : getpid());
}

static log_item_fn process_item(const char *what, struct log_item *item)
{
    item->number = what && (strcmp(what, "tid") == 0 || strcmp(what, "hextid") == 0);
    return !what || item->number || strcmp(what, "pid") == 0 ? write_process : NULL;
}

/* Unique over the workers of a server; error lines carry the pid as well. */
static void write_id(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    sink_number(out, getpid());
    sink_byte(out, '.');
    sink_number(out, (int64_t)r->id);
}

static log_item_fn header_item(const char *name, struct log_item *item)
{
    static const struct { const char *name; uint16_t number; } known[] = {
        {"Host", FIELD_HOST}, {"Content-Length", FIELD_CONTENT_LENGTH}, {"Transfer-Encoding", FIELD_TRANSFER_ENCODING},
        {"Connection", FIELD_CONNECTION}, {"Keep-Alive", FIELD_KEEP_ALIVE}, {"Expect", FIELD_EXPECT}, {"Upgrade", FIELD_UPGRADE},
        {"Content-Type", FIELD_CONTENT_TYPE}, {"Authorization", FIELD_AUTHORIZATION}, {"Proxy-Authorization", FIELD_PROXY_AUTHORIZATION},
        {"Range", FIELD_RANGE}, {"If-Range", FIELD_IF_RANGE}, {"If-Match", FIELD_IF_MATCH}, {"If-None-Match", FIELD_IF_NONE_MATCH},
        {"If-Modified-Since", FIELD_IF_MODIFIED_SINCE}, {"If-Unmodified-Since", FIELD_IF_UNMODIFIED_SINCE}, {"Cookie", FIELD_COOKIE},
        {"Referer", FIELD_REFERER}, {"User-Agent", FIELD_USER_AGENT}, {"Accept-Encoding", FIELD_ACCEPT_ENCODING},
        {"Max-Forwards", FIELD_MAX_FORWARDS}, {"From", FIELD_FROM}, {"Date", FIELD_DATE}, {"TE", FIELD_TE}, {"Trailer", FIELD_TRAILER},
        {"Proxy", FIELD_PROXY}, {"HTTP2-Settings", FIELD_HTTP2_SETTINGS}};
    item->number = FIELD_OTHER;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(known[i].name, name) == 0)
            item->number = known[i].number;
    return write_header_in;
}

static log_item_fn named_item(char letter, const char *arg, struct log_item *item)
{
    switch (letter) {
    case 'i': return header_item(arg, item);
    case 'o': return write_header_out;
    case 'C': return write_cookie;
    case 'e': return write_env;
    case 'n': return write_note;
    }
    return NULL;
}

static log_item_fn plain_item(char letter)
{
    switch (letter) {
    case 'l': return write_dash;
    case 'u': return write_user;
    case 'r': return write_request_line;
    case 's': return write_status;
    case 'b': return write_body_bytes_clf;
    case 'B': return write_body_bytes;
    case 'O': return write_bytes_out;
    case 'I': return write_bytes_in;
    case 'S': return write_bytes_both;
    case 'U': return write_path;
    case 'q': return write_query;
    case 'm': return write_method;
    case 'H': return write_protocol;
    case 'f': return write_file_name;
    case 'R': return write_handler;
    case 'L': return write_id;
    }
    return NULL;
}

int log_item_find(char letter, const char *arg, struct log_item *item)
{
    item->write = arg && *arg ? named_item(letter, arg, item) : arg ? NULL : plain_item(letter);
    if (!item->write && letter == 't')
        item->write = log_item_time(arg, item);
    else if (!item->write && (letter == 'T' || letter == 'D'))
        item->write = duration_item(letter == 'D' ? "us" : arg, item);
    else if (!item->write && letter == 'P')
        item->write = process_item(arg, item);
    else if (!item->write)
        item->write = log_item_net(letter, arg, item);
    return item->write ? 0 : -1;
}

/* No response of ours has trailers: what httpd logs then. */
int log_item_trailer(char letter, const char *arg, struct log_item *item)
{
    item->write = letter == 'i' ? write_trailer_in : write_dash;
    return arg && *arg ? 0 : -1;
}
