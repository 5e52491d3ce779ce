/* What makes the content of a request: a handler in Python, an application, or a file. */
#ifndef PYHOST_SERVE_CONTENT_H
#define PYHOST_SERVE_CONTENT_H

#include "request.h"

enum content { CONTENT_STATIC, CONTENT_MOD_PYTHON, CONTENT_WSGI, CONTENT_ASGI };

/* Context of both: hub. */
enum content serve_content_kind(struct request *r);
/* A folder's index in its place, for handlers of folders: they are told of the file (static_answer does it for those without a handler). */
void serve_folder_index(struct request *r);

#endif
