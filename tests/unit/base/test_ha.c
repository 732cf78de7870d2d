/* What both halves of a formed group must answer alike: orders, counts, timing, names. */
#include "common/base/ha.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

static struct ha_record record(int members, int k)
{
    struct ha_record r = {.gid = 9, .ballot = 4, .epoch = 4, .incarnation = 3, .mode = HA_STRICT, .k = k,
                          .n_members = members, .n_voters = 3};

    for (int i = 0; i < members; i++) {
        snprintf(r.member[i].id, ID_MAX, "n%d", i);
        r.member[i].life = 1 + (uint64_t)i;
    }
    for (int i = 0; i < 3; i++) {
        snprintf(r.voter[i].id, ID_MAX, "s%d", i);
        r.voter[i].life = 1 + (uint64_t)i;
    }
    snprintf(r.primary, ID_MAX, "n0");
    return r;
}

START_TEST(test_positions)
{
    struct ha_position short_new = {3, 10}, long_old = {2, 900};

    ck_assert_int_eq(ha_position_cmp(short_new, long_old), 1);
    ck_assert_int_eq(ha_position_cmp(long_old, short_new), -1);
    ck_assert_int_eq(ha_position_cmp(long_old, long_old), 0);
    ck_assert_int_eq(ha_position_cmp((struct ha_position){2, 1}, (struct ha_position){2, 2}), -1);
}
END_TEST

START_TEST(test_records_ordered)
{
    struct ha_record a = record(3, 1), b = a;

    ck_assert(ha_record_same_place(&a, &b));
    b.change = 1;
    ck_assert_int_eq(ha_record_cmp(&a, &b), -1);
    a.ballot = 5;
    ck_assert_int_eq(ha_record_cmp(&a, &b), 1);
    b = a;
    b.gid = 8;
    ck_assert(!ha_record_same_place(&a, &b));
}
END_TEST

/* The table of safety.md: data nodes, k, q. */
START_TEST(test_counts)
{
    static const struct { int members, k, q; } rows[] = {{1, 0, 1}, {2, 1, 1}, {3, 1, 2}, {3, 2, 1}, {4, 2, 2}, {5, 2, 3}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ha_record r = record(rows[i].members, rows[i].k);
        ck_assert_ptr_null(ha_record_check(&r));
        ck_assert_int_eq(ha_seals_needed(&r), rows[i].q);
        ck_assert_int_eq(ha_promises_needed(&r), rows[i].k);
        r.mode = HA_ASYNC;
        ck_assert_int_eq(ha_seals_needed(&r), 1);
        ck_assert_int_eq(ha_promises_needed(&r), rows[i].members - 1);
    }
    ck_assert_int_eq(ha_majority(1), 1);
    ck_assert_int_eq(ha_majority(3), 2);
    ck_assert_int_eq(ha_majority(4), 3);
    ck_assert_int_eq(ha_majority(5), 3);
}
END_TEST

#define WRONG(change) do { struct ha_record r = record(3, 1); change; ck_assert_ptr_nonnull(ha_record_check(&r)); } while (0)
START_TEST(test_record_check)
{
    WRONG(r.gid = 0);
    WRONG(r.ballot = 0);
    WRONG(r.epoch = 0);
    WRONG(r.epoch = 5);
    WRONG(r.n_members = 0);
    WRONG(r.n_members = HA_MEMBERS_MAX + 1);
    WRONG(r.n_voters = 0);
    WRONG(r.n_voters = HA_VOTERS_MAX + 1);
    WRONG(r.mode = (enum ha_mode)7);
    WRONG(r.k = 0);
    WRONG(r.k = 3);
    WRONG(r.k = -1);
    WRONG(r.incarnation = 0);
    WRONG(r.primary[1] = '7');
    WRONG(r.member[2].life = 0);
    WRONG(memcpy(r.member[2].id, "n1", 3));
    WRONG(r.voter[2].life = 0);
    WRONG(memcpy(r.voter[2].id, "s0", 3));
}
END_TEST

START_TEST(test_profiles)
{
    static const struct { const char *name; struct ha_timing t; } rows[] = {
        {"lan", {100, 800, 760, 1000, 100}},
        {"cloud", {500, 3000, 2850, 4000, 250}},
        {"wan", {1000, 8000, 7700, 10000, 1000}},
    };
    char text[HA_TIMING_TEXT];
    struct ha_timing t;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert(ha_timing_profile(rows[i].name, &t));
        ck_assert_mem_eq(&t, &rows[i].t, sizeof t);
        ck_assert_msg(!ha_timing_check(&t, text), "%s: %s", rows[i].name, text);
    }
    ck_assert(!ha_timing_profile("moon", &t));
    for (int64_t d = 60; d < 100000; d = d * 5 / 4) {
        ha_timing_from_down_after(d, &t);
        ck_assert_msg(!ha_timing_check(&t, text), "down-after %lld: %s", (long long)d, text);
    }
    ha_timing_from_down_after(30000, &t);
    ck_assert_int_eq(t.promise_ms, 20000);
}
END_TEST

START_TEST(test_timing_refused)
{
    static const struct { struct ha_timing t; const char *line; } rows[] = {
        {{100, 800, 790, 1000, 100}, "T1"},
        {{100, 950, 900, 1000, 100}, "T3"},
        {{160, 800, 760, 1000, 100}, "T4"},
        {{0, 800, 760, 1000, 100}, "durations"},
        {{100, 800, 760, 1000, 0}, "durations"},
        {{100, INT64_MAX, 760, INT64_MAX, 100}, "durations"},
    };
    char text[HA_TIMING_TEXT];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *said = ha_timing_check(&rows[i].t, text);
        ck_assert_msg(said && strncmp(said, rows[i].line, strlen(rows[i].line)) == 0, "row %zu: %s", i, said ? said : "-");
    }
}
END_TEST

START_TEST(test_names)
{
    enum ha_mode m;

    for (int i = 0; i < HA_MODES; i++)
        ck_assert(ha_mode_named(ha_mode_name((enum ha_mode)i), &m) && (int)m == i);
    ck_assert(!ha_mode_named("sometimes", &m));
    for (int i = 0; i < HA_KINDS; i++) {
        ck_assert_ptr_nonnull(ha_kind_name((enum ha_kind)i));
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(ha_kind_name((enum ha_kind)i), ha_kind_name((enum ha_kind)j));
    }
    for (int i = 0; i < HA_WHYS; i++)
        ck_assert_ptr_nonnull(ha_why_name((enum ha_why)i));
    ck_assert_str_eq(ha_node_state_name(HA_FENCED), "fenced");
    ck_assert_str_eq(ha_kind_name(HA_KINDS), "?");
    ck_assert_str_eq(ha_mode_name(HA_MODES), "?");
}
END_TEST

SUITE(ha, test_positions, test_records_ordered, test_counts, test_record_check, test_profiles, test_timing_refused, test_names)
