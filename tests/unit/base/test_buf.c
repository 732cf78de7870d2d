/* The byte queue against a plain array that does the same. */
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_first_in_first_out)
{
    struct buf b = {0};

    ck_assert_uint_eq(buf_len(&b), 0);
    ck_assert_ptr_null(buf_data(&b));
    buf_append_z(&b, "hello ");
    buf_printf(&b, "%s %d", "world", 7);
    ck_assert_uint_eq(buf_len(&b), 13);
    buf_consume(&b, 6);
    ck_assert_int_eq(memcmp(buf_data(&b), "world 7", 7), 0);
    buf_cut(&b, 5);
    ck_assert_uint_eq(buf_len(&b), 5);
    buf_clear(&b);
    ck_assert_uint_eq(buf_len(&b), 0);
    memcpy(buf_tail(&b, 3), "abc", 3);
    buf_added(&b, 3);
    ck_assert_int_eq(memcmp(buf_data(&b), "abc", 3), 0);
    buf_fini(&b);
}
END_TEST

START_TEST(test_like_a_plain_array)
{
    static char plain[1 << 20];
    size_t from = 0, to = 0;
    struct buf b = {0};
    struct rng r;

    rng_seed(&r, 5);
    for (int turn = 0; turn < 20000; turn++) {
        char piece[512];
        size_t n = rng_below(&r, sizeof piece), len = to - from;

        if (rng_chance(&r, 520) || len == 0) {
            if (to + n > sizeof plain)
                break;
            for (size_t i = 0; i < n; i++)
                piece[i] = (char)rng_u64(&r);
            buf_append(&b, piece, n);
            memcpy(plain + to, piece, n);
            to += n;
        } else {
            n = rng_below(&r, len + 1);
            buf_consume(&b, n);
            from += n;
        }
        if (rng_chance(&r, 20))
            buf_shrink(&b, 64);
        if (buf_len(&b) != to - from || (to > from && memcmp(buf_data(&b), plain + from, to - from) != 0))
            ck_abort_msg("turn %d: not the same bytes", turn);
    }
    buf_fini(&b);
}
END_TEST

START_TEST(test_memory_goes_back)
{
    struct buf b = {0}, other = {0};
    size_t before = mem_used();

    memset(buf_tail(&b, 1 << 20), 'x', 1 << 20);
    buf_added(&b, 1 << 20);
    buf_consume(&b, (1 << 20) - 10);
    buf_shrink(&b, 4096);
    ck_assert_uint_eq(buf_len(&b), 10);
    ck_assert(mem_used() - before < 4096);
    buf_swap(&b, &other);
    ck_assert_uint_eq(buf_len(&other), 10);
    ck_assert_uint_eq(buf_len(&b), 0);
    buf_consume(&other, 10);
    buf_shrink(&other, 0);
    ck_assert_uint_eq(mem_used(), before);
    buf_fini(&b);
    buf_fini(&other);
}
END_TEST

START_TEST(test_growth_is_rare)
{
    struct buf b = {0};
    int moves = 0;
    const char *at = NULL;

    for (int i = 0; i < 100000; i++) {
        buf_append(&b, "0123456789", 10);
        moves += buf_data(&b) != at;
        at = buf_data(&b);
    }
    ck_assert_int_lt(moves, 64);
    buf_fini(&b);
}
END_TEST

SUITE(buf, test_first_in_first_out, test_like_a_plain_array, test_memory_goes_back, test_growth_is_rare)
