/* SetEnvIf, SetEnv, Header and RequestHeader with their formats, the environment of CGI. */
// sources: env.c env_header.c env_cgi.c expr_parse.c expr_words.c expr_eval.c expr_calls.c expr_vars.c base64.c digest.c access.c auth_file.c origin.c peer.c request.c table.c buf.c conf.c http_bytes.c
// libs: pcre2-8
#include "env.h"
#include "origin.h"
#include "route_world.h"

static struct dir_conf conf;

static struct request *request_with(const char *const *headers)
{
    struct request *r = request_for(&main_server, "/dir/page");
    r->conf = &conf;
    r->head.minor = 1;
    r->headers_in_built = true;
    for (; headers && *headers; headers += 2)
        table_add_borrowed(&r->headers_in, slice_text(headers[0]), slice_text(headers[1]));
    return r;
}

static const char *env(const struct request *r, const char *name)
{
    struct slice value = env_get(r, slice_text(name));
    return value.at ? value.at : "(none)";
}

static void test_setenvif(void)
{
    static const char *const headers[] = {"User-Agent", "Mozilla/5.0 (X11)", "X-Forwarded-Proto", "https", NULL};
    static const struct pair_conf moz[] = {{"moz", "1"}, {"version", "v$1"}, {"rest", "$2"}}, https[] = {{"HTTPS", "on"}}, unset[] = {{"moz", NULL}}, seen[] = {{"seen", "1"}},
        page[] = {{"page", "$0"}}, absent[] = {{"absent", "1"}}, get[] = {{"get", "$0"}}, addr[] = {{"addr", "$0"}}, proto[] = {{"proto", "$0"}};
    struct setenvif_rule rules[] = {
        {.attribute = "User-Agent", .regex = regex_for("^Mozilla/([0-9.]+)(x)?"), .set = moz, .count = 3},
        {.attribute = "^X-Forwarded-.*", .attribute_regex = regex_for("^X-Forwarded-.*"), .regex = regex_for("^https$"), .set = https, .count = 1},
        {.attribute = "moz", .regex = regex_for("1"), .set = seen, .count = 1}, {.attribute = "version", .regex = regex_for("v5"), .set = unset, .count = 1},
        {.attribute = "Request_URI", .regex = regex_for("/page$"), .set = page, .count = 1}, {.attribute = "X-None", .regex = regex_for("^$"), .set = absent, .count = 1},
        {.attribute = "request_method", .regex = regex_for("GET|POST"), .set = get, .count = 1}, {.attribute = "Remote_Addr", .regex = regex_for("^10\\."), .set = addr, .count = 1},
        {.attribute = "Request_Protocol", .regex = regex_for(".*"), .set = proto, .count = 1}, {.attribute = "Remote_Host", .regex = regex_for("."), .set = moz, .count = 1}};
    enum { N = sizeof rules / sizeof *rules };
    conf = (struct dir_conf){.setenvif = rules, .setenvif_count = N};
    struct request *r = request_with(headers);
    r->useragent_ip = (char *)"10.0.0.7";
    env_apply(r, false);
    static const struct { const char *name, *value; } cases[] = {
        {"moz", "(none)"}, {"seen", "1"}, {"version", "v5.0"}, {"rest", ""}, {"HTTPS", "on"}, {"page", "/page"}, {"absent", "1"}, {"get", "GET"}, {"addr", "10."},
        {"proto", "HTTP/1.1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(!strcmp(env(r, cases[i].name), cases[i].value), "%s: %s", cases[i].name, env(r, cases[i].name));
    static const struct pair_conf set[] = {{"a", "1"}, {"seen", NULL}, {"moz", "again"}};
    conf = (struct dir_conf){.setenv = set, .setenv_count = 3};
    env_apply(r, true);
    CHECK(!strcmp(env(r, "a"), "1") && !strcmp(env(r, "seen"), "(none)") && !strcmp(env(r, "moz"), "again"), "SetEnv, UnsetEnv");
    CHECK(env_allows(r, "a") && !env_allows(r, "!a") && !env_allows(r, "seen") && env_allows(r, "!seen") && env_allows(r, NULL), "conditions");
    request_unref(r);
    for (int i = 0; i < N; i++) {
        bridge_regex_free(&rules[i].regex);
        if (rules[i].attribute_regex.pattern)
            bridge_regex_free(&rules[i].attribute_regex);
    }
}

static char *shown(const struct table *t)
{
    static char text[2000];
    int n = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < t->count; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s%s: %s", i ? "; " : "", t->entries[i].key, t->entries[i].value);
    return text;
}

static void test_header_operations(void)
{
    static const struct { struct header_rule rule; const char *regex; const char *result; } cases[] = {
        {{.op = HEADER_SET, .name = "X", .value = "new"}, NULL, "X: new; Y: b; List: a, b"},
        {{.op = HEADER_SET, .name = "N", .value = "v"}, NULL, "X: one; Y: b; X: two; List: a, b; N: v"},
        {{.op = HEADER_ADD, .name = "X", .value = "new"}, NULL, "X: one; Y: b; X: two; List: a, b; X: new"},
        {{.op = HEADER_APPEND, .name = "List", .value = "b"}, NULL, "X: one; Y: b; X: two; List: a, b, b"},
        {{.op = HEADER_MERGE, .name = "list", .value = "b"}, NULL, "X: one; Y: b; X: two; List: a, b"},
        {{.op = HEADER_MERGE, .name = "list", .value = "c"}, NULL, "X: one; Y: b; X: two; List: a, b, c"},
        {{.op = HEADER_UNSET, .name = "x"}, NULL, "Y: b; List: a, b"},
        {{.op = HEADER_SETIFEMPTY, .name = "y", .value = "no"}, NULL, "X: one; Y: b; X: two; List: a, b"},
        {{.op = HEADER_SETIFEMPTY, .name = "Z", .value = "yes"}, NULL, "X: one; Y: b; X: two; List: a, b; Z: yes"},
        {{.op = HEADER_EDIT, .name = "X", .value = "<$0>"}, "[oe]", "X: <o>ne; Y: b; X: tw<o>; List: a, b"},
        {{.op = HEADER_EDIT_ALL, .name = "X", .value = "<$0>"}, "[oe]", "X: <o>n<e>; Y: b; X: tw<o>; List: a, b"},
        {{.op = HEADER_EDIT_ALL, .name = "Y", .value = "-"}, "x*", "X: one; Y: -b; X: two; List: a, b"},
        {{.op = HEADER_SET, .name = "X", .value = "v", .env = "unset"}, NULL, "X: one; Y: b; X: two; List: a, b"},
        {{.op = HEADER_SET, .name = "X", .value = "v", .env = "!unset"}, NULL, "X: v; Y: b; List: a, b"},
        {{.op = HEADER_SET, .name = "X", .value = "%{var}e %{no}e 100%% %q%"}, NULL, "X: a  b (null) 100% %q%; Y: b; List: a, b"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct header_rule rule = cases[i].rule;
        if (cases[i].regex)
            rule.regex = regex_for(cases[i].regex);
        for (int response = 0; response < 2; response++) {
            conf = (struct dir_conf){.header_rules = &rule, .header_rule_count = response, .request_header_rules = &rule, .request_header_rule_count = !response};
            struct request *r = request_with(NULL);
            struct table *t = response ? &r->headers_out : &r->headers_in;
            table_add(t, SLICE("X"), SLICE("one"));
            table_add(t, SLICE("Y"), SLICE("b"));
            table_add(t, SLICE("X"), SLICE("two"));
            table_add(t, SLICE("List"), SLICE("a, b"));
            table_set(&r->subprocess_env, SLICE("var"), SLICE("a\r\nb"));
            env_request_headers(r);
            env_response_headers(r, r->conf, true);
            CHECK(!response || !strcmp(shown(t), "X: one; Y: b; X: two; List: a, b"), "not on errors: %s", shown(t));
            env_response_headers(r, r->conf, false);
            CHECK(!strcmp(shown(t), cases[i].result), "case %zu: %s", i, shown(t));
            request_unref(r);
        }
        if (cases[i].regex)
            bridge_regex_free(&rule.regex);
    }
}

static void test_header_places(void)
{
    struct header_rule rules[] = {{.op = HEADER_SET, .always = 1, .name = "A", .value = "%t"}, {.op = HEADER_SET, .name = "Content-Type", .value = "x/y"},
                                  {.op = HEADER_NOTE, .name = "B", .value = "note"}, {.op = HEADER_SET, .name = "L", .value = "%l"}, {.op = HEADER_SET, .name = "D", .value = "%D"}};
    conf = (struct dir_conf){.header_rules = rules, .header_rule_count = 5};
    struct request *r = request_with(NULL);
    r->start_us = 1234;
    r->content_type = (char *)"text/plain";
    table_set(&r->headers_out, SLICE("B"), SLICE("b"));
    env_response_headers(r, r->conf, true);
    CHECK(!strcmp(shown(&r->err_headers_out), "A: t=1234") && !strcmp(r->content_type, "text/plain"), "always");
    env_response_headers(r, r->conf, false);
    CHECK(!strcmp(r->content_type, "x/y") && r->headers_out.count == 3 && !strncmp(r->headers_out.entries[2].value, "D=", 2), "%s", shown(&r->headers_out));
    CHECK(!strcmp(shown(&r->notes), "note: b"), "note: %s", shown(&r->notes));
    rules[1].op = HEADER_UNSET;
    env_response_headers(r, r->conf, false);
    CHECK(!r->content_type, "unset Content-Type");
    request_unref(r);
    char *large = malloc(20001);
    memset(large, 'x', 20000);
    large[20000] = 0;
    rules[0].value = large;
    r = request_with(NULL);
    env_response_headers(r, r->conf, true);
    CHECK(!r->err_headers_out.count && strstr(last_log, "16384"), "a value above the bound is left out and logged: %s", last_log);
    request_unref(r);
    free(large);
}

static void test_cgi_variables(void)
{
    static const char *const headers[] = {"Host", "h", "Content-Type", "a/b", "Content-Length", "5", "X-One-Two", "v", "X_Bad", "v", "X.Dot", "v", "Proxy", "evil", "Authorization", "secret",
                                          "Proxy-Authorization", "secret", "x-low9", "w", NULL};
    conf = (struct dir_conf){0};
    struct request *r = request_with(headers);
    struct peer ends[2] = {{.family = AF_INET, .port = 5000, .address = {[10] = 0xff, [11] = 0xff, 10, 1, 2, 3}}, {.family = AF_INET6, .port = 8081, .address = {[15] = 1}}};
    r->peer = ends[0];
    r->local = ends[1];
    r->hostname = (char *)"asked.example";
    r->head.port = 8080;
    r->filename = (char *)"/docs/dir";
    r->path_info = (char *)"/page";
    r->unparsed_uri = (char *)"/dir/p%61ge?a=b";
    r->args = (char *)"a=b";
    r->user = (char *)"joe";
    r->auth_type = (char *)"Basic";
    env_add_common(r);
    env_add_cgi(r);
    static const struct { const char *name, *value; } cases[] = {
        {"HTTP_HOST", "h"}, {"CONTENT_TYPE", "a/b"}, {"CONTENT_LENGTH", "5"}, {"HTTP_X_ONE_TWO", "v"}, {"HTTP_X_BAD", "(none)"}, {"HTTP_X.DOT", "(none)"}, {"HTTP_PROXY", "(none)"},
        {"HTTP_AUTHORIZATION", "(none)"}, {"HTTP_PROXY_AUTHORIZATION", "(none)"}, {"HTTP_X_LOW9", "w"}, {"HTTP_CONTENT_TYPE", "(none)"}, {"SERVER_NAME", "asked.example"},
        {"SERVER_PORT", "8080"}, {"SERVER_ADDR", "::1"}, {"REMOTE_ADDR", "10.1.2.3"}, {"REMOTE_PORT", "5000"}, {"DOCUMENT_ROOT", "/docs"}, {"REQUEST_SCHEME", "http"},
        {"SCRIPT_FILENAME", "/docs/dir"}, {"REMOTE_USER", "joe"}, {"AUTH_TYPE", "Basic"}, {"GATEWAY_INTERFACE", "CGI/1.1"}, {"SERVER_PROTOCOL", "HTTP/1.1"},
        {"REQUEST_METHOD", "GET"}, {"QUERY_STRING", "a=b"}, {"REQUEST_URI", "/dir/p%61ge?a=b"}, {"SCRIPT_NAME", "/dir"}, {"PATH_INFO", "/page"},
        {"PATH_TRANSLATED", "/docs/page"}, {"HTTPS", "(none)"}, {"CONTEXT_DOCUMENT_ROOT", "/docs"}, {"SERVER_ADMIN", "[no address given]"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(!strcmp(env(r, cases[i].name), cases[i].value), "%s: %s", cases[i].name, env(r, cases[i].name));
    CHECK(!strncmp(env(r, "SERVER_SOFTWARE"), "pyhost", 6), "%s", env(r, "SERVER_SOFTWARE"));
    r->filename = NULL;
    r->secure = true;
    r->useragent_ip = (char *)"192.0.2.1";
    table_clear(&r->subprocess_env);
    env_add_common(r);
    const struct table_entry *script = table_find(&r->subprocess_env, SLICE("SCRIPT_FILENAME"));
    CHECK(script && !script->value, "without a file the key has no value");
    CHECK(!strcmp(env(r, "HTTPS"), "on") && !strcmp(env(r, "REQUEST_SCHEME"), "https") && !strcmp(env(r, "REMOTE_ADDR"), "192.0.2.1") && !strcmp(env(r, "REMOTE_PORT"), "(none)"), "proxied");
    request_unref(r);
}

static void test_origin(void)
{
    static const struct { const char *server_name; int server_port, canonical; const char *host; int port; bool secure; const char *url; } cases[] = {
        {"s.example", 0, 0, "h.example", 0, false, "http://h.example/x"}, {"s.example", 0, 0, "h.example", 8080, false, "http://h.example:8080/x"},
        {"s.example", 0, 0, "h.example", 80, false, "http://h.example/x"}, {"s.example", 0, 0, "h.example", 443, true, "https://h.example/x"},
        {"s.example", 8443, 0, "h.example", 0, false, "http://h.example:8443/x"}, {"s.example", 8443, 1, "h.example", 99, false, "http://s.example:8443/x"},
        {"s.example", 0, 1, "h.example", 99, false, "http://s.example:8081/x"}, {"s.example", 0, 0, NULL, 0, false, "http://s.example:8081/x"},
        {NULL, 0, 1, "h.example", 99, false, "http://h.example:8081/x"}, {NULL, 0, 0, NULL, 0, false, "http://[::1]:8081/x"},
        {"s.example", 0, 0, "[::2]", 81, false, "http://[::2]:81/x"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct server_conf server = main_server;
        server.server_name = cases[i].server_name;
        server.server_port = cases[i].server_port;
        server.use_canonical_name = cases[i].canonical;
        struct request *r = request_for(&server, "/");
        r->local = (struct peer){.family = AF_INET6, .port = 8081, .address = {[15] = 1}};
        r->hostname = (char *)cases[i].host;
        r->head.port = (uint32_t)cases[i].port;
        r->secure = cases[i].secure;
        CHECK(!strcmp(origin_url(r, SLICE("/x")), cases[i].url), "case %zu: %s", i, origin_url(r, SLICE("/x")));
        request_unref(r);
    }
}

int main(void)
{
    test_setenvif();
    test_header_operations();
    test_header_places();
    test_cgi_variables();
    test_origin();
    return check_result();
}
