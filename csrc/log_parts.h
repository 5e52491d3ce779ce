/* What the files of the log share with each other and with nobody else: open files, compiled formats, the sink a line is made in. */
#ifndef PYHOST_LOG_PARTS_H
#define PYHOST_LOG_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf.h"
#include "log.h"
#include "slice.h"

struct request;

/* ---- open files (log_file.c) ---- */
enum log_kind { LOG_FILE, LOG_PIPE };
struct log_file { /* one for each distinct path; its descriptor's number stays the same when it is opened again */
    char *path;     /* owned; "|command" for pipes */
    int fd;
    int kind;       /* enum log_kind */
    int lock;       /* which of shm->log_locks serialises writers of this file (by device and inode) */
    int users;      /* configurations that have it open */
    int reader_fd;  /* pipes: the command's end, kept by the master so that no line is lost when the command dies; -1 elsewhere */
    pid_t pid;      /* pipes: the command; 0 in workers */
    int64_t started_ns;
};
/* The file behind a descriptor, or NULL. */
const struct log_file *log_file_of(int fd);
/* error_fd of a server that logs to syslog: -1000 - facility. */
enum { LOG_SYSLOG_BASE = -1000 };
static inline bool log_fd_is_syslog(int fd) { return fd <= LOG_SYSLOG_BASE; }
/* The newest configuration whose logs are open; NULL: none. */
const struct main_conf *log_current(void);

/* ---- piped commands (log_pipe.c) ---- */
int log_pipe_open(struct log_file *f);   /* fills fd, reader_fd, pid. 0, or -1 with errno */
int log_pipe_spawn(struct log_file *f);  /* starts the command (again) on reader_fd */
/* A write found no room: true when there is some now. A command that reads nothing is waited for only once in a while; its lines are lost, and the
 * server goes on. */
bool log_pipe_wait(int fd);
void log_pipe_close(struct log_file *f); /* the command sees the end of its input */

/* ---- time (log_time.c) ---- */
/* "[22/Nov/2026:04:28:53 +0000]" (28 bytes) of wall-clock seconds; cached. Context: the loop thread. */
const char *log_time_clf(int64_t seconds);
enum { LOG_TIME_CLF_BYTES = 28, LOG_TIME_ERROR_BYTES = 33 };
/* "[Sun Nov 22 04:28:53.123456 2026]" of now. Context: any thread. */
void log_time_error(char out[LOG_TIME_ERROR_BYTES]);

/* ---- escaping (log_escape.c); log_escape itself is in log.h ---- */
/* As log_escape, but quotes, tabs and printing UTF-8 stay; with keep_lines newlines and backslashes as well. */
size_t log_escape_text(char *to, size_t room, struct slice text, bool keep_lines);

/* ---- compiled LogFormat (log_format.c) ---- */
struct log_sink { char *at, *end; bool full; }; /* a line under way; full: something did not fit */
struct log_item;
typedef void (*log_item_fn)(struct log_sink *out, const struct request *r, const struct log_item *item);
struct log_item {
    log_item_fn write;     /* NULL: text is copied as it is */
    const char *text;      /* owned by the format: literal text, or what stood in {} */
    uint32_t text_len;
    uint16_t number;       /* the item's own: an enum of a unit or a kind, a field's name */
    bool original;         /* the request as it came, not what an internal redirect made of it */
    bool unless;           /* %!200,304 */
    uint8_t status_count;
    uint16_t statuses[8];
};
struct log_format { uint32_t count; struct log_item *items; char *texts; }; /* owned */
/* Compiles a format (NULL: combined; a nickname of httpd's sample configuration: its format). NULL with a message in error. */
struct log_format *log_format_new(const char *text, char *error, size_t room);
void log_format_free(struct log_format *f);
/* One line with its newline. Context: the loop thread. */
void log_format_line(const struct log_format *f, const struct request *r, struct log_sink *out);

static inline void sink_put(struct log_sink *s, const char *text, size_t n)
{
    if ((size_t)(s->end - s->at) < n) {
        n = (size_t)(s->end - s->at);
        s->full = true;
    }
    if (n)
        memcpy(s->at, text, n);
    s->at += n;
}
static inline void sink_byte(struct log_sink *s, char byte) { sink_put(s, &byte, 1); }
void sink_escaped(struct log_sink *s, struct slice text); /* "-" when text is NULL or empty */
void sink_number(struct log_sink *s, int64_t value);
void sink_padded(struct log_sink *s, unsigned value, int digits);

/* ---- the items (log_items.c, log_items_net.c) ---- */
/* Finds the writer of %X or %{arg}X; fills item->write and number. 0, or -1: no such item. arg is NUL-terminated, NULL when there is none. */
int log_item_find(char letter, const char *arg, struct log_item *item);
/* The same for %{arg}^ti and %{arg}^to, with the last letter. */
int log_item_trailer(char letter, const char *arg, struct log_item *item);
log_item_fn log_item_net(char letter, const char *arg, struct log_item *item);
log_item_fn log_item_time(const char *arg, struct log_item *item);

/* ---- gathered lines (log_gather.c) ---- */
/* Room for one line of the file in this worker's buffer. False: no buffer. */
bool log_gather_begin(int fd, struct log_sink *out);
void log_gather_end(int fd, const struct log_sink *out);

#endif
