/* Any bytes as a client's Sec-WebSocket-Extensions: what is agreed on stays within what both want, and its answer can be read as an offer again. */
// sources: ws_offer.c
#include "fuzz.h"
#include "ws_offer.h"

static void check(const char *text, size_t size, const struct ws_terms *wishes)
{
    struct ws_terms agreed = {0}, again = {0};
    char answer[WS_TERMS_BYTES];
    if (ws_offer_choose(slice_of(text, size), wishes, &agreed) != WS_OFFER_TAKEN)
        return;
    MUST(agreed.out_bits >= WS_WINDOW_BITS_MIN && agreed.out_bits <= wishes->out_bits);
    MUST(agreed.in_bits >= 8 && agreed.in_bits <= WS_WINDOW_BITS_MAX && (!agreed.in_bits_told || agreed.in_bits <= wishes->in_bits));
    MUST((wishes->keep_out || !agreed.keep_out) && (wishes->keep_in || !agreed.keep_in));
    size_t len = ws_offer_answer(&agreed, answer);
    MUST(len <= sizeof answer);
    MUST(ws_offer_choose(slice_of(answer, len), &(struct ws_terms){true, true, 15, 15, false}, &again) == WS_OFFER_TAKEN);
    MUST(again.keep_out == agreed.keep_out && again.keep_in == agreed.keep_in && again.out_bits == agreed.out_bits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size);
    check(copy, size, &(struct ws_terms){.out_bits = 15, .in_bits = 15});
    check(copy, size, &(struct ws_terms){.keep_out = true, .keep_in = true, .out_bits = 11, .in_bits = 9});
    free(copy);
    return 0;
}
