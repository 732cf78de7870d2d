/* Matching with `*`, `?`, `[a-z]`, `[^x]`, `\x`, over bytes. Linear in practice and
 * bounded: no pattern takes exponential time. */
#ifndef KV_BASE_GLOB_H
#define KV_BASE_GLOB_H

#include <stdbool.h>
#include <stddef.h>

bool glob_match(const char *pat, size_t plen, const char *s, size_t slen, bool nocase);
bool glob_match_z(const char *pat, const char *s);

#endif
