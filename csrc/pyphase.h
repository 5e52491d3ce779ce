/* Python handlers of a phase: found by name, imported, called with the request object; and what their results mean.
 * The C half of mod_python's dispatch; the hot path of the content phase. */
#ifndef PYHOST_PYPHASE_H
#define PYHOST_PYPHASE_H

#include "interp.h"
#include "request.h"

enum { PY_OK = 0, PY_DECLINED = -1, PY_DONE = -2, /* mod_python's values; everything else is an HTTP status */
       PY_LATER = -3 /* our own: the content ends later, by serve_finish */ };

/* Are there handlers for this phase in what holds for the request now (conf, extension lists, req.add_handler)? Context: loop thread, no GIL. */
bool pyphase_has(const struct request *r, enum phase phase);
/* Name of the interpreter that the rules choose for this phase (PythonInterpreter, per directory, per directive, ServerName as written where
 * pyhost is told to; main_interpreter by default). Static or arena text. Context: as above. */
const char *pyphase_interpreter(struct request *r, enum phase phase);
/* The same for a filter of the content. */
const char *pyphase_filter_interpreter(struct request *r, const struct hook_conf *filter);
/* Runs them. Returns PY_OK, PY_DECLINED, PY_DONE or a status. Exceptions are logged here and give 500, or PY_DONE where PythonDebug has written
 * the page into the response. Context: a worker greenlet of that interpreter, GIL held. SWITCHES. */
int pyphase_run(struct request *r, enum phase phase);
/* Runs PythonConnectionHandler of the request's server with the connection object; its value, 500 after an exception (logged). As above. */
int pyphase_connection(struct request *r);
/* Cleanups registered on the request and cleanup handlers; drops what Python holds of the request. Context and SWITCHES as above. */
void pyphase_finish(struct request *r);
/* True: what is left after the response is nothing that a handler of this request or its configuration wants to see. Context: as pyphase_has. */
bool pyphase_ends_plainly(const struct request *r);
/* Imports pyhost.boot and prepares an interpreter. Context: hub, its thread state, GIL. 0, or -1 with an exception set. */
int pyphase_prepare(struct interp *interp);

/* Runs every PythonImport of the configuration, in reverse order as mod_python does; failures are logged. Context: hub, main_interpreter, GIL. The
 * calls may switch, so they run as jobs on worker greenlets of their interpreters, before the first request. */
void pyphase_import_all(struct main_conf *conf);

#endif
