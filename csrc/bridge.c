/* The control plane that Python sees. Every function returns at once. */
#include "bridge.h"

#include <stdio.h>
#include <string.h>

#include "expr.h"
#include "limit.h"
#include "listener.h"
#include "log_event.h"
#include "log_parts.h"
#include "master.h"
#include "shm.h"
#include "worker.h"

int bridge_configure(struct main_conf *conf)
{
    master_next_conf = conf;
    return 0;
}

int bridge_open(struct main_conf *conf, char *error, int room)
{
    if (listener_open_all(conf, NULL, error, room) < 0)
        return -1;
    int result = log_open_all(conf);
    if (result < 0)
        snprintf(error, (size_t)room, "a log cannot be opened");
    log_close_all(conf);
    listener_close_unused(conf, NULL);
    return result;
}

static int log_format_check(const char *text, char *error, int room)
{
    struct log_format *f = log_format_new(text, error, (size_t)room);
    log_format_free(f);
    return f ? 0 : -1;
}

static int error_format_check(const char *text, enum log_event_kind kind, char *error, int room)
{
    struct event_format *f = event_format_new(text, kind, error, (size_t)room);
    event_format_free(f);
    return f ? 0 : -1;
}

int bridge_expr_compile(struct expr_conf *expr, char *error, int room)
{
    expr->compiled = expr_new(expr->text, expr->kind, error, (size_t)room);
    return expr->compiled ? 0 : -1;
}

void bridge_expr_free(struct expr_conf *expr)
{
    if (!expr)
        return;
    expr_free(expr->compiled);
    expr->compiled = NULL;
}

static int expr_check(const char *text, int kind, char *error, int room)
{
    struct expr_conf expr = {.text = text, .kind = kind};
    int result = bridge_expr_compile(&expr, error, room);
    bridge_expr_free(&expr);
    return result;
}

int bridge_text_check(int kind, const char *text, char *error, int room)
{
    switch ((enum text_kind)kind) {
    case TEXT_LOG_FORMAT: return log_format_check(text, error, room);
    case TEXT_ERROR_FORMAT: return error_format_check(text, EVENT_MESSAGE, error, room);
    case TEXT_ERROR_FORMAT_CONNECTION: return error_format_check(text, EVENT_CONNECTION, error, room);
    case TEXT_ERROR_FORMAT_REQUEST: return error_format_check(text, EVENT_REQUEST, error, room);
    case TEXT_CONDITION: return expr_check(text, EXPR_CONDITION, error, room);
    case TEXT_EXPR: return expr_check(text, EXPR_TEXT, error, room);
    case TEXT_RESTRICTED_CONDITION: return expr_check(text, EXPR_CONDITION | EXPR_RESTRICTED, error, room);
    case TEXT_RESTRICTED_EXPR: return expr_check(text, EXPR_TEXT | EXPR_RESTRICTED, error, room);
    }
    return -1;
}

int bridge_slot_read(int slot, int64_t *out, int count)
{
    if (!shm || slot < 0 || slot >= SHM_SLOTS)
        return -1;
    const struct slot *s = &shm->slots[slot];
    const int64_t values[] = {s->pid, s->state, s->generation, s->started_us, s->turn_ns, (int64_t)s->requests, (int64_t)s->connections_total,
                              (int64_t)s->bytes_out, (int64_t)s->bytes_in, (int64_t)s->errors_5xx, (int64_t)s->errors_4xx,
                              (int64_t)s->limits_hit, s->connections, s->busy};
    int have = (int)(sizeof values / sizeof *values);
    memcpy(out, values, sizeof *values * (size_t)(count < have ? count : have));
    return have;
}

int bridge_serve(struct main_conf *conf, char *error, int room) { return worker_serve(conf, error, room); }
void bridge_end(int code) { worker_end(code); }
int bridge_generation(void) { return shm ? shm->generation : 0; }

void bridge_log(int level, const char *module, const char *message, int length)
{
    log_error(NULL, level, module, "%.*s", length, message);
}

long bridge_limit(const char *name)
{
    static const struct { const char *name; long value; } limits[] = {
#define ROW(limit) {#limit, limit}
        ROW(LIMIT_REQUEST_LINE_BYTES), ROW(LIMIT_REQUEST_FIELDS), ROW(LIMIT_REQUEST_FIELD_SIZE_BYTES), ROW(LIMIT_KEEP_ALIVE_MS),
        ROW(LIMIT_TIMEOUT_MS), ROW(LIMIT_MAX_KEEP_ALIVE_REQUESTS), ROW(LIMIT_LISTEN_BACKLOG), ROW(LIMIT_MAX_CONNECTIONS),
        ROW(LIMIT_MAX_REQUESTS_IN_FLIGHT), ROW(LIMIT_OUTPUT_HIGH_BYTES), ROW(LIMIT_BODY_MEMORY_BYTES), ROW(LIMIT_METHOD_BYTES),
        ROW(LIMIT_READ_BYTES), ROW(LIMIT_CHUNK_LINE_BYTES), ROW(LIMIT_CHUNK_EXTENSIONS_BYTES), ROW(LIMIT_LINGER_MS), ROW(LIMIT_LINGER_BYTES),
        ROW(LIMIT_INTERNAL_REDIRECTS), ROW(LIMIT_RANGES), ROW(LIMIT_PATH_BYTES)};
#undef ROW
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (strcmp(limits[i].name, name) == 0)
            return limits[i].value;
    return -1;
}
