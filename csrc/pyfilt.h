/* mp_filter inside: the object (pyfilter_object.c) and the chain it stands in (pyfilter.c). */
#ifndef PYHOST_PYFILT_H
#define PYHOST_PYFILT_H

#include "pyfilter.h"
#include "pyreq.h"

struct pyfilter {
    PyObject_HEAD
    struct pyrequest *req;  /* strong */
    struct pyfilter *next;  /* strong: towards the client (output) or towards the source of the body (input); NULL: the response or body itself */
    const char *name;       /* borrowed: configuration or the request's arena, lower case */
    struct hook_conf hook;  /* text borrowed likewise; handler with "::" */
    struct buf data;        /* output: what has come in and was not read; input: what was written and not taken */
    struct buf line;        /* input: raw bytes that readline has read ahead */
    bool is_input, closed, disabled, running;
    bool eos;               /* nothing more comes in */
    int softspace;
};

/* A filter that a request has registered for itself. In the arena. */
struct pyregistered {
    struct pyregistered *next;
    const char *name;
    struct hook_conf hook;
    bool is_input;
};

/* Context of all: worker greenlet, GIL; 0, or -1 with an exception. They SWITCH, because they call filters and wait for the client. */
/* Output: hands bytes to the filter f (NULL: the response). eos: the last ones. flush: as far as they go, now. */
int pyfilter_push(struct pyrequest *req, struct pyfilter *f, struct slice data, bool flush, bool eos);
/* Input: up to n bytes from f (NULL: the body); 0 at the end, -1 with errno (EAGAIN: nothing now; ECANCELED: an exception is set). */
long pyfilter_pull(struct pyrequest *req, struct pyfilter *f, char *to, size_t n);

/* Never switch. */
/* Appends the filter of that name to its chain; an unknown name is logged. */
int pyfilter_add(struct pyrequest *req, const char *name, bool is_input);
int pyfilter_register(struct pyrequest *req, const char *name, const char *handler, const char *directory, bool is_input);
struct pyfilter *pyfilter_new(struct pyrequest *req, const char *name, const struct hook_conf *hook, bool is_input);

#endif
