/* The gate of connections that a handler has to itself. */
#ifndef PYHOST_GATE_RAW_H
#define PYHOST_GATE_RAW_H

#include <stdbool.h>

struct request;
/* Context of both: the loop thread. */
/* The handler has ended: the connection closes when its output is out, or goes on as HTTP when it has declined. */
void gate_raw_over(struct request *r, bool declined);

#endif
