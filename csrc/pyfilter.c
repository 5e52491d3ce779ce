/* The chains of filters of a request. Bytes of the response go from filter to filter towards the client: a filter is called once for each flush,
 * and once at the end. The body is pulled: whoever reads calls the filter nearest to it, which reads from the next. */
#include "pyfilt.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "coro.h"
#include "log.h"
#include "pyhook.h"
#include "pytext.h"
#include "response.h"

enum { FILTER_GATHER_BYTES = 65536, FILTER_READ_BYTES = 8192 };

static const struct request_filter python_filter;

/* ---- running one ---- */

/* The exception that is set: SERVER_RETURN sets the status, anything else takes the filter out of the way and is reported. */
static void filter_failed(struct pyrequest *req, struct pyfilter *f)
{
    struct pyroom *room = pyroom_get();
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace)
        PyException_SetTraceback(value, trace);
    PyObject *args = PyErr_GivenExceptionMatches(type, room->server_return) ? PyObject_GetAttrString(value, "args") : NULL;
    if (args && PyTuple_Check(args) && PyTuple_GET_SIZE(args) && PyLong_Check(PyTuple_GET_ITEM(args, PyTuple_GET_SIZE(args) - 1))) {
        req->r->status = (int)PyLong_AsLong(PyTuple_GET_ITEM(args, PyTuple_GET_SIZE(args) - 1));
    } else {
        f->disabled = true;
        PyObject *page = PyObject_CallFunction(room->report_filter, "OOOO", req, f, value, req->r->conf->python_debug ? Py_True : Py_False);
        struct slice text;
        if (page && PyBytes_Check(page) && !f->is_input) {
            text = slice_of(PyBytes_AS_STRING(page), (size_t)PyBytes_GET_SIZE(page));
            pyfilter_push(req, f->next, text, false, false);
        }
        Py_XDECREF(page);
    }
    Py_XDECREF(args);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    PyErr_Clear();
}

static void filter_call(struct pyrequest *req, struct pyfilter *f)
{
    f->running = true;
    PyObject *callable = pyhook_callable(req->r->conf, &f->hook, pyhook_directory(req->r, &f->hook), PHASE_CONTENT, (PyObject *)f, false);
    PyObject *result = callable ? PyObject_CallOneArg(callable, (PyObject *)f) : NULL;
    f->running = false;
    if (!result && PyErr_Occurred())
        filter_failed(req, f);
    Py_XDECREF(callable);
    Py_XDECREF(result);
}

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
static int push_rest(struct pyrequest *req, struct pyfilter *f, bool flush, bool eos)
{
    struct buf rest = f->data;
    f->data = (struct buf){0};
    int result = pyfilter_push(req, f->next, slice_of(rest.at, rest.len), flush, eos);
    buf_clear(&rest);
    return result;
}

static int filter_run(struct pyrequest *req, struct pyfilter *f)
{
    filter_call(req, f);
    if (f->disabled)
        return push_rest(req, f, true, f->eos);
    if (f->closed)
        return 0;
    if (f->eos)
        f->closed = true;
    return pyfilter_push(req, f->next, slice_of(NULL, 0), true, f->eos);
}

int pyfilter_push(struct pyrequest *req, struct pyfilter *f, struct slice data, bool flush, bool eos)
{
    while (f && f->disabled && !f->data.len)
        f = f->next;
    if (!f)
        return push_out(req->r, data, flush);
    if (f->closed)
        return 0;
    if (f->running) /* what a filter writes by the request goes past it */
        return pyfilter_push(req, f->next, data, flush, eos);
    if (data.len && buf_add(&f->data, data.at, data.len)) {
        PyErr_NoMemory();
        return -1;
    }
    f->eos |= eos;
    return flush || eos || f->data.len >= FILTER_GATHER_BYTES ? filter_run(req, f) : 0;
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

long pyfilter_pull(struct pyrequest *req, struct pyfilter *f, char *to, size_t n)
{
    if (!f)
        return pull_body(req->r, to, n);
    for (;;) {
        if (f->data.len)
            return (long)take(&f->data, to, n);
        if (f->disabled && f->line.len)
            return (long)take(&f->line, to, n);
        if (f->disabled)
            return pyfilter_pull(req, f->next, to, n);
        if (f->closed || f->eos)
            return 0;
        uint64_t before = req->r->body_bytes_read;
        filter_call(req, f);
        if (!f->disabled && !f->data.len && req->r->body_bytes_read == before)
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

/* The object whose filters can be called here; otherwise (another interpreter, the hub when a client has gone) the bytes go past them. */
static struct pyrequest *filtering(struct request *r)
{
    struct pyrequest *req = coro_current() ? pyrequest_existing(r) : NULL;
    if (!req)
        r->out_filter = NULL;
    return req;
}

static int out_write(struct request *r, const void *data, size_t n)
{
    struct pyrequest *req = filtering(r);
    return req ? out_result(pyfilter_push(req, req->out_filters, slice_of(data, n), false, false)) : response_write(r, data, n);
}

static int out_flush(struct request *r)
{
    struct pyrequest *req = filtering(r);
    return req ? out_result(pyfilter_push(req, req->out_filters, slice_of(NULL, 0), true, false)) : response_flush(r);
}

static void out_finish(struct request *r)
{
    struct pyrequest *req = filtering(r);
    if (req && out_result(pyfilter_push(req, req->out_filters, slice_of(NULL, 0), false, true)))
        log_request(r, LEVEL_INFO, "python", "the client has gone before the filters had written everything");
    r->out_filter = NULL;
}

static long in_read(struct request *r, void *to, size_t n)
{
    struct pyrequest *req = pyrequest_existing(r);
    return req ? pyfilter_pull(req, req->in_filters, to, n) : pull_body(r, to, n);
}

static const struct request_filter python_filter = {out_write, out_flush, out_finish, in_read};

/* ---- setting up ---- */

int pyfilter_register(struct pyrequest *req, const char *name, const char *handler, const char *directory, bool is_input)
{
    struct pyregistered *made = request_alloc(req->r, sizeof *made);
    if (!made) {
        PyErr_NoMemory();
        return -1;
    }
    *made = (struct pyregistered){.next = req->registered, .name = name, .hook = {.handler = handler, .directory = directory}, .is_input = is_input};
    req->registered = made;
    return 0;
}

static const struct hook_conf *filter_find(const struct pyrequest *req, const char *name, bool is_input)
{
    const struct dir_conf *conf = req->r->conf;
    for (const struct pyregistered *p = req->registered; p; p = p->next)
        if (p->is_input == is_input && !strcasecmp(p->name, name))
            return &p->hook;
    int count = !conf ? 0 : is_input ? conf->input_filter_count : conf->output_filter_count;
    const struct filter_conf *filters = !conf ? NULL : is_input ? conf->input_filters : conf->output_filters;
    for (int i = 0; i < count; i++)
        if (!strcasecmp(filters[i].name, name))
            return &filters[i].hook;
    return NULL;
}

int pyfilter_add(struct pyrequest *req, const char *name, bool is_input)
{
    const struct hook_conf *hook = filter_find(req, name, is_input);
    if (!hook) {
        log_request(req->r, LEVEL_ERROR, "python", "an unknown filter was not added: %s", name);
        return 0;
    }
    struct pyfilter *f = pyfilter_new(req, name, hook, is_input);
    if (!f)
        return -1;
    if (is_input) { /* the first of the list is nearest to the client */
        f->next = req->in_filters;
        req->in_filters = f;
        req->r->in_filter = &python_filter;
        return 0;
    }
    struct pyfilter **end = &req->out_filters;
    while (*end)
        end = &(*end)->next;
    *end = f;
    if (req->r->response != RESPONSE_ENDED)
        req->r->out_filter = &python_filter;
    return 0;
}

/* "A;B" */
static void add_names(struct pyrequest *req, const char *names, bool is_input)
{
    while (*names) {
        size_t len = strcspn(names, ";");
        char *name = request_strdup(req->r, slice_of(names, len));
        if (!name || (len && pyfilter_add(req, name, is_input)))
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

static void add_by_extension(struct pyrequest *req, const struct pair_conf *pairs, int count, bool is_input)
{
    for (int i = 0; i < count; i++)
        if (has_extension(req->r, pairs[i].key))
            add_names(req, pairs[i].value, is_input);
}

bool pyfilter_wanted(const struct request *r)
{
    const struct dir_conf *conf = r->conf;
    return conf && (conf->set_input_filter_count || conf->set_output_filter_count || conf->add_input_filter_count || conf->add_output_filter_count) &&
           (conf->input_filter_count || conf->output_filter_count);
}

void pyfilter_start(struct request *r)
{
    struct pyrequest *req = pyroom_get() ? pyrequest_hold(r) : NULL;
    const struct dir_conf *conf = r->conf;
    if (!req) {
        PyErr_Clear();
        return;
    }
    for (int i = 0; i < conf->set_input_filter_count; i++)
        add_names(req, conf->set_input_filters[i], true);
    for (int i = 0; i < conf->set_output_filter_count; i++)
        add_names(req, conf->set_output_filters[i], false);
    add_by_extension(req, conf->add_input_filter, conf->add_input_filter_count, true);
    add_by_extension(req, conf->add_output_filter, conf->add_output_filter_count, false);
    if (req->out_filters) { /* a part of a file is no part of what filters make of it */
        struct table *headers = request_headers_in(r);
        table_unset(headers, SLICE("Range"));
        table_unset(headers, SLICE("If-Range"));
    }
}
