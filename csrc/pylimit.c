/* Gives the job that runs the bounds of its Location, and takes them away. */
#include <Python.h>

#include "pylimit.h"

#include <string.h>

#include "coro.h"
#include "gate_request.h"
#include "shm.h"

enum { STATUS_TIMEOUT = 504, STATUS_GONE = 408 };

static size_t add(char *to, size_t used, size_t room, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    if (n >= room - used)
        n = room - used - 1;
    memcpy(to + used, text ? text : "", n);
    to[used + n] = 0;
    return used + n;
}

static size_t add_ordinal(char *to, size_t used, size_t room, uint64_t number)
{
    char digits[24], *at = digits + sizeof digits - 1;
    bool teens = number / 10 % 10 == 1;
    const char *ending = teens || number % 10 > 3 ? "th" : (const char *[]){"th", "st", "nd", "rd"}[number % 10];
    *at = 0;
    for (uint64_t rest = number; rest || !*at; rest /= 10)
        *--at = (char)('0' + rest % 10);
    return add(to, add(to, used, room, at), room, ending);
}

/* No allocation, no locks. The log escapes what a client wrote. */
void pylimit_describe(void *arg, char *to, size_t room)
{
    const struct request *r = arg;
    size_t used = add(to, 0, room, r->method);
    used = add(to, used, room, " ");
    used = add(to, used, room, r->uri);
    if (r->conf && r->conf->location) {
        used = add(to, used, room, " (Location ");
        used = add(to, used, room, r->conf->location);
        used = add(to, used, room, ")");
    }
    used = add_ordinal(to, add(to, used, room, ", the "), room, blocked_count(&shm_slot->blocked, r->conf ? r->conf->location : NULL));
    add(to, used, room, " time there");
    for (char *at = to; *at; at++)
        if (*at == '\n')
            *at = ' ';
}

/* Such a coroutine outlives the request that has spawned it, so it is counted at no Location. */
static void describe_spawned(void *arg, char *to, size_t room)
{
    enum { FRAME_BYTES = 80 }; /* for what stands around the name */
    size_t used = add(to, 0, room, "coroutine ");
    coro_spawned_name(arg, to + used, room - used - FRAME_BYTES);
    used = strlen(to);
    used = add_ordinal(to, add(to, used, room, ", the "), room, blocked_count(&shm_slot->blocked, "(coroutines)"));
    add(to, used, room, " time of any");
}

void pylimit_for_services(const struct dir_conf *conf)
{
    coro_set_spawned_limits(&(struct coro_limits){.green = conf->python_green, .slice_ms = conf->time_slice_ms, .blocked_ms = conf->blocked_warning_ms,
                                                  .describe = describe_spawned});
}

/* Who watches the client beside the handler (pywsgi_gone.c) goes on to tell us, also when the handler is over and its greenlet has another request. */
static void on_client_gone(struct waker *w)
{
    const struct request *r = (const struct request *)((const char *)w - offsetof(struct request, cancel));
    if (r->cancelled)
        coro_client_gone(r->cancelled);
}

/* A client that has gone while its request was in the queue is not heard of again. */
static void wait_for_client(struct request *r)
{
    r->cancel.wake = on_client_gone;
    r->on_gone = &r->cancel;
    if (gate_request_is_gone(r))
        waker_wake(r->on_gone);
}

int pylimit_begin(struct request *r, bool cancels)
{
    const struct dir_conf *conf = r->conf;
    struct coro *c = coro_current();
    if (!conf || !c)
        return 0;
    if (cancels && conf->cancel_on_disconnect) {
        if (!coro_hears_of_client(c))
            return -1;
        r->cancelled = c;
        if (!r->on_gone)
            wait_for_client(r);
    }
    struct coro_limits limits = {.green = conf->python_green, .timeout_ms = conf->request_timeout_ms, .slice_ms = conf->time_slice_ms,
                                 .blocked_ms = conf->blocked_warning_ms, .describe = pylimit_describe, .arg = r};
    return coro_set_limits(&limits);
}

void pylimit_end(struct request *r, bool last)
{
    struct coro *c = coro_current();
    coro_check_child();
    if (!c)
        return;
    if (r->cancelled == c) {
        r->cancelled = NULL;
        if (r->on_gone == &r->cancel)
            r->on_gone = NULL;
    }
    if (last)
        coro_end_limits();
}

int pylimit_status(void)
{
    enum coro_end end = coro_ended_by();
    return end == CORO_END_TIMEOUT ? STATUS_TIMEOUT : end == CORO_END_GONE ? STATUS_GONE : 0;
}
