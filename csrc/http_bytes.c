/* The byte classes of HTTP and what is built directly on them. Eight bytes at a time where values are long. */
#include "http_bytes.h"

enum { T = BYTE_TOKEN, V = BYTE_VALUE, G = BYTE_TARGET, H = BYTE_HOST, X = BYTE_HEX };

const uint8_t http_bytes[256] = {
    ['\t'] = V,
    [' '] = V,
    ['!'] = T | V | G,
    ['"'] = V | G,
    ['#'] = T | V, /* a fragment is never sent (RFC 9112 3.2) */
    ['$' ... '\''] = T | V | G,
    ['(' ... ')'] = V | G,
    ['*' ... '+'] = T | V | G,
    [','] = V | G,
    ['-' ... '.'] = T | V | G | H,
    ['/'] = V | G,
    ['0' ... '9'] = T | V | G | H | X,
    [':' ... '@'] = V | G,
    ['A' ... 'F'] = T | V | G | H | X,
    ['G' ... 'Z'] = T | V | G | H,
    ['[' ... ']'] = V | G,
    ['^'] = T | V | G,
    ['_'] = T | V | G | H,
    ['`'] = T | V | G,
    ['a' ... 'f'] = T | V | G | H | X,
    ['g' ... 'z'] = T | V | G | H,
    ['{'] = V | G,
    ['|'] = T | V | G,
    ['}'] = V | G,
    ['~'] = T | V | G,
    [0x80 ... 0xff] = V | G,
};

/* Does one of the eight bytes look like a control byte? HTAB does too, and is let pass by the table afterwards. */
static inline bool word_is_suspect(const char *at)
{
    const uint64_t ones = 0x0101010101010101u, high = ones * 0x80;
    uint64_t word, del;
    memcpy(&word, at, sizeof word);
    del = word ^ (ones * 0x7f);
    return ((((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & high) != 0;
}

static bool all_value(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!byte_is(at[i], BYTE_VALUE))
            return false;
    return true;
}

bool bytes_are_value(const char *at, size_t len)
{
    size_t i = 0;
    if (len < 8)
        return all_value(at, len);
    for (; i + 8 <= len; i += 8)
        if (word_is_suspect(at + i) && !all_value(at + i, 8))
            return false;
    return !word_is_suspect(at + len - 8) || all_value(at + len - 8, 8);
}

enum http_fault line_fault(const char *line, size_t len, enum http_fault otherwise)
{
    if (memchr(line, '\r', len))
        return FAULT_BARE_CR;
    return all_value(line, len) && !memchr(line, '\t', len) ? otherwise : FAULT_CONTROL_BYTE;
}

bool http_is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!byte_is(s.at[i], BYTE_TOKEN))
            return false;
    return s.len > 0;
}

bool http_is_value(struct slice s)
{
    if (bytes_are_value(s.at, s.len)) /* the quick answer, by words */
        return true;
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] == '\r' || s.at[i] == '\n' || s.at[i] == '\0')
            return false;
    return true;
}

bool http_list_next(struct slice *list, struct slice *element)
{
    const char *comma;
    size_t len;
    if (!list->at)
        return false;
    comma = list->len ? memchr(list->at, ',', list->len) : NULL;
    len = comma ? (size_t)(comma - list->at) : list->len;
    *element = slice_of(list->at, len);
    *list = comma ? slice_of(comma + 1, list->len - len - 1) : slice_of(NULL, 0);
    while (element->len && byte_is_space(element->at[0]))
        *element = slice_of(element->at + 1, element->len - 1);
    while (element->len && byte_is_space(element->at[element->len - 1]))
        element->len--;
    return true;
}

bool http_list_has(struct slice list, struct slice word)
{
    struct slice element;
    while (http_list_next(&list, &element))
        if (slice_eq_nocase(element, word))
            return true;
    return false;
}
