/* What others say becomes the model. */
#include "tests/support/suite.h"
#include "tests/unit/core/scene.h"

#include <stdio.h>

START_TEST(test_replicas_are_found)
{
    struct scene s;

    scene_init(&s, 1, 0);
    ck_assert_str_eq(scene_info(&s, 1, ROLE_PRIMARY, 3, false, 1),
                     "link-open n2; link-open n2/sub; +slave n2; link-open n3; link-open n3/sub; +slave n3; save");
    ck_assert_str_eq(scene_info(&s, 1, ROLE_PRIMARY, 3, false, 1), "");
    scene_fini(&s);
}
END_TEST

START_TEST(test_a_group_has_a_limit)
{
    struct scene s;
    struct node_info i = {.role = ROLE_PRIMARY};
    static struct info_replica many[GROUP_NODES_MAX + 10];

    scene_init(&s, 1, 0);
    for (size_t k = 0; k < GROUP_NODES_MAX + 10; k++) {
        snprintf(many[k].addr.host, sizeof many[k].addr.host, "10.1.%zu.%zu", k / 200, k % 200);
        many[k].addr.port = 1;
    }
    i.replicas = many;
    i.n_replicas = GROUP_NODES_MAX + 10;
    scene_step(&s, (struct event){.kind = EV_INFO, .link = scene_cmd(&s, 1), .u.info = &i});
    ck_assert_uint_eq(scene_group(&s)->nodes.n, GROUP_NODES_MAX);
    scene_fini(&s);
}
END_TEST

START_TEST(test_peers_are_met_and_move)
{
    struct scene s;
    struct hello h = {.group = "g", .primary = scene_addr(1)};

    scene_init(&s, 3, 0);
    ck_assert_str_eq(scene_hello(&s, 2, 0, 1, 0), "link-open s2; +sentinel; save");
    ck_assert_str_eq(scene_hello(&s, 2, 0, 1, 0), "");
    /* the same sentinel at another address */
    memcpy(h.id, scene_id(2), ID_MAX);
    h.from = scene_peer_addr(7);
    ck_assert_str_eq(scene_step(&s, (struct event){.kind = EV_HELLO, .u.hello = &h}),
                     "+sentinel-address-switch; link-open s7; save");
    /* another sentinel at that address: the old one is gone */
    memcpy(h.id, scene_id(5), ID_MAX);
    ck_assert_str_eq(scene_step(&s, (struct event){.kind = EV_HELLO, .u.hello = &h}),
                     "+sentinel-invalid-addr; link-close gone; link-open s7; +sentinel; save");
    ck_assert_uint_eq(scene_group(&s)->seats.n, 1);
    /* an address that nobody can dial makes no seat */
    memcpy(h.id, scene_id(6), ID_MAX);
    h.from.port = 0;
    ck_assert_str_eq(scene_step(&s, (struct event){.kind = EV_HELLO, .u.hello = &h}), "");
    ck_assert_uint_eq(scene_group(&s)->seats.n, 1);
    /* ourselves */
    ck_assert_str_eq(scene_hello(&s, 1, 0, 1, 0), "");
    scene_fini(&s);
}
END_TEST

START_TEST(test_newer_configuration)
{
    struct scene s;

    scene_init(&s, 3, 2);
    ck_assert_str_eq(scene_hello(&s, 2, 3, 2, 3),
                     "save; +new-epoch; +config-update-from; +switch-master; save; client-reconfig observer; "
                     "+slave n1; +slave n3");
    ck_assert_str_eq(core_client_addr(s.c, scene_group(&s))->host, "10.0.0.2");
    ck_assert_str_eq(scene_hello(&s, 3, 3, 1, 2), "");     /* an older one changes nothing */
    ck_assert_str_eq(core_client_addr(s.c, scene_group(&s))->host, "10.0.0.2");
    ck_assert_str_eq(scene_hello(&s, 3, 4, 2, 4), "save; +new-epoch; save");
    ck_assert_uint_eq(scene_group(&s)->config_epoch, 4);
    /* a node nobody had heard of */
    ck_assert_ptr_nonnull(strstr(scene_hello(&s, 3, 5, 9, 5), "link-open n9; link-open n9/sub"));
    ck_assert_str_eq(core_client_addr(s.c, scene_group(&s))->host, "10.0.0.9");
    ck_assert_uint_eq(scene_group(&s)->nodes.n, 4);
    scene_fini(&s);
}
END_TEST

START_TEST(test_who_missed_it_is_told)
{
    struct scene s;
    bool told = false;

    scene_init(&s, 3, 2);
    scene_hello(&s, 2, 3, 2, 3);
    s.now += 300;
    scene_hello(&s, 3, 0, 1, 0);
    for (size_t i = 0; i < s.out.list.n; i++)
        told |= s.out.list.at[i].kind == ACT_HELLO && s.out.list.at[i].hello->config_epoch == 3;
    ck_assert(told);
    scene_fini(&s);
}
END_TEST

START_TEST(test_saved_and_restored)
{
    struct scene s, t = {.now = 5000};
    struct saved disk, again;
    struct event add = {.kind = EV_GROUP_ADD};

    scene_init(&s, 3, 2);
    scene_asked(&s, 6, scene_id(3));
    scene_hello(&s, 2, 7, 2, 7);
    saved_init(&disk);
    core_saved(s.c, &disk);
    ck_assert_uint_eq(disk.current_epoch, 7);

    t.c = core_new(scene_id(1), 2);
    actions_init(&t.out);
    add.u.group_add.name = "g";
    add.u.group_add.addr = scene_addr(1);
    add.u.group_add.quorum = 2;
    add.u.group_add.restored = true;
    ck_assert_str_eq(scene_step(&t, add), "link-open n1; link-open n1/sub; +monitor n1");
    t.group = core_group_at(t.c, 0)->id;
    scene_step(&t, (struct event){.kind = EV_RESTORE, .u.saved = &disk});
    ck_assert_str_eq(core_client_addr(t.c, scene_group(&t))->host, "10.0.0.2");
    ck_assert_uint_eq(scene_group(&t)->nodes.n, 3);
    ck_assert_uint_eq(scene_group(&t)->seats.n, 2);
    saved_init(&again);
    core_saved(t.c, &again);
    ck_assert_uint_eq(again.current_epoch, disk.current_epoch);
    ck_assert_uint_eq(again.groups.at[0].leader_epoch, 6);
    ck_assert_str_eq(again.groups.at[0].leader, scene_id(3));
    ck_assert_uint_eq(again.groups.at[0].config_epoch, 7);
    /* and it does not vote in that epoch again */
    ck_assert_str_eq(scene_asked(&t, 6, scene_id(2)), "answer 0 s3 6");
    saved_fini(&disk);
    saved_fini(&again);
    scene_fini(&s);
    scene_fini(&t);
}
END_TEST

START_TEST(test_monitor_remove_reset)
{
    struct scene s;
    struct event add = {.kind = EV_GROUP_ADD, .ticket = 4};

    scene_init(&s, 3, 2);
    add.u.group_add.name = "g";
    add.u.group_add.addr = scene_addr(5);
    add.u.group_add.quorum = 1;
    ck_assert_str_eq(scene_step(&s, add), "reply ERR Duplicate master name");
    add.u.group_add.name = "h";
    ck_assert_str_eq(scene_step(&s, add), "link-open n5; link-open n5/sub; +monitor n5; save; reply OK");
    ck_assert_str_eq(scene_step(&s, (struct event){.kind = EV_GROUP_RESET, .group = s.group}),
                     "link-close gone; link-close gone; link-close gone; link-close gone/sub; link-close gone; "
                     "link-close gone/sub; "
                     "+reset-master n1; save");
    ck_assert_uint_eq(scene_group(&s)->nodes.n, 1);
    ck_assert_str_eq(scene_step(&s, (struct event){.kind = EV_GROUP_REMOVE, .group = s.group, .ticket = 5}),
                     "-monitor; link-close gone; link-close gone/sub; save; reply OK");
    ck_assert_uint_eq(core_group_count(s.c), 1);
    /* what comes late about it is ignored */
    ck_assert_str_eq(scene_step(&s, (struct event){.kind = EV_GROUP_REMOVE, .group = s.group, .ticket = 5}),
                     "reply ERR No such master with that name");
    ck_assert_ptr_nonnull(core_group_named(s.c, "h"));
    scene_fini(&s);
}
END_TEST

SUITE(observe, test_replicas_are_found, test_a_group_has_a_limit, test_peers_are_met_and_move, test_newer_configuration,
      test_who_missed_it_is_told, test_saved_and_restored, test_monitor_remove_reset)
