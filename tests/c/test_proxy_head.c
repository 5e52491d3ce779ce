/* PROXY headers: both versions, every cut of them, and what is none. */
// sources: proxy_head.c
#include <arpa/inet.h>

#include "check.h"
#include "proxy_head.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TEXT(s) s, sizeof(s) - 1

static const struct { const char *at; size_t len; enum proxy_result result; const char *client; unsigned port; } cases[] = {
    {TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\nGET"), PROXY_DONE, "1.2.3.4", 1111},
    {TEXT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), PROXY_DONE, "255.255.255.255", 65535},
    {TEXT("PROXY TCP6 2001:db8::1 ::1 1 0\r\n"), PROXY_DONE, "2001:db8::1", 1},
    {TEXT("PROXY TCP6 ::ffff:1.2.3.4 ::1 1 0\r\n"), PROXY_DONE, "1.2.3.4", 1},
    {TEXT("PROXY UNKNOWN\r\n"), PROXY_DONE, NULL, 0},
    {TEXT("PROXY UNKNOWN ffff:f...f:ffff whatever\r\n"), PROXY_DONE, NULL, 0},
    {TEXT("PROXY UNKNOWNS\r\n"), PROXY_BAD, NULL, 0},
    {TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\n"), PROXY_BAD, NULL, 0},
    {TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 1111\r\n"), PROXY_BAD, NULL, 0},
    {TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 1111 80 9\r\n"), PROXY_BAD, NULL, 0},
    {TEXT("PROXY TCP4  1.2.3.4 5.6.7.8 1111 80\r\n"), PROXY_BAD, NULL, 0},
    {TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 65536 80\r\n"), PROXY_BAD, NULL, 0},
    {TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 -1 80\r\n"), PROXY_BAD, NULL, 0},
    {TEXT("PROXY TCP4 1.2.3.4 5.6.7.8 +1 80\r\n"), PROXY_BAD, NULL, 0},
    {TEXT("PROXY TCP4 1.2.3 5.6.7.8 1 80\r\n"), PROXY_BAD, NULL, 0},
    {TEXT("PROXY TCP4 ::1 ::1 1 80\r\n"), PROXY_BAD, NULL, 0},
    {TEXT("PROXY TCP6 1.2.3.4 5.6.7.8 1 80\r\n"), PROXY_BAD, NULL, 0},
    {TEXT("PROXY UDP4 1.2.3.4 5.6.7.8 1 80\r\n"), PROXY_BAD, NULL, 0},
    {TEXT("PROXY \r\n"), PROXY_BAD, NULL, 0},
    {TEXT("proxy TCP4 1.2.3.4 5.6.7.8 1 80\r\n"), PROXY_BAD, NULL, 0},
    {TEXT("GET / HTTP/1.1\r\n"), PROXY_BAD, NULL, 0},
    {TEXT(SIGNATURE "\x21\x11\0\x0c\1\2\3\4\5\6\7\x08\x04\x57\0\x50"), PROXY_DONE, "1.2.3.4", 1111},
    {TEXT(SIGNATURE "\x21\x11\0\x10\1\2\3\4\5\6\7\x08\x04\x57\0\x50\x04\0\1x"), PROXY_DONE, "1.2.3.4", 1111},
    {TEXT(SIGNATURE "\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1" "0123456789abcdef" "\x04\x57\0\x50"), PROXY_DONE, "2001:db8::1", 1111},
    {TEXT(SIGNATURE "\x20\0\0\0"), PROXY_DONE, NULL, 0},
    {TEXT(SIGNATURE "\x20\x11\0\x0c\1\2\3\4\5\6\7\x08\x04\x57\0\x50"), PROXY_DONE, NULL, 0},
    {TEXT(SIGNATURE "\x21\x31\0\0"), PROXY_DONE, NULL, 0},
    {TEXT(SIGNATURE "\x21\x11\0\x0b\1\2\3\4\5\6\7\x08\x04\x57\0"), PROXY_BAD, NULL, 0},
    {TEXT(SIGNATURE "\x11\x11\0\x0c\1\2\3\4\5\6\7\x08\x04\x57\0\x50"), PROXY_BAD, NULL, 0},
    {TEXT(SIGNATURE "\x22\x11\0\x0c\1\2\3\4\5\6\7\x08\x04\x57\0\x50"), PROXY_BAD, NULL, 0},
    {TEXT(SIGNATURE "\x21\x11\xff\xff"), PROXY_BAD, NULL, 0},
};

static enum proxy_result read_guarded(const char *at, size_t len, struct peer *client, size_t *used)
{
    struct guarded g = guard_copy(at, len);
    enum proxy_result result = proxy_head_read(g.at, len, client, used);
    guard_free(&g);
    return result;
}

/* What a client address looks like, "" when it was left alone. */
static const char *text_of(const struct peer *client, char out[64])
{
    bool v4 = client->family == AF_INET;
    out[0] = 0;
    if (client->family)
        inet_ntop(client->family, client->address + (v4 ? 12 : 0), out, 64);
    return out;
}

static void check_case(size_t n)
{
    struct peer client = {0};
    size_t used = 0;
    char text[64];
    enum proxy_result result = read_guarded(cases[n].at, cases[n].len, &client, &used);
    CHECK(result == cases[n].result, "case %zu: %s", n, check_show(cases[n].at, cases[n].len));
    if (result != PROXY_DONE)
        return;
    CHECK(!strcmp(text_of(&client, text), cases[n].client ? cases[n].client : ""), "case %zu: %s", n, text);
    CHECK(client.port == cases[n].port, "case %zu: port %u", n, client.port);
    for (size_t len = 1; len < used; len++) { /* no cut of it is whole, or wrong */
        struct peer other = {0};
        size_t ignored;
        CHECK(read_guarded(cases[n].at, len, &other, &ignored) == PROXY_MORE && !other.family, "case %zu cut at %zu", n, len);
    }
}

int main(void)
{
    struct peer client = {0};
    size_t used;
    char line[PROXY_V1_BYTES + 1] = "PROXY UNKNOWN ";
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++)
        check_case(n);
    memset(line + 14, 'x', sizeof line - 14);
    CHECK(read_guarded(line, PROXY_V1_BYTES - 1, &client, &used) == PROXY_MORE, "a long line may still end");
    CHECK(read_guarded(line, PROXY_V1_BYTES, &client, &used) == PROXY_BAD, "a line without end");
    return check_result();
}
