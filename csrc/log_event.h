/* ErrorLogFormat: compiled once into items, a line of the error log is a walk over them. httpd's core is the model of every item, and of what
 * happens to the words around one that has no value. */
#ifndef PYHOST_LOG_EVENT_H
#define PYHOST_LOG_EVENT_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"
#include "slice.h"

struct request;

/* What one line tells. All borrowed, for the call. */
struct log_event {
    const struct server_conf *server;
    const struct request *r;  /* NULL: of no request */
    int level;                /* enum log_level_number */
    const char *module;
    const char *place;        /* "file.c:12", maybe with folders in front */
    struct slice message;     /* one line, not escaped yet */
    bool dated;               /* false: syslog, which puts the time in front by itself */
};

enum log_event_kind { EVENT_MESSAGE, EVENT_CONNECTION, EVENT_REQUEST };
struct event_format; /* one compiled format */
struct event_formats { /* those of a server; owned */
    struct event_format *message;
    int connection_count, request_count;
    struct event_format **connection, **request;
};

/* Context of all: any thread, unless said. No GIL. */
/* NULL with a message in error: what is wrong with the format, or no memory. */
struct event_format *event_format_new(const char *text, enum log_event_kind kind, char *error, size_t room);
void event_format_free(struct event_format *f);
/* One line with its newline into to, cut where there is no more room (at least 2). 0: nothing is to be logged. */
size_t event_format_line(const struct event_format *f, const struct log_event *e, char *to, size_t room);
/* Compiles what a server_conf has. 0 (NULL where it has none in *out), or -1 with a message. */
int event_formats_new(const struct server_conf *server, struct event_formats **out, char *error, size_t room);
void event_formats_free(struct event_formats *f);
/* "error" … */
const char *log_level_name(int level);

#endif
