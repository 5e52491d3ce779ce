/* Any bytes as what a client sends on a WebSocket: whole and in pieces they mean the same. */
// sources: ws_frame.c
#include "fuzz.h"
#include "ws_frame.h"

enum { LIMIT = 600, PACKED_LIMIT = LIMIT + LIMIT / 256 + 64 };
struct seen { uint32_t sum; size_t results, data; unsigned code; };

static void mix(struct seen *s, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        s->sum = (s->sum ^ (unsigned char)bytes[i]) * 16777619u;
}

/* False: nothing more may be read. */
static int note(struct seen *s, struct ws_reader *r, enum ws_result result, struct slice data)
{
    static char room[PACKED_LIMIT];
    size_t limit = r->compressed ? PACKED_LIMIT : LIMIT;
    if (result == WS_DATA) {
        MUST(data.len && data.len <= limit && (r->deflate || !r->compressed));
        if (!ws_reader_take(r, data, room))
            return note(s, r, WS_BAD, data);
        mix(s, room, data.len);
        s->data += data.len;
        return 1;
    }
    if (result == WS_BAD) {
        MUST(r->why && (r->code == WS_CODE_PROTOCOL || r->code == WS_CODE_NOT_TEXT || r->code == WS_CODE_TOO_BIG));
        s->code = r->code;
        return 0;
    }
    s->results++;
    if (result == WS_MESSAGE) {
        MUST(s->data == r->message_bytes && s->data <= limit && (r->opcode == WS_TEXT || r->opcode == WS_BINARY));
        s->data = 0;
    } else {
        MUST(r->control_len <= WS_CONTROL_BYTES && r->opcode >= WS_CLOSE && r->opcode <= WS_PONG);
        mix(s, r->control, r->control_len);
    }
    return 1;
}

static struct seen read_pieces(const uint8_t *bytes, size_t size, uint32_t seed, bool deflate)
{
    struct seen s = {0};
    struct ws_reader r;
    ws_reader_init(&r, LIMIT);
    r.deflate = deflate;
    for (size_t at = 0; at < size && !s.code;) {
        size_t n = seed ? fuzz_piece(&seed, size) : size, left = 0;
        if (n > size - at)
            n = size - at;
        char *copy = fuzz_copy(bytes + at, n);
        for (enum ws_result result = WS_DATA; result != WS_MORE;) {
            size_t used;
            struct slice data = {NULL, 0};
            result = ws_reader_feed(&r, slice_of(copy + left, n - left), &used, &data);
            MUST(used <= n - left);
            left += used;
            if (result != WS_MORE && !note(&s, &r, result, data))
                break;
        }
        MUST(s.code || left == n);
        free(copy);
        at += n;
    }
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int deflate = 0; deflate < 2; deflate++) {
        struct seen whole = read_pieces(data, size, 0, deflate), pieces = read_pieces(data, size, (uint32_t)size + 1, deflate);
        MUST(whole.results == pieces.results && whole.code == pieces.code);
        MUST(whole.code || (whole.sum == pieces.sum && whole.data == pieces.data));
    }
    return 0;
}
