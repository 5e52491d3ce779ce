/* Any bytes as what a CGI script writes: the first byte seeds the cuts and says whether a status line may begin it; the others are fed whole and in
 * pieces. */
// sources: cgi_answer.c http_bytes.c
#include "cgi_answer.h"
#include "fuzz.h"

static void check_value(const char *bytes, struct http_span s)
{
    for (uint32_t i = 0; i < s.len; i++)
        MUST(((unsigned char)bytes[s.at + i] >= 0x20 || bytes[s.at + i] == '\t') && bytes[s.at + i] != 0x7f);
    MUST(!s.len || (bytes[s.at] != ' ' && bytes[s.at + s.len - 1] != ' '));
}

static void check_done(const struct cgi_answer *a, const char *bytes, size_t len)
{
    MUST(a->used && a->used <= len && bytes[a->used - 1] == '\n' && a->count <= LIMIT_CGI_FIELDS && a->length >= -1);
    MUST(!a->status || (a->status >= 200 && a->status <= 599));
    check_value(bytes, a->status_text);
    check_value(bytes, a->type);
    check_value(bytes, a->location);
    for (uint32_t i = 0; i < a->count; i++) {
        const struct cgi_answer_field *f = &a->fields[i];
        MUST(f->name.at + f->name.len < f->value.at && f->value.at + f->value.len < a->used);
        MUST(http_is_token(slice_of(bytes + f->name.at, f->name.len)) && http_is_value(slice_of(bytes + f->value.at, f->value.len)));
        check_value(bytes, f->value);
    }
}

static enum cgi_answer_result feed(struct cgi_answer *a, const uint8_t *data, size_t len, uint32_t seed, bool status_line, bool pieces)
{
    enum cgi_answer_result result;
    size_t given = pieces ? 0 : len;
    memset(a, 0, sizeof *a);
    cgi_answer_init(a, status_line);
    do {
        if (pieces && given < len) {
            given += fuzz_piece(&seed, len);
            given = given < len ? given : len;
        }
        char *copy = fuzz_copy(data, given);
        result = cgi_answer_parse(a, copy, given);
        MUST(a->at <= given && a->scanned <= given && (result == CGI_ANSWER_BAD) == (a->fault != NULL) && a->bad.at + a->bad.len <= given);
        if (result == CGI_ANSWER_DONE)
            check_done(a, copy, given);
        free(copy);
    } while (result == CGI_ANSWER_MORE && given < len);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cgi_answer whole, pieces;
    if (size == 0)
        return 0;
    enum cgi_answer_result result = feed(&whole, data + 1, size - 1, 0, data[0] & 1, false);
    MUST(feed(&pieces, data + 1, size - 1, data[0], data[0] & 1, true) == result);
    MUST(memcmp(&whole, &pieces, sizeof whole) == 0);
    return 0;
}
