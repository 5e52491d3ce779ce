/* Frames are read strictly: what RFC 6455 says MUST NOT be sent ends the connection with the code that it names. */
#include "ws_frame.h"

#include <string.h>

enum { BIT_FIN = 0x80, BITS_RESERVED = 0x70, BIT_COMPRESSED = 0x40, BITS_OPCODE = 0x0f, BIT_MASK = 0x80, BITS_LEN = 0x7f, LEN_16 = 126, LEN_64 = 127, KEY_BYTES = 4 };

void ws_reader_init(struct ws_reader *r, uint64_t limit)
{
    memset(r, 0, sizeof *r);
    r->limit = limit;
}

static enum ws_result bad(struct ws_reader *r, enum ws_code code, const char *why)
{
    r->code = (uint16_t)code;
    r->why = why;
    return WS_BAD;
}

/* ---- UTF-8 (RFC 3629: no surrogates, nothing overlong, nothing above U+10FFFF) ---- */

static bool utf8_begin(struct ws_utf8 *s, unsigned char c)
{
    s->low = 0x80;
    s->high = 0xbf;
    if (c >= 0xc2 && c <= 0xdf) {
        s->need = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
        s->need = 2;
        if (c == 0xe0)
            s->low = 0xa0;
        else if (c == 0xed)
            s->high = 0x9f;
    } else if (c >= 0xf0 && c <= 0xf4) {
        s->need = 3;
        if (c == 0xf0)
            s->low = 0x90;
        else if (c == 0xf4)
            s->high = 0x8f;
    } else {
        return false;
    }
    return true;
}

bool ws_utf8_feed(struct ws_utf8 *s, const char *bytes, size_t n)
{
    const unsigned char *at = (const unsigned char *)bytes, *end = at + n;
    uint64_t eight;
    while (at < end) {
        if (s->need) {
            if (*at < s->low || *at > s->high)
                return false;
            s->need--;
            s->low = 0x80;
            s->high = 0xbf;
            at++;
        } else if (end - at >= 8 && (memcpy(&eight, at, 8), !(eight & 0x8080808080808080u))) {
            at += 8;
        } else if (*at < 0x80) {
            at++;
        } else if (!utf8_begin(s, *at++)) {
            return false;
        }
    }
    return true;
}

/* ---- the mask ---- */

static void unmask(char *to, const char *from, size_t n, const uint8_t key[4], uint8_t *key_at)
{
    uint8_t turned[8];
    uint64_t wide, eight;
    size_t i = 0;
    for (int k = 0; k < 8; k++)
        turned[k] = key[(*key_at + k) & 3];
    memcpy(&wide, turned, 8);
    for (; n - i >= 8; i += 8) {
        memcpy(&eight, from + i, 8);
        eight ^= wide;
        memcpy(to + i, &eight, 8);
    }
    for (size_t k = 0; i < n; i++, k++)
        to[i] = (char)(from[i] ^ turned[k]);
    *key_at = (uint8_t)((*key_at + n) & 3);
}

/* ---- heads ---- */

static size_t head_need(const struct ws_reader *r)
{
    if (r->head_have < 2)
        return 2;
    unsigned len = r->head[1] & BITS_LEN;
    return 2 + (len == LEN_16 ? 2u : len == LEN_64 ? 8u : 0u) + KEY_BYTES;
}

static bool is_control(unsigned opcode) { return (opcode & 8) != 0; }

/* What the first two bytes say; checked before the rest has come, so that a fault is told as early as it can be. */
static const char *first_bytes_fault(const struct ws_reader *r)
{
    unsigned opcode = r->head[0] & BITS_OPCODE;
    bool fin = r->head[0] & BIT_FIN;
    bool may_be_compressed = r->deflate && (opcode == WS_TEXT || opcode == WS_BINARY);
    if (r->head[0] & BITS_RESERVED & ~(may_be_compressed ? BIT_COMPRESSED : 0))
        return "a reserved bit is set";
    if ((opcode > WS_BINARY && opcode < WS_CLOSE) || opcode > WS_PONG)
        return "the opcode is reserved";
    if (!(r->head[1] & BIT_MASK))
        return "the frame is not masked";
    if (is_control(opcode))
        return !fin ? "a control frame is fragmented" : (r->head[1] & BITS_LEN) > WS_CONTROL_BYTES ? "a control frame is too long" : NULL;
    if (opcode == WS_CONTINUATION)
        return r->message ? NULL : "there is nothing to continue";
    return r->message ? "a message begins within another" : NULL;
}

static uint64_t big_endian(const uint8_t *at, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | at[i];
    return value;
}

static const char *length_fault(struct ws_reader *r)
{
    unsigned len = r->head[1] & BITS_LEN;
    r->left = len == LEN_16 ? big_endian(r->head + 2, 2) : len == LEN_64 ? big_endian(r->head + 2, 8) : len;
    if ((len == LEN_16 && r->left < LEN_16) || (len == LEN_64 && r->left <= UINT16_MAX))
        return "the length is not in its shortest form";
    return r->left >> 63 ? "the length has its highest bit set" : NULL;
}

/* What cannot be compressed gets longer: five bytes for each block of deflate that holds it as it is. */
static uint64_t most_compressed(uint64_t limit) { return limit && limit < UINT64_MAX / 2 ? limit + limit / 256 + 64 : limit; }

/* The head is whole. */
static enum ws_result head_done(struct ws_reader *r)
{
    const char *fault = length_fault(r);
    if (fault)
        return bad(r, WS_CODE_PROTOCOL, fault);
    memcpy(r->key, r->head + r->head_have - KEY_BYTES, KEY_BYTES);
    r->key_at = 0;
    r->head_have = 0;
    r->in_payload = true;
    r->fin = r->head[0] & BIT_FIN;
    r->opcode = r->head[0] & BITS_OPCODE;
    if (is_control(r->opcode)) {
        r->control_len = 0;
        return WS_MORE;
    }
    if (!r->message) {
        r->message = r->opcode;
        r->message_bytes = 0;
        r->text = (struct ws_utf8){0};
        r->compressed = r->head[0] & BIT_COMPRESSED;
    }
    r->opcode = r->message;
    uint64_t limit = r->compressed ? most_compressed(r->limit) : r->limit;
    if (limit && (r->left > limit || r->message_bytes > limit - r->left))
        return bad(r, WS_CODE_TOO_BIG, "the message is too big");
    r->message_bytes += r->left;
    return WS_MORE;
}

static enum ws_result read_head(struct ws_reader *r, struct slice bytes, size_t *used)
{
    while (*used < bytes.len) {
        r->head[r->head_have++] = (uint8_t)bytes.at[(*used)++];
        if (r->head_have == 2) {
            const char *fault = first_bytes_fault(r);
            if (fault)
                return bad(r, WS_CODE_PROTOCOL, fault);
        }
        if (r->head_have == head_need(r))
            return head_done(r);
    }
    return WS_MORE;
}

/* ---- payloads ---- */

bool ws_code_is_sendable(unsigned code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != WS_CODE_NONE && code != WS_CODE_ABNORMAL) || (code >= 3000 && code <= 4999);
}

static enum ws_result close_done(struct ws_reader *r)
{
    struct ws_utf8 reason = {0};
    r->code = WS_CODE_NONE;
    if (!r->control_len)
        return WS_CONTROL;
    if (r->control_len == 1)
        return bad(r, WS_CODE_PROTOCOL, "a close frame has half a code");
    r->code = (uint16_t)big_endian((const uint8_t *)r->control, 2);
    if (!ws_code_is_sendable(r->code))
        return bad(r, WS_CODE_PROTOCOL, "a close frame has a code that must not be sent");
    if (!ws_utf8_feed(&reason, r->control + 2, r->control_len - 2u) || reason.need)
        return bad(r, WS_CODE_NOT_TEXT, "the reason of a close frame is not UTF-8");
    return WS_CONTROL;
}

static enum ws_result read_control(struct ws_reader *r, struct slice bytes, size_t *used)
{
    size_t n = bytes.len - *used < r->left ? bytes.len - *used : (size_t)r->left;
    unmask(r->control + r->control_len, bytes.at + *used, n, r->key, &r->key_at);
    r->control_len = (uint8_t)(r->control_len + n);
    r->left -= n;
    *used += n;
    if (r->left)
        return WS_MORE;
    r->in_payload = false;
    return r->opcode == WS_CLOSE ? close_done(r) : WS_CONTROL;
}

/* All payload of the frame has been taken. */
static enum ws_result data_done(struct ws_reader *r)
{
    r->in_payload = false;
    if (!r->fin)
        return WS_MORE;
    r->message = 0;
    return r->opcode == WS_TEXT && !r->compressed && r->text.need ? bad(r, WS_CODE_NOT_TEXT, "a text ends within a character") : WS_MESSAGE;
}

enum ws_result ws_reader_feed(struct ws_reader *r, struct slice bytes, size_t *used, struct slice *data)
{
    enum ws_result result = WS_MORE;
    *used = 0;
    while (result == WS_MORE) {
        if (!r->in_payload)
            result = *used < bytes.len ? read_head(r, bytes, used) : WS_MORE;
        else if (is_control(r->opcode))
            result = read_control(r, bytes, used);
        else if (!r->left)
            result = data_done(r);
        else if (*used < bytes.len)
            result = WS_DATA;
        if (result == WS_MORE && *used == bytes.len && !(r->in_payload && !r->left))
            return WS_MORE;
    }
    if (result == WS_DATA) {
        *data = slice_of(bytes.at + *used, bytes.len - *used < r->left ? bytes.len - *used : (size_t)r->left);
        *used += data->len;
        r->left -= data->len;
    }
    return result;
}

bool ws_reader_take(struct ws_reader *r, struct slice data, char *to)
{
    unmask(to, data.at, data.len, r->key, &r->key_at);
    if (r->opcode != WS_TEXT || r->compressed || ws_utf8_feed(&r->text, to, data.len))
        return true;
    bad(r, WS_CODE_NOT_TEXT, "a text is not UTF-8");
    return false;
}

size_t ws_write_head(char to[WS_HEAD_BYTES], enum ws_opcode opcode, bool fin, bool compressed, uint64_t len)
{
    size_t more = len < LEN_16 ? 0 : len <= UINT16_MAX ? 2 : 8;
    to[0] = (char)((fin ? BIT_FIN : 0) | (compressed ? BIT_COMPRESSED : 0) | (int)opcode);
    to[1] = (char)(more == 0 ? (int)len : more == 2 ? LEN_16 : LEN_64);
    for (size_t i = 0; i < more; i++)
        to[2 + i] = (char)(len >> (8 * (more - 1 - i)));
    return 2 + more;
}
