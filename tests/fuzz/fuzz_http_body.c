/* Any bytes as a request body: the first byte seeds the cuts, the second chooses the framing and the limit. */
// sources: http_body.c http_trailer.c http_field.c http_target.c http_bytes.c
#include "fuzz.h"
#include "http_body.h"

enum { FIELD = 100, FIELDS = 5 };
struct answer { enum body_result result; enum http_fault fault; size_t used, data_len, trailer_len; char *data, *trailer; };

static void take(char *to, size_t *to_len, struct slice data, const char *from, size_t from_len)
{
    MUST(data.len > 0 && data.at >= from && data.at + data.len <= from + from_len);
    memcpy(to + *to_len, data.at, data.len);
    *to_len += data.len;
}

/* One piece; stops at what ends it. */
static void feed_piece(struct http_body *b, struct answer *a, const char *piece, size_t len)
{
    size_t at = 0;
    do {
        size_t used;
        struct slice data;
        a->result = http_body_feed(b, slice_of(piece + at, len - at), &used, &data, &a->fault);
        MUST(used <= len - at && (a->result == BODY_BAD) == (a->fault != FAULT_NONE) && (a->result != BODY_MORE || at + used == len));
        at += used;
        if (a->result == BODY_DATA)
            take(a->data, &a->data_len, data, piece, len);
        if (a->result == BODY_TRAILER)
            take(a->trailer, &a->trailer_len, data, piece, len);
    } while (a->result == BODY_DATA || a->result == BODY_TRAILER);
    a->used += at;
}

static struct answer feed(struct http_body b, const uint8_t *bytes, size_t len, uint32_t seed, bool pieces)
{
    struct answer a = {.result = BODY_MORE, .data = malloc(len + 1), .trailer = malloc(len + 1)};
    do {
        size_t n = pieces ? fuzz_piece(&seed, len) : len;
        n = n < len - a.used ? n : len - a.used;
        char *piece = fuzz_copy(bytes + a.used, n);
        feed_piece(&b, &a, piece, n);
        free(piece);
    } while (a.result == BODY_MORE && a.used < len);
    MUST(a.data_len == b.total && (!b.limit || b.total <= b.limit));
    return a;
}

static void check_trailers(const struct answer *a)
{
    struct http_field fields[FIELDS];
    char *copy = fuzz_copy(a->trailer, a->trailer_len);
    uint32_t n = http_trailer_fields(copy, (uint32_t)a->trailer_len, fields, FIELDS);
    MUST(n <= FIELDS);
    for (uint32_t i = 0; i < n; i++) {
        MUST((size_t)fields[i].value_at + fields[i].value_len + 2 < a->trailer_len && fields[i].name == FIELD_OTHER);
        MUST(http_is_token(slice_of(copy + fields[i].name_at, fields[i].name_len)) && http_is_value(slice_of(copy + fields[i].value_at, fields[i].value_len)));
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_body b;
    struct answer whole, pieces;
    if (size < 2)
        return 0;
    http_body_init(&b, data[1] & 1, data[1] >> 2, data[1] & 2 ? 20 : 0, FIELD, FIELDS);
    whole = feed(b, data + 2, size - 2, 0, false);
    pieces = feed(b, data + 2, size - 2, data[0], true);
    MUST(whole.result == pieces.result && whole.fault == pieces.fault && whole.used == pieces.used);
    MUST(whole.data_len == pieces.data_len && memcmp(whole.data, pieces.data, whole.data_len) == 0);
    if (whole.result == BODY_END) {
        MUST(whole.trailer_len == pieces.trailer_len && memcmp(whole.trailer, pieces.trailer, whole.trailer_len) == 0);
        MUST((data[1] & 1) || whole.data_len == data[1] >> 2);
        check_trailers(&whole);
    }
    free(whole.data), free(whole.trailer), free(pieces.data), free(pieces.trailer);
    return 0;
}
