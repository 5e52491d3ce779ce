/* From a request to an open file: which root the configuration named for it, which links its Options allow, and what the log says when it fails. */
#include <errno.h>

#include "log.h"
#include "static_room.h"

static bool is_root_of(const char *root, const struct request *r)
{
    size_t len = static_root_len(root);
    if (strncmp(root, r->filename, len) != 0)
        return false;
    return r->filename[len] == '/' || (!r->filename[len] && S_ISDIR(r->finfo.st_mode)); /* an Alias may name one file */
}

/* The longest place that the configuration named for this file: DocumentRoot or an Alias; "" where a handler or a pattern made the name. */
static const char *root_of(const struct request *r)
{
    const char *best = r->server->document_root && is_root_of(r->server->document_root, r) ? r->server->document_root : "";
    for (int i = 0; i < r->server->alias_count; i++) {
        const struct alias_conf *alias = &r->server->aliases[i];
        if ((alias->kind == ALIAS_PLAIN || alias->kind == ALIAS_SCRIPT) && alias->to && strlen(alias->to) > strlen(best) && is_root_of(alias->to, r))
            best = alias->to;
    }
    return best;
}

int static_open(const struct request *r, int more, int *fd)
{
    int options = r->conf->options;
    enum link_policy policy = options & OPTION_FOLLOW_SYMLINKS ? LINKS_FOLLOW : options & OPTION_SYMLINKS_IF_OWNER ? LINKS_OWNER : LINKS_NONE;
    *fd = static_open_path(policy == LINKS_FOLLOW ? "" : root_of(r), r->filename, policy, more);
    if (*fd >= 0)
        return 0;
    int error = errno, status = static_errno_status(error);
    log_request(r, status == 404 ? LEVEL_INFO : LEVEL_WARN, "static", "%s: %s", r->filename,
                error == ELOOP ? "a symbolic link that Options do not allow, or that leads nowhere" : strerror(error));
    return status;
}
