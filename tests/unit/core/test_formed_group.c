/* A formed group in the plain core: watched as before, decided upon by somebody else. */
#include "tests/support/suite.h"
#include "tests/unit/core/scene.h"

static const char *formed(struct scene *s, bool on)
{
    return scene_step(s, (struct event){.kind = EV_GROUP_FORMED, .group = s->group, .u.formed = on});
}

static const char *switch_to(struct scene *s, int node, uint64_t epoch)
{
    return scene_step(s, (struct event){.kind = EV_SWITCH, .group = s->group,
                                        .u.switched = {scene_addr(node), epoch, true}});
}

START_TEST(test_its_primary_is_called_down_but_not_replaced)
{
    struct scene s;

    scene_init(&s, 3, 2);
    ck_assert_str_eq(formed(&s, true), "");
    scene_kill(&s, 1);
    scene_answer(&s, 2, true, "", 0);
    scene_answer(&s, 3, true, "", 0);
    ck_assert(scene_group(&s)->odown);
    scene_pass(&s, 20000);
    ck_assert_ptr_null(strstr(str_c(&s.all), "+try-failover"));
    ck_assert_ptr_null(strstr(str_c(&s.all), "repoint"));
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_IDLE);
    scene_forget(&s);
    formed(&s, false);                     /* plain again: and it is down */
    scene_answer(&s, 2, true, "", 0);
    scene_answer(&s, 3, true, "", 0);
    scene_pass(&s, 500);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "+try-failover"));
    scene_fini(&s);
}
END_TEST

/* A plain group is met anew by way of its primary. A formed one must do when that dies in the next moment. */
START_TEST(test_reset_keeps_who_is_at_hand)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_step(&s, (struct event){.kind = EV_GROUP_RESET, .group = s.group});
    ck_assert_uint_eq(scene_group(&s)->nodes.n, 1);
    ck_assert_uint_eq(scene_group(&s)->seats.n, 0);
    scene_fini(&s);
    scene_init(&s, 3, 2);
    formed(&s, true);
    scene_kill(&s, 3);
    scene_down(&s, scene_peer(&s, 3), HOW_CLOSED);
    ck_assert_ptr_nonnull(strstr(scene_step(&s, (struct event){.kind = EV_GROUP_RESET, .group = s.group}), "+reset-master"));
    ck_assert_uint_eq(scene_group(&s)->nodes.n, 2);
    ck_assert_uint_eq(scene_group(&s)->seats.n, 1);
    scene_fini(&s);
}
END_TEST

START_TEST(test_it_gives_no_votes)
{
    struct scene s;

    scene_init(&s, 3, 2);
    formed(&s, true);
    scene_asked(&s, 7, scene_id(2));
    ck_assert_str_eq(scene_group(&s)->leader, "");
    ck_assert_uint_eq(scene_group(&s)->leader_epoch, 0);
    scene_fini(&s);
}
END_TEST

/* A node says that it is primary, and bound or not. */
static void told(struct scene *s, int node, bool bound)
{
    struct node_info i = {.role = ROLE_PRIMARY, .priority = 100, .announced = true, .bound = bound};

    scene_step(s, (struct event){.kind = EV_INFO, .link = scene_cmd(s, node), .u.info = &i});
}

START_TEST(test_a_node_that_is_bound_to_nothing_is_shown_its_primary)
{
    struct scene s;

    scene_init(&s, 3, 2);
    formed(&s, true);
    told(&s, 3, false);                    /* its disk was lost, or it is a stock server */
    scene_pass(&s, 2500);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "repoint n3 -> n1; +convert-to-slave n3"));
    scene_forget(&s);
    scene_mute(&s, 2);
    for (int k = 0; k < 9; k++) {          /* data of its own: that is an operator's business */
        struct node_info i = {.role = ROLE_PRIMARY, .priority = 100, .announced = true, .has_data = true};

        scene_step(&s, (struct event){.kind = EV_INFO, .link = scene_cmd(&s, 2), .u.info = &i});
        scene_pong(&s, scene_cmd(&s, 2), PONG_OK);
        scene_pass(&s, 900);
    }
    ck_assert_ptr_null(strstr(str_c(&s.all), "repoint n2"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_strays_and_hellos_are_left_alone)
{
    struct scene s;

    scene_init(&s, 3, 2);
    formed(&s, true);
    scene_mute(&s, 3);                     /* what it says is said here */
    for (int i = 0; i < 9; i++) {
        told(&s, 3, true);
        scene_pong(&s, scene_cmd(&s, 3), PONG_OK);
        scene_pass(&s, 900);
    }
    ck_assert_ptr_null(strstr(str_c(&s.all), "repoint"));
    scene_hello(&s, 2, 40, 2, 40);
    ck_assert_int_eq(scene_group(&s)->primary, scene_node(&s, 1)->id);
    scene_fini(&s);
}
END_TEST

START_TEST(test_an_attempt_under_way_is_given_up)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_kill(&s, 1);
    scene_answer(&s, 2, true, "", 0);
    scene_answer(&s, 3, true, "", 0);
    scene_pass(&s, 50);
    ck_assert_int_ne(scene_group(&s)->fo.state, FO_IDLE);
    formed(&s, true);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_IDLE);
    scene_fini(&s);
}
END_TEST

START_TEST(test_clients_are_told_of_a_switch)
{
    struct scene s;
    const char *said;

    scene_init(&s, 3, 2);
    ck_assert_str_eq(switch_to(&s, 2, 5), "");      /* a plain group is not switched from outside */
    formed(&s, true);
    said = switch_to(&s, 2, 5);
    ck_assert_ptr_nonnull(strstr(said, "+switch-master"));
    ck_assert_ptr_null(strstr(said, "repoint"));
    ck_assert_ptr_null(strstr(said, "promote"));
    ck_assert_int_eq(scene_group(&s)->primary, scene_node(&s, 2)->id);
    ck_assert_uint_eq(scene_group(&s)->config_epoch, 5);
    ck_assert_str_eq(switch_to(&s, 2, 5), "");
    said = switch_to(&s, 2, 6);                     /* the same node in another epoch */
    ck_assert_ptr_null(strstr(said, "+switch-master"));
    ck_assert_uint_eq(scene_group(&s)->config_epoch, 6);
    switch_to(&s, 1, 3);                            /* a ballot below the number of the configuration */
    ck_assert_uint_eq(scene_group(&s)->config_epoch, 7);
    ck_assert_int_eq(scene_group(&s)->primary, scene_node(&s, 1)->id);
    scene_fini(&s);
}
END_TEST

START_TEST(test_an_operator_is_told_to_ask_elsewhere)
{
    struct scene s;

    scene_init(&s, 3, 2);
    formed(&s, true);
    ck_assert_ptr_nonnull(strstr(scene_step(&s, (struct event){.kind = EV_FAILOVER, .group = s.group, .ticket = 1}), "formed"));
    scene_fini(&s);
}
END_TEST

SUITE(formed_group, test_its_primary_is_called_down_but_not_replaced, test_reset_keeps_who_is_at_hand,
      test_it_gives_no_votes,
      test_strays_and_hellos_are_left_alone,
      test_a_node_that_is_bound_to_nothing_is_shown_its_primary, test_an_attempt_under_way_is_given_up, test_clients_are_told_of_a_switch,
      test_an_operator_is_told_to_ask_elsewhere)
