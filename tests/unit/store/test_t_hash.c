#include "common/base/mem.h"
#include "common/base/rng.h"
#include "kvnode/ds/listpack.h"
#include "kvnode/store/t_hash.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

static struct slice z(const char *s) { return (struct slice){s, strlen(s)}; }

static void expect(const struct object *o, const char *field, const char *value)
{
    char num[NUM_I64_MAX];
    struct slice v;

    ck_assert(hash_get(o, z(field), &v, num));
    ck_assert(slice_is(v, value));
}

START_TEST(test_packed_then_dict)
{
    struct keyspace *ks = keyspace_new(1);
    struct object *o = db_set_hash(keyspace_db(ks, 0), z("h"));
    struct store_limits lim = {.hash_entries = 3, .hash_value = 8};

    ck_assert(hash_set(o, &lim, z("a"), z("1")));
    ck_assert(!hash_set(o, &lim, z("a"), z("2")));
    ck_assert(hash_set(o, &lim, z("b"), z("")));
    ck_assert(hash_set(o, &lim, z("7"), z("12345678")));
    ck_assert_int_eq(o->enc, ENC_LISTPACK);
    expect(o, "a", "2");
    expect(o, "7", "12345678");
    ck_assert(hash_set(o, &lim, z("d"), z("x")));          /* the fourth */
    ck_assert_int_eq(o->enc, ENC_DICT);
    expect(o, "a", "2");
    expect(o, "b", "");
    ck_assert(!hash_set(o, &lim, z("a"), z("longer than before")));
    expect(o, "a", "longer than before");
    ck_assert(hash_del(o, z("a")));
    ck_assert(!hash_del(o, z("a")));
    ck_assert(!hash_has(o, z("a")));
    ck_assert_uint_eq(hash_len(o), 3);
    o = db_set_hash(keyspace_db(ks, 0), z("long"));
    hash_set(o, &lim, z("f"), z("123456789"));             /* a value beyond the limit */
    ck_assert_int_eq(o->enc, ENC_DICT);
    keyspace_free(ks);
}
END_TEST

static void count_items(void *arg, const struct hash_item *item)
{
    (void)item;
    (*(size_t *)arg)++;
}

START_TEST(test_walking_scanning_picking)
{
    struct keyspace *ks = keyspace_new(1);
    struct rng r;

    rng_seed(&r, 1);
    for (int n = 1; n < 2000; n = n * 3 + 1) {
        struct object *o = db_set_hash(keyspace_db(ks, 0), z("h"));
        struct hash_iter it;
        struct hash_item item;
        size_t seen = 0, scanned = 0;
        uint64_t cursor = 0;
        char f[16], v[16];

        for (int i = 0; i < n; i++) {
            snprintf(f, sizeof f, "%d", i);
            snprintf(v, sizeof v, "v%d", i);
            hash_set(o, &ks->limits, z(f), z(v));
        }
        hash_iter_init(&it, o);
        while (hash_iter_next(&it, &item)) {
            ck_assert_uint_eq(item.value.len, item.field.len + 1);
            ck_assert(memcmp(item.value.p + 1, item.field.p, item.field.len) == 0);
            seen++;
        }
        ck_assert_uint_eq(seen, n);
        do
            cursor = hash_scan(o, cursor, count_items, &scanned);
        while (cursor != 0);
        ck_assert_uint_eq(scanned, n);
        for (int i = 0; i < 50; i++) {
            hash_random(o, &r, &item);
            ck_assert(hash_has(o, item.field));
        }
    }
    keyspace_free(ks);
}
END_TEST

START_TEST(test_adopt_a_listpack)
{
    struct keyspace *ks = keyspace_new(1);
    unsigned char *lp = lp_new(0);
    struct object *o = db_set_hash(keyspace_db(ks, 0), z("h"));
    struct store_limits small = {.hash_entries = 1, .hash_value = 64};
    size_t len;

    lp = lp_append(lp, z("a"));
    lp = lp_append(lp, z("1"));
    lp = lp_append(lp, z("b"));
    lp = lp_append(lp, z("2"));
    hash_adopt_listpack(o, &ks->limits, lp);
    ck_assert_ptr_nonnull(hash_listpack(o, &len));
    expect(o, "b", "2");
    lp = mem_dup(hash_listpack(o, &len), len);
    o = db_set_hash(keyspace_db(ks, 0), z("h2"));
    hash_adopt_listpack(o, &small, lp);
    ck_assert_ptr_null(hash_listpack(o, &len));
    expect(o, "a", "1");
    keyspace_free(ks);
}
END_TEST

SUITE(t_hash, test_packed_then_dict, test_walking_scanning_picking, test_adopt_a_listpack)
