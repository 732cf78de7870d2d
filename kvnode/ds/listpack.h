/* A list of small strings and numbers in one piece of memory, readable in both directions.
 * Same bytes as in RDB files: 4 bytes total length, 2 bytes count (65535 = count by walking),
 * elements, 0xFF. https://github.com/antirez/listpack/blob/master/listpack.md
 *
 * Functions that change it may move it: use what they return. Owned with mem_free. */
#ifndef KV_DS_LISTPACK_H
#define KV_DS_LISTPACK_H

#include "common/base/num.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LP_HEADER 6
#define LP_MAX_BYTES (1u << 30)

unsigned char *lp_new(size_t reserve);
size_t lp_bytes(const unsigned char *lp);
size_t lp_count(const unsigned char *lp);
unsigned char *lp_first(const unsigned char *lp);                       /* NULL when empty */
unsigned char *lp_next(const unsigned char *lp, const unsigned char *at);       /* NULL at the end */
unsigned char *lp_prev(const unsigned char *lp, const unsigned char *at);       /* NULL at the beginning */
unsigned char *lp_at(const unsigned char *lp, size_t index);            /* NULL beyond the end */
/* The element as bytes; numbers are printed into num. */
struct slice lp_get(const unsigned char *at, char num[NUM_I64_MAX]);
bool lp_is(const unsigned char *at, struct slice s);                    /* the same bytes? */
/* From `at` on, compare every (skip + 1)-th element: at, at + skip + 1, ... NULL: not there. */
unsigned char *lp_find(const unsigned char *lp, unsigned char *at, struct slice s, unsigned skip);

unsigned char *lp_append(unsigned char *lp, struct slice s);
unsigned char *lp_insert(unsigned char *lp, unsigned char *before, struct slice s);   /* before NULL: append */
unsigned char *lp_replace(unsigned char *lp, unsigned char **at, struct slice s);     /* *at: the new element */
/* Delete n elements from at on; *at: the one after them or NULL. */
unsigned char *lp_delete(unsigned char *lp, unsigned char **at, size_t n);

/* Bytes from outside: is every element inside, every back length right, the count right? */
bool lp_valid(const unsigned char *lp, size_t len);

#endif
