/* The status page as people read it. Names of Locations, interpreters and the host are escaped like everything that is not ours. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "errors.h"
#include "interp.h"
#include "origin.h"
#include "serve_status.h"
#include "version.h"

static const char STATUS_STYLE[] =
    "main{max-width:76rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}.scroll{overflow-x:auto}.dim{color:var(--dim)}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}"
    "th,td{text-align:right;padding:.35rem .6rem;border-bottom:1px solid var(--line);white-space:nowrap}"
    "th{color:var(--dim);font-size:.85rem;font-weight:500}th:first-child,td:first-child{text-align:left}td:first-child{white-space:normal;overflow-wrap:anywhere}"
    "tbody tr:hover{background:var(--hover)}"
    "dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:1rem;margin:1.25rem 0}dt{color:var(--dim);font-size:.85rem}"
    "dd{margin:0;font-size:1.15rem;font-variant-numeric:tabular-nums}";

static int fact_words(struct buf *to, const char *name, const char *value) { return buf_addf(to, "<div><dt>%s</dt><dd>%s</dd></div>\n", name, value); }

static int fact(struct buf *to, const char *name, uint64_t value)
{
    return buf_addf(to, "<div><dt>%s</dt><dd>%" PRIu64 "</dd></div>\n", name, value);
}

/* "3 d 4 h", "4 h 5 min", "5 min 6 s" */
static void span_text(int64_t seconds, char *out, size_t room)
{
    static const struct { int64_t seconds; const char *name; } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;
    seconds = seconds < 0 ? 0 : seconds;
    while (i < 2 && seconds < units[i].seconds)
        i++;
    if (i == 2 && seconds < 60)
        snprintf(out, room, "%" PRId64 " s", seconds);
    else
        snprintf(out, room, "%" PRId64 " %s %" PRId64 " %s", seconds / units[i].seconds, units[i].name, seconds % units[i].seconds / units[i + 1].seconds,
                 units[i + 1].name);
}

static void time_text(int64_t us, char *out, size_t room)
{
    struct tm tm;
    time_t seconds = (time_t)(us / 1000000);
    if (!localtime_r(&seconds, &tm) || !strftime(out, room, "%Y-%m-%d %H:%M:%S", &tm))
        *out = 0;
}

static void bytes_text(uint64_t bytes, char *out, size_t room)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 1024 && unit < 6; unit++)
        value /= 1024;
    snprintf(out, room, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static int facts(struct buf *to, const struct status *s)
{
    char up[40], started[40], reloaded[40], out[24], memory[24], rate[24];
    int64_t seconds = (s->now_us - s->started_us) / 1000000;
    span_text(seconds, up, sizeof up);
    time_text(s->started_us, started, sizeof started);
    time_text(s->restarted_us, reloaded, sizeof reloaded);
    bytes_text(s->sum.bytes_out, out, sizeof out);
    bytes_text((uint64_t)s->sum.memory_kib * 1024, memory, sizeof memory);
    snprintf(rate, sizeof rate, "%.2f", (double)s->sum.requests / (double)(seconds > 0 ? seconds : 1));
    if (buf_addf(to, "<dl>\n") < 0 || fact_words(to, "Up for", up) < 0 || fact_words(to, "Started", started) < 0
        || fact_words(to, "Configuration of", reloaded) < 0 || fact(to, "Generation", (uint64_t)s->sum.generation) < 0
        || fact(to, "Requests", s->sum.requests) < 0 || fact_words(to, "Requests per second", rate) < 0 || fact(to, "In flight", s->sum.busy) < 0
        || fact(to, "Open connections", s->sum.connections) < 0 || fact(to, "Connections so far", s->sum.connections_total) < 0
        || fact_words(to, "Sent", out) < 0 || fact(to, "Answers 4xx", s->sum.errors_4xx) < 0 || fact(to, "Answers 5xx", s->sum.errors_5xx) < 0
        || fact(to, "Limits that bit", s->sum.limits_hit) < 0 || fact(to, "Log lines lost", s->sum.log_lost) < 0
        || fact_words(to, "Memory", memory) < 0 || fact(to, "Processes gone", s->workers_gone) < 0)
        return -1;
    return buf_addf(to, "</dl>\n");
}

static const char *state_words(const struct status_worker *w)
{
    switch ((enum slot_state)w->state) {
    case SLOT_STARTING: return "starts";
    case SLOT_READY: return w->busy ? "at work" : "waits";
    case SLOT_STOPPING: return "finishes";
    case SLOT_FREE: case SLOT_DEAD: break;
    }
    return "gone";
}

static int worker_row(struct buf *to, const struct status *s, const struct status_worker *w)
{
    char up[40] = "–", out[24], memory[24];
    if (w->started_us)
        span_text((s->now_us - w->started_us) / 1000000, up, sizeof up);
    bytes_text(w->bytes_out, out, sizeof out);
    bytes_text((uint64_t)w->memory_kib * 1024, memory, sizeof memory);
    return buf_addf(to, "<tr><td>%d%s</td><td>%s</td><td>%d</td><td>%s</td><td>%" PRIu64 "</td><td>%u</td><td>%u</td><td>%s</td><td>%" PRIu64 "</td><td>%" PRIu64
                    "</td><td>%" PRIu64 "</td><td>%.2f s</td><td>%s</td><td>%" PRId64 " ms</td></tr>\n", (int)w->pid, &shm->slots[w->slot] == shm_slot ? " <span class=\"dim\">(this one)</span>" : "",
                    state_words(w), w->generation, up, w->requests, w->busy, w->connections, out, w->errors_4xx, w->errors_5xx, w->limits_hit,
                    (double)w->cpu_ms / 1000, memory, w->turned_ms);
}

static int scripts(struct buf *to, const struct status_worker *sum)
{
    if (buf_addf(to, "<h2>CGI scripts</h2>\n<dl>\n") < 0 || fact(to, "Running", sum->cgi_running) < 0 || fact(to, "Waiting for a place", sum->cgi_waiting) < 0
        || fact(to, "Started", sum->cgi_started) < 0 || fact(to, "Not started", sum->cgi_refused) < 0 || fact(to, "Killed", sum->cgi_killed) < 0)
        return -1;
    return buf_addf(to, "</dl>\n");
}

static int workers(struct buf *to, const struct status *s)
{
    if (buf_addf(to, "<h2>Processes</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>Process</th><th>State</th><th>Generation</th><th>Up for</th>"
                     "<th>Requests</th><th>In flight</th><th>Connections</th><th>Sent</th><th>4xx</th><th>5xx</th><th>Limits</th><th>CPU</th><th>Memory</th>"
                     "<th>Last turn</th></tr></thead>\n<tbody>\n") < 0)
        return -1;
    for (int i = 0; i < s->count; i++)
        if (worker_row(to, s, &s->workers[i]) < 0)
            return -1;
    return buf_addf(to, "</tbody>\n</table></div>\n");
}

static int blocked_places(struct buf *to, const struct status *s)
{
    uint64_t count;
    const char *place = blocked_at(&s->blocked, 0, &count);
    if (!place)
        return buf_addf(to, "<h2>Handlers that held up their worker</h2>\n<p class=\"dim\">None so far.</p>\n");
    if (buf_addf(to, "<h2>Handlers that held up their worker</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>Location</th><th>Times</th></tr></thead>\n<tbody>\n") < 0)
        return -1;
    for (unsigned n = 0; (place = blocked_at(&s->blocked, n, &count)); n++)
        if (buf_addf(to, "<tr><td>") < 0 || html_escape(to, slice_text(place)) < 0 || buf_addf(to, "</td><td>%" PRIu64 "</td></tr>\n", count) < 0)
            return -1;
    return buf_addf(to, "</tbody>\n</table></div>\n");
}

static int interpreters(struct buf *to)
{
    if (buf_addf(to, "<h2>Interpreters of this process</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>Name</th><th>Greenlets</th><th>Idle</th>"
                     "<th>Waiting</th></tr></thead>\n<tbody>\n") < 0)
        return -1;
    for (struct interp *i = interp_first(); i; i = i->next)
        if (buf_addf(to, "<tr><td>") < 0 || html_escape(to, slice_text(i->name)) < 0
            || buf_addf(to, "</td><td>%u</td><td>%u</td><td>%u</td></tr>\n", i->greenlets, i->greenlets_idle, i->waiting) < 0)
            return -1;
    return buf_addf(to, "</tbody>\n</table></div>\n");
}

int status_page(struct buf *to, const struct status *s, struct request *r)
{
    struct slice host = slice_text(origin_host(r));
    if (page_begin(to, SLICE("Server status"), STATUS_STYLE) < 0 || buf_addf(to, "<h1>Server status of ") < 0 || html_escape(to, host) < 0
        || buf_addf(to, "</h1>\n<p class=\"dim\">%s on Python %d.%d.%d</p>\n", version_words(0), PY_MAJOR_VERSION, PY_MINOR_VERSION, PY_MICRO_VERSION) < 0)
        return -1;
    if (facts(to, s) < 0 || workers(to, s) < 0 || scripts(to, &s->sum) < 0 || blocked_places(to, s) < 0 || interpreters(to) < 0)
        return -1;
    return page_end(to, r);
}
