/* The dict: contents, growth a little at a time, iteration and scans that see everything. */
#include "common/base/dict.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

static size_t key_of(char out[32], unsigned i)
{
    return (size_t)snprintf(out, 32, "key:%u", i);
}

static void fill(struct dict *d, unsigned from, unsigned to)
{
    char key[32];

    for (unsigned i = from; i < to; i++) {
        size_t n = key_of(key, i);

        dict_put(d, key, n, NULL)->v.u = i;
    }
}

START_TEST(test_put_get_del)
{
    struct dict d;
    bool is_new;
    void *old = &d;
    struct dict_entry *e;

    dict_init(&d);
    ck_assert_ptr_null(dict_find(&d, "a", 1));
    ck_assert(!dict_del(&d, "a", 1, &old) && old == &d);
    e = dict_put(&d, "a", 1, &is_new);
    ck_assert(is_new && e->v.p == NULL && e->klen == 1 && strcmp(e->key, "a") == 0);
    e->v.u = 5;
    ck_assert_ptr_eq(dict_put(&d, "a", 1, &is_new), e);
    ck_assert(!is_new);
    ck_assert_ptr_eq(dict_get(&d, "a", 1), (void *)5);
    dict_put(&d, "", 0, NULL)->v.u = 6;
    dict_put(&d, "a\0b", 3, NULL)->v.u = 7;
    ck_assert_uint_eq(dict_count(&d), 3);
    ck_assert_ptr_eq(dict_get(&d, "", 0), (void *)6);
    ck_assert_ptr_eq(dict_get(&d, "a\0b", 3), (void *)7);
    ck_assert(dict_del(&d, "a", 1, &old) && old == (void *)5);
    ck_assert_uint_eq(dict_count(&d), 2);
    dict_fini(&d, NULL);
    ck_assert_uint_eq(dict_count(&d), 0);
}
END_TEST

START_TEST(test_against_a_flat_table)
{
    static uint64_t flat[3000];
    struct dict d;
    struct rng r;
    size_t count = 0;
    char key[32];

    dict_init(&d);
    rng_seed(&r, 11);
    for (int turn = 0; turn < 200000; turn++) {
        unsigned i = (unsigned)rng_below(&r, 3000);
        size_t n = key_of(key, i);
        bool adding = turn / 20000 % 2 == 0 ? rng_chance(&r, 800) : rng_chance(&r, 100);

        if (adding) {
            bool is_new;

            dict_put(&d, key, n, &is_new)->v.u = (uint64_t)turn + 1;
            if (is_new != (flat[i] == 0))
                ck_abort_msg("turn %d: put of key %u", turn, i);
            count += is_new;
            flat[i] = (uint64_t)turn + 1;
        } else {
            void *old = NULL;
            bool was = dict_del(&d, key, n, &old);

            if (was != (flat[i] != 0) || (was && (uint64_t)(uintptr_t)old != flat[i]))
                ck_abort_msg("turn %d: deletion of key %u", turn, i);
            count -= was;
            flat[i] = 0;
        }
        if (dict_count(&d) != count)
            ck_abort_msg("turn %d: %zu entries, not %zu", turn, dict_count(&d), count);
    }
    for (unsigned i = 0; i < 3000; i++) {
        struct dict_entry *e = dict_find(&d, key, key_of(key, i));

        ck_assert((e != NULL) == (flat[i] != 0));
        if (e)
            ck_assert_uint_eq(e->v.u, flat[i]);
    }
    dict_fini(&d, NULL);
}
END_TEST

START_TEST(test_grows_and_shrinks_in_steps)
{
    struct dict d;
    char key[32];

    dict_init(&d);
    fill(&d, 0, 1 << 14);
    while (dict_move(&d, 100))
        ;
    ck_assert_uint_eq(dict_buckets(&d), 1 << 14);
    fill(&d, 1 << 14, (1 << 14) + 1);
    ck_assert_uint_eq(dict_buckets(&d), (1 << 14) + (1 << 15));     /* begun, by far not done */
    ck_assert(d.t[0].used > (1 << 14) - 20);
    while (dict_move(&d, 1))
        ;
    ck_assert_uint_eq(dict_buckets(&d), 1 << 15);
    for (unsigned i = 10; i < (1 << 14) + 1; i++)
        if (!dict_del(&d, key, key_of(key, i), NULL))
            ck_abort_msg("key %u is gone", i);
    while (dict_move(&d, 100))
        ;
    ck_assert_uint_le(dict_buckets(&d), 128);
    ck_assert_uint_eq(dict_count(&d), 10);
    ck_assert(dict_overhead(&d) < 128 * 8 + 10 * 64);
    dict_fini(&d, NULL);
}
END_TEST

START_TEST(test_expand_at_once)
{
    struct dict d;

    dict_init(&d);
    dict_expand(&d, 1000);
    ck_assert_uint_eq(dict_buckets(&d), 1024);
    fill(&d, 0, 1000);
    ck_assert_uint_eq(dict_buckets(&d), 1024);
    dict_expand(&d, 5000);
    ck_assert_uint_eq(dict_buckets(&d), 8192);
    ck_assert_uint_eq(dict_count(&d), 1000);
    dict_fini(&d, NULL);
}
END_TEST

START_TEST(test_iterating)
{
    for (unsigned n = 0; n < 200; n += 7) {
        struct dict d;
        struct dict_iter it;
        struct dict_entry *e;
        unsigned char seen[200] = {0};

        dict_init(&d);
        fill(&d, 0, n);
        dict_iter_init(&it, &d);
        while ((e = dict_iter_next(&it))) {
            ck_assert_uint_lt(e->v.u, n);
            seen[e->v.u]++;
            if (e->v.u % 2)
                dict_del(&d, e->key, e->klen, NULL);
        }
        ck_assert_ptr_null(dict_iter_next(&it));
        dict_iter_fini(&it);
        for (unsigned i = 0; i < n; i++)
            ck_assert_int_eq(seen[i], 1);
        ck_assert_uint_eq(dict_count(&d), (n + 1) / 2);
        dict_fini(&d, NULL);
    }
}
END_TEST

static void mark(void *arg, struct dict_entry *e)
{
    ((unsigned char *)arg)[e->v.u] = 1;
}

/* Keys 0..99 stay; others come and go between the steps, so that the table changes size both ways. */
START_TEST(test_scan_sees_what_stays)
{
    for (unsigned seed = 1; seed < 60; seed++) {
        static unsigned char seen[5000];
        struct dict d;
        struct rng r;
        uint64_t cursor = 0;
        unsigned steps = 0;
        char key[32];

        memset(seen, 0, sizeof seen);
        dict_init(&d);
        rng_seed(&r, seed);
        fill(&d, 0, 100 + (unsigned)rng_below(&r, 3000));
        do {
            cursor = dict_scan(&d, cursor, mark, seen);
            if (++steps > 1000000)
                ck_abort_msg("seed %u: the scan does not end", seed);
            if (rng_chance(&r, 20))
                fill(&d, 100, 100 + (unsigned)rng_below(&r, 4000));
            else if (rng_chance(&r, 20))
                for (unsigned i = 100 + (unsigned)rng_below(&r, 300); i < 4100; i++)
                    dict_del(&d, key, key_of(key, i), NULL);
            if (rng_chance(&r, 100))
                dict_move(&d, 1 + rng_below(&r, 50));
        } while (cursor);
        for (unsigned i = 0; i < 100; i++)
            ck_assert_msg(seen[i], "seed %u: key %u was not seen", seed, i);
        dict_fini(&d, NULL);
    }
}
END_TEST

START_TEST(test_random_reaches_everything)
{
    struct dict d;
    struct rng r;
    unsigned hits[50] = {0};

    dict_init(&d);
    rng_seed(&r, 3);
    ck_assert_ptr_null(dict_random(&d, &r));
    fill(&d, 0, 50);
    for (int i = 0; i < 20000; i++)
        hits[dict_random(&d, &r)->v.u]++;
    for (int i = 0; i < 50; i++)
        ck_assert_uint_gt(hits[i], 20);
    dict_clear(&d, NULL);
    dict_expand(&d, 1 << 16);
    fill(&d, 7, 8);
    ck_assert_uint_eq(dict_random(&d, &r)->v.u, 7);
    dict_fini(&d, NULL);
}
END_TEST

START_TEST(test_values_are_freed_when_asked)
{
    struct dict a, b;
    size_t before = mem_used();

    dict_init(&a);
    dict_init(&b);
    for (int i = 0; i < 100; i++) {
        char key[32];

        dict_put(&a, key, key_of(key, (unsigned)i), NULL)->v.p = mem_alloc(100);
    }
    dict_swap(&a, &b);
    ck_assert_uint_eq(dict_count(&a), 0);
    ck_assert_uint_eq(dict_count(&b), 100);
    dict_fini(&b, mem_free);
    dict_fini(&a, mem_free);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

SUITE(dict, test_put_get_del, test_against_a_flat_table, test_grows_and_shrinks_in_steps, test_expand_at_once,
      test_iterating, test_scan_sees_what_stays, test_random_reaches_everything, test_values_are_freed_when_asked)
