/* FastCGI 1.0 records and name-value pairs. Pure. */
#ifndef PYHOST_FCGI_RECORD_H
#define PYHOST_FCGI_RECORD_H

#include <stdint.h>

#include "scgi_head.h"

enum fcgi_type {
    FCGI_BEGIN_REQUEST = 1, FCGI_ABORT_REQUEST, FCGI_END_REQUEST, FCGI_PARAMS, FCGI_STDIN, FCGI_STDOUT, FCGI_STDERR, FCGI_DATA, FCGI_GET_VALUES,
    FCGI_GET_VALUES_RESULT, FCGI_UNKNOWN_TYPE
};
enum fcgi_role { FCGI_RESPONDER = 1, FCGI_AUTHORIZER, FCGI_FILTER };
enum fcgi_status { FCGI_REQUEST_COMPLETE, FCGI_CANT_MPX_CONN, FCGI_OVERLOADED, FCGI_UNKNOWN_ROLE };
enum { FCGI_HEADER_BYTES = 8, FCGI_CONTENT_MAX = 65535, FCGI_KEEP_CONN = 1 };

struct fcgi_record { uint8_t type; uint16_t id; struct slice content; size_t used; /* padding included */ };

/* Context of all: any thread; pure. */
/* One whole record at the start of bytes. PACK_BAD: the version is not 1. */
enum pack_result fcgi_record_parse(struct fcgi_record *r, const char *bytes, size_t len);
/* Name-value pairs of a finished stream into p. PACK_DONE or PACK_BAD. */
enum pack_result fcgi_pairs_parse(struct pack *p, struct slice stream);
/* The header of a record; content_len <= FCGI_CONTENT_MAX. */
void fcgi_header_write(char out[FCGI_HEADER_BYTES], enum fcgi_type type, uint16_t id, size_t content_len);
/* A whole END_REQUEST record. */
void fcgi_end_write(char out[16], uint16_t id, uint32_t app_status, enum fcgi_status status);
/* Appends a pair as of section 3.4 (short lengths only); -1: too long or no room. */
int fcgi_pair_write(struct buf *to, struct slice name, struct slice value);

#endif
