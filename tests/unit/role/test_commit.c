/* Confirmed positions: k acknowledgements with the right life in every configuration, the own
 * copy, the marker; and a random run against a count by hand. */
#include "common/base/rng.h"
#include "kvnode/role/commit.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

static struct ha_record config(int n, int k, uint64_t life)
{
    struct ha_record r = {.gid = 1, .ballot = 5, .epoch = 5, .mode = HA_STRICT, .k = k, .n_members = n};

    for (int i = 0; i < n; i++) {
        snprintf(r.member[i].id, ID_MAX, "n%d", i);
        r.member[i].life = life + (uint64_t)i;
    }
    return r;
}

START_TEST(test_k_acks_and_marker)
{
    struct ha_record r = config(3, 1, 10);
    const struct ha_record *list[] = {&r};
    struct commit c;

    commit_begin(&c, "n0", 5, 100);
    ck_assert(!commit_configs(&c, 1, list));
    ck_assert(!commit_own(&c, 120, 120));
    ck_assert(!commit_ack(&c, "n1", 11, 99));              /* below the marker */
    ck_assert_int_eq(c.confirmed, -1);
    ck_assert(commit_ack(&c, "n1", 11, 110));
    ck_assert_int_eq(c.confirmed, 110);
    ck_assert(!commit_ack(&c, "n2", 999, 120));            /* another life */
    ck_assert(!commit_ack(&c, "n0", 10, 120));             /* ourselves */
    ck_assert(!commit_ack(&c, "n9", 1, 120));              /* not in M */
    ck_assert(!commit_ack(&c, "n1", 11, 105));             /* never back */
    ck_assert(commit_ack(&c, "n2", 12, 500));              /* not above our own */
    ck_assert_int_eq(c.confirmed, 120);
    ck_assert(commit_acked(&c, "n2", 12) == 500 && commit_acked(&c, "n2", 13) == -1);
}
END_TEST

START_TEST(test_own_copy_counts)
{
    struct ha_record r = config(2, 1, 10);
    const struct ha_record *list[] = {&r};
    struct commit c;

    commit_begin(&c, "n0", 5, 1);
    commit_configs(&c, 1, list);
    commit_own(&c, 50, 20);
    ck_assert(commit_ack(&c, "n1", 11, 50));
    ck_assert_int_eq(c.confirmed, 20);
    ck_assert(!commit_satisfied(&c, &r, 50));
    ck_assert(commit_own(&c, 50, 50));
    ck_assert(commit_satisfied(&c, &r, 50));
    ck_assert(!commit_satisfied(&c, &r, 0));               /* the marker included */
}
END_TEST

START_TEST(test_joint_needs_both)
{
    struct ha_record old = config(3, 1, 10), new = config(3, 2, 10);
    const struct ha_record *list[] = {&old, &new};
    struct commit c;

    new.member[2].life = 77;                                /* n2 came back as another memory */
    commit_begin(&c, "n0", 5, 1);
    commit_configs(&c, 2, list);
    commit_own(&c, 40, 40);
    ck_assert(!commit_ack(&c, "n1", 11, 40));
    ck_assert(!commit_ack(&c, "n2", 12, 40));
    ck_assert(commit_ack(&c, "n2", 77, 30));
    ck_assert_int_eq(c.confirmed, 30);
    ck_assert(commit_configs(&c, 1, list));                 /* the change is called off */
    ck_assert_int_eq(c.confirmed, 40);
}
END_TEST

START_TEST(test_alone)
{
    struct ha_record r = config(1, 0, 10);
    const struct ha_record *list[] = {&r};
    struct commit c;

    memset(&c, 0, sizeof c);
    ck_assert(!commit_own(&c, 5, 5));                       /* owns no epoch */
    ck_assert(!commit_ack(&c, "n1", 1, 5));
    commit_begin(&c, "n0", 5, 1);
    commit_configs(&c, 1, list);
    ck_assert(commit_own(&c, 9, 7));
    ck_assert_int_eq(c.confirmed, 7);
}
END_TEST

/* A hundred strangers do not push out those who count. */
START_TEST(test_strangers)
{
    struct ha_record r = config(3, 2, 10);
    const struct ha_record *list[] = {&r};
    struct commit c;

    commit_begin(&c, "n0", 5, 1);
    commit_configs(&c, 1, list);
    commit_own(&c, 9, 9);
    commit_ack(&c, "n1", 11, 9);
    for (uint64_t i = 0; i < 100; i++)
        ck_assert(!commit_ack(&c, "n1", 1000 + i, 9));
    ck_assert(commit_ack(&c, "n2", 12, 9));
    ck_assert_int_eq(c.confirmed, 9);
}
END_TEST

#define NODES 4
/* l is confirmed when each configuration has k others at or above it. */
static bool by_hand(const int64_t ack[NODES][2], const struct ha_record *r, int64_t l)
{
    int have = 0;

    for (int i = 1; i < r->n_members; i++)
        have += ack[i][r->member[i].life - 10 - (uint64_t)i] >= l;
    return have >= r->k;
}

START_TEST(test_random_against_count)
{
    struct rng g;

    rng_seed(&g, 7);
    for (int run = 0; run < 300; run++) {
        struct ha_record a = config(NODES, 1 + (int)rng_below(&g, NODES - 1), 10);
        struct ha_record b = config(2 + (int)rng_below(&g, NODES - 1), 1, 10);
        const struct ha_record *list[] = {&a, &b};
        int64_t ack[NODES][2], best = -1, own = 0, marker = 5;
        struct commit c;

        for (int i = 0; i < NODES; i++)
            ack[i][0] = ack[i][1] = -1;
        for (int i = 1; i < b.n_members; i++)
            b.member[i].life += rng_below(&g, 2);
        b.k = 1 + (int)rng_below(&g, (uint32_t)b.n_members - 1);
        commit_begin(&c, "n0", 5, marker);
        commit_configs(&c, 2, list);
        for (int step = 0; step < 60; step++) {
            int who = 1 + (int)rng_below(&g, NODES - 1), life = (int)rng_below(&g, 2);
            int64_t to = rng_below(&g, 30);
            char id[ID_MAX];
            if (rng_below(&g, 3) == 0) {
                own = own > to ? own : to;
                commit_own(&c, own + 3, own);
            } else {
                snprintf(id, sizeof id, "n%d", who);
                ack[who][life] = ack[who][life] > to ? ack[who][life] : to;
                commit_ack(&c, id, (uint64_t)(10 + who + life), to);
            }
            for (int64_t l = marker; l <= own; l++)
                if (l > best && by_hand(ack, &a, l) && by_hand(ack, &b, l))
                    best = l;
            ck_assert_int_eq(c.confirmed, best);
        }
    }
}
END_TEST

SUITE(commit, test_k_acks_and_marker, test_own_copy_counts, test_joint_needs_both, test_alone, test_strangers,
      test_random_against_count)
