/* The error log: one line, made in one buffer, written by one write to a file opened with O_APPEND, so that lines of several processes never mix. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "log_event.h"
#include "log_parts.h"
#include "request.h"

enum { MESSAGE_BYTES = 8192, PREFIX_BYTES = 256, LINE_BYTES = 16384 /* by ErrorLogFormat */, TEXT_BYTES = 65536 };

static struct { int fd, level; } start = {2, LEVEL_WARN}; /* in force until a configuration is there */

void (*log_echo_to)(const struct request *r, struct slice text);
bool (*log_expr_holds)(const struct expr_conf *expr, const struct request *r);
bool (*log_begins_connection)(const struct request *r);

void log_echo(const struct request *r, struct slice text)
{
    if (log_echo_to && r && text.len)
        log_echo_to(r, text);
}

void log_start(int fd, int level)
{
    start.fd = fd;
    start.level = level;
}

static const struct server_conf *server_or_main(const struct server_conf *server)
{
    const struct main_conf *current = log_current();
    return server || !current ? server : current->servers[0];
}

int log_main_fd(void)
{
    const struct server_conf *server = server_or_main(NULL);
    int fd = server ? server->error_fd : start.fd;
    return log_fd_is_syslog(fd) ? -1 : fd;
}

static int level_of(const struct server_conf *server, const char *module)
{
    for (int i = 0; i < server->module_level_count; i++)
        if (strcmp(server->module_levels[i].module, module) == 0)
            return server->module_levels[i].level;
    return server->log_level;
}

bool log_wants(const struct server_conf *server, const char *module, int level)
{
    server = server_or_main(server);
    return level == LEVEL_NOTICE || level <= (server ? level_of(server, module) : start.level); /* httpd: a notice is always logged */
}

const char *log_level_name(int level)
{
    static const char *const names[] = {"emerg", "alert", "crit", "error", "warn", "notice", "info", "debug", "trace1"};
    return names[level < LEVEL_EMERG ? LEVEL_EMERG : level > LEVEL_TRACE ? LEVEL_TRACE : level];
}

static size_t prefix_client(char *to, size_t room, const struct request *r)
{
    char name[64] = "";
    if (!r || (!r->peer.family && !r->useragent_ip))
        return 0;
    if (r->useragent_ip) /* a header said so */
        name[log_escape(name, sizeof name - 1, slice_text(r->useragent_ip))] = 0;
    else
        peer_text(&r->peer, name, sizeof name);
    bool port = r->peer.family != AF_UNIX && !r->useragent_ip;
    int n = port ? snprintf(to, room, " [client %s:%u]", name, r->peer.port) : snprintf(to, room, " [client %s]", name);
    return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* "[date] [module:level] [pid N] [client a:p] " */
static size_t line_prefix(char *to, const struct request *r, int level, const char *module, bool dated)
{
    size_t at = 0;
    if (dated) {
        log_time_error(to);
        at = LOG_TIME_ERROR_BYTES;
        to[at++] = ' ';
    }
    int n = snprintf(to + at, PREFIX_BYTES - at, "[%.32s:%s] [pid %d]", module, log_level_name(level), (int)getpid());
    at += n > 0 ? (size_t)n : 0;
    at += prefix_client(to + at, PREFIX_BYTES - at - 1, r);
    to[at++] = ' ';
    return at;
}

static void write_whole(int fd, const char *line, size_t n)
{
    while (n) {
        ssize_t done = write(fd, line, n);
        if (done < 0 && errno != EINTR && (errno != EAGAIN || !log_pipe_wait(fd)))
            return; /* there is nowhere left to say it */
        if (done > 0) {
            line += done;
            n -= (size_t)done;
        }
    }
}

/* line ends with a newline and has a NUL's room behind it. */
static void line_out(const struct server_conf *server, int level, char *line, size_t n)
{
    int fd = server ? server->error_fd : start.fd, error = errno;
    if (log_fd_is_syslog(fd))
        syslog((LOG_SYSLOG_BASE - fd) | (level > LEVEL_DEBUG ? LEVEL_DEBUG : level), "%.*s", (int)(n - 1), line);
    else
        write_whole(fd, line, n);
    errno = error;
}

/* ---- ErrorLogFormat ---- */

static const struct event_formats *formats_of(const struct log_event *e) { return e->server ? e->server->error_formats : NULL; }

static void told_out(const struct log_event *e, struct event_format *const *formats, int count)
{
    char line[LINE_BYTES];
    for (int i = 0; i < count; i++) {
        size_t n = event_format_line(formats[i], e, line, sizeof line);
        if (n)
            line_out(e->server, e->level, line, n);
    }
}

/* Before the first line of a connection or a request come those that say what it is. */
static void tell_once(const struct log_event *e)
{
    const struct event_formats *formats = formats_of(e);
    struct request *first = (struct request *)e->r; /* what is set in it is the log's alone */
    if (!formats || !first)
        return;
    while (first->prev || first->main_request)
        first = first->prev ? first->prev : first->main_request;
    if (formats->connection_count && log_begins_connection && log_begins_connection(e->r))
        told_out(e, formats->connection, formats->connection_count);
    if (formats->request_count && !first->errors_told) {
        first->errors_told = true;
        told_out(e, formats->request, formats->request_count);
    }
}

/* ---- lines ---- */

/* One line into to (LINE_BYTES); 0: there is none. */
static size_t line_make(const struct log_event *e, char *to)
{
    const struct event_formats *formats = formats_of(e);
    if (formats && formats->message)
        return event_format_line(formats->message, e, to, LINE_BYTES);
    size_t at = line_prefix(to, e->r, e->level, e->module, e->dated);
    at += log_escape_text(to + at, MESSAGE_BYTES, e->message, false);
    to[at++] = '\n';
    return at;
}

static struct log_event event_of(const char *place, const struct server_conf *server, const struct request *r, int level, const char *module)
{
    server = server_or_main(server);
    return (struct log_event){.server = server, .r = r, .level = level, .module = module, .place = place,
                              .dated = !server || !log_fd_is_syslog(server->error_fd)};
}

static void message_out(const struct log_event *e)
{
    char line[LINE_BYTES];
    tell_once(e);
    size_t n = line_make(e, line);
    if (n)
        line_out(e->server, e->level, line, n);
}

static void message_format(struct log_event *e, const char *format, va_list args)
{
    char message[MESSAGE_BYTES];
    int error = errno; /* %m, and callers that go on to use it */
    int n = vsnprintf(message, sizeof message, format, args);
    e->message = slice_of(message, n < 0 ? 0 : (size_t)n < sizeof message ? (size_t)n : sizeof message - 1);
    if (n > 0)
        message_out(e);
    errno = error;
}

void log_error_at(const char *place, const struct server_conf *server, int level, const char *module, const char *format, ...)
{
    va_list args;
    if (!log_wants(server, module, level))
        return;
    struct log_event e = event_of(place, server, NULL, level, module);
    va_start(args, format);
    message_format(&e, format, args);
    va_end(args);
}

void log_request_at(const char *place, const struct request *r, int level, const char *module, const char *format, ...)
{
    va_list args;
    if (!log_wants(r->server, module, level))
        return;
    struct log_event e = event_of(place, r->server, r, level, module);
    va_start(args, format);
    message_format(&e, format, args);
    va_end(args);
}

void log_message_at(const char *place, const struct server_conf *server, const struct request *r, int level, const char *module, struct slice message)
{
    if (!server && r)
        server = r->server;
    if (!log_wants(server, module, level))
        return;
    struct log_event e = event_of(place, server, r, level, module);
    e.message = message;
    message_out(&e);
}

/* Text as it is but for control bytes; it goes out in as few writes as possible, whole lines each as far as lines are shorter than the buffer. */
static void text_raw(const struct server_conf *server, int level, struct slice text)
{
    char *line = malloc(TEXT_BYTES * 4 + 2);
    while (line && text.len) {
        size_t n = text.len < TEXT_BYTES ? text.len : TEXT_BYTES;
        const char *end = n < text.len ? memrchr(text.at, '\n', n) : NULL;
        if (end)
            n = (size_t)(end + 1 - text.at);
        size_t at = log_escape_text(line, TEXT_BYTES * 4, slice_of(text.at, n), true);
        if (server && log_fd_is_syslog(server->error_fd) && (at == 0 || line[at - 1] != '\n'))
            line[at++] = '\n'; /* line_out takes it off again */
        line_out(server, level, line, at);
        text = slice_of(text.at + n, text.len - n);
    }
    free(line);
}

/* Every line with its prefix; all of them in one write as far as the buffer goes, so that a traceback stays together. */
static void text_lines(struct log_event *e, struct slice text)
{
    char *block = malloc(TEXT_BYTES);
    size_t used = 0;
    while (block && text.len) {
        const char *end = memchr(text.at, '\n', text.len);
        size_t n = end ? (size_t)(end - text.at) : text.len, skip = end ? n + 1 : n;
        if (used && (!e->dated || TEXT_BYTES - used < LINE_BYTES)) {
            line_out(e->server, e->level, block, used);
            used = 0;
        }
        e->message = slice_of(text.at, n);
        if (n)
            used += line_make(e, block + used);
        text = slice_of(text.at + skip, text.len - skip);
    }
    if (used)
        line_out(e->server, e->level, block, used);
    free(block);
}

void log_text(const struct server_conf *server, const struct request *r, int level, const char *module, struct slice text, bool prefix)
{
    if (!server && r)
        server = r->server;
    if (!log_wants(server, module, level))
        return;
    if (!prefix) {
        text_raw(server_or_main(server), level, text);
        return;
    }
    struct log_event e = event_of(LOG_HERE, server, r, level, module);
    tell_once(&e);
    text_lines(&e, text);
}
