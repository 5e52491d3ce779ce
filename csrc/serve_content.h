/* What makes the content of a request: a handler in Python, an application, a script, or a file. */
#ifndef PYHOST_SERVE_CONTENT_H
#define PYHOST_SERVE_CONTENT_H

#include "request.h"

enum content { CONTENT_STATIC, CONTENT_MOD_PYTHON, CONTENT_WSGI, CONTENT_ASGI, CONTENT_CGI };

/* Context: hub. */
enum content serve_content_kind(struct request *r);

#endif
