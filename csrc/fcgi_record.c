/* FastCGI's framing: section numbers are those of the FastCGI 1.0 specification. */
#include "fcgi_record.h"

static unsigned byte_at(const char *p, size_t i) { return (unsigned char)p[i]; }

enum pack_result fcgi_record_parse(struct fcgi_record *r, const char *bytes, size_t len)
{
    if (len && bytes[0] != 1) /* 3.3: FCGI_VERSION_1 */
        return PACK_BAD;
    if (len < FCGI_HEADER_BYTES)
        return PACK_MORE;
    size_t content = byte_at(bytes, 4) << 8 | byte_at(bytes, 5), padding = byte_at(bytes, 6);
    r->type = (uint8_t)byte_at(bytes, 1);
    r->id = (uint16_t)(byte_at(bytes, 2) << 8 | byte_at(bytes, 3));
    r->content = slice_of(bytes + FCGI_HEADER_BYTES, content);
    r->used = FCGI_HEADER_BYTES + content + padding;
    return len < r->used ? PACK_MORE : PACK_DONE;
}

/* 3.4: one byte, or four with the high bit set. */
static bool pair_length(const char **at, const char *end, size_t *out)
{
    if (*at == end)
        return false;
    if (!(byte_at(*at, 0) & 0x80)) {
        *out = byte_at(*at, 0);
        *at += 1;
        return true;
    }
    if (end - *at < 4)
        return false;
    *out = (size_t)(byte_at(*at, 0) & 0x7f) << 24 | byte_at(*at, 1) << 16 | byte_at(*at, 2) << 8 | byte_at(*at, 3);
    *at += 4;
    return true;
}

enum pack_result fcgi_pairs_parse(struct pack *p, struct slice stream)
{
    const char *at = stream.at, *end = stream.at + stream.len;
    p->count = 0;
    p->fault = NULL;
    while (at < end) {
        size_t name, value;
        if (!pair_length(&at, end, &name) || !pair_length(&at, end, &value) || (size_t)(end - at) < name || (size_t)(end - at) - name < value)
            p->fault = "a variable is cut short";
        else if (p->count == CGI_PAIRS_MAX)
            p->fault = "too many variables";
        if (p->fault)
            return PACK_BAD;
        p->pairs[p->count++] = (struct cgi_pair){slice_of(at, name), slice_of(at + name, value)};
        at += name + value;
    }
    p->used = stream.len;
    return PACK_DONE;
}

void fcgi_header_write(char out[FCGI_HEADER_BYTES], enum fcgi_type type, uint16_t id, size_t content_len)
{
    const char header[FCGI_HEADER_BYTES] = {1, (char)type, (char)(id >> 8), (char)id, (char)(content_len >> 8), (char)content_len, 0, 0};
    memcpy(out, header, sizeof header);
}

void fcgi_end_write(char out[16], uint16_t id, uint32_t app_status, enum fcgi_status status)
{
    const char body[8] = {(char)(app_status >> 24), (char)(app_status >> 16), (char)(app_status >> 8), (char)app_status, (char)status, 0, 0, 0};
    fcgi_header_write(out, FCGI_END_REQUEST, id, sizeof body);
    memcpy(out + FCGI_HEADER_BYTES, body, sizeof body);
}

int fcgi_pair_write(struct buf *to, struct slice name, struct slice value)
{
    if (name.len > 127 || value.len > 127)
        return -1;
    char lengths[2] = {(char)name.len, (char)value.len};
    return buf_add(to, lengths, 2) < 0 || buf_add(to, name.at, name.len) < 0 ? -1 : buf_add(to, value.at, value.len);
}
