/* Field lines, and the fields that say where a message ends, where it goes and whether the connection stays. */
#include "http_bytes.h"

enum { KNOWN_LEN_MAX = 19 };
struct known { char text[KNOWN_LEN_MAX + 1]; uint8_t name; };

/* By length, so that a name is compared with those of its own length only. */
static const struct known known[] = {
    {"te", FIELD_TE},
    {"host", FIELD_HOST}, {"from", FIELD_FROM}, {"date", FIELD_DATE},
    {"range", FIELD_RANGE}, {"proxy", FIELD_PROXY},
    {"cookie", FIELD_COOKIE}, {"expect", FIELD_EXPECT},
    {"referer", FIELD_REFERER}, {"upgrade", FIELD_UPGRADE}, {"trailer", FIELD_TRAILER},
    {"if-range", FIELD_IF_RANGE}, {"if-match", FIELD_IF_MATCH},
    {"connection", FIELD_CONNECTION}, {"user-agent", FIELD_USER_AGENT}, {"keep-alive", FIELD_KEEP_ALIVE},
    {"content-type", FIELD_CONTENT_TYPE}, {"max-forwards", FIELD_MAX_FORWARDS},
    {"authorization", FIELD_AUTHORIZATION}, {"if-none-match", FIELD_IF_NONE_MATCH},
    {"content-length", FIELD_CONTENT_LENGTH}, {"http2-settings", FIELD_HTTP2_SETTINGS},
    {"accept-encoding", FIELD_ACCEPT_ENCODING},
    {"transfer-encoding", FIELD_TRANSFER_ENCODING}, {"if-modified-since", FIELD_IF_MODIFIED_SINCE},
    {"proxy-authorization", FIELD_PROXY_AUTHORIZATION}, {"if-unmodified-since", FIELD_IF_UNMODIFIED_SINCE},
};
/* Index in known of the first name that is as long as the index here, or longer. */
static const uint8_t first_of_length[KNOWN_LEN_MAX + 2] = {
    [0] = 0, [1] = 0, [2] = 0, [3] = 1, [4] = 1, [5] = 4, [6] = 6, [7] = 8, [8] = 11, [9] = 13, [10] = 13, [11] = 16, [12] = 16,
    [13] = 18, [14] = 20, [15] = 22, [16] = 23, [17] = 23, [18] = 25, [19] = 25, [20] = 27,
};

#define BIT(name) (1u << (name))
static const uint32_t singletons = BIT(FIELD_CONTENT_TYPE) | BIT(FIELD_AUTHORIZATION) | BIT(FIELD_PROXY_AUTHORIZATION) | BIT(FIELD_RANGE) |
    BIT(FIELD_IF_RANGE) | BIT(FIELD_IF_MODIFIED_SINCE) | BIT(FIELD_IF_UNMODIFIED_SINCE) | BIT(FIELD_REFERER) | BIT(FIELD_USER_AGENT) |
    BIT(FIELD_MAX_FORWARDS) | BIT(FIELD_FROM) | BIT(FIELD_DATE);

/* Among token bytes only letters change by this, so comparing names through it is exact. */
static inline bool same_name(const char *name, const char *lower, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((name[i] | 0x20) != lower[i])
            return false;
    return true;
}

enum http_field_name http_field_known(const char *name, size_t len)
{
    if (len > KNOWN_LEN_MAX)
        return FIELD_OTHER;
    for (unsigned i = first_of_length[len]; i < first_of_length[len + 1]; i++)
        if (same_name(name, known[i].text, len))
            return (enum http_field_name)known[i].name;
    return FIELD_OTHER;
}

static enum http_fault name_fault(const char *line, uint32_t len)
{
    if (byte_is_space(line[0]))
        return FAULT_FOLDED_FIELD;
    return line_fault(line, len, memchr(line, ':', len) ? FAULT_FIELD_NAME : FAULT_FIELD_NO_COLON);
}

enum http_fault http_field_split(const char *bytes, uint32_t at, uint32_t len, struct http_field *field)
{
    const char *line = bytes + at;
    uint32_t name = 0, value, end = len;
    while (name < len && byte_is(line[name], BYTE_TOKEN))
        name++;
    if (name == 0 || name == len || line[name] != ':')
        return name_fault(line, len);
    if (name > UINT16_MAX)
        return FAULT_FIELD_TOO_LONG;
    for (value = name + 1; value < end && byte_is_space(line[value]);)
        value++;
    while (end > value && byte_is_space(line[end - 1]))
        end--;
    if (!bytes_are_value(line + value, end - value))
        return memchr(line, '\r', len) ? FAULT_BARE_CR : FAULT_CONTROL_BYTE;
    *field = (struct http_field){at, at + value, end - value, (uint16_t)name, (uint16_t)http_field_known(line, name)};
    return FAULT_NONE;
}

static void take_connection(struct http_head *h, struct slice list)
{
    struct slice option;
    while (http_list_next(&list, &option)) {
        if (slice_eq_nocase(option, SLICE("close")))
            h->connection |= CONNECTION_CLOSE;
        else if (slice_eq_nocase(option, SLICE("keep-alive")))
            h->connection |= CONNECTION_KEEP_ALIVE;
        else if (slice_eq_nocase(option, SLICE("upgrade")))
            h->connection |= CONNECTION_UPGRADE;
    }
}

static enum http_fault take_length(struct http_head *h, struct slice value)
{
    bool overflow = false;
    if (h->chunked)
        return FAULT_LENGTH_AND_ENCODING;
    for (size_t i = 0; i < value.len; i++) {
        unsigned digit = (unsigned)(value.at[i] - '0');
        if (!byte_is_digit(value.at[i]))
            return FAULT_LENGTH_INVALID;
        overflow |= h->length > ((uint64_t)INT64_MAX - digit) / 10;
        h->length = overflow ? 0 : h->length * 10 + digit;
    }
    h->has_length = value.len > 0;
    if (overflow)
        return FAULT_LENGTH_OVERFLOW;
    return h->has_length ? FAULT_NONE : FAULT_LENGTH_INVALID;
}

static bool coding_is_known(struct slice coding)
{
    static const struct slice codings[] = {SLICE("gzip"), SLICE("x-gzip"), SLICE("deflate"), SLICE("compress"), SLICE("x-compress")};
    for (unsigned i = 0; i < sizeof codings / sizeof *codings; i++)
        if (slice_eq_nocase(coding, codings[i]))
            return true;
    return false;
}

/* RFC 9112 6.1 allows more; nobody sends it but those who want two servers to disagree. */
static enum http_fault take_encoding(struct http_head *h, struct slice value)
{
    struct slice coding;
    if (!h->minor)
        return FAULT_ENCODING_VERSION;
    if (h->has_length)
        return FAULT_LENGTH_AND_ENCODING;
    if (slice_eq_nocase(value, SLICE("chunked"))) {
        h->chunked = true;
        return FAULT_NONE;
    }
    while (http_list_next(&value, &coding)) {
        if (coding_is_known(coding))
            continue;
        return !value.at && slice_eq_nocase(coding, SLICE("chunked")) ? FAULT_ENCODING_UNKNOWN : FAULT_ENCODING_INVALID;
    }
    return FAULT_ENCODING_INVALID;
}

static enum http_fault take_host(struct http_head *h, const char *bytes, const struct http_field *field)
{
    struct slice value = slice_of(bytes + field->value_at, field->value_len);
    uint32_t name_len, port;
    if (!http_host_parse(value, &name_len, &port))
        return FAULT_HOST_INVALID;
    if (h->host_is_absolute)
        return slice_eq_nocase(value, slice_of(bytes + h->host.at, h->host.len)) ? FAULT_NONE : FAULT_ABSOLUTE_HOST;
    h->host = (struct http_span){field->value_at, field->value_len};
    h->host_name_len = name_len;
    h->port = port;
    return FAULT_NONE;
}

/* RFC 9110 10.1.1: 1.0 clients do not mean it. */
static enum http_fault take_expect(struct http_head *h, struct slice value)
{
    if (!slice_eq_nocase(value, SLICE("100-continue")))
        return FAULT_EXPECTATION;
    h->expect_continue = h->minor > 0;
    return FAULT_NONE;
}

static enum http_fault repeated_fault(enum http_field_name name)
{
    if (name == FIELD_HOST)
        return FAULT_HOST_REPEATED;
    if (name == FIELD_CONTENT_LENGTH)
        return FAULT_LENGTH_REPEATED;
    if (name == FIELD_TRANSFER_ENCODING)
        return FAULT_ENCODING_REPEATED;
    return BIT(name) & singletons ? FAULT_SINGLETON_REPEATED : FAULT_NONE;
}

static enum http_fault take_known(struct http_head *h, const char *bytes, const struct http_field *field)
{
    enum http_field_name name = (enum http_field_name)field->name;
    struct slice value = slice_of(bytes + field->value_at, field->value_len);
    enum http_fault fault = h->seen & BIT(name) ? repeated_fault(name) : FAULT_NONE;
    h->seen |= BIT(name);
    if (fault)
        return fault;
    if (name == FIELD_HOST)
        return take_host(h, bytes, field);
    if (name == FIELD_CONTENT_LENGTH)
        return take_length(h, value);
    if (name == FIELD_TRANSFER_ENCODING)
        return take_encoding(h, value);
    if (name == FIELD_EXPECT)
        return take_expect(h, value);
    if (name == FIELD_CONNECTION)
        take_connection(h, value);
    return FAULT_NONE;
}

enum http_fault http_field_line(struct http_head *h, const char *bytes, uint32_t at, uint32_t len)
{
    struct http_field *field = &h->fields[h->nfields];
    enum http_fault fault = http_field_split(bytes, at, len, field);
    if (fault)
        return fault;
    h->nfields++;
    return field->name ? take_known(h, bytes, field) : FAULT_NONE;
}
