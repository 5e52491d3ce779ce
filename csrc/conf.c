/* Regular expressions of the configuration: compiled by Python's call when a configuration is read, matched by route, env and access.
 * Each keeps its own match data, so that matching allocates nothing; that binds it to one thread, the loop's. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "bridge.h"
#include "regex.h"

/* A client chooses the subject: bound the work a hostile one can cause (about 20 ms). */
enum { REGEX_STEPS = 1000000 };

struct compiled_regex {
    pcre2_code *code;         /* owned */
    pcre2_match_data *data;   /* owned: scratch of the last match */
    pcre2_match_context *how; /* owned: the bound on steps */
};

static void compiled_free(struct compiled_regex *c)
{
    if (!c)
        return;
    pcre2_match_context_free(c->how);
    pcre2_match_data_free(c->data);
    pcre2_code_free(c->code);
    free(c);
}

static void say_what_is_wrong(char *error, int room, int number, size_t at)
{
    PCRE2_UCHAR text[128];
    if (pcre2_get_error_message(number, text, sizeof text) < 0 && number != PCRE2_ERROR_BADDATA)
        snprintf((char *)text, sizeof text, "error %d", number);
    snprintf(error, (size_t)room, "%s, at character %zu", (char *)text, at + 1);
}

int bridge_regex_compile(struct regex_conf *regex, char *error, int room)
{
    int number = PCRE2_ERROR_NOMEMORY;
    size_t at = 0;
    struct compiled_regex *c = calloc(1, sizeof *c);
    if (!c)
        goto fail;
    /* A Match pattern is often ".*": with DOTALL and without UTF every byte sequence a client sends is treated alike. */
    uint32_t options = PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | (regex->nocase ? PCRE2_CASELESS : 0);
    c->code = pcre2_compile((PCRE2_SPTR)regex->pattern, PCRE2_ZERO_TERMINATED, options, &number, &at, NULL);
    if (!c->code)
        goto fail;
    number = PCRE2_ERROR_NOMEMORY;
    c->data = pcre2_match_data_create_from_pattern(c->code, NULL);
    c->how = pcre2_match_context_create(NULL);
    if (!c->data || !c->how)
        goto fail;
    pcre2_set_match_limit(c->how, REGEX_STEPS);
    pcre2_jit_compile(c->code, PCRE2_JIT_COMPLETE); /* fails where there is no JIT: the interpreter does it then */
    regex->compiled = c;
    return 0;
fail:
    say_what_is_wrong(error, room, number, at);
    compiled_free(c);
    return -1;
}

void bridge_regex_free(struct regex_conf *regex)
{
    if (!regex)
        return;
    compiled_free(regex->compiled);
    regex->compiled = NULL;
}

int regex_match(const struct regex_conf *regex, struct slice subject, size_t *ovector, int pairs)
{
    const struct compiled_regex *c = regex->compiled;
    if (!c)
        return 0;
    int found = pcre2_match(c->code, (PCRE2_SPTR)(subject.at ? subject.at : ""), subject.len, 0, 0, c->data, c->how);
    if (found < 0)
        return found == PCRE2_ERROR_NOMATCH ? 0 : -1;
    if (found > pairs && pairs > 0)
        found = pairs;
    if (pairs > 0)
        memcpy(ovector, pcre2_get_ovector_pointer(c->data), 2 * (size_t)found * sizeof *ovector);
    return found;
}

struct writer { char *to; size_t room, used; };

static void put(struct writer *w, const char *at, size_t len)
{
    if (w->used < w->room) {
        size_t fits = w->room - w->used < len ? w->room - w->used : len;
        memcpy(w->to + w->used, at, fits);
    }
    w->used += len;
}

static void put_group(struct writer *w, struct slice subject, const size_t *ovector, int pairs, int group)
{
    if (group >= pairs || ovector[2 * group] == PCRE2_UNSET)
        return;
    size_t start = ovector[2 * group], end = ovector[2 * group + 1];
    if (end > start) /* \K in a look-ahead can turn them round */
        put(w, subject.at + start, end - start);
}

size_t regex_expand(char *to, size_t room, struct slice pattern, struct slice subject, const size_t *ovector, int pairs)
{
    struct writer w = {to, room ? room - 1 : 0, 0};
    for (size_t i = 0; i < pattern.len; i++) {
        char byte = pattern.at[i], next = i + 1 < pattern.len ? pattern.at[i + 1] : '\0';
        if (byte == '$' && next >= '0' && next <= '9') {
            put_group(&w, subject, ovector, pairs, next - '0');
            i++;
        } else if (byte == '\\' && (next == '$' || next == '\\')) {
            put(&w, &next, 1);
            i++;
        } else {
            put(&w, &byte, 1);
        }
    }
    if (room)
        to[w.used < room ? w.used : room - 1] = '\0';
    return w.used;
}
