/* From the text of an expression to its tree: recursive descent over httpd's grammar. Depth is bounded by LIMIT_EXPR_DEPTH, and so is the depth of
 * every walk over the tree; chains of && and || are lists. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "bridge.h"
#include "expr_parts.h"

struct parse { struct expr *e; const char *at; char *room; char *error; size_t error_room; int depth; bool restricted; };

static struct expr_node *failed(struct parse *p, const char *what)
{
    if (!*p->error)
        snprintf(p->error, p->error_room, "%s expected%s%.40s", what, *p->at ? ", not " : " at the end", p->at);
    return NULL;
}

static struct expr_node *node_new(struct parse *p, enum expr_node_kind kind, struct expr_node *args)
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

static void skip_space(struct parse *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static bool take(struct parse *p, const char *token)
{
    size_t len = strlen(token);
    skip_space(p);
    if (strncmp(p->at, token, len) != 0)
        return false;
    p->at += len;
    return true;
}

/* A name (letters, digits, _) that stands here, not taken. */
static struct slice name_here(struct parse *p)
{
    size_t len = 0;
    skip_space(p);
    while (isalnum((unsigned char)p->at[len]) || p->at[len] == '_')
        len++;
    return slice_of(p->at, len);
}

static bool take_name(struct parse *p, const char *name)
{
    if (!slice_eq(name_here(p), slice_text(name)))
        return false;
    p->at += strlen(name);
    return true;
}

/* ---- words ---- */

static struct expr_node *parse_word(struct parse *p);

static struct expr_node *text_node(struct parse *p, char *start)
{
    struct expr_node *n = node_new(p, NODE_TEXT, NULL);
    if (n)
        n->text = slice_of(start, (size_t)(p->room - start));
    *p->room++ = 0;
    return n;
}

/* What a call of the function is; text: its argument. */
static struct expr_node *call_node(struct parse *p, const struct expr_function *f, struct expr_node *text)
{
    struct expr_node *n = node_new(p, NODE_CALL, text);
    if (n) {
        n->read = f->read;
        n->varies = f->varies;
    }
    return n;
}

static const struct expr_function *function_named(struct parse *p, struct slice name, const char *what)
{
    const struct expr_function *f = expr_function(name);
    if (f && !(f->restricted && p->restricted))
        return f;
    failed(p, f ? "a function that .htaccess files may call" : what);
    return NULL;
}

/* function:text, both of len bytes. */
static struct expr_node *parse_short_call(struct parse *p, struct slice name, size_t len)
{
    const struct expr_function *f = function_named(p, name, "a function such as HTTP, ENV, REQENV or RESP before the colon");
    struct expr_node *text;
    char *start = p->room;
    if (!f)
        return NULL;
    memcpy(p->room, p->at + name.len + 1, len - name.len - 1);
    p->room += len - name.len - 1;
    return (text = text_node(p, start)) ? call_node(p, f, text) : NULL;
}

static struct expr_node *variable_node(struct parse *p, struct slice name)
{
    const struct expr_variable *v = expr_variable(name);
    struct expr_node *n = v ? node_new(p, NODE_VARIABLE, NULL) : failed(p, "a variable such as REQUEST_URI or REMOTE_ADDR");
    if (n) {
        n->read = v->read;
        n->text = slice_text(v->field);
        p->e->asks_user |= slice_eq_nocase(name, SLICE("REMOTE_USER"));
    }
    return n;
}

/* Behind "%{": a variable, or function:text. */
static struct expr_node *parse_variable(struct parse *p)
{
    size_t len = strcspn(p->at, "}");
    struct slice name = slice_of(p->at, strcspn(p->at, "}:"));
    if (!p->at[len])
        return failed(p, "closing } of %{");
    struct expr_node *n = name.len < len ? parse_short_call(p, name, len) : variable_node(p, name);
    p->at += n ? len + 1 : 0;
    return n;
}

static struct expr_node *group_node(struct parse *p)
{
    struct expr_node *n = node_new(p, NODE_GROUP, NULL);
    if (n)
        n->op = (uint8_t)(p->at[1] - '0');
    p->at += 2;
    return n;
}

static char escaped(char byte) { return byte == 'n' ? '\n' : byte == 't' ? '\t' : byte == 'r' ? '\r' : byte; }

/* Text with %{…} and $0 … $9 in it, up to the quote (which is taken) or, quote 0, to the end. */
static struct expr_node *parse_string(struct parse *p, char quote)
{
    struct expr_node *join = node_new(p, NODE_JOIN, NULL), **tail = join ? &join->args : NULL, *part;
    char *start = p->room;
    while (join && *p->at != quote) {
        if (!*p->at)
            return failed(p, quote == '"' ? "closing \"" : "closing '");
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
static struct expr_node *parse_call(struct parse *p, struct slice name)
{
    const struct expr_function *f = function_named(p, name, "a function such as req, resp, reqenv, env, note, osenv, tolower, toupper, escape, unescape, md5 or file");
    if (!f)
        return NULL;
    p->at += name.len;
    if (!take(p, "("))
        return failed(p, "(");
    struct expr_node *word = parse_word(p);
    if (!word)
        return NULL;
    return take(p, ")") ? call_node(p, f, word) : failed(p, ")");
}

static struct expr_node *parse_digits(struct parse *p)
{
    char *start = p->room;
    while (isdigit((unsigned char)*p->at))
        *p->room++ = *p->at++;
    return text_node(p, start);
}

static struct expr_node *parse_part(struct parse *p)
{
    struct slice name = name_here(p);
    if (take(p, "'"))
        return parse_string(p, '\'');
    if (take(p, "\""))
        return parse_string(p, '"');
    if (take(p, "%{"))
        return parse_variable(p);
    if (p->at[0] == '$' && isdigit((unsigned char)p->at[1]))
        return group_node(p);
    if (isdigit((unsigned char)*p->at))
        return parse_digits(p);
    return name.len ? parse_call(p, name) : failed(p, "a word in quotes, %{VARIABLE}, a number or a function");
}

/* Parts joined by dots. */
static struct expr_node *parse_word(struct parse *p)
{
    if (p->depth++ >= LIMIT_EXPR_DEPTH)
        return failed(p, "less depth");
    struct expr_node *first = parse_part(p), *last = first;
    while (last && take(p, "."))
        last = last->next = parse_part(p);
    p->depth--;
    if (!last)
        return NULL;
    return first == last ? first : node_new(p, NODE_JOIN, first);
}

/* word, word … and the end behind them. */
static struct expr_node *parse_words(struct parse *p, const char *end)
{
    struct expr_node *first = parse_word(p), *last = first;
    while (last && take(p, ","))
        last = last->next = parse_word(p);
    if (!last)
        return NULL;
    return take(p, end) ? first : failed(p, end);
}

/* ---- comparisons ---- */

/* The body of a regular expression up to its delimiter, without the backslashes that protect that. */
static bool regex_body(struct parse *p, char delimiter)
{
    for (; *p->at && *p->at != delimiter; p->at++) {
        if (*p->at == '\\' && p->at[1] && *++p->at != delimiter)
            *p->room++ = '\\';
        *p->room++ = *p->at;
    }
    return *p->at != 0;
}

static void regex_flags(struct parse *p, struct regex_conf *regex, char **pattern)
{
    bool lines = false;
    for (; strchr("imsg", *p->at) && *p->at; p->at++) {
        regex->nocase |= *p->at == 'i';
        lines |= *p->at == 'm';
    }
    if (lines)
        memcpy(*pattern -= 4, "(?m)", 4); /* room was kept in front of it */
}

static struct expr_node *parse_match(struct parse *p, struct expr_node *word, bool negated)
{
    char wrong[256];
    struct expr_node *n = node_new(p, NODE_MATCH, word);
    skip_space(p);
    bool marked = p->at[0] == 'm' && p->at[1] && !isalnum((unsigned char)p->at[1]) && !isspace((unsigned char)p->at[1]);
    if (!n || (!marked && *p->at != '/'))
        return failed(p, "a regular expression such as /pattern/ or m#pattern#i");
    p->at += marked;
    char delimiter = *p->at++, *pattern = p->room += 4;
    if (!regex_body(p, delimiter))
        return failed(p, "the closing delimiter of the regular expression");
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

static struct expr_node *parse_list(struct parse *p, struct expr_node *word)
{
    if (!take(p, "{"))
        return failed(p, "{ and a list of words");
    word->next = parse_words(p, "}");
    return word->next ? node_new(p, NODE_IN, word) : NULL;
}

static struct expr_node *parse_right(struct parse *p, struct expr_node *word, enum expr_node_kind kind, int op)
{
    word->next = parse_word(p);
    struct expr_node *n = word->next ? node_new(p, kind, word) : NULL;
    if (n)
        n->op = (uint8_t)op;
    return n;
}

static struct expr_node *parse_address(struct parse *p, struct expr_node *word)
{
    struct net_conf net;
    struct expr_node *n = parse_right(p, word, NODE_ADDRESS, 0);
    if (n && word->next->kind == NODE_TEXT && !expr_net_parse(word->next->text, &net))
        return failed(p, "an address, or address/bits, before this");
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

static struct expr_node *parse_named(struct parse *p, struct expr_node *word)
{
    const char *before = p->at;
    p->at += *p->at == '-';
    struct slice name = name_here(p);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        if (!slice_eq(name, slice_text(named[i].name)))
            continue;
        p->at += name.len;
        if (named[i].kind == NODE_IN)
            return parse_list(p, word);
        return named[i].kind == NODE_ADDRESS ? parse_address(p, word) : parse_right(p, word, named[i].kind, named[i].op);
    }
    p->at = before;
    return failed(p, "an operator (== != < <= > >= =~ !~ -eq -ne -lt -le -gt -ge -in -ipmatch -strmatch -strcmatch -fnmatch)");
}

static struct expr_node *parse_comparison(struct parse *p)
{
    struct expr_node *word = parse_word(p);
    if (!word)
        return NULL;
    if (take(p, "=~"))
        return parse_match(p, word, false);
    if (take(p, "!~"))
        return parse_match(p, word, true);
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (take(p, signs[i].token))
            return parse_right(p, word, NODE_COMPARE_TEXT, signs[i].op);
    return parse_named(p, word);
}

/* -z 'word' and its kin; -R is about the client's address. */
static struct expr_node *parse_unary(struct parse *p)
{
    char letter = p->at[1];
    if (!letter || !strchr("znTRdefshLx", letter) || isalnum((unsigned char)p->at[2]))
        return failed(p, "-z, -n, -T, -R, -d, -e, -f, -s, -h, -L, -x or a word");
    p->at += 2;
    if (letter == 'R') {
        struct expr_node *client = variable_node(p, SLICE("REMOTE_ADDR"));
        if (!client)
            return NULL;
        return parse_address(p, client);
    }
    struct expr_node *word = parse_word(p), *n = word ? node_new(p, strchr("znT", letter) ? NODE_IS : NODE_FILE, word) : NULL;
    if (n)
        n->op = (uint8_t)letter;
    return n;
}

/* ---- conditions ---- */

static struct expr_node *parse_or(struct parse *p);

static struct expr_node *parse_simple(struct parse *p)
{
    if (take(p, "(")) {
        struct expr_node *inner = parse_or(p);
        return !inner ? NULL : take(p, ")") ? inner : failed(p, ") or an operator");
    }
    if (take(p, "!") || take_name(p, "not")) {
        struct expr_node *inner;
        if (p->depth++ >= LIMIT_EXPR_DEPTH)
            return failed(p, "less depth");
        inner = parse_simple(p);
        p->depth--;
        return inner ? node_new(p, NODE_NOT, inner) : NULL;
    }
    if (take_name(p, "true"))
        return node_new(p, NODE_TRUE, NULL);
    if (take_name(p, "false"))
        return node_new(p, NODE_FALSE, NULL);
    return *p->at == '-' ? parse_unary(p) : parse_comparison(p);
}

static struct expr_node *parse_chain(struct parse *p, const char *token, const char *word, struct expr_node *(*parse)(struct parse *), enum expr_node_kind kind)
{
    struct expr_node *first = parse(p), *last = first, *wrapped;
    if (!first)
        return NULL;
    while (take(p, token) || take_name(p, word)) {
        if (!(wrapped = parse(p)))
            return NULL;
        last = last->next = wrapped;
    }
    return first == last ? first : node_new(p, kind, first);
}

static struct expr_node *parse_and(struct parse *p) { return parse_chain(p, "&&", "and", parse_simple, NODE_AND); }

static struct expr_node *parse_or(struct parse *p)
{
    if (p->depth++ >= LIMIT_EXPR_DEPTH)
        return failed(p, "less depth");
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
    struct parse p = {e, text, e->texts, error, room, 0, kind & EXPR_RESTRICTED};
    e->root = kind & EXPR_TEXT ? parse_string(&p, 0) : parse_or(&p);
    skip_space(&p);
    if (e->root && !*p.at)
        return e;
    failed(&p, "&&, || or the end");
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
