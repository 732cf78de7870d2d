/* Hashes in two forms: a listpack field, value, field, value, ... and a dict from field to blob.
 * A hash goes from the first to the second when it passes a limit, never back. */
#include "kvnode/store/t_hash.h"

#include "common/base/check.h"
#include "common/base/dict.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "kvnode/ds/listpack.h"

#include <string.h>

#define PACKED_BYTES_MAX (1u << 20)      /* a listpack does not grow beyond this, whatever the limits say */

static bool is_packed(const struct object *o)
{
    CHECK(o->type == OBJ_HASH);
    return o->enc == ENC_LISTPACK;
}

static struct slice entry_key(const struct dict_entry *e) { return (struct slice){e->key, e->klen}; }

static struct slice blob_view(const void *p)
{
    const struct blob *b = p;

    return (struct slice){b->p, b->len};
}

size_t hash_len(const struct object *o)
{
    return is_packed(o) ? lp_count(o->v.lp) / 2 : dict_count(o->v.dict);
}

bool hash_get(const struct object *o, struct slice field, struct slice *value, char num[NUM_I64_MAX])
{
    if (is_packed(o)) {
        unsigned char *f = lp_find(o->v.lp, lp_first(o->v.lp), field, 1);

        if (!f)
            return false;
        *value = lp_get(lp_next(o->v.lp, f), num);
        return true;
    }
    const struct blob *b = dict_get(o->v.dict, field.p, field.len);
    if (!b)
        return false;
    *value = blob_view(b);
    return true;
}

bool hash_has(const struct object *o, struct slice field)
{
    if (is_packed(o))
        return lp_find(o->v.lp, lp_first(o->v.lp), field, 1) != NULL;
    return dict_find(o->v.dict, field.p, field.len) != NULL;
}

static void to_dict(struct object *o, size_t expect)
{
    unsigned char *lp = o->v.lp;
    struct dict *d = mem_alloc(sizeof *d);
    char fnum[NUM_I64_MAX], vnum[NUM_I64_MAX];

    dict_init(d);
    dict_expand(d, expect > lp_count(lp) / 2 ? expect : lp_count(lp) / 2);
    for (unsigned char *p = lp_first(lp); p;) {
        struct slice f = lp_get(p, fnum);
        bool is_new;

        p = lp_next(lp, p);
        CHECK(p != NULL);
        struct dict_entry *e = dict_put(d, f.p, f.len, &is_new);
        if (!is_new)
            mem_free(e->v.p);
        e->v.p = blob_new(lp_get(p, vnum));
        p = lp_next(lp, p);
    }
    mem_free(lp);
    o->enc = ENC_DICT;
    o->v.dict = d;
}

static bool dict_set(struct dict *d, struct slice field, struct slice value)
{
    bool is_new;
    struct dict_entry *e = dict_put(d, field.p, field.len, &is_new);
    struct blob *b = e->v.p;

    if (b && b->len == value.len) {
        memcpy(b->p, value.p, value.len);
        return is_new;
    }
    e->v.p = blob_new(value);
    mem_free(b);
    return is_new;
}

bool hash_set(struct object *o, const struct store_limits *lim, struct slice field, struct slice value)
{
    unsigned char *at;

    if (is_packed(o)) {
        if ((int64_t)field.len > lim->hash_value || (int64_t)value.len > lim->hash_value ||
            lp_bytes(o->v.lp) + field.len + value.len > PACKED_BYTES_MAX)
            to_dict(o, 0);
    }
    if (!is_packed(o))
        return dict_set(o->v.dict, field, value);
    at = lp_find(o->v.lp, lp_first(o->v.lp), field, 1);
    if (at) {
        at = lp_next(o->v.lp, at);
        o->v.lp = lp_replace(o->v.lp, &at, value);
        return false;
    }
    o->v.lp = lp_append(o->v.lp, field);
    o->v.lp = lp_append(o->v.lp, value);
    if ((int64_t)hash_len(o) > lim->hash_entries)
        to_dict(o, 0);
    return true;
}

bool hash_del(struct object *o, struct slice field)
{
    void *old;

    if (is_packed(o)) {
        unsigned char *at = lp_find(o->v.lp, lp_first(o->v.lp), field, 1);

        if (!at)
            return false;
        o->v.lp = lp_delete(o->v.lp, &at, 2);
        return true;
    }
    if (!dict_del(o->v.dict, field.p, field.len, &old))
        return false;
    mem_free(old);
    return true;
}

/* --- all of them --- */

void hash_iter_init(struct hash_iter *it, const struct object *o)
{
    *it = (struct hash_iter){.o = o};
    if (is_packed(o))
        it->at = lp_first(o->v.lp);
}

/* The dict's own iterator would have to be closed; walking the buckets by hand needs no closing,
 * and nothing moves while nobody changes the hash. */
static struct dict_entry *dict_walk(struct hash_iter *it)
{
    const struct dict *d = it->o->v.dict;
    struct dict_entry *e;

    while (!it->next) {
        if (it->table > 1)
            return NULL;
        if (it->bucket >= d->t[it->table].size) {
            it->table++;
            it->bucket = 0;
            continue;
        }
        it->next = d->t[it->table].bucket[it->bucket++];
    }
    e = it->next;
    it->next = e->next;
    return e;
}

bool hash_iter_next(struct hash_iter *it, struct hash_item *item)
{
    if (is_packed(it->o)) {
        const unsigned char *lp = it->o->v.lp;

        if (!it->at)
            return false;
        item->field = lp_get(it->at, item->fnum);
        it->at = lp_next(lp, it->at);
        CHECK(it->at != NULL);
        item->value = lp_get(it->at, item->vnum);
        it->at = lp_next(lp, it->at);
        return true;
    }
    struct dict_entry *e = dict_walk(it);
    if (!e)
        return false;
    item->field = entry_key(e);
    item->value = blob_view(e->v.p);
    return true;
}

/* All fields with the same chance, as the keyspace does it for keys. */
static struct dict_entry *pick_one(const struct dict *d, struct rng *r)
{
    size_t both = d->t[0].size + d->t[1].size;

    CHECK(dict_count(d) > 0);
    for (;;) {
        uint64_t draw = rng_below(r, both * 8), place = draw % 8;
        size_t i = draw / 8;
        struct dict_entry *e = i < d->t[0].size ? d->t[0].bucket[i] : d->t[1].bucket[i - d->t[0].size];

        while (e && place > 0) {
            e = e->next;
            place--;
        }
        if (e)
            return e;
    }
}

void hash_random(const struct object *o, struct rng *r, struct hash_item *item)
{
    if (is_packed(o)) {
        size_t n = hash_len(o);
        unsigned char *p;

        CHECK(n > 0);
        p = lp_at(o->v.lp, rng_below(r, n) * 2);
        item->field = lp_get(p, item->fnum);
        item->value = lp_get(lp_next(o->v.lp, p), item->vnum);
        return;
    }
    struct dict_entry *e = pick_one(o->v.dict, r);
    item->field = entry_key(e);
    item->value = blob_view(e->v.p);
}

struct scan_arg {
    void (*each)(void *arg, const struct hash_item *item);
    void *arg;
};

static void scan_entry(void *arg, struct dict_entry *e)
{
    struct scan_arg *a = arg;
    struct hash_item item;

    item.field = entry_key(e);
    item.value = blob_view(e->v.p);
    a->each(a->arg, &item);
}

uint64_t hash_scan(struct object *o, uint64_t cursor, void (*each)(void *arg, const struct hash_item *item), void *arg)
{
    struct scan_arg a = {each, arg};

    if (is_packed(o)) {
        struct hash_iter it;
        struct hash_item item;

        hash_iter_init(&it, o);
        while (hash_iter_next(&it, &item))
            each(arg, &item);
        return 0;
    }
    return dict_scan(o->v.dict, cursor, scan_entry, &a);
}

/* --- loading --- */

void hash_adopt_listpack(struct object *o, const struct store_limits *lim, unsigned char *lp)
{
    char num[NUM_I64_MAX];
    bool beyond = (int64_t)lp_count(lp) / 2 > lim->hash_entries || lp_bytes(lp) > PACKED_BYTES_MAX;

    CHECK(is_packed(o) && hash_len(o) == 0);
    mem_free(o->v.lp);
    o->v.lp = lp;
    for (unsigned char *p = lp_first(lp); p && !beyond; p = lp_next(lp, p))
        beyond = (int64_t)lp_get(p, num).len > lim->hash_value;
    if (beyond)
        to_dict(o, 0);
}

const unsigned char *hash_listpack(const struct object *o, size_t *len)
{
    if (!is_packed(o))
        return NULL;
    *len = lp_bytes(o->v.lp);
    return o->v.lp;
}

void hash_expect(struct object *o, const struct store_limits *lim, size_t n)
{
    if (is_packed(o) && (int64_t)n > lim->hash_entries)
        to_dict(o, n);
    else if (!is_packed(o))
        dict_expand(o->v.dict, n);
}
