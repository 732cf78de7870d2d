/* Which replica, and why not the others: a table of cases. */
#include "tests/support/suite.h"
#include "tests/unit/core/scene.h"

struct told {
    int64_t offset, priority, link_down_ms;
    enum node_role role;
    bool loading;
};

static void tell(struct scene *s, int node, struct told t)
{
    struct node_info i = {.role = t.role, .offset = t.offset, .priority = t.priority, .announced = true,
                          .loading = t.loading, .link_down_ms = t.link_down_ms};

    memset(i.run_id, 'a' + node, ID_HEX);
    if (t.role == ROLE_REPLICA)
        i.primary = scene_addr(1);
    scene_step(s, (struct event){.kind = EV_INFO, .link = scene_cmd(s, node), .u.info = &i});
}

START_TEST(test_order_of_preference)
{
    static const struct {
        const char *what;
        struct told n2, n3;
        int best;
        enum refusal n2_refused;
    } cases[] = {
        {"longer history", {10, 100, 0, ROLE_REPLICA, false}, {11, 100, 0, ROLE_REPLICA, false}, 3, REFUSED_NOT},
        {"lower priority number", {10, 50, 0, ROLE_REPLICA, false}, {99, 100, 0, ROLE_REPLICA, false}, 2, REFUSED_NOT},
        {"never", {99, 0, 0, ROLE_REPLICA, false}, {1, 100, 0, ROLE_REPLICA, false}, 3, REFUSED_PRIORITY_ZERO},
        {"smaller run id", {10, 100, 0, ROLE_REPLICA, false}, {10, 100, 0, ROLE_REPLICA, false}, 2, REFUSED_NOT},
        {"out of sync", {10, 100, 60000, ROLE_REPLICA, false}, {9, 100, 0, ROLE_REPLICA, false}, 3, REFUSED_OUT_OF_SYNC},
        {"loading", {10, 100, 0, ROLE_REPLICA, true}, {9, 100, 0, ROLE_REPLICA, false}, 3, REFUSED_NOT_REPLICA},
        {"a replica before a stray", {99, 1, 0, ROLE_PRIMARY, false}, {9, 100, 0, ROLE_REPLICA, false}, 3, REFUSED_NOT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        const struct group *g;

        scene_init(&s, 3, 2);
        scene_kill(&s, 1);
        scene_elect(&s);
        tell(&s, 2, cases[i].n2);
        tell(&s, 3, cases[i].n3);
        g = scene_group(&s);
        ck_assert_msg(g->fo.state == FO_PROMOTING, "%s", cases[i].what);
        ck_assert_msg(g->fo.promoted == scene_node(&s, cases[i].best)->id, "%s", cases[i].what);
        ck_assert_msg(scene_node(&s, 2)->refused == cases[i].n2_refused, "%s: %s", cases[i].what,
                      refusal_name(scene_node(&s, 2)->refused));
        ck_assert_int_eq(scene_node(&s, 1)->refused, REFUSED_PRIMARY);
        scene_fini(&s);
    }
}
END_TEST

START_TEST(test_down_and_disconnected)
{
    struct scene s;

    scene_init(&s, 4, 2);
    scene_kill(&s, 1);
    scene_kill(&s, 2);
    scene_down(&s, scene_cmd(&s, 3), HOW_TIMEOUT);
    scene_elect(&s);
    scene_info(&s, 4, ROLE_REPLICA, 1, false, 1);
    ck_assert_int_eq(scene_group(&s)->fo.promoted, scene_node(&s, 4)->id);
    ck_assert_int_eq(scene_node(&s, 2)->refused, REFUSED_DISCONNECTED);
    ck_assert_int_eq(scene_node(&s, 3)->refused, REFUSED_DISCONNECTED);
    scene_fini(&s);
}
END_TEST

START_TEST(test_silent)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_step(&s, (struct event){.kind = EV_GROUP_SET, .group = s.group, .u.set = {GOPT_DOWN_AFTER_MS, 30000}});
    scene_mute(&s, 3);
    scene_pass(&s, 8000);
    scene_kill(&s, 1);
    scene_elect(&s);
    for (int i = 0; i < 2; i++) {
        scene_info(&s, 2, ROLE_REPLICA, 1, false, 1);
        scene_info(&s, 3, ROLE_REPLICA, 1, false, 9);
    }
    ck_assert_int_eq(scene_group(&s)->fo.promoted, scene_node(&s, 2)->id);
    ck_assert_int_eq(scene_node(&s, 3)->refused, REFUSED_SILENT);
    scene_fini(&s);
}
END_TEST

/* Told to follow each other by configurations that nobody could rewrite: one of them has to lead. */
START_TEST(test_two_that_follow_each_other)
{
    struct scene s;

    scene_init(&s, 2, 2);
    tell(&s, 2, (struct told){10, 100, 3600000, ROLE_REPLICA, false});
    ck_assert_int_eq(core_refusal(s.c, scene_node(&s, 2)), REFUSED_OUT_OF_SYNC);
    scene_info(&s, 1, ROLE_REPLICA, 2, false, 10);
    ck_assert_int_eq(core_refusal(s.c, scene_node(&s, 2)), REFUSED_NOT);
    scene_fini(&s);
}
END_TEST

SUITE(choose, test_two_that_follow_each_other, test_order_of_preference, test_down_and_disconnected, test_silent)
