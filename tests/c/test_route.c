/* Virtual hosts, sections and their order, aliases, redirects, the caches. */
// sources: route.c route_server.c route_section.c route_cache.c route_alias.c route_split.c route_type.c route_mime.c glob.c prefix.c origin.c peer.c errors.c
// sources: request.c table.c buf.c conf.c http_bytes.c
// libs: pcre2-8
#include <fcntl.h>
#include <sys/stat.h>

#include "glob.h"
#include "limit.h"
#include "prefix.h"
#include "route_world.h"

static void test_globs(void)
{
    static const struct { const char *pattern, *text; bool matches; } cases[] = {
        {"*", "", true}, {"*", "abc", true}, {"*", "a/b", false}, {"?", "/", false}, {"a?c", "abc", true}, {"a?c", "ac", false},
        {"*.py", "x.py", true}, {"*.py", "x.pyc", false}, {"*.py*", "x.pyc", true}, {"/a/*/c", "/a/b/c", true}, {"/a/*/c", "/a/b/b/c", false},
        {"/a/*c*/d", "/a/xcx/d", true}, {"/a/*c*/d", "/a/xx/d", false}, {"[a-c]x", "bx", true}, {"[!a-c]x", "bx", false}, {"[^a-c]x", "dx", true},
        {"[]]", "]", true}, {"[a", "[a", true}, {"[a-]", "-", true}, {"[/]", "/", false}, {"[!x]", "/", false}, {"\\*", "*", true}, {"\\*", "x", false},
        {"**", "ab", true}, {"a*b*c*d", "a1b2c3d", true}, {"a*b*c*d", "a1b2c3", false}, {"*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false},
        {"", "", true}, {"", "a", false}, {"?\?/?", "ab/c", true}, {"*/x", "/x", true}, {"[\\]]", "]", true}, {"a\\", "a\\", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct guarded text = guard_copy(cases[i].text, strlen(cases[i].text));
        CHECK(glob_match(cases[i].pattern, slice_of(text.at, text.len)) == cases[i].matches, "%s on %s", cases[i].pattern, cases[i].text);
        guard_free(&text);
    }
}

static bool naive_prefix(const char *pattern, const char *path)
{
    size_t n = strlen(pattern);
    return !strncmp(pattern, path, n) && (pattern[n - 1] == '/' || !path[n] || path[n] == '/');
}

/* The index finds what comparing with every pattern finds, for random patterns and paths over a small alphabet. */
static void test_prefixes_against_comparing(void)
{
    char patterns[60][12], path[20];
    uint64_t seed = 7;
    for (int round = 0; round < 300; round++) {
        struct prefix_index index = {0};
        int count = (int)check_random(&seed, 60), out[60];
        for (int i = 0; i < count; i++) {
            size_t n = 1 + check_random(&seed, 10);
            for (size_t k = 0; k < n; k++)
                patterns[i][k] = k && patterns[i][k - 1] == '/' ? 'a' : "ab/"[check_random(&seed, 3)];
            patterns[i][0] = '/';
            patterns[i][n] = 0;
            CHECK(prefix_add(&index, slice_text(patterns[i]), i) == 0, "add");
        }
        for (int k = 0; k < 40; k++) {
            size_t n = 1 + check_random(&seed, 18);
            int expected = 0, least = -1;
            for (size_t j = 0; j < n; j++)
                path[j] = j && path[j - 1] == '/' ? 'a' : "ab/"[check_random(&seed, 3)];
            path[0] = '/';
            path[n] = 0;
            struct guarded g = guard_copy(path, n);
            int found = prefix_find(&index, slice_of(g.at, n), out, 60), first = prefix_find_least(&index, slice_of(g.at, n));
            for (int i = 0; i < count; i++) {
                bool in = false;
                for (int j = 0; j < found; j++)
                    in |= out[j] == i;
                CHECK(in == naive_prefix(patterns[i], path), "%s on %s", patterns[i], path);
                expected += naive_prefix(patterns[i], path);
                if (least < 0 && naive_prefix(patterns[i], path))
                    least = i;
            }
            CHECK(found == expected && first == least, "%s: %d of %d, %d of %d", path, found, expected, first, least);
            guard_free(&g);
        }
        prefix_clear(&index);
    }
    struct prefix_index empty = {0};
    CHECK(prefix_find(&empty, SLICE("/a"), NULL, 0) == 0 && prefix_find_least(&empty, SLICE("/")) == -1, "empty index");
}

static struct address_conf ip(const char *text, int port)
{
    struct address_conf a = {.family = AF_INET, .port = port};
    unsigned b[4];
    if (text[0] == '*')
        return (struct address_conf){.port = port};
    CHECK(sscanf(text, "%u.%u.%u.%u", b, b + 1, b + 2, b + 3) == 4, "%s", text);
    for (int i = 0; i < 4; i++)
        a.address[i] = (unsigned char)b[i];
    return a;
}

static void test_virtual_hosts(void)
{
    struct address_conf a1 = ip("*", 80), a2 = ip("*", 80), a3 = ip("10.0.0.1", 80), a4 = ip("10.0.0.1", 0), a5 = ip("*", 80), a6 = ip("10.0.0.1", 80);
    struct address_conf every = ip("*", 0);
    const char *alias[] = {"alias.example"}, *wild[] = {"*.wild.example", "w??.example"}, *early[] = {"*.b.example"};
    struct server_conf hosts[] = {
        main_server,
        {.index = 1, .is_virtual = 1, .server_name = "One.Example", .addresses = &a1, .address_count = 1, .wild_names = early, .wild_name_count = 1},
        {.index = 2, .is_virtual = 1, .server_name = "x.b.example", .addresses = &a2, .address_count = 1, .alias_names = alias, .alias_name_count = 1},
        {.index = 3, .is_virtual = 1, .server_name = "ip.example", .addresses = &a3, .address_count = 1},
        {.index = 4, .is_virtual = 1, .server_name = "ipany.example", .addresses = &a4, .address_count = 1},
        {.index = 5, .is_virtual = 1, .server_name = "w.example", .addresses = &a5, .address_count = 1, .wild_names = wild, .wild_name_count = 2},
        {.index = 6, .is_virtual = 1, .server_name = "ip2.example", .addresses = &a6, .address_count = 1},
        {.index = 7, .is_virtual = 1, .server_name = "every.example", .addresses = &every, .address_count = 1},
    };
    struct server_conf *list[8];
    for (int i = 0; i < 8; i++) {
        hosts[i].base = &base_set.conf;
        list[i] = &hosts[i];
    }
    struct main_conf conf = {.servers = list, .server_count = 7};
    struct route *route = route_new(&conf, world_merge);
    static const struct { const char *address; int port; const char *host; int server; } cases[] = {
        {"10.1.1.1", 80, "one.example", 1}, {"10.1.1.1", 80, "", 1}, {"10.1.1.1", 80, "nobody", 1}, {"10.1.1.1", 80, "alias.example", 2},
        {"10.1.1.1", 80, "x.b.example", 1 /* the wildcard of an earlier host wins */}, {"10.1.1.1", 80, "b.example", 1},
        {"10.1.1.1", 80, "a.wild.example", 5}, {"10.1.1.1", 80, "a.b.c.wild.example", 5}, {"10.1.1.1", 80, "wild.example", 1},
        {"10.1.1.1", 80, "wxy.example", 5}, {"10.1.1.1", 80, "wx.example", 1}, {"10.1.1.1", 81, "one.example", 0},
        {"10.0.0.1", 80, "one.example", 3 /* best address first */}, {"10.0.0.1", 80, "ip2.example", 6}, {"10.0.0.1", 81, "ip.example", 4},
        {"10.0.0.1", 80, "ipany.example", 3}, {"10.1.1.1", 80, "w.example", 5}, {"10.1.1.1", 80, ".wild.example", 5}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address_conf local = ip(cases[i].address, cases[i].port);
        int got = route_server(route, &local, slice_text(cases[i].host))->index;
        CHECK(got == cases[i].server, "%s:%d %s gave %d", cases[i].address, cases[i].port, cases[i].host, got);
    }
    struct address_conf mapped = {.family = AF_INET6, .port = 80, .address = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}};
    CHECK(route_server(route, &mapped, SLICE("ip2.example"))->index == 6, "IPv4 over IPv6");
    struct address_conf sock = {.family = AF_UNIX, .path = "/run/x"};
    CHECK(route_server(route, &sock, SLICE("alias.example"))->index == 2, "hosts of any address serve unix sockets");
    struct listen_conf any = {.address = ip("0.0.0.0", 80)}, one = {.address = ip("10.0.0.1", 80)};
    CHECK(route_needs_local_address(route, &any) && !route_needs_local_address(route, &one), "needs the local address");
    route_free(route);
    conf.server_count = 8;
    route = route_new(&conf, world_merge);
    CHECK(route_server(route, &(struct address_conf){.family = AF_INET, .port = 81}, SLICE("x"))->index == 7, "*:* is the last resort");
    route_free(route);
}

static struct section_conf section(int id, int kind, const char *pattern)
{
    struct section_conf s = {.id = id, .kind = kind, .pattern = pattern, .pattern_len = (int)strlen(pattern), .parent_id = -1};
    if (kind == SECTION_LOCATION_MATCH || kind == SECTION_DIRECTORY_MATCH || kind == SECTION_FILES_MATCH)
        s.regex = regex_for(pattern);
    else
        s.is_glob = strpbrk(pattern, "*?[") != NULL;
    return s;
}

static void sections_free(struct section_conf *s, int count)
{
    for (int i = 0; i < count; i++)
        if (s[i].regex.pattern)
            bridge_regex_free(&s[i].regex);
}

static void test_sections_in_merge_order(void)
{
    struct section_conf s[] = {
        section(1, SECTION_LOCATION, "/a"), section(2, SECTION_LOCATION_MATCH, "^/a/b"), section(3, SECTION_LOCATION, "/"),
        section(4, SECTION_LOCATION, "/a/b/"), section(5, SECTION_LOCATION, "/*/b"), section(6, SECTION_DIRECTORY, "/docs/a"),
        section(7, SECTION_DIRECTORY, "/docs"), section(8, SECTION_DIRECTORY, "/docs/*"), section(9, SECTION_DIRECTORY_MATCH, "/a/b$"),
        section(13, SECTION_LOCATION, "/a")};
    enum { N = sizeof s / sizeof *s };
    struct server_conf server = main_server, *list[] = {&server};
    server.sections = s;
    server.section_count = N;
    struct main_conf conf = {.servers = list, .server_count = 1};
    struct route *route = route_new(&conf, world_merge);
    static const struct { const char *uri, *location, *all; } cases[] = {
        {"/", "3", "7,3"}, {"/a", "1,3,13", "7,6,8,1,3,13"}, {"/ab", "3", "7,8,3"}, {"/a/b", "1,2,3,5,13", "7,6,8,9,1,2,3,5,13"},
        {"/a/b/", "1,2,3,4,13", "7,6,8,9,1,2,3,4,13"}, {"/x/b", "3,5", "7,8,3,5"}, {"/a/b/c", "1,2,3,4,13", "7,6,8,9,1,2,3,4,13"}};
    by_id[3].set_handler = "mod_python"; /* needs no file: the path counts as it stands */
    for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
        const char *uri = cases[i / 2].uri;
        struct request *r = request_for(&server, uri);
        CHECK(route_location(route, r, true) == ROUTE_OK && !strcmp(ids_of_conf(r->conf), cases[i / 2].location), "%s: %s", uri, ids_of_conf(r->conf));
        CHECK(route_map(route, r, true) == ROUTE_OK && !strcmp(ids_of_conf(r->conf), cases[i / 2].all), "%s: %s", uri, ids_of_conf(r->conf));
        request_unref(r);
    }
    by_id[3].set_handler = NULL;
    sections_free(s, N);
    route_free(route);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s", path);
    close(fd);
}

static const char *map_ids(struct route *route, const struct server_conf *server, const char *uri, int *status)
{
    static char ids[200];
    struct request *r = request_for(server, uri);
    enum route_result result = route_map(route, r, true);
    *status = result == ROUTE_STATUS ? r->status : 0;
    snprintf(ids, sizeof ids, "%s", result == ROUTE_OK ? ids_of_conf(r->conf) : "-");
    request_unref(r);
    return ids;
}

/* Files speak of the base name of the file, also where the handler of a Location looks at no file and path_info follows. */
static void test_files_sections(void)
{
    char root[] = "/tmp/pyhost-route-XXXXXX", path[300];
    int status;
    CHECK(mkdtemp(root) != NULL, "mkdtemp");
    snprintf(path, sizeof path, "%s/b", root);
    write_file(path, "");
    struct section_conf s[] = {section(1, SECTION_FILES_MATCH, "^[bc]$"), section(2, SECTION_FILES, "b"), section(3, SECTION_FILES, "b"),
                               section(4, SECTION_DIRECTORY, root), section(5, SECTION_LOCATION, "/"), section(6, SECTION_FILES, "*.ht*")};
    s[1].parent_id = 4;
    s[2].parent_id = 99;
    struct server_conf server = main_server, *list[] = {&server};
    server.sections = s;
    server.section_count = 6;
    server.document_root = root;
    struct main_conf conf = {.servers = list, .server_count = 1};
    static const struct { const char *uri, *ids; } cases[] = {
        {"/b", "4,1,2,5"}, {"/b/x/y", "4,1,2,5"}, {"/c", "4,1,5"}, {"/x/b", "4,5"}, {"/c/b", "4,1,5"}, {"/x", "4,5"}, {"/", "4,5"}, {"/x.htm", "4,6,5"}};
    for (int handler = 0; handler < 2; handler++) {
        by_id[5].set_handler = handler ? "mod_python" : NULL;
        struct route *route = route_new(&conf, world_merge);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            CHECK(!strcmp(map_ids(route, &server, cases[i].uri, &status), cases[i].ids), "%s: %s", cases[i].uri, map_ids(route, &server, cases[i].uri, &status));
        route_free(route);
    }
    by_id[5].set_handler = NULL;
    sections_free(s, 6);
    unlink(path);
    rmdir(root);
}

static void test_merges_are_kept_and_asked_for_on_the_hub(void)
{
    struct section_conf s[] = {section(1, SECTION_LOCATION, "/a")};
    struct server_conf server = main_server, *list[] = {&server};
    server.sections = s;
    server.section_count = 1;
    by_id[1].set_handler = "mod_python";
    struct main_conf conf = {.servers = list, .server_count = 1};
    struct route *route = route_new(&conf, world_merge);
    struct request *r = request_for(&server, "/a/x");
    int before = set_count;
    CHECK(route_map(route, r, false) == ROUTE_NEEDS_HUB && set_count == before && !r->filename, "elsewhere than on the hub nothing is merged");
    CHECK(route_map(route, r, true) == ROUTE_OK && set_count == before + 1 && !strcmp(r->filename, "/docs/a/x") && !r->file_known, "%s", r->filename);
    const struct dir_conf *first = r->conf;
    request_unref(r);
    for (int i = 0; i < 3; i++) {
        r = request_for(&server, i ? "/a/x" : "/a/y");
        CHECK(route_location(route, r, false) == ROUTE_OK && r->conf == first, "kept");
        CHECK(route_map(route, r, false) == ROUTE_OK && r->conf == first && set_count == before + 1 && !strcmp(r->canonical_filename + 8, i ? "x" : "y"), "kept");
        request_unref(r);
    }
    r = request_for(&server, "/a/x");
    r->filename = request_strdup(r, SLICE("/set/by/trans"));
    CHECK(route_map(route, r, false) == ROUTE_OK && !strcmp(r->filename, "/set/by/trans"), "a Trans handler's file name is kept");
    request_unref(r);
    static const struct { const char *set, *kept; } cases[] = {
        {"/a/b", "/a/b"}, {"/a/../b", "/b"}, {"/../../etc/x", "/etc/x"}, {"/a/./b", "/a/b"}, {"/a//b", "/a/b"}, {"/a/b/", "/a/b/"}, {"/", "/"}, {"/..", "/"},
        {"/a/..", "/"}, {"/a/../", "/"}, {"/a/.", "/a"}, {"/a/b/..", "/a"}, {"/a/b/../", "/a/"}, {"/.a/..b/c..", "/.a/..b/c.."}, {"//", "/"}, {"/a//", "/a/"},
        {"/a/.../b", "/a/.../b"}, {"/a/b/../../../c", "/c"}, {"/./", "/"}, {"/.", "/"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        r = request_for(&server, "/a/x");
        r->filename = request_strdup(r, slice_text(cases[i].set));
        CHECK(route_map(route, r, false) == ROUTE_OK && !strcmp(r->filename, cases[i].kept), "%s: %s", cases[i].set, r->filename);
        request_unref(r);
    }
    by_id[1].set_handler = NULL;
    route_free(route);
}

static struct alias_conf alias(int kind, const char *from, const char *to, int status)
{
    struct alias_conf a = {.kind = kind, .from = from, .from_len = from ? (int)strlen(from) : 0, .to = to, .status = status};
    if (kind == ALIAS_MATCH || kind == ALIAS_REDIRECT_MATCH)
        a.regex = regex_for(from);
    return a;
}

static void test_aliases_and_redirects(void)
{
    struct alias_conf a[] = {
        alias(ALIAS_PLAIN, "/icons/", "/usr/icons/", 0), alias(ALIAS_PLAIN, "/lib", "/usr/lib", 0), alias(ALIAS_MATCH, "^/u/([a-z]+)/(.*)$", "/home/$1/www/$2", 0),
        alias(ALIAS_PLAIN, "/u", "/never", 0), alias(ALIAS_SCRIPT, "/cgi-bin/", "/srv/cgi/", 0), alias(ALIAS_MATCH, "^/up(.*)/x$", "/srv/.$1/x", 0),
        alias(ALIAS_REDIRECT, "/old", "http://new.example/place", 301), alias(ALIAS_REDIRECT, "/gone", NULL, 410),
        alias(ALIAS_REDIRECT, "/near", "/there", 302), alias(ALIAS_REDIRECT_MATCH, "^/m/(.*)\\.gif$", "https://i.example/$1.png?x", 307),
        alias(ALIAS_REDIRECT_MATCH, "^/old/", "http://never.example/", 302), alias(ALIAS_PLAIN, "/noslash/", "/srv/noslash", 0)};
    enum { N = sizeof a / sizeof *a };
    struct server_conf server = main_server, *list[] = {&server};
    server.aliases = a;
    server.alias_count = N;
    struct main_conf conf = {.servers = list, .server_count = 1};
    struct route *route = route_new(&conf, world_merge);
    static const struct { const char *uri, *args; int status; const char *result; } cases[] = {
        {"/icons/x.png", NULL, 0, "/usr/icons/x.png"}, {"/icons", NULL, 0, "/docs/icons"}, {"/lib", NULL, 0, "/usr/lib"}, {"/lib/a", NULL, 0, "/usr/lib/a"},
        {"/library", NULL, 0, "/docs/library"}, {"/u/joe/a/b", NULL, 0, "/home/joe/www/a/b"}, {"/u/", NULL, 0, "/never/"},
        {"/cgi-bin/a.cgi", NULL, 0, "/srv/cgi/a.cgi"}, {"/up./x", NULL, 403, NULL}, {"/upa/x", NULL, 0, "/srv/.a/x"},
        {"/noslash/b", NULL, 0, "/srv/noslash/b"},
        {"/old", NULL, 301, "http://new.example/place"}, {"/old/x y\r\nz", "a=1&b", 301, "http://new.example/place/x%20y%0D%0Az?a=1&b"},
        {"/older", NULL, 0, "/docs/older"}, {"/gone/x", NULL, 410, NULL}, {"/near/x", NULL, 302, "http://asked.example:8080/there/x"},
        {"/m/a b?.gif", "q", 307, "https://i.example/a%20b%3F.png?x"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request *r = request_for(&server, cases[i].uri);
        r->args = cases[i].args ? request_strdup(r, slice_text(cases[i].args)) : NULL;
        r->hostname = (char *)"asked.example";
        r->head.port = 8080;
        enum route_result result = route_map(route, r, true);
        CHECK(result == (cases[i].status ? ROUTE_STATUS : ROUTE_OK), "%s: %d", cases[i].uri, (int)result);
        if (!cases[i].status) {
            char whole[200];
            snprintf(whole, sizeof whole, "%s%s", r->filename, r->path_info ? r->path_info : "");
            CHECK(!strcmp(whole, cases[i].result), "%s: %s", cases[i].uri, whole);
            CHECK((r->handler != NULL) == (strncmp(cases[i].uri, "/cgi-bin", 8) == 0), "%s: handler", cases[i].uri);
        } else {
            const struct table_entry *e = table_find(&r->err_headers_out, SLICE("Location"));
            CHECK(r->status == cases[i].status, "%s: %d", cases[i].uri, r->status);
            CHECK(cases[i].result ? e && !strcmp(e->value, cases[i].result) : !e, "%s: %s", cases[i].uri, e ? e->value : "-");
        }
        request_unref(r);
    }
    for (int i = 0; i < N; i++)
        if (a[i].regex.pattern)
            bridge_regex_free(&a[i].regex);
    route_free(route);
}

static void test_redirects_of_sections(void)
{
    struct alias_conf a[] = {alias(ALIAS_REDIRECT, NULL, "https://whole.example/", 308)};
    struct dir_conf conf = {.redirects = a, .redirect_count = 1};
    struct request *r = request_for(&main_server, "/x/y");
    r->conf = &conf;
    CHECK(route_fixup(r) == ROUTE_STATUS && r->status == 308, "status");
    CHECK(!strcmp(table_find(&r->err_headers_out, SLICE("location"))->value, "https://whole.example/"), "without a path nothing is added");
    conf.redirect_count = 0;
    CHECK(route_fixup(r) == ROUTE_OK, "none");
    request_unref(r);
}

static void test_path_too_long_is_414(void)
{
    struct server_conf server = main_server, *list[] = {&server};
    struct main_conf conf = {.servers = list, .server_count = 1};
    struct route *route = route_new(&conf, world_merge);
    for (int extra = -1; extra <= 1; extra++) {
        char uri[LIMIT_PATH_BYTES + 2];
        size_t len = (size_t)(LIMIT_PATH_BYTES - 5 + extra); /* behind /docs */
        memset(uri, 'a', len);
        uri[0] = '/';
        uri[len] = 0;
        struct request *r = request_for(&server, uri);
        CHECK(route_map(route, r, true) == (extra > 0 ? ROUTE_STATUS : ROUTE_OK) && r->status == (extra > 0 ? 414 : 200), "%d: %d", extra, r->status);
        request_unref(r);
    }
    route_free(route);
}

static void test_path_info_is_what_lies_behind_the_file(void)
{
    char root[] = "/tmp/pyhost-route-XXXXXX", path[300], whole[300];
    CHECK(mkdtemp(root) != NULL, "mkdtemp");
    snprintf(path, sizeof path, "%s/dir", root);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/dir/x.py", root);
    write_file(path, "x");
    static const struct { const char *rest, *file, *info; bool exists; } cases[] = {
        {"/dir/x.py", "/dir/x.py", "", true}, {"/dir/x.py/a/b", "/dir/x.py", "/a/b", true}, {"/dir/x.py/", "/dir/x.py", "/", true},
        {"/dir", "/dir", "", true}, {"/dir/", "/dir/", "", true}, {"/no", "/no", "", false}, {"/no/deep/er", "/no", "/deep/er", false},
        {"/dir/no", "/dir/no", "", false}, {"/dir/no/", "/dir/no", "/", false}, {"/no/", "/no", "/", false},
        {"/dir/no/1/2/3/4/5/6/7", "/dir/no", "/1/2/3/4/5/6/7", false}, {"/dir/x.py/1/2/3/4/5/6/7", "/dir/x.py", "/1/2/3/4/5/6/7", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request *r = request_for(&main_server, "/");
        snprintf(whole, sizeof whole, "%s%s", root, cases[i].rest);
        r->filename = request_strdup(r, slice_text(whole));
        route_stat(r);
        CHECK(!strcmp(r->filename + strlen(root), cases[i].file) && !strcmp(r->path_info, cases[i].info), "%s: %s %s", cases[i].rest, r->filename, r->path_info);
        CHECK(r->file_known && (r->finfo.st_mode != 0) == cases[i].exists, "%s: mode %o", cases[i].rest, r->finfo.st_mode);
        request_unref(r);
    }
    unlink(path);
    snprintf(path, sizeof path, "%s/dir", root);
    rmdir(path);
    rmdir(root);
}

static void test_htaccess_is_seen_at_once(void)
{
    char root[] = "/tmp/pyhost-route-XXXXXX", path[300], sub[200];
    int status, before;
    CHECK(mkdtemp(root) != NULL, "mkdtemp");
    snprintf(sub, sizeof sub, "%s/sub", root);
    mkdir(sub, 0755);
    snprintf(path, sizeof path, "%s/sub/.htaccess", root);
    struct section_conf s[] = {section(1, SECTION_DIRECTORY, root), section(2, SECTION_DIRECTORY, sub), section(3, SECTION_LOCATION, "/")};
    struct section_conf inside[] = {section(9, SECTION_FILES, "secret"), section(10, SECTION_IF, ""), section(11, SECTION_IF, "")};
    const struct section_conf *const sections[] = {&inside[0], &inside[1], &inside[2]};
    inside[1].parent_id = 9; /* <If> within <Files>, and what <Else> it has */
    inside[2].parent_id = 9;
    inside[2].else_of = 10;
    struct server_conf server = main_server, *list[] = {&server};
    server.sections = s;
    server.section_count = 3;
    server.document_root = root;
    server.has_htaccess = 1;
    by_id[2].allow_override = OVERRIDE_ALL;
    by_id[3].set_handler = "mod_python";
    htaccess_sections = sections;
    htaccess_section_count = 3;
    struct main_conf conf = {.servers = list, .server_count = 1};
    struct route *route = route_new(&conf, world_merge);
    CHECK(!strcmp(map_ids(route, &server, "/sub/x", &status), "1,2,3"), "none");
    write_file(path, "one");
    CHECK(!strcmp(map_ids(route, &server, "/sub/x", &status), "1,2,3|1"), "new: %s", map_ids(route, &server, "/sub/x", &status));
    CHECK(!strcmp(map_ids(route, &server, "/x", &status), "1,3"), "not where AllowOverride is None");
    CHECK(!strcmp(map_ids(route, &server, "/sub/secret", &status), "1,2,3,9,10|1"), "Files in it: %s", map_ids(route, &server, "/sub/secret", &status));
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    utimensat(AT_FDCWD, path, old, 0);
    for (int i = 0; i < 3; i++) { /* changed a moment ago: never trusted, so that a change within a tick is seen */
        before = set_count;
        map_ids(route, &server, "/sub/x", &status);
        CHECK(set_count > before, "asked again");
    }
    unlink(path);
    CHECK(!strcmp(map_ids(route, &server, "/sub/x", &status), "1,2,3"), "gone");
    mkdir(path, 0755);
    map_ids(route, &server, "/sub/x", &status);
    CHECK(status == 403, "a folder of that name: 403, not %d", status);
    rmdir(path);
    CHECK(symlink(path, path) == 0, "symlink");
    map_ids(route, &server, "/sub/x", &status);
    CHECK(status == 403, "one that cannot be looked at: 403, not %d", status);
    unlink(path);
    rmdir(sub);
    rmdir(root);
    by_id[2].allow_override = 0;
    by_id[3].set_handler = NULL;
    htaccess_section_count = 0;
    route_free(route);
}

static void test_types_and_handlers(void)
{
    static const struct pair_conf types[] = {{"gone", "x/gone"}, {"gz", "application/gzip"}, {"html", "text/html"}, {"txt", "text/plain"}};
    static const struct pair_conf add_type[] = {{".foo", "x/foo"}, {".gone", NULL}, {".txt", NULL}}, add_handler[] = {{".py", "mod_python"}, {".cgi", "cgi-script"}};
    struct main_conf conf = {.types = types, .type_count = 4};
    struct dir_conf dir = {.add_type = add_type, .add_type_count = 3, .add_handler = add_handler, .add_handler_count = 2};
    static const struct { const char *name, *type, *handler; } cases[] = {
        {"/a/x.html", "text/html", NULL}, {"/a/x.HTML", "text/html", NULL}, {"/a.html/x", NULL, NULL}, {"/a/x.txt.gz", "application/gzip", NULL},
        {"/a/x.html.unknown", "text/html", NULL}, {"/a/.html", NULL, NULL}, {"/a/..x.html", "text/html", NULL}, {"/a/x.foo", "x/foo", NULL},
        {"/a/x.py", NULL, "mod_python"}, {"/a/x.py.html", "text/html", "mod_python"}, {"/a/x.py.cgi", NULL, "cgi-script"}, {"/a/html", NULL, NULL},
        {"/a/x.", NULL, NULL}, {"/a/x.txt", NULL, NULL}, {"/a/x.html.gone", "text/html", NULL}, {"/a/x..html", "text/html", NULL},
        {"/a/x.htmlhtmlhtmlhtmlhtmlhtmlhtmlhtmlhtmlhtmlhtmlhtmlhtmlhtmlhtmlhtmlhtmlhtmlhtml", NULL, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request *r = request_for(&main_server, "/");
        r->main = &conf;
        r->conf = &dir;
        r->filename = (char *)cases[i].name;
        route_handler(r);
        CHECK(cases[i].type ? r->content_type && !strcmp(r->content_type, cases[i].type) : !r->content_type, "%s: %s", cases[i].name, r->content_type);
        CHECK(cases[i].handler ? r->handler && !strcmp(r->handler, cases[i].handler) : !r->handler, "%s: %s", cases[i].name, r->handler);
        request_unref(r);
    }
    dir.set_handler = "wsgi";
    dir.force_type = "text/x";
    struct request *r = request_for(&main_server, "/");
    r->main = &conf;
    r->conf = &dir;
    r->filename = (char *)"/a.py";
    route_handler(r);
    CHECK(!strcmp(r->handler, "wsgi") && !strcmp(r->content_type, "text/x"), "SetHandler, ForceType");
    request_unref(r);
}

/* A Location for each of a thousand paths: each finds its own, and no more. */
static void test_a_thousand_locations(void)
{
    static struct section_conf s[1000];
    static char names[1000][24];
    for (int i = 0; i < 1000; i++) {
        snprintf(names[i], sizeof names[i], "/app%d/sub", i);
        s[i] = (struct section_conf){.id = i + 1, .kind = SECTION_LOCATION, .pattern = names[i], .pattern_len = (int)strlen(names[i]), .parent_id = -1};
    }
    struct server_conf server = main_server, *list[] = {&server};
    server.sections = s;
    server.section_count = 1000;
    struct main_conf conf = {.servers = list, .server_count = 1};
    struct route *route = route_new(&conf, world_merge);
    for (int i = 0; i < 1000; i += 37) {
        char uri[40], id[12];
        snprintf(uri, sizeof uri, "/app%d/sub/x", i);
        snprintf(id, sizeof id, "%d", i + 1);
        struct request *r = request_for(&server, uri);
        CHECK(route_location(route, r, true) == ROUTE_OK && !strcmp(ids_of_conf(r->conf), id), "%s: %s", uri, ids_of_conf(r->conf));
        request_unref(r);
    }
    route_free(route);
}

static void test_too_many_sections_is_500(void)
{
    static struct section_conf s[LIMIT_MATCHED_SECTIONS + 1];
    static const struct { int kind; const char *pattern; } kinds[] = {
        {SECTION_LOCATION, "/"}, {SECTION_DIRECTORY, "/docs"}, {SECTION_DIRECTORY_MATCH, "docs"}, {SECTION_FILES, "docs"}, {SECTION_IF, ""}};
    struct server_conf server = main_server, *list[] = {&server};
    server.sections = s;
    struct main_conf conf = {.servers = list, .server_count = 1};
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        for (int i = 0; i <= LIMIT_MATCHED_SECTIONS; i++)
            s[i] = section(i + 1, kinds[kind].kind, kinds[kind].pattern);
        for (int count = LIMIT_MATCHED_SECTIONS; count <= LIMIT_MATCHED_SECTIONS + 1; count++) {
            server.section_count = count;
            struct route *route = route_new(&conf, world_merge);
            struct request *r = request_for(&server, "/x");
            *last_log = 0;
            CHECK(route_map(route, r, true) == (count > LIMIT_MATCHED_SECTIONS ? ROUTE_STATUS : ROUTE_OK), "kind %zu, %d sections: %d", kind, count, r->status);
            CHECK(count <= LIMIT_MATCHED_SECTIONS || (r->status == 500 && strstr(last_log, "sections hold than LIMIT_MATCHED_SECTIONS")), "kind %zu: status %d, %s",
                  kind, r->status, last_log);
            request_unref(r);
            route_free(route);
        }
        for (int i = 0; i <= LIMIT_MATCHED_SECTIONS; i++)
            bridge_regex_free(&s[i].regex);
    }
}

int main(void)
{
    test_globs();
    test_prefixes_against_comparing();
    test_virtual_hosts();
    test_sections_in_merge_order();
    test_files_sections();
    test_merges_are_kept_and_asked_for_on_the_hub();
    test_aliases_and_redirects();
    test_redirects_of_sections();
    test_path_too_long_is_414();
    test_path_info_is_what_lies_behind_the_file();
    test_htaccess_is_seen_at_once();
    test_types_and_handlers();
    test_a_thousand_locations();
    test_too_many_sections_is_500();
    return check_result();
}
