/* Messages compressed and expanded: each kind of terms, sizes around the bounds, clients that end streams, bombs at their limit, garbage. */
// sources: gate_ws_codec.c buf.c ws_offer.c
// libs: z
#include "check.h"
#include "gate_ws_codec.h"

#include <zlib.h>

enum { LARGEST = WS_DEFLATE_MAX_BYTES + 1, ROUNDS = 400 };

/* Words with a little noise: something to be compressed. */
static void fill(char *to, size_t len, uint64_t *seed, unsigned noise)
{
    for (size_t i = 0; i < len; i++)
        to[i] = check_random(seed, 100) < noise ? (char)check_random(seed, 256) : "the quick brown fox {\"id\": 17} "[i % 31];
}

/* One side's codec talks to another's. */
static void check_pass(struct ws_codec *from, struct ws_codec *to, const char *text, size_t len, uint64_t limit, enum ws_expand expected)
{
    struct slice packed = ws_codec_compress(from, slice_of(text, len));
    struct buf out = {0};
    if (!packed.at) {
        CHECK(len < WS_DEFLATE_MIN_BYTES || len > WS_DEFLATE_MAX_BYTES || !from->terms.keep_out, "%zu bytes were left as they are", len);
        return;
    }
    struct guarded g = guard_copy(packed.at, packed.len);
    enum ws_expand result = ws_codec_expand(to, slice_of(g.at, packed.len), limit, &out);
    CHECK(result == expected, "%zu bytes, limit %llu: %d", len, (unsigned long long)limit, result);
    CHECK(result != WS_EXPANDED || (out.len == len && !memcmp(out.at, text, len)), "%zu bytes became %u", len, out.len);
    guard_free(&g);
    buf_clear(&out);
}

static struct ws_terms mirrored(struct ws_terms t)
{
    return (struct ws_terms){.keep_out = t.keep_in, .keep_in = t.keep_out, .out_bits = t.in_bits, .in_bits = t.out_bits};
}

static void check_terms(struct ws_terms terms, char *text, uint64_t *seed)
{
    struct ws_codec ours = {.terms = terms}, theirs = {.terms = mirrored(terms)};
    static const size_t sizes[] = {0, 1, 63, 64, 65, 1000, 16384, 16385, 65536, 65537, 300000, WS_DEFLATE_MAX_BYTES, LARGEST};
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++)
        for (unsigned noise = 0; noise <= 100; noise += 50) {
            fill(text, sizes[n], seed, noise);
            check_pass(&ours, &theirs, text, sizes[n], 0, WS_EXPANDED);
            check_pass(&ours, &theirs, text, sizes[n], sizes[n], WS_EXPANDED); /* the same once more */
        }
    for (int round = 0; round < ROUNDS; round++) {
        size_t len = check_random(seed, 3000);
        fill(text, len, seed, (unsigned)check_random(seed, 20));
        check_pass(round & 1 ? &ours : &theirs, round & 1 ? &theirs : &ours, text, len, 3000, WS_EXPANDED);
    }
    ws_codec_clear(&ours);
    ws_codec_clear(&theirs);
}

/* With a window the second of two like messages is much shorter; without one it costs no work but is as long. */
static void check_window(char *text, uint64_t *seed)
{
    struct ws_codec apart = {.terms = {.out_bits = 15, .in_bits = 15}}, context = {.terms = {.keep_out = true, .out_bits = 15, .in_bits = 15}};
    fill(text, 2000, seed, 100);
    fill(text, 500, seed, 0);
    size_t first = ws_codec_compress(&context, slice_of(text, 2000)).len, second = ws_codec_compress(&context, slice_of(text, 2000)).len;
    CHECK(second < first / 10, "%zu, then %zu", first, second);
    CHECK(ws_codec_compress(&apart, slice_of(text, 2000)).len == ws_codec_compress(&apart, slice_of(text, 2000)).len, "apart");
    struct slice a = ws_codec_compress(&apart, slice_of(text, 500));
    char copy[500];
    CHECK(a.len && a.len < 100, "%zu", a.len);
    memcpy(copy, a.at, a.len);
    text[499] ^= 1; /* nearly the same is not the same */
    struct slice b = ws_codec_compress(&apart, slice_of(text, 500));
    CHECK(b.len != a.len || memcmp(copy, b.at, b.len), "another message");
    ws_codec_clear(&context);
}

/* What another deflate makes of text, with this flush at its end; the tail is taken off where it is there. */
static size_t squeeze(const char *text, size_t len, int flush, char *to, size_t room)
{
    z_stream z = {0};
    CHECK(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) == Z_OK, "deflateInit2");
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)len;
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)room;
    deflate(&z, flush);
    size_t n = room - z.avail_out;
    deflateEnd(&z);
    return flush == Z_SYNC_FLUSH ? n - 4 : n;
}

static void check_bombs(char *text)
{
    static char bomb[100000];
    struct ws_codec c = {.terms = {.out_bits = 15, .in_bits = 15}};
    memset(text, 'x', LARGEST);
    size_t len = squeeze(text, LARGEST, Z_SYNC_FLUSH, bomb, sizeof bomb);
    static const struct { uint64_t limit; enum ws_expand result; } limits[] = {
        {LARGEST - 1, WS_EXPAND_TOO_BIG}, {LARGEST, WS_EXPANDED}, {LARGEST + 1, WS_EXPANDED}, {0, WS_EXPANDED}, {1, WS_EXPAND_TOO_BIG}};
    for (size_t n = 0; n < sizeof limits / sizeof *limits; n++) {
        struct buf out = {0};
        enum ws_expand result = ws_codec_expand(&c, slice_of(bomb, len), limits[n].limit, &out);
        CHECK(result == limits[n].result, "limit %llu: %d", (unsigned long long)limits[n].limit, result);
        CHECK(limits[n].limit != 1 || out.cap <= 65536, "a bomb took %u bytes", out.cap);
        buf_clear(&out);
    }
}

static void check_ended_streams(void)
{
    char packed[200];
    struct ws_codec c = {.terms = {.out_bits = 15, .in_bits = 15}};
    size_t len = squeeze("Hello", 5, Z_FINISH, packed, sizeof packed);
    packed[len++] = 0; /* RFC 7692 7.2.3.4 */
    len += squeeze(" you", 4, Z_FINISH, packed + len - 1, sizeof packed - len) - 1;
    packed[len++] = 0;
    struct buf out = {0};
    CHECK(ws_codec_expand(&c, slice_of(packed, len), 0, &out) == WS_EXPANDED && out.len == 9 && !memcmp(out.at, "Hello you", 9), "%u bytes", out.len);
    buf_clear(&out);
    CHECK(ws_codec_expand(&c, slice_of("\xf3\x48\xcd\xc9\xc9\x07\x00", 7), 0, &out) == WS_EXPANDED && out.len == 5, "the example of 7.2.3.4");
    buf_clear(&out);
    CHECK(ws_codec_expand(&c, slice_of("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13), 0, &out) == WS_EXPANDED && out.len == 5, "7.2.3.5");
    buf_clear(&out);
    CHECK(ws_codec_expand(&c, slice_of("\x00", 1), 0, &out) == WS_EXPANDED && !out.len, "an empty message");
    buf_clear(&out);
}

static void check_garbage(char *text, uint64_t *seed)
{
    struct ws_codec shared = {.terms = {.out_bits = 15, .in_bits = 15}};
    char packed[4000];
    for (int round = 0; round < 5000; round++) {
        struct ws_codec own = {.terms = {.keep_in = true, .out_bits = 15, .in_bits = (uint8_t)(8 + check_random(seed, 8))}};
        size_t len = check_random(seed, 600);
        fill(text, 2000, seed, (unsigned)check_random(seed, 100));
        if (round & 1)
            len = squeeze(text, 2000, Z_SYNC_FLUSH, packed, sizeof packed);
        else
            fill(packed, len, seed, 100);
        for (uint64_t n = check_random(seed, 5); n && len; n--)
            packed[check_random(seed, len)] ^= (char)(1 << check_random(seed, 8));
        struct guarded g = guard_copy(packed, len);
        for (int k = 0; k < 2; k++) {
            struct buf out = {0};
            ws_codec_expand(k ? &own : &shared, slice_of(g.at, len), 5000, &out);
            CHECK(out.cap <= 65536, "%u bytes", out.cap);
            buf_clear(&out);
        }
        guard_free(&g);
        ws_codec_clear(&own);
        fill(text, 200, seed, 10); /* the shared one is none the worse for it */
        check_pass(&shared, &shared, text, 200, 0, WS_EXPANDED);
    }
}

int main(void)
{
    static char text[LARGEST];
    uint64_t seed = 3;
    for (uint8_t bits = 9; bits <= 15; bits += 3)
        for (int keep = 0; keep < 4; keep++)
            check_terms((struct ws_terms){.keep_out = keep & 1, .keep_in = keep & 2, .out_bits = bits, .in_bits = bits}, text, &seed);
    check_window(text, &seed);
    check_bombs(text);
    check_ended_streams();
    check_garbage(text, &seed);
    return check_result();
}
