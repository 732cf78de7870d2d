/* xoshiro256** 1.0 seeded by splitmix64 (Blackman and Vigna, public domain designs). */
#include "common/base/rng.h"

#include "common/base/check.h"

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = *x += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t rotl(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

void rng_seed(struct rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&seed);
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

/* Lemire's method: the high half of a product, thrown again in the few cases that would be biased. */
uint64_t rng_below(struct rng *r, uint64_t n)
{
    unsigned __int128 m;
    uint64_t floor;

    CHECK(n > 0);
    m = (unsigned __int128)rng_u64(r) * n;
    if ((uint64_t)m < n) {
        floor = -n % n;
        while ((uint64_t)m < floor)
            m = (unsigned __int128)rng_u64(r) * n;
    }
    return (uint64_t)(m >> 64);
}

int64_t rng_between(struct rng *r, int64_t lo, int64_t hi)
{
    uint64_t span;

    CHECK(lo <= hi);
    span = (uint64_t)hi - (uint64_t)lo + 1;
    return (int64_t)((uint64_t)lo + (span ? rng_below(r, span) : rng_u64(r)));
}

bool rng_chance(struct rng *r, unsigned per_mille)
{
    return rng_below(r, 1000) < per_mille;
}

void rng_hex(struct rng *r, char *out, size_t digits)
{
    static const char digit[] = "0123456789abcdef";
    uint64_t bits = 0;

    for (size_t i = 0; i < digits; i++) {
        if (i % 16 == 0)
            bits = rng_u64(r);
        out[i] = digit[bits & 15];
        bits >>= 4;
    }
    out[digits] = '\0';
}
