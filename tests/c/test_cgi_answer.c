/* The head that a CGI script writes: whole, byte by byte, with bytes behind it, and at its bounds. */
// sources: cgi_answer.c http_bytes.c
#include "cgi_answer.h"
#include "check.h"

#define BYTES(text) text, sizeof text - 1

struct answer_case { const char *name, *bytes; size_t len; enum cgi_answer_result result; int status; uint32_t count; int64_t length; const char *fault; };

static const struct answer_case cases[] = {
    {"type", BYTES("Content-Type: a/b\n\n"), CGI_ANSWER_DONE, 0, 0, -1, NULL},
    {"crlf", BYTES("Content-Type: a/b\r\nX: 1\r\n\r\n"), CGI_ANSWER_DONE, 0, 1, -1, NULL},
    {"mixed ends", BYTES("X: 1\r\nY: 2\n\r\n"), CGI_ANSWER_DONE, 0, 2, -1, NULL},
    {"nothing", BYTES("\n"), CGI_ANSWER_DONE, 0, 0, -1, NULL},
    {"status", BYTES("Status: 404 Not here\n\n"), CGI_ANSWER_DONE, 404, 0, -1, NULL},
    {"status alone", BYTES("Status:200\n\n"), CGI_ANSWER_DONE, 200, 0, -1, NULL},
    {"status 599", BYTES("Status: 599\n\n"), CGI_ANSWER_DONE, 599, 0, -1, NULL},
    {"status 600", BYTES("Status: 600\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "the status is none that an answer can have"},
    {"status 199", BYTES("Status: 199\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "the status is none that an answer can have"},
    {"status glued", BYTES("Status: 200OK\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "the status is none that an answer can have"},
    {"status empty", BYTES("Status:\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "the status is not a number of three digits"},
    {"status signed", BYTES("Status: +20\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "the status is not a number of three digits"},
    {"length", BYTES("Content-Length: 12\n\n"), CGI_ANSWER_DONE, 0, 0, 12, NULL},
    {"length 0", BYTES("Content-Length: 0\n\n"), CGI_ANSWER_DONE, 0, 0, 0, NULL},
    {"length empty", BYTES("Content-Length:\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "Content-Length is not a number"},
    {"length list", BYTES("Content-Length: 1, 1\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "Content-Length is not a number"},
    {"length overflow", BYTES("Content-Length: 9223372036854775808\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "Content-Length is not a number"},
    {"length twice", BYTES("Content-Length: 0\nContent-Length: 0\n\n"), CGI_ANSWER_BAD, 0, 0, 0, "Content-Length is there twice"},
    {"empty type twice", BYTES("Content-Type:\nContent-Type:\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "Content-Type is there twice"},
    {"empty location", BYTES("Location: \n\n"), CGI_ANSWER_BAD, 0, 0, -1, "Location is empty"},
    {"fold", BYTES("X: 1\n 2\n\n"), CGI_ANSWER_BAD, 0, 1, -1, "it begins with white space"},
    {"first fold", BYTES("\tX: 1\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "it begins with white space"},
    {"space before the colon", BYTES("X : 1\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "its name is not one"},
    {"eight bits in a name", BYTES("X\xe9: 1\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "its name is not one"},
    {"NUL", BYTES("X: a\0b\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "it has a control byte"},
    {"delete", BYTES("X: a\x7f\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "it has a control byte"},
    {"two CR", BYTES("X: a\r\r\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "it has a control byte"},
    {"tab", BYTES("X: a\tb\n\n"), CGI_ANSWER_DONE, 0, 1, -1, NULL},
    {"no colon", BYTES("hello\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "it has no colon"},
    {"encoding", BYTES("Transfer-Encoding: chunked\n\n"), CGI_ANSWER_BAD, 0, 0, -1, "Transfer-Encoding is the server's to say"},
    {"cut", BYTES("X: 1\nY"), CGI_ANSWER_MORE, 0, 1, -1, NULL},
    {"empty", "", 0, CGI_ANSWER_MORE, 0, 0, -1, NULL},
};

static enum cgi_answer_result feed(struct cgi_answer *a, const char *bytes, size_t len, size_t piece, bool status_line)
{
    enum cgi_answer_result result = CGI_ANSWER_MORE;
    cgi_answer_init(a, status_line);
    for (size_t given = 0; result == CGI_ANSWER_MORE && given <= len; given += piece) {
        struct guarded g = guard_copy(bytes, given);
        result = cgi_answer_parse(a, g.at, given);
        guard_free(&g);
    }
    return result;
}

static void check_cases(void)
{
    static struct cgi_answer a;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 1; piece <= 3; piece++) {
            const struct answer_case *c = &cases[i];
            enum cgi_answer_result result = feed(&a, c->bytes, c->len, piece == 3 && c->len ? c->len : piece, false);
            if (piece == 2 && result == CGI_ANSWER_MORE)
                continue; /* the last byte of an odd length was not given */
            CHECK(result == c->result, "%s: %d %s", c->name, result, a.fault ? a.fault : "");
            CHECK(a.status == c->status && a.count == c->count && a.length == c->length, "%s: %d %u %lld", c->name, a.status, a.count, (long long)a.length);
            CHECK(!c->fault == !a.fault && (!c->fault || strcmp(c->fault, a.fault) == 0), "%s: %s", c->name, a.fault ? a.fault : "");
            CHECK(result != CGI_ANSWER_DONE || a.used == c->len, "%s: used %u", c->name, a.used);
        }
}

static void check_spans(void)
{
    static struct cgi_answer a;
    static const char text[] = "Location: /x \nStatus: 302 Go\nX-A:  v\nContent-Type:t\n\nbody";
    CHECK(feed(&a, text, sizeof text - 1, sizeof text - 1, false) == CGI_ANSWER_DONE, "spans");
    CHECK(memcmp(text + a.location.at, "/x", 2) == 0 && a.location.len == 2, "location");
    CHECK(memcmp(text + a.status_text.at, "302 Go", 6) == 0 && a.status_text.len == 6, "status");
    CHECK(memcmp(text + a.fields[0].name.at, "X-A", 3) == 0 && a.fields[0].value.len == 1 && text[a.fields[0].value.at] == 'v', "field");
    CHECK(a.type.len == 1 && strcmp(text + a.used, "body") == 0, "type, body");
}

static void check_status_line(void)
{
    static struct cgi_answer a;
    CHECK(feed(&a, BYTES("HTTP/1.1 404 Mine\nX: 1\n\n"), 1, true) == CGI_ANSWER_DONE && a.status == 404 && a.count == 1, "status line");
    CHECK(feed(&a, BYTES("X: 1\nHTTP/1.1 404 Mine\n\n"), 1, true) == CGI_ANSWER_BAD, "not the first");
    CHECK(feed(&a, BYTES("HTTP/1.1 404 Mine\nStatus: 200\n\n"), 1, true) == CGI_ANSWER_BAD, "both");
    CHECK(feed(&a, BYTES("HTTP/2.0 200 OK\n\n"), 1, true) == CGI_ANSWER_BAD, "another version");
    CHECK(feed(&a, BYTES("HTTP/1.1 20\n\n"), 1, true) == CGI_ANSWER_BAD, "short");
    CHECK(feed(&a, BYTES("HTTP/1.1 200 a\x01\n\n"), 1, true) == CGI_ANSWER_BAD, "control byte");
}

static void check_bounds(void)
{
    static struct cgi_answer a;
    char *text = malloc(LIMIT_CGI_HEAD_BYTES + 1);
    for (int more = -1; more <= 1; more++) {
        size_t len = (size_t)(LIMIT_CGI_HEAD_BYTES + more);
        memset(text, 'x', len);
        memcpy(text, "X:", 2);
        memcpy(text + len - 2, "\n\n", 2);
        enum cgi_answer_result want = more > 0 ? CGI_ANSWER_BAD : CGI_ANSWER_DONE;
        CHECK(feed(&a, text, len, len, false) == want && feed(&a, text, len, 4096, false) != (more > 0 ? CGI_ANSWER_DONE : CGI_ANSWER_BAD), "%d bytes more", more);
    }
    for (int fields = LIMIT_CGI_FIELDS - 1; fields <= LIMIT_CGI_FIELDS + 1; fields++) {
        for (int i = 0; i < fields; i++)
            memcpy(text + i * 5, "X: 1\n", 5);
        text[fields * 5] = '\n';
        enum cgi_answer_result result = feed(&a, text, (size_t)fields * 5 + 1, (size_t)fields * 5 + 1, false);
        CHECK((result == CGI_ANSWER_DONE) == (fields <= LIMIT_CGI_FIELDS), "%d fields", fields);
    }
    free(text);
}

int main(void)
{
    check_cases();
    check_spans();
    check_status_line();
    check_bounds();
    return check_result();
}
