/* Offers of permessage-deflate: which one is taken, on what terms, what is answered; what is no list of extensions; random ones. */
// sources: ws_offer.c
#include "check.h"
#include "ws_offer.h"

#define PMD "permessage-deflate"
#define BOTH "; server_no_context_takeover; client_no_context_takeover"

/* Answers to an offer by a server that keeps no window, one that keeps windows of 15 bits, and one that keeps windows of 10 bits. "-": none; "!": malformed. */
static const struct { const char *offer, *apart, *context, *small; } cases[] = {
    {"", "-", "-", "-"},
    {PMD, PMD BOTH, PMD, PMD "; server_max_window_bits=10"},
    {"Permessage-Deflate", PMD BOTH, PMD, PMD "; server_max_window_bits=10"},
    {PMD "; client_max_window_bits", PMD BOTH, PMD, PMD "; server_max_window_bits=10; client_max_window_bits=10"},
    {PMD "; client_max_window_bits=12", PMD BOTH "; client_max_window_bits=12", PMD "; client_max_window_bits=12",
     PMD "; server_max_window_bits=10; client_max_window_bits=10"},
    {PMD "; client_max_window_bits=8", PMD BOTH "; client_max_window_bits=8", PMD "; client_max_window_bits=8",
     PMD "; server_max_window_bits=10; client_max_window_bits=8"},
    {PMD ";server_max_window_bits=9", PMD BOTH "; server_max_window_bits=9", PMD "; server_max_window_bits=9", PMD "; server_max_window_bits=9"},
    {PMD " ;\tserver_max_window_bits = \"12\" ", PMD BOTH "; server_max_window_bits=12", PMD "; server_max_window_bits=12",
     PMD "; server_max_window_bits=10"},
    {PMD "; server_max_window_bits=15", PMD BOTH, PMD, PMD "; server_max_window_bits=10"},
    {PMD "; server_no_context_takeover", PMD BOTH, PMD "; server_no_context_takeover", PMD "; server_no_context_takeover; server_max_window_bits=10"},
    {PMD "; client_no_context_takeover", PMD BOTH, PMD "; client_no_context_takeover", PMD "; client_no_context_takeover; server_max_window_bits=10"},
    {"x-webkit-deflate-frame, " PMD, PMD BOTH, PMD, PMD "; server_max_window_bits=10"},
    {"foo; a=b; c=\"d\" , , " PMD ",bar", PMD BOTH, PMD, PMD "; server_max_window_bits=10"},
    {PMD "; server_max_window_bits=8, " PMD, PMD BOTH, PMD, PMD "; server_max_window_bits=10"},
    {PMD "; server_no_context_takeover; server_max_window_bits=9, " PMD, PMD BOTH "; server_max_window_bits=9",
     PMD "; server_no_context_takeover; server_max_window_bits=9", PMD "; server_no_context_takeover; server_max_window_bits=9"},
    {PMD "; server_max_window_bits", "-", "-", "-"}, {PMD "; server_max_window_bits=8", "-", "-", "-"}, {PMD "; server_max_window_bits=7", "-", "-", "-"},
    {PMD "; server_max_window_bits=16", "-", "-", "-"}, {PMD "; server_max_window_bits=09", "-", "-", "-"},
    {PMD "; client_max_window_bits=7", "-", "-", "-"}, {PMD "; client_max_window_bits=100", "-", "-", "-"}, {PMD "; client_max_window_bits=x", "-", "-", "-"},
    {PMD "; server_no_context_takeover=1", "-", "-", "-"}, {PMD "; client_no_context_takeover=\"x\"", "-", "-", "-"}, {PMD "; unknown", "-", "-", "-"},
    {PMD "; server_no_context_takeover; server_no_context_takeover", "-", "-", "-"},
    {PMD "; server_max_window_bits=9; server_max_window_bits=9", "-", "-", "-"}, {PMD "; client_max_window_bits; client_max_window_bits=9", "-", "-", "-"},
    {"deflate", "-", "-", "-"}, {PMD "x", "-", "-", "-"}, {", ,", "-", "-", "-"},
    {PMD ";", "!", "!", "!"}, {PMD "; server_max_window_bits=", "!", "!", "!"}, {PMD "; a=\"b", "!", "!", "!"}, {PMD "; a=\"b c\"", "!", "!", "!"},
    {PMD " " PMD, "!", "!", "!"}, {"=", "!", "!", "!"}, {PMD "; =3", "!", "!", "!"}, {PMD ", ;", "!", "!", "!"}, {"\x80", "!", "!", "!"},
    {PMD "; a=\"\"", "!", "!", "!"},
};

static void check_answer(const char *offer, const struct ws_terms *wishes, const char *expected)
{
    char text[WS_TERMS_BYTES] = "";
    size_t len = 1;
    struct ws_terms agreed = {0};
    struct guarded g = guard_copy(offer, strlen(offer));
    enum ws_offer_result result = ws_offer_choose(slice_of(g.at, strlen(offer)), wishes, &agreed);
    if (result == WS_OFFER_TAKEN)
        len = ws_offer_answer(&agreed, text);
    else
        text[0] = result == WS_OFFER_NONE ? '-' : '!';
    guard_free(&g);
    CHECK(len == strlen(expected) && !memcmp(text, expected, len), "%s: %.*s instead of %s", offer, (int)len, text, expected);
}

static void check_any(void)
{
    static const char *const words[] = {PMD, ";", ",", "=", "\"", " ", "server_max_window_bits", "client_max_window_bits", "15", "9", "8", "x",
                                        "server_no_context_takeover", "client_no_context_takeover", "\t", "\x01", "permessage"};
    struct ws_terms wishes = {.keep_out = true, .keep_in = true, .out_bits = 12, .in_bits = 12};
    uint64_t seed = 7;
    for (int round = 0; round < 20000; round++) {
        char text[400], answer[WS_TERMS_BYTES];
        size_t len = 0;
        for (uint64_t n = check_random(&seed, 12); n; n--) {
            const char *word = words[check_random(&seed, sizeof words / sizeof *words)];
            memcpy(text + len, word, strlen(word));
            len += strlen(word);
        }
        struct guarded g = guard_copy(text, len);
        struct ws_terms agreed = {0};
        if (ws_offer_choose(slice_of(g.at, len), &wishes, &agreed) == WS_OFFER_TAKEN) {
            CHECK(agreed.out_bits >= WS_WINDOW_BITS_MIN && agreed.out_bits <= 12 && agreed.in_bits >= 8 && agreed.in_bits <= 15, "%.*s", (int)len, text);
            CHECK(ws_offer_answer(&agreed, answer) <= sizeof answer, "%.*s", (int)len, text);
        }
        guard_free(&g);
    }
}

int main(void)
{
    struct ws_terms apart = {.out_bits = 15, .in_bits = 15}, context = {.keep_out = true, .keep_in = true, .out_bits = 15, .in_bits = 15};
    struct ws_terms small = {.keep_out = true, .keep_in = true, .out_bits = 10, .in_bits = 10};
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        check_answer(cases[n].offer, &apart, cases[n].apart);
        check_answer(cases[n].offer, &context, cases[n].context);
        check_answer(cases[n].offer, &small, cases[n].small);
    }
    check_any();
    return check_result();
}
