/* The error log and access logs. Whole lines by O_APPEND writes; nothing from a client reaches a line raw.
 * Access lines gather in a buffer (in memory that the master shares, so that a killed worker loses none) and go out once a turn. */
#ifndef PYHOST_LOG_H
#define PYHOST_LOG_H

#include <stdbool.h>
#include <sys/types.h>

#include "conf.h"
#include "slice.h"

struct request;

/* Context of all: any thread of the process for log_error; the loop thread for the others. No GIL needed, none of them switches. */

/* Opens (or reopens: a configuration whose logs are open already) every log of the configuration. 0, or -1 with a message on stderr and in the
 * log naming file and directive. Keeps old files on failure. In a worker it takes the files that the master has opened again. */
int log_open_all(struct main_conf *main);
/* Closes what no other configuration has open; log lines go to the newest one that is left. */
void log_close_all(struct main_conf *main);
/* Before any configuration: where messages go (stderr) and the least level. */
void log_start(int fd, int level);
/* One line "[date] [module:level] [pid N] message"; message is escaped (control bytes, newlines, non-printing) and cut at 8 KiB.
 * server NULL: the main log. */
void log_error_at(const char *place, const struct server_conf *server, int level, const char *module, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The same with "[client address:port]" of the request. */
void log_request_at(const char *place, const struct request *r, int level, const char *module, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same with a message that is there already, NUL bytes and all; r may be NULL. */
void log_message_at(const char *place, const struct server_conf *server, const struct request *r, int level, const char *module, struct slice message);
/* They are macros: where in the sources they stand is for %F of ErrorLogFormat. */
#define LOG_TEXT_OF(line) #line
#define LOG_TEXT(line) LOG_TEXT_OF(line)
#define LOG_HERE __FILE__ ":" LOG_TEXT(__LINE__)
#define log_error(...) log_error_at(LOG_HERE, __VA_ARGS__)
#define log_request(...) log_request_at(LOG_HERE, __VA_ARGS__)
#define log_message(...) log_message_at(LOG_HERE, __VA_ARGS__)
/* Already formatted text of any length, one line per line of text (tracebacks; sys.stderr of handlers, which goes raw when prefix is false). */
void log_text(const struct server_conf *server, const struct request *r, int level, const char *module, struct slice text, bool prefix);
/* What an application says about a request goes to who asked, too, where the protocol has a channel for it (FCGI_STDERR). */
void log_echo(const struct request *r, struct slice text);
extern void (*log_echo_to)(const struct request *r, struct slice text); /* set by the protocol's gate; NULL: nowhere */
/* Does the condition of a CustomLog hold? Set by who knows expressions; NULL: none does. */
extern bool (*log_expr_holds)(const struct expr_conf *expr, const struct request *r);
/* Is this the first time that it is asked about the connection of a request? Set by who knows connections; NULL: none does. */
extern bool (*log_begins_connection)(const struct request *r);
/* The descriptor of the main log, -1: it is syslog. Context: any thread. */
int log_main_fd(void);
bool log_wants(const struct server_conf *server, const char *module, int level);
/* Writes the access lines of a request that is over. */
void log_access(const struct request *r);
/* Hands gathered access lines to the files. Called at the end of each turn and at exit. */
void log_flush(void);
/* Must run in the master when a worker died: writes what it had gathered. slot: the worker's slot in the scoreboard. */
void log_rescue(int slot);
/* In a worker after the fork: gathers in the shared buffer of this slot. */
void log_use_slot(int slot);
/* Master and worker (master.c's business). */
/* In a worker after the fork: log_open_all takes files from this socket. */
void log_in_worker(int take_fd);
/* Gives the open files to the worker at the other end, to be taken by its log_open_all. */
void log_send_files(int give_fd);
/* A child of the master ended: true when it was a log command ("|command"), which log_commands_due starts again. */
bool log_child_ended(pid_t pid, int status);
/* Starts what ended, at most once a second each; returns when to come back (monotonic), -1: nothing is due. */
int64_t log_commands_due(int64_t now_ns);
/* Appends text with everything outside printing ASCII, and '"' and '\\', as \xHH or \n … ; returns bytes written (< room). */
size_t log_escape(char *to, size_t room, struct slice text);

#endif
