/* Ends that are not a handler's: error documents of the configuration, built-in pages, hand-overs to another request. */
#include "access.h"
#include "serve_parts.h"
#include "serve_redirect.h"

static const struct error_document *error_document_for(const struct request *r, int status)
{
    const struct dir_conf *conf = request_conf(r);
    for (int i = 0; conf && i < conf->error_document_count; i++)
        if (conf->error_documents[i].status == status)
            return &conf->error_documents[i];
    return NULL;
}

static enum step answer_text(struct request *r, int status, const char *text)
{
    response_reset(r);
    r->status = status;
    r->own_page = true;
    response_allow(r, status);
    r->content_type = (char *)"text/html; charset=utf-8";
    response_write(r, text, strlen(text));
    response_finish(r);
    return STEP_ON;
}

static bool is_url(const char *target) { return strncmp(target, "http://", 7) == 0 || strncmp(target, "https://", 8) == 0; }

static enum step answer_elsewhere(struct request *r, const char *url)
{
    response_reset(r);
    table_set(&r->err_headers_out, SLICE("Location"), slice_text(url));
    response_error(r, 302, false);
    return STEP_ON;
}

void serve_refuse(struct request *r, int status, bool close)
{
    const struct error_document *document = error_document_for(r, status);
    r->close_after |= close;
    if (document && document->target[0] != '/' && !is_url(document->target))
        answer_text(r, status, document->target);
    else
        response_error(r, status, close);
}

enum step serve_hand_over(struct request *r, struct request *to)
{
    r->at_phase = PHASE_LOG;
    r->waits = true;
    request_ref(r); /* for its own end: the reference of the connection went to the new one's prev */
    return serve_on_hub(to);
}

enum step serve_end_with(struct request *r, int status)
{
    if (r->main_request)
        return serve_sub_over(r, status);
    r->at_phase = PHASE_LOG;
    if (status == 401)
        access_challenge(r);
    const struct error_document *document = r->response == RESPONSE_OPEN && !r->error_document ? error_document_for(r, status) : NULL;
    if (document && document->target[0] == '/') {
        response_allow(r, status);
        struct request *to = redirect_error_document(r, status, document->target);
        if (to)
            return serve_hand_over(r, to);
    } else if (document && is_url(document->target) && status != 401) {
        return answer_elsewhere(r, document->target);
    } else if (document) {
        return answer_text(r, status, document->target);
    }
    response_error(r, r->error_document && r->status >= 400 ? r->status : status, false);
    return STEP_ON;
}
