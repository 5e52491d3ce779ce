/* What a line of the error log can say about its moment, its request and its connection. */
#include "log_event_items.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "request.h"

enum { ADDRESS_BYTES = 80 };

static void put_value(struct log_sink *out, struct slice text)
{
    if (text.len)
        sink_escaped(out, text);
}

static void put_name(struct log_sink *out, const char *text)
{
    if (text)
        put_value(out, slice_text(text));
}

/* ---- the moment ---- */

/* %t as httpd's error log has it; {u} with microseconds, {c} the short form of ISO 8601. */
static void write_time(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    struct timespec now;
    struct tm tm;
    char text[64], micro[24] = "";
    bool is_short = item->text && strchr(item->text, 'c');
    if (!e->dated || clock_gettime(CLOCK_REALTIME, &now) < 0 || !localtime_r(&now.tv_sec, &tm))
        return;
    if (item->text && strchr(item->text, 'u'))
        snprintf(micro, sizeof micro, ".%06ld", now.tv_nsec / 1000);
    sink_put(out, text, strftime(text, sizeof text, is_short ? "%Y-%m-%d %H:%M:%S" : "%a %b %d %H:%M:%S", &tm));
    sink_put(out, micro, strlen(micro));
    if (!is_short)
        sink_put(out, text, strftime(text, sizeof text, " %Y", &tm));
}

static void write_level(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    (void)item;
    put_name(out, log_level_name(e->level));
}

static void write_module(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    (void)item;
    put_name(out, e->module);
}

static void write_place(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    (void)item;
    const char *slash = e->place ? strrchr(e->place, '/') : NULL;
    put_name(out, slash ? slash + 1 : e->place);
}

static void write_process(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    (void)e, (void)item;
    sink_number(out, getpid());
}

static void write_thread(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    (void)e, (void)item;
    sink_number(out, (int64_t)syscall(SYS_gettid));
}

/* A message that comes of a system call's error names it itself. */
static void write_nothing(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    (void)out, (void)e, (void)item;
}

/* ---- who with whom ---- */

static void put_peer(struct log_sink *out, const struct peer *peer)
{
    char text[ADDRESS_BYTES], port[12];
    if (!peer->family)
        return;
    peer_text(peer, text, sizeof text);
    sink_put(out, text, strlen(text));
    if (peer->family != AF_UNIX)
        sink_put(out, port, (size_t)snprintf(port, sizeof port, ":%u", peer->port));
}

/* %a: the client, by a trusted proxy's word if there is one; %{c}a: who is connected. */
static void write_client(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    bool connected = item->text && strcmp(item->text, "c") == 0;
    if (e->r && e->r->useragent_ip && !connected)
        put_name(out, e->r->useragent_ip);
    else if (e->r)
        put_peer(out, &e->r->peer);
}

static void write_local(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    (void)item;
    if (e->r)
        put_peer(out, &e->r->local);
}

/* %v: ServerName; %V: as UseCanonicalName says. */
static void write_server(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    (void)item;
    if (e->server)
        put_name(out, e->server->server_name);
}

static void write_server_asked(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    if (e->r && e->r->hostname && e->server && e->server->use_canonical_name == 0)
        put_name(out, e->r->hostname);
    else
        write_server(out, e, item);
}

static void write_keepalives(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    (void)item;
    if (e->r)
        sink_number(out, e->r->keepalives);
}

/* %L: of the request, as in access logs; {c}: of the connection; {C}: of the connection in lines of no request, of which none knows its connection. */
static void write_id(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    char which = item->text ? item->text[0] : 0;
    if (!e->r || which == 'C' || (which == 'c' && !e->r->conn_id))
        return;
    sink_number(out, getpid());
    sink_byte(out, which == 'c' ? '-' : '.');
    sink_number(out, (int64_t)(which == 'c' ? e->r->conn_id : e->r->id));
}

/* ---- what it brought ---- */

static void put_entry(struct log_sink *out, const struct table *t, const struct event_item *item)
{
    const struct table_entry *found = t->count ? table_find(t, slice_of(item->text, item->text_len)) : NULL;
    if (found && found->value)
        put_value(out, slice_of(found->value, found->value_len));
}

static void write_env(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    if (e->r)
        put_entry(out, &e->r->subprocess_env, item);
}

static void write_note(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    if (e->r)
        put_entry(out, &e->r->notes, item);
}

static void write_header(struct log_sink *out, const struct log_event *e, const struct event_item *item)
{
    if (e->r)
        put_value(out, request_header_named(e->r, slice_of(item->text, item->text_len)));
}

int event_item_find(char letter, struct event_item *item)
{
    static const struct { char letter; bool named; event_item_fn write; } known[] = {
        {'t', false, write_time}, {'l', false, write_level}, {'m', false, write_module}, {'F', false, write_place}, {'P', false, write_process},
        {'T', false, write_thread}, {'E', false, write_nothing}, {'a', false, write_client}, {'A', false, write_local}, {'v', false, write_server},
        {'V', false, write_server_asked}, {'k', false, write_keepalives}, {'L', false, write_id}, {'e', true, write_env}, {'n', true, write_note},
        {'i', true, write_header}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].letter == letter && (!known[i].named || item->text_len)) {
            item->write = known[i].write;
            return 0;
        }
    return -1;
}
