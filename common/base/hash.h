/* A seeded hash of bytes: SipHash-1-3 (Aumasson, Bernstein). The seed is one per
 * process; set it once, before the first dict is filled. Tests pin it. */
#ifndef KV_BASE_HASH_H
#define KV_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

void     hash_seed(const uint8_t seed[16]);
uint64_t hash_bytes(const void *p, size_t n);
uint64_t hash_with(const uint8_t seed[16], const void *p, size_t n);

#endif
