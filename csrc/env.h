/* The variables and headers that configuration adds: SetEnv, SetEnvIf, Header, RequestHeader; and the CGI environment. */
#ifndef PYHOST_ENV_H
#define PYHOST_ENV_H

#include "request.h"

/* Context of all: the loop thread; no I/O. */
/* fixed false (as soon as the configuration is known): SetEnvIf and BrowserMatch of r->conf into subprocess_env, in order. fixed true (with the
 * fixups): SetEnv, PassEnv and UnsetEnv. */
void env_apply(struct request *r, bool fixed);
/* RequestHeader rules into headers_in. */
void env_request_headers(struct request *r);
/* Header rules of conf into headers_out (onsuccess) and err_headers_out (always); for_error: only the "always" ones. */
void env_response_headers(struct request *r, const struct dir_conf *conf, bool for_error);
/* The value of a variable, or {NULL, 0}. */
struct slice env_get(const struct request *r, struct slice name);
/* "env=NAME" / "env=!NAME" of a rule (text without "env="); NULL is true. */
bool env_allows(const struct request *r, const char *condition);
/* CGI/1.1 variables of RFC 3875 as httpd spells them, into subprocess_env: add_common_vars and add_cgi_vars of mod_python. Names of headers with
 * '_' are left out, Proxy never becomes HTTP_PROXY. */
void env_add_common(struct request *r);
void env_add_cgi(struct request *r);

#endif
