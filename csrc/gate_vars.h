/* From the variables of a gateway protocol to a request. */
#ifndef PYHOST_GATE_VARS_H
#define PYHOST_GATE_VARS_H

#include "gate_request.h"
#include "scgi_head.h"

/* Context: the loop thread. Builds and parses the head that the variables stand for into r, and takes client, server and user from them. The head's
 * bytes are in *head afterwards (valid until the next call). */
struct gate_fault gate_vars_head(struct request *r, const struct pack *pack, struct slice *head);

#endif
