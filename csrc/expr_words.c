/* The words of expressions: texts with variables in them, calls of functions. And what the whole grammar is read with: tokens, nodes. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "expr_parts.h"

struct expr_node *expr_expected(struct expr_parse *p, const char *what)
{
    if (!*p->error)
        snprintf(p->error, p->error_room, "%s expected%s%.40s", what, *p->at ? ", not " : " at the end", p->at);
    return NULL;
}

struct expr_node *expr_node_new(struct expr_parse *p, enum expr_node_kind kind, struct expr_node *args)
{
    struct expr_node *n = calloc(1, sizeof *n);
    if (!n) {
        snprintf(p->error, p->error_room, "out of memory");
        return NULL;
    }
    n->kind = (uint8_t)kind;
    n->args = args;
    n->made = p->e->made;
    p->e->made = n;
    return n;
}

void expr_skip_space(struct expr_parse *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

bool expr_take(struct expr_parse *p, const char *token)
{
    size_t len = strlen(token);
    expr_skip_space(p);
    if (strncmp(p->at, token, len) != 0)
        return false;
    p->at += len;
    return true;
}

struct slice expr_name_here(struct expr_parse *p)
{
    size_t len = 0;
    expr_skip_space(p);
    while (isalnum((unsigned char)p->at[len]) || p->at[len] == '_')
        len++;
    return slice_of(p->at, len);
}

bool expr_take_name(struct expr_parse *p, const char *name)
{
    if (!slice_eq(expr_name_here(p), slice_text(name)))
        return false;
    p->at += strlen(name);
    return true;
}

/* ---- words ---- */

static struct expr_node *text_node(struct expr_parse *p, char *start)
{
    struct expr_node *n = expr_node_new(p, NODE_TEXT, NULL);
    if (n)
        n->text = slice_of(start, (size_t)(p->room - start));
    *p->room++ = 0;
    return n;
}

/* What a call of the function is; text: its argument. */
static struct expr_node *call_node(struct expr_parse *p, const struct expr_function *f, struct expr_node *text)
{
    struct expr_node *n = expr_node_new(p, NODE_CALL, text);
    if (n) {
        n->read = f->read;
        n->varies = f->varies;
    }
    return n;
}

static const struct expr_function *function_named(struct expr_parse *p, struct slice name, const char *what)
{
    const struct expr_function *f = expr_function(name);
    if (f && !(f->restricted && p->restricted))
        return f;
    expr_expected(p, f ? "a function that .htaccess files may call" : what);
    return NULL;
}

/* function:text, both of len bytes. */
static struct expr_node *parse_short_call(struct expr_parse *p, struct slice name, size_t len)
{
    const struct expr_function *f = function_named(p, name,
                                                  "a function such as HTTP, ENV, REQENV or RESP before the colon");
    struct expr_node *text;
    char *start = p->room;
    if (!f)
        return NULL;
    memcpy(p->room, p->at + name.len + 1, len - name.len - 1);
    p->room += len - name.len - 1;
    return (text = text_node(p, start)) ? call_node(p, f, text) : NULL;
}

struct expr_node *expr_variable_node(struct expr_parse *p, struct slice name)
{
    const struct expr_variable *v = expr_variable(name);
    struct expr_node *n = v ? expr_node_new(p, NODE_VARIABLE, NULL) : expr_expected(p, "a variable such as REQUEST_URI or REMOTE_ADDR");
    if (n) {
        n->read = v->read;
        n->text = slice_text(v->field);
        p->e->asks_user |= slice_eq_nocase(name, SLICE("REMOTE_USER"));
    }
    return n;
}

/* Behind "%{": a variable, or function:text. */
static struct expr_node *parse_variable(struct expr_parse *p)
{
    size_t len = strcspn(p->at, "}");
    struct slice name = slice_of(p->at, strcspn(p->at, "}:"));
    if (!p->at[len])
        return expr_expected(p, "closing } of %{");
    struct expr_node *n = name.len < len ? parse_short_call(p, name, len) : expr_variable_node(p, name);
    p->at += n ? len + 1 : 0;
    return n;
}

static struct expr_node *group_node(struct expr_parse *p)
{
    struct expr_node *n = expr_node_new(p, NODE_GROUP, NULL);
    if (n)
        n->op = (uint8_t)(p->at[1] - '0');
    p->at += 2;
    return n;
}

static char escaped(char byte) { return byte == 'n' ? '\n' : byte == 't' ? '\t' : byte == 'r' ? '\r' : byte; }

struct expr_node *expr_parse_string(struct expr_parse *p, char quote)
{
    struct expr_node *join = expr_node_new(p, NODE_JOIN, NULL), **tail = join ? &join->args : NULL, *part;
    char *start = p->room;
    while (join && *p->at != quote) {
        if (!*p->at)
            return expr_expected(p, quote == '"' ? "closing \"" : "closing '");
        bool variable = p->at[0] == '%' && p->at[1] == '{', group = p->at[0] == '$' && isdigit((unsigned char)p->at[1]);
        if (!variable && !group) {
            bool behind = p->at[0] == '\\' && p->at[1];
            p->at += behind;
            *p->room++ = behind ? escaped(*p->at) : *p->at;
            p->at++;
            continue;
        }
        if (p->room > start) {
            if (!(part = text_node(p, start)))
                return NULL;
            *tail = part;
            tail = &part->next;
        }
        p->at += variable ? 2 : 0;
        if (!(part = variable ? parse_variable(p) : group_node(p)))
            return NULL;
        *tail = part;
        tail = &part->next;
        start = p->room;
    }
    if (!join)
        return NULL;
    p->at += quote != 0;
    if (p->room > start || !join->args)
        *tail = text_node(p, start);
    return join->args && !join->args->next ? join->args : join;
}

/* name(word): a function of one argument. */
static struct expr_node *parse_call(struct expr_parse *p, struct slice name)
{
    const struct expr_function *f = function_named(p, name,
                                                  "a function such as req, resp, reqenv, env, note, osenv, tolower, toupper, escape, unescape, md5 or file");
    if (!f)
        return NULL;
    p->at += name.len;
    if (!expr_take(p, "("))
        return expr_expected(p, "(");
    struct expr_node *word = expr_parse_word(p);
    if (!word)
        return NULL;
    return expr_take(p, ")") ? call_node(p, f, word) : expr_expected(p, ")");
}

static struct expr_node *parse_digits(struct expr_parse *p)
{
    char *start = p->room;
    while (isdigit((unsigned char)*p->at))
        *p->room++ = *p->at++;
    return text_node(p, start);
}

static struct expr_node *parse_part(struct expr_parse *p)
{
    struct slice name = expr_name_here(p);
    if (expr_take(p, "'"))
        return expr_parse_string(p, '\'');
    if (expr_take(p, "\""))
        return expr_parse_string(p, '"');
    if (expr_take(p, "%{"))
        return parse_variable(p);
    if (p->at[0] == '$' && isdigit((unsigned char)p->at[1]))
        return group_node(p);
    if (isdigit((unsigned char)*p->at))
        return parse_digits(p);
    return name.len ? parse_call(p, name) : expr_expected(p, "a word in quotes, %{VARIABLE}, a number or a function");
}

/* Parts joined by dots. */
struct expr_node *expr_parse_word(struct expr_parse *p)
{
    if (p->depth++ >= LIMIT_EXPR_DEPTH)
        return expr_expected(p, "less depth");
    struct expr_node *first = parse_part(p), *last = first;
    while (last && expr_take(p, "."))
        last = last->next = parse_part(p);
    p->depth--;
    if (!last)
        return NULL;
    return first == last ? first : expr_node_new(p, NODE_JOIN, first);
}

struct expr_node *expr_parse_words(struct expr_parse *p, const char *end)
{
    struct expr_node *first = expr_parse_word(p), *last = first;
    while (last && expr_take(p, ","))
        last = last->next = expr_parse_word(p);
    if (!last)
        return NULL;
    return expr_take(p, end) ? first : expr_expected(p, end);
}
