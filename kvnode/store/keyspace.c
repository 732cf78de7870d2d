/* Tables of chained objects. Two while moving from one size to the other: every change moves one
 * bucket, housekeeping moves more when there is time, so that no single command pays for growth. */
#include "kvnode/store/keyspace.h"
#include "kvnode/store/keyspace_inside.h"

#include "common/base/check.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "kvnode/store/watch.h"

#include <string.h>

#define TABLE_MIN 16

/* --- tables --- */

static void table_make(struct keytable *t, size_t size)
{
    t->size = size;
    t->used = 0;
    t->bucket = mem_zalloc(size * sizeof *t->bucket);
    t->due = mem_zalloc((size + DUE_BLOCK - 1) / DUE_BLOCK * sizeof *t->due);
}

static void table_drop(struct keytable *t)
{
    mem_free(t->bucket);
    mem_free(t->due);
    *t = (struct keytable){0};
}

static void table_free(struct keytable *t)
{
    for (size_t i = 0; i < t->size; i++)
        for (struct object *o = t->bucket[i], *next; o; o = next) {
            next = o->next;
            object_free(o);
        }
    table_drop(t);
}

static void note_due(struct keytable *t, size_t bucket, int64_t at_ms)
{
    int64_t *due = &t->due[bucket / DUE_BLOCK];

    if (*due == 0 || at_ms < *due)
        *due = at_ms;
}

static bool is_moving(const struct db *d) { return d->move_at != SIZE_MAX; }

static void put_in(struct keytable *t, struct object *o)
{
    size_t i = o->hash_low & (t->size - 1);

    o->next = t->bucket[i];
    t->bucket[i] = o;
    t->used++;
    if (o->flags & OBJF_DEADLINE)
        note_due(t, i, object_deadline(o));
}

/* Move one bucket that is not empty, looking at no more than `look` empty ones. */
static void move_step(struct db *d, size_t look)
{
    struct keytable *from = &d->t[0], *to = &d->t[1];
    struct object *o, *next;

    while (d->move_at < from->size && !from->bucket[d->move_at]) {
        d->move_at++;
        if (--look == 0)
            break;
    }
    if (d->move_at < from->size) {
        for (o = from->bucket[d->move_at]; o; o = next) {
            next = o->next;
            from->used--;
            put_in(to, o);
        }
        from->bucket[d->move_at++] = NULL;
    }
    if (d->move_at >= from->size) {
        CHECK(from->used == 0);
        table_drop(from);
        *from = *to;
        *to = (struct keytable){0};
        d->move_at = SIZE_MAX;
        d->sweep_at = 0;
    }
}

static void resize(struct db *d, size_t size)
{
    if (d->t[0].size == 0) {
        table_make(&d->t[0], size);
        return;
    }
    table_make(&d->t[1], size);
    d->move_at = 0;
}

static size_t size_for(size_t n)
{
    size_t size = TABLE_MIN;

    while (size < n)
        size *= 2;
    return size;
}

static void before_insert(struct db *d)
{
    if (is_moving(d)) {
        if (d->pause == 0)
            move_step(d, 16);
    } else if (d->t[0].used >= d->t[0].size && (d->pause == 0 || d->t[0].size == 0)) {
        resize(d, size_for(d->t[0].used * 2));
    }
}

void db_fit(struct db *d)
{
    if (d->pause > 0)
        return;
    if (is_moving(d))
        move_step(d, 16);
    else if (d->t[0].size > TABLE_MIN && d->t[0].used * 8 < d->t[0].size)
        resize(d, size_for(d->t[0].used * 2));
}

void db_expand(struct db *d, size_t want)
{
    if (d->t[0].used == 0 && !is_moving(d) && size_for(want) > d->t[0].size) {
        table_drop(&d->t[0]);
        table_make(&d->t[0], size_for(want));
    }
}

/* The place that points to the key's object. */
struct place {
    struct object **link;
    struct keytable *t;
    uint32_t hash;
};

uint32_t keyspace_hash(struct slice key) { return (uint32_t)hash_bytes(key.p, key.len); }

static struct object *find(struct db *d, struct slice key, uint32_t hash, struct place *at)
{
    for (int i = 0; i < 2; i++) {
        struct keytable *t = &d->t[i];

        if (t->size == 0)
            continue;
        for (struct object **link = &t->bucket[hash & (t->size - 1)]; *link; link = &(*link)->next) {
            struct object *o = *link;

            if (o->hash_low == hash && o->klen == key.len && memcmp(object_key(o).p, key.p, key.len) == 0) {
                if (at)
                    *at = (struct place){link, t, hash};
                return o;
            }
        }
        if (!is_moving(d))
            break;
    }
    return NULL;
}

static struct place place_of(struct db *d, struct object *o)
{
    for (int i = 0; i < 2; i++) {
        struct keytable *t = &d->t[i];

        if (t->size == 0)
            continue;
        for (struct object **link = &t->bucket[o->hash_low & (t->size - 1)]; *link; link = &(*link)->next)
            if (*link == o)
                return (struct place){link, t, o->hash_low};
    }
    CHECK(!"an object of this database");
    return (struct place){0};
}

static void insert(struct db *d, struct object *o)
{
    before_insert(d);
    o->used_s = (uint32_t)(d->ks->now_ms / 1000);
    put_in(is_moving(d) ? &d->t[1] : &d->t[0], o);
    if (o->flags & OBJF_DEADLINE)
        d->with_deadline++;
}

static void unlink_at(struct db *d, struct place at)
{
    struct object *o = *at.link;

    *at.link = o->next;
    at.t->used--;
    if (o->flags & OBJF_DEADLINE)
        d->with_deadline--;
}

/* --- whole keyspaces --- */

struct keyspace *keyspace_new(int ndbs)
{
    struct keyspace *ks = mem_zalloc(sizeof *ks);

    ks->ndbs = ndbs;
    ks->dbs = mem_zalloc((size_t)ndbs * sizeof *ks->dbs);
    ks->limits = (struct store_limits){.hash_entries = 512, .hash_value = 64};
    for (int i = 0; i < ndbs; i++)
        ks->dbs[i] = (struct db){.ks = ks, .index = i, .move_at = SIZE_MAX};
    return ks;
}

void keyspace_free(struct keyspace *ks)
{
    if (!ks)
        return;
    for (int i = 0; i < ks->ndbs; i++)
        for (int t = 0; t < 2; t++)
            table_free(&ks->dbs[i].t[t]);
    for (size_t i = 0; i < ks->ndead; i++)
        table_free(&ks->dead[i]);
    mem_free(ks->dead);
    mem_free(ks->dbs);
    mem_free(ks);
}

void db_exchange(struct db *a, struct db *b)
{
    struct db was_a = *a, was_b = *b;

    CHECK(a->pause == 0 && b->pause == 0);
    *a = was_b;
    a->ks = was_a.ks;
    a->index = was_a.index;
    *b = was_a;
    b->ks = was_b.ks;
    b->index = was_b.index;
}

void keyspace_swap(struct keyspace *a, struct keyspace *b)
{
    CHECK(a->ndbs == b->ndbs);
    if (a->watch)
        watch_tell(a->watch, WATCH_SWAPPED, -1, (struct slice){"", 0});
    for (int i = 0; i < a->ndbs; i++)
        db_exchange(&a->dbs[i], &b->dbs[i]);
}

size_t keyspace_count(const struct keyspace *ks)
{
    size_t n = 0;

    for (int i = 0; i < ks->ndbs; i++)
        n += db_count(&ks->dbs[i]);
    return n;
}

static bool free_some(struct keyspace *ks)
{
    struct keytable *t = &ks->dead[ks->ndead - 1];
    size_t end = ks->dead_at + DUE_BLOCK < t->size ? ks->dead_at + DUE_BLOCK : t->size;

    for (; ks->dead_at < end; ks->dead_at++)
        for (struct object *o = t->bucket[ks->dead_at], *next; o; o = next) {
            next = o->next;
            object_free(o);
        }
    if (ks->dead_at >= t->size) {
        table_drop(t);
        ks->ndead--;
        ks->dead_at = 0;
    }
    return ks->ndead > 0;
}

bool keyspace_housekeep(struct keyspace *ks, int64_t budget_us, int64_t (*clock_us)(void))
{
    int64_t end = 0;

    while (ks->ndead > 0) {
        if (end == 0)
            end = clock_us() + budget_us;
        else if (clock_us() > end)
            return true;
        free_some(ks);
    }
    for (int i = 0; i < ks->ndbs; i++) {
        struct db *d = &ks->dbs[i];

        while (is_moving(d) && d->pause == 0) {
            if (end == 0)
                end = clock_us() + budget_us;
            else if (clock_us() > end)
                return true;
            for (int k = 0; k < 128 && is_moving(d); k++)
                move_step(d, 64);
        }
    }
    return false;
}

void db_clear(struct db *d, bool later)
{
    struct keyspace *ks = d->ks;

    CHECK(d->pause == 0);
    for (int i = 0; i < 2; i++) {
        if (d->t[i].size == 0)
            continue;
        if (later && d->t[i].used > 0) {
            /* the one being freed stays last, so that its position stays true */
            ks->dead = mem_realloc(ks->dead, (ks->ndead + 1) * sizeof *ks->dead);
            memmove(ks->dead + 1, ks->dead, ks->ndead * sizeof *ks->dead);
            ks->dead[0] = d->t[i];
            ks->ndead++;
            d->t[i] = (struct keytable){0};
        } else {
            table_free(&d->t[i]);
        }
    }
    d->move_at = SIZE_MAX;
    d->with_deadline = 0;
    d->sweep_at = 0;
}

/* --- looking up --- */

bool db_is_expired(const struct db *d, const struct object *o)
{
    return (o->flags & OBJF_DEADLINE) && d->ks->now_ms > object_deadline(o);
}

static void drop_expired(struct db *d, struct place at)
{
    struct object *o = *at.link;

    unlink_at(d, at);
    d->ks->expired++;
    if (d->ks->watch)
        watch_tell(d->ks->watch, WATCH_EXPIRED, d->index, object_key(o));
    object_free(o);
}

/* What is there for the present mode. */
static struct object *visible(struct db *d, struct object *o, struct place at)
{
    if (!o || !(o->flags & OBJF_DEADLINE) || !db_is_expired(d, o) || d->ks->expired_keys == KEEP_EXPIRED)
        return o;
    if (d->ks->expired_keys == DROP_EXPIRED) {
        drop_expired(d, at);
        db_fit(d);
    }
    return NULL;
}

struct object *db_raw(struct db *d, struct slice key) { return find(d, key, keyspace_hash(key), NULL); }

struct object *db_peek(struct db *d, struct slice key)
{
    struct place at = {0};
    struct object *o = find(d, key, keyspace_hash(key), &at);

    return visible(d, o, at);
}

struct object *db_write(struct db *d, struct slice key)
{
    struct object *o = db_peek(d, key);

    if (o)
        o->used_s = (uint32_t)(d->ks->now_ms / 1000);
    return o;
}

struct object *db_read(struct db *d, struct slice key)
{
    struct object *o = db_look(d, key);

    if (o)
        o->used_s = (uint32_t)(d->ks->now_ms / 1000);
    return o;
}

struct object *db_look(struct db *d, struct slice key)
{
    struct object *o = db_peek(d, key);

    if (o)
        d->ks->hits++;
    else
        d->ks->misses++;
    return o;
}

uint32_t db_near(struct db *d, struct slice key)
{
    uint32_t hash = keyspace_hash(key);

    for (int i = 0; i < 2; i++)
        if (d->t[i].size > 0)
            __builtin_prefetch(&d->t[i].bucket[hash & (d->t[i].size - 1)]);
    return hash;
}

void db_nearer(struct db *d, uint32_t hash)
{
    for (int i = 0; i < 2; i++)
        if (d->t[i].size > 0) {
            const struct object *o = d->t[i].bucket[hash & (d->t[i].size - 1)];

            if (o)
                __builtin_prefetch(o, 1);
        }
}

/* --- setting --- */

static void clear_deadline(struct db *d, struct object *o)
{
    if (o->flags & OBJF_DEADLINE) {
        o->flags &= (uint8_t)~OBJF_DEADLINE;
        d->with_deadline--;
    }
}

struct object *keyspace_for_value(struct db *d, struct slice key, enum obj_type type, size_t inline_bytes, bool keep_deadline)
{
    struct place at = {0};
    uint32_t hash = keyspace_hash(key);
    struct object *o = find(d, key, hash, &at);
    struct object *n;

    o = visible(d, o, at);
    if (!o && d->ks->expired_keys == HIDE_EXPIRED)
        o = find(d, key, hash, &at);
    if (!o) {
        n = object_new(key, hash, type, false, inline_bytes);
        insert(d, n);
        return n;
    }
    if (!keep_deadline)
        clear_deadline(d, o);
    if (inline_bytes == 0 || (object_inline_room(o) >= inline_bytes && object_inline_room(o) <= inline_bytes * 2 + 32)) {
        object_free_value(o);
        o->type = (uint8_t)type;
        o->flags &= (uint8_t)~OBJF_EDITED;
        o->used_s = (uint32_t)(d->ks->now_ms / 1000);
        return o;
    }
    n = object_new(key, hash, type, o->flags & OBJF_DEADLINE, inline_bytes);
    if (o->flags & OBJF_DEADLINE) {
        memcpy(n->tail, o->tail, sizeof(int64_t));
        n->flags |= OBJF_DEADLINE;
    }
    n->used_s = (uint32_t)(d->ks->now_ms / 1000);
    n->next = o->next;
    *at.link = n;
    object_free(o);
    return n;
}

void keyspace_put(struct db *d, struct object *o)
{
    db_delete(d, object_key(o));
    insert(d, o);
}

/* A copy of o's body under another key or with a deadline slot; takes the value out of o. */
static struct object *remake(struct object *o, struct slice key, uint32_t hash, bool slot)
{
    size_t len = o->enc == ENC_INLINE ? o->v.len : 0;
    struct object *n = object_new(key, hash, o->type, slot, len);
    int64_t at = object_deadline(o);

    n->enc = o->enc;
    n->v = o->v;
    n->used_s = o->used_s;
    n->flags |= o->flags & OBJF_EDITED;
    if (at != NEVER_MS && slot) {
        memcpy(n->tail, &at, sizeof at);
        n->flags |= OBJF_DEADLINE;
    }
    if (len > 0)
        memcpy(object_inline(n), object_inline(o), len);
    o->enc = ENC_INT;
    return n;
}

struct object *db_move(struct db *from, struct object *o, struct db *to, struct slice key)
{
    struct object *n;

    unlink_at(from, place_of(from, o));
    n = remake(o, key, keyspace_hash(key), o->flags & OBJF_DEADLINE);
    object_free(o);
    db_delete(to, key);
    insert(to, n);
    if (from != to)
        db_fit(from);
    return n;
}

bool db_delete(struct db *d, struct slice key)
{
    struct place at;
    struct object *o = find(d, key, keyspace_hash(key), &at);

    if (!o)
        return false;
    unlink_at(d, at);
    object_free(o);
    db_fit(d);
    return true;
}

void db_remove(struct db *d, struct object *o)
{
    unlink_at(d, place_of(d, o));
    object_free(o);
    db_fit(d);
}

struct object *db_set_deadline(struct db *d, struct object *o, int64_t at_ms)
{
    struct place at;

    if (at_ms == NEVER_MS) {
        clear_deadline(d, o);
        return o;
    }
    if (at_ms < 1)
        at_ms = 1;
    at = place_of(d, o);
    if (!(o->flags & OBJF_SLOT)) {
        struct object *n = remake(o, object_key(o), o->hash_low, true);

        n->next = o->next;
        *at.link = n;
        object_free(o);
        o = n;
    }
    if (!(o->flags & OBJF_DEADLINE))
        d->with_deadline++;
    memcpy(o->tail, &at_ms, sizeof at_ms);
    o->flags |= OBJF_DEADLINE;
    note_due(at.t, o->hash_low & (at.t->size - 1), at_ms);
    return o;
}

size_t db_drop_due(struct db *d, int table, size_t block)
{
    struct keytable *t = &d->t[table];
    size_t first = block * DUE_BLOCK, n = 0;
    size_t end = first + DUE_BLOCK < t->size ? first + DUE_BLOCK : t->size;
    int64_t least = 0;

    d->pause++;
    for (size_t i = first; i < end; i++) {
        struct object **link = &t->bucket[i];

        while (*link) {
            struct object *o = *link;
            int64_t at = object_deadline(o);

            if (db_is_expired(d, o)) {
                drop_expired(d, (struct place){link, t, o->hash_low});
                n++;
                continue;
            }
            if (at != NEVER_MS && (least == 0 || at < least))
                least = at;
            link = &o->next;
        }
    }
    t->due[block] = least;
    d->pause--;
    return n;
}

/* --- all of them, some of them --- */

/* Any object, all with the same chance: a bucket and a place in it are drawn until there is one. Places
 * beyond the eighth share the eighth's chance; such chains are rare. */
static struct object *pick_one(struct db *d, struct rng *r)
{
    size_t both = d->t[0].size + d->t[1].size;

    for (;;) {
        uint64_t draw = rng_below(r, both * 8), place = draw % 8;
        size_t i = draw / 8;
        struct object *o = i < d->t[0].size ? d->t[0].bucket[i] : d->t[1].bucket[i - d->t[0].size];

        while (o && place > 0) {
            o = o->next;
            place--;
        }
        if (o)
            return o;
    }
}

struct object *db_random(struct db *d, struct rng *r)
{
    if (db_count(d) == 0)
        return NULL;
    for (int tries = 0; tries < 100; tries++) {
        struct object *pick = pick_one(d, r);

        if (!db_is_expired(d, pick) || d->ks->expired_keys == KEEP_EXPIRED)
            return pick;
        if (d->ks->expired_keys == DROP_EXPIRED) {
            drop_expired(d, place_of(d, pick));
            if (db_count(d) == 0)
                return NULL;
        }
    }
    return NULL;
}

static uint64_t reversed(uint64_t v)
{
    v = __builtin_bswap64(v);
    v = ((v >> 4) & 0x0F0F0F0F0F0F0F0Full) | ((v & 0x0F0F0F0F0F0F0F0Full) << 4);
    v = ((v >> 2) & 0x3333333333333333ull) | ((v & 0x3333333333333333ull) << 2);
    return ((v >> 1) & 0x5555555555555555ull) | ((v & 0x5555555555555555ull) << 1);
}

/* Counting with the bits in reverse order: the buckets into which one bucket splits when the table
 * grows come one after the other, so a cursor means the same in every size. */
static uint64_t next_cursor(uint64_t cursor, uint64_t mask)
{
    cursor |= ~mask;
    return reversed(reversed(cursor) + 1);
}

static void scan_bucket(struct object *o, void (*each)(void *, struct object *), void *arg)
{
    for (struct object *next; o; o = next) {
        next = o->next;
        each(arg, o);
    }
}

uint64_t db_scan(struct db *d, uint64_t cursor, void (*each)(void *arg, struct object *o), void *arg)
{
    struct keytable *small = &d->t[0], *large = &d->t[1];

    if (db_count(d) == 0)
        return 0;
    d->pause++;
    if (!is_moving(d)) {
        scan_bucket(small->bucket[cursor & (small->size - 1)], each, arg);
        cursor = next_cursor(cursor, small->size - 1);
    } else {
        if (small->size > large->size) {
            struct keytable *t = small;
            small = large;
            large = t;
        }
        scan_bucket(small->bucket[cursor & (small->size - 1)], each, arg);
        do {
            scan_bucket(large->bucket[cursor & (large->size - 1)], each, arg);
            cursor = next_cursor(cursor, large->size - 1);
        } while (cursor & ((large->size - 1) ^ (small->size - 1)));
    }
    d->pause--;
    return cursor;
}

void db_iter_init(struct db_iter *it, struct db *d)
{
    *it = (struct db_iter){.d = d};
    d->pause++;
}

struct object *db_iter_next(struct db_iter *it)
{
    struct object *o;

    while (!it->next) {
        if (it->table > 1)
            return NULL;
        if (it->bucket >= it->d->t[it->table].size) {
            it->table++;
            it->bucket = 0;
            continue;
        }
        it->next = it->d->t[it->table].bucket[it->bucket++];
    }
    o = it->next;
    it->next = o->next;
    return o;
}

void db_iter_fini(struct db_iter *it) { it->d->pause--; }

int64_t db_avg_ttl_ms(struct db *d, struct rng *r)
{
    int64_t sum = 0, n = 0;

    if (d->with_deadline == 0)
        return 0;
    for (int t = 0; t < 2; t++) {
        struct keytable *k = &d->t[t];
        size_t at = k->size ? rng_below(r, k->size) : 0;

        for (size_t looked = 0; looked < k->size && looked < 1024 && n < 64; looked++)
            for (struct object *o = k->bucket[(at + looked) & (k->size - 1)]; o; o = o->next)
                if ((o->flags & OBJF_DEADLINE) && !db_is_expired(d, o)) {
                    sum += object_deadline(o) - d->ks->now_ms;
                    n++;
                }
    }
    return n ? sum / n : 0;
}

size_t db_overhead(const struct db *d)
{
    return (d->t[0].size + d->t[1].size) * sizeof(struct object *) + db_count(d) * sizeof(struct object);
}
