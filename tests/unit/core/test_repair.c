/* Strays are put right, in time and not before. */
#include "tests/support/suite.h"
#include "tests/unit/core/scene.h"

START_TEST(test_a_stray_primary)
{
    struct scene s;

    scene_init(&s, 3, 2);
    ck_assert_str_eq(scene_info(&s, 3, ROLE_PRIMARY, 0, false, 9), "-role-change n3");
    scene_pass(&s, 3900);
    ck_assert_str_eq(str_c(&s.all), "-role-change n3\n");
    scene_pass(&s, 200);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "repoint n3 -> n1; +convert-to-slave n3"));
    scene_forget(&s);
    scene_pass(&s, 1000);          /* not again at once */
    ck_assert_str_eq(str_c(&s.all), "");
    scene_fini(&s);
}
END_TEST

START_TEST(test_a_replica_of_somebody_else)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_step(&s, (struct event){.kind = EV_GROUP_SET, .group = s.group, .u.set = {GOPT_FAILOVER_TIMEOUT_MS, 7000}});
    scene_info(&s, 3, ROLE_REPLICA, 2, true, 9);
    scene_pass(&s, 6900);
    ck_assert_str_eq(str_c(&s.all), "");
    scene_pass(&s, 200);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "repoint n3 -> n1; +fix-slave-config n3"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_not_towards_a_doubtful_primary)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_info(&s, 3, ROLE_PRIMARY, 0, false, 9);
    scene_kill(&s, 1);
    scene_pass(&s, 9000);
    ck_assert_ptr_null(strstr(str_c(&s.all), "repoint"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_the_old_primary_comes_back)
{
    struct scene s;

    scene_init(&s, 3, 2);
    s.now += 10;
    scene_fail_over(&s);
    s.now += 1000;
    scene_tick(&s);
    scene_up(&s, scene_cmd(&s, 1));
    scene_pong(&s, scene_cmd(&s, 1), PONG_OK);
    scene_info(&s, 1, ROLE_PRIMARY, 0, false, 750);
    scene_pong(&s, scene_cmd(&s, 2), PONG_OK);
    scene_pong(&s, scene_cmd(&s, 3), PONG_OK);
    scene_forget(&s);
    s.now += 9;
    scene_tick(&s);
    scene_pong(&s, scene_peer(&s, 3), PONG_OK);
    ck_assert_str_eq(str_c(&s.all), "");
    s.now += 1;                    /* we led, a majority of links stood all the time and just answered */
    ck_assert_str_eq(scene_tick(&s), "repoint n1 -> n2; +convert-to-slave n1");
    scene_fini(&s);
}
END_TEST

/* Everything within one millisecond, as on loopback: the peers' answers are asked for anew. */
START_TEST(test_the_old_primary_comes_back_at_once)
{
    struct scene s;

    scene_init(&s, 3, 2);
    s.now += 10;
    scene_fail_over(&s);
    s.now += 300;
    scene_up(&s, scene_cmd(&s, 1));
    scene_pong(&s, scene_cmd(&s, 1), PONG_OK);
    scene_info(&s, 1, ROLE_PRIMARY, 0, false, 750);
    scene_pong(&s, scene_peer(&s, 2), PONG_OK);
    scene_pong(&s, scene_peer(&s, 3), PONG_OK);
    scene_forget(&s);
    scene_pass(&s, 60);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "repoint n1 -> n2; +convert-to-slave n1"));
    scene_fini(&s);
}
END_TEST

/* Back, and not through with loading: it would refuse the order, so it is asked until it would not. */
START_TEST(test_the_old_primary_still_loads)
{
    struct scene s;
    struct node_info i = {.role = ROLE_PRIMARY, .loading = true, .offset = 750, .priority = 100, .announced = true};

    scene_init(&s, 3, 2);
    s.now += 10;
    scene_fail_over(&s);
    s.now += 300;
    scene_up(&s, scene_cmd(&s, 1));
    scene_pong(&s, scene_cmd(&s, 1), PONG_LOADING);
    scene_info_is(&s, 1, &i);
    scene_forget(&s);
    scene_pass(&s, 60);
    ck_assert_ptr_null(strstr(str_c(&s.all), "repoint"));
    i.loading = false;
    while (scene_node(&s, 1)->info_open > 0)
        scene_info_is(&s, 1, &i);
    scene_pong(&s, scene_peer(&s, 2), PONG_OK);
    scene_pong(&s, scene_peer(&s, 3), PONG_OK);
    scene_pass(&s, 25);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "repoint n1 -> n2; +convert-to-slave n1"));
    scene_fini(&s);
}
END_TEST

SUITE(repair, test_the_old_primary_still_loads, test_a_stray_primary, test_a_replica_of_somebody_else, test_not_towards_a_doubtful_primary,
      test_the_old_primary_comes_back, test_the_old_primary_comes_back_at_once)
