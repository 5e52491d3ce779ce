/* PROXY protocol. A connection that must begin with it and does not is refused: anybody could claim any address otherwise. */
#include "proxy_header.h"

#include <arpa/inet.h>

enum { V1_MAX_BYTES = 107, V2_HEADER_BYTES = 16, V2_MAX_BYTES = 4096 };
static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static enum pack_result bad(struct proxy_header *p, const char *fault)
{
    p->fault = fault;
    return PACK_BAD;
}

static void set_v4(struct peer *peer, const void *address, unsigned port)
{
    memset(peer, 0, sizeof *peer);
    peer->address[10] = peer->address[11] = 0xff;
    memcpy(peer->address + 12, address, 4);
    peer->port = (uint16_t)port;
    peer->family = AF_INET;
}

static void set_v6(struct peer *peer, const void *address, unsigned port)
{
    memset(peer, 0, sizeof *peer);
    memcpy(peer->address, address, 16);
    peer->port = (uint16_t)port;
    peer->family = AF_INET6;
}

static bool take_word(struct slice *line, struct slice *word)
{
    const char *space = memchr(line->at, ' ', line->len);
    size_t n = space ? (size_t)(space - line->at) : line->len, skip = n + (space != NULL);
    *word = slice_of(line->at, n);
    line->at += skip;
    line->len -= skip;
    return n > 0;
}

static bool set_text(struct peer *peer, bool six, struct slice address, struct slice port)
{
    char text[64];
    unsigned char raw[16];
    int64_t number = port.len <= 5 && !(port.len > 1 && port.at[0] == '0') ? cgi_number(port) : -1;
    if (address.len >= sizeof text || number < 0 || number > 65535)
        return false;
    memcpy(text, address.at, address.len);
    text[address.len] = 0;
    if (strlen(text) != address.len || inet_pton(six ? AF_INET6 : AF_INET, text, raw) != 1)
        return false;
    if (six)
        set_v6(peer, raw, (unsigned)number);
    else
        set_v4(peer, raw, (unsigned)number);
    return true;
}

static enum pack_result parse_v1(struct proxy_header *p, const char *bytes, size_t len)
{
    const char *end = memchr(bytes, '\n', len < V1_MAX_BYTES ? len : V1_MAX_BYTES);
    if (!end)
        return len < V1_MAX_BYTES ? PACK_MORE : bad(p, "the PROXY line is too long");
    if (end - bytes < 7 || end[-1] != '\r')
        return bad(p, "the PROXY line does not end in CRLF");
    struct slice line = slice_of(bytes + 6, (size_t)(end - bytes) - 7), family, from, to, from_port, to_port;
    p->used = (size_t)(end - bytes) + 1;
    p->known = false;
    if (!take_word(&line, &family))
        return bad(p, "the PROXY line names no family");
    if (slice_eq(family, SLICE("UNKNOWN")))
        return PACK_DONE;
    bool six = slice_eq(family, SLICE("TCP6"));
    if (!six && !slice_eq(family, SLICE("TCP4")))
        return bad(p, "the PROXY line names an unknown family");
    if (!take_word(&line, &from) || !take_word(&line, &to) || !take_word(&line, &from_port) || !take_word(&line, &to_port) || line.len ||
        !set_text(&p->client, six, from, from_port) || !set_text(&p->local, six, to, to_port))
        return bad(p, "the PROXY line has a bad address or port");
    p->known = true;
    return PACK_DONE;
}

static unsigned port_at(const char *at) { return (unsigned)(unsigned char)at[0] << 8 | (unsigned char)at[1]; }

static enum pack_result parse_v2(struct proxy_header *p, const char *bytes, size_t len)
{
    if (len < V2_HEADER_BYTES)
        return PACK_MORE;
    unsigned command = (unsigned char)bytes[12], family = (unsigned char)bytes[13];
    size_t size = port_at(bytes + 14);
    if (command != 0x20 && command != 0x21)
        return bad(p, "the PROXY header has an unknown version or command");
    if (size > V2_MAX_BYTES)
        return bad(p, "the PROXY header is too long");
    if (len < V2_HEADER_BYTES + size)
        return PACK_MORE;
    const char *at = bytes + V2_HEADER_BYTES;
    p->used = V2_HEADER_BYTES + size;
    p->known = command == 0x21 && (family == 0x11 || family == 0x21);
    if (!p->known)
        return PACK_DONE;
    if (size < (family == 0x11 ? 12u : 36u))
        return bad(p, "the PROXY header is too short for its family");
    if (family == 0x11) {
        set_v4(&p->client, at, port_at(at + 8));
        set_v4(&p->local, at + 4, port_at(at + 10));
    } else {
        set_v6(&p->client, at, port_at(at + 32));
        set_v6(&p->local, at + 16, port_at(at + 34));
    }
    return PACK_DONE;
}

static bool begins(const char *bytes, size_t len, const char *what, size_t n) { return memcmp(bytes, what, len < n ? len : n) == 0; }

enum pack_result proxy_header_parse(struct proxy_header *p, const char *bytes, size_t len)
{
    p->fault = NULL;
    if (begins(bytes, len, v2_signature, sizeof v2_signature))
        return len < sizeof v2_signature ? PACK_MORE : parse_v2(p, bytes, len);
    if (begins(bytes, len, "PROXY ", 6))
        return len < 6 ? PACK_MORE : parse_v1(p, bytes, len);
    return bad(p, "the connection does not begin with a PROXY header");
}
