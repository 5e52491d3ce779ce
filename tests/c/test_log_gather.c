// sources: log_gather.c log_format.c log_items.c log_items_net.c log_escape.c log_time.c log.c log_event.c log_event_items.c log_file.c log_pipe.c peer.c request.c table.c buf.c shm.c blocked.c
/* Access lines of several processes in one file: each line is there once and whole, also when processes are killed at any point. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "log_parts.h"
#include "request.h"
#include "shm.h"

static char path_a[64], path_b[64], path_error[64];
static struct access_log_conf logs[3];
static struct server_conf server = {.error_log = path_error, .log_level = LEVEL_WARN, .access_log_count = 2, .access_logs = logs};
static struct server_conf *servers[] = {&server};
static struct main_conf conf = {.server_count = 1, .servers = servers};

struct counts { _Atomic uint32_t gathered[8]; }; /* lines each process has handed to the log */
static struct counts *counts;

static void setup(void)
{
    snprintf(path_a, sizeof path_a, "a-%d.log", (int)getpid());
    snprintf(path_b, sizeof path_b, "b-%d.log", (int)getpid());
    snprintf(path_error, sizeof path_error, "error-%d.log", (int)getpid());
    logs[0] = (struct access_log_conf){.path = path_a, .format = "%R %L %{Pad}i end"};
    logs[1] = (struct access_log_conf){.path = path_b, .format = "%R %L end", .env = "TWICE"};
    CHECK(shm_init() == 0, "shm");
    CHECK(log_open_all(&conf) == 0, "log_open_all");
    counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void log_one(uint32_t number, const char *who, const char *pad, bool twice)
{
    struct request *r = request_new(100);
    r->main = &conf;
    r->server = &server;
    r->handler = (char *)who;
    r->id = number;
    r->status = 200;
    request_headers_in(r);
    table_set(&r->headers_in, SLICE("Pad"), slice_text(pad));
    if (twice)
        table_set(&r->subprocess_env, SLICE("TWICE"), SLICE("1"));
    log_access(r);
    request_unref(r);
}

/* Lines 1, 2, 3 … of one process for ever, or count of them; a flush after every few. */
static void write_lines(int slot, uint32_t count)
{
    char who[16], pad[600];
    uint64_t seed = (uint64_t)slot * 77 + 1;
    snprintf(who, sizeof who, "w%d", slot);
    log_use_slot(slot);
    for (uint32_t i = 1; i <= count; i++) {
        size_t len = 1 + check_random(&seed, i % 64 ? 120 : sizeof pad - 1);
        memset(pad, 'x', len);
        pad[len] = 0;
        log_one(i, who, pad, i % 3 == 0);
        counts->gathered[slot] = i;
        if (check_random(&seed, 40) == 0)
            log_flush();
    }
    log_flush();
}

static char *slurp(const char *path, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &st) == 0, "%s", path);
    char *text = malloc((size_t)st.st_size + 1);
    ssize_t n = read(fd, text, (size_t)st.st_size);
    close(fd);
    *len = n > 0 ? (size_t)n : 0;
    text[*len] = 0;
    return text;
}

/* Every line of a file is whole, and each process's numbers go up by step without a gap. Returns how many lines each had. */
static void check_file(const char *path, uint32_t step, uint32_t *seen, bool padded)
{
    size_t len;
    char *text = slurp(path, &len), *at = text;
    CHECK(len == 0 || text[len - 1] == '\n', "%s: the last line is cut", path);
    while (at < text + len) {
        char *end = strchr(at, '\n');
        int slot = -1, pid = 0;
        unsigned number = 0;
        char pad[700] = "", tail[8] = "";
        *end = 0;
        int fields = padded ? sscanf(at, "w%d %d.%u %699s %7s", &slot, &pid, &number, pad, tail) : sscanf(at, "w%d %d.%u %7s", &slot, &pid, &number, tail);
        bool ok = fields == (padded ? 5 : 4) && slot >= 0 && slot < 8 && strcmp(tail, "end") == 0 && strspn(pad, "x") == strlen(pad);
        CHECK(ok, "%s: torn line: %s", path, at);
        if (ok) {
            CHECK(number == seen[slot] + step, "%s: process %d: line %u after %u", path, slot, number, seen[slot]);
            seen[slot] = number;
        }
        at = end + 1;
    }
    free(text);
}

static void check_all(int processes, bool killed)
{
    uint32_t a[8] = {0}, b[8] = {0};
    check_file(path_a, 1, a, true);
    check_file(path_b, 3, b, false);
    for (int i = 0; i < processes; i++) {
        uint32_t told = counts->gathered[i];
        CHECK(a[i] == told || (killed && a[i] == told + 1), "process %d: %u lines of %u", i, a[i], told); /* killed between log and count */
        bool between = killed && a[i] % 3 == 0 && b[i] + 3 == a[i]; /* killed between the two logs of one request */
        CHECK(b[i] / 3 == a[i] / 3 || between, "process %d: second log %u of %u", i, b[i], a[i]);
    }
    CHECK(truncate(path_a, 0) == 0 && truncate(path_b, 0) == 0, "truncate");
    memset(counts, 0, sizeof *counts);
}

static pid_t start(int slot, uint32_t count)
{
    pid_t pid = fork();
    if (pid == 0) {
        write_lines(slot, count);
        _exit(0);
    }
    shm->slots[slot].pid = pid;
    return pid;
}

static void test_processes_side_by_side(void)
{
    pid_t pids[4];
    for (int i = 0; i < 4; i++)
        pids[i] = start(i, 2000);
    for (int i = 0; i < 4; i++) {
        int status;
        waitpid(pids[i], &status, 0);
        CHECK(status == 0, "process %d: status %x", i, status);
        log_rescue(i);
        shm_bury(i);
    }
    check_all(4, false);
}

static void test_killed_at_any_point(void)
{
    uint64_t seed = (uint64_t)time(NULL);
    for (int round = 0; round < 12; round++) {
        pid_t pids[4];
        for (int i = 0; i < 4; i++)
            pids[i] = start(i, 10000000);
        struct timespec wait = {.tv_nsec = (long)(2000000 + check_random(&seed, 15000000))};
        nanosleep(&wait, NULL);
        for (int i = 0; i < 4; i++)
            kill(pids[i], SIGKILL);
        for (int i = 0; i < 4; i++)
            waitpid(pids[i], NULL, 0);
        for (int i = 0; i < 4; i++) {
            log_rescue(i);
            shm_bury(i);
        }
        for (int i = 0; i < SHM_LOG_LOCKS; i++)
            CHECK(shm->log_locks[i].word == 0, "lock %d is left", i);
        check_all(4, true);
    }
}

/* A worker that ran wild leaves nonsense behind; the master must survive it. */
static void test_rescue_of_nonsense(void)
{
    uint64_t seed = 3;
    for (int turn = 0; turn < 300; turn++) {
        struct slot *s = &shm->slots[5];
        for (size_t i = 0; i < sizeof s->log; i++)
            s->log[i] = (char)check_random(&seed, 256);
        uint32_t fd = (uint32_t)logs[turn % 2].fd;
        memcpy(s->log, &fd, sizeof fd);
        s->log_used = (uint32_t)check_random(&seed, 2 * SHM_LOG_BYTES);
        s->log_flushed = (uint32_t)check_random(&seed, 3);
        s->pid = 0x7ffffffe;
        shm->log_locks[turn % SHM_LOG_LOCKS].word = turn % 2 ? 6 : 0;
        shm->log_locks[turn % SHM_LOG_LOCKS].offset = turn % 5 ? -1 : 100;
        log_rescue(5);
        CHECK(s->log_used == 0, "turn %d", turn);
        shm_bury(5);
    }
    CHECK(truncate(path_a, 0) == 0 && truncate(path_b, 0) == 0, "truncate");
}

static void test_long_lines_are_cut(void)
{
    char *pad = malloc(SHM_LOG_BYTES + 100);
    size_t len;
    memset(pad, 'y', SHM_LOG_BYTES + 99);
    pad[SHM_LOG_BYTES + 99] = 0;
    log_use_slot(0);
    log_one(1, "w0", "x", false);
    log_one(2, "w0", pad, false);
    log_one(3, "w0", "x", false);
    log_flush();
    char *text = slurp(path_a, &len), *second = strchr(text, '\n') + 1, *third = strchr(second, '\n') + 1;
    CHECK(third - second > SHM_LOG_BYTES / 2 && strncmp(third, "w0 ", 3) == 0 && strchr(third, '\n') == text + len - 1, "%zu bytes", len);
    free(text);
    free(pad);
    CHECK(truncate(path_a, 0) == 0, "truncate");
}

static void test_reopen_after_rename(void)
{
    size_t len;
    log_one(1, "w0", "x", false);
    log_flush();
    CHECK(rename(path_a, "old.log") == 0, "rename");
    log_one(2, "w0", "x", false);
    log_flush(); /* still the old file */
    int before = logs[0].fd;
    CHECK(log_open_all(&conf) == 0 && logs[0].fd == before, "reopen");
    log_one(3, "w0", "x", false);
    log_flush();
    char *old = slurp("old.log", &len), *new = slurp(path_a, &len);
    CHECK(strstr(old, ".1 x") && strstr(old, ".2 x") && !strstr(old, ".3 x") && strstr(new, ".3 x") && !strstr(new, ".2 x"), "%s | %s", old, new);
    free(old);
    free(new);
    unlink("old.log");
}

static void test_error_lines(void)
{
    size_t len;
    struct request r = {.server = &server, .peer = {.address = {[10] = 0xff, [11] = 0xff, 1, 2, 3, 4}, .port = 5, .family = 2}};
    errno = ENOENT;
    log_error(NULL, LEVEL_ERROR, "core", "told \"%s\"", "a\nb\x1b[0m");
    CHECK(errno == ENOENT, "errno");
    log_error(&server, LEVEL_INFO, "core", "not this");
    log_error(&server, LEVEL_NOTICE, "core", "a notice always");
    log_request(&r, LEVEL_WARN, "python", "hm");
    log_text(&server, &r, LEVEL_ERROR, "python", slice_text("one\ntwo\n\nthree"), true);
    log_text(&server, &r, LEVEL_ERROR, "python", slice_text("raw \\ \"text\"\r\nmore\n"), false);
    char *text = slurp(path_error, &len);
    CHECK(strstr(text, "[core:error] [pid ") && strstr(text, "] told \"a\\nb\\x1b[0m\"\n"), "%s", text);
    CHECK(!strstr(text, "not this") && strstr(text, "[core:notice]"), "%s", text);
    CHECK(strstr(text, "] [client 1.2.3.4:5] hm\n") && strstr(text, "[python:warn]"), "%s", text);
    CHECK(strstr(text, ":5] one\n[") && strstr(text, ":5] two\n[") && strstr(text, ":5] three\n"), "%s", text);
    CHECK(strstr(text, "\nraw \\ \"text\"\\r\nmore\n"), "%s", text);
    struct tm tm = {0};
    char *end = strptime(text, "[%a %b %d %H:%M:%S.", &tm);
    CHECK(end && strspn(end, "0123456789") == 6 && end[6] == ' ' && end[11] == ']', "%s", text);
    free(text);
}

int main(void)
{
    setup();
    test_processes_side_by_side();
    test_killed_at_any_point();
    test_rescue_of_nonsense();
    test_long_lines_are_cut();
    test_reopen_after_rename();
    test_error_lines();
    log_close_all(&conf);
    unlink(path_a);
    unlink(path_b);
    unlink(path_error);
    return check_result();
}
