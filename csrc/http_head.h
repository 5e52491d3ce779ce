/* HTTP/1.x request heads: a resumable parser over a slice of bytes. Pure: no allocation, no clock, no errno, no log.
 * It is strict where RFC 9112 leaves a choice (RFC 9110, 9112): what a proxy might read otherwise is refused.
 * Everything it finds is an offset from the start of the head, so the bytes may move afterwards. */
#ifndef PYHOST_HTTP_HEAD_H
#define PYHOST_HTTP_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

/* mod_python's M_* numbers (httpd's). */
enum http_method {
    METHOD_GET, METHOD_PUT, METHOD_POST, METHOD_DELETE, METHOD_CONNECT, METHOD_OPTIONS, METHOD_TRACE, METHOD_PATCH,
    METHOD_PROPFIND, METHOD_PROPPATCH, METHOD_MKCOL, METHOD_COPY, METHOD_MOVE, METHOD_LOCK, METHOD_UNLOCK,
    METHOD_VERSION_CONTROL, METHOD_CHECKOUT, METHOD_UNCHECKOUT, METHOD_CHECKIN, METHOD_UPDATE, METHOD_LABEL,
    METHOD_REPORT, METHOD_MKWORKSPACE, METHOD_MKACTIVITY, METHOD_BASELINE_CONTROL, METHOD_MERGE,
    METHOD_INVALID /* a valid token that is none of these; HEAD is METHOD_GET with head_only set, as in httpd */
};

/* Fields the server itself looks at. FIELD_OTHER is everything else. The singletons among them are refused when repeated. */
enum http_field_name {
    FIELD_OTHER, FIELD_HOST, FIELD_CONTENT_LENGTH, FIELD_TRANSFER_ENCODING, FIELD_CONNECTION, FIELD_KEEP_ALIVE, FIELD_EXPECT,
    FIELD_UPGRADE, FIELD_CONTENT_TYPE, FIELD_AUTHORIZATION, FIELD_PROXY_AUTHORIZATION, FIELD_RANGE, FIELD_IF_RANGE, FIELD_IF_MATCH,
    FIELD_IF_NONE_MATCH, FIELD_IF_MODIFIED_SINCE, FIELD_IF_UNMODIFIED_SINCE, FIELD_COOKIE, FIELD_REFERER, FIELD_USER_AGENT,
    FIELD_ACCEPT_ENCODING, FIELD_MAX_FORWARDS, FIELD_FROM, FIELD_DATE, FIELD_TE, FIELD_TRAILER, FIELD_PROXY, FIELD_HTTP2_SETTINGS,
    FIELD_NAMES
};

enum http_target_form { TARGET_ORIGIN, TARGET_ABSOLUTE, TARGET_ASTERISK, TARGET_AUTHORITY };

struct http_span { uint32_t at, len; }; /* from the start of the head; len 0: absent or empty */

struct http_field {
    uint32_t name_at;
    uint32_t value_at;
    uint32_t value_len;
    uint16_t name_len;
    uint16_t name; /* enum http_field_name */
};

struct http_head {
    /* input: set by http_head_init */
    uint32_t limit_line, limit_field, limit_fields; /* bytes, bytes, count */
    struct http_field *fields; /* borrowed: room for limit_fields of them */
    /* where the parser stands */
    uint32_t at;      /* start of the line that is not whole yet */
    uint32_t scanned; /* bytes already searched for the end of that line */
    uint32_t seen;    /* bit 1 << enum http_field_name: that field was there */
    uint8_t state;
    uint8_t connection; /* private: what Connection fields named so far */
    /* result */
    uint8_t method;       /* enum http_method */
    uint8_t form;         /* enum http_target_form */
    uint8_t minor;        /* 0 or 1 (higher minors count as 1) */
    bool head_only;       /* the method is HEAD */
    bool chunked;         /* exactly one Transfer-Encoding: chunked */
    bool has_length;      /* Content-Length was there */
    bool expect_continue; /* Expect: 100-continue on HTTP/1.1 */
    bool keep_alive;      /* what version and Connection say together; close always wins */
    bool upgrade;         /* Connection names upgrade and there is an Upgrade field */
    bool host_is_absolute;/* authority of an absolute target (equal to Host) */
    uint64_t length;      /* Content-Length, bytes */
    uint32_t start;       /* where the request line begins (1 empty CRLF may precede it) */
    uint32_t line_len;    /* request line without CRLF */
    struct http_span method_name, target, path, query, host; /* path: raw, within target, never empty but in authority form; query: behind '?'; host: field or authority, with port */
    bool has_query;       /* there was a '?', even with nothing behind */
    uint32_t host_name_len; /* host without port (brackets of IPv6 kept) and without a trailing dot */
    uint32_t port;        /* from Host, 0 when absent */
    uint32_t nfields;
};

enum http_result {
    HTTP_MORE,   /* the head is not whole yet */
    HTTP_DONE,   /* head is whole; *used says how many bytes it took, CRLF CRLF included */
    HTTP_BAD     /* fault says which */
};

/* Why a message was refused. Each has a status, one log sentence and, for limits, a directive: see http_fault_info. */
enum http_fault {
    FAULT_NONE,
    /* 400 */
    FAULT_BARE_LF, FAULT_BARE_CR, FAULT_CONTROL_BYTE, FAULT_FOLDED_FIELD, FAULT_FIELD_NAME, FAULT_FIELD_NO_COLON, FAULT_REQUEST_LINE,
    FAULT_METHOD, FAULT_TARGET, FAULT_TARGET_USERINFO, FAULT_ABSOLUTE_HOST, FAULT_VERSION_FORM, FAULT_EMPTY_LINES, FAULT_HOST_MISSING,
    FAULT_HOST_REPEATED, FAULT_HOST_INVALID, FAULT_SINGLETON_REPEATED, FAULT_LENGTH_INVALID, FAULT_LENGTH_REPEATED, FAULT_LENGTH_AND_ENCODING,
    FAULT_ENCODING_VERSION, FAULT_ENCODING_INVALID, FAULT_ENCODING_REPEATED, FAULT_CHUNK_SIZE, FAULT_CHUNK_END, FAULT_CHUNK_EXTENSION,
    FAULT_TRAILER,
    /* others */
    FAULT_LENGTH_OVERFLOW /*413*/, FAULT_ENCODING_UNKNOWN /*501*/, FAULT_EXPECTATION /*417*/, FAULT_VERSION /*505*/,
    FAULT_LINE_TOO_LONG /*414*/, FAULT_METHOD_TOO_LONG /*501*/, FAULT_FIELD_TOO_LONG /*431*/, FAULT_TOO_MANY_FIELDS /*431*/, FAULT_BODY_TOO_LARGE /*413*/,
    FAULT_CHUNK_OVERHEAD /*400: LIMIT_CHUNK_*_BYTES*/,
    FAULTS
};

struct http_fault_text {
    short status;
    const char *why;       /* one clause for the log, no client bytes in it */
    const char *directive; /* the directive that bit, or NULL */
};

/* Context of all: any thread; pure. */
void http_head_init(struct http_head *h, struct http_field *fields, uint32_t limit_line, uint32_t limit_field, uint32_t limit_fields);
/* Looks at bytes (everything received since the head began, the same bytes as before plus new ones). On HTTP_BAD *fault is set; when
 * the request line was whole, method/target/minor/line_len are valid even then, so that the log can name the request. */
enum http_result http_head_parse(struct http_head *h, const char *bytes, size_t len, size_t *used, enum http_fault *fault);
struct http_fault_text http_fault_info(enum http_fault fault);
/* Number of a method name (METHOD_INVALID when unknown); HEAD gives METHOD_GET. */
enum http_method http_method_number(struct slice name);
/* Name of a method number as httpd spells it ("GET" …), NULL for METHOD_INVALID. */
const char *http_method_name(enum http_method method);
/* Is it a token of RFC 9110 5.6.2? Used for header names from applications as well. */
bool http_is_token(struct slice s);
/* Is word one of the elements of a comma list, in any case ("keep-alive, close")? */
bool http_list_has(struct slice list, struct slice word);
/* May it stand in a field value that we send: no CR, LF, NUL. */
bool http_is_value(struct slice s);

/* Percent-decodes path and resolves "." and ".." and "//" (merged) into out, which has room for len + 1 bytes; NUL-terminated. "*" stays.
 * Returns the length, or -1: bad escape, %00, above the root, or no leading slash (400), or -2: an encoded slash while slashes_ok is false (404). */
long http_path_decode(struct slice path, bool slashes_ok, char *out);

#endif
