/* Header and RequestHeader: the same operations on the tables of the answer and of the request. Whatever a format brings in, what comes out
 * is one line. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "env.h"
#include "expr.h"
#include "log.h"
#include "regex.h"

enum { HEADER_VALUE_BYTES = 16384 };

/* %{NAME}e and %{NAME}s; TLS variables are those that are in the environment. */
static int format_variable(const struct request *r, struct buf *to, struct slice name)
{
    struct slice value = env_get(r, name);
    if (!value.at && slice_eq_nocase(name, SLICE("HTTPS")))
        value = r->secure ? SLICE("on") : SLICE("off");
    return value.at ? buf_add(to, value.at, value.len) : buf_add(to, "(null)", 6);
}

static int format_load(struct buf *to)
{
    double load[3] = {0, 0, 0};
    if (getloadavg(load, 3) < 0)
        load[0] = load[1] = load[2] = 0;
    return buf_addf(to, "l=%.2f/%.2f/%.2f", load[0], load[1], load[2]);
}

static int64_t microseconds_since(int64_t start_us)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 - start_us;
}

/* One directive behind '%'; returns where the format goes on, or NULL when memory or room is out. */
static const char *format_one(const struct request *r, struct buf *to, const char *at)
{
    const char *end = at[0] == '{' ? strchr(at, '}') : NULL;
    if (end && (end[1] == 'e' || end[1] == 's'))
        return format_variable(r, to, slice_of(at + 1, (size_t)(end - at - 1))) < 0 ? NULL : end + 2;
    if (at[0] == '%')
        return buf_add(to, "%", 1) < 0 ? NULL : at + 1;
    if (at[0] == 't')
        return buf_addf(to, "t=%lld", (long long)r->start_us) < 0 ? NULL : at + 1;
    if (at[0] == 'D')
        return buf_addf(to, "D=%lld", (long long)microseconds_since(r->start_us)) < 0 ? NULL : at + 1;
    if (at[0] == 'l')
        return format_load(to) < 0 ? NULL : at + 1;
    return buf_add(to, "%", 1) < 0 ? NULL : at;
}

static bool is_line_break(char c) { return c == '\r' || c == '\n' || !c; }

/* The value of a rule for this request, arena; NULL: memory or room is out. */
static char *format_value(struct request *r, const char *format)
{
    struct buf text = {.max = HEADER_VALUE_BYTES};
    char *out = NULL;
    for (const char *at = format; at && *at;) {
        size_t plain = strcspn(at, "%");
        if (buf_add(&text, at, plain) < 0)
            goto done;
        at = at[plain] ? format_one(r, &text, at + plain + 1) : at + plain;
        if (!at)
            goto done;
    }
    out = request_strdup(r, slice_of(text.at, text.len));
    for (size_t i = 0; out && i < text.len; i++)
        if (is_line_break(out[i]))
            out[i] = ' ';
done:
    buf_clear(&text);
    return out;
}

/* As format_value, of an expression. */
static char *expr_text(struct request *r, const struct expr_conf *expr)
{
    struct slice value = expr_value(expr, r);
    char *out = value.at && value.len <= HEADER_VALUE_BYTES ? request_strdup(r, value) : NULL;
    for (size_t i = 0; out && i < value.len; i++)
        if (is_line_break(out[i]))
            out[i] = ' ';
    return out;
}

static bool list_has(struct slice list, struct slice item)
{
    for (size_t i = 0, start; i < list.len; i++) {
        for (start = i; i < list.len && list.at[i] != ',';)
            i++;
        if (slice_eq(slice_trim(slice_of(list.at + start, i - start)), item))
            return true;
    }
    return false;
}

/* subject with the first match (or every match) replaced; 1: done, 0: no match, -1: memory or room is out. */
static int edit_value(const struct header_rule *rule, const char *with, struct slice subject, struct buf *out)
{
    size_t ovector[2 * REGEX_PAIRS];
    int matches = 0, pairs;
    while ((pairs = regex_match(&rule->regex, subject, ovector, REGEX_PAIRS)) > 0) {
        char *room;
        size_t len = regex_expand(NULL, 0, slice_text(with), subject, ovector, pairs), end = ovector[1];
        if (buf_add(out, subject.at, ovector[0]) < 0 || !(room = buf_room(out, len + 1)))
            return -1;
        regex_expand(room, len + 1, slice_text(with), subject, ovector, pairs);
        out->len += (uint32_t)len;
        matches++;
        if (end == ovector[0] && end < subject.len && buf_add(out, subject.at + end++, 1) < 0)
            return -1;
        bool stuck = end == ovector[0];
        subject = slice_of(subject.at + end, subject.len - end);
        if (rule->op == HEADER_EDIT || stuck || !subject.len)
            break;
    }
    return matches ? (buf_add(out, subject.at, subject.len) < 0 ? -1 : 1) : 0;
}

static int header_edit(struct request *r, struct table *t, const struct header_rule *rule, const char *with)
{
    int failed = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        struct table_entry *e = &t->entries[i];
        struct buf out = {.max = HEADER_VALUE_BYTES};
        if (!slice_eq_nocase(slice_of(e->key, e->key_len), slice_text(rule->name)) || !e->value)
            continue;
        int changed = edit_value(rule, with, slice_of(e->value, e->value_len), &out);
        char *value = changed > 0 ? request_strdup(r, slice_of(out.at, out.len)) : NULL;
        if (value) { /* the entry keeps its place and its key; the arena outlives it */
            e->value = value;
            e->value_len = out.len;
        }
        failed |= changed < 0 || (changed > 0 && !value);
        buf_clear(&out);
    }
    return failed ? -1 : 0;
}

static int note_take(struct request *r, const struct table *t, const struct header_rule *rule, const char *note)
{
    const struct table_entry *e = table_find(t, slice_text(rule->name));
    return e ? table_set(&r->notes, slice_text(note), slice_of(e->value ? e->value : "", e->value_len)) : 0;
}

static int header_apply(struct request *r, struct table *t, const struct header_rule *rule)
{
    struct slice name = slice_text(rule->name), value;
    const struct table_entry *e;
    const char *text = rule->value_expr.text ? expr_text(r, &rule->value_expr) : rule->value ? format_value(r, rule->value) : "";
    if (!text)
        return -1;
    value = slice_text(text);
    switch ((enum header_op)rule->op) {
    case HEADER_SET:
        return table_set(t, name, value);
    case HEADER_ADD:
        return table_add(t, name, value);
    case HEADER_APPEND:
        return table_merge(t, name, value);
    case HEADER_MERGE:
        e = table_find(t, name);
        return e && list_has(slice_of(e->value, e->value_len), value) ? 0 : table_merge(t, name, value);
    case HEADER_UNSET:
        return table_unset(t, name), 0;
    case HEADER_SETIFEMPTY:
        return table_find(t, name) ? 0 : table_set(t, name, value);
    case HEADER_EDIT:
    case HEADER_EDIT_ALL:
        return header_edit(r, t, rule, text);
    case HEADER_NOTE:
        return note_take(r, t, rule, text);
    }
    return 0;
}

/* Content-Type is a member of the request, not of its tables: it goes through one for as long as the rule works on it. */
static int content_type_apply(struct request *r, const struct header_rule *rule)
{
    struct table one = {0};
    struct slice name = SLICE("Content-Type");
    int failed = r->content_type ? table_set(&one, name, slice_text(r->content_type)) : 0;
    failed |= header_apply(r, &one, rule);
    const struct table_entry *e = table_find(&one, name);
    r->content_type = e ? request_strdup(r, slice_of(e->value, e->value_len)) : NULL;
    table_clear(&one);
    return failed;
}

static void rule_apply(struct request *r, struct table *t, const struct header_rule *rule, bool response)
{
    if (!env_allows(r, rule->env) || (rule->condition.text && !expr_decides(&rule->condition, r)))
        return;
    bool type = response && !strcasecmp(rule->name, "Content-Type");
    if ((type ? content_type_apply(r, rule) : header_apply(r, t, rule)) < 0)
        log_request(r, LEVEL_ERROR, "env", "Header %s: out of memory, or longer than %d bytes", rule->name, HEADER_VALUE_BYTES);
}

void env_request_headers(struct request *r)
{
    for (int i = 0; i < r->conf->request_header_rule_count; i++)
        rule_apply(r, request_headers_in(r), &r->conf->request_header_rules[i], false);
}

void env_response_headers(struct request *r, const struct dir_conf *conf, bool for_error)
{
    for (int i = 0; i < conf->header_rule_count; i++) {
        const struct header_rule *rule = &conf->header_rules[i];
        if (rule->always || !for_error)
            rule_apply(r, rule->always ? &r->err_headers_out : &r->headers_out, rule, true);
    }
}
