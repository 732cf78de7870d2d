/* Whose history a node has, and what follows from that for who is promoted. */
#include "sentinel/core/inside.h"
#include "tests/support/suite.h"
#include "tests/unit/core/scene.h"

static void id(char out[ID_MAX], char c)
{
    memset(out, 0, ID_MAX);
    if (c)
        memset(out, c, ID_HEX);
}

struct says {
    enum node_role role;
    int follows;
    char replid, replid2;              /* one digit of it; 0 = none told */
    int64_t offset, second, priority;
};

static const char *says(struct scene *s, int node, struct says t)
{
    struct node_info i = {.role = t.role, .offset = t.offset, .second_offset = t.second, .priority = t.priority ? t.priority : 100,
                          .announced = true};

    memset(i.run_id, 'a' + node, ID_HEX);
    id(i.replid, t.replid);
    id(i.replid2, t.replid2);
    if (t.role == ROLE_REPLICA)
        i.primary = scene_addr(t.follows);
    return scene_info_is(s, node, &i);
}

START_TEST(test_whose)
{
    static const struct {
        const char *what;
        struct says n3;
        enum lineage is;
    } cases[] = {
        {"the primary's", {ROLE_REPLICA, 1, 'b', 'a', 900, 500, 0}, LINEAGE_SAME},
        {"no word about it", {ROLE_REPLICA, 1, 0, 0, 900, -1, 0}, LINEAGE_SAME},
        {"zeroes are no id", {ROLE_REPLICA, 1, '0', '0', 900, -1, 0}, LINEAGE_SAME},
        {"it went on from the primary's", {ROLE_PRIMARY, 0, 'c', 'b', 950, 900, 0}, LINEAGE_SAME},
        {"where the primary has passed through", {ROLE_REPLICA, 1, 'a', 0, 499, -1, 0}, LINEAGE_OLDER},
        {"beyond where the primary left it", {ROLE_REPLICA, 1, 'a', 0, 500, -1, 0}, LINEAGE_OLDER},
        {"from an older one", {ROLE_PRIMARY, 0, 'd', 'a', 900, 450, 0}, LINEAGE_OLDER},
        {"unseen at the primary", {ROLE_REPLICA, 1, 'e', 0, 900, -1, 0}, LINEAGE_UNSEEN},
        {"of somebody else", {ROLE_REPLICA, 2, 'e', 0, 900, -1, 0}, LINEAGE_OTHER},
        {"came back empty", {ROLE_PRIMARY, 0, 'f', '0', 0, -1, 0}, LINEAGE_OTHER},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;

        scene_init(&s, 3, 2);
        says(&s, 1, (struct says){ROLE_PRIMARY, 0, 'b', 'a', 1000, 500, 0});
        says(&s, 3, cases[i].n3);
        ck_assert_msg(core_lineage(s.c, scene_node(&s, 3)) == cases[i].is, "%s: %d", cases[i].what,
                      core_lineage(s.c, scene_node(&s, 3)));
        scene_fini(&s);
    }
}
END_TEST

START_TEST(test_history_before_preference)
{
    static const struct {
        const char *what;
        struct says n2, n3;
        int best;                      /* 0 = nobody */
        enum refusal n3_refused;
    } cases[] = {
        {"an older one is longer and preferred", {ROLE_REPLICA, 1, 'b', 0, 10, -1, 0}, {ROLE_REPLICA, 1, 'a', 0, 900, -1, 1}, 2, REFUSED_NOT},
        {"an unseen one too", {ROLE_REPLICA, 1, 'b', 0, 10, -1, 0}, {ROLE_REPLICA, 1, 'e', 0, 900, -1, 1}, 2, REFUSED_NOT},
        {"an unseen one alone", {ROLE_REPLICA, 1, 'b', 0, 10, -1, -1}, {ROLE_REPLICA, 1, 'e', 0, 900, -1, 0}, 3, REFUSED_NOT},
        {"both went on from the primary's, unseen", {ROLE_REPLICA, 1, 'c', 'b', 109, 100, 0}, {ROLE_REPLICA, 1, 'c', 'b', 124, 100, 0}, 3,
         REFUSED_NOT},
        {"how much of the primary's comes first", {ROLE_REPLICA, 1, 'b', 0, 110, -1, 0}, {ROLE_REPLICA, 1, 'c', 'b', 124, 100, 0}, 2,
         REFUSED_NOT},
        {"an older one alone", {ROLE_REPLICA, 1, 'b', 0, 10, -1, -1}, {ROLE_REPLICA, 1, 'a', 0, 900, -1, 0}, 3, REFUSED_NOT},
        {"who came back empty is not taken even alone", {ROLE_REPLICA, 1, 'b', 0, 10, -1, -1}, {ROLE_PRIMARY, 0, 'f', 0, 0, -1, 0}, 0,
         REFUSED_LINEAGE},
        {"nor the replica of somebody else", {ROLE_REPLICA, 1, 'b', 0, 10, -1, -1}, {ROLE_REPLICA, 7, 'e', 0, 900, -1, 0}, 0,
         REFUSED_LINEAGE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        struct says n2 = cases[i].n2;

        scene_init(&s, 3, 2);
        says(&s, 1, (struct says){ROLE_PRIMARY, 0, 'a', 0, 300, -1, 0});
        says(&s, 1, (struct says){ROLE_PRIMARY, 0, 'b', 'a', 1000, 500, 0});
        scene_kill(&s, 1);
        scene_elect(&s);
        if (n2.priority < 0)
            scene_down(&s, scene_cmd(&s, 2), HOW_TIMEOUT);
        else
            says(&s, 2, n2);
        says(&s, 3, cases[i].n3);
        ck_assert_msg((scene_group(&s)->fo.promoted == 0) == (cases[i].best == 0), "%s", cases[i].what);
        if (cases[i].best)
            ck_assert_msg(scene_group(&s)->fo.promoted == scene_node(&s, cases[i].best)->id, "%s", cases[i].what);
        ck_assert_msg(scene_node(&s, 3)->refused == cases[i].n3_refused, "%s: %s", cases[i].what,
                      refusal_name(scene_node(&s, 3)->refused));
        scene_fini(&s);
    }
}
END_TEST

/* Who was promoted leaves its id behind, and what came before it is older. */
START_TEST(test_ids_of_former_primaries)
{
    struct scene s;

    scene_init(&s, 3, 2);
    says(&s, 1, (struct says){ROLE_PRIMARY, 0, 'a', 0, 1000, -1, 0});
    for (char c = 'b'; c < 'f'; c++)
        says(&s, 1, (struct says){ROLE_PRIMARY, 0, c, 0, 1000, -1, 0});
    says(&s, 3, (struct says){ROLE_REPLICA, 2, 'a', 0, 10, -1, 0});
    ck_assert_int_eq(core_lineage(s.c, scene_node(&s, 3)), LINEAGE_OLDER);
    for (char c = '1'; c < '9'; c++)   /* eight of them are remembered */
        says(&s, 1, (struct says){ROLE_PRIMARY, 0, c, 0, 1000, -1, 0});
    ck_assert_int_eq(core_lineage(s.c, scene_node(&s, 3)), LINEAGE_OTHER);
    scene_fini(&s);
}
END_TEST

/* The primary handed over, and the new one died before anybody saw it: as its file says it is a replica again, each follows
 * the other, and the one that was given the office has less than the one that gave it away. */
START_TEST(test_came_back_with_less)
{
    static const struct {
        const char *what;
        struct says n1, n2;
        bool fit;
    } cases[] = {
        {"empty", {ROLE_REPLICA, 2, 'c', 'b', 1000, 1001, 0}, {ROLE_REPLICA, 1, 'f', 0, 0, -1, 0}, false},
        {"empty, and all it was told since", {ROLE_REPLICA, 2, 'c', 'b', 1000, 1001, 0}, {ROLE_REPLICA, 1, 'f', 0, 5000, -1, 0}, false},
        {"an old file", {ROLE_REPLICA, 2, 'c', 'b', 1000, 1001, 0}, {ROLE_REPLICA, 1, 'b', 0, 900, -1, 0}, false},
        {"all of it", {ROLE_REPLICA, 2, 'c', 'b', 1000, 1001, 0}, {ROLE_REPLICA, 1, 'b', 0, 1000, -1, 0}, true},
        {"all, and what it took itself", {ROLE_REPLICA, 2, 'c', 'b', 1000, 1001, 0}, {ROLE_REPLICA, 1, 'c', 'b', 1100, 1001, 0}, true},
        {"it has the office", {ROLE_REPLICA, 2, 'c', 'b', 1000, 1001, 0}, {ROLE_PRIMARY, 0, 'c', 'b', 1000, 1001, 0}, true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;

        scene_init(&s, 2, 2);
        says(&s, 1, (struct says){ROLE_PRIMARY, 0, 'b', 0, 1000, -1, 0});
        says(&s, 1, cases[i].n1);
        says(&s, 2, cases[i].n2);
        ck_assert_msg((core_refusal(s.c, scene_node(&s, 2)) == REFUSED_NOT) == cases[i].fit, "%s: %s", cases[i].what,
                      refusal_name(core_refusal(s.c, scene_node(&s, 2))));
        scene_fini(&s);
    }
}
END_TEST

/* A sealed node may have been anybody's replica: that another, which nobody made primary, leads its history gives it away. */
START_TEST(test_sealed_at_another)
{
    struct node_info sealed = {.role = ROLE_REPLICA, .offset = 900, .second_offset = -1, .priority = 100, .announced = true};
    struct scene s;

    scene_init(&s, 3, 2);
    says(&s, 1, (struct says){ROLE_PRIMARY, 0, 'b', 'a', 1000, 500, 0});
    memset(sealed.run_id, 'a' + 3, ID_HEX);
    id(sealed.replid, 'e');
    sealed.primary = *seal_hole();
    scene_info_is(&s, 3, &sealed);
    ck_assert_int_eq(core_lineage(s.c, scene_node(&s, 3)), LINEAGE_UNSEEN);
    says(&s, 2, (struct says){ROLE_PRIMARY, 0, 'e', 'd', 950, 450, 0});
    ck_assert_int_eq(core_lineage(s.c, scene_node(&s, 3)), LINEAGE_OTHER);
    scene_fini(&s);
}
END_TEST

SUITE(lineage, test_whose, test_history_before_preference, test_ids_of_former_primaries, test_came_back_with_less,
      test_sealed_at_another)
