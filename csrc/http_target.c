/* The four forms of a request target (RFC 9112 3.2) and the syntax of an authority, as strict as DNS names and RFC 3986 literals. */
#include "http_bytes.h"

enum { HOST_BYTES_MAX = 255, PORT_DIGITS_MAX = 5, PORT_MAX = 65535, IPV6_GROUPS = 8 };

static bool ipv4_is_valid(const char *at, size_t len)
{
    unsigned dots = 0, digits = 0, value = 0;
    for (size_t i = 0; i < len; i++) {
        if (at[i] == '.' && digits) {
            dots++;
            digits = value = 0;
        } else if (byte_is_digit(at[i]) && (digits == 0 || value)) {
            value = value * 10 + (unsigned)(at[i] - '0');
            digits++;
        } else {
            return false;
        }
        if (value > 255)
            return false;
    }
    return dots == 3 && digits;
}

/* What stands between the brackets. One "::" at most; the last 32 bits may be written as IPv4. */
static bool ipv6_is_valid(const char *at, size_t len)
{
    unsigned groups = 0;
    bool elided = false;
    size_t i = 0;
    if (len >= 2 && at[0] == ':' && at[1] == ':') {
        elided = true;
        i = 2;
    }
    while (i < len) {
        size_t start = i;
        while (i < len && byte_is(at[i], BYTE_HEX))
            i++;
        if (i < len && at[i] == '.')
            return ipv4_is_valid(at + start, len - start) && (elided ? groups < IPV6_GROUPS - 2 : groups == IPV6_GROUPS - 2);
        if (i == start || i - start > 4)
            return false;
        groups++;
        if (i == len)
            break;
        if (at[i++] != ':' || i == len)
            return false;
        if (at[i] == ':') {
            if (elided)
                return false;
            elided = true;
            i++;
        }
    }
    return elided ? groups < IPV6_GROUPS : groups == IPV6_GROUPS;
}

/* Labels of letters, digits, '-' and '_', none empty; a dot may end the name. Returns its length without that dot, 0: not valid. */
static uint32_t name_length(const char *at, size_t len)
{
    if (len && at[len - 1] == '.')
        len--;
    if (len == 0 || len > HOST_BYTES_MAX)
        return 0;
    char before = '.';
    for (size_t i = 0; i < len; before = at[i++])
        if (!byte_is(at[i], BYTE_HOST) || (at[i] == '.' && before == '.'))
            return 0;
    return at[len - 1] == '.' ? 0 : (uint32_t)len;
}

static bool port_parse(const char *at, size_t len, uint32_t *port)
{
    uint32_t value = 0;
    if (len == 0 || len > PORT_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!byte_is_digit(at[i]))
            return false;
        value = value * 10 + (uint32_t)(at[i] - '0');
    }
    *port = value;
    return value > 0 && value <= PORT_MAX;
}

bool http_host_parse(struct slice host, uint32_t *name_len, uint32_t *port)
{
    const char *end = host.at + host.len, *stop;
    *port = 0;
    if (host.len && host.at[0] == '[') {
        stop = memchr(host.at, ']', host.len);
        if (!stop || !ipv6_is_valid(host.at + 1, (size_t)(stop - host.at) - 1))
            return false;
        *name_len = (uint32_t)(++stop - host.at);
    } else {
        stop = memchr(host.at, ':', host.len);
        stop = stop ? stop : end;
        *name_len = name_length(host.at, (size_t)(stop - host.at));
        if (*name_len == 0)
            return false;
    }
    return stop == end || (*stop == ':' && port_parse(stop + 1, (size_t)(end - stop) - 1, port));
}

static void split_query(struct http_head *h, const char *bytes, uint32_t at, uint32_t end)
{
    const char *mark = memchr(bytes + at, '?', end - at);
    h->path = (struct http_span){at, (mark ? (uint32_t)(mark - bytes) : end) - at};
    if (mark) {
        uint32_t query = at + h->path.len + 1;
        h->has_query = true;
        h->query = (struct http_span){query, end - query};
    }
}

static enum http_fault check_authority(struct http_head *h, const char *bytes, uint32_t at, uint32_t len)
{
    if (memchr(bytes + at, '@', len))
        return FAULT_TARGET_USERINFO;
    return http_host_parse(slice_of(bytes + at, len), &h->host_name_len, &h->port) ? FAULT_NONE : FAULT_TARGET;
}

static enum http_fault absolute_form(struct http_head *h, const char *bytes, struct slice target)
{
    uint32_t scheme, end = h->target.at + h->target.len, authority, path;
    if (target.len > 7 && strncasecmp(target.at, "http://", 7) == 0)
        scheme = 7;
    else if (target.len > 8 && strncasecmp(target.at, "https://", 8) == 0)
        scheme = 8;
    else
        return FAULT_TARGET;
    authority = h->target.at + scheme;
    for (path = authority; path < end && bytes[path] != '/' && bytes[path] != '?';)
        path++;
    h->form = TARGET_ABSOLUTE;
    h->host = (struct http_span){authority, path - authority};
    h->host_is_absolute = true;
    split_query(h, bytes, path, end);
    if (h->path.len == 0)
        h->path = (struct http_span){authority - 1, 1}; /* an empty path is "/" (RFC 9110 4.2.3): the scheme's own last slash stands for it */
    return check_authority(h, bytes, authority, path - authority);
}

/* Only CONNECT has it, and it must name a port (RFC 9110 9.3.6). */
static enum http_fault authority_form(struct http_head *h, const char *bytes)
{
    enum http_fault fault = check_authority(h, bytes, h->target.at, h->target.len);
    h->form = TARGET_AUTHORITY;
    h->host = h->target;
    return !fault && h->port == 0 ? FAULT_TARGET : fault;
}

enum http_fault http_target_parse(struct http_head *h, const char *bytes)
{
    struct slice target = slice_of(bytes + h->target.at, h->target.len);
    if (h->method == METHOD_CONNECT)
        return authority_form(h, bytes);
    if (target.at[0] == '/') {
        h->form = TARGET_ORIGIN;
        split_query(h, bytes, h->target.at, h->target.at + h->target.len);
        return FAULT_NONE;
    }
    if (slice_is(target, "*", 1)) {
        h->form = TARGET_ASTERISK;
        h->path = h->target;
        return h->method == METHOD_OPTIONS ? FAULT_NONE : FAULT_TARGET;
    }
    return absolute_form(h, bytes, target);
}
