/* A fast hash of bytes for look-ups in frozen tables. Not for tables that clients fill: it has no secret. */
#ifndef PYHOST_HASH_H
#define PYHOST_HASH_H

#include <stdint.h>
#include <string.h>

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xd6e8feb86659fd93u);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_word(const char *at)
{
    uint64_t w;
    memcpy(&w, at, sizeof w);
    return w;
}

static inline uint64_t hash_tail(const char *at, size_t n)
{
    uint32_t low, high;
    if (n >= 4) {
        memcpy(&low, at, 4);
        memcpy(&high, at + n - 4, 4);
        return low | (uint64_t)high << 32;
    }
    return n ? (uint64_t)(unsigned char)at[0] | (uint64_t)(unsigned char)at[n / 2] << 8 | (uint64_t)(unsigned char)at[n - 1] << 16 : 0;
}

/* Context: any thread; pure. */
static inline uint64_t hash_bytes(const char *at, size_t n, uint64_t seed)
{
    uint64_t h = seed ^ n;
    if (n < 8)
        return hash_mix(h, hash_tail(at, n));
    size_t i = 0;
    for (; i + 8 < n; i += 8)
        h = hash_mix(h, hash_word(at + i));
    return hash_mix(h, hash_word(at + n - 8));
}

#endif
