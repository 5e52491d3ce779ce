/* What each byte may be in HTTP: one table for all parsers of the room. Private to the wire room. */
#ifndef PYHOST_HTTP_BYTES_H
#define PYHOST_HTTP_BYTES_H

#include <stdint.h>

#include "http_head.h"

enum http_byte {
    BYTE_TOKEN = 1,  /* RFC 9110 5.6.2 */
    BYTE_VALUE = 2,  /* field values: printing, SP, HTAB, 0x80 to 0xFF */
    BYTE_TARGET = 4, /* request targets: no SP, no '#', no control byte */
    BYTE_HOST = 8,   /* names in an authority */
    BYTE_HEX = 16
};
extern const uint8_t http_bytes[256];

/* Bits of http_head.connection. */
enum { CONNECTION_CLOSE = 1, CONNECTION_KEEP_ALIVE = 2, CONNECTION_UPGRADE = 4 };

static inline bool byte_is(char c, enum http_byte class) { return (http_bytes[(unsigned char)c] & class) != 0; }
static inline bool byte_is_space(char c) { return c == ' ' || c == '\t'; }
static inline bool byte_is_digit(char c) { return c >= '0' && c <= '9'; }
/* Of a byte that is BYTE_HEX. */
static inline unsigned byte_hex(char c) { return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10; }

/* Context of all: any thread; pure. */
/* Is every byte of it BYTE_VALUE? */
bool bytes_are_value(const char *at, size_t len);
/* The fault of a line that broke a rule: a control byte in it is named first, since that is what an attack looks like. */
enum http_fault line_fault(const char *line, size_t len, enum http_fault otherwise);

/* The parts of a head, each in its file. FAULT_NONE when good. at: of the line in bytes; len: without CRLF. */
enum http_fault http_request_line(struct http_head *h, const char *bytes, uint32_t at, uint32_t len);
enum http_fault http_target_parse(struct http_head *h, const char *bytes);
enum http_fault http_field_line(struct http_head *h, const char *bytes, uint32_t at, uint32_t len);
/* Splits a field line; value trimmed. Sets everything of field, the known name too. */
enum http_fault http_field_split(const char *bytes, uint32_t at, uint32_t len, struct http_field *field);
/* host [":" port] -> how long the name is without a trailing dot, and the port (0: none). False: not valid. */
bool http_host_parse(struct slice host, uint32_t *name_len, uint32_t *port);
enum http_field_name http_field_known(const char *name, size_t len);
/* The next element of a comma list, trimmed; false at the end. */
bool http_list_next(struct slice *list, struct slice *element);

#endif
