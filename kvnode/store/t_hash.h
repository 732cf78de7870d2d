/* Operations on one hash value: packed while small (listpack, the same bytes as RDB type 16),
 * a dict afterwards. The only place where hash encodings are switched.
 *
 * Slices that come out are borrowed until the next change of this hash. Values kept as numbers
 * are printed into the caller's num. */
#ifndef KV_STORE_T_HASH_H
#define KV_STORE_T_HASH_H

#include "common/base/num.h"
#include "kvnode/store/keyspace.h"

struct dict_entry;

size_t hash_len(const struct object *o);
bool   hash_get(const struct object *o, struct slice field, struct slice *value, char num[NUM_I64_MAX]);
bool   hash_has(const struct object *o, struct slice field);
/* true: the field is new. */
bool   hash_set(struct object *o, const struct store_limits *lim, struct slice field, struct slice value);
bool   hash_del(struct object *o, struct slice field);            /* true: it was there. The caller removes an empty hash */

struct hash_item {
    struct slice field, value;
    char fnum[NUM_I64_MAX], vnum[NUM_I64_MAX];
};
struct hash_iter {
    const struct object *o;
    unsigned char *at;              /* packed */
    size_t bucket, table;           /* dict: position, so that nothing has to be closed */
    struct dict_entry *next;
};
/* All fields once; no change meanwhile. */
void hash_iter_init(struct hash_iter *it, const struct object *o);
bool hash_iter_next(struct hash_iter *it, struct hash_item *item);

struct rng;
void hash_random(const struct object *o, struct rng *r, struct hash_item *item);     /* not empty */
/* One step, as dict_scan; a packed hash comes out whole. */
uint64_t hash_scan(struct object *o, uint64_t cursor, void (*each)(void *arg, const struct hash_item *item), void *arg);

/* Loading: o is an empty hash; takes lp (mem_*, already validated, field value field value ...). Turned into a
 * dict if it is beyond the limits. */
void hash_adopt_listpack(struct object *o, const struct store_limits *lim, unsigned char *lp);
/* The packed bytes, or NULL when it is a dict. */
const unsigned char *hash_listpack(const struct object *o, size_t *len);
/* Room for n fields, as a dict at once if n is beyond the limit. */
void hash_expect(struct object *o, const struct store_limits *lim, size_t n);

#endif
