/* The files of the logs: opened by the master with its rights, one for each distinct path, shared by all configurations that name it.
 * Opening again puts the new file under the old descriptor's number (dup3), so whoever holds the number writes to the new file from then on.
 * Workers, who may have given up the right to open, get the new files from the master over a socket. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "log_event.h"
#include "log_parts.h"
#include "shm.h"

enum { LOG_MODE = 0644, COMMAND_PAUSE_NS = 1000000000 };

struct log_set { /* what one configuration has open */
    const struct main_conf *main;
    struct log_set *next; /* newest first */
    struct log_file **files; /* owned array of shared files */
    size_t count;
};

/* Known to the log alone: its files must be reachable from every line that is written. */
static struct { struct log_set *sets; struct log_file **by_fd; int by_fd_count; int take_fd; } open_logs = {.take_fd = -1};

const struct main_conf *log_current(void) { return open_logs.sets ? open_logs.sets->main : NULL; }

const struct log_file *log_file_of(int fd) { return fd >= 0 && fd < open_logs.by_fd_count ? open_logs.by_fd[fd] : NULL; }

static void say(const char *directive, const char *path, const char *what)
{
    fprintf(stderr, "pyhost: %s: cannot open %s: %s\n", directive, path, what);
    if (open_logs.sets) /* a reload: whoever reads the log must see it too */
        log_error(NULL, LEVEL_ERROR, "core", "%s: cannot open %s: %s", directive, path, what);
}

static struct log_file *file_find(const char *path)
{
    for (int i = 0; i < open_logs.by_fd_count; i++)
        if (open_logs.by_fd[i] && strcmp(open_logs.by_fd[i]->path, path) == 0)
            return open_logs.by_fd[i];
    return NULL;
}

static int file_register(struct log_file *f)
{
    if (f->fd >= open_logs.by_fd_count) {
        int count = f->fd + 32;
        struct log_file **grown = realloc(open_logs.by_fd, (size_t)count * sizeof *grown);
        if (!grown)
            return -1;
        memset(grown + open_logs.by_fd_count, 0, (size_t)(count - open_logs.by_fd_count) * sizeof *grown);
        open_logs.by_fd = grown;
        open_logs.by_fd_count = count;
    }
    open_logs.by_fd[f->fd] = f;
    return 0;
}

static void file_choose_lock(struct log_file *f)
{
    struct stat st;
    if (fstat(f->fd, &st) == 0)
        f->lock = (int)((st.st_ino * 31 + st.st_dev) % SHM_LOG_LOCKS);
}

static int path_open(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, LOG_MODE);
}

static void file_free(struct log_file *f)
{
    if (f->fd >= 0) {
        if (f->fd < open_logs.by_fd_count)
            open_logs.by_fd[f->fd] = NULL;
        close(f->fd);
    }
    if (f->kind == LOG_PIPE)
        log_pipe_close(f);
    free(f->path);
    free(f);
}

static struct log_file *file_new(const char *path)
{
    struct log_file *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->fd = f->reader_fd = -1;
    f->path = strdup(path);
    f->kind = *path == '|' ? LOG_PIPE : LOG_FILE;
    int failed = !f->path || (f->kind == LOG_PIPE ? log_pipe_open(f) : (f->fd = path_open(path)) < 0) || file_register(f) < 0;
    if (failed) {
        int error = errno;
        file_free(f);
        errno = error;
        return NULL;
    }
    file_choose_lock(f);
    return f;
}

static int file_put(struct log_file *f, int new_fd)
{
    int done = dup3(new_fd, f->fd, O_CLOEXEC);
    close(new_fd);
    file_choose_lock(f);
    return done < 0 ? -1 : 0;
}

/* A pipe's command goes on; a file is opened again under its name. */
static int file_reopen(struct log_file *f)
{
    int fd = f->kind == LOG_PIPE ? -1 : path_open(f->path);
    return f->kind == LOG_PIPE ? 0 : fd < 0 ? -1 : file_put(f, fd);
}

static void set_free(struct log_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (--set->files[i]->users == 0)
            file_free(set->files[i]);
    free(set->files);
    free(set);
}

static struct log_set *set_new(const struct main_conf *main)
{
    size_t most = 0;
    for (int i = 0; i < main->server_count; i++)
        most += 1 + (size_t)main->servers[i]->access_log_count;
    struct log_set *set = calloc(1, sizeof *set);
    if (set && !(set->files = calloc(most ? most : 1, sizeof *set->files))) {
        free(set);
        return NULL;
    }
    if (set)
        set->main = main;
    return set;
}

/* The descriptor for a path, opened unless another log or configuration has it; -1: said why. */
static int set_open(struct log_set *set, const char *directive, const char *path)
{
    struct log_file *f = file_find(path);
    if (f ? f->users > 0 && file_reopen(f) < 0 : !(f = file_new(path))) {
        say(directive, path, strerror(errno));
        return -1;
    }
    bool mine = false;
    for (size_t i = 0; i < set->count; i++)
        mine |= set->files[i] == f;
    if (!mine) {
        set->files[set->count++] = f;
        f->users++;
    }
    return f->fd;
}

/* "syslog[:facility[:ident]]": error_fd for it, or -1. */
static int syslog_fd(const char *text)
{
    static const struct { const char *name; int facility; } names[] = {
        {"auth", LOG_AUTH}, {"authpriv", LOG_AUTHPRIV}, {"cron", LOG_CRON}, {"daemon", LOG_DAEMON}, {"kern", LOG_KERN}, {"lpr", LOG_LPR},
        {"mail", LOG_MAIL}, {"news", LOG_NEWS}, {"syslog", LOG_SYSLOG}, {"user", LOG_USER}, {"uucp", LOG_UUCP}, {"local0", LOG_LOCAL0},
        {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},
        {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7}};
    const char *name = text + strlen("syslog");
    name += *name == ':';
    size_t len = strcspn(name, ":");
    if (!len)
        return LOG_SYSLOG_BASE - LOG_LOCAL7; /* httpd's default */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == len && strncasecmp(names[i].name, name, len) == 0)
            return LOG_SYSLOG_BASE - names[i].facility;
    errno = EINVAL;
    return -1;
}

static bool is_syslog(const char *path) { return path && strncmp(path, "syslog", 6) == 0 && (path[6] == 0 || path[6] == ':'); }

static int error_log_open(struct log_set *set, struct server_conf *server, const struct server_conf *first)
{
    const char *path = server->error_log;
    if (!path)
        server->error_fd = server == first ? STDERR_FILENO : first->error_fd;
    else if (is_syslog(path)) {
        const char *ident = strchr(path + strcspn(path, ":") + (path[6] == ':'), ':');
        server->error_fd = syslog_fd(path);
        if (server->error_fd == -1) {
            say("ErrorLog", path, "no such syslog facility");
            return -1;
        }
        openlog(ident && ident[1] ? ident + 1 : "pyhost", LOG_PID | LOG_NDELAY, LOG_LOCAL7);
    } else
        server->error_fd = set_open(set, "ErrorLog", path);
    return server->error_fd == -1 ? -1 : 0;
}

static int error_formats_open(struct server_conf *server)
{
    char error[256];
    struct event_formats *made;
    if (event_formats_new(server, &made, error, sizeof error) < 0) {
        say("ErrorLogFormat", server->error_log ? server->error_log : "the error log", error);
        return -1;
    }
    server->error_formats = made;
    return 0;
}

static int access_log_open(struct log_set *set, struct access_log_conf *log)
{
    char error[256];
    log->compiled = log_format_new(log->format, error, sizeof error);
    if (!log->compiled) {
        say("CustomLog", log->path, error);
        return -1;
    }
    log->fd = set_open(set, "CustomLog", log->path);
    return log->fd < 0 ? -1 : 0;
}

static void formats_free(const struct main_conf *main)
{
    for (int i = 0; i < main->server_count; i++) {
        for (int k = 0; k < main->servers[i]->access_log_count; k++) {
            struct access_log_conf *log = &main->servers[i]->access_logs[k];
            log_format_free(log->compiled);
            log->compiled = NULL;
            log->fd = -1;
        }
        event_formats_free(main->servers[i]->error_formats);
        main->servers[i]->error_formats = NULL;
    }
}

static void formats_clear(const struct main_conf *main)
{
    for (int i = 0; i < main->server_count; i++) {
        for (int k = 0; k < main->servers[i]->access_log_count; k++)
            main->servers[i]->access_logs[k].compiled = NULL;
        main->servers[i]->error_formats = NULL;
    }
}

static int set_open_all(struct log_set *set, struct main_conf *main)
{
    for (int i = 0; i < main->server_count; i++) {
        if (error_log_open(set, main->servers[i], main->servers[0]) < 0 || error_formats_open(main->servers[i]) < 0)
            return -1;
        for (int k = 0; k < main->servers[i]->access_log_count; k++)
            if (access_log_open(set, &main->servers[i]->access_logs[k]) < 0)
                return -1;
    }
    return 0;
}

/* Descriptors the master has sent: each message is the number it goes under. */
static int take_from_master(void)
{
    for (;;) {
        int number = -1, fd = -1;
        union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
        struct iovec iov = {&number, sizeof number};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
        if (recvmsg(open_logs.take_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof number)
            return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
        struct log_file *f = (struct log_file *)log_file_of(number);
        if (f && file_put(f, fd) < 0)
            return -1;
        if (!f)
            close(fd);
    }
}

static int set_reopen(struct log_set *set)
{
    int failed = 0;
    for (size_t i = 0; i < set->count; i++)
        if (file_reopen(set->files[i]) < 0) {
            say("reopening logs", set->files[i]->path, strerror(errno));
            failed = -1;
        }
    return failed;
}

int log_open_all(struct main_conf *main)
{
    for (struct log_set *set = open_logs.sets; set; set = set->next)
        if (set->main == main)
            return open_logs.take_fd >= 0 ? take_from_master() : set_reopen(set);
    struct log_set *set = set_new(main);
    if (!set)
        return -1;
    formats_clear(main);
    if (set_open_all(set, main) < 0) {
        formats_free(main);
        set_free(set);
        return -1;
    }
    set->next = open_logs.sets;
    open_logs.sets = set;
    return 0;
}

void log_close_all(struct main_conf *main)
{
    for (struct log_set **at = &open_logs.sets; *at; at = &(*at)->next)
        if ((*at)->main == main) {
            struct log_set *set = *at;
            *at = set->next;
            formats_free(main);
            set_free(set);
            return;
        }
}

void log_in_worker(int take_fd)
{
    open_logs.take_fd = take_fd;
    for (int i = 0; i < open_logs.by_fd_count; i++)
        if (open_logs.by_fd[i] && open_logs.by_fd[i]->kind == LOG_PIPE) {
            if (open_logs.by_fd[i]->reader_fd >= 0)
                close(open_logs.by_fd[i]->reader_fd);
            open_logs.by_fd[i]->reader_fd = -1;
            open_logs.by_fd[i]->pid = 0;
        }
}

void log_send_files(int give_fd)
{
    for (int i = 0; i < open_logs.by_fd_count; i++) {
        struct log_file *f = open_logs.by_fd[i];
        if (!f || f->kind == LOG_PIPE)
            continue;
        union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = {.bytes = {0}};
        struct iovec iov = {&f->fd, sizeof f->fd};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(c), &f->fd, sizeof f->fd);
        if (sendmsg(give_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            return; /* the worker does not take them: it goes on with what it has */
    }
}

bool log_child_ended(pid_t pid, int status)
{
    for (int i = 0; i < open_logs.by_fd_count; i++) {
        struct log_file *f = open_logs.by_fd[i];
        if (!f || f->kind != LOG_PIPE || f->pid != pid)
            continue;
        f->pid = 0;
        log_error(NULL, LEVEL_ERROR, "core", "the log command \"%s\" ended (%s %d) and is started again", f->path,
                  WIFSIGNALED(status) ? "signal" : "exit code", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        return true;
    }
    return false;
}

int64_t log_commands_due(int64_t now_ns)
{
    int64_t next = -1;
    for (int i = 0; i < open_logs.by_fd_count; i++) {
        struct log_file *f = open_logs.by_fd[i];
        if (!f || f->kind != LOG_PIPE || f->pid)
            continue;
        int64_t due = f->started_ns + COMMAND_PAUSE_NS;
        if (due <= now_ns) {
            f->started_ns = now_ns;
            due = now_ns + COMMAND_PAUSE_NS;
            if (log_pipe_spawn(f) < 0)
                log_error(NULL, LEVEL_CRIT, "core", "the log command \"%s\" cannot be started: %s", f->path, strerror(errno));
        }
        if (!f->pid && (next < 0 || due < next))
            next = due;
    }
    return next;
}
