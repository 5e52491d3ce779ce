/* Items of an access line that say who spoke to whom, and when. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "log_parts.h"
#include "request.h"

enum { TIME_BYTES = 256 };

/* snprintf and inet_ntop take a microsecond together; this line is on the hot path. */
static void put_ipv4(struct log_sink *out, const unsigned char address[4])
{
    char text[16], *at = text;
    for (int i = 0; i < 4; i++) {
        unsigned value = address[i];
        if (value >= 100)
            *at++ = (char)('0' + value / 100);
        if (value >= 10)
            *at++ = (char)('0' + value / 10 % 10);
        *at++ = (char)('0' + value % 10);
        *at++ = '.';
    }
    sink_put(out, text, (size_t)(at - text) - 1);
}

static void put_ip(struct log_sink *out, int family, const unsigned char address[16])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN];
    if (family == AF_UNIX || family == 0)
        sink_byte(out, '-');
    else if (memcmp(address, mapped, sizeof mapped) == 0)
        put_ipv4(out, address + 12);
    else if (inet_ntop(AF_INET6, address, text, sizeof text))
        sink_put(out, text, strlen(text));
}

static void write_peer(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    put_ip(out, r->peer.family, r->peer.address);
}

static void write_client(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    if (r->useragent_ip)
        sink_escaped(out, slice_text(r->useragent_ip));
    else
        write_peer(out, r, item);
}

static void write_local_ip(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    put_ip(out, r->local.family, r->local.address);
}

enum port_kind { PORT_CANONICAL, PORT_LOCAL, PORT_REMOTE };

static void write_port(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    int port = 0;
    if (item->number == PORT_REMOTE)
        port = r->peer.port;
    else if (item->number == PORT_CANONICAL && r->server) {
        bool from_host = r->server->use_canonical_name == 0 && r->head.port;
        port = from_host ? (int)r->head.port : r->server->server_port;
    }
    if (!port && item->number != PORT_REMOTE)
        port = r->local.port;
    if (port)
        sink_number(out, port);
    else
        sink_byte(out, '-');
}

static log_item_fn port_item(const char *which, struct log_item *item)
{
    static const char *const names[] = {"canonical", "local", "remote"};
    for (uint16_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!which || strcmp(which, names[i]) == 0) {
            item->number = i;
            return write_port;
        }
    return NULL;
}

static void write_server_name(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    const char *name = r->server ? r->server->server_name : NULL;
    bool as_asked = item->number && r->server && r->server->use_canonical_name == 0; /* %V */
    if ((as_asked || !name) && r->hostname)
        name = r->hostname;
    sink_escaped(out, slice_text(name));
}

/* X: gone before the answer was out; +: kept alive; -: closed. */
static void write_connection(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    sink_byte(out, r->aborted ? 'X' : r->close_after || !r->head.keep_alive ? '-' : '+');
}

static void write_keepalives(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    (void)item;
    sink_number(out, r->keepalives);
}

log_item_fn log_item_net(char letter, const char *arg, struct log_item *item)
{
    if (letter == 'p')
        return port_item(arg, item);
    if (arg && (letter != 'a' || strcmp(arg, "c") != 0) && (letter != 'h' || strcmp(arg, "c") != 0))
        return NULL;
    switch (letter) {
    case 'h': case 'a': return arg ? write_peer : write_client;
    case 'A': return write_local_ip;
    case 'v': case 'V': item->number = letter == 'V'; return write_server_name;
    case 'X': return write_connection;
    case 'k': return write_keepalives;
    }
    return NULL;
}

/* ---- time ---- */
enum time_kind { TIME_CLF, TIME_SEC, TIME_MSEC, TIME_USEC, TIME_MSEC_FRAC, TIME_USEC_FRAC, TIME_FORMAT, TIME_KINDS, TIME_END = 64 };

static void put_formatted(struct log_sink *out, int64_t us, const char *format)
{
    char text[TIME_BYTES];
    struct tm tm;
    time_t seconds = (time_t)(us / 1000000);
    localtime_r(&seconds, &tm);
    sink_put(out, text, strftime(text, sizeof text, format, &tm));
}

static void write_time(struct log_sink *out, const struct request *r, const struct log_item *item)
{
    int64_t us = r->start_us;
    if (item->number & TIME_END) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    }
    switch ((enum time_kind)(item->number & ~TIME_END)) {
    case TIME_CLF: sink_put(out, log_time_clf(us / 1000000), LOG_TIME_CLF_BYTES); break;
    case TIME_SEC: sink_number(out, us / 1000000); break;
    case TIME_MSEC: sink_number(out, us / 1000); break;
    case TIME_USEC: sink_number(out, us); break;
    case TIME_MSEC_FRAC: sink_padded(out, (unsigned)(us / 1000 % 1000), 3); break;
    case TIME_USEC_FRAC: sink_padded(out, (unsigned)(us % 1000000), 6); break;
    case TIME_FORMAT: put_formatted(out, us, item->text); break;
    case TIME_KINDS: case TIME_END: break;
    }
}

/* "begin:" or "end:" and then sec, msec, usec, msec_frac, usec_frac, or a strftime format; nothing is the common log format. */
log_item_fn log_item_time(const char *arg, struct log_item *item)
{
    static const char *const names[TIME_FORMAT] = {"", "sec", "msec", "usec", "msec_frac", "usec_frac"};
    const char *words = arg ? arg : "";
    bool end = strncmp(words, "end", 3) == 0 && (words[3] == ':' || !words[3]);
    bool begin = strncmp(words, "begin", 5) == 0 && (words[5] == ':' || !words[5]);
    words += end ? 3 : begin ? 5 : 0;
    words += (end || begin) && *words == ':';
    item->number = TIME_FORMAT;
    for (uint16_t i = 0; i < TIME_FORMAT; i++)
        if (strcmp(words, names[i]) == 0)
            item->number = i;
    if (item->text)
        item->text_len -= (uint32_t)(words - item->text);
    item->text = arg ? words : NULL;
    item->number |= end ? TIME_END : 0;
    return write_time;
}
