/* A planned switch: the primary hands over, or keeps its office, or it is taken without its help. */
#include "tests/support/suite.h"
#include "tests/unit/core/scene.h"

static const char *order(struct scene *s, bool coordinated)
{
    struct event ev = {.kind = EV_FAILOVER, .ticket = 3, .group = s->group, .u.coordinated = coordinated};

    return scene_step(s, ev);
}

/* The primary was told; n2 is the best. */
static void ordered(struct scene *s, bool kvnode, enum node_hands hands, bool coordinated)
{
    scene_init(s, 3, 2);
    scene_hands(s, 1, kvnode, hands);
    scene_info(s, 1, ROLE_PRIMARY, 3, false, 900);
    ck_assert_ptr_nonnull(strstr(order(s, coordinated), "reply OK"));
    scene_answer(s, 2, false, scene_id(1), 1);
    scene_info(s, 2, ROLE_REPLICA, 1, true, 800);
    scene_info(s, 3, ROLE_REPLICA, 1, true, 700);
}

static void handing(struct scene *s, bool kvnode, bool coordinated) { ordered(s, kvnode, HANDS_IDLE, coordinated); }

static void done(struct scene *s, enum order what, bool ok)
{
    struct event ev = {.kind = EV_ORDER_DONE, .link = scene_cmd(s, 1), .u.order = {.what = what, .ok = ok, .why = ok ? NULL : "ERR no"}};

    scene_step(s, ev);
}

static void later(struct scene *s, int64_t ms)
{
    s->now += ms;
    scene_tick(s);
}

START_TEST(test_who_is_asked)
{
    struct scene s;

    for (int i = 0; i < 4; i++) {      /* whoever knows how */
        handing(&s, i & 1, i & 2);
        ck_assert_ptr_nonnull(strstr(str_c(&s.told), "hand-over n1 -> n2; +selected-slave n2; +failover-state-send-failover n1"));
        ck_assert_int_eq(scene_group(&s)->fo.state, FO_HANDING);
        scene_fini(&s);
    }
    ordered(&s, false, HANDS_UNKNOWN, false);      /* an old server: as ever */
    ck_assert_ptr_nonnull(strstr(str_c(&s.told), "promote n2"));
    ck_assert_ptr_null(strstr(str_c(&s.told), "hand-over"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_refused_at_once)
{
    struct scene s;

    scene_init(&s, 3, 2);
    ck_assert_str_eq(order(&s, true), "reply NOGOODPRIMARY Primary does not support FAILOVER command");
    scene_hands(&s, 1, true, HANDS_IDLE);
    scene_info(&s, 1, ROLE_PRIMARY, 3, false, 900);
    scene_kill(&s, 1);
    ck_assert_str_eq(order(&s, true), "reply NOGOODPRIMARY Primary is not well enough to hand over");
    scene_fini(&s);

    scene_init(&s, 1, 2);
    ck_assert_str_eq(order(&s, true), "reply NOGOODSLAVE No suitable replica to promote");
    scene_fini(&s);
}
END_TEST

START_TEST(test_handed_over)
{
    struct scene s;
    const char *told;

    handing(&s, true, false);
    done(&s, ORDER_HAND_OVER, true);
    scene_hands(&s, 1, true, HANDS_OVER);
    ck_assert_str_eq(scene_info(&s, 1, ROLE_PRIMARY, 3, false, 900), "");
    ck_assert_str_eq(scene_info(&s, 2, ROLE_REPLICA, 1, true, 900), "");
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_HANDING);
    later(&s, 2);                      /* asked again soon: its writers wait */
    told = scene_info(&s, 2, ROLE_PRIMARY, 0, false, 900);
    ck_assert_ptr_nonnull(strstr(told, "+promoted-slave n2"));
    ck_assert_ptr_nonnull(strstr(told, "+switch-master"));
    ck_assert_ptr_nonnull(strstr(told, "repoint n1 -> n2"));
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_REPOINTING);
    scene_info(&s, 1, ROLE_REPLICA, 2, true, 900);
    scene_info(&s, 3, ROLE_REPLICA, 2, true, 900);
    ck_assert_int_eq(scene_group(&s)->fo.way, WAY_TAKE);
    scene_fini(&s);
}
END_TEST

/* An INFO that was on its way before the order says nothing about it. */
START_TEST(test_old_answers_do_not_count)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_hands(&s, 1, true, HANDS_IDLE);
    scene_info(&s, 1, ROLE_PRIMARY, 3, false, 900);
    later(&s, 10000);                  /* the periodic INFO of the primary leaves, unanswered */
    order(&s, true);
    scene_answer(&s, 2, false, scene_id(1), 1);
    for (int i = 0; i < 2; i++) {
        scene_info(&s, 2, ROLE_REPLICA, 1, true, 800);
        scene_info(&s, 3, ROLE_REPLICA, 1, true, 700);
    }
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_HANDING);
    scene_info(&s, 1, ROLE_PRIMARY, 3, false, 900);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_HANDING);
    scene_info(&s, 1, ROLE_PRIMARY, 3, false, 900);        /* this one was asked behind the order: it gave up */
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_CALLING_BACK);
    scene_fini(&s);
}
END_TEST

/* Both told that all is as it was. */
static const char *all_as_it_was(struct scene *s)
{
    scene_hands(s, 1, true, HANDS_IDLE);
    for (int i = 0; i < 3; i++) {      /* more than are owed: which of them settles it is not our business */
        scene_info(s, 1, ROLE_PRIMARY, 3, false, 900);
        scene_info(s, 2, ROLE_REPLICA, 1, true, 900);
    }
    return str_c(&s->all);
}

START_TEST(test_too_slow)
{
    struct scene s;

    handing(&s, true, true);
    done(&s, ORDER_HAND_OVER, true);
    scene_hands(&s, 1, true, HANDS_OVER);
    scene_info(&s, 1, ROLE_PRIMARY, 3, false, 900);
    scene_info(&s, 2, ROLE_REPLICA, 1, true, 800);
    later(&s, 5499);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_HANDING);
    later(&s, 1);
    ck_assert_ptr_nonnull(strstr(str_c(&s.told), "call-back n1"));
    ck_assert_ptr_nonnull(strstr(all_as_it_was(&s), "-failover-not-handed-over n1"));
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_IDLE);
    ck_assert(!scene_group(&s)->fo.forced);
    ck_assert_uint_eq(scene_group(&s)->config_epoch, 0);
    scene_fini(&s);
}
END_TEST

/* Everybody who lives is asked anew: who was chosen may have been started again meanwhile. */
static const char *asked_anew(struct scene *s)
{
    ck_assert_int_eq(scene_group(s)->fo.state, FO_ASKING);
    for (int i = 0; i < 8 && scene_group(s)->fo.state == FO_ASKING; i++)
        for (int n = 1; n <= 3; n++)
            if (scene_node(s, n)->w.up)
                scene_info(s, n, n == 1 ? ROLE_PRIMARY : ROLE_REPLICA, n == 1 ? 0 : 1, n != 1, n == 1 ? 900 : 800 - n);
    return str_c(&s->all);
}

START_TEST(test_then_without_its_help)
{
    struct scene s;

    handing(&s, true, false);
    done(&s, ORDER_HAND_OVER, false);
    ck_assert_ptr_null(strstr(str_c(&s.told), "call-back n1"));      /* refused: what runs there is not ours to end */
    all_as_it_was(&s);
    ck_assert_ptr_nonnull(strstr(asked_anew(&s), "promote n2"));
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_PROMOTING);
    scene_fini(&s);

    handing(&s, true, false);          /* nobody says how it stands */
    later(&s, 1500);
    ck_assert_ptr_nonnull(strstr(str_c(&s.told), "call-back n1"));
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_CALLING_BACK);
    later(&s, 2000);
    ck_assert_ptr_nonnull(strstr(asked_anew(&s), "promote n2"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_recall_comes_too_late)
{
    struct scene s;

    handing(&s, true, true);
    done(&s, ORDER_HAND_OVER, true);
    later(&s, 5500);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_CALLING_BACK);
    scene_info(&s, 2, ROLE_REPLICA, 1, true, 800);
    for (int i = 0; i < 3; i++)
        scene_info(&s, 2, ROLE_PRIMARY, 0, false, 900);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "+switch-master"));
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_REPOINTING);
    scene_fini(&s);
}
END_TEST

START_TEST(test_primary_dies_of_it)
{
    struct scene s;

    handing(&s, true, false);
    done(&s, ORDER_HAND_OVER, true);
    scene_kill(&s, 1);
    scene_info(&s, 2, ROLE_REPLICA, 1, false, 800);
    scene_info(&s, 2, ROLE_REPLICA, 1, false, 800);
    ck_assert_ptr_nonnull(strstr(asked_anew(&s), "promote n2"));
    scene_fini(&s);

    handing(&s, true, true);
    done(&s, ORDER_HAND_OVER, true);
    scene_kill(&s, 1);
    scene_info(&s, 2, ROLE_REPLICA, 1, false, 800);
    scene_info(&s, 2, ROLE_REPLICA, 1, false, 800);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_IDLE);
    scene_answer(&s, 2, true, "", 0);  /* now it is an ordinary failover */
    ck_assert(scene_group(&s)->odown);
    later(&s, 20);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_BIDDING);
    ck_assert(!scene_group(&s)->fo.forced);
    scene_fini(&s);
}
END_TEST

/* Whoever asked for the hand-over is gone, and nobody was told: the one that has the office is found. */
START_TEST(test_an_office_handed_over_is_found)
{
    struct scene s;

    scene_init(&s, 4, 2);
    scene_hands(&s, 1, true, HANDS_IDLE);
    scene_info(&s, 3, ROLE_PRIMARY, 0, false, 100);
    scene_info(&s, 1, ROLE_REPLICA, 3, true, 100);
    scene_pass(&s, 6900);
    ck_assert(!scene_node(&s, 1)->sdown);
    scene_pass(&s, 200);
    ck_assert(scene_node(&s, 1)->sdown);
    scene_elect(&s);
    for (int i = 0; i < 2; i++) {
        scene_info(&s, 2, ROLE_REPLICA, 1, true, 900);
        scene_info(&s, 4, ROLE_REPLICA, 1, true, 900);
        scene_info(&s, 3, ROLE_PRIMARY, 0, false, 100);
    }
    ck_assert(strstr(str_c(&s.all), "promote n3") != NULL);
    ck_assert(strstr(str_c(&s.all), "+switch-master") != NULL);
    ck_assert(scene_group(&s)->primary == scene_node(&s, 3)->id);
    scene_fini(&s);
}
END_TEST

START_TEST(test_a_newer_configuration_settles_it)
{
    struct scene s;

    handing(&s, true, true);
    ck_assert_ptr_nonnull(strstr(scene_hello(&s, 2, 9, 3, 9), "call-back n1"));
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_IDLE);
    scene_fini(&s);
}
END_TEST

SUITE(hand_over, test_who_is_asked, test_refused_at_once, test_handed_over, test_old_answers_do_not_count, test_too_slow,
      test_then_without_its_help, test_recall_comes_too_late, test_primary_dies_of_it,
      test_an_office_handed_over_is_found, test_a_newer_configuration_settles_it)
