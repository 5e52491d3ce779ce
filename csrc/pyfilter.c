/* The chains of filters of a request. Bytes of the response go from filter to filter towards the client: a filter is called once for each flush,
 * and once at the end. The body is pulled: whoever reads calls the filter nearest to it, which reads from the next. */
#include "pyfilt.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "coro.h"
#include "log.h"
#include "response.h"

enum { FILTER_GATHER_BYTES = 65536 };

static const struct request_filter python_filter;

/* ---- output ---- */

/* Behind the last filter: the response. Its length is not what the producer has announced. */
static int push_out(struct request *r, struct slice data, bool flush)
{
    const struct request_filter *filter = r->out_filter;
    if (r->response == RESPONSE_OPEN) {
        r->clength = -1;
        table_unset(&r->headers_out, SLICE("Content-Length"));
    }
    r->out_filter = NULL;
    int failed = data.len ? response_write(r, data.at, data.len) : 0;
    if (!failed && flush)
        failed = response_flush(r);
    if (r->response != RESPONSE_ENDED)
        r->out_filter = filter;
    if (failed) {
        PyErr_SetString(PyExc_OSError, "Write failed, client closed connection.");
        return -1;
    }
    return pyrequest_drain(r);
}

/* A filter that is disabled lets through what it has not read. */
static int push_rest(struct request *r, struct filter_place *f, bool flush, bool eos)
{
    struct buf rest = f->data;
    f->data = (struct buf){0};
    int result = pyfilter_push(r, f->next, slice_of(rest.at, rest.len), flush, eos);
    buf_clear(&rest);
    return result;
}

static int filter_run(struct request *r, struct filter_place *f)
{
    pyfilter_call(f);
    if (f->disabled)
        return push_rest(r, f, true, f->eos);
    if (f->closed)
        return 0;
    if (f->eos)
        f->closed = true;
    return pyfilter_push(r, f->next, slice_of(NULL, 0), true, f->eos);
}

int pyfilter_push(struct request *r, struct filter_place *f, struct slice data, bool flush, bool eos)
{
    while (f && f->disabled && !f->data.len)
        f = f->next;
    if (!f)
        return push_out(r, data, flush);
    if (f->closed)
        return 0;
    if (f->running) /* what a filter writes by the request goes past it */
        return pyfilter_push(r, f->next, data, flush, eos);
    if (data.len && buf_add(&f->data, data.at, data.len)) {
        PyErr_NoMemory();
        return -1;
    }
    f->eos |= eos;
    return flush || eos || f->data.len >= FILTER_GATHER_BYTES ? filter_run(r, f) : 0;
}

/* ---- input ---- */

static long pull_body(struct request *r, char *to, size_t n)
{
    const struct request_filter *filter = r->in_filter;
    r->in_filter = NULL;
    long got = request_body_read(r, to, n);
    int error = errno;
    r->in_filter = filter;
    errno = error;
    return got;
}

static size_t take(struct buf *from, char *to, size_t n)
{
    if (n > from->len)
        n = from->len;
    memcpy(to, from->at, n);
    buf_drop(from, n);
    return n;
}

long pyfilter_pull(struct request *r, struct filter_place *f, char *to, size_t n)
{
    if (!f)
        return pull_body(r, to, n);
    for (;;) {
        if (f->data.len)
            return (long)take(&f->data, to, n);
        if (f->disabled && f->line.len)
            return (long)take(&f->line, to, n);
        if (f->disabled)
            return pyfilter_pull(r, f->next, to, n);
        if (f->closed || f->eos)
            return 0;
        uint64_t before = r->body_bytes_read;
        pyfilter_call(f);
        if (!f->disabled && !f->data.len && r->body_bytes_read == before)
            f->eos = true; /* it neither reads nor writes: there is nothing to wait for */
    }
}

/* ---- what response.c calls ---- */

static int out_result(int result)
{
    if (!result)
        return 0;
    errno = EPIPE;
    PyErr_Clear(); /* the caller reports it by its own words */
    return -1;
}

/* Can filters be called here? On the hub (the client has gone) the bytes go past them. */
static bool filtering(struct request *r)
{
    if (!coro_current())
        r->out_filter = NULL;
    return r->out_filter;
}

static int out_write(struct request *r, const void *data, size_t n)
{
    return filtering(r) ? out_result(pyfilter_push(r, r->filters->out, slice_of(data, n), false, false)) : response_write(r, data, n);
}

static int out_flush(struct request *r)
{
    return filtering(r) ? out_result(pyfilter_push(r, r->filters->out, slice_of(NULL, 0), true, false)) : response_flush(r);
}

static void out_finish(struct request *r)
{
    if (filtering(r) && out_result(pyfilter_push(r, r->filters->out, slice_of(NULL, 0), false, true)))
        log_request(r, LEVEL_INFO, "python", "the client has gone before the filters had written everything");
    r->out_filter = NULL;
}

static long in_read(struct request *r, void *to, size_t n)
{
    return coro_current() ? pyfilter_pull(r, r->filters->in, to, n) : pull_body(r, to, n);
}

static const struct request_filter python_filter = {out_write, out_flush, out_finish, in_read};

/* ---- setting up ---- */

static struct pyfilters *filters_of(struct request *r)
{
    if (!r->filters && (r->filters = request_alloc(r, sizeof *r->filters)))
        *r->filters = (struct pyfilters){0};
    if (!r->filters)
        PyErr_NoMemory();
    return r->filters;
}

int pyfilter_register(struct request *r, const char *name, const char *handler, const char *directory, bool is_input)
{
    struct pyfilters *filters = filters_of(r);
    struct pyregistered *made = filters ? request_alloc(r, sizeof *made) : NULL;
    if (!made) {
        PyErr_NoMemory();
        return -1;
    }
    *made = (struct pyregistered){.next = filters->registered, .name = name, .hook = {.handler = handler, .directory = directory}, .is_input = is_input};
    filters->registered = made;
    return 0;
}

static const struct hook_conf *filter_find(const struct request *r, const char *name, bool is_input)
{
    const struct dir_conf *conf = r->conf;
    for (const struct pyregistered *p = r->filters->registered; p; p = p->next)
        if (p->is_input == is_input && !strcasecmp(p->name, name))
            return &p->hook;
    int count = !conf ? 0 : is_input ? conf->input_filter_count : conf->output_filter_count;
    const struct filter_conf *filters = !conf ? NULL : is_input ? conf->input_filters : conf->output_filters;
    for (int i = 0; i < count; i++)
        if (!strcasecmp(filters[i].name, name))
            return &filters[i].hook;
    return NULL;
}

static const char *lower_copy(struct request *r, const char *name)
{
    char *copy = request_strdup(r, slice_text(name));
    for (char *c = copy; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return copy;
}

/* "module" means module::inputfilter or module::outputfilter. */
static const char *whole_handler(struct request *r, const char *handler, bool is_input)
{
    const char *object = is_input ? "::inputfilter" : "::outputfilter";
    size_t len = strlen(handler), more = strlen(object);
    if (strstr(handler, "::"))
        return handler;
    char *text = request_alloc(r, len + more + 1);
    if (text) {
        memcpy(text, handler, len);
        memcpy(text + len, object, more + 1);
    }
    return text;
}

static struct filter_place *place_new(struct request *r, const char *name, const struct hook_conf *hook, bool is_input)
{
    struct filter_place *f = request_alloc(r, sizeof *f);
    if (!f)
        return NULL;
    *f = (struct filter_place){.r = r, .name = lower_copy(r, name), .hook = *hook, .is_input = is_input};
    f->hook.handler = whole_handler(r, hook->handler, is_input);
    return f->name && f->hook.handler ? f : NULL;
}

int pyfilter_add(struct request *r, const char *name, bool is_input)
{
    struct pyfilters *filters = filters_of(r);
    const struct hook_conf *hook = filters ? filter_find(r, name, is_input) : NULL;
    if (filters && !hook) {
        log_request(r, LEVEL_ERROR, "python", "an unknown filter was not added: %s", name);
        return 0;
    }
    struct filter_place *f = hook ? place_new(r, name, hook, is_input) : NULL;
    if (!f) {
        PyErr_NoMemory();
        return -1;
    }
    if (is_input) { /* the first of the list is nearest to the client */
        f->next = filters->in;
        filters->in = f;
        r->in_filter = &python_filter;
        return 0;
    }
    struct filter_place **end = &filters->out;
    while (*end)
        end = &(*end)->next;
    *end = f;
    if (r->response != RESPONSE_ENDED)
        r->out_filter = &python_filter;
    return 0;
}

/* Bytes that no filter has taken are nobody's any more, unless another interpreter still has to drop its own. */
static void chain_drop(struct filter_place *f)
{
    for (; f; f = f->next) {
        if (f->home == interp_current())
            Py_CLEAR(f->object);
        if (f->object)
            continue;
        buf_clear(&f->data);
        buf_clear(&f->line);
    }
}

void pyfilter_drop(struct request *r)
{
    r->out_filter = r->in_filter = NULL;
    chain_drop(r->filters->out);
    chain_drop(r->filters->in);
}

/* "A;B" */
static void add_names(struct request *r, const char *names, bool is_input)
{
    while (*names) {
        size_t len = strcspn(names, ";");
        char *name = request_strdup(r, slice_of(names, len));
        if (!name || (len && pyfilter_add(r, name, is_input)))
            PyErr_Clear();
        names += len + (names[len] == ';');
    }
}

/* AddOutputFilter A;B .ext: one of the extensions of the name, as for AddType. */
static bool has_extension(const struct request *r, const char *extension)
{
    const char *slash = r->filename ? strrchr(r->filename, '/') : NULL, *at = slash ? strchr(slash, '.') : NULL;
    size_t len = strlen(extension);
    for (; at; at = strchr(at + 1, '.'))
        if (!strncasecmp(at, extension, len) && (!at[len] || at[len] == '.'))
            return true;
    return false;
}

static void add_by_extension(struct request *r, const struct pair_conf *pairs, int count, bool is_input)
{
    for (int i = 0; i < count; i++)
        if (has_extension(r, pairs[i].key))
            add_names(r, pairs[i].value, is_input);
}

bool pyfilter_wanted(const struct request *r)
{
    const struct dir_conf *conf = r->conf;
    return conf && (conf->set_input_filter_count || conf->set_output_filter_count || conf->add_input_filter_count || conf->add_output_filter_count) &&
           (conf->input_filter_count || conf->output_filter_count);
}

void pyfilter_start(struct request *r)
{
    const struct dir_conf *conf = r->conf;
    for (int i = 0; i < conf->set_input_filter_count; i++)
        add_names(r, conf->set_input_filters[i], true);
    for (int i = 0; i < conf->set_output_filter_count; i++)
        add_names(r, conf->set_output_filters[i], false);
    add_by_extension(r, conf->add_input_filter, conf->add_input_filter_count, true);
    add_by_extension(r, conf->add_output_filter, conf->add_output_filter_count, false);
    if (r->filters && r->filters->out) { /* a part of a file is no part of what filters make of it */
        struct table *headers = request_headers_in(r);
        table_unset(headers, SLICE("Range"));
        table_unset(headers, SLICE("If-Range"));
    }
}
