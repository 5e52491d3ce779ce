/* Escaping for log lines, as httpd does it: what is not printing ASCII never reaches a log raw.
 * Two flavours: items of an access line (quotes and backslashes too), and text of the error log, where quotes are harmless
 * and whole, printing UTF-8 is left readable. Pure. */
#include "log_parts.h"

#include <stdint.h>

enum { PLAIN = 0, HEX = 1 }; /* other table entries: the letter behind the backslash */

static const unsigned char item_class[256] = {
    [0 ... 7] = HEX, [8] = 'b', [9] = 't', [10] = 'n', [11] = 'v', [12] = HEX, [13] = 'r', [14 ... 31] = HEX,
    ['"'] = '"', ['\\'] = '\\', [127 ... 255] = HEX,
};

static inline size_t escape_byte(char *to, unsigned char byte, unsigned char letter)
{
    static const char digits[] = "0123456789abcdef";
    to[0] = '\\';
    if (letter != HEX) {
        to[1] = (char)letter;
        return 2;
    }
    to[1] = 'x';
    to[2] = digits[byte >> 4];
    to[3] = digits[byte & 15];
    return 4;
}

/* Eight bytes at a time: none below a space, above '~', a quote or a backslash. (Bytes are below 0x80 where the differences matter, so no borrow
 * comes from a byte that is not itself bad.) */
static inline bool word_is_plain(const unsigned char *at)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t word;
    memcpy(&word, at, sizeof word);
    uint64_t bad = word | (word - ones * ' ') | ((word ^ ones * '"') - ones) | ((word ^ ones * '\\') - ones) | ((word ^ ones * 127) - ones);
    return !(bad & ones << 7);
}

size_t log_escape(char *to, size_t room, struct slice text)
{
    const unsigned char *from = (const unsigned char *)text.at, *end = from + text.len;
    char *at = to, *last = to + room;
    while (from < end) {
        const unsigned char *run = from;
        size_t most = (size_t)(last - at), left = (size_t)(end - from) < most ? (size_t)(end - from) : most;
        for (; left >= sizeof(uint64_t) && word_is_plain(run); left -= sizeof(uint64_t))
            run += sizeof(uint64_t);
        while (run < end && item_class[*run] == PLAIN && (size_t)(run - from) < most)
            run++;
        memcpy(at, from, (size_t)(run - from));
        at += run - from;
        from = run;
        if (from == end || last - at < 4)
            break;
        if (item_class[*from] != PLAIN)
            at += escape_byte(at, *from, item_class[*from]), from++;
    }
    return (size_t)(at - to);
}

/* Three bytes that show nothing, but turn or break the line for whoever reads it: U+200B-200F, 2028-202E, 2060-206F, FEFF. */
static bool is_format(const unsigned char *from)
{
    if (from[0] == 0xe2 && from[1] == 0x80)
        return (from[2] >= 0x8b && from[2] <= 0x8f) || (from[2] >= 0xa8 && from[2] <= 0xae);
    return (from[0] == 0xe2 && from[1] == 0x81 && from[2] >= 0xa0 && from[2] <= 0xaf) || (from[0] == 0xef && from[1] == 0xbb && from[2] == 0xbf);
}

/* Length of the printing UTF-8 character at from; 0: it is none (overlong, surrogate, control or format character, cut short, or ASCII). */
static size_t utf8_length(const unsigned char *from, const unsigned char *end)
{
    size_t len = *from >= 0xf0 ? 4 : *from >= 0xe0 ? 3 : 2;
    if (*from < 0xc2 || *from > 0xf4 || (size_t)(end - from) < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((from[i] & 0xc0) != 0x80)
            return 0;
    bool bad = (*from == 0xc2 && from[1] < 0xa0) || (*from == 0xe0 && from[1] < 0xa0) || (*from == 0xed && from[1] > 0x9f) ||
               (*from == 0xf0 && from[1] < 0x90) || (*from == 0xf4 && from[1] > 0x8f);
    return bad || (len == 3 && is_format(from)) ? 0 : len;
}

size_t log_escape_text(char *to, size_t room, struct slice text, bool keep_lines)
{
    const unsigned char *from = (const unsigned char *)text.at, *end = from + text.len;
    char *at = to, *last = to + room;
    while (from < end && last - at >= 4) {
        unsigned char letter = item_class[*from];
        size_t whole = letter == HEX ? utf8_length(from, end) : 0;
        if (letter == PLAIN || letter == '"' || letter == 't' || (keep_lines && (letter == 'n' || letter == '\\')))
            whole = 1;
        if (whole) {
            memcpy(at, from, whole);
            at += whole;
            from += whole;
        } else {
            at += escape_byte(at, *from++, letter);
        }
    }
    return (size_t)(at - to);
}
