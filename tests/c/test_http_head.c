/* Request heads: what is accepted and what it says, what is refused and why; always the same however the bytes are cut. */
// sources: http_head.c http_request_line.c http_target.c http_field.c http_bytes.c http_fault.c
#include "check.h"
#include "http_head.h"

enum { LINE = 120, FIELD = 100, FIELDS = 8 };

struct answer { enum http_result result; enum http_fault fault; size_t used; char text[600]; };

static void describe(const struct http_head *h, const char *bytes, char *to, size_t room)
{
    static const char *const forms[] = {"origin", "absolute", "asterisk", "authority"};
#define SPAN(s) (int)(s).len, bytes + (s).at
    int n = snprintf(to, room, "%.*s%s %s %.*s%s%.*s 1.%d %s host=%.*s/%u:%u%s%s%s%s%s", SPAN(h->method_name), h->head_only ? "(head)" : "", forms[h->form],
                     SPAN(h->path), h->has_query ? "?" : "", SPAN(h->query), h->minor, h->keep_alive ? "keep" : "close", SPAN(h->host),
                     h->host_name_len, h->port, h->chunked ? " chunked" : "", h->expect_continue ? " expect" : "", h->upgrade ? " upgrade" : "",
                     h->host_is_absolute ? " absolute-host" : "", h->has_length ? " length=" : "");
    if (h->has_length)
        n += snprintf(to + n, room - (size_t)n, "%llu", (unsigned long long)h->length);
    for (uint32_t i = 0; i < h->nfields; i++) {
        const struct http_field *f = &h->fields[i];
        n += snprintf(to + n, room - (size_t)n, "|%.*s=%.*s", (int)f->name_len, bytes + f->name_at, (int)f->value_len, bytes + f->value_at);
    }
}

/* Feeds prefixes: each ends at a page's end, and step says how many bytes more the next has (0: random). */
static struct answer feed(const char *bytes, size_t len, size_t step, uint64_t *seed)
{
    struct http_field fields[FIELDS];
    struct http_head h;
    struct answer a = {.result = HTTP_MORE};
    size_t given = 0;
    http_head_init(&h, fields, LINE, FIELD, FIELDS);
    while (a.result == HTTP_MORE && given < len) {
        given += step ? step : 1 + check_random(seed, 40);
        given = given < len ? given : len;
        struct guarded g = guard_copy(bytes, given);
        a.result = http_head_parse(&h, g.at, given, &a.used, &a.fault);
        if (a.result == HTTP_DONE)
            describe(&h, g.at, a.text, sizeof a.text);
        if (a.result == HTTP_BAD && h.line_len)
            CHECK(h.start + h.line_len <= given && h.target.at + h.target.len <= given, "log spans");
        guard_free(&g);
    }
    return a;
}

static struct answer feed_all_ways(struct slice raw)
{
    uint64_t seed = raw.len + 1;
    struct answer whole = feed(raw.at, raw.len, raw.len, &seed);
    for (int way = 0; way < 8; way++) {
        struct answer a = feed(raw.at, raw.len, way == 0 ? 1 : 0, &seed);
        CHECK(a.result == whole.result && a.fault == whole.fault && a.used == whole.used && strcmp(a.text, whole.text) == 0,
              "way %d: %d/%d, whole %d/%d: %s", way, a.result, a.fault, whole.result, whole.fault, check_show(raw.at, raw.len));
    }
    if (whole.result == HTTP_DONE) {
        char longer[2048];
        size_t more = 200;
        memcpy(longer, raw.at, raw.len);
        memset(longer + raw.len, '\n', more);
        struct answer a = feed(longer, raw.len + more, raw.len + more, &seed);
        CHECK(a.result == HTTP_DONE && a.used == whole.used && strcmp(a.text, whole.text) == 0, "trailing bytes: %s", check_show(raw.at, raw.len));
        a = feed(raw.at, raw.len - 1, 1, &seed);
        CHECK(a.result == HTTP_MORE, "one byte short: %s", check_show(raw.at, raw.len));
    }
    return whole;
}

struct good { const char *raw, *text; };
static const struct good goods[] = {
#define HOST "Host: a\r\n"
    {"GET / HTTP/1.1\r\n" HOST "\r\n", "GET origin / 1.1 keep host=a/1:0|Host=a"},
    {"\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "GET origin / 1.1 keep host=a/1:0|Host=a"},
    {"HEAD /x?y=1?z HTTP/1.1\r\n" HOST "\r\n", "HEAD(head) origin /x?y=1?z 1.1 keep host=a/1:0|Host=a"},
    {"GET /? HTTP/1.1\r\n" HOST "\r\n", "GET origin /? 1.1 keep host=a/1:0|Host=a"},
    {"GET / HTTP/1.0\r\n\r\n", "GET origin / 1.0 close host=/0:0"},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET origin / 1.0 keep host=/0:0|Connection=Keep-Alive"},
    {"GET / HTTP/1.9\r\n" HOST "\r\n", "GET origin / 1.1 keep host=a/1:0|Host=a"},
    {"get /\\a|^`{}\"<> HTTP/1.1\r\n" HOST "\r\n", "get origin /\\a|^`{}\"<> 1.1 keep host=a/1:0|Host=a"},
    {"M-1!#$%&'*+.^_`|~ //a HTTP/1.1\r\n" HOST "\r\n", "M-1!#$%&'*+.^_`|~ origin //a 1.1 keep host=a/1:0|Host=a"},
    {"GET /\xff\x80 HTTP/1.1\r\n" HOST "\r\n", "GET origin /\xff\x80 1.1 keep host=a/1:0|Host=a"},
    {"GET /%zz HTTP/1.1\r\n" HOST "\r\n", "GET origin /%zz 1.1 keep host=a/1:0|Host=a"},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS asterisk * 1.1 keep host=a/1:0|Host=a"},
    {"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "CONNECT authority  1.1 keep host=a:443/1:443|Host=a:443"},
    {"CONNECT a:443 HTTP/1.0\r\n\r\n", "CONNECT authority  1.0 close host=a:443/1:443"},
    {"GET http://a.B:80/x?q HTTP/1.1\r\nHost: A.b:80\r\n\r\n", "GET absolute /x?q 1.1 keep host=a.B:80/3:80 absolute-host|Host=A.b:80"},
    {"GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n", "GET absolute / 1.1 keep host=a/1:0 absolute-host|Host=a"},
    {"GET http://a?q HTTP/1.0\r\n\r\n", "GET absolute /?q 1.0 close host=a/1:0 absolute-host"},
    {"GET / HTTP/1.1\r\nhOsT:\t a.example.:8080 \t\r\n\r\n", "GET origin / 1.1 keep host=a.example.:8080/9:8080|hOsT=a.example.:8080"},
    {"GET / HTTP/1.1\r\nHost:[::1]:1\r\n\r\n", "GET origin / 1.1 keep host=[::1]:1/5:1|Host=[::1]:1"},
    {"GET / HTTP/1.1\r\nHost: [::ffff:10.0.0.255]\r\n\r\n", "GET origin / 1.1 keep host=[::ffff:10.0.0.255]/19:0|Host=[::ffff:10.0.0.255]"},
    {"GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:7:8]\r\n\r\n", "GET origin / 1.1 keep host=[1:2:3:4:5:6:7:8]/17:0|Host=[1:2:3:4:5:6:7:8]"},
    {"GET / HTTP/1.1\r\nHost: [fe80::]:65535\r\n\r\n", "GET origin / 1.1 keep host=[fe80::]:65535/8:65535|Host=[fe80::]:65535"},
    {"GET / HTTP/1.1\r\n" HOST "X:\r\nY: \t \r\nZ: a\tb \xe9\xff\r\n\r\n", "GET origin / 1.1 keep host=a/1:0|Host=a|X=|Y=|Z=a\tb \xe9\xff"},
    {"GET / HTTP/1.1\r\n" HOST "A: \xa0v\xa0\r\n\r\n", "GET origin / 1.1 keep host=a/1:0|Host=a|A=\xa0v\xa0"},
    {"GET / HTTP/1.1\r\n" HOST "Connection: keep-alive, close\r\n\r\n", "GET origin / 1.1 close host=a/1:0|Host=a|Connection=keep-alive, close"},
    {"GET / HTTP/1.0\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n", "GET origin / 1.0 close host=/0:0|Connection=close|Connection=keep-alive"},
    {"GET / HTTP/1.1\r\n" HOST "Connection: x ,\tUPGRADE,\r\nUpgrade: h2c\r\n\r\n", "GET origin / 1.1 keep host=a/1:0 upgrade|Host=a|Connection=x ,\tUPGRADE,|Upgrade=h2c"},
    {"GET / HTTP/1.1\r\n" HOST "Upgrade: h2c\r\n\r\n", "GET origin / 1.1 keep host=a/1:0|Host=a|Upgrade=h2c"},
    {"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", "GET origin / 1.0 close host=/0:0|Connection=upgrade|Upgrade=h2c"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 000\r\n\r\n", "POST origin / 1.1 keep host=a/1:0 length=0|Host=a|Content-Length=000"},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775807\r\n\r\n", "POST origin / 1.1 keep host=a/1:0 length=9223372036854775807|Host=a|Content-Length=9223372036854775807"},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \t cHuNkEd \t\r\n\r\n", "POST origin / 1.1 keep host=a/1:0 chunked|Host=a|Transfer-Encoding=cHuNkEd"},
    {"PUT / HTTP/1.1\r\n" HOST "Expect: 100-CONTINUE\r\n\r\n", "PUT origin / 1.1 keep host=a/1:0 expect|Host=a|Expect=100-CONTINUE"},
    {"PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", "PUT origin / 1.0 close host=/0:0|Expect=100-continue"},
    {"GET / HTTP/1.1\r\n" HOST "Cookie: a=1\r\nCookie: b=2\r\n\r\n", "GET origin / 1.1 keep host=a/1:0|Host=a|Cookie=a=1|Cookie=b=2"},
    {"GET / HTTP/1.1\r\n" HOST "Content_Length: 5\r\n\r\n", "GET origin / 1.1 keep host=a/1:0|Host=a|Content_Length=5"},
};

struct bad { enum http_fault fault; const char *raw; };
#define G "GET / HTTP/1.1\r\n"
#define GH G HOST
static const struct bad bads[] = {
    /* lines and bytes */
    {FAULT_BARE_LF, "GET / HTTP/1.1\n"}, {FAULT_BARE_LF, "\nGET / HTTP/1.1\r\n"}, {FAULT_BARE_LF, GH "\n"}, {FAULT_BARE_LF, GH "A: b\n\r\n"},
    {FAULT_BARE_CR, "GET /\rx HTTP/1.1\r\n"}, {FAULT_BARE_CR, "GET / HTTP/1.1\r\r\n"}, {FAULT_BARE_CR, GH "A: b\rc\r\n"}, {FAULT_BARE_CR, GH "A: b\r\r\n"},
    {FAULT_BARE_CR, GH "\rA: b\r\n"}, {FAULT_BARE_CR, GH "A\r: b\r\n"}, {FAULT_BARE_CR, GH "\r\r\n"}, {FAULT_BARE_CR, "\r\r\n"},
    {FAULT_BARE_CR, GH "A: \rTransfer-Encoding: chunked\r\n"},
    {FAULT_EMPTY_LINES, "\r\n\r\n"}, {FAULT_EMPTY_LINES, "\r\n\r\nGET / HTTP/1.1\r\n"},
    {FAULT_CONTROL_BYTE, "GET /\x01 HTTP/1.1\r\n"}, {FAULT_CONTROL_BYTE, "GET\t/ HTTP/1.1\r\n"}, {FAULT_CONTROL_BYTE, "GET /\x7f HTTP/1.1\r\n"},
    {FAULT_CONTROL_BYTE, GH "A: b\x01" "c\r\n"}, {FAULT_CONTROL_BYTE, GH "A: long enough for words\x7f and more of them\r\n"},
    {FAULT_CONTROL_BYTE, GH "A: \x0b" "b\r\n"}, {FAULT_CONTROL_BYTE, GH "A\x01: b\r\n"}, {FAULT_CONTROL_BYTE, GH "A: \x1b[31m\r\n"},
    {FAULT_FOLDED_FIELD, GH "A: b\r\n c\r\n"}, {FAULT_FOLDED_FIELD, GH "A: b\r\n\tc: d\r\n"}, {FAULT_FOLDED_FIELD, G " Host: a\r\n"},
    {FAULT_FIELD_NAME, GH "A : b\r\n"}, {FAULT_FIELD_NAME, GH ": b\r\n"}, {FAULT_FIELD_NAME, GH "A(: b\r\n"}, {FAULT_FIELD_NAME, GH "A\xe9: b\r\n"},
    {FAULT_FIELD_NAME, GH "A b: c\r\n"}, {FAULT_FIELD_NAME, GH "\"A\": b\r\n"},
    {FAULT_CONTROL_BYTE, GH "Transfer-Encoding\t: chunked\r\n"}, {FAULT_FIELD_NAME, GH "Transfer-Encoding : chunked\r\n"},
    {FAULT_FIELD_NO_COLON, GH "A\r\n"}, {FAULT_FIELD_NO_COLON, GH "Content-Length 5\r\n"},
    /* request line */
    {FAULT_REQUEST_LINE, "GET\r\n"}, {FAULT_REQUEST_LINE, "GET \r\n"}, {FAULT_REQUEST_LINE, "GET /\r\n"}, {FAULT_REQUEST_LINE, "GET  / HTTP/1.1\r\n"},
    {FAULT_METHOD, " GET / HTTP/1.1\r\n"}, {FAULT_METHOD, "G(T / HTTP/1.1\r\n"}, {FAULT_METHOD, "G\xc3T / HTTP/1.1\r\n"}, {FAULT_METHOD, "\x16\x03\x01"},
    {FAULT_METHOD_TOO_LONG, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456 / HTTP/1.1\r\n"},
    {FAULT_VERSION_FORM, "GET /  HTTP/1.1\r\n"}, {FAULT_VERSION_FORM, "GET / HTTP/1.1 \r\n"}, {FAULT_VERSION_FORM, "GET /a b HTTP/1.1\r\n"},
    {FAULT_VERSION_FORM, "GET / http/1.1\r\n"}, {FAULT_VERSION_FORM, "GET / HTTP/0.9\r\n"}, {FAULT_VERSION_FORM, "GET / HTTP/1.10\r\n"},
    {FAULT_VERSION_FORM, "GET / HTTP/1\r\n"}, {FAULT_VERSION_FORM, "GET / HTTP/1,1\r\n"}, {FAULT_VERSION_FORM, "GET / HTTP/11\r\n"},
    {FAULT_VERSION_FORM, "GET / HTTP/+1.1\r\n"}, {FAULT_VERSION_FORM, "GET / FOO/1.1\r\n"}, {FAULT_VERSION_FORM, "GET / \r\n"},
    {FAULT_VERSION, "PRI * HTTP/2.0\r\n"}, {FAULT_VERSION, "GET / HTTP/2.0\r\n"}, {FAULT_VERSION, "GET / HTTP/3.1\r\n"}, {FAULT_VERSION, "GET / HTTP/0.1\r\n"},
    {FAULT_TARGET, "GET /#f HTTP/1.1\r\n"}, {FAULT_TARGET, "GET * HTTP/1.1\r\n"}, {FAULT_TARGET, "OPTIONS ** HTTP/1.1\r\n"}, {FAULT_TARGET, "GET a HTTP/1.1\r\n"},
    {FAULT_TARGET, "GET a:80 HTTP/1.1\r\n"}, {FAULT_TARGET, "CONNECT / HTTP/1.1\r\n"}, {FAULT_TARGET, "CONNECT a HTTP/1.1\r\n"},
    {FAULT_TARGET, "CONNECT http://a/ HTTP/1.1\r\n"}, {FAULT_TARGET, "GET ftp://a/ HTTP/1.1\r\n"}, {FAULT_TARGET, "GET http:///x HTTP/1.1\r\n"},
    {FAULT_TARGET, "GET http:/x HTTP/1.1\r\n"}, {FAULT_TARGET, "GET http:// HTTP/1.1\r\n"}, {FAULT_TARGET, "GET http://a:/ HTTP/1.1\r\n"},
    {FAULT_TARGET, "GET http://a\\b/ HTTP/1.1\r\n"}, {FAULT_TARGET, "GET ?x HTTP/1.1\r\n"}, {FAULT_TARGET, "GET javascript:x HTTP/1.1\r\n"},
    {FAULT_TARGET_USERINFO, "GET http://u@a/ HTTP/1.1\r\n"}, {FAULT_TARGET_USERINFO, "GET http://u:p@a/ HTTP/1.1\r\n"}, {FAULT_TARGET_USERINFO, "CONNECT u@a:1 HTTP/1.1\r\n"},
    {FAULT_ABSOLUTE_HOST, "GET http://a/ HTTP/1.1\r\nHost: b\r\n"}, {FAULT_ABSOLUTE_HOST, "GET http://a/ HTTP/1.1\r\nHost: a:80\r\n"},
    {FAULT_ABSOLUTE_HOST, "GET http://a/ HTTP/1.0\r\nHost: b\r\n"},
    /* Host */
    {FAULT_HOST_MISSING, G "\r\n"}, {FAULT_HOST_MISSING, "GET http://a/ HTTP/1.1\r\n\r\n"}, {FAULT_HOST_REPEATED, GH "Host: a\r\n"},
    {FAULT_HOST_REPEATED, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n"},
#define BADHOST(text) {FAULT_HOST_INVALID, G "Host: " text "\r\n"}
    BADHOST(""), BADHOST("a,b"), BADHOST("a, b"), BADHOST("a b"), BADHOST("a/"), BADHOST("u@a"), BADHOST("a:"), BADHOST("a:0"), BADHOST("a:65536"),
    BADHOST("a:+80"), BADHOST("a:8O"), BADHOST("a:000080"), BADHOST("a:80:80"), BADHOST(":80"), BADHOST("."), BADHOST("a.."), BADHOST("a..b"), BADHOST(".a"),
    BADHOST("a%2e"), BADHOST("a?"), BADHOST("a#"), BADHOST("\xe9"), BADHOST("a\\b"), BADHOST("::1"), BADHOST("[::1"), BADHOST("::1]"), BADHOST("[]"), BADHOST("[::1]a"),
    BADHOST("[::1]80"), BADHOST("[::1]:"), BADHOST("[:]"), BADHOST("[:::]"), BADHOST("[1]"), BADHOST("[1::2::3]"), BADHOST("[12345::]"), BADHOST("[1:2:3:4:5:6:7]"),
    BADHOST("[1:2:3:4:5:6:7:8:9]"), BADHOST("[1:2:3:4:5:6:7::8]:x"), BADHOST("[::1.2.3]"), BADHOST("[::1.2.3.256]"), BADHOST("[::01.2.3.4]"), BADHOST("[1:2:3:4:5:6:7:1.2.3.4]"),
    BADHOST("[v1.x]"), BADHOST("[fe80::1%25eth0]"), BADHOST("[::g]"), BADHOST("[1:2:3:4:5:6:7:]"), BADHOST("http://a"), BADHOST("<a>"), BADHOST("a;b"),
    /* framing */
    {FAULT_LENGTH_AND_ENCODING, GH "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"}, {FAULT_LENGTH_AND_ENCODING, GH "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"},
    {FAULT_LENGTH_AND_ENCODING, GH "Content-Length: 0\r\nTransfer-Encoding: gzip, chunked\r\n"},
    {FAULT_ENCODING_VERSION, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n"}, {FAULT_ENCODING_REPEATED, GH "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"},
#define BADTE(text) {FAULT_ENCODING_INVALID, GH "Transfer-Encoding: " text "\r\n"}
    BADTE(""), BADTE("chunked, chunked"), BADTE("chunked, gzip"), BADTE("identity"), BADTE("identity, chunked"), BADTE("gzip"), BADTE("xchunked"), BADTE("chunkedx"),
    BADTE("chunked,"), BADTE(",chunked"), BADTE("\"chunked\""), BADTE("chunked;q=1"), BADTE("chunked; a"), BADTE("chunked\xa0"), BADTE("foo, chunked"), BADTE("gzip;x, chunked"),
    BADTE("gzip,,chunked"), BADTE("gzip chunked"), BADTE("chunke"), BADTE("c hunked"), BADTE("gzip, chunked, gzip"), BADTE("gzip, chunked,"), BADTE("'chunked'"),
    {FAULT_CONTROL_BYTE, GH "Transfer-Encoding: \x0b" "chunked\r\n"}, {FAULT_CONTROL_BYTE, GH "Transfer-Encoding: chunked\x0c\r\n"},
    {FAULT_ENCODING_UNKNOWN, GH "Transfer-Encoding: gzip, chunked\r\n"}, {FAULT_ENCODING_UNKNOWN, GH "Transfer-Encoding: deflate,x-gzip\t,\tChunked\r\n"},
    {FAULT_LENGTH_REPEATED, GH "Content-Length: 5\r\nContent-Length: 5\r\n"}, {FAULT_LENGTH_REPEATED, GH "Content-Length: 5\r\ncontent-length: 6\r\n"},
    {FAULT_LENGTH_OVERFLOW, GH "Content-Length: 9223372036854775808\r\n"}, {FAULT_LENGTH_OVERFLOW, GH "Content-Length: 99999999999999999999999999\r\n"},
    {FAULT_LENGTH_OVERFLOW, GH "Content-Length: 18446744073709551621\r\n"},
#define BADCL(text) {FAULT_LENGTH_INVALID, GH "Content-Length: " text "\r\n"}
    BADCL(""), BADCL("+5"), BADCL("-5"), BADCL("5, 5"), BADCL("5,"), BADCL("0x5"), BADCL("5_0"), BADCL("5.0"), BADCL("5 5"), BADCL("five"), BADCL("5e1"), BADCL("\xd9\xa5"),
    BADCL("99999999999999999999999999x"), BADCL("\"5\""), BADCL("5;"), BADCL("5h"),
    {FAULT_EXPECTATION, GH "Expect: 200-ok\r\n"}, {FAULT_EXPECTATION, GH "Expect: 100-continue, x\r\n"}, {FAULT_EXPECTATION, GH "Expect:\r\n"}, {FAULT_EXPECTATION, "GET / HTTP/1.0\r\nExpect: x\r\n"},
    /* singletons */
#define TWICE(line) {FAULT_SINGLETON_REPEATED, GH line "\r\n" line "\r\n"}
    TWICE("Content-Type: a/b"), TWICE("Authorization: x"), TWICE("Proxy-Authorization: x"), TWICE("Range: bytes=0-1"), TWICE("If-Range: \"a\""), TWICE("If-Modified-Since: x"),
    TWICE("If-Unmodified-Since: x"), TWICE("Referer: a"), TWICE("User-Agent: a"), TWICE("Max-Forwards: 1"), TWICE("From: a"), TWICE("Date: a"),
};

static void check_nul_bytes(void)
{
    static const struct slice raws[] = {
        SLICE("GET /\0 HTTP/1.1\r\n"), SLICE("G\0T / HTTP/1.1\r\n"), SLICE("GET / HTTP/1.1\0\r\n"), SLICE(GH "A: \0\r\n"), SLICE(GH "A: 12345678\0abcdefghijk\r\n"),
        SLICE(GH "A\0: b\r\n"), SLICE(GH "Content-Length: 5\0\r\n"), SLICE(G "Host: a\0b\r\n"), SLICE(GH "\0\r\n"),
    };
    for (size_t i = 0; i < sizeof raws / sizeof *raws; i++) {
        struct answer a = feed_all_ways(raws[i]);
        CHECK(a.result == HTTP_BAD && a.fault == FAULT_CONTROL_BYTE, "NUL case %zu: %d", i, a.fault);
    }
}

/* Every byte in every kind of place: refused unless the table of RFC 9110 allows it. */
static void check_every_byte(void)
{
    for (int byte = 1; byte < 256; byte++) {
        char raw[100];
        bool token = byte < 0x80 && (strchr("!#$%&'*+-.^_`|~", byte) || (byte >= '0' && byte <= '9') || ((byte | 32) >= 'a' && (byte | 32) <= 'z'));
        bool value = byte == '\t' || (byte >= ' ' && byte != 0x7f);
        bool target = byte > ' ' && byte != 0x7f && byte != '#';
        snprintf(raw, sizeof raw, "GET / HTTP/1.1\r\nHost: a\r\nA%cb: c\r\n\r\n", byte);
        if (byte != ':')
            CHECK((feed_all_ways(slice_text(raw)).result == HTTP_DONE) == token, "name byte %02x", byte);
        snprintf(raw, sizeof raw, "GET / HTTP/1.1\r\nHost: a\r\nA: b%cccccccccc\r\n\r\n", byte);
        CHECK((feed_all_ways(slice_text(raw)).result == HTTP_DONE) == value, "value byte %02x", byte);
        snprintf(raw, sizeof raw, "GET / HTTP/1.1\r\nHost: a\r\nA: b%c\r\n\r\n", byte);
        CHECK((feed_all_ways(slice_text(raw)).result == HTTP_DONE) == value, "last value byte %02x", byte);
        snprintf(raw, sizeof raw, "GET /a%cb HTTP/1.1\r\nHost: a\r\n\r\n", byte);
        CHECK((feed_all_ways(slice_text(raw)).result == HTTP_DONE) == target, "target byte %02x", byte);
        snprintf(raw, sizeof raw, "G%cT / HTTP/1.1\r\nHost: a\r\n\r\n", byte);
        CHECK((feed_all_ways(slice_text(raw)).result == HTTP_DONE) == token, "method byte %02x", byte);
    }
}

static struct answer with_line_of(const char *before, size_t line_len, const char *after)
{
    char raw[1024];
    size_t n = strlen(before), start = n;
    const char *last = strrchr(before, '\n');
    start = last ? n - (size_t)(last + 1 - before) : n;
    memcpy(raw, before, n);
    while (start++ < line_len)
        raw[n++] = 'a';
    memcpy(raw + n, after, strlen(after));
    return feed_all_ways(slice_of(raw, n + strlen(after)));
}

/* Just below, at and just above each limit; above it also when the line never ends. */
static void check_limits(void)
{
    struct answer a;
    for (int over = -1; over <= 1; over++) {
        size_t len = (size_t)(LINE - 9 + over);
        char raw[512];
        snprintf(raw, sizeof raw, "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n", (int)len - 5, 0);
        a = feed_all_ways(slice_text(raw));
        CHECK(over <= 0 ? a.result == HTTP_DONE : a.fault == FAULT_LINE_TOO_LONG, "request line of %zu", len + 9);
        a = with_line_of(GH "X: ", (size_t)(FIELD + over), "\r\n\r\n");
        CHECK(over <= 0 ? a.result == HTTP_DONE : a.fault == FAULT_FIELD_TOO_LONG, "field of %d", FIELD + over);
        a = with_line_of(GH "X", (size_t)(FIELD + over), "");
        CHECK(over <= 0 ? a.result == HTTP_MORE : a.fault == FAULT_FIELD_TOO_LONG, "endless field of %d", FIELD + over);
        a = with_line_of("GET /", (size_t)(LINE + over), "");
        CHECK(over <= 0 ? a.result == HTTP_MORE : a.fault == FAULT_LINE_TOO_LONG, "endless line of %d", LINE + over);
        a = with_line_of("GET /", (size_t)(LINE + over), "\r");
        CHECK(over <= 0 ? a.result == HTTP_MORE : a.fault == FAULT_LINE_TOO_LONG, "endless line of %d and CR", LINE + over);
        snprintf(raw, sizeof raw, GH "%.*s", (FIELDS - 1 + over) * 6, "A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nA: 5\r\nA: 6\r\nA: 7\r\nA: 8\r\nA: 9\r\n");
        strcat(raw, "\r\n");
        a = feed_all_ways(slice_text(raw));
        CHECK(over <= 0 ? a.result == HTTP_DONE : a.fault == FAULT_TOO_MANY_FIELDS, "%d fields", FIELDS + over);
        a = feed_all_ways(slice_of(raw, strlen(raw) - 2 - 4));
        CHECK(over <= 0 ? a.result == HTTP_MORE : a.fault == FAULT_TOO_MANY_FIELDS, "%d fields, the last one begun", FIELDS + over);
    }
}

static void check_names(void)
{
    for (int i = 0; i < METHOD_INVALID; i++) {
        const char *name = http_method_name((enum http_method)i);
        CHECK(http_method_number(slice_text(name)) == (enum http_method)i, "%s", name);
    }
    CHECK(http_method_number(SLICE("HEAD")) == METHOD_GET && http_method_number(SLICE("get")) == METHOD_INVALID, "HEAD, get");
    CHECK(http_method_number(SLICE("")) == METHOD_INVALID && http_method_name(METHOD_INVALID) == NULL, "none");
    CHECK(http_is_token(SLICE("a-b")) && !http_is_token(SLICE("")) && !http_is_token(SLICE("a b")) && !http_is_token(SLICE("a:")), "token");
    CHECK(http_is_value(SLICE("")) && http_is_value(SLICE("a\t\xff")) && !http_is_value(SLICE("a\r")) && !http_is_value(SLICE("a\nb")) && !http_is_value(SLICE("\0")), "value");
    CHECK(http_list_has(SLICE("a, \tClose ,b"), SLICE("close")) && http_list_has(SLICE("close"), SLICE("close")), "list has");
    CHECK(!http_list_has(SLICE("closed, xclose,,clos"), SLICE("close")) && !http_list_has(SLICE(""), SLICE("close")), "list has not");
    for (int i = 0; i < FAULTS; i++) {
        struct http_fault_text text = http_fault_info((enum http_fault)i);
        CHECK(text.why && (i == 0 ? text.status == 200 : text.status >= 400), "fault %d has no text", i);
    }
}

static void check_known_fields(void)
{
    static const struct { const char *name; enum http_field_name id; } names[] = {
        {"Host", FIELD_HOST}, {"Content-Length", FIELD_CONTENT_LENGTH}, {"transfer-ENCODING", FIELD_TRANSFER_ENCODING}, {"connection", FIELD_CONNECTION},
        {"Keep-Alive", FIELD_KEEP_ALIVE}, {"Upgrade", FIELD_UPGRADE}, {"Content-Type", FIELD_CONTENT_TYPE},
        {"Authorization", FIELD_AUTHORIZATION}, {"Proxy-Authorization", FIELD_PROXY_AUTHORIZATION}, {"RANGE", FIELD_RANGE}, {"If-Range", FIELD_IF_RANGE},
        {"If-Match", FIELD_IF_MATCH}, {"If-None-Match", FIELD_IF_NONE_MATCH}, {"If-Modified-Since", FIELD_IF_MODIFIED_SINCE},
        {"If-Unmodified-Since", FIELD_IF_UNMODIFIED_SINCE}, {"Cookie", FIELD_COOKIE}, {"Referer", FIELD_REFERER}, {"User-Agent", FIELD_USER_AGENT},
        {"Accept-Encoding", FIELD_ACCEPT_ENCODING}, {"Max-Forwards", FIELD_MAX_FORWARDS}, {"From", FIELD_FROM}, {"Date", FIELD_DATE}, {"TE", FIELD_TE},
        {"Trailer", FIELD_TRAILER}, {"Proxy", FIELD_PROXY}, {"HTTP2-Settings", FIELD_HTTP2_SETTINGS}, {"Hosts", FIELD_OTHER}, {"Hos", FIELD_OTHER},
        {"H", FIELD_OTHER}, {"X-Forwarded-For-And-More", FIELD_OTHER}, {"Content_Length", FIELD_OTHER}, {"Connectio", FIELD_OTHER}, {"IF-RANGF", FIELD_OTHER},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char raw[128];
        struct http_field fields[FIELDS];
        struct http_head h;
        size_t used;
        enum http_fault fault;
        snprintf(raw, sizeof raw, "GET / HTTP/1.0\r\n%s: %s\r\n\r\n", names[i].name, names[i].id == FIELD_CONTENT_LENGTH ? "1" : "a");
        http_head_init(&h, fields, LINE, FIELD, FIELDS);
        enum http_result result = http_head_parse(&h, raw, strlen(raw), &used, &fault);
        if (names[i].id == FIELD_TRANSFER_ENCODING)
            CHECK(fault == FAULT_ENCODING_VERSION, "%s", names[i].name);
        else
            CHECK(result == HTTP_DONE && fields[0].name == names[i].id && h.seen == (names[i].id ? 1u << names[i].id : h.seen), "%s is %d", names[i].name, fields[0].name);
    }
}

/* Random cuts and damages of good heads: never out of bounds (guard pages, ASan), always the same however fed. */
static void check_damaged(void)
{
    uint64_t seed = 3;
    for (int i = 0; i < 3000; i++) {
        const char *raw = goods[check_random(&seed, sizeof goods / sizeof *goods)].raw;
        char bytes[512];
        size_t len = strlen(raw);
        memcpy(bytes, raw, len);
        for (size_t n = 1 + check_random(&seed, 3); n; n--)
            bytes[check_random(&seed, len)] = "\r\n :\t\0\x80,;/@[]"[check_random(&seed, 13)];
        feed_all_ways(slice_of(bytes, len));
    }
}

int main(void)
{
    for (size_t i = 0; i < sizeof goods / sizeof *goods; i++) {
        struct answer a = feed_all_ways(slice_text(goods[i].raw));
        CHECK(a.result == HTTP_DONE && strcmp(a.text, goods[i].text) == 0, "%s\n  gave %d/%d %s", goods[i].text, a.result, a.fault, a.text);
    }
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        struct answer a = feed_all_ways(slice_text(bads[i].raw));
        CHECK(a.result == HTTP_BAD && a.fault == bads[i].fault, "%s gave %d/%d (%s), not fault %d", check_show(bads[i].raw, strlen(bads[i].raw)), a.result,
              a.fault, http_fault_info(a.fault).why, bads[i].fault);
    }
    check_nul_bytes();
    check_every_byte();
    check_limits();
    check_names();
    check_known_fields();
    check_damaged();
    return check_result();
}
