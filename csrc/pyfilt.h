/* mp_filter inside: the chains of places (pyfilter.c), where a filter runs (pyfilter_home.c) and its object (pyfilter_object.c). */
#ifndef PYHOST_PYFILT_H
#define PYHOST_PYFILT_H

#include "pyfilter.h"
#include "pyreq.h"

/* A filter's place in the chain of a request, in its arena. It is no Python object: its neighbours may run in other interpreters. */
struct filter_place {
    struct filter_place *next; /* towards the client (output) or towards the source of the body (input); NULL: the response or body itself */
    struct request *r;         /* borrowed: it lives there */
    const char *name;          /* borrowed: configuration or arena, lower case */
    struct hook_conf hook;     /* text borrowed likewise; handler with "::" */
    struct interp *home;       /* where it runs; NULL before it has */
    PyObject *object;          /* strong, home's: what the filter function is given; NULL before and after */
    struct buf data;           /* output: what has come in and was not read; input: what was written and not taken */
    struct buf line;           /* input: raw bytes that readline has read ahead */
    bool is_input, closed, disabled, running;
    bool eos;                  /* nothing more comes in */
};

/* A filter that a request has registered for itself. In the arena. */
struct pyregistered {
    struct pyregistered *next;
    const char *name;
    struct hook_conf hook;
    bool is_input;
};

struct pyfilters {
    struct filter_place *out, *in; /* the first of each chain */
    struct pyregistered *registered;
};

/* Context of all: worker greenlet, GIL; 0, or -1 with an exception. They SWITCH, because they call filters and wait for the client. */
/* Output: hands bytes to the filter f (NULL: the response). eos: the last ones. flush: as far as they go, now. */
int pyfilter_push(struct request *r, struct filter_place *f, struct slice data, bool flush, bool eos);
/* Input: up to n bytes from f (NULL: the body); 0 at the end, -1 with errno (EAGAIN: nothing now; ECANCELED: an exception is set). */
long pyfilter_pull(struct request *r, struct filter_place *f, char *to, size_t n);
/* Calls the filter once, in the interpreter that the rules choose for it. What goes wrong in it is reported, and it may be disabled then. */
void pyfilter_call(struct filter_place *f);

/* Never switch. */
/* Puts the filter of that name into its chain; an unknown name is logged. */
int pyfilter_add(struct request *r, const char *name, bool is_input);
int pyfilter_register(struct request *r, const char *name, const char *handler, const char *directory, bool is_input);
/* The request is over in this interpreter: its filters' objects are dropped. */
void pyfilter_drop(struct request *r);
/* What the filter function is given; a new reference. Context: home. */
PyObject *pyfilter_object(struct filter_place *f, struct pyrequest *req);

#endif
