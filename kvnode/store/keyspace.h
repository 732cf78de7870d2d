/* All databases of a node: look up for read or for write, set, delete, scan. Sole owner of
 * the tables and of every object in them.
 *
 * A keyspace is a value of its own: a loader fills a fresh one off to the side (no watch,
 * KEEP_EXPIRED) and keyspace_swap puts it in place whole, or keyspace_free forgets it.
 * Nothing in here is shared between two keyspaces, so a fresh one may be filled by
 * another thread.
 *
 * Time is told: now_ms (wall clock) is set by the owner at the start of each turn.
 *
 * Table: chained buckets, power of two, growing and shrinking a bucket at a time; each
 * block of 64 buckets knows the earliest deadline inside it, so that expiry looks only
 * where something is due. */
#ifndef KV_STORE_KEYSPACE_H
#define KV_STORE_KEYSPACE_H

#include "kvnode/store/object.h"

struct rng;
struct watch;

enum expired_keys {
    DROP_EXPIRED,       /* a primary: gone when touched; watch is told */
    HIDE_EXPIRED,       /* a replica: not shown, but kept until the primary says DEL */
    KEEP_EXPIRED        /* loading, or applying the primary's stream: as if time stood still */
};

#define DUE_BLOCK 64             /* buckets */

struct keytable {
    struct object **bucket;
    int64_t *due;                /* per block of 64 buckets: the earliest deadline (a lower bound), 0 = none */
    size_t size;                 /* power of two, or 0 */
    size_t used;
};

struct db {
    struct keyspace *ks;
    int index;
    struct keytable t[2];        /* t[1] only while moving */
    size_t move_at;              /* next bucket of t[0] to move, SIZE_MAX = not moving */
    unsigned pause;              /* > 0: iterating, nothing moves */
    size_t with_deadline;        /* keys that have one */
    size_t sweep_at;             /* active expiry: next block */
};

/* When a packed collection becomes a table. */
struct store_limits {
    int64_t hash_entries;        /* hash-max-listpack-entries */
    int64_t hash_value;          /* hash-max-listpack-value */
};

struct keyspace {
    struct db *dbs;
    int ndbs;
    int64_t now_ms;              /* wall clock, told by the owner */
    enum expired_keys expired_keys;
    struct watch *watch;         /* NULL: nobody listens */
    struct store_limits limits;
    uint64_t dirty;              /* changes ever made by commands (they add to it) */
    uint64_t hits, misses;       /* of db_read */
    uint64_t expired;            /* keys ever removed because of their deadline */
    struct keytable *dead;       /* flushed tables waiting to be freed a little at a time */
    size_t ndead, dead_at;
};

struct keyspace *keyspace_new(int ndbs);
void keyspace_free(struct keyspace *ks);
/* Exchange the data of two keyspaces of the same number of databases; watch, counters, limits and mode stay.
 * The watch of `a` is told WATCH_SWAPPED for db -1. */
void keyspace_swap(struct keyspace *a, struct keyspace *b);
size_t keyspace_count(const struct keyspace *ks);
/* Idle-time work, at most budget_us of it as told by clock_us: free flushed tables, move buckets.
 * true: there is more to do. */
bool keyspace_housekeep(struct keyspace *ks, int64_t budget_us, int64_t (*clock_us)(void));

static inline struct db *keyspace_db(struct keyspace *ks, int i) { return &ks->dbs[i]; }

/* Look-ups. NULL: not there (or expired). */
struct object *db_read(struct db *d, struct slice key);       /* counts a hit or miss, and as use */
struct object *db_look(struct db *d, struct slice key);       /* counts a hit or miss, not as use */
struct object *db_write(struct db *d, struct slice key);      /* counts as use */
struct object *db_peek(struct db *d, struct slice key);       /* leaves no trace (but drops what is expired) */
struct object *db_raw(struct db *d, struct slice key);        /* expired or not */

/* Hints for a batch: bring the bucket of a key into the cache, then what is in it. */
uint32_t db_near(struct db *d, struct slice key);
void db_nearer(struct db *d, uint32_t hash);

/* The key with this value, whatever was there before; a deadline it had is dropped unless keep_deadline. */
struct object *db_set_string(struct db *d, struct slice key, struct slice value, bool keep_deadline);
struct object *db_set_bytes(struct db *d, struct slice key, struct slice value, bool keep_deadline);   /* never as a number */
struct object *db_set_i64(struct db *d, struct slice key, int64_t value, bool keep_deadline);
/* The key with an empty hash (packed). An empty hash must not stay: fill it before returning to the turn. */
struct object *db_set_hash(struct db *d, struct slice key);
/* The key with a copy of o's value; deadline too if asked. o may be of another database. */
struct object *db_set_copy(struct db *d, struct slice key, const struct object *o, bool with_deadline);
/* Rename or move: the object leaves its place and comes back under `key` in `to` with value and deadline; what was there is freed. */
struct object *db_move(struct db *from, struct object *o, struct db *to, struct slice key);

bool db_delete(struct db *d, struct slice key);               /* expired or not: was it in the table? */
void db_remove(struct db *d, struct object *o);
/* Give o a deadline; it may move, use what is returned. NEVER_MS takes it away (then it does not move). */
struct object *db_set_deadline(struct db *d, struct object *o, int64_t at_ms);

static inline size_t db_count(const struct db *d) { return d->t[0].used + d->t[1].used; }
bool db_is_expired(const struct db *d, const struct object *o);   /* by the clock, whatever the mode */
void db_expand(struct db *d, size_t want);                    /* room at once (loading) */
/* Empty it; the watch is not told (the command does). later: free it in housekeeping. */
void db_clear(struct db *d, bool later);
void db_exchange(struct db *a, struct db *b);                 /* SWAPDB */
struct object *db_random(struct db *d, struct rng *r);        /* not expired; NULL if none is found */

/* One step of a scan, as dict_scan: start and end with 0. Expired objects are shown too. */
uint64_t db_scan(struct db *d, uint64_t cursor, void (*each)(void *arg, struct object *o), void *arg);

/* All objects once, expired ones too. Deleting the current one is allowed, other changes are not. */
struct db_iter {
    struct db *d;
    int table;
    size_t bucket;
    struct object *next;
};
void db_iter_init(struct db_iter *it, struct db *d);
struct object *db_iter_next(struct db_iter *it);              /* NULL at the end */
void db_iter_fini(struct db_iter *it);

/* A guess at the average time to live, from a few keys; 0 = none has a deadline. */
int64_t db_avg_ttl_ms(struct db *d, struct rng *r);

/* For expire.c: take out what is due in the block that bucket i of table t is in; returns how many. The table is
 * not resized. */
size_t db_drop_due(struct db *d, int table, size_t block);
void db_fit(struct db *d);                                    /* shrink if it got sparse */

size_t db_overhead(const struct db *d);                       /* bytes of tables and headers */

#endif
