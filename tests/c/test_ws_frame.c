/* WebSocket frames: what is read of them whole, byte by byte and in random pieces; what is refused, with which code; UTF-8; heads. */
// sources: ws_frame.c
#include "check.h"
#include "ws_frame.h"

enum { LIMIT = 1000, TRACE_BYTES = 4096 };
#define TEXT(s) s, sizeof(s) - 1
#define KEY "\0\0\0\0"

/* "T" text, "B" binary, "p" ping, "o" pong, "c" close with its code, "!" fault with its code; '.' behind each. */
static const struct { const char *at; size_t len; const char *trace; } cases[] = {
    {TEXT("\x81\x80" KEY), "T."},
    {TEXT("\x81\x85" KEY "hello"), "Thello."},
    {TEXT("\x81\x85\x01\x02\x03\x04igohn"), "Thello."},
    {TEXT("\x82\x83" KEY "\xff\xfe\xfd"), "B\xff\xfe\xfd."},
    {TEXT("\x01\x82" KEY "he" "\x80\x83" KEY "llo"), "Thello."},
    {TEXT("\x01\x80" KEY "\x00\x80" KEY "\x80\x80" KEY), "T."},
    {TEXT("\x01\x82" KEY "he" "\x89\x82" KEY "hi" "\x80\x83" KEY "llo"), "phi.Thello."},
    {TEXT("\x89\x80" KEY "\x8a\x81" KEY "x" "\x81\x81" KEY "y"), "p.ox.Ty."},
    {TEXT("\x88\x80" KEY), "c1005."},
    {TEXT("\x88\x82" KEY "\x03\xe8"), "c1000."},
    {TEXT("\x88\x85" KEY "\x0f\xa0" "bye"), "c4000bye."},
    {TEXT("\x81\xfe\x00\x7e" KEY), ""},
    {TEXT("\x81\xfe\x00\x7d" KEY), "!1002."},
    {TEXT("\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff" KEY), "!1002."},
    {TEXT("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00" KEY), "!1002."},
    {TEXT("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" KEY), "!1009."},
    {TEXT("\x82\xfe\x03\xe9" KEY), "!1009."},
    {TEXT("\x81\x05hello"), "!1002."},
    {TEXT("\xc1\x85" KEY "hello"), "!1002."},
    {TEXT("\xa1\x85" KEY "hello"), "!1002."},
    {TEXT("\x91\x85" KEY "hello"), "!1002."},
    {TEXT("\x83\x80" KEY), "!1002."}, {TEXT("\x84\x80" KEY), "!1002."}, {TEXT("\x87\x80" KEY), "!1002."},
    {TEXT("\x8b\x80" KEY), "!1002."}, {TEXT("\x8f\x80" KEY), "!1002."},
    {TEXT("\x09\x80" KEY), "!1002."}, {TEXT("\x08\x80" KEY), "!1002."},
    {TEXT("\x89\xfe\x00\x7e" KEY), "!1002."},
    {TEXT("\x80\x80" KEY), "!1002."}, {TEXT("\x00\x80" KEY), "!1002."},
    {TEXT("\x01\x80" KEY "\x81\x80" KEY), "!1002."},
    {TEXT("\x88\x81" KEY "x"), "!1002."},
    {TEXT("\x88\x82" KEY "\x03\xe7"), "!1002."}, {TEXT("\x88\x82" KEY "\x03\xec"), "!1002."}, {TEXT("\x88\x82" KEY "\x03\xed"), "!1002."},
    {TEXT("\x88\x82" KEY "\x03\xee"), "!1002."}, {TEXT("\x88\x82" KEY "\x03\xf7"), "!1002."}, {TEXT("\x88\x82" KEY "\x0b\xb7"), "!1002."},
    {TEXT("\x88\x82" KEY "\x13\x88"), "!1002."},
    {TEXT("\x88\x84" KEY "\x03\xe8\xc3\x28"), "!1007."}, {TEXT("\x88\x83" KEY "\x03\xe8\xc3"), "!1007."},
    {TEXT("\x81\x82" KEY "\xc3\x28"), "!1007."}, {TEXT("\x81\x81" KEY "\xc3"), "!1007."},
    {TEXT("\x01\x81" KEY "\xc3" "\x80\x81" KEY "\xa4"), "T\xc3\xa4."},
    {TEXT("\x01\x81" KEY "\xc3" "\x80\x80" KEY), "!1007."},
    {TEXT("\x01\x83" KEY "\xed\xa0\x80" "\x80\x80" KEY), "!1007."},
};

struct trace { char text[TRACE_BYTES]; size_t len; char message[LIMIT * 2]; size_t message_len; bool over; };

static void add(struct trace *t, const char *bytes, size_t n)
{
    if (t->len + n < sizeof t->text)
        memcpy(t->text + t->len, bytes, n);
    t->len += n;
}

static void add_code(struct trace *t, char kind, unsigned code)
{
    char text[8];
    add(t, text, (size_t)snprintf(text, sizeof text, "%c%u", kind, code));
}

static void note(struct trace *t, struct ws_reader *r, enum ws_result result, struct slice data)
{
    switch (result) {
    case WS_MORE: return;
    case WS_DATA:
        if (!ws_reader_take(r, data, t->message + t->message_len)) {
            note(t, r, WS_BAD, data);
            return;
        }
        t->message_len += data.len;
        return;
    case WS_MESSAGE:
        add(t, r->opcode == WS_TEXT ? "T" : "B", 1);
        add(t, t->message, t->message_len);
        t->message_len = 0;
        break;
    case WS_CONTROL:
        if (r->opcode == WS_CLOSE)
            add_code(t, 'c', r->code);
        else
            add(t, r->opcode == WS_PING ? "p" : "o", 1);
        add(t, r->control + (r->opcode == WS_CLOSE && r->control_len ? 2 : 0), r->control_len - (r->opcode == WS_CLOSE && r->control_len ? 2u : 0u));
        break;
    case WS_BAD:
        add_code(t, '!', r->code);
        t->over = true;
        break;
    }
    add(t, ".", 1);
}

static void feed(struct trace *t, struct ws_reader *r, const char *bytes, size_t len)
{
    struct guarded g = guard_copy(bytes, len);
    struct slice left = slice_of(g.at, len);
    enum ws_result result = WS_DATA;
    while (result != WS_MORE && !t->over) {
        size_t used = 0;
        struct slice data = {NULL, 0};
        result = ws_reader_feed(r, left, &used, &data);
        CHECK(used <= left.len, "used %zu of %zu", used, left.len);
        note(t, r, result, data);
        left = slice_of(left.at + used, left.len - used);
    }
    CHECK(t->over || !left.len, "%zu bytes were left", left.len);
    guard_free(&g);
}

/* piece 0: random ones. */
static void check_case(size_t n, size_t piece, uint64_t *seed)
{
    static struct trace t;
    struct ws_reader r;
    t.len = t.message_len = 0;
    t.over = false;
    ws_reader_init(&r, LIMIT);
    for (size_t at = 0; at < cases[n].len && !t.over;) {
        size_t size = piece ? piece : 1 + check_random(seed, 7);
        if (size > cases[n].len - at)
            size = cases[n].len - at;
        feed(&t, &r, cases[n].at + at, size);
        at += size;
    }
    CHECK(t.len == strlen(cases[n].trace) && !memcmp(t.text, cases[n].trace, t.len), "case %zu in pieces of %zu: %s", n, piece, check_show(t.text, t.len));
}

/* With compression agreed on: the first bit that is reserved may stand in the first frame of a message, and the text is checked when it is expanded. */
static const struct { const char *at; size_t len; const char *trace; bool compressed; } packed_cases[] = {
    {TEXT("\xc1\x82" KEY "\xc3\x28"), "T\xc3\x28.", true},
    {TEXT("\xc2\x81" KEY "\xff"), "B\xff.", true},
    {TEXT("\x41\x81" KEY "\xc3" "\x80\x81" KEY "\x28"), "T\xc3\x28.", true},
    {TEXT("\xc1\x81" KEY "\xc3" "\x81\x81" KEY "x"), "T\xc3.Tx.", false},
    {TEXT("\x81\x82" KEY "\xc3\x28"), "!1007.", false},
    {TEXT("\x41\x80" KEY "\xc0\x80" KEY), "!1002.", true},
    {TEXT("\xc9\x80" KEY), "!1002.", false}, {TEXT("\xc8\x80" KEY), "!1002.", false}, {TEXT("\xc0\x80" KEY), "!1002.", false},
    {TEXT("\xa1\x80" KEY), "!1002.", false}, {TEXT("\xd1\x80" KEY), "!1002.", false}, {TEXT("\xe1\x80" KEY), "!1002.", false},
    {TEXT("\xc2\xfe\x04\x2b" KEY), "", true},  /* 1067: what 1000 bytes become at worst */
    {TEXT("\xc2\xfe\x04\x2c" KEY), "!1009.", true},
    {TEXT("\x82\xfe\x04\x2b" KEY), "!1009.", false},
};

static void check_packed(void)
{
    static struct trace t;
    for (size_t n = 0; n < sizeof packed_cases / sizeof *packed_cases; n++)
        for (size_t piece = 1; piece < 9; piece++) {
            struct ws_reader r;
            t.len = t.message_len = 0;
            t.over = false;
            ws_reader_init(&r, LIMIT);
            r.deflate = true;
            for (size_t at = 0; at < packed_cases[n].len && !t.over; at += piece)
                feed(&t, &r, packed_cases[n].at + at, packed_cases[n].len - at < piece ? packed_cases[n].len - at : piece);
            CHECK(t.len == strlen(packed_cases[n].trace) && !memcmp(t.text, packed_cases[n].trace, t.len), "packed %zu in pieces of %zu: %s", n, piece,
                  check_show(t.text, t.len));
            CHECK(r.compressed == packed_cases[n].compressed, "packed %zu: compressed %d", n, r.compressed);
        }
}

static void check_large(void)
{
    static char bytes[20 + 70000], out[70000];
    struct ws_reader r;
    struct slice data;
    size_t used, got = 0, head = ws_write_head(bytes, WS_BINARY, true, false, 70000);
    bytes[1] = (char)(bytes[1] | 0x80);
    memcpy(bytes + head, "abcd", 4);
    for (size_t i = 0; i < 70000; i++)
        bytes[head + 4 + i] = (char)((char)(i * 7) ^ "abcd"[i & 3]);
    ws_reader_init(&r, 0);
    struct slice left = slice_of(bytes, head + 4 + 70000);
    enum ws_result result;
    while ((result = ws_reader_feed(&r, slice_of(left.at, left.len < 1013 ? left.len : 1013), &used, &data)) != WS_MESSAGE) {
        if (result == WS_DATA) {
            ws_reader_take(&r, data, out + got);
            got += data.len;
        }
        left = slice_of(left.at + used, left.len - used);
    }
    CHECK(got == 70000, "%zu", got);
    for (size_t i = 0; i < 70000; i++)
        if (out[i] != (char)(i * 7)) {
            CHECK(false, "byte %zu", i);
            break;
        }
}

static void check_heads(void)
{
    char head[WS_HEAD_BYTES];
    CHECK(ws_write_head(head, WS_TEXT, true, false, 0) == 2 && !memcmp(head, "\x81\x00", 2), "0");
    CHECK(ws_write_head(head, WS_TEXT, false, false, 125) == 2 && !memcmp(head, "\x01\x7d", 2), "125");
    CHECK(ws_write_head(head, WS_BINARY, true, false, 126) == 4 && !memcmp(head, "\x82\x7e\x00\x7e", 4), "126");
    CHECK(ws_write_head(head, WS_TEXT, true, true, 5) == 2 && !memcmp(head, "\xc1\x05", 2), "compressed");
    CHECK(ws_write_head(head, WS_CONTINUATION, true, false, 65535) == 4 && !memcmp(head, "\x80\x7e\xff\xff", 4), "65535");
    CHECK(ws_write_head(head, WS_CONTINUATION, true, false, 65536) == 10 && !memcmp(head, "\x80\x7f\0\0\0\0\0\1\0\0", 10), "65536");
}

/* Every code point, and every string of up to three bytes against what follows from RFC 3629. */
static bool utf8_reference(const unsigned char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        unsigned c = s[i++], more = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 : c >> 3 == 30 ? 3 : 9;
        unsigned long point = more == 0 ? c : c & (0x3fu >> more);
        if (more == 9 || more > n - i)
            return false;
        for (unsigned k = 0; k < more; k++, i++) {
            if (s[i] >> 6 != 2)
                return false;
            point = point << 6 | (s[i] & 0x3f);
        }
        if (point > 0x10ffff || point >> 11 == 27 || (more && point < (more == 1 ? 0x80u : more == 2 ? 0x800u : 0x10000u)))
            return false;
    }
    return true;
}

static void check_utf8(void)
{
    for (unsigned long value = 0; value < 1ul << 24; value += value < 1ul << 16 ? 1 : 3) {
        unsigned char s[4] = {(unsigned char)(value >> 16), (unsigned char)(value >> 8), (unsigned char)value, 0x80};
        for (size_t n = 3; n <= 4; n++) {
            struct ws_utf8 u = {0};
            bool good = ws_utf8_feed(&u, (char *)s, n) && !u.need;
            if (good != utf8_reference(s, n))
                CHECK(false, "%06lx, %zu bytes", value, n);
        }
    }
}

int main(void)
{
    uint64_t seed = 1;
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        check_case(n, cases[n].len, &seed);
        for (size_t piece = 1; piece < 9; piece++)
            check_case(n, piece, &seed);
        for (int i = 0; i < 20; i++)
            check_case(n, 0, &seed);
    }
    check_packed();
    check_large();
    check_heads();
    check_utf8();
    for (unsigned code = 0; code < 6000; code++) {
        bool may = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code < 5000);
        CHECK(ws_code_is_sendable(code) == may, "%u", code);
    }
    return check_result();
}
