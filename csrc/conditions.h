/* Preconditions of RFC 9110 section 13, as pure functions over what client and server say. static.h has the door for requests. */
#ifndef PYHOST_CONDITIONS_H
#define PYHOST_CONDITIONS_H

#include <stdint.h>

#include "slice.h"

/* Slices are borrowed for the call; {NULL, 0} means the field is absent. */
struct conditions {
    struct slice if_match, if_none_match, if_modified_since, if_unmodified_since;
    struct slice etag;   /* of the representation, as sent; {NULL, 0}: none */
    int64_t mtime_s;     /* Last-Modified in seconds since the epoch; -1: not known */
    int64_t now_s;       /* when the request came */
    bool is_get;         /* GET or HEAD */
};

/* Context of all: any thread; pure. */
/* 13.2.2: 0 (go on), 304 or 412. */
int conditions_evaluate(const struct conditions *c);
/* Is etag in the list of an If-Match or If-None-Match field? "*" matches anything. strong: RFC 9110 8.8.3.2. */
bool conditions_etag_listed(struct slice list, struct slice etag, bool strong);
/* 13.1.5: does If-Range name exactly this representation? An absent field does. */
bool conditions_if_range(struct slice if_range, struct slice etag, int64_t mtime_s, int64_t now_s);

#endif
