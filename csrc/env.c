/* Variables: SetEnvIf and BrowserMatch by what the request says, SetEnv, PassEnv and UnsetEnv whatever it says. */
#include "env.h"

#include "http_head.h"
#include "log.h"
#include "origin.h"
#include "regex.h"

struct slice env_get(const struct request *r, struct slice name)
{
    const struct table_entry *e = r->subprocess_env.count ? table_find(&r->subprocess_env, name) : NULL;
    return e ? slice_of(e->value ? e->value : "", e->value_len) : slice_of(NULL, 0);
}

bool env_allows(const struct request *r, const char *condition)
{
    if (!condition)
        return true;
    bool negated = condition[0] == '!';
    return (env_get(r, slice_text(condition + negated)).at != NULL) != negated;
}

static struct slice arena_text(struct request *r, const char *text)
{
    const char *copy = request_strdup(r, slice_text(text));
    return slice_text(copy ? copy : "");
}

/* What SetEnvIf calls by its own names; {NULL, 0}: none of these. There are no look-ups of host names: Remote_Host is empty. */
static struct slice special_attribute(struct request *r, const char *name)
{
    char text[46];
    if (!strcasecmp(name, "Remote_Host"))
        return SLICE("");
    if (!strcasecmp(name, "Remote_Addr"))
        return origin_client_text(r, text), arena_text(r, text);
    if (!strcasecmp(name, "Server_Addr"))
        return origin_local_text(r, text), arena_text(r, text);
    if (!strcasecmp(name, "Request_Method"))
        return slice_text(r->method);
    if (!strcasecmp(name, "Request_Protocol"))
        return r->head.minor ? SLICE("HTTP/1.1") : SLICE("HTTP/1.0");
    if (!strcasecmp(name, "Request_URI"))
        return slice_text(r->uri);
    return slice_of(NULL, 0);
}

/* A header (by name or pattern of names), else a variable that is set already, else empty text: "^$" tells that a header is missing. */
static struct slice attribute_value(struct request *r, const struct setenvif_rule *rule)
{
    struct slice value = special_attribute(r, rule->attribute);
    if (value.at)
        return value;
    const struct table *headers = request_headers_in(r);
    const struct table_entry *e = rule->attribute_regex.pattern ? NULL : table_find(headers, slice_text(rule->attribute));
    for (uint32_t i = 0; !e && rule->attribute_regex.pattern && i < headers->count; i++)
        if (regex_match(&rule->attribute_regex, slice_of(headers->entries[i].key, headers->entries[i].key_len), NULL, 0) > 0)
            e = &headers->entries[i];
    if (e)
        return slice_of(e->value ? e->value : "", e->value_len);
    value = env_get(r, slice_text(rule->attribute));
    return value.at ? value : SLICE("");
}

static int variable_set(struct request *r, const struct pair_conf *pair, struct slice subject, const size_t *ovector, int pairs)
{
    struct slice name = slice_text(pair->key), pattern = slice_text(pair->value);
    if (!pair->value)
        return table_unset(&r->subprocess_env, name), 0;
    if (!strpbrk(pair->value, "$\\"))
        return table_set(&r->subprocess_env, name, pattern);
    size_t len = regex_expand(NULL, 0, pattern, subject, ovector, pairs);
    char *value = request_alloc(r, len + 1);
    if (!value)
        return -1;
    regex_expand(value, len + 1, pattern, subject, ovector, pairs);
    return table_set(&r->subprocess_env, name, slice_of(value, len));
}

static int setenvif_apply(struct request *r, const struct setenvif_rule *rule)
{
    size_t ovector[2 * REGEX_PAIRS];
    struct slice subject = attribute_value(r, rule);
    int pairs = regex_match(&rule->regex, subject, ovector, REGEX_PAIRS);
    for (int i = 0; pairs > 0 && i < rule->count; i++)
        if (variable_set(r, &rule->set[i], subject, ovector, pairs) < 0)
            return -1;
    return 0;
}

void env_apply(struct request *r, bool fixed)
{
    int failed = 0;
    for (int i = 0; !fixed && i < r->conf->setenvif_count; i++)
        failed |= setenvif_apply(r, &r->conf->setenvif[i]);
    for (int i = 0; fixed && i < r->conf->setenv_count; i++) {
        const struct pair_conf *pair = &r->conf->setenv[i];
        if (pair->value)
            failed |= table_set(&r->subprocess_env, slice_text(pair->key), slice_text(pair->value));
        else
            table_unset(&r->subprocess_env, slice_text(pair->key));
    }
    if (failed)
        log_request(r, LEVEL_ERROR, "env", "out of memory: not every variable is set");
}
