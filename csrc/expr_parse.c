/* From the text of an expression to its tree: recursive descent over httpd's grammar. Depth is bounded by LIMIT_EXPR_DEPTH, and so is the depth of
 * every walk over the tree; chains of && and || are lists. Words are expr_words.c's. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "bridge.h"
#include "expr_parts.h"

/* ---- comparisons ---- */

/* The body of a regular expression up to its delimiter, without the backslashes that protect that. */
static bool regex_body(struct expr_parse *p, char delimiter)
{
    for (; *p->at && *p->at != delimiter; p->at++) {
        if (*p->at == '\\' && p->at[1] && *++p->at != delimiter)
            *p->room++ = '\\';
        *p->room++ = *p->at;
    }
    return *p->at != 0;
}

static void regex_flags(struct expr_parse *p, struct regex_conf *regex, char **pattern)
{
    bool lines = false;
    for (; strchr("imsg", *p->at) && *p->at; p->at++) {
        regex->nocase |= *p->at == 'i';
        lines |= *p->at == 'm';
    }
    if (lines)
        memcpy(*pattern -= 4, "(?m)", 4); /* room was kept in front of it */
}

static struct expr_node *parse_match(struct expr_parse *p, struct expr_node *word, bool negated)
{
    char wrong[256];
    struct expr_node *n = expr_node_new(p, NODE_MATCH, word);
    expr_skip_space(p);
    bool marked = p->at[0] == 'm' && p->at[1] && !isalnum((unsigned char)p->at[1]) && !isspace((unsigned char)p->at[1]);
    if (!n || (!marked && *p->at != '/'))
        return expr_expected(p, "a regular expression such as /pattern/ or m#pattern#i");
    p->at += marked;
    char delimiter = *p->at++, *pattern = p->room += 4;
    if (!regex_body(p, delimiter))
        return expr_expected(p, "the closing delimiter of the regular expression");
    p->at++;
    *p->room++ = 0;
    regex_flags(p, &n->regex, &pattern);
    n->regex.pattern = pattern;
    n->negated = negated;
    if (bridge_regex_compile(&n->regex, wrong, sizeof wrong) == 0)
        return n;
    if (!*p->error)
        snprintf(p->error, p->error_room, "a regular expression expected: %.150s: %.60s", wrong, pattern);
    n->regex.pattern = NULL;
    return NULL;
}

static struct expr_node *parse_list(struct expr_parse *p, struct expr_node *word)
{
    if (!expr_take(p, "{"))
        return expr_expected(p, "{ and a list of words");
    word->next = expr_parse_words(p, "}");
    return word->next ? expr_node_new(p, NODE_IN, word) : NULL;
}

static struct expr_node *parse_right(struct expr_parse *p, struct expr_node *word, enum expr_node_kind kind, int op)
{
    word->next = expr_parse_word(p);
    struct expr_node *n = word->next ? expr_node_new(p, kind, word) : NULL;
    if (n)
        n->op = (uint8_t)op;
    return n;
}

static struct expr_node *parse_address(struct expr_parse *p, struct expr_node *word)
{
    struct net_conf net;
    struct expr_node *n = parse_right(p, word, NODE_ADDRESS, 0);
    if (n && word->next->kind == NODE_TEXT && !expr_net_parse(word->next->text, &net))
        return expr_expected(p, "an address, or address/bits, before this");
    return n;
}

static const struct { const char *name; enum expr_node_kind kind; int op; } named[] = {
    {"eq", NODE_COMPARE_NUMBER, ORDER_EQUAL}, {"ne", NODE_COMPARE_NUMBER, ORDER_LESS | ORDER_GREATER}, {"lt", NODE_COMPARE_NUMBER, ORDER_LESS},
    {"le", NODE_COMPARE_NUMBER, ORDER_LESS | ORDER_EQUAL}, {"gt", NODE_COMPARE_NUMBER, ORDER_GREATER},
    {"ge", NODE_COMPARE_NUMBER, ORDER_GREATER | ORDER_EQUAL}, {"in", NODE_IN, 0}, {"ipmatch", NODE_ADDRESS, 0}, {"strmatch", NODE_GLOB, GLOB_ANY},
    {"strcmatch", NODE_GLOB, GLOB_ANY_NOCASE}, {"fnmatch", NODE_GLOB, GLOB_PATH}};
static const struct { const char *token; int op; } signs[] = {
    {"==", ORDER_EQUAL}, {"!=", ORDER_LESS | ORDER_GREATER}, {"<=", ORDER_LESS | ORDER_EQUAL}, {">=", ORDER_GREATER | ORDER_EQUAL}, {"<", ORDER_LESS},
    {">", ORDER_GREATER}, {"=", ORDER_EQUAL}};

static struct expr_node *parse_named(struct expr_parse *p, struct expr_node *word)
{
    const char *before = p->at;
    p->at += *p->at == '-';
    struct slice name = expr_name_here(p);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        if (!slice_eq(name, slice_text(named[i].name)))
            continue;
        p->at += name.len;
        if (named[i].kind == NODE_IN)
            return parse_list(p, word);
        return named[i].kind == NODE_ADDRESS ? parse_address(p, word) : parse_right(p, word, named[i].kind, named[i].op);
    }
    p->at = before;
    return expr_expected(p, "an operator (== != < <= > >= =~ !~ -eq -ne -lt -le -gt -ge -in -ipmatch -strmatch -strcmatch -fnmatch)");
}

static struct expr_node *parse_comparison(struct expr_parse *p)
{
    struct expr_node *word = expr_parse_word(p);
    if (!word)
        return NULL;
    if (expr_take(p, "=~"))
        return parse_match(p, word, false);
    if (expr_take(p, "!~"))
        return parse_match(p, word, true);
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (expr_take(p, signs[i].token))
            return parse_right(p, word, NODE_COMPARE_TEXT, signs[i].op);
    return parse_named(p, word);
}

/* -z 'word' and its kin; -R is about the client's address. */
static struct expr_node *parse_unary(struct expr_parse *p)
{
    char letter = p->at[1];
    if (!letter || !strchr("znTRdefshLx", letter) || isalnum((unsigned char)p->at[2]))
        return expr_expected(p, "-z, -n, -T, -R, -d, -e, -f, -s, -h, -L, -x or a word");
    p->at += 2;
    if (letter == 'R') {
        struct expr_node *client = expr_variable_node(p, SLICE("REMOTE_ADDR"));
        if (!client)
            return NULL;
        return parse_address(p, client);
    }
    struct expr_node *word = expr_parse_word(p), *n = word ? expr_node_new(p, strchr("znT", letter) ? NODE_IS : NODE_FILE, word) : NULL;
    if (n)
        n->op = (uint8_t)letter;
    return n;
}

/* ---- conditions ---- */

static struct expr_node *parse_or(struct expr_parse *p);

static struct expr_node *parse_simple(struct expr_parse *p)
{
    if (expr_take(p, "(")) {
        struct expr_node *inner = parse_or(p);
        return !inner ? NULL : expr_take(p, ")") ? inner : expr_expected(p, ") or an operator");
    }
    if (expr_take(p, "!") || expr_take_name(p, "not")) {
        struct expr_node *inner;
        if (p->depth++ >= LIMIT_EXPR_DEPTH)
            return expr_expected(p, "less depth");
        inner = parse_simple(p);
        p->depth--;
        return inner ? expr_node_new(p, NODE_NOT, inner) : NULL;
    }
    if (expr_take_name(p, "true"))
        return expr_node_new(p, NODE_TRUE, NULL);
    if (expr_take_name(p, "false"))
        return expr_node_new(p, NODE_FALSE, NULL);
    return *p->at == '-' ? parse_unary(p) : parse_comparison(p);
}

static struct expr_node *parse_chain(struct expr_parse *p, const char *token, const char *word, struct expr_node *(*parse)(struct expr_parse *),
                                     enum expr_node_kind kind)
{
    struct expr_node *first = parse(p), *last = first, *wrapped;
    if (!first)
        return NULL;
    while (expr_take(p, token) || expr_take_name(p, word)) {
        if (!(wrapped = parse(p)))
            return NULL;
        last = last->next = wrapped;
    }
    return first == last ? first : expr_node_new(p, kind, first);
}

static struct expr_node *parse_and(struct expr_parse *p) { return parse_chain(p, "&&", "and", parse_simple, NODE_AND); }

static struct expr_node *parse_or(struct expr_parse *p)
{
    if (p->depth++ >= LIMIT_EXPR_DEPTH)
        return expr_expected(p, "less depth");
    struct expr_node *n = parse_chain(p, "||", "or", parse_and, NODE_OR);
    p->depth--;
    return n;
}

struct expr *expr_new(const char *text, int kind, char *error, size_t room)
{
    struct expr *e = calloc(1, sizeof *e);
    size_t len = strlen(text);
    *error = 0;
    if (!e || len > LIMIT_EXPR_BYTES || !(e->texts = malloc(8 * len + 16))) {
        snprintf(error, room, len > LIMIT_EXPR_BYTES ? "at most %d bytes of expression expected" : "out of memory", LIMIT_EXPR_BYTES);
        expr_free(e);
        return NULL;
    }
    struct expr_parse p = {e, text, e->texts, error, room, 0, kind & EXPR_RESTRICTED};
    e->root = kind & EXPR_TEXT ? expr_parse_string(&p, 0) : parse_or(&p);
    expr_skip_space(&p);
    if (e->root && !*p.at)
        return e;
    expr_expected(&p, "&&, || or the end");
    expr_free(e);
    return NULL;
}

void expr_free(struct expr *e)
{
    if (!e)
        return;
    for (struct expr_node *n = e->made, *before; n; n = before) {
        before = n->made;
        bridge_regex_free(&n->regex);
        free(n);
    }
    free(e->texts);
    free(e);
}
