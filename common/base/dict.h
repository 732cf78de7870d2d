/* A hash table from bytes to one value. It grows and shrinks a little at a time
 * (a few buckets move with each operation), so no single call is long.
 *
 * An entry is one allocation: links, value, key. Entry pointers stay good until
 * that entry is deleted. The dict owns entries and keys, never the values, unless
 * it is told how to free them at dict_fini/dict_clear.
 *
 * Keys are hashed with the process-wide seed of hash.h. Key length ≤ UINT32_MAX. */
#ifndef KV_BASE_DICT_H
#define KV_BASE_DICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng;

struct dict_entry {
    struct dict_entry *next;
    union {
        void *p;
        int64_t i;
        uint64_t u;
        double d;
    } v;
    uint32_t hash_low;       /* low half of the hash: cheap comparison */
    uint32_t klen;
    char key[];              /* klen bytes, then '\0' */
};

struct dict_table {
    struct dict_entry **bucket;
    size_t size;             /* power of two, or 0 */
    size_t used;
};

struct dict {
    struct dict_table t[2];  /* t[1] only while moving */
    size_t move_at;          /* next bucket of t[0] to move; SIZE_MAX = not moving */
    unsigned pause;          /* > 0: iterating, do not move buckets */
};

void dict_init(struct dict *d);
void dict_fini(struct dict *d, void (*free_value)(void *v));   /* free_value may be NULL */
void dict_clear(struct dict *d, void (*free_value)(void *v));
void dict_swap(struct dict *a, struct dict *b);

static inline size_t dict_count(const struct dict *d) { return d->t[0].used + d->t[1].used; }
size_t dict_buckets(const struct dict *d);
size_t dict_overhead(const struct dict *d);       /* bytes of tables and entry headers */
void   dict_expand(struct dict *d, size_t want);  /* room for `want` entries, at once */

struct dict_entry *dict_find(const struct dict *d, const void *key, size_t len);
void              *dict_get(const struct dict *d, const void *key, size_t len);   /* value pointer or NULL */
/* The entry for key, made with a zero value if it was not there; *is_new may be NULL. */
struct dict_entry *dict_put(struct dict *d, const void *key, size_t len, bool *is_new);
/* true if it was there; its value goes to *old (may be NULL). */
bool               dict_del(struct dict *d, const void *key, size_t len, void **old);
struct dict_entry *dict_random(struct dict *d, struct rng *r);                    /* NULL if empty */

/* Moving a bucket by hand, for idle time: up to n buckets; false when nothing is left. */
bool dict_move(struct dict *d, size_t n);

/* All entries once. Deleting the current entry is allowed, other changes are not. */
struct dict_iter {
    struct dict *d;
    int table;
    size_t bucket;
    struct dict_entry *next;
};
void               dict_iter_init(struct dict_iter *it, struct dict *d);
struct dict_entry *dict_iter_next(struct dict_iter *it);   /* NULL at the end */
void               dict_iter_fini(struct dict_iter *it);

/* One step of a scan that survives growth and shrinking in between: every entry
 * that is there from start to end is seen at least once. Start with cursor 0,
 * go on with what it returns, until it returns 0. Reverse binary iteration. */
uint64_t dict_scan(struct dict *d, uint64_t cursor, void (*each)(void *arg, struct dict_entry *e), void *arg);

#endif
