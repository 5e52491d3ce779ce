/* What makes the content of a request. */
#include "serve_content.h"

#include <string.h>

#include "pyphase.h"

static enum content content_by_name(const struct request *r)
{
    if (!r->handler)
        return CONTENT_STATIC;
    if (strcmp(r->handler, "mod_python") == 0 || strcmp(r->handler, "python-program") == 0)
        return pyphase_has(r, PHASE_CONTENT) ? CONTENT_MOD_PYTHON : CONTENT_STATIC;
    if (strcmp(r->handler, "cgi-script") == 0)
        return CONTENT_CGI;
    return strcmp(r->handler, "wsgi") == 0 ? CONTENT_WSGI : strcmp(r->handler, "asgi") == 0 ? CONTENT_ASGI : CONTENT_STATIC;
}

/* Asked twice, and strings are compared: remembered for the handler it was asked for. */
enum content serve_content_kind(struct request *r)
{
    if (!r->content_known || r->content_of != r->handler) {
        r->content = (uint8_t)content_by_name(r);
        r->content_of = r->handler;
        r->content_known = true;
    }
    return r->content;
}
