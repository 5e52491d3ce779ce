/* The numbers of the status page, and its machine-readable form (?auto), whose names are those of httpd's mod_status: what watches httpd can
 * watch this. A "worker" there is a place for one request at a time; here a process has PyMaxRequestsInFlight of them. */
#include "serve_status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"
#include "interp.h"
#include "origin.h"
#include "proc.h"
#include "response.h"
#include "static.h"
#include "static_room.h"
#include "version.h"
#include "worker.h"

enum { PROC_BYTES = 1024, US_PER_S = 1000000 };

bool status_wanted(const struct request *r) { return r->handler && strcmp(r->handler, "server-status") == 0; }

/* ---- gathering ---- */

/* Memory and processor time as /proc has them; zero where it has none. */
static void process_look(struct status_worker *w)
{
    char path[48], text[PROC_BYTES];
    unsigned long user = 0, system = 0;
    long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)w->pid);
    proc_read(path, text, sizeof text);
    const char *after_name = strrchr(text, ')');
    if (!after_name || sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %*u %*u %ld", &user, &system, &pages) != 3)
        return;
    w->cpu_ms = (int64_t)(user + system) * 1000 / sysconf(_SC_CLK_TCK);
    w->memory_kib = pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void slot_look(struct status_worker *w, int number, const struct slot *s, int64_t now_ns)
{
    *w = (struct status_worker){.slot = number, .state = s->state, .generation = s->generation, .pid = s->pid, .started_us = s->started_us,
                                .turned_ms = s->turn_ns ? (now_ns - s->turn_ns) / 1000000 : 0, .requests = s->requests,
                                .connections_total = s->connections_total, .bytes_out = s->bytes_out, .bytes_in = s->bytes_in,
                                .errors_5xx = s->errors_5xx, .errors_4xx = s->errors_4xx, .limits_hit = s->limits_hit, .log_lost = s->log_lost,
                                .connections = s->connections, .busy = s->busy, .cgi_started = s->cgi_started, .cgi_refused = s->cgi_refused,
                                .cgi_killed = s->cgi_killed, .cgi_running = s->cgi_running, .cgi_waiting = s->cgi_waiting};
    if (s == shm_slot) { /* the scoreboard has the numbers of the last turn */
        w->connections = worker->conn_count;
        w->busy = worker->in_flight;
        w->cgi_waiting = worker->cgi.waiting;
        w->turned_ms = 0;
    }
    process_look(w);
}

static void sum_add(struct status_worker *sum, const struct status_worker *w)
{
    sum->requests += w->requests;
    sum->connections_total += w->connections_total;
    sum->bytes_out += w->bytes_out;
    sum->bytes_in += w->bytes_in;
    sum->errors_5xx += w->errors_5xx;
    sum->errors_4xx += w->errors_4xx;
    sum->limits_hit += w->limits_hit;
    sum->log_lost += w->log_lost;
    sum->cgi_started += w->cgi_started;
    sum->cgi_refused += w->cgi_refused;
    sum->cgi_killed += w->cgi_killed;
    sum->cgi_running += w->cgi_running;
    sum->cgi_waiting += w->cgi_waiting;
    sum->connections += w->connections;
    sum->busy += w->busy;
    sum->cpu_ms += w->cpu_ms;
    sum->memory_kib += w->memory_kib;
}

static void status_gather(struct status *s)
{
    const struct shm_past *past = &shm->past;
    const struct loop *loop = &worker->loop;
    s->sum = (struct status_worker){.pid = shm->master, .generation = shm->generation, .requests = past->requests, .connections_total = past->connections_total,
                                    .bytes_out = past->bytes_out, .bytes_in = past->bytes_in, .errors_5xx = past->errors_5xx,
                                    .errors_4xx = past->errors_4xx, .limits_hit = past->limits_hit, .log_lost = past->log_lost,
                                    .cgi_started = past->cgi_started, .cgi_refused = past->cgi_refused, .cgi_killed = past->cgi_killed};
    s->workers_gone = past->workers;
    s->now_us = loop->wall_us;
    s->started_us = shm->started_us;
    s->restarted_us = shm->restarted_us;
    blocked_add(&s->blocked, &past->blocked);
    for (int i = 0; i < shm->slots_end; i++) {
        const struct slot *slot = &shm->slots[i];
        if (!slot->pid)
            continue;
        struct status_worker *w = &s->workers[s->count++];
        slot_look(w, i, slot, loop->now_ns);
        sum_add(&s->sum, w);
        blocked_add(&s->blocked, &slot->blocked);
        s->ready += w->state == SLOT_READY;
        s->stopping += w->state == SLOT_STOPPING;
    }
}

/* ---- ?auto ---- */

/* httpd's letters, one for each process: waiting, at work, starting, finishing. */
static char letter_of(const struct status_worker *w)
{
    switch ((enum slot_state)w->state) {
    case SLOT_READY: return w->busy ? 'W' : '_';
    case SLOT_STARTING: return 'S';
    case SLOT_STOPPING: return 'G';
    case SLOT_FREE: case SLOT_DEAD: break;
    }
    return '.';
}

static int auto_time(struct buf *to, const char *name, int64_t us)
{
    struct tm tm;
    time_t seconds = (time_t)(us / US_PER_S);
    char text[80];
    if (!localtime_r(&seconds, &tm) || !strftime(text, sizeof text, "%A, %d-%b-%Y %H:%M:%S %Z", &tm))
        return 0;
    return buf_addf(to, "%s: %s\n", name, text);
}

static int auto_load(struct buf *to)
{
    double load[3];
    return getloadavg(load, 3) == 3 ? buf_addf(to, "Load1: %.2f\nLoad5: %.2f\nLoad15: %.2f\n", load[0], load[1], load[2]) : 0;
}

static int auto_sums(struct buf *to, const struct status *s)
{
    const struct status_worker *sum = &s->sum;
    int64_t up = (s->now_us - s->started_us) / US_PER_S, idle = (int64_t)worker->conf->max_requests_in_flight * s->ready - sum->busy;
    double seconds = up > 0 ? (double)up : 1, requests = sum->requests ? (double)sum->requests : 1;
    return buf_addf(to, "Total Accesses: %" PRIu64 "\nTotal kBytes: %" PRIu64 "\nTotal Errors 4xx: %" PRIu64 "\nTotal Errors 5xx: %" PRIu64
                    "\nTotal Limits: %" PRIu64 "\nTotal Lost Log Lines: %" PRIu64 "\nCPULoad: %.4g\nUptime: %" PRId64 "\nReqPerSec: %.4g\nBytesPerSec: %.6g\n"
                    "BytesPerReq: %.6g\nBusyWorkers: %u\nIdleWorkers: %" PRId64 "\nProcesses: %d\nStopping: %d\nProcessesGone: %" PRIu64
                    "\nConnsTotal: %u\nConnsAccepted: %" PRIu64 "\nMemoryKiB: %" PRId64 "\n",
                    sum->requests, sum->bytes_out / 1024, sum->errors_4xx, sum->errors_5xx, sum->limits_hit, sum->log_lost,
                    (double)sum->cpu_ms / 10 / seconds, up, (double)sum->requests / seconds, (double)sum->bytes_out / seconds,
                    (double)sum->bytes_out / requests, sum->busy, idle > 0 ? idle : 0, s->count, s->stopping, s->workers_gone, sum->connections,
                    sum->connections_total, sum->memory_kib);
}

static int auto_scripts(struct buf *to, const struct status_worker *sum)
{
    return buf_addf(to, "CGIRunning: %u\nCGIWaiting: %u\nCGIStarted: %" PRIu64 "\nCGIRefused: %" PRIu64 "\nCGIKilled: %" PRIu64 "\n", sum->cgi_running,
                    sum->cgi_waiting, sum->cgi_started, sum->cgi_refused, sum->cgi_killed);
}

static int auto_processes(struct buf *to, const struct status *s)
{
    int result = buf_addf(to, "Scoreboard: ");
    for (int i = 0; i < s->count && !result; i++)
        result = buf_addf(to, "%c", letter_of(&s->workers[i]));
    result = result ? result : buf_addf(to, "\n");
    for (int i = 0; i < s->count && !result; i++) {
        const struct status_worker *w = &s->workers[i];
        result = buf_addf(to, "Process %d: State=%c Generation=%d Accesses=%" PRIu64 " Conns=%u Busy=%u CPUms=%" PRId64 " MemoryKiB=%" PRId64 " SilentMs=%" PRId64 "\n",
                          (int)w->pid, letter_of(w), w->generation, w->requests, w->connections, w->busy, w->cpu_ms, w->memory_kib, w->turned_ms);
    }
    return result;
}

static int auto_python(struct buf *to, const struct status *s)
{
    uint64_t count;
    const char *place;
    int result = 0;
    for (unsigned n = 0; !result && (place = blocked_at(&s->blocked, n, &count)); n++)
        result = buf_addf(to, "Blocked %s: %" PRIu64 "\n", place, count);
    for (struct interp *i = interp_first(); i && !result; i = i->next)
        result = buf_addf(to, "Interpreter %s: Greenlets=%u Idle=%u Waiting=%u\n", i->name, i->greenlets, i->greenlets_idle, i->waiting);
    return result;
}

static int status_auto(struct buf *to, const struct status *s, struct request *r)
{
    int64_t up = (s->now_us - s->started_us) / US_PER_S;
    if (buf_addf(to, "%s\nServerVersion: %s Python/%d.%d.%d\nServerMPM: pyhost\n", origin_host(r), version_words(0), PY_MAJOR_VERSION, PY_MINOR_VERSION,
                 PY_MICRO_VERSION) < 0
        || auto_time(to, "CurrentTime", s->now_us) < 0 || auto_time(to, "RestartTime", s->started_us) < 0 || auto_time(to, "ReloadTime", s->restarted_us) < 0
        || buf_addf(to, "ParentServerConfigGeneration: %d\nServerUptimeSeconds: %" PRId64 "\n", s->sum.generation, up) < 0 || auto_load(to) < 0)
        return -1;
    return auto_sums(to, s) < 0 || auto_scripts(to, &s->sum) < 0 || auto_processes(to, s) < 0 ? -1 : auto_python(to, s);
}

/* ---- answering ---- */

/* "auto" among the words of the query, "refresh=5" with its number. */
static bool query_has(const struct request *r, struct slice word, struct slice *value)
{
    for (const char *at = r->args; at && *at; at += strcspn(at, "&;"), at += *at != 0) {
        size_t len = strcspn(at, "&;"), name = strcspn(at, "&;=");
        if (slice_eq(slice_of(at, name), word)) {
            *value = name < len ? slice_of(at + name + 1, len - name - 1) : slice_of(at, 0);
            return true;
        }
    }
    return false;
}

static void refresh(struct request *r)
{
    struct slice value = {NULL, 0};
    char text[12];
    if (!query_has(r, SLICE("refresh"), &value))
        return;
    long seconds = value.len ? strtol(value.at, NULL, 10) : 0;
    snprintf(text, sizeof text, "%ld", seconds < 1 ? 1L : seconds > 3600 ? 3600L : seconds);
    table_set(&r->headers_out, SLICE("Refresh"), slice_text(text));
}

int status_answer(struct request *r)
{
    struct slice unused;
    struct buf text = {0};
    int status = static_method(r);
    if (status)
        return status < 0 ? 0 : status;
    struct status *s = calloc(1, sizeof *s);
    bool plain = query_has(r, SLICE("auto"), &unused);
    if (s)
        status_gather(s);
    if (!s || (plain ? status_auto(&text, s, r) : status_page(&text, s, r)) < 0) {
        status = 500;
        goto out;
    }
    r->content_type = (char *)(plain ? "text/plain; charset=utf-8" : "text/html; charset=utf-8");
    static_header(r, SLICE("Cache-Control"), SLICE("no-store"));
    if (!plain)
        static_header(r, SLICE("Content-Security-Policy"), SLICE("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"));
    refresh(r);
    r->clength = text.len;
    response_write(r, text.at, text.len);
    response_finish(r);
out:
    free(s);
    buf_clear(&text);
    return status;
}
