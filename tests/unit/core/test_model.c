/* Ids, look-ups, the heap of deadlines; many groups. */
#include "tests/support/suite.h"
#include "tests/unit/core/scene.h"

#include <stdio.h>
#include "sentinel/core/inside.h"

START_TEST(test_ids_are_not_reused_soon)
{
    struct scene s;
    core_id seen[40];
    struct event add = {.kind = EV_GROUP_ADD};

    scene_init(&s, 1, 0);
    add.u.group_add.name = "h";
    add.u.group_add.addr = scene_addr(5);
    add.u.group_add.quorum = 1;
    for (int i = 0; i < 40; i++) {
        scene_step(&s, add);
        seen[i] = core_group_named(s.c, "h")->id;
        for (int k = 0; k < i; k++) {
            ck_assert_int_ne(seen[k], seen[i]);
            ck_assert_ptr_null(core_group(s.c, seen[k]));
        }
        scene_step(&s, (struct event){.kind = EV_GROUP_REMOVE, .group = seen[i]});
    }
    ck_assert_ptr_null(core_group(s.c, 0));
    ck_assert_ptr_null(core_group(s.c, -5));
    ck_assert_ptr_null(core_node(s.c, 77));
    scene_fini(&s);
}
END_TEST

START_TEST(test_heap)
{
    struct scene s;
    struct event add = {.kind = EV_GROUP_ADD};
    struct rng r;
    char name[16];
    int64_t first;

    scene_init(&s, 1, 0);
    rng_seed(&r, 4);
    add.u.group_add.addr = scene_addr(5);
    add.u.group_add.quorum = 1;
    add.u.group_add.name = name;
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "g%d", i);
        scene_step(&s, add);
    }
    for (int i = 0; i < 3000; i++) {
        struct group *g = s.c->groups.at[rng_below(&r, s.c->groups.n)];

        due_set(s.c, &g->due, s.now + rng_between(&r, 1, 100000));
        first = NEVER_MS;
        for (size_t k = 0; k < s.c->groups.n; k++)
            first = ms_min(first, s.c->groups.at[k]->due.at_ms);
        ck_assert_int_eq(core_deadline_ms(s.c), first);
        if (s.c->groups.n > 100 && rng_chance(&r, 50))
            scene_step(&s, (struct event){.kind = EV_GROUP_REMOVE, .group = g->id});
    }
    scene_fini(&s);
}
END_TEST

START_TEST(test_two_groups_on_one_primary)
{
    struct scene s;
    struct event add = {.kind = EV_GROUP_ADD};

    scene_init(&s, 1, 0);
    add.u.group_add.name = "h";
    add.u.group_add.addr = scene_addr(1);
    add.u.group_add.quorum = 1;
    scene_step(&s, add);
    scene_step(&s, (struct event){.kind = EV_GROUP_REMOVE, .group = core_group_named(s.c, "h")->id});
    ck_assert_str_eq(scene_asked(&s, 1, scene_id(2)), "save!; answer 0 s2 1; +new-epoch; +vote-for-leader");
    scene_fini(&s);
}
END_TEST

START_TEST(test_settings_change_deadlines)
{
    struct scene s;
    struct core_timing t;

    scene_init(&s, 3, 2);
    t = *core_timing_now(s.c);
    t.ping_ms = 100;
    scene_step(&s, (struct event){.kind = EV_TIMING, .u.timing = &t});
    scene_pass(&s, 1000);
    ck_assert_int_le(core_deadline_ms(s.c) - s.now, 100);
    ck_assert_int_gt(core_deadline_ms(s.c), s.now);
    scene_fini(&s);
}
END_TEST

START_TEST(test_at_rest_it_sleeps)
{
    struct scene s;
    uint64_t before;

    scene_init(&s, 3, 2);
    scene_pass(&s, 5000);
    before = core_counts(s.c)->steps;
    scene_pass(&s, 60000);         /* PING 5 x 60, INFO 3 x 6, hello 5 x 30, with their answers and a few ticks */
    ck_assert_uint_lt(core_counts(s.c)->steps - before, 1000);
    scene_fini(&s);
}
END_TEST

START_TEST(test_names)
{
    for (int i = 0; i < EV_KINDS; i++)
        ck_assert_str_ne(event_kind_name(i), "?");
    for (int i = 0; i < ACT_KINDS; i++)
        ck_assert_str_ne(action_kind_name(i), "?");
    for (int i = 0; i < NEWS_KINDS; i++)
        ck_assert(news_name(i)[0] == '+' || news_name(i)[0] == '-');
    for (int i = 0; i < FO_STATES; i++)
        ck_assert_str_ne(fo_state_name(i), "?");
    for (int i = 0; i < FO_EVENTS; i++)
        ck_assert_str_ne(fo_event_name(i), "?");
    for (int i = 0; i <= REFUSED_ORDER; i++)
        ck_assert_str_ne(refusal_name(i), "?");
    for (int i = 0; i < GOPT_COUNT; i++)
        ck_assert_str_ne(group_opt_name(i), "?");
    for (int i = 0; i <= HOW_BY_US; i++)
        ck_assert_str_ne(link_how_name(i), "?");
    for (int i = 0; i <= PONG_ERROR; i++)
        ck_assert_str_ne(pong_name(i), "?");
    for (int i = 0; i <= RECONF_DONE; i++)
        ck_assert_str_ne(reconf_name(i), "?");
    for (int i = 0; i <= ROLE_REPLICA; i++)
        ck_assert_str_ne(node_role_name(i), "?");
    ck_assert_str_eq(order_name(ORDER_REPOINT), "repoint");
    ck_assert_str_eq(link_kind_name(LINK_PEER), "peer");
    ck_assert_str_eq(fo_state_name(99), "?");
    ck_assert_ptr_null(fo_state_wire_name(FO_IDLE));
    ck_assert_str_eq(fo_state_wire_name(FO_REPOINTING), "reconf_slaves");
}
END_TEST

START_TEST(test_flags)
{
    struct scene s;
    char f[FLAGS_MAX];

    scene_init(&s, 3, 2);
    ck_assert_str_eq(core_node_flags(s.c, scene_node(&s, 1), f), "master");
    ck_assert_str_eq(core_node_flags(s.c, scene_node(&s, 2), f), "slave");
    ck_assert_str_eq(core_seat_flags(s.c, scene_seat(&s, 2), f), "sentinel");
    scene_kill(&s, 1);
    scene_answer(&s, 2, true, "", 0);
    ck_assert_str_eq(core_node_flags(s.c, scene_node(&s, 1), f), "s_down,o_down,master,disconnected,failover_in_progress");
    ck_assert_str_eq(core_seat_flags(s.c, scene_seat(&s, 2), f), "sentinel,master_down");
    scene_fini(&s);
}
END_TEST

SUITE(model, test_ids_are_not_reused_soon, test_heap, test_two_groups_on_one_primary, test_settings_change_deadlines,
      test_at_rest_it_sleeps, test_names, test_flags)
