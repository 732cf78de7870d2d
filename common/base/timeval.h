/* Instants and durations are int64_t milliseconds; an instant ends in _at_ms.
 * Nothing here asks what time it is. */
#ifndef KV_BASE_TIMEVAL_H
#define KV_BASE_TIMEVAL_H

#include <stdint.h>

#define NEVER_MS INT64_MAX

/* NEVER stays never; no overflow. */
static inline int64_t ms_add(int64_t at_ms, int64_t ms)
{
    return (at_ms == NEVER_MS || ms == NEVER_MS || at_ms > INT64_MAX - (ms > 0 ? ms : 0)) ? NEVER_MS : at_ms + ms;
}
static inline int64_t ms_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t ms_max(int64_t a, int64_t b) { return a > b ? a : b; }

#endif
