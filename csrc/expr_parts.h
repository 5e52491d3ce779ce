/* What the files of expressions share; nobody outside includes it. */
#ifndef PYHOST_EXPR_PARTS_H
#define PYHOST_EXPR_PARTS_H

#include "expr.h"
#include "limit.h"
#include "regex.h"
#include "slice.h"

enum expr_node_kind {
    /* conditions; args: their operands */
    NODE_TRUE, NODE_FALSE, NODE_NOT, NODE_AND, NODE_OR, NODE_COMPARE_TEXT, NODE_COMPARE_NUMBER, NODE_MATCH, NODE_IN, NODE_IS, NODE_GLOB, NODE_ADDRESS,
    NODE_FILE,
    /* words */
    NODE_TEXT, NODE_JOIN, NODE_GROUP, NODE_VARIABLE, NODE_CALL
};
/* Which results of a comparison (less, equal, greater) make it true. */
enum expr_order { ORDER_LESS = 1, ORDER_EQUAL = 2, ORDER_GREATER = 4 };
enum expr_glob { GLOB_ANY, GLOB_ANY_NOCASE, GLOB_PATH };

struct expr_node;
/* text: the argument of %{name:text} or of a function, already evaluated; {NULL, 0} for plain variables. */
typedef struct slice (*expr_read_fn)(struct request *r, struct slice text);
struct expr_node {
    struct expr_node *made; /* the one that was allocated before */
    struct expr_node *args, *next;
    struct slice text;      /* NODE_TEXT, borrowed from the expression; NODE_VARIABLE: the field of the request that it is, {NULL, 0}: none */
    struct regex_conf regex;/* NODE_MATCH; owned */
    expr_read_fn read;      /* NODE_VARIABLE, NODE_CALL */
    uint8_t kind;           /* enum expr_node_kind */
    uint8_t op;             /* enum expr_order, enum expr_glob, a group's number, the letter of NODE_IS and NODE_FILE */
    bool negated;           /* != !~ */
    bool varies;            /* NODE_CALL: its argument is the name of a field of the request */
};
struct expr { struct expr_node *root, *made; char *texts; bool asks_user; }; /* owned */

/* expr_words.c. Where an expression is read: at is what comes next, room where the next text of the tree goes. What returns a node returns NULL when
 * that is not there, and error says what was expected. */
struct expr_parse { struct expr *e; const char *at; char *room; char *error; size_t error_room; int depth; bool restricted; };
struct expr_node *expr_expected(struct expr_parse *p, const char *what); /* NULL; what: was expected, unless it is known what was */
struct expr_node *expr_node_new(struct expr_parse *p, enum expr_node_kind kind, struct expr_node *args);
void expr_skip_space(struct expr_parse *p);
bool expr_take(struct expr_parse *p, const char *token);      /* with the space before it. False: it does not stand here */
struct slice expr_name_here(struct expr_parse *p);            /* a name (letters, digits, _), not taken */
bool expr_take_name(struct expr_parse *p, const char *name);
struct expr_node *expr_variable_node(struct expr_parse *p, struct slice name);
/* Text with %{…} and $0 … $9 in it, up to the quote (which is taken) or, quote 0, to the end. */
struct expr_node *expr_parse_string(struct expr_parse *p, char quote);
struct expr_node *expr_parse_word(struct expr_parse *p);
struct expr_node *expr_parse_words(struct expr_parse *p, const char *end); /* word, word … and the end behind them */

#define EXPR_READER(name) static struct slice name(struct request *r, struct slice text)
/* expr_vars.c: NULL: there is no such variable. Names are read without regard to case. */
struct expr_variable { const char *name; expr_read_fn read; const char *field; /* of the request; NULL: it is none */ };
const struct expr_variable *expr_variable(struct slice name);
extern const struct slice expr_nothing;
struct slice expr_number(struct request *r, int64_t value);
/* expr_calls.c: the same for functions. */
struct expr_function {
    const char *name;
    expr_read_fn read;
    bool restricted; /* not for .htaccess files */
    bool varies;     /* its argument names a field of the request, for Vary */
};
const struct expr_function *expr_function(struct slice name);
/* Where a text of no length begins that could not be read; it says why. */
extern const char expr_no_file[];
/* "10.0.0.0/8", "10.1", "::1", "fe80::/10". False: none of these. */
bool expr_net_parse(struct slice text, struct net_conf *out);

#endif
