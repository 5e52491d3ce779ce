/* The functions of expressions: httpd's, but for what would ask a name server or make a request of its own. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base64.h"
#include "digest.h"
#include "expr_parts.h"

enum { SUM_MAX_BYTES = 20 /* SHA-1's */ };

const char expr_no_file[] = "a file cannot be read, or is longer than LIMIT_EXPR_VALUE_BYTES";

static struct slice entry(const struct table *t, struct slice name)
{
    const struct table_entry *e = t->count ? table_find(t, name) : NULL;
    return e && e->value ? slice_of(e->value, e->value_len) : expr_nothing;
}

/* ---- fields and variables ---- */

EXPR_READER(call_header) { return request_header_named(r, text); }
EXPR_READER(call_variable) { return entry(&r->subprocess_env, text); }
EXPR_READER(call_note) { return entry(&r->notes, text); }

EXPR_READER(call_response)
{
    struct slice found = entry(&r->headers_out, text);
    if (!found.len)
        found = entry(&r->err_headers_out, text);
    return !found.len && slice_eq_nocase(text, SLICE("Content-Type")) ? slice_text(r->content_type) : found;
}

EXPR_READER(call_system)
{
    const char *name = request_strdup(r, text), *value = name ? getenv(name) : NULL;
    return slice_text(value);
}

/* A note, a variable of the request, or one of the server's own environment. */
EXPR_READER(call_any_variable)
{
    struct slice found = call_note(r, text);
    if (!found.len)
        found = call_variable(r, text);
    return found.len ? found : call_system(r, text);
}

/* ---- letters ---- */

static struct slice mapped(struct request *r, struct slice text, int (*map)(int))
{
    char *out = request_strdup(r, text);
    for (size_t i = 0; out && i < text.len; i++)
        out[i] = (char)map((unsigned char)out[i]);
    return out ? slice_of(out, text.len) : expr_nothing;
}

EXPR_READER(call_lower) { return mapped(r, text, tolower); }
EXPR_READER(call_upper) { return mapped(r, text, toupper); }

/* Bytes that do not pass become the mark and two hexadecimal digits. */
static struct slice escaped(struct request *r, struct slice text, char mark, bool (*passes)(unsigned char))
{
    static const char digits[] = "0123456789abcdef";
    char *out = request_alloc(r, 3 * text.len + 1), *to = out;
    for (size_t i = 0; out && i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (passes(byte)) {
            *to++ = (char)byte;
            continue;
        }
        *to++ = mark;
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    return out ? slice_of(out, (size_t)(to - out)) : expr_nothing;
}

static bool passes_in_url(unsigned char c) { return c && (isalnum(c) || strchr("$-_.+!*'(),:@&=/~", c)); }
/* httpd's set for names and filters alike (RFC 4514 2.4, RFC 4515 3). */
static bool passes_in_ldap(unsigned char c) { return c >= ' ' && c < 127 && !strchr("\"()*+,;<>\\", c); }

EXPR_READER(call_escape) { return escaped(r, text, '%', passes_in_url); }
EXPR_READER(call_ldap) { return escaped(r, text, '\\', passes_in_ldap); }

static int hex(char c) { return !isxdigit((unsigned char)c) ? -1 : isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10; }

/* As in httpd: nothing where an escape is broken or hides a NUL, and %2f stays what it is. */
EXPR_READER(call_unescape)
{
    char *out = request_alloc(r, text.len + 1), *to = out;
    for (size_t i = 0; out && i < text.len; i++) {
        int high = text.at[i] == '%' && i + 2 < text.len ? hex(text.at[i + 1]) : -1, low = high >= 0 ? hex(text.at[i + 2]) : -1;
        if (text.at[i] != '%') {
            *to++ = text.at[i];
            continue;
        }
        int byte = high * 16 + low;
        if (high < 0 || low < 0 || byte == 0)
            return expr_nothing;
        if (byte == '/')
            *to++ = '%';
        else
            *to++ = (char)byte, i += 2;
    }
    return out ? slice_of(out, (size_t)(to - out)) : expr_nothing;
}

/* ---- other forms of a text ---- */

EXPR_READER(call_base64)
{
    size_t len = base64_encoded_len(text.len);
    char *out = request_alloc(r, len + 1);
    if (!out)
        return expr_nothing;
    base64_encode(out, text.at, text.len);
    return slice_of(out, len);
}

EXPR_READER(call_unbase64)
{
    size_t used;
    char *out = request_alloc(r, base64_decoded_room(text.len));
    return out ? slice_of(out, base64_decode(out, text, &used)) : expr_nothing;
}

static struct slice hex_of(struct request *r, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *out = request_alloc(r, 2 * n);
    for (size_t i = 0; out && i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    return out ? slice_of(out, 2 * n) : expr_nothing;
}

static struct slice sum_of(struct request *r, struct slice text, void (*start)(struct digest *), void (*end)(struct digest *, unsigned char *), size_t n)
{
    unsigned char sum[SUM_MAX_BYTES];
    struct digest d;
    start(&d);
    digest_add(&d, text.at, text.len);
    end(&d, sum);
    return hex_of(r, sum, n);
}

EXPR_READER(call_md5) { return sum_of(r, text, digest_md5_start, digest_md5_end, 16); }
EXPR_READER(call_sha1) { return sum_of(r, text, digest_sha1_start, digest_sha1_end, SUM_MAX_BYTES); }

/* ---- files ---- */

/* Opens a regular file and waits for no other end of a pipe. The descriptor, or -1. */
static int file_open(struct request *r, struct slice path, struct stat *st)
{
    const char *name = memchr(path.at, 0, path.len) ? NULL : request_strdup(r, path);
    int fd = name ? open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
    if (fd >= 0 && (fstat(fd, st) < 0 || !S_ISREG(st->st_mode))) {
        close(fd);
        return -1;
    }
    return fd;
}

/* What is in it, as much as there was when it was opened. */
EXPR_READER(call_file)
{
    struct slice wrong = slice_of(expr_no_file, 0);
    struct stat st;
    size_t used = 0;
    int fd = file_open(r, text, &st);
    if (fd < 0)
        return wrong;
    size_t room = st.st_size <= LIMIT_EXPR_VALUE_BYTES ? (size_t)st.st_size : 0;
    char *out = st.st_size <= LIMIT_EXPR_VALUE_BYTES ? request_alloc(r, room + 1) : NULL;
    while (out && used < room) {
        ssize_t n = read(fd, out + used, room - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            out = NULL;
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    close(fd);
    return out ? slice_of(out, used) : wrong;
}

/* 0 for what is no file, as in httpd. */
EXPR_READER(call_filesize)
{
    struct stat st;
    const char *name = memchr(text.at, 0, text.len) ? NULL : request_strdup(r, text);
    return expr_number(r, name && stat(name, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0);
}

const struct expr_function *expr_function(struct slice name)
{
    static const struct expr_function known[] = {
        {.name = "http", .read = call_header, .varies = true}, {.name = "req", .read = call_header, .varies = true},
        {.name = "req_novary", .read = call_header}, {.name = "resp", .read = call_response}, {.name = "reqenv", .read = call_variable},
        {.name = "env", .read = call_any_variable}, {.name = "note", .read = call_note}, {.name = "osenv", .read = call_system},
        {.name = "tolower", .read = call_lower}, {.name = "toupper", .read = call_upper}, {.name = "escape", .read = call_escape},
        {.name = "unescape", .read = call_unescape}, {.name = "ldap", .read = call_ldap}, {.name = "base64", .read = call_base64},
        {.name = "unbase64", .read = call_unbase64}, {.name = "md5", .read = call_md5}, {.name = "sha1", .read = call_sha1},
        {.name = "file", .read = call_file, .restricted = true}, {.name = "filesize", .read = call_filesize, .restricted = true}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_eq_nocase(name, slice_text(known[i].name)))
            return &known[i];
    return NULL;
}
