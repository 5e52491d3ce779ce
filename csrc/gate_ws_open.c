/* The opening handshake (RFC 6455 4.2): what has to be in the request, and the 101. */
#include <errno.h>
#include <stdlib.h>

#include "base64.h"
#include "digest.h"
#include "gate.h"
#include "gate_ws.h"
#include "gate_ws_parts.h"
#include "response.h"

enum { KEY_CHARACTERS = 24, SHA1_BYTES = 20, ACCEPT_CHARACTERS = 28, COMPRESSION_OFF = 0, COMPRESSION_CONTEXT = 2 };

static struct slice field(struct request *r, struct slice name)
{
    const struct table_entry *e = table_find(request_headers_in(r), name);
    return e && e->value ? slice_of(e->value, e->value_len) : slice_of(NULL, 0);
}

static bool list_has(struct slice list, struct slice word, bool nocase)
{
    while (list.len) {
        const char *comma = memchr(list.at, ',', list.len);
        struct slice one = slice_trim(slice_of(list.at, comma ? (size_t)(comma - list.at) : list.len));
        if (nocase ? slice_eq_nocase(one, word) : slice_eq(one, word))
            return true;
        list = comma ? slice_of(comma + 1, list.len - (size_t)(comma + 1 - list.at)) : slice_of(NULL, 0);
    }
    return false;
}

bool websocket_wanted(struct request *r)
{
    return r->head.upgrade && r->conn && r->conn->gate == &gate_http && list_has(field(r, SLICE("Upgrade")), SLICE("websocket"), true);
}

/* 16 bytes in base64: 22 characters that carry them, the last of which has four bits to spare, and "==". */
static bool key_is_good(struct slice key)
{
    char bytes[KEY_CHARACTERS];
    size_t used = 0;
    return key.len == KEY_CHARACTERS && base64_decode(bytes, key, &used) == 16 && used == 22 && key.at[22] == '=' && key.at[23] == '=';
}

struct ws_refusal websocket_check(struct request *r)
{
    if (!websocket_wanted(r)) {
        table_set(&r->err_headers_out, SLICE("Upgrade"), SLICE("websocket"));
        return (struct ws_refusal){426, "the client asks for no WebSocket"};
    }
    if (strcmp(r->method, "GET") != 0)
        return (struct ws_refusal){400, "a WebSocket begins with GET"};
    if (r->body != BODY_WHOLE || r->body_bytes_in)
        return (struct ws_refusal){400, "a request for a WebSocket has no body"};
    if (!slice_eq(field(r, SLICE("Sec-WebSocket-Version")), SLICE("13"))) {
        table_set(&r->err_headers_out, SLICE("Sec-WebSocket-Version"), SLICE("13"));
        table_set(&r->err_headers_out, SLICE("Upgrade"), SLICE("websocket"));
        return (struct ws_refusal){426, "Sec-WebSocket-Version is not 13"};
    }
    if (!key_is_good(field(r, SLICE("Sec-WebSocket-Key"))))
        return (struct ws_refusal){400, "Sec-WebSocket-Key is not 16 bytes in base64"};
    if (ws_offer_choose(field(r, SLICE("Sec-WebSocket-Extensions")), &(struct ws_terms){0}, &(struct ws_terms){0}) == WS_OFFER_MALFORMED)
        return (struct ws_refusal){400, "Sec-WebSocket-Extensions is no list of extensions"};
    return (struct ws_refusal){0};
}

bool websocket_offers(struct request *r, struct slice protocol)
{
    return list_has(field(r, SLICE("Sec-WebSocket-Protocol")), protocol, false);
}

static void accept_of(struct slice key, char to[ACCEPT_CHARACTERS])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char sum[SHA1_BYTES];
    struct digest d;
    digest_sha1_start(&d);
    digest_add(&d, key.at, key.len);
    digest_add(&d, guid, sizeof guid - 1);
    digest_sha1_end(&d, sum);
    base64_encode(to, sum, sizeof sum);
}

static bool agree_on_compression(struct request *r, struct ws_terms *terms)
{
    bool keep = r->conf && r->conf->websocket_compression == COMPRESSION_CONTEXT;
    uint8_t bits = (uint8_t)(r->conf ? r->conf->websocket_window_bits : WS_WINDOW_BITS_MAX);
    struct ws_terms wishes = {.keep_out = keep, .keep_in = keep, .out_bits = bits, .in_bits = bits};
    return r->conf && r->conf->websocket_compression != COMPRESSION_OFF &&
           ws_offer_choose(field(r, SLICE("Sec-WebSocket-Extensions")), &wishes, terms) == WS_OFFER_TAKEN;
}

/* terms NULL: none were agreed on. */
static int put_head(struct request *r, struct slice protocol, const struct ws_terms *terms)
{
    char accept[ACCEPT_CHARACTERS], extension[WS_TERMS_BYTES];
    accept_of(field(r, SLICE("Sec-WebSocket-Key")), accept);
    r->status = 101;
    r->status_line = r->content_type = NULL;
    r->clength = -1;
    table_unset(&r->headers_out, SLICE("Content-Length"));
    bool bad = table_set(&r->headers_out, SLICE("Upgrade"), SLICE("websocket")) < 0 ||
               table_set(&r->headers_out, SLICE("Connection"), SLICE("Upgrade")) < 0 ||
               table_set(&r->headers_out, SLICE("Sec-WebSocket-Accept"), slice_of(accept, sizeof accept)) < 0 ||
               (terms && table_set(&r->headers_out, SLICE("Sec-WebSocket-Extensions"), slice_of(extension, ws_offer_answer(terms, extension))) < 0) ||
               (protocol.len && table_set(&r->headers_out, SLICE("Sec-WebSocket-Protocol"), protocol) < 0);
    return bad ? -1 : 0;
}

struct websocket *websocket_open(struct request *r, struct slice protocol)
{
    struct websocket *ws = r->response == RESPONSE_OPEN && r->conn ? calloc(1, sizeof *ws) : NULL;
    if (!ws) {
        errno = !r->conn ? EPIPE : r->response == RESPONSE_OPEN ? ENOMEM : EINVAL;
        return NULL;
    }
    r->out_filter = NULL; /* filters are for bodies, and a 101 has none */
    buf_clear(&r->out);
    ws->deflate = agree_on_compression(r, &ws->codec.terms);
    if (put_head(r, protocol, ws->deflate ? &ws->codec.terms : NULL) < 0 || response_flush(r) < 0) {
        free(ws);
        return NULL;
    }
    ws->refs = 1;
    ws->ping_ms = r->conf ? r->conf->websocket_ping_ms : 0;
    ws_reader_init(&ws->reader, r->conf ? (uint64_t)r->conf->websocket_message_bytes : 0);
    ws->reader.deflate = ws->deflate;
    r->close_after = true; /* whatever comes of it, this connection is HTTP's no more */
    gate_ws_take(r->conn, ws);
    return ws;
}
