/* The body decoder: a byte-wise machine for the lines between chunks, slices of the input for the payload.
 * Every byte of a chunk line has one meaning here or is refused: what a server lets pass unread is where requests are hidden. */
#include "http_body.h"

#include "http_bytes.h"
#include "limit.h"

enum state {
    AT_PAYLOAD,       /* of a Content-Length body, or of a chunk */
    AT_SIZE,          /* hex digits of the chunk size */
    AT_SEMICOLON,     /* white space was seen; an extension must follow (RFC 9112 7.1.1) */
    AT_NAME_START, AT_NAME, AT_EQUALS, AT_VALUE_START, AT_VALUE, AT_QUOTED, AT_ESCAPED, AT_EXTENSION_END,
    AT_LINE_LF,       /* of the chunk line */
    AT_DATA_CR, AT_DATA_LF,
    AT_TRAILER_START, /* of a trailer line, or of the CRLF that ends the message */
    AT_TRAILER_NAME, AT_TRAILER_VALUE, AT_TRAILER_LF,
    AT_LAST_LF,
    AT_END
};

void http_body_init(struct http_body *b, bool chunked, uint64_t length, uint64_t limit, uint32_t limit_field, uint32_t limit_fields)
{
    memset(b, 0, sizeof *b);
    b->chunked = chunked;
    b->limit = limit;
    b->limit_field = limit_field;
    b->limit_fields = limit_fields;
    b->left = chunked ? 0 : length;
    b->state = chunked ? AT_SIZE : AT_PAYLOAD;
}

/* How large the chunk or length may be. Without a limit still no more than 63 bits in all. */
static uint64_t room(const struct http_body *b)
{
    uint64_t most = b->limit && b->limit < INT64_MAX ? b->limit : INT64_MAX;
    return b->total < most ? most - b->total : 0;
}

static enum http_fault size_digit(struct http_body *b, char c)
{
    if (b->left > UINT64_MAX >> 4)
        return FAULT_BODY_TOO_LARGE;
    b->left = b->left << 4 | byte_hex(c);
    if (b->left > room(b))
        return FAULT_BODY_TOO_LARGE;
    return ++b->digits > 16 ? FAULT_CHUNK_SIZE : FAULT_NONE;
}

static enum http_fault to(struct http_body *b, enum state state)
{
    b->state = (uint8_t)state;
    b->over = state == AT_END;
    return FAULT_NONE;
}

static enum http_fault bad_byte(char c, enum http_fault otherwise)
{
    return c == '\n' ? FAULT_BARE_LF : c == '\r' ? FAULT_BARE_CR : otherwise;
}

/* chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) */
static enum http_fault extension_byte(struct http_body *b, char c)
{
    bool space = byte_is_space(c), token = byte_is(c, BYTE_TOKEN);
    switch ((enum state)b->state) {
    case AT_NAME_START:
        return token ? to(b, AT_NAME) : space ? FAULT_NONE : bad_byte(c, FAULT_CHUNK_EXTENSION);
    case AT_NAME:
        if (token)
            return FAULT_NONE;
        return c == '=' ? to(b, AT_VALUE_START) : c == ';' ? to(b, AT_NAME_START) : c == '\r' ? to(b, AT_LINE_LF)
             : space ? to(b, AT_EQUALS) : bad_byte(c, FAULT_CHUNK_EXTENSION);
    case AT_EQUALS:
        return c == '=' ? to(b, AT_VALUE_START) : c == ';' ? to(b, AT_NAME_START) : space ? FAULT_NONE : bad_byte(c, FAULT_CHUNK_EXTENSION);
    case AT_VALUE_START:
        return token ? to(b, AT_VALUE) : c == '"' ? to(b, AT_QUOTED) : space ? FAULT_NONE : bad_byte(c, FAULT_CHUNK_EXTENSION);
    case AT_VALUE:
        if (token)
            return FAULT_NONE;
        /* fall through */
    case AT_EXTENSION_END:
        return c == ';' ? to(b, AT_NAME_START) : c == '\r' ? to(b, AT_LINE_LF) : space ? to(b, AT_SEMICOLON)
             : bad_byte(c, FAULT_CHUNK_EXTENSION);
    case AT_SEMICOLON:
        return c == ';' ? to(b, AT_NAME_START) : space ? FAULT_NONE : bad_byte(c, FAULT_CHUNK_EXTENSION);
    case AT_QUOTED:
        if (c == '"' || c == '\\')
            return to(b, c == '"' ? AT_EXTENSION_END : AT_ESCAPED);
        /* fall through */
    case AT_ESCAPED:
        b->state = AT_QUOTED;
        return byte_is(c, BYTE_VALUE) && (unsigned char)c < 0x80 ? FAULT_NONE : bad_byte(c, FAULT_CHUNK_EXTENSION);
    case AT_PAYLOAD: case AT_SIZE: case AT_LINE_LF: case AT_DATA_CR: case AT_DATA_LF: case AT_TRAILER_START: case AT_TRAILER_NAME:
    case AT_TRAILER_VALUE: case AT_TRAILER_LF: case AT_LAST_LF: case AT_END:
        break;
    }
    return FAULT_CHUNK_EXTENSION;
}

static enum http_fault size_byte(struct http_body *b, char c)
{
    if (byte_is(c, BYTE_HEX))
        return size_digit(b, c);
    if (b->digits == 0)
        return bad_byte(c, FAULT_CHUNK_SIZE);
    return c == '\r' ? to(b, AT_LINE_LF) : c == ';' ? to(b, AT_NAME_START) : byte_is_space(c) ? to(b, AT_SEMICOLON) : bad_byte(c, FAULT_CHUNK_SIZE);
}

/* A byte of a chunk line, with its bounds: many extensions around little data are an attack (CVE-2023-39326). */
static enum http_fault line_byte(struct http_body *b, char c)
{
    enum http_fault fault;
    if (b->state == AT_LINE_LF) {
        b->line = 0;
        b->digits = 0;
        return c == '\n' ? to(b, b->left ? AT_PAYLOAD : AT_TRAILER_START) : FAULT_BARE_CR;
    }
    if (c != '\r' && ++b->line > LIMIT_CHUNK_LINE_BYTES)
        return FAULT_CHUNK_OVERHEAD;
    fault = b->state == AT_SIZE ? size_byte(b, c) : extension_byte(b, c);
    if (!fault && b->state != AT_SIZE && b->state != AT_LINE_LF && ++b->extensions > LIMIT_CHUNK_EXTENSIONS_BYTES)
        return FAULT_CHUNK_OVERHEAD;
    return fault;
}

static enum http_fault trailer_start(struct http_body *b, char c)
{
    if (c == '\r')
        return to(b, AT_LAST_LF);
    if (c != '\n' && b->trailer_fields++ >= b->limit_fields)
        return FAULT_TOO_MANY_FIELDS;
    b->line = 0;
    b->state = AT_TRAILER_NAME;
    return byte_is(c, BYTE_TOKEN) ? FAULT_NONE : byte_is_space(c) ? FAULT_FOLDED_FIELD : bad_byte(c, FAULT_TRAILER);
}

static enum http_fault trailer_byte(struct http_body *b, char c)
{
    if (b->state == AT_LAST_LF)
        return c == '\n' ? to(b, AT_END) : FAULT_BARE_CR;
    if (b->state == AT_TRAILER_LF)
        return c == '\n' ? to(b, AT_TRAILER_START) : FAULT_BARE_CR;
    if (b->state == AT_TRAILER_START) {
        enum http_fault fault = trailer_start(b, c);
        if (fault || b->state == AT_LAST_LF)
            return fault;
    }
    if (c != '\r' && ++b->line > b->limit_field)
        return FAULT_FIELD_TOO_LONG;
    if (b->state == AT_TRAILER_NAME)
        return byte_is(c, BYTE_TOKEN) ? FAULT_NONE : c == ':' ? to(b, AT_TRAILER_VALUE) : bad_byte(c, FAULT_TRAILER);
    if (c == '\r')
        return to(b, AT_TRAILER_LF);
    return byte_is(c, BYTE_VALUE) ? FAULT_NONE : bad_byte(c, FAULT_CONTROL_BYTE);
}

static enum http_fault data_end_byte(struct http_body *b, char c)
{
    if (b->state == AT_DATA_CR)
        return c == '\r' ? to(b, AT_DATA_LF) : FAULT_CHUNK_END;
    return c == '\n' ? to(b, AT_SIZE) : FAULT_CHUNK_END;
}

static enum body_result payload(struct http_body *b, struct slice in, size_t *used, struct slice *data, enum http_fault *fault)
{
    size_t n = in.len < b->left ? in.len : (size_t)b->left;
    if (b->left > room(b)) {
        *fault = FAULT_BODY_TOO_LARGE;
        return BODY_BAD;
    }
    b->left -= n;
    b->total += n;
    if (b->left == 0)
        to(b, b->chunked ? AT_DATA_CR : AT_END);
    *used += n;
    *data = slice_of(in.at, n);
    return n ? BODY_DATA : b->state == AT_END ? BODY_END : BODY_MORE;
}

/* Hands out the section as it came, line ends included; the field lines in it have been checked. */
static enum body_result trailers(struct http_body *b, struct slice in, size_t *used, struct slice *data, enum http_fault *fault)
{
    size_t n = 0;
    while (n < in.len && b->state != AT_END && !*fault)
        *fault = trailer_byte(b, in.at[n++]);
    *used += n;
    *data = slice_of(in.at, n);
    return *fault ? BODY_BAD : BODY_TRAILER;
}

enum body_result http_body_feed(struct http_body *b, struct slice in, size_t *used, struct slice *data, enum http_fault *fault)
{
    *used = 0;
    *data = slice_of(in.at, 0);
    *fault = FAULT_NONE;
    for (;;) {
        struct slice rest = slice_of(in.at + *used, in.len - *used);
        if (b->state == AT_END)
            return BODY_END;
        if (b->state == AT_PAYLOAD)
            return payload(b, rest, used, data, fault);
        if (rest.len == 0)
            return BODY_MORE;
        if (b->state >= AT_TRAILER_START)
            return trailers(b, rest, used, data, fault);
        *fault = b->state >= AT_DATA_CR ? data_end_byte(b, *rest.at) : line_byte(b, *rest.at);
        ++*used;
        if (*fault)
            return BODY_BAD;
    }
}
