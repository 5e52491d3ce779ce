/* Strict: whoever can send this header chooses the address that access control and logs see. */
#include "proxy_head.h"

#include <arpa/inet.h>
#include <string.h>

static const char V2_SIGNATURE[12] = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};
enum { V2_HEAD = 16, V2_VERSION = 0x20, V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_TCP4_BYTES = 12, V2_TCP6_BYTES = 36, WORD_BYTES = 46 };

static void set_v4(struct peer *client, const void *address, unsigned port)
{
    *client = (struct peer){.address = {[10] = 0xff, [11] = 0xff}, .port = (uint16_t)port, .family = AF_INET};
    memcpy(client->address + 12, address, 4);
}

static void set_v6(struct peer *client, const void *address, unsigned port)
{
    *client = (struct peer){.port = (uint16_t)port, .family = AF_INET6};
    memcpy(client->address, address, 16);
    if (memcmp(client->address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0)
        client->family = AF_INET;
}

static unsigned big_endian(const char *at) { return (unsigned)(unsigned char)at[0] << 8 | (unsigned char)at[1]; }

static enum proxy_result v2_read(const char *at, size_t len, struct peer *client, size_t *used)
{
    if (len < V2_HEAD)
        return PROXY_MORE;
    unsigned command = (unsigned char)at[12], family = (unsigned char)at[13], body = big_endian(at + 14);
    if ((command & 0xf0) != V2_VERSION || (command & 0x0f) > 1 || V2_HEAD + body > PROXY_V2_BYTES)
        return PROXY_BAD;
    if (len < V2_HEAD + body)
        return PROXY_MORE;
    const char *addresses = at + V2_HEAD;
    bool speaks_for = (command & 0x0f) == 1;
    if (speaks_for && ((family == V2_TCP4 && body < V2_TCP4_BYTES) || (family == V2_TCP6 && body < V2_TCP6_BYTES)))
        return PROXY_BAD;
    if (speaks_for && family == V2_TCP4)
        set_v4(client, addresses, big_endian(addresses + 8));
    else if (speaks_for && family == V2_TCP6)
        set_v6(client, addresses, big_endian(addresses + 32));
    *used = V2_HEAD + body;
    return PROXY_DONE;
}

/* The next word of the line into out, and the one space behind it. */
static bool word(const char **at, const char *end, char out[WORD_BYTES], bool is_last)
{
    const char *space = memchr(*at, ' ', (size_t)(end - *at)), *stop = is_last ? end : space;
    if (!stop || (is_last && space) || stop == *at || stop - *at >= WORD_BYTES)
        return false;
    memcpy(out, *at, (size_t)(stop - *at));
    out[stop - *at] = 0;
    *at = is_last ? end : stop + 1;
    return true;
}

static bool port_read(const char *text, unsigned *port)
{
    size_t digits = strspn(text, "0123456789");
    *port = 0;
    for (size_t i = 0; i < digits && i < 6; i++)
        *port = *port * 10 + (unsigned)(text[i] - '0');
    return digits && digits <= 5 && !text[digits] && *port <= 65535;
}

static bool v1_line(const char *at, const char *end, bool is_v6, struct peer *client)
{
    char from[WORD_BYTES], to[WORD_BYTES], from_port[WORD_BYTES], to_port[WORD_BYTES];
    unsigned char source[16], target[16];
    unsigned port, other;
    int family = is_v6 ? AF_INET6 : AF_INET;
    if (!word(&at, end, from, false) || !word(&at, end, to, false) || !word(&at, end, from_port, false) || !word(&at, end, to_port, true))
        return false;
    if (inet_pton(family, from, source) != 1 || inet_pton(family, to, target) != 1 || !port_read(from_port, &port) || !port_read(to_port, &other))
        return false;
    if (is_v6)
        set_v6(client, source, port);
    else
        set_v4(client, source, port);
    return true;
}

static bool starts(const char *at, const char *end, const char *with)
{
    size_t n = strlen(with);
    return (size_t)(end - at) >= n && memcmp(at, with, n) == 0;
}

static enum proxy_result v1_read(const char *at, size_t len, struct peer *client, size_t *used)
{
    size_t look = len < PROXY_V1_BYTES ? len : PROXY_V1_BYTES;
    const char *end = memchr(at, '\n', look);
    if (!end)
        return look < PROXY_V1_BYTES ? PROXY_MORE : PROXY_BAD;
    *used = (size_t)(end - at) + 1;
    if (end - at < 7 || end[-1] != '\r')
        return PROXY_BAD;
    end--;
    at += 6;
    if (starts(at, end, "UNKNOWN") && (end - at == 7 || at[7] == ' '))
        return PROXY_DONE;
    bool is_v6 = starts(at, end, "TCP6 ");
    return (is_v6 || starts(at, end, "TCP4 ")) && v1_line(at + 5, end, is_v6, client) ? PROXY_DONE : PROXY_BAD;
}

enum proxy_result proxy_head_read(const char *at, size_t len, struct peer *client, size_t *used)
{
    if (memcmp(at, V2_SIGNATURE, len < sizeof V2_SIGNATURE ? len : sizeof V2_SIGNATURE) == 0)
        return v2_read(at, len, client, used);
    if (memcmp(at, "PROXY ", len < 6 ? len : 6) == 0)
        return v1_read(at, len, client, used);
    return PROXY_BAD;
}
