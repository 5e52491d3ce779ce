/* httpd's expressions (ap_expr): parsed once, when the configuration is read; evaluated for a request. Compiling and freeing is
 * bridge_expr_compile/bridge_expr_free (bridge.h). */
#ifndef PYHOST_EXPR_H
#define PYHOST_EXPR_H

#include "conf.h"
#include "request.h"

struct expr;

/* Parses text as kind says (enum expr_kind). Owned by the caller; NULL with what was expected in error. Context: any thread; pure. */
struct expr *expr_new(const char *text, int kind, char *error, size_t room);
void expr_free(struct expr *e);

/* Context of both: the loop thread; no GIL; texts that are made live in the request's arena. They look at files only where -d -e -f -h -L -s -x do. */
/* Does a condition hold? What cannot be told (memory, LIMIT_EXPR_VALUE_BYTES, a pattern that needs too many steps) is logged, and false. */
bool expr_holds(const struct expr_conf *conf, const struct request *r);
/* The same where the answer depends on it: fields of the request that it has looked at go into the Vary of the answer, as in httpd. */
bool expr_decides(const struct expr_conf *conf, const struct request *r);
/* The value of an EXPR_TEXT; {NULL, 0} when it cannot be told (logged). */
struct slice expr_value(const struct expr_conf *conf, const struct request *r);
/* Does it ask who the user is? */
bool expr_asks_user(const struct expr_conf *conf);

#endif
