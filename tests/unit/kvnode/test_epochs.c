/* The table of epochs: rows rise, positions are found in it, two histories part where they should, texts are not believed. */
#include "kvnode/repl/epochs.h"
#include "tests/support/suite.h"

#include <string.h>

static struct epochs t, u;

static const char *as_text(const struct epochs *e)
{
    static struct str s;

    str_clear(&s);
    epochs_put(e, &s);
    return str_c(&s);
}

START_TEST(test_rows_rise)
{
    t.n = 0;
    ck_assert_uint_eq(epochs_last(&t, 5), 0);
    epochs_begin(&t, 5, 3, 100);
    epochs_begin(&t, 5, 7, 250);
    ck_assert_str_eq(as_text(&t), "5 3:100 7:250");
    epochs_begin(&t, 5, 7, 260);                  /* said again: the last word counts */
    ck_assert_str_eq(as_text(&t), "5 3:100 7:260");
    epochs_begin(&t, 5, 5, 200);                  /* what was rolled back is not there any more */
    ck_assert_str_eq(as_text(&t), "5 3:100 5:200");
    epochs_begin(&t, 5, 9, 150);
    ck_assert_str_eq(as_text(&t), "5 3:100 9:150");
    epochs_cut(&t, 149);
    ck_assert_uint_eq(epochs_last(&t, 5), 3);
    ck_assert_uint_eq(epochs_last(&t, 6), 0);
    epochs_begin(&t, 6, 2, 500);               /* another group: that was another history */
    ck_assert_str_eq(as_text(&t), "6 2:500");
    epochs_cut(&t, 0);
    ck_assert_uint_eq(t.n, 0);
}
END_TEST

START_TEST(test_the_oldest_goes)
{
    t.n = 0;
    for (uint64_t e = 1; e <= RECORD_EPOCHS_MAX + 5; e++)
        epochs_begin(&t, 5, e, (int64_t)e * 10);
    ck_assert_uint_eq(t.n, RECORD_EPOCHS_MAX);
    ck_assert_uint_eq(t.at[0].epoch, 6);
    ck_assert(epochs_get(&u, slice_z(as_text(&t))));
    ck_assert_str_eq(as_text(&u), as_text(&t));
}
END_TEST

START_TEST(test_what_is_in_a_history)
{
    static const struct { uint64_t epoch; int64_t offset; bool in; } cases[] = {
        {3, 100, true}, {3, 249, true}, {3, 250, false}, {7, 250, true}, {7, 400, true}, {7, 401, false},
        {5, 120, false}, {0, 50, false}, {9, 300, false},
    };

    t.n = 0;
    epochs_begin(&t, 5, 3, 100);
    epochs_begin(&t, 5, 7, 250);
    ck_assert_int_eq(epochs_end_of(&t, 400, 3), 249);
    ck_assert_int_eq(epochs_end_of(&t, 400, 7), 400);
    ck_assert_int_eq(epochs_end_of(&t, 400, 4), -1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(epochs_contain(&t, 400, (struct ha_position){cases[i].epoch, cases[i].offset}) == cases[i].in, "%zu", i);
}
END_TEST

START_TEST(test_where_histories_part)
{
    static const struct { const char *ours, *theirs; int64_t our_end, their_end; int64_t common; uint64_t epoch; } cases[] = {
        {"5 3:100", "5 3:100 7:250", 200, 400, 200, 3},            /* behind */
        {"5 3:100", "5 3:100 7:250", 300, 400, 249, 3},            /* went on in an epoch that ended there earlier */
        {"5 3:100 5:200", "5 3:100 7:250", 300, 400, 199, 3},      /* a branch of its own, that parted first */
        {"5 3:100 5:260", "5 3:100 7:250", 300, 400, 249, 3},
        {"5 3:100 7:250", "5 3:100 7:250", 500, 400, 400, 7},
        {"5 3:100", "5 4:100", 300, 300, -1, 0},
        {"5 3:100", "6 3:100", 300, 300, -1, 0},
        {"", "5 4:100", 300, 300, -1, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ha_position p = {0, -1};
        ck_assert(epochs_get(&t, slice_z(cases[i].ours)) && epochs_get(&u, slice_z(cases[i].theirs)));
        bool any = epochs_common(&t, cases[i].our_end, &u, cases[i].their_end, &p);
        ck_assert_msg(any == (cases[i].common >= 0) && p.offset == cases[i].common && p.epoch == cases[i].epoch, "%zu: %lld", i,
                      (long long)p.offset);
    }
}
END_TEST

START_TEST(test_texts_are_not_believed)
{
    static const char *const bad[] = {"x", "5", "5 ", "5 3", "5 3:", "5 :4", "5 3:4 ", " 5 3:4", "5  3:4", "5 3:4  5:6", "5 3:4 3:9",
                                      "5 3:4 2:9", "5 3:9 4:8", "5 0:4", "5 3:-1", "0 3:4", "3:4", "5 3:99999999999999999999", "5 3:4\n5:6",
                                      "5 18446744073709551616:1"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        t.n = 5;
        ck_assert_msg(!epochs_get(&t, slice_z(bad[i])) && t.n == 0, "%s", bad[i]);
    }
    ck_assert(epochs_get(&t, slice_z("")) && t.n == 0);
    ck_assert(epochs_get(&t, slice_z("1 18446744073709551615:4611686018427387903")) && t.n == 1);
}
END_TEST

SUITE(epochs, test_rows_rise, test_the_oldest_goes, test_what_is_in_a_history, test_where_histories_part, test_texts_are_not_believed)
