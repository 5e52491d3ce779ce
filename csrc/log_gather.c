/* Access lines wait in the worker's slot of the shared mapping and go out once a turn, one write a file. The mapping outlives the worker, so the
 * master can write what a killed one had gathered, and can tell how far its last write got: writers of one file take turns by a lock in the
 * mapping, and note the file's size before they write.
 *
 * The buffer is a row of records {fd, length, bytes}, each at a multiple of 8. Whatever a kill interrupts is whole or not there: bytes are copied
 * before the length that makes them count is stored. */
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "log_parts.h"
#include "request.h"
#include "shm.h"

enum { RECORD_HEAD = 8, LOCK_WAIT_MS = 1000, LOCK_NAP_MS = 50, VECTORS = 64, LOST_PAUSE_S = 60 };

struct record { _Atomic int32_t fd; _Atomic uint32_t len; char bytes[]; };

/* last: 1 + offset of the last record, 0: none; error: of the last write that failed. */
static struct { struct slot *slot; int number; uint32_t last; time_t lost_said; int error; } gather;

static uint32_t align8(uint32_t n) { return (n + 7) & ~7u; }
static struct record *record_at(struct slot *s, uint32_t at) { return (struct record *)(void *)(s->log + at); }

/* The master walks over what a worker left that may have run wild: nothing in the mapping is believed. */
static uint32_t records_end(const struct slot *s)
{
    uint32_t used = s->log_used;
    return used < SHM_LOG_BYTES - RECORD_HEAD ? used : SHM_LOG_BYTES - RECORD_HEAD;
}

static uint32_t record_len(struct slot *s, uint32_t at)
{
    uint32_t len = record_at(s, at)->len, most = SHM_LOG_BYTES - RECORD_HEAD - at;
    return len < most ? len : most;
}

static uint32_t record_next(struct slot *s, uint32_t at) { return align8(at + RECORD_HEAD + record_len(s, at)); }

void log_use_slot(int slot)
{
    gather.slot = &shm->slots[slot];
    gather.number = slot;
    gather.last = 0;
    gather.slot->log_used = gather.slot->log_flushed = 0;
}

/* ---- a line more ---- */

static bool is_last_of(int fd) { return gather.last && record_at(gather.slot, gather.last - 1)->fd == fd; }

bool log_gather_begin(int fd, struct log_sink *out)
{
    struct slot *s = gather.slot;
    if (!s)
        return false;
    uint32_t used = s->log_used;
    if (!is_last_of(fd)) {
        used = align8(used) + RECORD_HEAD;
        if (used > SHM_LOG_BYTES)
            used = SHM_LOG_BYTES;
    }
    *out = (struct log_sink){s->log + used, s->log + SHM_LOG_BYTES, false};
    return true;
}

void log_gather_end(int fd, const struct log_sink *out)
{
    struct slot *s = gather.slot;
    uint32_t end = (uint32_t)(out->at - s->log);
    if (is_last_of(fd)) {
        struct record *last = record_at(s, gather.last - 1);
        atomic_store_explicit(&last->len, end - (gather.last - 1) - RECORD_HEAD, memory_order_release);
    } else {
        uint32_t at = align8(s->log_used);
        struct record *record = record_at(s, at);
        atomic_store_explicit(&record->fd, fd, memory_order_relaxed);
        atomic_store_explicit(&record->len, end - at - RECORD_HEAD, memory_order_relaxed);
        gather.last = at + 1;
    }
    atomic_store_explicit(&s->log_used, end, memory_order_release);
}

static void log_gather_line(const struct access_log_conf *log, const struct request *r)
{
    struct log_sink out;
    if (!log_gather_begin(log->fd, &out))
        return;
    log_format_line(log->compiled, r, &out);
    if (out.full) { /* the buffer is: once more with an empty one, and then cut what is still too long */
        log_flush();
        log_gather_begin(log->fd, &out);
        log_format_line(log->compiled, r, &out);
        if (out.full)
            out.at[-1] = '\n';
    }
    log_gather_end(log->fd, &out);
}

static bool env_holds(const struct request *r, const char *env)
{
    bool negate = *env == '!';
    return (table_find(&r->subprocess_env, slice_text(env + negate)) != NULL) != negate;
}

/* What holds is asked of the request that made the answer. */
static bool is_wanted(const struct access_log_conf *log, const struct request *r)
{
    if (!log->compiled || log->fd < 0 || (log->env && !env_holds(r, log->env)))
        return false;
    while (log->condition.text && r->next)
        r = r->next;
    return !log->condition.text || (log_expr_holds && log_expr_holds(&log->condition, r));
}

void log_access(const struct request *r)
{
    if (!r->server)
        return;
    const struct server_conf *server = r->server;
    if (!server->access_log_count && server->is_virtual && r->main)
        server = r->main->servers[0]; /* httpd: a virtual host without logs of its own uses the main server's */
    for (int i = 0; i < server->access_log_count; i++) {
        const struct access_log_conf *log = &server->access_logs[i];
        if (is_wanted(log, r))
            log_gather_line(log, r);
    }
}

/* ---- the lock of a file ---- */

static long futex(_Atomic uint32_t *word, int what, uint32_t value, const struct timespec *wait)
{
    return syscall(SYS_futex, word, what, value, wait, NULL, 0);
}

/* False: the holder is stuck or dead and nobody has freed it in time; O_APPEND still keeps lines whole. */
static bool lock_take(struct shm_log_lock *lock, int slot)
{
    uint32_t mine = (uint32_t)slot + 1, seen = 0;
    struct timespec nap = {.tv_nsec = LOCK_NAP_MS * 1000000L};
    for (int naps = 0; !atomic_compare_exchange_strong(&lock->word, &seen, mine); seen = 0) {
        if (naps++ == LOCK_WAIT_MS / LOCK_NAP_MS)
            return false;
        if (!(seen & SHM_LOG_CONTENDED) && !atomic_compare_exchange_strong(&lock->word, &seen, seen | SHM_LOG_CONTENDED))
            continue;
        futex(&lock->word, FUTEX_WAIT, seen | SHM_LOG_CONTENDED, &nap);
        mine |= SHM_LOG_CONTENDED; /* others may wait as well */
    }
    return true;
}

static void lock_drop(struct shm_log_lock *lock)
{
    if (atomic_exchange(&lock->word, 0) & SHM_LOG_CONTENDED)
        futex(&lock->word, FUTEX_WAKE, 1, NULL);
}

/* ---- out ---- */

/* The index-th distinct descriptor of the records, or -1. */
static int flush_fd(struct slot *s, uint32_t index)
{
    for (uint32_t at = 0, end = records_end(s); at < end; at = record_next(s, at)) {
        int fd = record_at(s, at)->fd;
        bool seen = false;
        for (uint32_t k = 0; k < at && !seen; k = record_next(s, k))
            seen = record_at(s, k)->fd == fd;
        if (!seen && index-- == 0)
            return fd;
    }
    return -1;
}

/* Collects what is behind the first skip bytes of a file's records; returns how many vectors. */
static int flush_vectors(struct slot *s, int fd, size_t skip, struct iovec *vectors)
{
    int n = 0;
    for (uint32_t at = 0, end = records_end(s); at < end && n < VECTORS; at = record_next(s, at)) {
        struct record *record = record_at(s, at);
        size_t len = record_len(s, at), less = skip < len ? skip : len;
        if (record->fd != fd)
            continue;
        skip -= less;
        if (len > less)
            vectors[n++] = (struct iovec){record->bytes + less, len - less};
    }
    return n;
}

static int64_t file_size(const struct log_file *file, int fd)
{
    struct stat st;
    return file && file->kind == LOG_FILE && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : -1;
}

/* How many bytes of a file's records are lines that end within the first `written` ones; and how many lines come behind them. */
static size_t whole_lines(struct slot *s, int fd, size_t written, uint64_t *behind)
{
    size_t seen = 0, whole = 0;
    *behind = 0;
    for (uint32_t at = 0, end = records_end(s); at < end; at = record_next(s, at)) {
        struct record *record = record_at(s, at);
        uint32_t len = record->fd == fd ? record_len(s, at) : 0;
        for (uint32_t i = 0; i < len; i++) {
            seen++;
            if (record->bytes[i] == '\n' && seen <= written)
                whole = seen;
            else if (record->bytes[i] == '\n')
                ++*behind;
        }
    }
    return whole;
}

/* The file takes no more: a full disk. The beginning of a line is taken back, or the next one to come would stand behind it. */
static void give_up(struct slot *s, int fd, size_t written, int64_t offset)
{
    uint64_t lost;
    size_t whole = whole_lines(s, fd, written, &lost);
    s->log_lost += lost;
    if (whole < written && offset >= 0 && file_size(log_file_of(fd), fd) == offset + (int64_t)written && ftruncate(fd, offset + (int64_t)whole) < 0)
        gather.error = errno;
}

/* Writes a file's records, which begin at its offset (-1: nobody knows), but the first skip bytes of them; what a broken file does not take is
 * lost, and counted. */
static void flush_write(struct slot *s, int fd, size_t skip, int64_t offset)
{
    struct iovec vectors[VECTORS];
    int count;
    while ((count = flush_vectors(s, fd, skip, vectors))) {
        ssize_t done = count == 1 ? write(fd, vectors->iov_base, vectors->iov_len) : writev(fd, vectors, count);
        if (done > 0)
            skip += (size_t)done;
        else if (errno != EINTR && (errno != EAGAIN || !log_pipe_wait(fd))) {
            gather.error = errno;
            give_up(s, fd, skip, offset);
            break;
        }
    }
}

static void flush_file(struct slot *s, int slot, uint32_t index, int fd)
{
    const struct log_file *file = log_file_of(fd);
    struct shm_log_lock *lock = file ? &shm->log_locks[file->lock] : NULL;
    bool locked = lock && lock_take(lock, slot);
    if (locked) {
        lock->index = index;
        lock->offset = file_size(file, fd);
    }
    if (file)
        flush_write(s, fd, 0, locked ? lock->offset : -1);
    s->log_flushed = index + 1;
    if (locked) {
        lock->offset = -1;
        lock_drop(lock);
    }
}

static void flush_slot(struct slot *s, int slot)
{
    int fd;
    while ((fd = flush_fd(s, s->log_flushed)) >= 0)
        flush_file(s, slot, s->log_flushed, fd);
    s->log_used = 0;
    s->log_flushed = 0;
}

static void say_lost(struct slot *s, uint64_t before)
{
    time_t now = time(NULL);
    if (s->log_lost == before || now - gather.lost_said < LOST_PAUSE_S)
        return;
    gather.lost_said = now;
    log_error(NULL, LEVEL_ERROR, "core", "access lines could not be written: %s", strerror(gather.error));
}

void log_flush(void)
{
    struct slot *s = gather.slot;
    if (!s || !s->log_used)
        return;
    uint64_t lost = s->log_lost;
    flush_slot(s, gather.number);
    gather.last = 0;
    say_lost(s, lost);
}

/* ---- after a death ---- */

/* The dead worker was between taking a file's lock and leaving it: finish its write, free the lock. */
static void rescue_lock(struct slot *s, struct shm_log_lock *lock)
{
    uint32_t index = lock->index;
    int fd = lock->offset >= 0 && s->log_flushed <= index ? flush_fd(s, index) : -1; /* else not begun, or done */
    int64_t size = fd >= 0 ? file_size(log_file_of(fd), fd) : -1;
    if (size >= 0) {
        flush_write(s, fd, size > lock->offset ? (size_t)(size - lock->offset) : 0, lock->offset);
        s->log_flushed = index + 1;
    }
    lock->offset = -1;
    lock_drop(lock);
}

/* Locks of all processes that are gone, so that this rescue does not wait for the next one. */
static void rescue_locks(void)
{
    for (int i = 0; i < SHM_LOG_LOCKS; i++) {
        uint32_t holder = shm->log_locks[i].word & ~SHM_LOG_CONTENDED;
        if (holder == 0 || holder > SHM_SLOTS)
            continue;
        struct slot *s = &shm->slots[holder - 1];
        if (kill(s->pid, 0) < 0 && errno == ESRCH)
            rescue_lock(s, &shm->log_locks[i]);
    }
}

void log_rescue(int slot)
{
    rescue_locks();
    flush_slot(&shm->slots[slot], slot);
}
