/* Votes: one per epoch, on disk first, counted exactly. */
#include "tests/support/suite.h"
#include "sentinel/core/inside.h"
#include "tests/unit/core/scene.h"

START_TEST(test_one_vote_per_epoch)
{
    struct scene s;

    scene_init(&s, 3, 4);
    ck_assert_str_eq(scene_asked(&s, 5, scene_id(2)), "save!; answer 0 s2 5; +new-epoch; +vote-for-leader");
    ck_assert_str_eq(scene_asked(&s, 5, scene_id(3)), "answer 0 s2 5");
    ck_assert_str_eq(scene_asked(&s, 5, scene_id(2)), "answer 0 s2 5");
    ck_assert_str_eq(scene_asked(&s, 4, scene_id(3)), "answer 0 s2 5");
    ck_assert_str_eq(scene_asked(&s, 6, scene_id(3)), "save!; answer 0 s3 6; +new-epoch; +vote-for-leader");
    ck_assert_uint_eq(core_current_epoch(s.c), 6);
    scene_fini(&s);
}
END_TEST

START_TEST(test_epoch_seen_elsewhere)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_hello(&s, 2, 8, 1, 0);
    ck_assert_str_eq(str_c(&s.told), "save; +new-epoch");
    /* epoch 5 is over, though we never voted in it */
    ck_assert_str_eq(scene_asked(&s, 5, scene_id(2)), "answer 0 * 0");
    ck_assert_str_eq(scene_asked(&s, 8, scene_id(2)), "save!; answer 0 s2 8; +vote-for-leader");
    scene_fini(&s);
}
END_TEST

START_TEST(test_only_asking)
{
    struct scene s;
    struct event ev = {.kind = EV_ASKED, .ticket = 1};

    scene_init(&s, 3, 2);
    ck_assert_str_eq(scene_asked(&s, 99, ""), "answer 0 * 0");
    ck_assert_uint_eq(core_current_epoch(s.c), 0);
    ev.u.asked.primary = scene_addr(9);
    ev.u.asked.epoch = 99;
    ev.u.asked.candidate = scene_id(2);
    ck_assert_str_eq(scene_step(&s, ev), "answer 0 * 0");
    scene_fini(&s);
}
END_TEST

START_TEST(test_no_vote_without_a_save)
{
    struct scene s;
    struct event failed = {.kind = EV_SAVE_FAILED};

    scene_init(&s, 3, 2);
    scene_asked(&s, 5, scene_id(2));
    ck_assert_str_eq(scene_step(&s, failed), "-state-not-saved; answer 0 * 0");
    ck_assert(core_save_broken(s.c));
    /* asked again, it must be saved before it is told; and it is never another's */
    ck_assert_str_eq(scene_asked(&s, 5, scene_id(3)), "save!; answer 0 s2 5");
    ck_assert_str_eq(scene_step(&s, failed), "answer 0 * 0");
    ck_assert_str_eq(scene_asked(&s, 5, scene_id(2)), "save!; answer 0 s2 5");
    scene_tick(&s);
    ck_assert(!core_save_broken(s.c));
    ck_assert_str_eq(scene_asked(&s, 5, scene_id(2)), "answer 0 s2 5");
    scene_fini(&s);
}
END_TEST

START_TEST(test_bid_is_saved_before_it_is_asked)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_kill(&s, 1);
    ck_assert_str_eq(scene_answer(&s, 2, true, "", 0),
                     "+odown n1; save!; ask s2 1 s1; ask s3 1 s1; +new-epoch; +try-failover n1; +vote-for-leader");
    scene_step(&s, (struct event){.kind = EV_SAVE_FAILED});
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_WAITING);      /* for a second or so */
    ck_assert_uint_eq(scene_group(&s)->leader_epoch, 1);
    ck_assert_str_eq(scene_asked(&s, 1, scene_id(2)), "save!; answer 1 s1 1");   /* kept, never another's */
    scene_fini(&s);
}
END_TEST

START_TEST(test_majority_of_all_known)
{
    struct scene s;

    scene_init(&s, 3, 4);          /* five sentinels: three votes needed, though the quorum is 2 */
    scene_kill(&s, 1);
    scene_answer(&s, 2, true, "", 0);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_BIDDING);
    scene_answer(&s, 2, true, scene_id(1), 1);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_BIDDING);
    scene_answer(&s, 3, true, scene_id(1), 0);     /* another epoch */
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_BIDDING);
    scene_answer(&s, 4, true, scene_id(1), 1);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_ASKING);
    scene_fini(&s);

    scene_init(&s, 3, 2);          /* three sentinels, but the quorum wants all */
    scene_step(&s, (struct event){.kind = EV_GROUP_SET, .group = s.group, .u.set = {GOPT_QUORUM, 3}});
    scene_kill(&s, 1);
    scene_answer(&s, 2, true, "", 0);
    scene_answer(&s, 3, true, "", 0);
    scene_answer(&s, 2, true, scene_id(1), 1);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_BIDDING);
    scene_answer(&s, 3, true, scene_id(1), 1);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_ASKING);
    scene_fini(&s);
}
END_TEST

START_TEST(test_split_vote_is_tried_again_soon)
{
    struct scene s;

    scene_init(&s, 3, 3);
    scene_kill(&s, 1);
    scene_answer(&s, 2, true, "", 0);
    scene_answer(&s, 3, true, "", 0);              /* the questions from before the bid */
    scene_answer(&s, 4, true, "", 0);
    scene_answer(&s, 2, true, scene_id(1), 1);
    scene_answer(&s, 3, true, scene_id(3), 1);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_BIDDING);
    scene_answer(&s, 4, true, scene_id(3), 1);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_WAITING);
    ck_assert_int_le(scene_group(&s)->fo.deadline_ms - s.now, 300);
    ck_assert_int_ge(scene_group(&s)->fo.deadline_ms - s.now, 50);
    scene_pass(&s, 310);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_BIDDING);
    ck_assert_uint_eq(scene_group(&s)->fo.epoch, 2);
    scene_fini(&s);
}
END_TEST

/* Two who bid at the same moments again and again, where everybody's vote is needed. */
START_TEST(test_the_weaker_part_lets_the_stronger_try)
{
    static const struct { const char *votes; bool first; } is[] = {     /* of 2, 3, 4, 5, besides our own; -: for nobody */
        {"133-", true}, {"1133", true}, {"-3--", true}, {"--33", false}, {"1333", false}, {"-0--", false}, {"1300", false}, {"1000", false},
    };

    for (size_t i = 0; i < sizeof is / sizeof is[0]; i++) {
        struct scene s;
        int64_t wait_ms;

        scene_init(&s, 3, 4);
        scene_step(&s, (struct event){.kind = EV_GROUP_SET, .group = s.group, .u.set = {GOPT_QUORUM, 5}});
        scene_kill(&s, 1);
        for (int p = 2; p <= 5; p++)
            scene_answer(&s, p, true, "", 0);
        for (int p = 2; p <= 5; p++)
            scene_answer(&s, p, true, is[i].votes[p - 2] == '-' ? "" : scene_id(is[i].votes[p - 2] - '0'), 1);
        ck_assert_int_eq(scene_group(&s)->fo.state, FO_WAITING);
        wait_ms = scene_group(&s)->fo.deadline_ms - s.now;
        ck_assert_int_ge(wait_ms, is[i].first ? 50 : 350);
        ck_assert_int_le(wait_ms, is[i].first ? 175 : 600);
        scene_fini(&s);
    }
}
END_TEST

START_TEST(test_the_loser_stands_back)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_kill(&s, 1);
    scene_answer(&s, 2, true, "", 0);
    scene_answer(&s, 3, true, "", 0);
    scene_answer(&s, 2, true, scene_id(2), 1);
    scene_answer(&s, 3, true, scene_id(2), 1);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_WAITING);
    ck_assert_int_ge(scene_group(&s)->fo.deadline_ms - s.now, 10000);
    scene_fini(&s);
}
END_TEST

START_TEST(test_a_bid_waits_for_slow_disks)
{
    struct scene s;

    scene_init(&s, 3, 2);
    core_save_took(s.c, 200);
    scene_kill(&s, 1);
    scene_answer(&s, 2, true, "", 0);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_BIDDING);
    ck_assert_int_ge(scene_group(&s)->fo.deadline_ms - s.now, 950);        /* 350..600 and three times the save */
    core_save_took(s.c, 5000);                                             /* this bid's own: it was asked so much later */
    ck_assert_int_ge(scene_group(&s)->fo.deadline_ms - s.now, 5950);
    for (int i = 0; i < 20; i++)
        core_save_took(s.c, 1);
    ck_assert_int_le(s.c->slow_save_ms, 2);                                /* it fades */
    core_save_took(s.c, 60000);
    ck_assert_int_eq(s.c->slow_save_ms, 300);                              /* one that hung is no measure */
    scene_fini(&s);
}
END_TEST

START_TEST(test_a_vote_for_another_ends_our_bid)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_kill(&s, 1);
    scene_answer(&s, 2, true, "", 0);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_BIDDING);
    ck_assert_str_eq(scene_asked(&s, 2, scene_id(3)),
                     "save!; answer 1 s3 2; +new-epoch; +vote-for-leader; -failover-abort-not-elected n1");
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_WAITING);
    ck_assert_int_ge(scene_group(&s)->fo.deadline_ms - s.now, 10000);
    /* unless the one we voted for goes away */
    scene_down(&s, scene_peer(&s, 3), HOW_CLOSED);
    ck_assert_int_le(scene_group(&s)->fo.deadline_ms - s.now, 320);
    scene_fini(&s);
}
END_TEST

START_TEST(test_turns)
{
    struct scene s;
    struct core_timing t;
    struct event add = {.kind = EV_GROUP_ADD};

    scene_init(&s, 3, 2);
    scene_kill(&s, 1);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_IDLE);
    scene_fini(&s);

    /* as s3 of three, the first two have 15 ms each */
    memset(&s, 0, sizeof s);
    s.now = 1000;
    s.c = core_new(scene_id(3), 1);
    actions_init(&s.out);
    core_timing_default(&t);
    t.bid_jitter_ms = 0;
    scene_step(&s, (struct event){.kind = EV_TIMING, .u.timing = &t});
    add.u.group_add.name = "g";
    add.u.group_add.addr = scene_addr(1);
    add.u.group_add.quorum = 1;
    scene_step(&s, add);
    s.group = core_group_at(s.c, 0)->id;
    for (int i = 1; i <= 2; i++) {
        scene_hello(&s, i, 0, 1, 0);
        scene_up(&s, scene_peer(&s, i));
    }
    scene_up(&s, scene_cmd(&s, 1));
    scene_down(&s, scene_cmd(&s, 1), HOW_CLOSED);
    scene_down(&s, scene_cmd(&s, 1), HOW_REFUSED);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_WAITING);
    ck_assert_int_eq(scene_group(&s)->fo.deadline_ms - s.now, 30);
    core_save_took(s.c, 80);                       /* a slow disk: its owners' turns are longer */
    ck_assert_int_eq(election_turn_ms(s.c, scene_group(&s)), 160);
    scene_fini(&s);
}
END_TEST

START_TEST(test_a_minority_does_not_bid)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_step(&s, (struct event){.kind = EV_GROUP_SET, .group = s.group, .u.set = {GOPT_QUORUM, 1}});
    scene_down(&s, scene_peer(&s, 2), HOW_CLOSED);
    scene_down(&s, scene_peer(&s, 3), HOW_CLOSED);
    scene_kill(&s, 1);
    scene_pass(&s, 20000);
    ck_assert_uint_eq(core_current_epoch(s.c), 0);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_WAITING);
    scene_up(&s, scene_peer(&s, 2));
    scene_pong(&s, scene_peer(&s, 2), PONG_OK);
    scene_pass(&s, 1100);
    ck_assert_uint_eq(core_current_epoch(s.c), 1);
    scene_fini(&s);
}
END_TEST

SUITE(election, test_one_vote_per_epoch, test_epoch_seen_elsewhere, test_only_asking, test_no_vote_without_a_save,
      test_bid_is_saved_before_it_is_asked, test_majority_of_all_known, test_split_vote_is_tried_again_soon,
      test_the_weaker_part_lets_the_stronger_try, test_the_loser_stands_back, test_a_bid_waits_for_slow_disks,
      test_a_vote_for_another_ends_our_bid, test_turns, test_a_minority_does_not_bid)
