/* What makes the content of a request. */
#include "serve_content.h"

#include <string.h>

#include "pyphase.h"

static enum content content_by_name(const struct request *r)
{
    static const struct { struct slice name; enum content content; } names[] = {
        {SLICE("mod_python"), CONTENT_MOD_PYTHON}, {SLICE("wsgi"), CONTENT_WSGI}, {SLICE("asgi"), CONTENT_ASGI},
        {SLICE("cgi-script"), CONTENT_CGI}, {SLICE("python-program"), CONTENT_MOD_PYTHON}};
    struct slice handler = slice_text(r->handler);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_eq(handler, names[i].name))
            return names[i].content != CONTENT_MOD_PYTHON || pyphase_has(r, PHASE_CONTENT) ? names[i].content : CONTENT_STATIC;
    return CONTENT_STATIC;
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
