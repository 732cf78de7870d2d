/* Random numbers: the same again from the same seed, within bounds, and spread. */
#include "common/base/rng.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_same_seed_same_run)
{
    struct rng a, b, c;
    int differ = 0;

    rng_seed(&a, 1);
    rng_seed(&b, 1);
    rng_seed(&c, 2);
    for (int i = 0; i < 1000; i++) {
        uint64_t x = rng_u64(&a);

        ck_assert_uint_eq(x, rng_u64(&b));
        differ += x != rng_u64(&c);
    }
    ck_assert_int_eq(differ, 1000);
}
END_TEST

START_TEST(test_bounds)
{
    struct rng r;
    unsigned hits[6] = {0}, yes = 0;

    rng_seed(&r, 4);
    for (int i = 0; i < 60000; i++)
        hits[rng_below(&r, 6)]++;
    for (int i = 0; i < 6; i++)
        ck_assert(hits[i] > 9500 && hits[i] < 10500);
    for (int i = 0; i < 1000; i++) {
        int64_t v = rng_between(&r, -3, 3);

        ck_assert(v >= -3 && v <= 3);
        ck_assert_uint_eq(rng_below(&r, 1), 0);
        ck_assert_int_eq(rng_between(&r, 7, 7), 7);
        rng_between(&r, INT64_MIN, INT64_MAX);
        ck_assert(!rng_chance(&r, 0) && rng_chance(&r, 1000));
        yes += rng_chance(&r, 500);
    }
    ck_assert(yes > 400 && yes < 600);
}
END_TEST

START_TEST(test_hex)
{
    struct rng r;
    char a[41], b[41];

    rng_seed(&r, 4);
    rng_hex(&r, a, 40);
    rng_hex(&r, b, 40);
    ck_assert_uint_eq(strlen(a), 40);
    ck_assert_uint_eq(strspn(a, "0123456789abcdef"), 40);
    ck_assert_str_ne(a, b);
    rng_hex(&r, a, 0);
    ck_assert_str_eq(a, "");
}
END_TEST

SUITE(rng, test_same_seed_same_run, test_bounds, test_hex)
