/* What each fault is called, what the client gets for it, and which directive bit. */
#include "http_head.h"

static const struct http_fault_text faults[FAULTS] = {
    [FAULT_NONE] = {200, "no fault", NULL},
    [FAULT_BARE_LF] = {400, "a line ends in LF without CR", NULL},
    [FAULT_BARE_CR] = {400, "a CR stands without LF", NULL},
    [FAULT_CONTROL_BYTE] = {400, "control byte in the head", NULL},
    [FAULT_FOLDED_FIELD] = {400, "a field line begins with white space (obsolete folding)", NULL},
    [FAULT_FIELD_NAME] = {400, "a field name is empty or not a token", NULL},
    [FAULT_FIELD_NO_COLON] = {400, "a field line has no colon", NULL},
    [FAULT_REQUEST_LINE] = {400, "the request line is not method SP target SP version", NULL},
    [FAULT_METHOD] = {400, "the method is not a token", NULL},
    [FAULT_TARGET] = {400, "the request target is not valid", NULL},
    [FAULT_TARGET_USERINFO] = {400, "the request target holds user information", NULL},
    [FAULT_ABSOLUTE_HOST] = {400, "Host differs from the authority of the request target", NULL},
    [FAULT_VERSION_FORM] = {400, "the protocol version is malformed", NULL},
    [FAULT_EMPTY_LINES] = {400, "more than one empty line before the request line", NULL},
    [FAULT_HOST_MISSING] = {400, "HTTP/1.1 request without Host", NULL},
    [FAULT_HOST_REPEATED] = {400, "more than one Host", NULL},
    [FAULT_HOST_INVALID] = {400, "Host is not a valid name and port", NULL},
    [FAULT_SINGLETON_REPEATED] = {400, "a field that may come once came twice", NULL},
    [FAULT_LENGTH_INVALID] = {400, "Content-Length is not a decimal number", NULL},
    [FAULT_LENGTH_REPEATED] = {400, "more than one Content-Length", NULL},
    [FAULT_LENGTH_AND_ENCODING] = {400, "both Content-Length and Transfer-Encoding", NULL},
    [FAULT_ENCODING_VERSION] = {400, "Transfer-Encoding in HTTP/1.0", NULL},
    [FAULT_ENCODING_INVALID] = {400, "Transfer-Encoding is not chunked", NULL},
    [FAULT_ENCODING_REPEATED] = {400, "more than one Transfer-Encoding", NULL},
    [FAULT_CHUNK_SIZE] = {400, "a chunk size is malformed", NULL},
    [FAULT_CHUNK_END] = {400, "chunk data is not followed by CRLF", NULL},
    [FAULT_CHUNK_EXTENSION] = {400, "a chunk extension is malformed", NULL},
    [FAULT_TRAILER] = {400, "a trailer line is malformed", NULL},
    [FAULT_LENGTH_OVERFLOW] = {413, "Content-Length does not fit in 63 bits", NULL},
    [FAULT_ENCODING_UNKNOWN] = {501, "a transfer coding besides chunked", NULL},
    [FAULT_EXPECTATION] = {417, "an expectation other than 100-continue", NULL},
    [FAULT_VERSION] = {505, "protocol version other than HTTP/1", NULL},
    [FAULT_LINE_TOO_LONG] = {414, "the request line is too long", "LimitRequestLine"},
    [FAULT_METHOD_TOO_LONG] = {501, "the method is longer than 32 bytes", NULL},
    [FAULT_FIELD_TOO_LONG] = {431, "a field line is too long", "LimitRequestFieldSize"},
    [FAULT_TOO_MANY_FIELDS] = {431, "too many fields", "LimitRequestFields"},
    [FAULT_BODY_TOO_LARGE] = {413, "the request body is too large", "LimitRequestBody"},
    [FAULT_CHUNK_OVERHEAD] = {400, "chunk lines or extensions are too long", NULL},
};

struct http_fault_text http_fault_info(enum http_fault fault)
{
    return faults[fault < FAULTS ? fault : FAULT_REQUEST_LINE];
}
