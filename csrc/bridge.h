/* What Python calls: the control plane. cffi reads this file; it has the plain declarations only.
 * None of these may switch greenlets (cffi drops the GIL around each call). Returns: 0 good, -1 bad with a message where there is room for one. */
#ifndef PYHOST_BRIDGE_H
#define PYHOST_BRIDGE_H

#include "conf.h"

/* Compiles a pattern with PCRE2; on failure writes "what is wrong, at character N" into error (room bytes). */
int bridge_regex_compile(struct regex_conf *regex, char *error, int room);
/* The same for expressions (expr.h). */
int bridge_expr_compile(struct expr_conf *expr, char *error, int room);
void bridge_expr_free(struct expr_conf *expr);
/* Is it a good text of its kind (enum text_kind)? On failure what is wrong is in error. */
int bridge_text_check(int kind, const char *text, char *error, int room);
void bridge_regex_free(struct regex_conf *regex);
/* The configuration the server runs after pyhost.ctl.main returned PYHOST_SERVE, or that a reload takes. The caller keeps it alive. */
int bridge_configure(struct main_conf *conf);
/* Opens the listeners and logs of a configuration without serving (the check behind -t and a reload); listeners of the running one that have
 * the same address are kept. */
int bridge_open(struct main_conf *conf, char *error, int room);
/* Counters of one worker slot; NULL: no such slot. */
int bridge_slot_read(int slot, int64_t *out, int count);
/* The generation of the configuration that the master has in force; 0: none. */
/* A script's: serve what conf says as well (worker_serve); leave when what is in flight is done. */
int bridge_serve(struct main_conf *conf, char *error, int room);
void bridge_end(int code);
int bridge_generation(void);
/* Writes one line into the error log. */
void bridge_log(int level, const char *module, const char *message, int length);
/* One of the server's own bounds by name (LIMIT_REQUEST_LINE_BYTES …); -1: unknown. */
long bridge_limit(const char *name);

#endif
