/* The head that a CGI script writes (RFC 3875, 6.3): a resumable, strict and bounded parser over a slice. Pure: no allocation, no clock, no errno, no
 * log. Everything it finds is an offset from the first byte, so the bytes may move between two calls. */
#ifndef PYHOST_CGI_ANSWER_H
#define PYHOST_CGI_ANSWER_H

#include "http_head.h"
#include "limit.h"

enum cgi_answer_result {
    CGI_ANSWER_MORE, /* the head is not whole yet */
    CGI_ANSWER_DONE, /* the body begins at used */
    CGI_ANSWER_BAD   /* fault says what is wrong with the bytes at bad */
};

struct cgi_answer_field { struct http_span name, value; };

struct cgi_answer {
    uint32_t at;      /* start of the line that is not whole yet */
    uint32_t scanned; /* bytes already searched for its end */
    uint32_t used;    /* of the head, with the empty line */
    uint32_t count;   /* fields but those below */
    bool status_line; /* the first line may be "HTTP/1.1 200 OK" (nph- scripts) */
    int status;       /* 0: the script says none */
    int64_t length;   /* Content-Length; -1: none */
    struct http_span status_text, type, location; /* values; at 0: absent. "404 Not here" */
    struct http_span bad;
    const char *fault; /* static text */
    struct cgi_answer_field fields[LIMIT_CGI_FIELDS];
};

/* Context of both: any thread; pure. */
void cgi_answer_init(struct cgi_answer *a, bool status_line);
/* Looks at bytes: everything written so far, the same as before plus new ones. After DONE or BAD it is not called again. Lines end in LF or CRLF. */
enum cgi_answer_result cgi_answer_parse(struct cgi_answer *a, const char *bytes, size_t len);

#endif
