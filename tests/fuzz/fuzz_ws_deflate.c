/* Any bytes as a compressed message of a client: bounded work and memory, and the same for who shares the inflater as for who has one. What comes out
 * is compressed and expanded again, and is the same. */
// sources: gate_ws_codec.c buf.c
// libs: z
#include "fuzz.h"
#include "gate_ws_codec.h"

enum { LIMIT = 100000, MEMORY = 1 << 18 };

static enum ws_expand expand(struct ws_codec *c, const char *bytes, size_t size, struct buf *out)
{
    enum ws_expand result = ws_codec_expand(c, slice_of(bytes, size), LIMIT, out);
    MUST(out->cap <= MEMORY);
    MUST(result != WS_EXPANDED || out->len <= LIMIT);
    return result;
}

static void there_and_back(struct ws_terms terms, const struct buf *text)
{
    struct ws_codec from = {.terms = terms}, to = {.terms = {terms.keep_in, terms.keep_out, terms.in_bits, terms.out_bits, true}};
    for (int turn = 0; turn < 2; turn++) {
        struct buf out = {0};
        struct slice packed = ws_codec_compress(&from, slice_of(text->at, text->len));
        if (packed.at) {
            char *copy = fuzz_copy(packed.at, packed.len);
            MUST(ws_codec_expand(&to, slice_of(copy, packed.len), text->len, &out) == WS_EXPANDED);
            MUST(out.len == text->len && !memcmp(out.at, text->at, out.len));
            free(copy);
        }
        buf_clear(&out);
    }
    ws_codec_clear(&from);
    ws_codec_clear(&to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ws_codec shared = {.terms = {.out_bits = 15, .in_bits = 15}}, own = {.terms = {.keep_in = true, .out_bits = 15, .in_bits = 15}};
    struct buf a = {0}, b = {0};
    char *copy = fuzz_copy(data, size);
    enum ws_expand result = expand(&shared, copy, size, &a);
    MUST(expand(&own, copy, size, &b) == result);
    MUST(result != WS_EXPANDED || (a.len == b.len && (!a.len || !memcmp(a.at, b.at, a.len))));
    if (result == WS_EXPANDED && size && data[0] & 8) {
        there_and_back((struct ws_terms){.out_bits = (uint8_t)(9 + size % 7), .in_bits = 15}, &a);
        there_and_back((struct ws_terms){.keep_out = true, .out_bits = (uint8_t)(9 + size % 7), .in_bits = 15}, &a);
    }
    free(copy);
    buf_clear(&a);
    buf_clear(&b);
    ws_codec_clear(&own);
    return 0;
}
