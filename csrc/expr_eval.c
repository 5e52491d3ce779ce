/* Walks over the tree of an expression for one request. Texts that have to be put together live in the request's arena; nothing waits. */
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access.h"
#include "expr_parts.h"
#include "log.h"

enum { FIELDS_MAX = 16 };

struct run {
    struct request *r;
    struct slice fields[FIELDS_MAX]; /* of the request, that have been looked at */
    int field_count;
    struct slice subject;  /* of the last match, for $0 … $9 */
    size_t ovector[2 * REGEX_PAIRS];
    int pairs;
    const char *wrong;     /* why it cannot be told */
};

static struct slice value_of(struct run *run, const struct expr_node *word);

/* The host is a part of the URL, and what is no name cannot have been a field. */
static void looked_at(struct run *run, struct slice field)
{
    bool known = slice_eq_nocase(field, SLICE("Host")) || !http_is_token(field);
    for (int i = 0; i < run->field_count; i++)
        known |= slice_eq_nocase(run->fields[i], field);
    if (!known && run->field_count < FIELDS_MAX)
        run->fields[run->field_count++] = field;
}

static struct slice join(struct run *run, const struct expr_node *parts)
{
    struct buf text = {.max = LIMIT_EXPR_VALUE_BYTES};
    char *out = NULL;
    for (const struct expr_node *n = parts; n && !run->wrong; n = n->next) {
        struct slice part = value_of(run, n);
        if (part.len && buf_add(&text, part.at, part.len) < 0)
            run->wrong = "a text is longer than LIMIT_EXPR_VALUE_BYTES";
    }
    if (!run->wrong && !(out = request_strdup(run->r, slice_of(text.at, text.len))))
        run->wrong = "out of memory";
    struct slice result = slice_of(out ? out : "", out ? text.len : 0);
    buf_clear(&text);
    return result;
}

static struct slice call(struct run *run, const struct expr_node *word)
{
    struct slice argument = value_of(run, word->args);
    if (run->wrong || argument.len > LIMIT_EXPR_VALUE_BYTES) {
        run->wrong = run->wrong ? run->wrong : "a text is longer than LIMIT_EXPR_VALUE_BYTES";
        return argument;
    }
    struct slice found = word->read(run->r, argument);
    if (word->varies)
        looked_at(run, argument);
    if (found.at == expr_no_file)
        run->wrong = expr_no_file;
    return found;
}

static struct slice group(const struct run *run, int number)
{
    if (number >= run->pairs || run->ovector[2 * number] == SIZE_MAX || run->ovector[2 * number + 1] < run->ovector[2 * number])
        return slice_of("", 0);
    return slice_of(run->subject.at + run->ovector[2 * number], run->ovector[2 * number + 1] - run->ovector[2 * number]);
}

static struct slice value_of(struct run *run, const struct expr_node *word)
{
    struct slice found = {"", 0};
    if (run->wrong)
        return found;
    switch ((enum expr_node_kind)word->kind) {
    case NODE_TEXT:
        return word->text;
    case NODE_JOIN:
        return join(run, word->args);
    case NODE_GROUP:
        return group(run, word->op);
    case NODE_VARIABLE:
        found = word->read(run->r, slice_of(NULL, 0));
        if (word->text.len)
            looked_at(run, word->text);
        break;
    case NODE_CALL:
        found = call(run, word);
        break;
    case NODE_TRUE: case NODE_FALSE: case NODE_NOT: case NODE_AND: case NODE_OR: case NODE_COMPARE_TEXT: case NODE_COMPARE_NUMBER: case NODE_MATCH:
    case NODE_IN: case NODE_IS: case NODE_GLOB: case NODE_ADDRESS: case NODE_FILE:
        break;
    }
    return found.at ? found : slice_of("", 0);
}

/* A copy that ends in NUL, for what wants one. A NUL inside cuts it: such a text equals none. */
static const char *text_of(struct run *run, const struct expr_node *word)
{
    char *copy = request_strdup(run->r, value_of(run, word));
    if (!copy)
        run->wrong = "out of memory";
    return copy ? copy : "";
}

static int order_of(int64_t difference) { return difference < 0 ? ORDER_LESS : difference ? ORDER_GREATER : ORDER_EQUAL; }

static int text_order(struct run *run, const struct expr_node *left)
{
    struct slice a = value_of(run, left), b = value_of(run, left->next);
    size_t len = a.len < b.len ? a.len : b.len;
    int first = len ? memcmp(a.at, b.at, len) : 0;
    return order_of(first ? first : a.len < b.len ? -1 : a.len > b.len);
}

/* As strtol reads it: what is no number is 0. */
static int number_order(struct run *run, const struct expr_node *a)
{
    long long x = strtoll(text_of(run, a), NULL, 10), y = strtoll(text_of(run, a->next), NULL, 10);
    return order_of(x < y ? -1 : x > y);
}

static bool matches(struct run *run, const struct expr_node *n)
{
    size_t ovector[2 * REGEX_PAIRS];
    struct slice subject = value_of(run, n->args);
    int pairs = regex_match(&n->regex, subject, ovector, REGEX_PAIRS);
    if (pairs < 0)
        run->wrong = "a regular expression needs too many steps";
    if (pairs > 0) {
        run->subject = subject;
        run->pairs = pairs;
        memcpy(run->ovector, ovector, 2 * (size_t)pairs * sizeof *ovector);
    }
    return (pairs > 0) != n->negated;
}

static bool is_listed(struct run *run, const struct expr_node *word)
{
    struct slice value = value_of(run, word);
    for (const struct expr_node *n = word->next; n; n = n->next)
        if (slice_eq(value, value_of(run, n)))
            return true;
    return false;
}

/* -T: false, off, no, 0 and nothing are false. */
static bool is(struct slice value, char letter)
{
    if (letter != 'T')
        return (value.len == 0) == (letter == 'z');
    return value.len && !slice_eq_nocase(value, SLICE("off")) && !slice_eq_nocase(value, SLICE("false")) && !slice_eq_nocase(value, SLICE("no"))
        && !slice_eq(value, SLICE("0"));
}

static bool fits(struct run *run, const struct expr_node *n)
{
    int how = n->op == GLOB_PATH ? FNM_PATHNAME : n->op == GLOB_ANY_NOCASE ? FNM_CASEFOLD : 0;
    const char *text = text_of(run, n->args), *pattern = text_of(run, n->args->next);
    return !run->wrong && fnmatch(pattern, text, how) == 0;
}

static bool is_in_net(struct run *run, const struct expr_node *a)
{
    struct net_conf address, net;
    struct slice text = value_of(run, a);
    if (!expr_net_parse(text, &address) || address.bits != 128)
        return false; /* a unix socket's client has none */
    if (!expr_net_parse(value_of(run, a->next), &net)) {
        run->wrong = "-ipmatch wants an address, or address/bits";
        return false;
    }
    return access_net_contains(&net, address.address);
}

static bool file_is(const char *path, char letter)
{
    struct stat st;
    bool link = letter == 'h' || letter == 'L';
    if (!*path || (link ? lstat(path, &st) : stat(path, &st)) < 0)
        return false;
    switch (letter) {
    case 'd': return S_ISDIR(st.st_mode);
    case 'f': return S_ISREG(st.st_mode);
    case 's': return S_ISREG(st.st_mode) && st.st_size > 0;
    case 'x': return S_ISREG(st.st_mode) && access(path, X_OK) == 0;
    case 'h': case 'L': return S_ISLNK(st.st_mode);
    }
    return true; /* -e */
}

static bool holds(struct run *run, const struct expr_node *n);

static bool any_holds(struct run *run, const struct expr_node *n, bool wanted)
{
    for (; n && !run->wrong; n = n->next)
        if (holds(run, n) == wanted)
            return true;
    return false;
}

static bool holds(struct run *run, const struct expr_node *n)
{
    switch ((enum expr_node_kind)n->kind) {
    case NODE_TRUE: return true;
    case NODE_FALSE: return false;
    case NODE_NOT: return !holds(run, n->args);
    case NODE_AND: return !any_holds(run, n->args, false);
    case NODE_OR: return any_holds(run, n->args, true);
    case NODE_COMPARE_TEXT: return text_order(run, n->args) & n->op;
    case NODE_COMPARE_NUMBER: return number_order(run, n->args) & n->op;
    case NODE_MATCH: return matches(run, n);
    case NODE_IN: return is_listed(run, n->args);
    case NODE_IS: return is(value_of(run, n->args), (char)n->op);
    case NODE_GLOB: return fits(run, n);
    case NODE_ADDRESS: return is_in_net(run, n->args);
    case NODE_FILE: return file_is(text_of(run, n->args), (char)n->op);
    case NODE_TEXT: case NODE_JOIN: case NODE_GROUP: case NODE_VARIABLE: case NODE_CALL: break;
    }
    return false;
}

static void say_wrong(const struct run *run, const struct expr_conf *conf)
{
    log_request(run->r, LEVEL_ERROR, "core", "the expression \"%.200s\" cannot be evaluated: %s", conf->text, run->wrong);
}

static bool run_condition(struct run *run, const struct expr_conf *conf)
{
    const struct expr *e = conf->compiled;
    bool result = e && holds(run, e->root);
    if (run->wrong)
        say_wrong(run, conf);
    return result && !run->wrong;
}

bool expr_holds(const struct expr_conf *conf, const struct request *r)
{
    struct run run = {.r = (struct request *)r}; /* for its arena */
    return run_condition(&run, conf);
}

/* Appends a field to those of Vary unless it is there. */
static void vary_add(struct request *r, struct slice field)
{
    struct buf list = {.max = LIMIT_EXPR_VALUE_BYTES};
    const struct table_entry *e = table_find(&r->headers_out, SLICE("Vary"));
    struct slice before = e && e->value ? slice_of(e->value, e->value_len) : slice_of("", 0);
    if (http_list_has(before, field) || http_list_has(before, SLICE("*")))
        return;
    if ((!before.len || (buf_add(&list, before.at, before.len) == 0 && buf_add(&list, ", ", 2) == 0)) && buf_add(&list, field.at, field.len) == 0)
        table_set(&r->headers_out, SLICE("Vary"), slice_of(list.at, list.len));
    buf_clear(&list);
}

bool expr_decides(const struct expr_conf *conf, const struct request *r)
{
    struct run run = {.r = (struct request *)r};
    bool result = run_condition(&run, conf);
    for (int i = 0; i < run.field_count; i++)
        vary_add(run.r, run.fields[i]);
    return result;
}

struct slice expr_value(const struct expr_conf *conf, const struct request *r)
{
    struct run run = {.r = (struct request *)r};
    const struct expr *e = conf->compiled;
    struct slice value = e ? value_of(&run, e->root) : slice_of(NULL, 0);
    if (!run.wrong)
        return value;
    say_wrong(&run, conf);
    return slice_of(NULL, 0);
}

bool expr_asks_user(const struct expr_conf *conf)
{
    const struct expr *e = conf->compiled;
    return e && e->asks_user;
}
