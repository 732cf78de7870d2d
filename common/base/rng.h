/* Random numbers as a value: same seed, same run. xoshiro256** (Blackman, Vigna),
 * seeded by splitmix64. Not for secrets. */
#ifndef KV_BASE_RNG_H
#define KV_BASE_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void     rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n);                 /* 0..n-1; n > 0 */
int64_t  rng_between(struct rng *r, int64_t lo, int64_t hi);   /* both included */
bool     rng_chance(struct rng *r, unsigned per_mille);        /* true per_mille times in 1000 */
void     rng_hex(struct rng *r, char *out, size_t digits);     /* digits hex digits and '\0' */

#endif
