/* Chained hash table in two halves: while it changes size, t[0] is the old table, whose
 * buckets below move_at are empty already, and t[1] the new one, which takes all new
 * entries. Only the low 32 bits of a hash are used and kept, so moving never reads keys. */
#include "common/base/dict.h"

#include "common/base/check.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/rng.h"

#include <string.h>

#define FIRST_SIZE 4
#define SPARSE     8            /* shrink when fewer than one bucket in this many is in use */
#define EMPTY_VISITS 10         /* empty buckets passed per bucket to move */
#define SIZE_LIMIT ((size_t)1 << 32)

static bool moving(const struct dict *d)
{
    return d->move_at != SIZE_MAX;
}

static uint32_t hash_of(const void *key, size_t len)
{
    return (uint32_t)hash_bytes(key, len);
}

static size_t size_for(size_t want)
{
    size_t size = FIRST_SIZE;

    while (size < want && size < SIZE_LIMIT)
        size *= 2;
    return size;
}

static struct dict_table table_of(size_t size)
{
    return (struct dict_table){mem_zalloc(size * sizeof(struct dict_entry *)), size, 0};
}

void dict_init(struct dict *d)
{
    *d = (struct dict){.move_at = SIZE_MAX};
}

static void table_free(struct dict_table *t, void (*free_value)(void *v))
{
    for (size_t i = 0; i < t->size && t->used > 0; i++) {
        struct dict_entry *e = t->bucket[i], *next;

        for (; e; e = next) {
            next = e->next;
            if (free_value)
                free_value(e->v.p);
            mem_free(e);
            t->used--;
        }
    }
    mem_free(t->bucket);
    *t = (struct dict_table){0};
}

void dict_clear(struct dict *d, void (*free_value)(void *v))
{
    CHECK(d->pause == 0);
    table_free(&d->t[0], free_value);
    table_free(&d->t[1], free_value);
    d->move_at = SIZE_MAX;
}

void dict_fini(struct dict *d, void (*free_value)(void *v))
{
    dict_clear(d, free_value);
}

void dict_swap(struct dict *a, struct dict *b)
{
    struct dict t = *a;

    CHECK(a->pause == 0 && b->pause == 0);
    *a = *b;
    *b = t;
}

size_t dict_buckets(const struct dict *d)
{
    return d->t[0].size + d->t[1].size;
}

size_t dict_overhead(const struct dict *d)
{
    return dict_buckets(d) * sizeof(struct dict_entry *) + dict_count(d) * sizeof(struct dict_entry);
}

/* ---- changing size ---- */

static void bucket_move(struct dict *d, size_t i)
{
    struct dict_entry *e = d->t[0].bucket[i], *next;

    for (; e; e = next) {
        struct dict_entry **head = &d->t[1].bucket[e->hash_low & (d->t[1].size - 1)];

        next = e->next;
        e->next = *head;
        *head = e;
        d->t[0].used--;
        d->t[1].used++;
    }
    d->t[0].bucket[i] = NULL;
}

static void move_done(struct dict *d)
{
    mem_free(d->t[0].bucket);
    d->t[0] = d->t[1];
    d->t[1] = (struct dict_table){0};
    d->move_at = SIZE_MAX;
}

bool dict_move(struct dict *d, size_t n)
{
    size_t empty = n * EMPTY_VISITS;

    if (!moving(d))
        return false;
    if (d->pause > 0)
        return true;
    while (n > 0 && d->t[0].used > 0) {
        while (!d->t[0].bucket[d->move_at]) {
            d->move_at++;
            if (--empty == 0)
                return true;
        }
        bucket_move(d, d->move_at++);
        n--;
    }
    if (d->t[0].used > 0)
        return true;
    move_done(d);
    return false;
}

static void resize_begin(struct dict *d, size_t size)
{
    if (size == d->t[0].size)
        return;
    if (d->t[0].used == 0) {
        mem_free(d->t[0].bucket);
        d->t[0] = table_of(size);
        return;
    }
    d->t[1] = table_of(size);
    d->move_at = 0;
}

static void resize_if_due(struct dict *d)
{
    const struct dict_table *t = &d->t[0];

    if (moving(d) || d->pause > 0)
        return;
    if (t->used >= t->size && t->size < SIZE_LIMIT)
        resize_begin(d, size_for(t->used + 1));
    else if (t->size > FIRST_SIZE && t->used < t->size / SPARSE)
        resize_begin(d, size_for(t->used + 1));
}

void dict_expand(struct dict *d, size_t want)
{
    size_t size = size_for(want);

    CHECK(d->pause == 0);
    while (dict_move(d, 1024))
        ;
    if (size <= d->t[0].size)
        return;
    resize_begin(d, size);
    while (dict_move(d, 1024))
        ;
}

/* ---- entries ---- */

static struct dict_entry **link_to(struct dict_table *t, uint32_t h, const void *key, size_t len)
{
    struct dict_entry **at;

    if (t->size == 0)
        return NULL;
    for (at = &t->bucket[h & (t->size - 1)]; *at; at = &(*at)->next)
        if ((*at)->hash_low == h && (*at)->klen == len && (len == 0 || memcmp((*at)->key, key, len) == 0))
            return at;
    return NULL;
}

static struct dict_entry *find_hashed(const struct dict *d, uint32_t h, const void *key, size_t len)
{
    struct dict_entry **at = link_to((struct dict_table *)&d->t[0], h, key, len);

    if (!at && moving(d))
        at = link_to((struct dict_table *)&d->t[1], h, key, len);
    return at ? *at : NULL;
}

struct dict_entry *dict_find(const struct dict *d, const void *key, size_t len)
{
    return dict_count(d) ? find_hashed(d, hash_of(key, len), key, len) : NULL;
}

void *dict_get(const struct dict *d, const void *key, size_t len)
{
    struct dict_entry *e = dict_find(d, key, len);

    return e ? e->v.p : NULL;
}

struct dict_entry *dict_put(struct dict *d, const void *key, size_t len, bool *is_new)
{
    uint32_t h = hash_of(key, len);
    struct dict_entry *e, **head;
    struct dict_table *t;

    CHECK(len <= UINT32_MAX);
    dict_move(d, 1);
    e = find_hashed(d, h, key, len);
    if (is_new)
        *is_new = !e;
    if (e)
        return e;
    if (d->t[0].size == 0)
        d->t[0] = table_of(FIRST_SIZE);
    resize_if_due(d);
    t = &d->t[moving(d)];
    e = mem_alloc(sizeof *e + len + 1);
    head = &t->bucket[h & (t->size - 1)];
    e->next = *head;
    e->v.u = 0;
    e->hash_low = h;
    e->klen = (uint32_t)len;
    if (len)
        memcpy(e->key, key, len);
    e->key[len] = '\0';
    *head = e;
    t->used++;
    return e;
}

bool dict_del(struct dict *d, const void *key, size_t len, void **old)
{
    uint32_t h = hash_of(key, len);

    dict_move(d, 1);
    for (int i = 0; i < 2; i++) {
        struct dict_entry **at = link_to(&d->t[i], h, key, len), *e;

        if (!at)
            continue;
        e = *at;
        *at = e->next;
        d->t[i].used--;
        if (old)
            *old = e->v.p;
        mem_free(e);
        resize_if_due(d);
        return true;
    }
    return false;
}

/* ---- picking one ---- */

static struct dict_entry *bucket_at(const struct dict *d, size_t i)
{
    return i < d->t[0].size ? d->t[0].bucket[i] : d->t[1].bucket[i - d->t[0].size];
}

struct dict_entry *dict_random(struct dict *d, struct rng *r)
{
    size_t first = moving(d) ? d->move_at : 0, all = dict_buckets(d), tries = 16, n = 0, i;
    struct dict_entry *e = NULL;

    if (dict_count(d) == 0)
        return NULL;
    dict_move(d, 1);
    first = moving(d) ? d->move_at : 0;
    all = dict_buckets(d);
    tries += 8 * (all / dict_count(d));
    do {
        i = first + rng_below(r, all - first);
        e = bucket_at(d, i);
    } while (!e && --tries > 0);
    while (!e) {                              /* a table made large in advance: take the next one there is */
        i = i + 1 < all ? i + 1 : first;
        e = bucket_at(d, i);
    }
    for (struct dict_entry *x = e; x; x = x->next)
        n++;
    for (n = rng_below(r, n); n > 0; n--)
        e = e->next;
    return e;
}

/* ---- all of them ---- */

void dict_iter_init(struct dict_iter *it, struct dict *d)
{
    *it = (struct dict_iter){.d = d};
    d->pause++;
}

struct dict_entry *dict_iter_next(struct dict_iter *it)
{
    struct dict_entry *e = it->next;

    while (!e) {
        if (it->bucket >= it->d->t[it->table].size) {
            if (it->table == 1)
                return NULL;
            it->table = 1;
            it->bucket = 0;
            continue;
        }
        e = it->d->t[it->table].bucket[it->bucket++];
    }
    it->next = e->next;
    return e;
}

void dict_iter_fini(struct dict_iter *it)
{
    CHECK(it->d->pause > 0);
    it->d->pause--;
    it->next = NULL;
    it->table = 1;
    it->bucket = SIZE_MAX;
}

static uint64_t reversed(uint64_t v)
{
    v = (v >> 1 & 0x5555555555555555u) | (v & 0x5555555555555555u) << 1;
    v = (v >> 2 & 0x3333333333333333u) | (v & 0x3333333333333333u) << 2;
    v = (v >> 4 & 0x0f0f0f0f0f0f0f0fu) | (v & 0x0f0f0f0f0f0f0f0fu) << 4;
    return __builtin_bswap64(v);
}

static void bucket_each(const struct dict_table *t, uint64_t i, void (*each)(void *, struct dict_entry *), void *arg)
{
    for (struct dict_entry *e = t->bucket[i], *next; e; e = next) {
        next = e->next;
        each(arg, e);
    }
}

/* Counts with the highest bit of the mask as the lowest digit. A bucket of a small table is
 * then split into neighbours of a larger one, and everything before the cursor stays
 * before it, whichever way the table changes size between two calls. */
static uint64_t cursor_next(uint64_t cursor, uint64_t mask)
{
    return reversed(reversed(cursor | ~mask) + 1);
}

uint64_t dict_scan(struct dict *d, uint64_t cursor, void (*each)(void *arg, struct dict_entry *e), void *arg)
{
    const struct dict_table *small = &d->t[0], *large = &d->t[1];

    if (dict_count(d) == 0)
        return 0;
    d->pause++;
    if (!moving(d)) {
        bucket_each(small, cursor & (small->size - 1), each, arg);
        cursor = cursor_next(cursor, small->size - 1);
    } else {
        if (small->size > large->size) {
            small = &d->t[1];
            large = &d->t[0];
        }
        bucket_each(small, cursor & (small->size - 1), each, arg);
        do {                                   /* all buckets of the large one that belong to this small one */
            bucket_each(large, cursor & (large->size - 1), each, arg);
            cursor = cursor_next(cursor, large->size - 1);
        } while (cursor & ((small->size - 1) ^ (large->size - 1)));
    }
    d->pause--;
    return cursor;
}
