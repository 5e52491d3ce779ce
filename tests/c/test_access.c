/* Require trees by their truth tables, networks, passwords of every kind, files that change. */
// sources: access.c expr_parse.c expr_words.c expr_eval.c expr_calls.c expr_vars.c base64.c digest.c access_basic.c auth_file.c password.c env.c origin.c peer.c request.c table.c buf.c conf.c http_bytes.c
// libs: pcre2-8 crypt
#include <fcntl.h>

#include <errno.h>

#include "access.h"
#include "auth_file.h"
#include "digest.h"
#include "password.h"
#include "route_world.h"

static struct dir_conf conf;

static struct request *request_from(const char *address, const char *user)
{
    struct request *r = request_for(&main_server, "/");
    r->conf = &conf;
    r->useragent_ip = (char *)address;
    r->user = (char *)user;
    return r;
}

static enum access_result check(const struct require_conf *tree, const char *address, const char *user)
{
    struct request *r = request_from(address, user);
    conf.require = tree;
    enum access_result result = access_check(r);
    request_unref(r);
    return result;
}

static void test_networks(void)
{
    static const struct { struct net_conf net; unsigned char address[16]; bool in; } cases[] = {
        {{{[10] = 0xff, [11] = 0xff, 10, 1, 0, 0}, 112}, {[10] = 0xff, [11] = 0xff, 10, 1, 2, 3}, true},
        {{{[10] = 0xff, [11] = 0xff, 10, 1, 0, 0}, 112}, {[10] = 0xff, [11] = 0xff, 10, 2, 2, 3}, false},
        {{{[10] = 0xff, [11] = 0xff, 10, 1, 0, 128}, 121}, {[10] = 0xff, [11] = 0xff, 10, 1, 0, 200}, true},
        {{{[10] = 0xff, [11] = 0xff, 10, 1, 0, 128}, 121}, {[10] = 0xff, [11] = 0xff, 10, 1, 0, 127}, false},
        {{{0x20, 1}, 128}, {0x20, 1}, true}, {{{0x20, 1}, 128}, {0x20, 1, [15] = 1}, false}, {{{0}, 0}, {1, 2, 3}, true},
        {{{0x20, 1}, 127}, {0x20, 1, [15] = 1}, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(access_net_contains(&cases[i].net, cases[i].address) == cases[i].in, "case %zu", i);
}

static void test_single_requirements(void)
{
    static const struct net_conf ten = {{[10] = 0xff, [11] = 0xff, 10}, 104};
    static const char *const words[] = {"joe", "ann"}, *methods[] = {"GET", "POST"}, *vars[] = {"ok"};
    struct require_conf ip = {.kind = REQUIRE_IP, .nets = &ten, .count = 1}, local = {.kind = REQUIRE_LOCAL}, user = {.kind = REQUIRE_USER, .words = words, .count = 2};
    struct require_conf valid = {.kind = REQUIRE_VALID_USER}, method = {.kind = REQUIRE_METHOD, .words = methods, .count = 2}, env = {.kind = REQUIRE_ENV, .words = vars, .count = 1};
    struct require_conf granted = {.kind = REQUIRE_GRANTED}, denied = {.kind = REQUIRE_DENIED}, host = {.kind = REQUIRE_HOST, .words = words, .count = 1};
    CHECK(check(NULL, "1.2.3.4", NULL) == ACCESS_GRANTED, "no Require");
    CHECK(check(&granted, "1.2.3.4", NULL) == ACCESS_GRANTED && check(&denied, "1.2.3.4", "joe") == ACCESS_DENIED, "all");
    CHECK(check(&host, "1.2.3.4", NULL) == ACCESS_DENIED, "host");
    CHECK(check(&ip, "10.9.8.7", NULL) == ACCESS_GRANTED && check(&ip, "11.9.8.7", NULL) == ACCESS_DENIED && check(&ip, "::1", NULL) == ACCESS_DENIED, "ip");
    CHECK(check(&ip, NULL, NULL) == ACCESS_DENIED && check(&local, NULL, NULL) == ACCESS_DENIED && check(&ip, "junk", NULL) == ACCESS_DENIED, "no address");
    CHECK(check(&local, "127.0.0.9", NULL) == ACCESS_GRANTED && check(&local, "::1", NULL) == ACCESS_GRANTED && check(&local, "10.0.0.1", NULL) == ACCESS_DENIED, "local");
    CHECK(check(&user, "::1", NULL) == ACCESS_NEEDS_USER && check(&user, "::1", "ann") == ACCESS_GRANTED && check(&user, "::1", "eve") == ACCESS_NEEDS_USER, "user");
    CHECK(check(&valid, "::1", NULL) == ACCESS_NEEDS_USER && check(&valid, "::1", "eve") == ACCESS_GRANTED, "valid-user");
    CHECK(check(&method, "::1", NULL) == ACCESS_GRANTED, "method");
    CHECK(check(&env, "::1", NULL) == ACCESS_DENIED, "env");
    struct request *r = request_from("10.0.0.1", NULL);
    conf.require = &env;
    table_set(&r->subprocess_env, SLICE("ok"), SLICE(""));
    CHECK(access_check(r) == ACCESS_GRANTED, "env set");
    conf.require = &method;
    r->method = (char *)"HEAD";
    r->header_only = true;
    CHECK(access_check(r) == ACCESS_GRANTED, "HEAD goes with GET");
    r->method = (char *)"PUT";
    r->header_only = false;
    CHECK(access_check(r) == ACCESS_DENIED, "PUT");
    conf.require = &local;
    r->useragent_ip = NULL;
    r->peer = r->local = (struct peer){.family = AF_INET, .address = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}};
    CHECK(access_check(r) == ACCESS_GRANTED, "our own address is local");
    r->peer.family = AF_UNIX;
    CHECK(access_check(r) == ACCESS_DENIED, "a unix socket is not");
    request_unref(r);
}

/* httpd's rules for containers: G granted, D denied, U denied for want of a user, N nothing to say. */
static void test_trees(void)
{
    struct require_conf leaf[256] = {['G'] = {.kind = REQUIRE_GRANTED}, ['D'] = {.kind = REQUIRE_DENIED}, ['U'] = {.kind = REQUIRE_VALID_USER},
                                     ['N'] = {.kind = REQUIRE_DENIED, .negate = 1}, ['n'] = {.kind = REQUIRE_GRANTED, .negate = 1}};
    static const struct { enum require_kind kind; const char *children; enum access_result result; } cases[] = {
        {REQUIRE_ALL_OF, "GG", ACCESS_GRANTED}, {REQUIRE_ALL_OF, "GD", ACCESS_DENIED}, {REQUIRE_ALL_OF, "GU", ACCESS_NEEDS_USER}, {REQUIRE_ALL_OF, "UD", ACCESS_DENIED},
        {REQUIRE_ALL_OF, "GN", ACCESS_GRANTED}, {REQUIRE_ALL_OF, "NN", ACCESS_DENIED}, {REQUIRE_ALL_OF, "Gn", ACCESS_DENIED}, {REQUIRE_ALL_OF, "UG", ACCESS_NEEDS_USER},
        {REQUIRE_ALL_OF, "NG", ACCESS_GRANTED}, {REQUIRE_ALL_OF, "UN", ACCESS_NEEDS_USER},
        {REQUIRE_ANY_OF, "DG", ACCESS_GRANTED}, {REQUIRE_ANY_OF, "DD", ACCESS_DENIED}, {REQUIRE_ANY_OF, "DU", ACCESS_NEEDS_USER}, {REQUIRE_ANY_OF, "UD", ACCESS_NEEDS_USER},
        {REQUIRE_ANY_OF, "UG", ACCESS_GRANTED}, {REQUIRE_ANY_OF, "N", ACCESS_DENIED}, {REQUIRE_ANY_OF, "NU", ACCESS_NEEDS_USER},
        {REQUIRE_NONE_OF, "D", ACCESS_DENIED /* nothing grants */}, {REQUIRE_NONE_OF, "G", ACCESS_DENIED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct require_conf children[4], tree = {.kind = cases[i].kind, .children = children, .count = (int)strlen(cases[i].children)};
        for (int k = 0; k < tree.count; k++)
            children[k] = leaf[(unsigned char)cases[i].children[k]];
        enum access_result got = check(&tree, "::1", NULL);
        CHECK(got == cases[i].result, "%d of %s: %d", (int)cases[i].kind, cases[i].children, (int)got);
    }
    struct require_conf none_child = leaf['D'], inner[2] = {leaf['G'], {.kind = REQUIRE_NONE_OF, .children = &none_child, .count = 1}};
    struct require_conf tree = {.kind = REQUIRE_ALL_OF, .children = inner, .count = 2};
    CHECK(check(&tree, "::1", NULL) == ACCESS_GRANTED, "granted, and none of the denied");
    none_child = leaf['G'];
    CHECK(check(&tree, "::1", NULL) == ACCESS_DENIED, "granted, but one of them holds");
}

static void hex(const unsigned char *sum, int n, char *out)
{
    for (int i = 0; i < n; i++)
        sprintf(out + 2 * i, "%02x", sum[i]);
}

static void test_digests(void)
{
    static const struct { const char *text, *md5, *sha1; } cases[] = { /* RFC 1321 A.5, RFC 3174 7.3, FIPS 180 */
        {"", "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890", "57edf4a22be3c955ac49da2e2107b67a",
         "50abf5706a150990a08b2c5ea40fa0e585554732"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct digest d;
        unsigned char sum[20];
        char text[41];
        digest_md5_start(&d);
        for (const char *p = cases[i].text; *p; p++)
            digest_add(&d, p, 1);
        digest_md5_end(&d, sum);
        hex(sum, 16, text);
        CHECK(!strcmp(text, cases[i].md5), "%s: %s", cases[i].text, text);
        digest_sha1_start(&d);
        digest_add(&d, cases[i].text, strlen(cases[i].text));
        digest_sha1_end(&d, sum);
        hex(sum, 20, text);
        CHECK(!strcmp(text, cases[i].sha1), "%s: %s", cases[i].text, text);
    }
}

static bool password_is(const char *password, const char *stored)
{
    bool slow;
    if (password_is_known(password, stored, &slow) || !slow)
        return password_is_known(password, stored, &slow);
    struct password_check *check = password_check_new(password, stored);
    password_check_run(check);
    bool fits = password_check_end(check);
    CHECK(password_is_known(password, stored, &slow) == fits, "what was right is known, what was wrong is not: %s", stored);
    return fits;
}

static void test_passwords(void)
{
    static const struct { const char *password, *stored; } right[] = { /* made by htpasswd and openssl passwd */
        {"secret", "$apr1$6Yq5PNWF$01ZN9wFiyvUBoa/ZugyRE0"},
        {"a", "$apr1$DnE1FGRf$rHcCQKH/PNdsAcasHH3jU0"},
        {"café with a long pass word of more than sixteen bytes", "$apr1$eraQPfO0$YzcaJwRBVEnsWcnzle5Zu1"},
        {"secret", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="},
        {"a", "{SHA}hvfkN/qlp/zhXR3cuerq6jd2Z7g="},
        {"café with a long pass word of more than sixteen bytes", "{SHA}qBIEfy/FUoKOUFWL8Q0hltCfAOE="},
        {"secret", "$2y$05$YFs2Z4LSzYwrbjXNqusgguFRMOgOhGFpsimqAYH5AFct.M6yB0uQ."},
        {"a", "$2y$05$l6Nr4vDUtzEmbadwubHq5eWSwJ8sD.omYdcrWmBlkq6tKD4tJ2/de"},
        {"café with a long pass word of more than sixteen bytes", "$2y$05$LxuMhxF3fPG8H.RhU6hFauzQidXCWyDKQAWrPYz3nawUqg0mpaqYO"},
        {"secret", "jSw5ycwwlKwhg"},
        {"a", "q2V3qOC70ekLE"},
        {"secret", "$6$51MsrwlZBErXghgG$CoMDHznHQQ6oSRSKhV40yVrXCfn5VvFM2zp1UUMPIyaVIduf4QqISSYBtAE/4Z8pnealmcv3IcZmJ0HYcGbPY0"},
        {"a", "$6$LkZQKTr63Rha2AE4$ebcMRM0hEoxRqZwVfjyddaFq2DSrZfa/TR97mrRdL3M7CWUxDASiUciXePLC/56gnpwvTFM2BgLNwCEB5TtHC/"},
        {"café with a long pass word of more than sixteen bytes", "$6$0MPCVhw2CqKXPHNJ$mHIEzeE.crPfG1J5ALdlq5ZKDEi0wxx6Q/eZlBlIpFZ1reOiFjmQog1yt/2RNfx6dLjjH7ANyx3QFDKSkUgDu."},
        {"secret", "$5$7Fpk0US1nyujmJWY$8CRrVfI4.5QzLPHMzIL0.LmgBpaoaBfuQqGt9WW7HR3"},
        {"a", "$5$dAy9RnOdAfeu1mIY$NhqgO4P6pDzkFeWx54wsElEJPLYq6URbHsGgJFeyjp8"},
        {"café with a long pass word of more than sixteen bytes", "$5$ytLwybB./9oiZDrh$xuVGybYsvkwjXFu.pP9A7L1zZv016XTBnZLx3LNmhHB"},
        {"secret", "$1$k2NjrmgD$M2LpBzCOG70FyEqvHY5N81"}
    };
    for (int round = 0; round < 2; round++) /* the second time they are known */
        for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
            CHECK(password_is(right[i].password, right[i].stored), "%s", right[i].stored);
            CHECK(!password_is("wrong", right[i].stored) && !password_is("", right[i].stored), "%s", right[i].stored);
        }
    CHECK(!password_is("x", "") && !password_is("", "") && !password_is("x", "x") && !password_is("*0", "*0"), "what is no hash fits nothing");
    CHECK(!password_is("x", "$apr1$") && !password_is("x", "$apr1$toolongsalt$abc") && !password_is("x", "{SHA}") && !password_is("x", "$2y$"), "broken hashes");
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s", path);
    close(fd);
}

static void test_files_are_read_again_when_they_change(void)
{
    char path[] = "/tmp/pyhost-users-XXXXXX";
    int error = 0;
    close(mkstemp(path));
    write_file(path, "# joe:comment\n\njoe:one:more\r\nann:two\nno colon\njoe:later\n:empty\nlast:x");
    static const struct { const char *name, *rest; } cases[] = {
        {"joe", "one:more"}, {"ann", "two"}, {"last", "x"}, {"# joe", NULL}, {"no colon", NULL}, {"eve", NULL}, {"jo", NULL}, {"", "empty"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice rest = auth_file_find(path, slice_text(cases[i].name), &error);
        CHECK(!error && (cases[i].rest ? slice_eq(rest, slice_text(cases[i].rest)) : !rest.at), "%s: %.*s", cases[i].name, (int)rest.len, rest.at);
    }
    write_file(path, "# joe:comment\n\njoe:two:more\r\nann:two\nno colon\njoe:later\n:empty\nlast:x"); /* the same size, at once */
    CHECK(slice_eq(auth_file_find(path, SLICE("joe"), &error), SLICE("two:more")), "changed at once");
    unlink(path);
    CHECK(!auth_file_find(path, SLICE("joe"), &error).at && error == ENOENT, "gone: %d", error);
    CHECK(!auth_file_find("/tmp", SLICE("joe"), &error).at && error == EINVAL, "a folder: %d", error);
}

static int slow_checks;

static int basic(const char *authorization, char **user)
{
    struct request *r = request_from("::1", NULL);
    r->headers_in_built = true;
    if (authorization)
        table_add_borrowed(&r->headers_in, SLICE("Authorization"), slice_text(authorization));
    struct password_check *slow = NULL;
    int status = access_basic(r, &slow);
    if (status == ACCESS_BASIC_SLOW) {
        CHECK(r->password == PASSWORD_UNKNOWN && !r->user, "not decided yet");
        password_check_run(slow);
        r->password = password_check_end(slow) ? PASSWORD_RIGHT : PASSWORD_WRONG;
        status = access_basic(r, &slow);
        slow_checks++;
    }
    *user = r->user ? strdup(r->user) : NULL;
    CHECK((status == 0) == (r->auth_type != NULL), "auth_type");
    request_unref(r);
    return status;
}

static void test_basic(void)
{
    char path[] = "/tmp/pyhost-users-XXXXXX", *user;
    close(mkstemp(path));
    write_file(path, "joe:{SHA}QL0AFWMIX8NRZTKeof9cXsvbvu8=:rest\n");
    conf = (struct dir_conf){.auth_type = "Basic", .auth_name = "The \"Realm\"", .auth_user_file = path};
    static const struct { const char *authorization; int status; } cases[] = {
        {"Basic am9lOjEyMw==", 0}, {"basic  am9lOjEyMw==", 0}, {"Basic am9lOjEyMw", 0}, {NULL, 401}, {"Basic", 401}, {"Basic ", 401}, {"Basic am9l", 401},
        {"Basic am9lOjEyNA==", 401}, {"Basic ZXZlOjEyMw==", 401}, {"Basic am9lOjEy!!==", 401}, {"Basic am9lOjEyMwA=", 401}, {"Bearer am9lOjEyMw==", 401},
        {"Basic am9lOjEyMw===", 401}, {"Basic a", 401}, {"Basic am9lOjEyMw== x", 401}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = basic(cases[i].authorization, &user);
        CHECK(status == cases[i].status && (status ? !user : user && !strcmp(user, "joe")), "%s: %d", cases[i].authorization, status);
        free(user);
    }
    write_file(path, "joe:$apr1$mI1qSjZ1$dSOgORWaoJHAoel6KIm0u/\n");
    CHECK(!slow_checks && basic("Basic am9lOm15UGFzc3dvcmQ=", &user) == 0 && slow_checks == 1 && !strcmp(user, "joe"), "slow the first time");
    free(user);
    CHECK(basic("Basic am9lOm15UGFzc3dvcmQ=", &user) == 0 && slow_checks == 1, "known the second time");
    free(user);
    CHECK(basic("Basic am9lOjEyMw==", &user) == 401 && basic("Basic am9lOjEyMw==", &user) == 401 && slow_checks == 3 && !user, "wrong is slow each time");
    struct request *r = request_from("::1", NULL);
    access_challenge(r);
    access_challenge(r);
    CHECK(r->err_headers_out.count == 1 && !strcmp(r->err_headers_out.entries[0].value, "Basic realm=\"The \\\"Realm\\\"\""), "challenge");
    request_unref(r);
    unlink(path);
    CHECK(basic("Basic am9lOjEyMw==", &user) == 500 && !user, "no file");
    conf.auth_user_file = NULL;
    CHECK(basic("Basic am9lOjEyMw==", &user) == 500 && !user, "no AuthUserFile");
    conf.hook_phases = 1 << PHASE_AUTHEN;
    CHECK(basic("Basic am9lOjEyMw==", &user) == 401 && !user, "a Python handler declined");
    conf = (struct dir_conf){.auth_type = "Digest"};
    CHECK(basic("Basic am9lOjEyMw==", &user) == 500 && !user, "Digest");
}

static void test_groups(void)
{
    char path[] = "/tmp/pyhost-groups-XXXXXX";
    static const char *const words[] = {"staff", "admins"};
    struct require_conf group = {.kind = REQUIRE_GROUP, .words = words, .count = 2};
    close(mkstemp(path));
    write_file(path, "staff: joe  ann\nadmins:root\nothers: eve\n");
    conf = (struct dir_conf){.auth_group_file = path};
    CHECK(check(&group, "::1", "ann") == ACCESS_GRANTED && check(&group, "::1", "root") == ACCESS_GRANTED, "members");
    CHECK(check(&group, "::1", "eve") == ACCESS_NEEDS_USER && check(&group, "::1", "an") == ACCESS_NEEDS_USER && check(&group, "::1", NULL) == ACCESS_NEEDS_USER, "others");
    unlink(path);
    CHECK(check(&group, "::1", "ann") == ACCESS_NEEDS_USER, "no file");
    conf = (struct dir_conf){0};
    CHECK(check(&group, "::1", "ann") == ACCESS_NEEDS_USER, "no AuthGroupFile");
}

int main(void)
{
    test_networks();
    test_single_requirements();
    test_trees();
    test_digests();
    test_passwords();
    test_files_are_read_again_when_they_change();
    test_basic();
    test_groups();
    return check_result();
}
