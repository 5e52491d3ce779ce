/* mp_filter: Python filters of request and response bodies. A filter is one object per request and place in the chain. */
#ifndef PYHOST_PYFILTER_H
#define PYHOST_PYFILTER_H

#include "request.h"

/* Do filters of the configuration hold for this request? Context: loop thread, no GIL. */
bool pyfilter_wanted(const struct request *r);
/* Sets them up; from then on response_write and request_body_read go through them. Context: a worker greenlet of the request's interpreter, GIL.
 * What cannot be set up is logged. */
void pyfilter_start(struct request *r);

#endif
