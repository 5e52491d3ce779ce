/* RFC 1321 and RFC 3174 from their text; both gather 64-byte blocks alike and differ in the mixing and in byte order. */
#include "digest.h"

#include <string.h>

static uint32_t rotate(uint32_t x, unsigned n) { return x << n | x >> (32 - n); }
static uint32_t load_little(const unsigned char *p) { return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }
static uint32_t load_big(const unsigned char *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

static const uint32_t md5_constants[64] = { /* RFC 1321 3.4: the first 32 bits of |sin(i)| */
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static void md5_mix(struct digest *d)
{
    static const unsigned char shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t a = d->state[0], b = d->state[1], c = d->state[2], e = d->state[3];
    for (int i = 0; i < 64; i++) {
        uint32_t f = i < 16 ? (b & c) | (~b & e) : i < 32 ? (e & b) | (~e & c) : i < 48 ? b ^ c ^ e : c ^ (b | ~e);
        int word = i < 16 ? i : i < 32 ? (5 * i + 1) % 16 : i < 48 ? (3 * i + 5) % 16 : 7 * i % 16;
        uint32_t next = b + rotate(a + f + md5_constants[i] + load_little(d->block + 4 * word), shifts[i / 16][i % 4]);
        a = e;
        e = c;
        c = b;
        b = next;
    }
    d->state[0] += a;
    d->state[1] += b;
    d->state[2] += c;
    d->state[3] += e;
}

static void sha1_mix(struct digest *d)
{
    uint32_t w[80], a = d->state[0], b = d->state[1], c = d->state[2], e = d->state[3], g = d->state[4];
    for (int i = 0; i < 80; i++)
        w[i] = i < 16 ? load_big(d->block + 4 * i) : rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20 ? (b & c) | (~b & e) : i < 40 || i >= 60 ? b ^ c ^ e : (b & c) | (b & e) | (c & e);
        uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
        uint32_t next = rotate(a, 5) + f + g + k + w[i];
        g = e;
        e = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    d->state[0] += a;
    d->state[1] += b;
    d->state[2] += c;
    d->state[3] += e;
    d->state[4] += g;
}

void digest_md5_start(struct digest *d)
{
    *d = (struct digest){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}, .mix = md5_mix};
}

void digest_sha1_start(struct digest *d)
{
    *d = (struct digest){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}, .mix = sha1_mix};
}

void digest_add(struct digest *d, const void *data, size_t n)
{
    const unsigned char *p = data;
    while (n) {
        size_t at = d->length % 64, take = 64 - at < n ? 64 - at : n;
        memcpy(d->block + at, p, take);
        d->length += take;
        p += take;
        n -= take;
        if (at + take == 64)
            d->mix(d);
    }
}

static void digest_pad(struct digest *d, const unsigned char length[8])
{
    digest_add(d, "\x80", 1);
    while (d->length % 64 != 56)
        digest_add(d, "", 1);
    digest_add(d, length, 8);
}

void digest_md5_end(struct digest *d, unsigned char out[16])
{
    unsigned char length[8];
    uint64_t bits = d->length * 8;
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(bits >> 8 * i);
    digest_pad(d, length);
    for (int i = 0; i < 16; i++)
        out[i] = (unsigned char)(d->state[i / 4] >> 8 * (i % 4));
}

void digest_sha1_end(struct digest *d, unsigned char out[20])
{
    unsigned char length[8];
    uint64_t bits = d->length * 8;
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(bits >> (56 - 8 * i));
    digest_pad(d, length);
    for (int i = 0; i < 20; i++)
        out[i] = (unsigned char)(d->state[i / 4] >> (24 - 8 * (i % 4)));
}
