/* Trailer fields: parsed like those of a head, but never allowed to say what a head says (RFC 9110 6.5.1). */
#include "http_body.h"
#include "http_bytes.h"

/* Besides the names that the server knows, all of which frame, route, authenticate or make the request conditional. */
static const struct slice refused[] = {
    SLICE("set-cookie"), SLICE("content-encoding"), SLICE("content-range"), SLICE("content-location"), SLICE("cache-control"),
    SLICE("forwarded"), SLICE("via"), SLICE("x-real-ip"), SLICE("proxy-connection"), SLICE("www-authenticate"),
    SLICE("x-http-method-override"), SLICE("origin"),
};

static bool is_refused(const char *bytes, const struct http_field *field)
{
    struct slice name = slice_of(bytes + field->name_at, field->name_len);
    if (field->name != FIELD_OTHER || (name.len > 12 && strncasecmp(name.at, "x-forwarded-", 12) == 0))
        return true;
    for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++)
        if (slice_eq_nocase(name, refused[i]))
            return true;
    return false;
}

uint32_t http_trailer_fields(const char *bytes, uint32_t len, struct http_field *fields, uint32_t max)
{
    uint32_t at = 0, count = 0;
    while (at < len && count < max) {
        const char *lf = memchr(bytes + at, '\n', len - at);
        uint32_t line = lf ? (uint32_t)(lf - bytes) - at : 0;
        if (line < 2 || lf[-1] != '\r' || http_field_split(bytes, at, line - 1, &fields[count]))
            break;
        count += !is_refused(bytes, &fields[count]);
        at += line + 1;
    }
    return count;
}
