/* Request bodies: payload, ends and faults are the same however the bytes are cut; what follows a body is never touched. */
// sources: http_body.c http_trailer.c http_field.c http_target.c http_bytes.c
#include "check.h"
#include "http_body.h"

enum { FIELD = 40, FIELDS = 3, ROOM = 70000 };

struct answer { enum body_result result; enum http_fault fault; size_t used, data_len, trailer_len; char *data, trailer[400]; };

static struct answer feed(struct http_body b, const char *bytes, size_t len, size_t step, uint64_t *seed)
{
    struct answer a = {.result = BODY_MORE, .data = malloc(ROOM)};
    while (a.result == BODY_MORE) {
        size_t n = step ? step : 1 + check_random(seed, 30), at = 0;
        n = n < len - a.used ? n : len - a.used;
        struct guarded g = guard_copy(bytes + a.used, n);
        do {
            size_t used;
            struct slice data;
            a.result = http_body_feed(&b, slice_of(g.at + at, n - at), &used, &data, &a.fault);
            CHECK(used <= n - at, "used more than given");
            CHECK((a.result == BODY_DATA || a.result == BODY_TRAILER) <= (data.len > 0 && data.at >= g.at && data.at + data.len <= g.at + n), "data lies outside");
            if (a.result == BODY_DATA && a.data_len + data.len <= ROOM) {
                memcpy(a.data + a.data_len, data.at, data.len);
                a.data_len += data.len;
            }
            if (a.result == BODY_TRAILER && a.trailer_len + data.len <= sizeof a.trailer) {
                memcpy(a.trailer + a.trailer_len, data.at, data.len);
                a.trailer_len += data.len;
            }
            at += used;
        } while (a.result == BODY_DATA || a.result == BODY_TRAILER);
        CHECK(a.result != BODY_MORE || at == n, "MORE with bytes left");
        a.used += at;
        guard_free(&g);
        if (n == 0)
            break;
    }
    return a;
}

static bool same(const struct answer *a, const struct answer *b)
{
    /* how much of a bad trailer section was handed out before the fault depends on the cuts, and matters to nobody */
    bool trailers = a->result == BODY_BAD || (a->trailer_len == b->trailer_len && memcmp(a->trailer, b->trailer, a->trailer_len) == 0);
    return a->result == b->result && a->fault == b->fault && a->used == b->used && a->data_len == b->data_len && trailers &&
        memcmp(a->data, b->data, a->data_len) == 0;
}

static struct http_body body(bool chunked, uint64_t length, uint64_t limit)
{
    struct http_body b;
    http_body_init(&b, chunked, length, limit, FIELD, FIELDS);
    return b;
}

/* The caller frees data. */
static struct answer feed_all_ways(struct http_body b, struct slice raw)
{
    uint64_t seed = raw.len + 1;
    struct answer whole = feed(b, raw.at, raw.len, raw.len, &seed);
    for (int way = 0; way < 6; way++) {
        struct answer a = feed(b, raw.at, raw.len, way == 0 ? 1 : way == 1 ? 2 : 0, &seed);
        CHECK(same(&a, &whole), "way %d: %d/%d after %zu, whole %d/%d after %zu: %s", way, a.result, a.fault, a.used, whole.result, whole.fault, whole.used,
              check_show(raw.at, raw.len));
        free(a.data);
    }
    if (whole.result == BODY_END) {
        char *longer = malloc(raw.len + 40);
        memcpy(longer, raw.at, raw.len);
        memcpy(longer + raw.len, "GET / HTTP/1.1\r\nHost: next\r\n\r\n0\r\n\r\n", 36);
        struct answer a = feed(b, longer, raw.len + 36, raw.len + 36, &seed);
        CHECK(same(&a, &whole), "trailing bytes: %s", check_show(raw.at, raw.len));
        free(a.data);
        free(longer);
    }
    return whole;
}

struct good { const char *raw, *data, *trailer; };
static const struct good goods[] = {
    {"0\r\n\r\n", "", "\r\n"},
    {"5\r\nhello\r\n0\r\n\r\n", "hello", "\r\n"},
    {"1\r\na\r\n2\r\nbc\r\n000\r\n\r\n", "abc", "\r\n"},
    {"0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "hello", "\r\n"},
    {"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", "\r\n"},
    {"2\r\n\r\n\r\n0\r\n\r\n", "\r\n", "\r\n"},
    {"3;a\r\nabc\r\n0;b=c\r\n\r\n", "abc", "\r\n"},
    {"3;a=b;c=\"d\"\r\nabc\r\n0\r\n\r\n", "abc", "\r\n"},
    {"3 ; \ta = b\t; c = \"; \\\" \\\\ \t\"\r\nabc\r\n0\r\n\r\n", "abc", "\r\n"},
    {"3;a=\"\"\r\nabc\r\n0\r\n\r\n", "abc", "\r\n"},
    {"3;;a\r\n", NULL, NULL},
    {"0\r\nA: b\r\nC:\r\n\r\n", "", "A: b\r\nC:\r\n\r\n"},
    {"1\r\nx\r\n0\r\nX-Sum: \t1 \xff\r\n\r\n", "x", "X-Sum: \t1 \xff\r\n\r\n"},
};

struct bad { enum http_fault fault; const char *raw; };
static const struct bad bads[] = {
#define BADSIZE(text) {FAULT_CHUNK_SIZE, text "\r\nhello\r\n0\r\n\r\n"}
    BADSIZE("+5"), BADSIZE("-5"), BADSIZE(" 5"), BADSIZE("\t5"), BADSIZE("0x5"), BADSIZE("5h"), BADSIZE("5_0"), BADSIZE("5.0"), BADSIZE("5,"), BADSIZE("g"), BADSIZE(";a"),
    BADSIZE("\""), BADSIZE("00000000000000005"), BADSIZE("\xd9\xa5"), BADSIZE("5\x0b"),
    {FAULT_BARE_CR, "\r\n"}, {FAULT_BARE_LF, "\n"}, {FAULT_BARE_LF, "5\nhello\r\n"}, {FAULT_BARE_CR, "5\rhello"}, {FAULT_BARE_CR, "5\r\r\n"},
    {FAULT_BODY_TOO_LARGE, "8000000000000000\r\n"}, {FAULT_BODY_TOO_LARGE, "ffffffffffffffff\r\n"}, {FAULT_BODY_TOO_LARGE, "fffffffffffffffff\r\n"},
    {FAULT_BODY_TOO_LARGE, "1\r\na\r\n7fffffffffffffff\r\n"}, {FAULT_BODY_TOO_LARGE, "FFFFFFFFFFFFFFEC;x"}, {FAULT_BODY_TOO_LARGE, "10000000000000005"},
    {FAULT_CHUNK_END, "5\r\nhelloX"}, {FAULT_CHUNK_END, "5\r\nhello\n0\r\n\r\n"}, {FAULT_CHUNK_END, "5\r\nhello\rX"}, {FAULT_CHUNK_END, "5\r\nhello\r\r\n"}, {FAULT_CHUNK_END, "5\r\nhello0\r\n\r\n"},
    {FAULT_CHUNK_END, "5\r\nhelloXX0\r\n\r\n"},
#define BADEXT(text) {FAULT_CHUNK_EXTENSION, "5" text "\r\nhello\r\n0\r\n\r\n"}
    BADEXT(" a"), BADEXT(";;a"), BADEXT(";=b"), BADEXT(";a=b c"), BADEXT(";a=\"b\"c"), BADEXT(";a=(b)"), BADEXT(";a@b"), BADEXT(";a=b=c"), BADEXT(";a=\"\x01\""),
    BADEXT(";a=\"\x7f\""), BADEXT(";a=\xe9"), BADEXT(";a=\"\xe9\""), BADEXT(";a\x01"), BADEXT(";\x0b" "a"), BADEXT(" =b"), BADEXT(";a,b"),
    {FAULT_BARE_CR, "5;\r\n"}, {FAULT_BARE_CR, "5;a=\r\n"}, {FAULT_BARE_CR, "5 \r\n"}, {FAULT_BARE_CR, "5;a \r\n"}, {FAULT_BARE_CR, "5;a=\"\r\n\"\r\n"}, {FAULT_BARE_CR, "5;a=\"\\\r\n"},
    {FAULT_BARE_LF, "5;a\nhello\r\n"}, {FAULT_BARE_LF, "5;a=\"\n"}, {FAULT_BARE_LF, "5;\n"}, {FAULT_BARE_CR, "5;a\rb\r\n"}, {FAULT_BARE_CR, "0;a\r0\r\n"},
    {FAULT_BARE_LF, "0\r\n\n"}, {FAULT_BARE_LF, "0\n\r\n"}, {FAULT_BARE_CR, "0\r\n\rX"}, {FAULT_BARE_LF, "0\r\nA: b\n\r\n"}, {FAULT_BARE_CR, "0\r\nA: b\rc\r\n"},
    {FAULT_BARE_LF, "0\r\nA\n"}, {FAULT_BARE_CR, "0\r\nA\r\n\r\n"}, {FAULT_FOLDED_FIELD, "0\r\n A: b\r\n"}, {FAULT_FOLDED_FIELD, "0\r\nA: b\r\n\tc\r\n"},
    {FAULT_TRAILER, "0\r\n: b\r\n"}, {FAULT_TRAILER, "0\r\nA : b\r\n"}, {FAULT_TRAILER, "0\r\nA\x01: b\r\n"}, {FAULT_TRAILER, "0\r\nGET / HTTP/1.1\r\n"},
    {FAULT_CONTROL_BYTE, "0\r\nA: \x01\r\n"}, {FAULT_CONTROL_BYTE, "0\r\nA: \x7f\r\n"},
    {FAULT_TOO_MANY_FIELDS, "0\r\nA: 1\r\nB: 2\r\nC: 3\r\nD"}, {FAULT_FIELD_TOO_LONG, "0\r\nA: 345678901234567890123456789012345678901"},
};

static void check_tables(void)
{
    for (size_t i = 0; i < sizeof goods / sizeof *goods; i++) {
        const struct good *c = &goods[i];
        struct answer a = feed_all_ways(body(true, 0, 0), slice_text(c->raw));
        if (c->data)
            CHECK(a.result == BODY_END && a.used == strlen(c->raw) && a.data_len == strlen(c->data) && memcmp(a.data, c->data, a.data_len) == 0 &&
                  a.trailer_len == strlen(c->trailer) && memcmp(a.trailer, c->trailer, a.trailer_len) == 0, "good: %s: %d/%d", check_show(c->raw, strlen(c->raw)), a.result, a.fault);
        else
            CHECK(a.result == BODY_BAD && a.fault == FAULT_CHUNK_EXTENSION, "%s", check_show(c->raw, strlen(c->raw)));
        free(a.data);
        for (size_t cut = 0; c->data && cut < strlen(c->raw); cut++) {
            a = feed_all_ways(body(true, 0, 0), slice_of(c->raw, cut));
            CHECK(a.result == BODY_MORE, "cut at %zu is not more: %s", cut, c->raw);
            free(a.data);
        }
    }
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        struct answer a = feed_all_ways(body(true, 0, 0), slice_text(bads[i].raw));
        CHECK(a.result == BODY_BAD && a.fault == bads[i].fault, "bad: %s: %d/%d, not %d", check_show(bads[i].raw, strlen(bads[i].raw)), a.result, a.fault, bads[i].fault);
        free(a.data);
    }
}

static void check_length(void)
{
    for (uint64_t length = 0; length < 7; length++) {
        struct answer a = feed_all_ways(body(false, length, 5), slice_of("abcdefgh", length));
        CHECK(length <= 5 ? a.result == BODY_END && a.data_len == length : a.fault == FAULT_BODY_TOO_LARGE, "length %llu: %d/%d", (unsigned long long)length, a.result, a.fault);
        free(a.data);
        a = feed_all_ways(body(false, length + 1, 0), slice_of("abcdefgh", length));
        CHECK(a.result == BODY_MORE && a.data_len == length, "one short");
        free(a.data);
    }
    CHECK(http_body_is_empty(false, 0) && !http_body_is_empty(true, 0) && !http_body_is_empty(false, 1), "empty");
}

/* LimitRequestBody bites when the size is read, before the data come, and counts all chunks. */
static void check_chunk_limit(void)
{
    static const struct { const char *raw; bool good; } cases[] = {
        {"5\r\nhello\r\n0\r\n\r\n", true}, {"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", true}, {"6\r\n", false}, {"6", false}, {"3\r\nabc\r\n3", false}, {"5\r\nhello\r\n1", false}, {"10", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer a = feed_all_ways(body(true, 0, 5), slice_text(cases[i].raw));
        CHECK(cases[i].good ? a.result == BODY_END : a.fault == FAULT_BODY_TOO_LARGE, "%s", cases[i].raw);
        free(a.data);
    }
}

/* 1 KiB a line, 16 KiB of extensions a message: just below, at, just above. */
static void check_overhead(void)
{
    static char raw[80000];
    for (int over = -1; over <= 1; over++) {
        size_t n = (size_t)snprintf(raw, sizeof raw, "1;");
        memset(raw + n, 'a', (size_t)(1024 - 2 + over));
        strcpy(raw + n + 1024 - 2 + over, "\r\nx\r\n0\r\n\r\n");
        struct answer a = feed_all_ways(body(true, 0, 0), slice_text(raw));
        CHECK(over <= 0 ? a.result == BODY_END : a.fault == FAULT_CHUNK_OVERHEAD, "line of %d", 1024 + over);
        free(a.data);
        n = 0;
        for (int i = 0; i < 512; i++) {
            int len = 32 + (i == 511 ? over : 0); /* ";aaa…" : 512 times 32 bytes are 16 KiB */
            n += (size_t)snprintf(raw + n, sizeof raw - n, "1;%0*d\r\nx\r\n", len - 1, 0);
        }
        snprintf(raw + n, sizeof raw - n, "0\r\n\r\n");
        uint64_t seed = 1;
        a = feed(body(true, 0, 0), raw, strlen(raw), strlen(raw), &seed);
        CHECK(over <= 0 ? a.result == BODY_END : a.fault == FAULT_CHUNK_OVERHEAD, "extensions of %d: %d/%d", 16384 + over, a.result, a.fault);
        free(a.data);
    }
}

static void check_trailer_fields(void)
{
    static const char raw[] = "X-Sum: 1 \r\nTransfer-Encoding: chunked\r\ncontent-length: 5\r\nHost: b\r\nAuthorization: x\r\nX-Forwarded-For: 1.2.3.4\r\n"
                              "Set-Cookie: a\r\nCookie: b\r\nContent-Encoding: gzip\r\nForwarded: for=x\r\nserver-timing:\t a\r\n\r\n";
    struct http_field fields[4];
    struct guarded g = guard_copy(raw, sizeof raw - 1);
    uint32_t n = http_trailer_fields(g.at, (uint32_t)g.len, fields, 4);
    CHECK(n == 2, "%u fields", n);
    CHECK(n == 2 && slice_eq(slice_of(g.at + fields[0].value_at, fields[0].value_len), SLICE("1")), "value is trimmed");
    CHECK(n == 2 && slice_eq(slice_of(g.at + fields[1].name_at, fields[1].name_len), SLICE("server-timing")), "second name");
    CHECK(http_trailer_fields(g.at, (uint32_t)g.len, fields, 1) == 1, "room for one");
    CHECK(http_trailer_fields(g.at, 5, fields, 4) == 0 && http_trailer_fields(g.at, 0, fields, 4) == 0, "cut short");
    guard_free(&g);
}

static void check_damaged(void)
{
    uint64_t seed = 5;
    for (int i = 0; i < 4000; i++) {
        const char *raw = goods[check_random(&seed, sizeof goods / sizeof *goods)].raw;
        char bytes[128];
        size_t len = strlen(raw);
        memcpy(bytes, raw, len);
        for (size_t n = 1 + check_random(&seed, 3); n; n--)
            bytes[check_random(&seed, len)] = "\r\n :;\0\x80\"\\0f="[check_random(&seed, 12)];
        struct answer a = feed_all_ways(body(true, 0, check_random(&seed, 2) ? 10 : 0), slice_of(bytes, len));
        free(a.data);
    }
}

int main(void)
{
    check_tables();
    check_length();
    check_chunk_limit();
    check_overhead();
    check_trailer_fields();
    check_damaged();
    return check_result();
}
