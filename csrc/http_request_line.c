/* method SP target SP HTTP/1.x, with one space each, and the names of methods. */
#include "http_bytes.h"
#include "limit.h"

static const struct slice methods[METHOD_INVALID] = {
    SLICE("GET"), SLICE("PUT"), SLICE("POST"), SLICE("DELETE"), SLICE("CONNECT"), SLICE("OPTIONS"), SLICE("TRACE"), SLICE("PATCH"),
    SLICE("PROPFIND"), SLICE("PROPPATCH"), SLICE("MKCOL"), SLICE("COPY"), SLICE("MOVE"), SLICE("LOCK"), SLICE("UNLOCK"),
    SLICE("VERSION-CONTROL"), SLICE("CHECKOUT"), SLICE("UNCHECKOUT"), SLICE("CHECKIN"), SLICE("UPDATE"), SLICE("LABEL"),
    SLICE("REPORT"), SLICE("MKWORKSPACE"), SLICE("MKACTIVITY"), SLICE("BASELINE-CONTROL"), SLICE("MERGE"),
};

enum http_method http_method_number(struct slice name)
{
    if (slice_eq(name, SLICE("HEAD")))
        return METHOD_GET;
    for (unsigned i = 0; i < METHOD_INVALID; i++)
        if (slice_eq(name, methods[i]))
            return (enum http_method)i;
    return METHOD_INVALID;
}

const char *http_method_name(enum http_method method)
{
    return method < METHOD_INVALID ? methods[method].at : NULL;
}

/* RFC 9112 2.3: case-sensitive, one digit each. A higher minor is served as 1.1; 0.9 never had this form. */
static enum http_fault parse_version(struct http_head *h, const char *at, size_t len)
{
    if (len != 8 || memcmp(at, "HTTP/", 5) != 0 || !byte_is_digit(at[5]) || at[6] != '.' || !byte_is_digit(at[7]))
        return FAULT_VERSION_FORM;
    h->minor = at[5] == '1' && at[7] != '0';
    if (at[5] == '0' && at[7] == '9')
        return FAULT_VERSION_FORM;
    return at[5] == '1' ? FAULT_NONE : FAULT_VERSION;
}

static enum http_fault parse_method(struct http_head *h, const char *line, uint32_t len)
{
    if (len == 0)
        return FAULT_METHOD;
    if (len > LIMIT_METHOD_BYTES)
        return FAULT_METHOD_TOO_LONG;
    h->method_name = (struct http_span){h->start, len};
    h->method = (uint8_t)http_method_number(slice_of(line, len));
    h->head_only = slice_is(slice_of(line, len), "HEAD", 4);
    return FAULT_NONE;
}

static enum http_fault parse_parts(struct http_head *h, const char *line, uint32_t len)
{
    enum http_fault fault;
    uint32_t method = 0, target;
    while (method < len && byte_is(line[method], BYTE_TOKEN))
        method++;
    if (method < len && line[method] != ' ')
        return FAULT_METHOD;
    fault = parse_method(h, line, method);
    if (fault || method == len)
        return fault ? fault : FAULT_REQUEST_LINE;
    for (target = method + 1; target < len && byte_is(line[target], BYTE_TARGET);)
        target++;
    h->target = (struct http_span){h->start + method + 1, target - method - 1};
    if (target < len && line[target] != ' ')
        return FAULT_TARGET;
    if (target == len || h->target.len == 0)
        return FAULT_REQUEST_LINE;
    return parse_version(h, line + target + 1, len - target - 1);
}

enum http_fault http_request_line(struct http_head *h, const char *bytes, uint32_t at, uint32_t len)
{
    enum http_fault fault;
    h->start = at;
    h->line_len = len;
    fault = parse_parts(h, bytes + at, len);
    if (!fault)
        return http_target_parse(h, bytes);
    if (fault == FAULT_VERSION || fault == FAULT_METHOD_TOO_LONG)
        return fault;
    return line_fault(bytes + at, len, fault);
}
