/* The two small gateway protocols. A head is looked at when all of it is there; its length stands at its start. */
#include "scgi_head.h"

static enum pack_result bad(struct pack *p, const char *fault)
{
    p->fault = fault;
    return PACK_BAD;
}

static const char *add_pair(struct pack *p, struct slice name, struct slice value)
{
    if (p->count == CGI_PAIRS_MAX)
        return "too many variables";
    p->pairs[p->count++] = (struct cgi_pair){name, value};
    return NULL;
}

enum { SCGI_DIGITS_MAX = 8 };

/* "123:" -> 123 and where the content begins. */
static enum pack_result scgi_length(struct pack *p, const char *bytes, size_t len, size_t *content, size_t *size)
{
    size_t i = 0, n = 0;
    for (; i < len && i < SCGI_DIGITS_MAX && bytes[i] >= '0' && bytes[i] <= '9'; i++)
        n = n * 10 + (size_t)(bytes[i] - '0');
    if (i > 1 && bytes[0] == '0')
        return bad(p, "the length of the netstring has a leading zero");
    if (i == len && i < SCGI_DIGITS_MAX)
        return PACK_MORE;
    if (i == 0 || i == len || bytes[i] != ':')
        return bad(p, "the head is not a netstring");
    *content = i + 1;
    *size = n;
    return PACK_DONE;
}

static const char *scgi_pairs(struct pack *p, const char *at, const char *end)
{
    const char *fault = NULL;
    while (at < end && !fault) {
        const char *name_end = memchr(at, 0, (size_t)(end - at)), *value = name_end ? name_end + 1 : NULL;
        const char *value_end = value ? memchr(value, 0, (size_t)(end - value)) : NULL;
        if (!value_end)
            return "a variable is cut short";
        fault = add_pair(p, slice_of(at, (size_t)(name_end - at)), slice_of(value, (size_t)(value_end - value)));
        at = value_end + 1;
    }
    return fault;
}

/* The specification: CONTENT_LENGTH comes first, SCGI=1 is there. */
static const char *scgi_check(struct pack *p)
{
    if (!p->count || !slice_eq(p->pairs[0].name, SLICE("CONTENT_LENGTH")))
        return "CONTENT_LENGTH is not the first variable";
    for (int i = 0; i < p->count; i++)
        if (slice_eq(p->pairs[i].name, SLICE("SCGI")))
            return slice_eq(p->pairs[i].value, SLICE("1")) ? NULL : "SCGI is not 1";
    return "there is no variable SCGI";
}

enum pack_result scgi_head_parse(struct pack *p, const char *bytes, size_t len, size_t max)
{
    size_t content, size;
    p->count = 0;
    enum pack_result result = scgi_length(p, bytes, len, &content, &size);
    if (result != PACK_DONE)
        return result;
    if (size > max)
        return bad(p, "the head is too long");
    if (len < content + size + 1)
        return PACK_MORE;
    if (bytes[content + size] != ',')
        return bad(p, "the netstring does not end in a comma");
    const char *fault = scgi_pairs(p, bytes + content, bytes + content + size);
    if (!fault)
        fault = scgi_check(p);
    p->used = content + size + 1;
    return fault ? bad(p, fault) : PACK_DONE;
}

enum { UWSGI_HEADER_BYTES = 4 };

static bool uwsgi_text(const char **at, const char *end, struct slice *out)
{
    if (end - *at < 2)
        return false;
    size_t n = (size_t)(unsigned char)(*at)[0] | (size_t)(unsigned char)(*at)[1] << 8;
    *at += 2;
    if ((size_t)(end - *at) < n)
        return false;
    *out = slice_of(*at, n);
    *at += n;
    return true;
}

enum pack_result uwsgi_head_parse(struct pack *p, const char *bytes, size_t len, size_t max)
{
    p->count = 0;
    if (len && bytes[0] != 0)
        return bad(p, "modifier1 is not 0 (a Python request)");
    if (len < UWSGI_HEADER_BYTES)
        return PACK_MORE;
    if (bytes[3] != 0)
        return bad(p, "modifier2 is not 0");
    size_t size = (size_t)(unsigned char)bytes[1] | (size_t)(unsigned char)bytes[2] << 8;
    if (size > max)
        return bad(p, "the head is too long");
    if (len < UWSGI_HEADER_BYTES + size)
        return PACK_MORE;
    const char *at = bytes + UWSGI_HEADER_BYTES, *end = at + size, *fault = NULL;
    while (at < end && !fault) {
        struct slice name, value;
        if (!uwsgi_text(&at, end, &name) || !uwsgi_text(&at, end, &value))
            fault = "a variable is cut short";
        else
            fault = add_pair(p, name, value);
    }
    p->used = UWSGI_HEADER_BYTES + size;
    return fault ? bad(p, fault) : PACK_DONE;
}
