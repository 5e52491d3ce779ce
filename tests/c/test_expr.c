// sources: expr_parse.c expr_words.c expr_eval.c expr_calls.c expr_vars.c base64.c digest.c access.c auth_file.c env.c env_cgi.c origin.c peer.c request.c table.c buf.c conf.c http_bytes.c
// libs: pcre2-8
/* Expressions: what each operator, variable and function gives (as Apache 2.4 does), what is refused, bounds. */
#include "route_world.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "access.h"
#include "expr.h"
#include "limit.h"

static struct request *make(void)
{
    struct request *r = request_new(100);
    main_server.server_name = "www.example.org";
    main_server.document_root = "/www";
    main_server.use_canonical_name = 1;
    r->server = &main_server;
    r->method = (char *)"GET";
    r->unparsed_uri = (char *)"/a.txt?q=1";
    r->uri = (char *)"/a.txt";
    r->args = (char *)"q=1";
    r->head.minor = 1;
    r->status = 404;
    r->conn_id = 7;
    r->peer = (struct peer){.address = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}, .port = 5, .family = AF_INET};
    table_set(request_headers_in(r), SLICE("X-A"), SLICE("one"));
    table_set(&r->subprocess_env, SLICE("FOO"), SLICE("bar"));
    table_set(&r->notes, SLICE("n"), SLICE("note"));
    return r;
}

static void expect(const struct request *r, const char *text, bool want)
{
    char error[256] = "";
    struct expr_conf conf = {.text = text, .compiled = expr_new(text, EXPR_CONDITION, error, sizeof error)};
    CHECK(conf.compiled, "%s: %s", text, error);
    CHECK(!conf.compiled || expr_holds(&conf, r) == want, "%s is %s", text, want ? "false" : "true");
    expr_free(conf.compiled);
}

static void test_true_and_false(const struct request *r)
{
    static const char *const yes[] = {
        "true", "false || true", "!false", "not false", "!(true && false)", "true && false || true", "true or false and false", "(((true)))", " true ", "! ! true",
        "%{REQUEST_URI} == '/a.txt'", "%{request_uri} = '/a.txt'", "%{REQUEST_URI} != '/b'", "'b' > 'a'", "'a' <= 'a'", "'a' < 'ab'", "'10' < '9'", "'10' -gt '9'",
        "10 gt 9", "'x' -eq 0", "%{REQUEST_STATUS} -ge 400 && %{REQUEST_STATUS} -lt 500", "%{REQUEST_STATUS} ne 200", "12 == 12", "12.3 == '123'",
        "%{REQUEST_URI} =~ /A/i", "%{REQUEST_URI} !~ m#^/b#", "'/x' =~ m|^\\/x|", "%{REQUEST_URI} =~ m#^/(a)\\.(txt)$# && $1 == 'a' && $2.'x' == 'txtx'",
        "'ab' =~ /(b)|(z)/ && \"[$0|$1|$2|$9]\" == '[b|b||]'", "\"a\nb\" =~ /^b/m", "%{HTTP:x-a} in { 'two' , 'one' }", "'' -in {''}", "-z '' && -n 'x'",
        "-z %{HTTP:None} && -z reqenv('None') && -z $5", "-T 'yes' && !-T 'OFF' && !-T '0' && !-T '' && !-T 'No' && ! -T 'false'",
        "%{ENV:FOO} == 'bar' && %{reqenv:FOO} == 'bar' && env('n') == 'note' && note('n') == 'note'", "reqenv('F'.'OO') == 'bar'", "req('X-A') == http('x-a')",
        "tolower(toupper('aBc')) == 'abc'", "escape('a b%') == 'a%20b%25'", "unescape('a%20b%2fc') == 'a b%2fc'", "-z unescape('a%0') && -z unescape('%00')",
        "\"a%{HTTP:X-A}b\" == 'aoneb'", "'a\\'b' == \"a'b\"", "'$' == \"\\$\"", "'100%' == \"100%\"", "-R '127.0.0.0/8'", "-R '127.0'", "-R '127.0.0.1'",
        "-R '127.0.0.0/255.0.0.0'", "%{REMOTE_ADDR} -ipmatch '126.0.0.0/7'", "!(-R '10.0.0.0/8' || -R '::1')", "'fe80::1' -ipmatch 'fe80::/10'",
        "'/a/b' -strmatch '/*' && !('/a/b' -fnmatch '/*')", "'A' -strcmatch 'a'", "'A' -strmatch '[A-Z]'", "-d '/' && -e '/' && !-f '/' && !-h '/' && !-s '/none'",
        "%{REQUEST_METHOD} == 'GET' && %{SERVER_PROTOCOL} == 'HTTP/1.1'", "%{THE_REQUEST} == 'GET /a.txt?q=1 HTTP/1.1'", "%{QUERY_STRING} == 'q=1'",
        "%{HTTPS} == 'off' && %{IS_SUBREQ} == 'false' && %{REMOTE_PORT} -eq 5", "%{SERVER_NAME} == 'www.example.org' && %{DOCUMENT_ROOT} == '/www'",
        "%{TIME_YEAR} -gt 2000 && %{TIME} =~ /^\\d{14}$/ && %{TIME_WDAY} -le 6", "%{REMOTE_USER} == '' && %{AUTH_TYPE} == ''",
        "md5('abc') == '900150983cd24fb0d6963f7d28e17f72' && %{md5:} == 'd41d8cd98f00b204e9800998ecf8427e'",
        "sha1('abc') == 'a9993e364706816aba3e25717850c26c9cd0d89d' && sha1('') == 'da39a3ee5e6b4b0d3255bfef95601890afd80709'",
        "base64('') == '' && base64('a') == 'YQ==' && base64('ab') == 'YWI=' && base64('abc') == 'YWJj' && base64('abcd') == 'YWJjZA=='",
        "unbase64('') == '' && unbase64('YQ==') == 'a' && unbase64('YWI') == 'ab' && unbase64('YWJjZA!!') == 'abcd' && unbase64('Y') == '' && unbase64('!') == ''",
        "ldap('a*(b)=c') == 'a\\\\2a\\\\28b\\\\29=c' && ldap('plain') == 'plain'", "filesize('/none') == 0 && filesize('/') == 0 && filesize('/proc/self/exe') -gt 1000",
        "%{LAST_MODIFIED} == '' && %{HTTP2} == 'off' && %{CONN_LOG_ID} =~ /^\\d+-7$/"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        char negated[512];
        expect(r, yes[i], true);
        snprintf(negated, sizeof negated, "!(%s)", yes[i]);
        expect(r, negated, false);
    }
}

static void test_what_is_refused(void)
{
    static const struct { const char *text, *want; } cases[] = {
        {"", "a word in quotes, %{VARIABLE}, a number or a function expected at the end"}, {"true == true", "&&, || or the end expected, not == true"},
        {"%{NOPE} == ''", "a variable such as REQUEST_URI or REMOTE_ADDR expected, not NOPE} == ''"},
        {"%{NOPE:x} == ''", "a function such as HTTP, ENV, REQENV or RESP before the colon expected, not NOPE:x} == ''"},
        {"%{REQUEST_URI", "closing } of %{ expected, not REQUEST_URI"}, {"'a' =~ 'a'", "a regular expression such as /pattern/ or m#pattern#i expected, not 'a'"},
        {"'a' =~ /(/", "a regular expression expected: missing closing parenthesis, at character 2: ("},
        {"'a' =~ /x", "the closing delimiter of the regular expression expected at the end"}, {"'a' == 'b", "closing ' expected at the end"},
        {"(true", ") or an operator expected at the end"}, {"true)", "&&, || or the end expected, not )"}, {"'x' in { }", "a word in quotes, %{VARIABLE}, a number or a function expected, not }"},
        {"'x' in {'a' 'x'}", "} expected, not 'x'}"}, {"-q 'a'", "-z, -n, -T, -R, -d, -e, -f, -s, -h, -L, -x or a word expected, not -q 'a'"},
        {"-R 'y'", "an address, or address/bits, before this expected at the end"}, {"-R '10.0.0.0/33'", "an address, or address/bits, before this expected at the end"},
        {"-R '1.2.3.4/255.0.255.0'", "an address, or address/bits, before this expected at the end"}, {"TRUE", "a function such as req, resp, reqenv, env, note, osenv, tolower, toupper, escape, unescape, md5 or file expected, not TRUE"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[256] = "";
        struct expr *e = expr_new(cases[i].text, EXPR_CONDITION, error, sizeof error);
        CHECK(!e && strcmp(error, cases[i].want) == 0, "%s: %s", cases[i].text, error);
        expr_free(e);
    }
}

static void test_files(const struct request *r)
{
    static const char *const names[] = {"/none", "/", "fifo"};
    char folder[] = "/tmp/pyhost-expr-XXXXXX", path[100], text[400], *big = malloc(LIMIT_EXPR_VALUE_BYTES + 1);
    CHECK(mkdtemp(folder) && big, "mkdtemp");
    snprintf(path, sizeof path, "%s/file", folder);
    memset(big, 'x', LIMIT_EXPR_VALUE_BYTES + 1);
    for (int more = -LIMIT_EXPR_VALUE_BYTES; more <= 1; more += more < 0 ? LIMIT_EXPR_VALUE_BYTES : 1) {
        FILE *f = fopen(path, "w");
        CHECK(f && fwrite(big, 1, (size_t)(LIMIT_EXPR_VALUE_BYTES + more), f) <= LIMIT_EXPR_VALUE_BYTES + 1 && fclose(f) == 0, "write");
        snprintf(text, sizeof text, "file('%s') =~ /^x*$/ && filesize('%s') -eq %d", path, path, LIMIT_EXPR_VALUE_BYTES + more);
        expect(r, text, more <= 0);
    }
    unlink(path);
    snprintf(path, sizeof path, "%s/fifo", folder);
    CHECK(mkfifo(path, 0600) == 0, "mkfifo");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *last_log = 0;
        snprintf(text, sizeof text, "!(file('%s') == '')", i == 2 ? path : names[i]);
        expect(r, text, false);
        snprintf(text, sizeof text, "file('%s') == '' || md5(file('%s')) == ''", names[i], names[i]);
        expect(r, text, false);
        CHECK(strstr(last_log, "cannot be evaluated: a file cannot be read"), "%s", last_log);
    }
    unlink(path);
    rmdir(folder);
    free(big);
}

static void test_what_htaccess_files_may_not(void)
{
    static const struct { const char *text; bool may; } cases[] = {
        {"md5('a') == 'b' && -f '/a' && osenv('a') == ''", true}, {"file('/a') == ''", false}, {"%{filesize:/a} -eq 0", false}, {"'x' == \"%{FILE:/a}\"", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[256] = "";
        struct expr *e = expr_new(cases[i].text, EXPR_CONDITION, error, sizeof error);
        CHECK(e, "%s: %s", cases[i].text, error);
        expr_free(e);
        e = expr_new(cases[i].text, EXPR_CONDITION | EXPR_RESTRICTED, error, sizeof error);
        CHECK(!e == !cases[i].may && (e || strstr(error, "a function that .htaccess files may call expected")), "%s: %s", cases[i].text, error);
        expr_free(e);
    }
}

static bool is_taken(char open, const char *end, int depth)
{
    char *text = calloc(1, (size_t)depth * 2 + 64), error[256];
    memset(text, open, (size_t)depth);
    memcpy(text + depth, end, strlen(end));
    if (open == '(')
        memset(text + strlen(text), ')', (size_t)depth);
    struct expr *e = expr_new(text, EXPR_CONDITION, error, sizeof error);
    CHECK(e || strstr(error, "less depth expected") == error, "%s", error);
    expr_free(e);
    free(text);
    return e != NULL;
}

static void test_bounds(const struct request *r)
{
    char *text = calloc(1, LIMIT_EXPR_BYTES + 2), error[256], *big = calloc(1, LIMIT_EXPR_VALUE_BYTES + 1);
    CHECK(is_taken('(', "true", LIMIT_EXPR_DEPTH - 1) && !is_taken('(', "true", LIMIT_EXPR_DEPTH), "parentheses");
    CHECK(is_taken('!', "true", LIMIT_EXPR_DEPTH - 1) && !is_taken('!', "true", LIMIT_EXPR_DEPTH), "negations");
    memset(text, ' ', LIMIT_EXPR_BYTES);
    memcpy(text, "true", 4);
    struct expr *e = expr_new(text, EXPR_CONDITION, error, sizeof error);
    CHECK(e, "%s", error);
    expr_free(e);
    text[LIMIT_EXPR_BYTES] = ' ';
    CHECK(!expr_new(text, EXPR_CONDITION, error, sizeof error) && !strcmp(error, "at most 8192 bytes of expression expected"), "%s", error);
    memset(big, 'x', LIMIT_EXPR_VALUE_BYTES);
    table_set((struct table *)&r->subprocess_env, SLICE("BIG"), slice_text(big));
    expect(r, "%{ENV:BIG}.'' =~ /x$/", true);
    *last_log = 0;
    expect(r, "%{ENV:BIG}.'x' =~ /x$/", false);
    expect(r, "!(%{ENV:BIG}.'x' =~ /x$/)", false);
    CHECK(strstr(last_log, "cannot be evaluated: a text is longer than LIMIT_EXPR_VALUE_BYTES"), "%s", last_log);
    expect(r, "-n tolower(escape(%{ENV:BIG}))", true);
    free(text);
    free(big);
}

static const char *vary_of(struct request *r, const char *text, bool (*ask)(const struct expr_conf *, const struct request *))
{
    char error[64];
    struct expr_conf conf = {.text = text, .compiled = expr_new(text, EXPR_CONDITION, error, sizeof error)};
    table_clear(&r->headers_out);
    table_set(&r->headers_out, SLICE("Vary"), SLICE("X-Before"));
    ask(&conf, r);
    expr_free(conf.compiled);
    const struct table_entry *e = table_find(&r->headers_out, SLICE("Vary"));
    return e ? e->value : "";
}

static void test_what_the_answer_varies_with(struct request *r)
{
    static const struct { const char *text, *want; } cases[] = {
        {"true", "X-Before"}, {"%{HTTP_USER_AGENT} == 'x' || %{HTTP:accept} == 'y'", "X-Before, User-Agent, accept"}, {"req('X-A') == req('x-a')", "X-Before, X-A"},
        {"%{HTTP_HOST} == req('Host') && req_novary('X-A') == 'one'", "X-Before"}, {"false && -z req('X-A')", "X-Before"}, {"-z req('x-before')", "X-Before"},
        {"-n req('not a name') || -n req('')", "X-Before"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = vary_of(r, cases[i].text, expr_decides);
        CHECK(strcmp(got, cases[i].want) == 0, "%s: %s", cases[i].text, got);
        CHECK(strcmp(vary_of(r, cases[i].text, expr_holds), "X-Before") == 0, "%s", cases[i].text);
    }
    table_clear(&r->headers_out);
}

static void test_texts(const struct request *r)
{
    static const struct { const char *text, *want; } cases[] = {
        {"", ""}, {"plain 'text' \"too\"", "plain 'text' \"too\""}, {"%{REQUEST_METHOD} of %{HTTP:X-A}!", "GET of one!"}, {"%{HTTP:None}", ""}, {"a\\%{b} 5%", "a%{b} 5%"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[256] = "";
        struct expr_conf conf = {.text = cases[i].text, .kind = EXPR_TEXT, .compiled = expr_new(cases[i].text, EXPR_TEXT, error, sizeof error)};
        struct slice value = conf.compiled ? expr_value(&conf, r) : slice_text(error);
        CHECK(value.at && slice_eq(value, slice_text(cases[i].want)), "%s: %.*s", cases[i].text, (int)value.len, value.at);
        expr_free(conf.compiled);
    }
}

static void test_who_asks_for_the_user(void)
{
    char error[64];
    struct expr_conf conf = {.compiled = expr_new("%{REMOTE_USER} == 'x'", EXPR_CONDITION, error, sizeof error)};
    CHECK(expr_asks_user(&conf), "it does");
    expr_free(conf.compiled);
    conf.compiled = expr_new("%{REMOTE_ADDR} == 'REMOTE_USER'", EXPR_CONDITION, error, sizeof error);
    CHECK(!expr_asks_user(&conf), "it does not");
    expr_free(conf.compiled);
}

int main(void)
{
    struct request *r = make();
    test_true_and_false(r);
    test_what_is_refused();
    test_files(r);
    test_what_htaccess_files_may_not();
    test_bounds(r);
    test_what_the_answer_varies_with(r);
    test_texts(r);
    test_who_asks_for_the_user();
    request_unref(r);
    return check_result();
}
