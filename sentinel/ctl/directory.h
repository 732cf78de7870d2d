/* The directory as verbs read it: its primary, opened through the sentinels (or at the
 * address that -d gives), and the questions that several verbs ask. */
#ifndef KV_CTL_DIRECTORY_H
#define KV_CTL_DIRECTORY_H

#include "common/base/vec.h"
#include "sentinel/ctl/ctl.h"

/* The node that takes writes. On failure a sentence was printed and the exit code is returned. */
int  dir_open(struct ctl *c, struct conn **out);
/* A command; an error reply becomes a sentence and EXIT_REFUSED, no reply EXIT_FAILED. *out is the caller's. */
int  dir_callz(struct conn *k, struct val **out, const char *first, ...) __attribute__((sentinel));

struct names { VEC(char *) at; };
void names_fini(struct names *n);
/* Keys that match the pattern, sorted; at most DIR_KEYS_MAX of them (then a sentence is printed, and the rest is left out). */
#define DIR_KEYS_MAX 100000
int  dir_scan(struct conn *k, const char *pattern, struct names *out);

/* "12s", "3m", "5h", "2d" since then; "" when it is not known (at_ms <= 0). */
const char *dir_age(int64_t at_ms, char out[24]);
/* "2026-11-21T19:04:38Z"; "" when it is not known. */
const char *dir_time(int64_t at_ms, char out[32]);

#endif
