/* Replicas are drawn off a primary that is down before one of them is promoted; and nobody stays drawn off. */
#include "sentinel/core/inside.h"
#include "tests/support/suite.h"
#include "tests/unit/core/scene.h"

static struct node_info sealed(int node, int64_t offset)
{
    struct node_info i = {.role = ROLE_REPLICA, .offset = offset, .priority = 100, .announced = true, .primary = *seal_hole(),
                          .link_down_ms = 3000};

    memset(i.run_id, 'a' + node, ID_HEX);
    return i;
}

static const char *is_sealed(struct scene *s, int node, int64_t offset)
{
    struct node_info i = sealed(node, offset);

    scene_order_done(s, node, ORDER_SEAL, true, true, NULL);
    return scene_info_is(s, node, &i);
}

/* Both replicas told their offsets: n3 would be it. */
static void chosen(struct scene *s, int nodes)
{
    scene_init(s, nodes, 2);
    scene_seals(s, 300);
    s->now += 10;
    scene_kill(s, 1);
    scene_elect(s);
    scene_info(s, 2, ROLE_REPLICA, 1, false, 500);
}

START_TEST(test_whole_way)
{
    struct scene s;

    chosen(&s, 3);
    ck_assert_str_eq(scene_info(&s, 3, ROLE_REPLICA, 1, false, 700), "seal n2; seal n3; +failover-state-seal-slaves n1");
    ck_assert_str_eq(is_sealed(&s, 3, 700), "");
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_SEALING);
    ck_assert_str_eq(is_sealed(&s, 2, 710),            /* it had more on its way: now that is known, and final */
                     "promote n2; +selected-slave n2; +failover-state-send-slaveof-noone n2; +failover-state-wait-promotion n2");
    scene_info(&s, 2, ROLE_PRIMARY, 0, false, 710);
    ck_assert_ptr_nonnull(strstr(str_c(&s.told), "repoint n3 -> n2; +slave-reconf-sent n3"));
    scene_info(&s, 3, ROLE_REPLICA, 2, true, 710);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_IDLE);
    scene_fini(&s);
}
END_TEST

/* An attempt that finds nobody disturbs nobody. */
START_TEST(test_nobody_is_sealed_for_nothing)
{
    struct scene s;
    struct node_info never = {.role = ROLE_REPLICA, .offset = 700, .priority = 0, .announced = true, .primary = scene_addr(1)};

    scene_init(&s, 2, 2);
    scene_seals(&s, 300);
    scene_kill(&s, 1);
    scene_elect(&s);
    memset(never.run_id, 'c', ID_HEX);
    ck_assert_ptr_nonnull(strstr(scene_info_is(&s, 2, &never), "-failover-abort-no-good-slave"));
    ck_assert_ptr_null(strstr(str_c(&s.all), "seal"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_not_where_it_is_switched_off)
{
    struct scene s;

    chosen(&s, 3);
    scene_step(&s, (struct event){.kind = EV_GROUP_SET, .group = s.group, .u.set = {GOPT_SEAL, 0}});
    ck_assert_ptr_nonnull(strstr(scene_info(&s, 3, ROLE_REPLICA, 1, false, 700), "promote n3"));
    scene_fini(&s);
}
END_TEST

/* An operator's order while the primary lives: it goes on feeding them until one leads. */
START_TEST(test_not_of_a_primary_that_lives)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_seals(&s, 300);
    scene_step(&s, (struct event){.kind = EV_FAILOVER, .group = s.group, .ticket = 1});
    scene_answer(&s, 2, false, scene_id(1), 1);
    scene_info(&s, 2, ROLE_REPLICA, 1, true, 800);
    ck_assert_ptr_nonnull(strstr(scene_info(&s, 3, ROLE_REPLICA, 1, true, 700), "promote n2"));
    ck_assert_ptr_null(strstr(str_c(&s.all), "seal"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_who_does_not_answer_is_not_waited_for)
{
    struct scene s;

    chosen(&s, 3);
    scene_info(&s, 3, ROLE_REPLICA, 1, false, 700);
    is_sealed(&s, 2, 500);
    scene_mute(&s, 2);
    scene_mute(&s, 3);
    scene_pass(&s, 301);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "promote n2"));
    ck_assert_int_eq(scene_node(&s, 3)->refused, REFUSED_STALE_INFO);
    scene_fini(&s);
}
END_TEST

/* All of them hang: who is waited for is the first that does not any more. */
START_TEST(test_one_is_waited_for)
{
    struct scene s;

    chosen(&s, 3);
    scene_info(&s, 3, ROLE_REPLICA, 1, false, 700);
    scene_mute(&s, 2);
    scene_mute(&s, 3);
    scene_pass(&s, 1000);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_SEALING);
    is_sealed(&s, 2, 500);
    scene_pass(&s, 301);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "promote n2"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_who_refuses_is_not_promoted)
{
    struct scene s;

    chosen(&s, 3);
    scene_info(&s, 3, ROLE_REPLICA, 1, false, 700);
    scene_order_done(&s, 3, ORDER_SEAL, false, false, "SLAVEOF: NOPERM this user has no permissions");
    ck_assert_ptr_nonnull(strstr(is_sealed(&s, 2, 500), "promote n2"));
    ck_assert_int_eq(scene_node(&s, 3)->refused, REFUSED_ORDER);
    scene_fini(&s);
}
END_TEST

/* A node without a configuration file is promoted all the same, and that its restart would undo it is told once. */
START_TEST(test_a_loose_one_is_told_once)
{
    struct scene s;

    chosen(&s, 3);
    scene_info(&s, 3, ROLE_REPLICA, 1, false, 700);
    is_sealed(&s, 3, 700);
    ck_assert_ptr_nonnull(strstr(is_sealed(&s, 2, 800), "promote n2"));
    ck_assert_str_eq(scene_order_done(&s, 2, ORDER_KEEP, false, false, "ERR no file"), "+role-not-kept n2");
    ck_assert(scene_node(&s, 2)->loose);
    ck_assert_str_eq(scene_order_done(&s, 2, ORDER_REPOINT, true, false, "CONFIG REWRITE: ERR no file"), "");
    ck_assert_str_eq(scene_order_done(&s, 2, ORDER_KEEP, true, true, NULL), "-role-not-kept n2");
    scene_fini(&s);
}
END_TEST

/* The primary is back between the seals and the promotion: it gets them back at once. */
START_TEST(test_the_primary_is_back)
{
    struct scene s;

    chosen(&s, 3);
    scene_info(&s, 3, ROLE_REPLICA, 1, false, 700);
    is_sealed(&s, 3, 700);
    scene_up(&s, scene_cmd(&s, 1));
    ck_assert_ptr_nonnull(strstr(scene_pong(&s, scene_cmd(&s, 1), PONG_OK), "-failover-withdrawn n1"));
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_IDLE);
    scene_info(&s, 1, ROLE_PRIMARY, 3, false, 700);
    scene_info_is(&s, 3, &(struct node_info){.role = ROLE_REPLICA, .offset = 700, .priority = 100, .primary = *seal_hole()});
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "repoint n3 -> n1; +fix-slave-config n3"));
    is_sealed(&s, 2, 700);
    is_sealed(&s, 2, 700);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "repoint n2 -> n1; +fix-slave-config n2"));
    scene_fini(&s);
}
END_TEST

/* Who sealed it is gone: the first of those at hand points it back after a hello period. */
START_TEST(test_who_sealed_it_is_gone)
{
    struct scene s;
    struct node_info i = sealed(3, 700);

    scene_init(&s, 3, 2);
    scene_info_is(&s, 3, &i);
    scene_forget(&s);
    scene_pass(&s, 1990);
    ck_assert_ptr_null(strstr(str_c(&s.all), "repoint"));
    scene_pass(&s, 20);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "repoint n3 -> n1; +fix-slave-config n3"));
    scene_fini(&s);
}
END_TEST

/* For how long it has followed nobody is not held against it. */
START_TEST(test_sealed_for_long_is_still_fit)
{
    struct scene s;
    struct node_info i = sealed(3, 700);

    scene_init(&s, 3, 2);
    i.link_down_ms = 600000;
    scene_info_is(&s, 3, &i);
    ck_assert_int_eq(scene_node(&s, 3)->follows_down_ms, 0);
    ck_assert_int_eq(core_refusal(s.c, scene_node(&s, 3)), REFUSED_NOT);
    scene_fini(&s);
}
END_TEST

SUITE(seal, test_whole_way, test_nobody_is_sealed_for_nothing, test_not_where_it_is_switched_off, test_not_of_a_primary_that_lives,
      test_who_does_not_answer_is_not_waited_for, test_one_is_waited_for, test_who_refuses_is_not_promoted, test_a_loose_one_is_told_once,
      test_the_primary_is_back, test_who_sealed_it_is_gone, test_sealed_for_long_is_still_fit)
