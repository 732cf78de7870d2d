/* The role table: every pair of state and event has a row or stands in the list of pairs
 * that mean nothing; a node's life is walked through; late words of an old link are ignored. */
#include "kvnode/role/role.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct addr at(const char *host, int port)
{
    struct addr a;
    ck_assert(addr_set(&a, host, strlen(host), port));
    return a;
}

static struct role_orders step(struct role *r, struct role_event ev, int64_t now_ms)
{
    struct role_orders out;
    role_step(r, &ev, now_ms, &out);
    return out;
}

/* "drop-link connect": the kinds in their order */
static const char *told(const struct role_orders *o)
{
    static char text[256];
    text[0] = '\0';
    for (int i = 0; i < o->n; i++) {
        strcat(text, i ? " " : "");
        strcat(text, role_order_name(o->at[i].kind));
    }
    return text;
}

#define FOLLOW(h, p) ((struct role_event){.kind = ROLE_EV_FOLLOW, .to = at(h, p)})
#define LINK(k, r) ((struct role_event){.kind = (k), .link = (r)->link})
#define EV(k) ((struct role_event){.kind = (k)})

START_TEST(test_starts_as_primary)
{
    struct role r;
    role_init(&r, NULL);
    ck_assert_int_eq(r.state, ROLE_PRIMARY);
    ck_assert_int_eq(role_may_write(&r), ROLE_OK);
    ck_assert_int_eq(role_may_read(&r), ROLE_OK);
    ck_assert(!role_is_replica(&r));
    ck_assert(role_deadline_ms(&r) == NEVER_MS);
    ck_assert_ptr_null(role_error(ROLE_OK));
}
END_TEST

START_TEST(test_life_of_a_replica)
{
    struct role r;
    struct role_orders o;
    role_init(&r, NULL);
    o = step(&r, FOLLOW("10.0.0.1", 6379), 100);
    ck_assert_str_eq(told(&o), "refuse-writes release-waiters connect");
    ck_assert_int_eq(o.from, ROLE_PRIMARY);
    ck_assert_int_eq(o.to, ROLE_CONNECTING);
    ck_assert_uint_eq(o.at[2].link, r.link);
    ck_assert_str_eq(o.at[2].to.host, "10.0.0.1");
    ck_assert_int_eq(r.link_down_at_ms, 100);
    o = step(&r, LINK(ROLE_EV_SYNC_STARTED, &r), 110);
    ck_assert_int_eq(o.to, ROLE_SYNCING);
    ck_assert_int_eq(role_may_write(&r), ROLE_READONLY);
    o = step(&r, (struct role_event){.kind = ROLE_EV_SYNCED, .link = r.link, .new_history = true}, 150);
    ck_assert_str_eq(told(&o), "disconnect-replicas");
    ck_assert(role_link_up(&r));
    ck_assert(r.link_down_at_ms == NEVER_MS);
    o = step(&r, LINK(ROLE_EV_LINK_LOST, &r), 900);
    ck_assert_str_eq(told(&o), "drop-link");
    ck_assert_int_eq(r.link_down_at_ms, 900);
    ck_assert_int_eq(role_deadline_ms(&r), 900 + ROLE_RETRY_MIN_MS);
    o = step(&r, EV(ROLE_EV_TICK), 901);
    ck_assert_ptr_null(o.because);
    o = step(&r, EV(ROLE_EV_TICK), 950);
    ck_assert_str_eq(told(&o), "connect");
    step(&r, LINK(ROLE_EV_LINK_LOST, &r), 951);
    ck_assert_int_eq(role_deadline_ms(&r), 951 + 2 * ROLE_RETRY_MIN_MS);
    ck_assert_int_eq(r.link_down_at_ms, 900);
    o = step(&r, EV(ROLE_EV_LEAD), 960);
    ck_assert_str_eq(told(&o), "drop-link shift-history disconnect-replicas release-waiters serve-writes");
    ck_assert_int_eq(role_may_write(&r), ROLE_OK);
    ck_assert(!addr_is_set(&r.primary));
    o = step(&r, EV(ROLE_EV_LEAD), 970);
    ck_assert_int_eq(o.n, 0);
    ck_assert_ptr_null(o.because);
}
END_TEST

START_TEST(test_retry_is_bounded)
{
    struct role r;
    int64_t now = 0;
    role_init(&r, NULL);
    step(&r, FOLLOW("h", 1), now);
    for (int i = 0; i < 20; i++) {
        step(&r, LINK(ROLE_EV_LINK_LOST, &r), now);
        ck_assert_int_ge(role_deadline_ms(&r) - now, ROLE_RETRY_MIN_MS);
        ck_assert_int_le(role_deadline_ms(&r) - now, ROLE_RETRY_MAX_MS);
        now = role_deadline_ms(&r);
        step(&r, EV(ROLE_EV_TICK), now);
    }
    ck_assert_int_eq(r.retry_ms, ROLE_RETRY_MAX_MS);
    step(&r, (struct role_event){.kind = ROLE_EV_SYNCED, .link = r.link}, now);
    ck_assert_int_eq(r.retry_ms, ROLE_RETRY_MIN_MS);
}
END_TEST

START_TEST(test_old_link_is_not_heard)
{
    struct role r;
    struct role_orders o;
    uint64_t old;
    role_init(&r, NULL);
    step(&r, FOLLOW("a", 1), 0);
    old = r.link;
    step(&r, FOLLOW("b", 2), 5);
    ck_assert_uint_ne(old, r.link);
    o = step(&r, (struct role_event){.kind = ROLE_EV_SYNCED, .link = old}, 6);
    ck_assert_ptr_null(o.because);
    ck_assert_int_eq(r.state, ROLE_CONNECTING);
    step(&r, EV(ROLE_EV_LEAD), 7);
    o = step(&r, (struct role_event){.kind = ROLE_EV_LINK_LOST, .link = old + 1}, 8);
    ck_assert_int_eq(o.n, 0);
    ck_assert_int_eq(r.state, ROLE_PRIMARY);
}
END_TEST

START_TEST(test_same_order_twice)
{
    struct role r;
    struct role_orders o;
    role_init(&r, NULL);
    step(&r, FOLLOW("a", 1), 0);
    o = step(&r, FOLLOW("a", 1), 1);
    ck_assert_int_eq(o.n, 0);
    step(&r, LINK(ROLE_EV_LINK_LOST, &r), 2);
    o = step(&r, FOLLOW("a", 1), 3);
    ck_assert_str_eq(told(&o), "drop-link connect");
}
END_TEST

START_TEST(test_epochs_only_rise)
{
    struct role r;
    struct role_orders o;
    role_init(&r, NULL);
    step(&r, (struct role_event){.kind = ROLE_EV_FOLLOW, .to = at("a", 1), .epoch = 7}, 0);
    ck_assert_uint_eq(r.epoch, 7);
    o = step(&r, (struct role_event){.kind = ROLE_EV_LEAD, .epoch = 6}, 1);
    ck_assert(o.refused);
    ck_assert_ptr_nonnull(o.because);
    ck_assert_int_eq(r.state, ROLE_CONNECTING);
    o = step(&r, EV(ROLE_EV_LEAD), 2);
    ck_assert(!o.refused);
    ck_assert_int_eq(r.state, ROLE_PRIMARY);
    ck_assert_uint_eq(r.epoch, 7);
}
END_TEST

START_TEST(test_gates)
{
    struct role r;
    struct role_settings s = {.replica_read_only = true, .serve_stale_data = false, .min_replicas_to_write = 2};
    role_init(&r, &s);
    ck_assert_int_eq(role_may_write(&r), ROLE_NOREPLICAS);
    step(&r, (struct role_event){.kind = ROLE_EV_GOOD_REPLICAS, .n = 2}, 0);
    ck_assert_int_eq(role_may_write(&r), ROLE_OK);
    step(&r, (struct role_event){.kind = ROLE_EV_GOOD_REPLICAS, .n = 1}, 0);
    ck_assert_int_eq(role_may_write(&r), ROLE_NOREPLICAS);
    step(&r, FOLLOW("a", 1), 0);
    ck_assert_int_eq(role_may_write(&r), ROLE_READONLY);
    ck_assert_int_eq(role_may_read(&r), ROLE_MASTERDOWN);
    s.replica_read_only = false;
    step(&r, (struct role_event){.kind = ROLE_EV_SETTINGS, .settings = s}, 0);
    ck_assert_int_eq(role_may_write(&r), ROLE_MASTERDOWN);
    step(&r, (struct role_event){.kind = ROLE_EV_SYNCED, .link = r.link}, 0);
    ck_assert_int_eq(role_may_write(&r), ROLE_OK);
    ck_assert_int_eq(role_may_read(&r), ROLE_OK);
    for (int v = ROLE_OK + 1; v < ROLE_VERDICTS; v++)
        ck_assert_ptr_nonnull(role_error((enum role_verdict)v));
}
END_TEST

START_TEST(test_fenced)
{
    struct role r;
    struct role_orders o;
    role_init(&r, NULL);
    o = step(&r, EV(ROLE_EV_FENCE), 0);
    ck_assert_str_eq(told(&o), "refuse-writes release-waiters");
    ck_assert_int_eq(role_may_write(&r), ROLE_IS_FENCED);
    ck_assert_int_eq(role_may_read(&r), ROLE_OK);
    ck_assert(!role_is_replica(&r));
    step(&r, EV(ROLE_EV_LEAD), 0);
    ck_assert_int_eq(role_may_write(&r), ROLE_IS_FENCED);
    o = step(&r, EV(ROLE_EV_RELEASE), 0);
    ck_assert_str_eq(told(&o), "serve-writes");
    ck_assert_int_eq(role_may_write(&r), ROLE_OK);
    step(&r, EV(ROLE_EV_FENCE), 0);
    o = step(&r, FOLLOW("a", 1), 0);
    ck_assert_str_eq(told(&o), "connect");
    ck_assert(role_is_replica(&r));
}
END_TEST

/* From everywhere it leads to the same place: a replica of nobody, that FOLLOW and LEAD free. */
START_TEST(test_sealed)
{
    struct role r;
    struct role_orders o;
    struct addr b = at("b", 2);
    role_init(&r, NULL);
    o = step(&r, EV(ROLE_EV_SEAL), 7);
    ck_assert_str_eq(told(&o), "drop-link disconnect-replicas refuse-writes release-waiters");
    ck_assert_int_eq(role_may_write(&r), ROLE_READONLY);
    ck_assert(role_is_replica(&r) && !role_link_up(&r) && !addr_is_set(&r.primary));
    ck_assert_ptr_nonnull(role_may_feed(&r, &b));
    ck_assert(role_deadline_ms(&r) == NEVER_MS);
    o = step(&r, FOLLOW("a", 1), 8);
    ck_assert_str_eq(told(&o), "disconnect-replicas drop-link connect");
    step(&r, (struct role_event){.kind = ROLE_EV_SYNCED, .link = r.link}, 9);
    o = step(&r, EV(ROLE_EV_SEAL), 10);
    ck_assert_int_eq(o.to, ROLE_SEALED);
    ck_assert_int_eq(r.link_down_at_ms, 10);
    step(&r, LINK(ROLE_EV_LINK_LOST, &r), 11);
    ck_assert_int_eq(r.state, ROLE_SEALED);
    o = step(&r, EV(ROLE_EV_LEAD), 12);
    ck_assert_int_eq(o.to, ROLE_PRIMARY);
    ck_assert_int_eq(role_may_write(&r), ROLE_OK);
}
END_TEST

START_TEST(test_whom_it_feeds)
{
    struct role r;
    struct addr a = at("a", 1), b = at("b", 2);
    role_init(&r, NULL);
    ck_assert_ptr_null(role_may_feed(&r, &a));
    step(&r, FOLLOW("a", 1), 0);
    ck_assert_ptr_nonnull(role_may_feed(&r, &b));
    step(&r, (struct role_event){.kind = ROLE_EV_SYNCED, .link = r.link}, 1);
    ck_assert_ptr_null(role_may_feed(&r, &b));
    ck_assert_ptr_nonnull(role_may_feed(&r, &a));
    step(&r, EV(ROLE_EV_LEAD), 2);
    ck_assert_ptr_null(role_may_feed(&r, &a));
}
END_TEST

START_TEST(test_stuck_waits_for_an_order)
{
    struct role r;
    struct role_orders o;
    role_init(&r, NULL);
    step(&r, FOLLOW("a", 1), 0);
    step(&r, (struct role_event){.kind = ROLE_EV_SYNCED, .link = r.link}, 1);
    o = step(&r, LINK(ROLE_EV_UNAPPLICABLE, &r), 2);
    ck_assert_str_eq(told(&o), "drop-link");
    ck_assert_int_eq(r.state, ROLE_STUCK);
    ck_assert(role_deadline_ms(&r) == NEVER_MS);
    ck_assert_int_eq(r.link_down_at_ms, 2);
    o = step(&r, FOLLOW("a", 1), 3);
    ck_assert_str_eq(told(&o), "drop-link connect");
}
END_TEST

/* What means nothing, by state: events that are no row there, on purpose. */
static const struct { enum role_state in; const char *events; } silent[] = {
    { ROLE_PRIMARY, " follow-same lead release link-lost sync-started synced-same-history synced-new-history unapplicable tick " },
    { ROLE_FENCED, " follow-same lead fence link-lost sync-started synced-same-history synced-new-history unapplicable tick " },
    { ROLE_WAITING, " fence release link-lost sync-started synced-same-history synced-new-history unapplicable " },
    { ROLE_CONNECTING, " follow-same fence release unapplicable tick " },
    { ROLE_SYNCING, " follow-same fence release sync-started tick " },
    { ROLE_FOLLOWING, " follow-same fence release sync-started synced-same-history synced-new-history tick " },
    { ROLE_STUCK, " fence release link-lost sync-started synced-same-history synced-new-history unapplicable tick " },
    { ROLE_SEALED, " follow-same fence release link-lost sync-started synced-same-history synced-new-history unapplicable tick " },
};

START_TEST(test_every_pair_is_accounted_for)
{
    static const char *const events[] = {
        "follow-same", "follow-other", "lead", "fence", "release", "seal", "link-lost", "sync-started",
        "synced-same-history", "synced-new-history", "unapplicable", "tick",
    };
    ck_assert_uint_eq(sizeof silent / sizeof silent[0], ROLE_STATES);
    for (size_t s = 0; s < ROLE_STATES; s++)
        for (size_t e = 0; e < sizeof events / sizeof events[0]; e++) {
            struct role_row row;
            char needle[64];
            int rows = 0;
            for (size_t i = 0; role_row_at(i, &row); i++)
                rows += row.in == silent[s].in && strcmp(row.event, events[e]) == 0;
            snprintf(needle, sizeof needle, " %s ", events[e]);
            ck_assert_msg(rows + (strstr(silent[s].events, needle) != NULL) == 1, "%s x %s: %d rows",
                          role_state_name(silent[s].in), events[e], rows);
        }
}
END_TEST

/* Any order of any events: invariants inside role.c hold (they CHECK), and only a primary takes writes. */
START_TEST(test_random_walk)
{
    struct role r;
    struct addr a[2] = {at("a", 1), at("b", 2)};
    role_init(&r, NULL);
    srandom(7);
    for (int i = 0; i < 100000; i++) {
        struct role_event ev = {.kind = (enum role_event_kind)(random() % ROLE_EVENTS), .to = a[random() % 2],
                                .link = r.link - (uint64_t)(random() % 2), .new_history = random() % 2 != 0,
                                .n = (int)(random() % 3), .settings = r.settings};
        struct role_orders o = step(&r, ev, i * 10);
        ck_assert(o.n == 0 || o.because != NULL);
        ck_assert((role_may_write(&r) == ROLE_OK) == (r.state == ROLE_PRIMARY));
        ck_assert((o.from == o.to) || o.because != NULL);
    }
}
END_TEST

START_TEST(test_names)
{
    for (int i = 0; i < ROLE_STATES; i++)
        ck_assert_str_ne(role_state_name((enum role_state)i), "?");
    for (int i = 0; i < ROLE_EVENTS; i++)
        ck_assert_str_ne(role_event_name((enum role_event_kind)i), "?");
    for (int i = 0; i < ROLE_ORDER_KINDS; i++)
        ck_assert_str_ne(role_order_name((enum role_order_kind)i), "?");
}
END_TEST

SUITE(role, test_starts_as_primary, test_life_of_a_replica, test_retry_is_bounded, test_old_link_is_not_heard,
      test_same_order_twice, test_epochs_only_rise, test_gates, test_fenced, test_sealed, test_whom_it_feeds, test_stuck_waits_for_an_order,
      test_every_pair_is_accounted_for, test_random_walk, test_names)
