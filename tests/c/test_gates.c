/* SCGI, uwsgi and FastCGI heads and records, and the HTTP head that their variables stand for. */
// sources: scgi_head.c fcgi_record.c cgi_head.c buf.c errors.c table.c http_bytes.c
#include "check.h"
#include "fcgi_record.h"

#define BYTES(text) text, sizeof text - 1

struct pack_case { const char *name, *bytes; size_t len; enum pack_result result; int count; const char *fault; };
typedef enum pack_result parse(struct pack *p, const char *bytes, size_t len, size_t max);

static const struct pack_case scgi_cases[] = {
    {"one", BYTES("24:CONTENT_LENGTH\0" "0\0SCGI\0" "1\0,"), PACK_DONE, 2, NULL},
    {"body behind", BYTES("24:CONTENT_LENGTH\0" "0\0SCGI\0" "1\0,body"), PACK_DONE, 2, NULL},
    {"cut", BYTES("24:CONTENT_LENGTH\0" "0\0SC"), PACK_MORE, 0, NULL},
    {"digits only", BYTES("24"), PACK_MORE, 0, NULL},
    {"empty", "", 0, PACK_MORE, 0, NULL},
    {"no digit", BYTES(":x,"), PACK_BAD, 0, "the head is not a netstring"},
    {"letters", BYTES("GET / HTTP/1.1"), PACK_BAD, 0, "the head is not a netstring"},
    {"sign", BYTES("-1:,"), PACK_BAD, 0, "the head is not a netstring"},
    {"leading zero", BYTES("024:"), PACK_BAD, 0, "the length of the netstring has a leading zero"},
    {"nine digits", BYTES("999999999"), PACK_BAD, 0, "the head is not a netstring"},
    {"too long", BYTES("70000:"), PACK_BAD, 0, "the head is too long"},
    {"no comma", BYTES("24:CONTENT_LENGTH\0" "0\0SCGI\0" "1\0;"), PACK_BAD, 0, "the netstring does not end in a comma"},
    {"cut variable", BYTES("16:CONTENT_LENGTH\0" "0,"), PACK_BAD, 0, "a variable is cut short"},
    {"not first", BYTES("24:SCGI\0" "1\0CONTENT_LENGTH\0" "0\0,"), PACK_BAD, 0, "CONTENT_LENGTH is not the first variable"},
    {"no SCGI", BYTES("17:CONTENT_LENGTH\0" "0\0,"), PACK_BAD, 0, "there is no variable SCGI"},
    {"SCGI 2", BYTES("24:CONTENT_LENGTH\0" "0\0SCGI\0" "2\0,"), PACK_BAD, 0, "SCGI is not 1"},
    {"none", BYTES("0:,"), PACK_BAD, 0, "CONTENT_LENGTH is not the first variable"},
};
static const struct pack_case uwsgi_cases[] = {
    {"one", BYTES("\0\x06\0\0\x01\0A\x01\0B"), PACK_DONE, 1, NULL},
    {"none", BYTES("\0\0\0\0"), PACK_DONE, 0, NULL},
    {"empty value", BYTES("\0\x05\0\0\x01\0A\0\0"), PACK_DONE, 1, NULL},
    {"cut header", BYTES("\0\x06"), PACK_MORE, 0, NULL},
    {"cut", BYTES("\0\x06\0\0\x01\0A"), PACK_MORE, 0, NULL},
    {"modifier1", BYTES("\x05\x06\0\0"), PACK_BAD, 0, "modifier1 is not 0 (a Python request)"},
    {"modifier2", BYTES("\0\x06\0\x01"), PACK_BAD, 0, "modifier2 is not 0"},
    {"size beyond", BYTES("\0\x06\0\0\x09\0A\x01\0B"), PACK_BAD, 0, "a variable is cut short"},
    {"half a size", BYTES("\0\x04\0\0\x01\0A\x01"), PACK_BAD, 0, "a variable is cut short"},
    {"http", BYTES("GET / HTTP/1.1\r\n"), PACK_BAD, 0, "modifier1 is not 0 (a Python request)"},
};

static void check_packs(parse *function, const struct pack_case *cases, size_t count)
{
    static struct pack p;
    for (size_t i = 0; i < count; i++) {
        struct guarded g = guard_copy(cases[i].bytes, cases[i].len);
        enum pack_result result = function(&p, g.at, g.len, 65536);
        CHECK(result == cases[i].result, "%s: %d %s", cases[i].name, result, result == PACK_BAD ? p.fault : "");
        if (result == PACK_BAD && cases[i].fault)
            CHECK(strcmp(p.fault, cases[i].fault) == 0, "%s: %s", cases[i].name, p.fault);
        if (result == PACK_DONE)
            CHECK(p.count == cases[i].count, "%s: %d variables", cases[i].name, p.count);
        for (size_t cut = 0; result == PACK_DONE && cut < p.used; cut++) {
            struct guarded part = guard_copy(cases[i].bytes, cut);
            CHECK(function(&p, part.at, cut, 65536) == PACK_MORE, "%s cut at %zu", cases[i].name, cut);
            guard_free(&part);
            function(&p, g.at, g.len, 65536);
        }
        guard_free(&g);
    }
}

static void check_records(void)
{
    static const struct { const char *name, *bytes; size_t len; enum pack_result result; unsigned type, id; size_t content, used; } cases[] = {
        {"begin", BYTES("\1\1\0\7\0\x08\0\0\0\1\0\0\0\0\0\0"), PACK_DONE, 1, 7, 8, 16},
        {"padding", BYTES("\1\4\1\2\0\1\2\0x??"), PACK_DONE, 4, 258, 1, 11},
        {"padding cut", BYTES("\1\4\1\2\0\1\2\0x?"), PACK_MORE, 0, 0, 0, 0},
        {"header cut", BYTES("\1\4\1"), PACK_MORE, 0, 0, 0, 0},
        {"version 2", BYTES("\2"), PACK_BAD, 0, 0, 0, 0},
        {"http", BYTES("GET / HTTP/1.1\r\n"), PACK_BAD, 0, 0, 0, 0},
        {"longest is not here yet", BYTES("\1\4\0\1\xff\xff\xff\0x"), PACK_MORE, 0, 0, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fcgi_record r;
        struct guarded g = guard_copy(cases[i].bytes, cases[i].len);
        enum pack_result result = fcgi_record_parse(&r, g.at, g.len);
        CHECK(result == cases[i].result, "%s: %d", cases[i].name, result);
        if (result == PACK_DONE)
            CHECK(r.type == cases[i].type && r.id == cases[i].id && r.content.len == cases[i].content && r.used == cases[i].used, "%s", cases[i].name);
        guard_free(&g);
    }
}

static void check_pairs(void)
{
    static const struct { const char *name, *bytes; size_t len; enum pack_result result; int count; size_t value; } cases[] = {
        {"short", BYTES("\1\2Abc"), PACK_DONE, 1, 2},
        {"long length", BYTES("\1\x80\0\0\2Abc"), PACK_DONE, 1, 2},
        {"two", BYTES("\1\1Ab\1\0C"), PACK_DONE, 2, 1},
        {"none", "", 0, PACK_DONE, 0, 0},
        {"no value length", BYTES("\1"), PACK_BAD, 0, 0},
        {"cut long length", BYTES("\1\x80\0\0"), PACK_BAD, 0, 0},
        {"value beyond", BYTES("\1\3Abc"), PACK_BAD, 0, 0},
        {"name beyond", BYTES("\xff\xff\xff\xff\0x"), PACK_BAD, 0, 0}};
    static struct pack p;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct guarded g = guard_copy(cases[i].bytes, cases[i].len);
        enum pack_result result = fcgi_pairs_parse(&p, slice_of(g.at, g.len));
        CHECK(result == cases[i].result, "%s: %d", cases[i].name, result);
        if (result == PACK_DONE)
            CHECK(p.count == cases[i].count && (!p.count || p.pairs[0].value.len == cases[i].value), "%s", cases[i].name);
        guard_free(&g);
    }
}

struct head_case { const char *name, *variables[16], *head, *fault; };
static const struct head_case heads[] = {
    {"least", {"REQUEST_METHOD", "GET"}, "GET / HTTP/1.1\r\n\r\n", NULL},
    {"uri", {"REQUEST_METHOD", "GET", "REQUEST_URI", "/a%20b?c", "PATH_INFO", "/other"}, "GET /a%20b?c HTTP/1.1\r\n\r\n", NULL},
    {"built", {"REQUEST_METHOD", "GET", "SCRIPT_NAME", "/s", "PATH_INFO", "/a b", "QUERY_STRING", "q=1"}, "GET /s/a%20b?q=1 HTTP/1.1\r\n\r\n", NULL},
    {"fields", {"REQUEST_METHOD", "POST", "HTTP_X_FORWARDED_FOR", "1", "CONTENT_TYPE", "t", "CONTENT_LENGTH", "3", "HTTP_HOST", "h"},
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: t\r\nContent-Length: 3\r\nX-Forwarded-For: 1\r\n\r\n", NULL},
    {"server name for Host", {"REQUEST_METHOD", "GET", "SERVER_NAME", "n"}, "GET / HTTP/1.1\r\nHost: n\r\n\r\n", NULL},
    {"1.0", {"REQUEST_METHOD", "GET", "SERVER_PROTOCOL", "HTTP/1.0"}, "GET / HTTP/1.0\r\n\r\n", NULL},
    {"2", {"REQUEST_METHOD", "GET", "SERVER_PROTOCOL", "HTTP/2.0"}, "GET / HTTP/1.1\r\n\r\n", NULL},
    {"hop", {"REQUEST_METHOD", "GET", "HTTP_CONNECTION", "close", "HTTP_TRANSFER_ENCODING", "chunked", "HTTP_PROXY", "evil"}, "GET / HTTP/1.1\r\n\r\n", NULL},
    {"no method", {"PATH_INFO", "/"}, NULL, "there is no REQUEST_METHOD"},
    {"twice", {"REQUEST_METHOD", "GET", "REQUEST_METHOD", "POST"}, NULL, "a variable is there twice"},
    {"line end", {"REQUEST_METHOD", "GET", "HTTP_X", "a\r\nB: c"}, NULL, "a variable has a control byte"},
    {"line end in method", {"REQUEST_METHOD", "GET /x HTTP/1.1\n"}, NULL, "a variable has a control byte"},
    {"bad name", {"REQUEST_METHOD", "GET", "HTTP_X: y", "a"}, NULL, "a variable has no proper name"},
    {"length", {"REQUEST_METHOD", "GET", "CONTENT_LENGTH", "+5"}, NULL, "CONTENT_LENGTH is not a number"},
    {"length overflow", {"REQUEST_METHOD", "GET", "CONTENT_LENGTH", "99999999999999999999"}, NULL, "CONTENT_LENGTH is not a number"},
    {"empty length", {"REQUEST_METHOD", "GET", "CONTENT_LENGTH", ""}, "GET / HTTP/1.1\r\n\r\n", NULL},
};

static void check_heads(void)
{
    struct buf head = {0};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct cgi_pair pairs[8];
        struct cgi_vars vars;
        int count = 0;
        for (const char *const *v = heads[i].variables; v < heads[i].variables + 16 && *v; v += 2)
            pairs[count++] = (struct cgi_pair){slice_text(v[0]), slice_text(v[1])};
        const char *fault = cgi_head_build(pairs, count, &head, &vars);
        CHECK(!fault == !heads[i].fault && (!fault || strcmp(fault, heads[i].fault) == 0), "%s: %s", heads[i].name, fault ? fault : "good");
        if (!fault && heads[i].head)
            CHECK(slice_eq(slice_of(head.at, head.len), slice_text(heads[i].head)), "%s: %s", heads[i].name, check_show(head.at, head.len));
    }
    buf_clear(&head);
}

int main(void)
{
    check_packs(scgi_head_parse, scgi_cases, sizeof scgi_cases / sizeof *scgi_cases);
    check_packs(uwsgi_head_parse, uwsgi_cases, sizeof uwsgi_cases / sizeof *uwsgi_cases);
    check_records();
    check_pairs();
    check_heads();
    return check_result();
}
