/* SipHash with one round per block and three at the end: Aumasson and Bernstein,
 * "SipHash: a fast short-input PRF", 2012. */
#include "common/base/hash.h"

#include <string.h>

static uint8_t process_seed[16];

struct sip {
    uint64_t a, b, c, d;
};

static inline uint64_t rotl(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t x;

    memcpy(&x, p, sizeof x);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

static inline void sip_round(struct sip *s)
{
    s->a += s->b;
    s->c += s->d;
    s->b = rotl(s->b, 13) ^ s->a;
    s->d = rotl(s->d, 16) ^ s->c;
    s->a = rotl(s->a, 32);
    s->c += s->b;
    s->a += s->d;
    s->b = rotl(s->b, 17) ^ s->c;
    s->d = rotl(s->d, 21) ^ s->a;
    s->c = rotl(s->c, 32);
}

static inline uint64_t sip13(const uint8_t seed[16], const uint8_t *p, size_t n)
{
    uint64_t k0 = load64(seed), k1 = load64(seed + 8), m;
    struct sip s = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                    k1 ^ 0x7465646279746573u};
    uint8_t rest[8] = {0};
    size_t left = n;

    for (; left >= 8; left -= 8, p += 8) {
        m = load64(p);
        s.d ^= m;
        sip_round(&s);
        s.a ^= m;
    }
    if (left)
        memcpy(rest, p, left);
    m = load64(rest) | (uint64_t)n << 56;
    s.d ^= m;
    sip_round(&s);
    s.a ^= m;
    s.c ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

void hash_seed(const uint8_t seed[16])
{
    memcpy(process_seed, seed, sizeof process_seed);
}

uint64_t hash_bytes(const void *p, size_t n)
{
    return sip13(process_seed, p, n);
}

uint64_t hash_with(const uint8_t seed[16], const void *p, size_t n)
{
    return sip13(seed, p, n);
}
