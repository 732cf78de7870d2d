/* Who is down, when, and what is done about it at once. */
#include "tests/support/suite.h"
#include "tests/unit/core/scene.h"

START_TEST(test_silence)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_mute(&s, 1);
    scene_pass(&s, 5499);          /* the first unanswered PING leaves at 500, a tenth of down-after */
    ck_assert(!scene_node(&s, 1)->sdown);
    scene_pass(&s, 100);
    ck_assert(scene_node(&s, 1)->sdown);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "+sdown n1; ask s2 0 *; ask s3 0 *"));
    ck_assert(!scene_group(&s)->odown);
    scene_pong(&s, scene_cmd(&s, 1), PONG_LOADING);
    ck_assert_str_eq(str_c(&s.told), "-sdown n1");
    scene_fini(&s);
}
END_TEST

/* A replica that hangs is nobody's hurry: it is asked once a second, as ever. */
START_TEST(test_silence_of_a_replica)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_mute(&s, 2);
    scene_pass(&s, 5999);
    ck_assert(!scene_node(&s, 2)->sdown);
    scene_pass(&s, 100);
    ck_assert(scene_node(&s, 2)->sdown);
    scene_fini(&s);
}
END_TEST

/* However short down-after is, a primary is not asked without pause, and a pause shorter
 * than down-after is none. */
START_TEST(test_a_short_pause_is_none)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_step(&s, (struct event){.kind = EV_GROUP_SET, .group = s.group, .u.set = {GOPT_DOWN_AFTER_MS, 1000}});
    scene_pass(&s, 1000);
    scene_mute(&s, 1);
    scene_pass(&s, 999);           /* the first unanswered PING left at most 100 ms after it fell silent */
    ck_assert(!scene_node(&s, 1)->sdown);
    scene_pass(&s, 102);
    ck_assert(scene_node(&s, 1)->sdown);
    scene_fini(&s);
}
END_TEST

static void down_after_1000(struct scene *s)
{
    scene_init(s, 3, 2);
    scene_step(s, (struct event){.kind = EV_GROUP_SET, .group = s->group, .u.set = {GOPT_DOWN_AFTER_MS, 1000}});
    scene_pass(s, 1000);
    scene_mute(s, 1);
}

/* An answer that has arrived behind other news is heard before its sender is found silent. */
START_TEST(test_what_has_arrived_is_heard_first)
{
    struct scene s;

    down_after_1000(&s);
    scene_pass(&s, 900);
    while (s.now < scene_node(&s, 1)->w.waiting_since_ms + 1000)
        scene_pass(&s, 1);
    s.now += 2;
    scene_info(&s, 2, ROLE_REPLICA, 1, true, 102);
    ck_assert(!scene_node(&s, 1)->sdown);
    ck_assert(core_deadline_ms(s.c) <= s.now);
    scene_pong(&s, scene_cmd(&s, 1), PONG_OK);
    scene_tick(&s);
    ck_assert(!scene_node(&s, 1)->sdown);
    scene_fini(&s);
}
END_TEST

/* We were put aside, it was not silent: what we were late by is added, up to half of down-after. */
START_TEST(test_our_own_lateness_is_not_its_silence)
{
    struct scene s;

    down_after_1000(&s);
    scene_pass(&s, 800);
    s.now = ms_max(s.now, core_deadline_ms(s.c)) + 250;        /* this turn is 250 ms late */
    scene_tick(&s);
    while (s.now < scene_node(&s, 1)->w.waiting_since_ms + 1240)
        scene_pass(&s, 5);
    ck_assert(!scene_node(&s, 1)->sdown);
    scene_pass(&s, 30);
    ck_assert(scene_node(&s, 1)->sdown);
    scene_fini(&s);

    down_after_1000(&s);
    for (int i = 0; i < 6; i++) {      /* always 300 late: not for ever */
        s.now = ms_max(s.now, core_deadline_ms(s.c)) + 300;
        scene_tick(&s);
    }
    ck_assert(s.now - scene_node(&s, 1)->w.waiting_since_ms > 1500);
    ck_assert(scene_node(&s, 1)->sdown);
    scene_fini(&s);
}
END_TEST

/* Whoever waits for an answer looks at the clock now and then, or it would not notice that it was put aside itself: between
 * two of its deadlines lies as much as a second. */
START_TEST(test_lateness_between_deadlines_is_noticed)
{
    struct scene s;
    int64_t since;

    down_after_1000(&s);
    while (scene_node(&s, 1)->w.waiting_since_ms == 0)
        scene_pass(&s, 5);
    since = scene_node(&s, 1)->w.waiting_since_ms;
    while (s.now < since + 400)
        scene_pass(&s, 5);
    s.now += 300;                      /* nothing runs on this machine, the primary neither */
    scene_tick(&s);
    while (s.now < since + 1200)
        scene_pass(&s, 5);
    ck_assert(!scene_node(&s, 1)->sdown);
    scene_pass(&s, 120);
    ck_assert(scene_node(&s, 1)->sdown);
    scene_fini(&s);
}
END_TEST

/* Who took long of late is given longer, up to a quarter; quick answers take that away again. */
START_TEST(test_who_is_slow_is_given_longer)
{
    struct scene s;

    down_after_1000(&s);
    scene_pass(&s, 700);
    scene_pong(&s, scene_cmd(&s, 1), PONG_OK);         /* after some 600 ms */
    ck_assert(scene_node(&s, 1)->w.slow_ms >= 500);
    scene_pass(&s, 1200);
    ck_assert(!scene_node(&s, 1)->sdown);
    scene_pass(&s, 200);
    ck_assert(scene_node(&s, 1)->sdown);
    for (int i = 0; i < 100; i++)
        scene_pong(&s, scene_cmd(&s, 1), PONG_OK);
    ck_assert_int_eq(scene_node(&s, 1)->w.slow_ms, 0);
    scene_fini(&s);
}
END_TEST

START_TEST(test_evidence_is_down_at_once)
{
    struct scene s;

    scene_init(&s, 3, 2);
    ck_assert_str_eq(scene_down(&s, scene_cmd(&s, 1), HOW_CLOSED), "");
    ck_assert_str_eq(scene_down(&s, scene_cmd(&s, 1), HOW_REFUSED), "");   /* the other link still stands */
    ck_assert_str_eq(scene_down(&s, scene_sub(&s, 1), HOW_CLOSED),
                     "+crash-evidence n1; +sdown n1; ask s2 0 *; ask s3 0 *");
    ck_assert_ptr_nonnull(strstr(scene_answer(&s, 2, true, "", 0), "+odown n1; save!; ask s2 1 s1"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_no_evidence)
{
    struct scene s;

    /* refused without having been up; closed and unreachable; closed and up again */
    scene_init(&s, 3, 2);
    scene_down(&s, scene_cmd(&s, 1), HOW_UNREACHABLE);
    scene_down(&s, scene_sub(&s, 1), HOW_UNREACHABLE);
    ck_assert_str_eq(scene_down(&s, scene_cmd(&s, 1), HOW_REFUSED), "");
    scene_fini(&s);

    scene_init(&s, 3, 2);
    scene_down(&s, scene_cmd(&s, 1), HOW_CLOSED);
    scene_down(&s, scene_sub(&s, 1), HOW_CLOSED);
    ck_assert_str_eq(scene_down(&s, scene_cmd(&s, 1), HOW_UNREACHABLE), "");
    scene_up(&s, scene_cmd(&s, 1));
    scene_down(&s, scene_cmd(&s, 1), HOW_UNREACHABLE);
    ck_assert_str_eq(scene_down(&s, scene_cmd(&s, 1), HOW_REFUSED), "");
    scene_fini(&s);

    /* switched off: seen, told, but no reason to be down */
    scene_init(&s, 3, 2);
    scene_step(&s, (struct event){.kind = EV_GROUP_SET, .group = s.group, .u.set = {GOPT_CRASH_EVIDENCE, 0}});
    scene_kill(&s, 1);
    ck_assert(!scene_node(&s, 1)->sdown);
    scene_pass(&s, 5100);
    ck_assert(scene_node(&s, 1)->sdown);
    scene_fini(&s);
}
END_TEST

START_TEST(test_quorum_and_its_age)
{
    struct scene s;

    scene_init(&s, 3, 4);
    scene_step(&s, (struct event){.kind = EV_GROUP_SET, .group = s.group, .u.set = {GOPT_QUORUM, 3}});
    scene_kill(&s, 1);
    ck_assert_str_eq(scene_answer(&s, 2, true, "", 0), "");
    ck_assert_ptr_nonnull(strstr(scene_answer(&s, 3, true, "", 0), "+odown n1"));
    ck_assert_str_eq(scene_answer(&s, 3, false, "", 0), "-odown n1; -failover-withdrawn n1");
    scene_pass(&s, 4000);
    scene_answer(&s, 3, true, "", 0);
    ck_assert(scene_group(&s)->odown);
    scene_pass(&s, 1100);          /* what s2 said is five asking periods old */
    ck_assert(!scene_group(&s)->odown);
    scene_fini(&s);
}
END_TEST

START_TEST(test_who_denied_is_asked_back)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_kill(&s, 1);
    scene_answer(&s, 2, false, "", 0);
    scene_answer(&s, 3, false, "", 0);
    scene_forget(&s);
    s.now += 20;
    ck_assert_str_eq(scene_asked(&s, 0, ""), "answer 1 * 0");
    scene_pass(&s, 5);
    ck_assert_str_eq(str_c(&s.all), "answer 1 * 0\nask s2 0 *; ask s3 0 *\n");
    scene_fini(&s);
}
END_TEST

START_TEST(test_wrong_role)
{
    struct scene s;

    scene_init(&s, 3, 2);
    ck_assert_str_eq(scene_info(&s, 1, ROLE_REPLICA, 2, true, 1), "-role-change n1");
    scene_pass(&s, 6900);
    ck_assert(!scene_node(&s, 1)->sdown);
    scene_pass(&s, 200);
    ck_assert(scene_node(&s, 1)->sdown);
    scene_fini(&s);

    scene_init(&s, 3, 2);          /* somebody else is: wait for the news */
    scene_info(&s, 1, ROLE_REPLICA, 2, false, 1);
    scene_info(&s, 2, ROLE_PRIMARY, 0, true, 1);
    scene_pass(&s, 24900);
    ck_assert(!scene_node(&s, 1)->sdown);
    scene_pass(&s, 200);
    ck_assert(scene_node(&s, 1)->sdown);
    scene_fini(&s);
}
END_TEST

START_TEST(test_reboot)
{
    struct scene s;
    struct node_info i = {.role = ROLE_PRIMARY};

    scene_init(&s, 3, 2);
    scene_step(&s, (struct event){.kind = EV_GROUP_SET, .group = s.group, .u.set = {GOPT_REBOOT_DOWN_AFTER_MS, 1500}});
    memset(i.run_id, 'f', ID_HEX);
    scene_mute(&s, 1);
    ck_assert_str_eq(scene_step(&s, (struct event){.kind = EV_INFO, .link = scene_cmd(&s, 1), .u.info = &i}),
                     "+reboot n1");
    for (int k = 0; k < 3; k++) {
        scene_pass(&s, 400);
        scene_pong(&s, scene_cmd(&s, 1), PONG_LOADING);
    }
    ck_assert(!scene_node(&s, 1)->sdown);
    scene_pass(&s, 400);
    ck_assert(scene_node(&s, 1)->sdown);
    scene_pong(&s, scene_cmd(&s, 1), PONG_OK);
    ck_assert(!scene_node(&s, 1)->sdown);
    scene_fini(&s);
}
END_TEST

START_TEST(test_tilt_begins_the_window_anew)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_mute(&s, 1);
    scene_pass(&s, 5000);
    s.now += 60000;                /* we were away for a minute */
    scene_tick(&s);
    ck_assert_ptr_nonnull(strstr(str_c(&s.told), "+tilt"));
    ck_assert(core_in_tilt(s.c));
    ck_assert(!scene_node(&s, 1)->sdown);
    scene_pass(&s, 4900);
    ck_assert(!scene_node(&s, 1)->sdown);
    /* and we still vote */
    ck_assert_str_eq(scene_asked(&s, 9, scene_id(2)), "save!; answer 0 s2 9; +new-epoch; +vote-for-leader");
    scene_pass(&s, 200);
    ck_assert(scene_node(&s, 1)->sdown);
    scene_pass(&s, 30000);
    ck_assert(!core_in_tilt(s.c));
    scene_fini(&s);
}
END_TEST

START_TEST(test_clock_goes_back)
{
    struct scene s;

    scene_init(&s, 3, 2);
    s.now -= 50000;
    scene_tick(&s);
    ck_assert(!core_in_tilt(s.c));
    s.now += 50000;
    scene_pass(&s, 1000);
    ck_assert(!scene_node(&s, 1)->sdown);
    scene_fini(&s);
}
END_TEST

START_TEST(test_stuck_links_are_dropped)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_step(&s, (struct event){.kind = EV_GROUP_SET, .group = s.group, .u.set = {GOPT_DOWN_AFTER_MS, 60000}});
    scene_mute(&s, 1);
    scene_pass(&s, 32000);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "-cmd-link-reconnection n1; link-drop n1"));
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "-pubsub-link-reconnection n2; link-drop n2/sub"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_busy_script)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_mute(&s, 1);
    ck_assert_str_eq(scene_pong(&s, scene_cmd(&s, 1), PONG_BUSY), "");
    scene_pass(&s, 7000);
    ck_assert(scene_node(&s, 1)->sdown);
    ck_assert_ptr_nonnull(strstr(scene_pong(&s, scene_cmd(&s, 1), PONG_BUSY), "script-kill n1"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_peer_down)
{
    struct scene s;
    struct quorum_view q;

    scene_init(&s, 3, 2);
    scene_down(&s, scene_peer(&s, 2), HOW_CLOSED);
    q = core_quorum(s.c, scene_group(&s));
    ck_assert_int_eq(q.usable, 2);
    ck_assert_int_eq(q.voters, 3);
    scene_pass(&s, 5100);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "+sdown\n"));
    ck_assert(scene_seat(&s, 2)->sdown);
    scene_up(&s, scene_peer(&s, 2));
    scene_pong(&s, scene_peer(&s, 2), PONG_OK);
    ck_assert(!scene_seat(&s, 2)->sdown);
    scene_fini(&s);
}
END_TEST

/* The answer to a question about the primary of before says nothing about the present one. */
START_TEST(test_a_late_answer_is_about_another)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_kill(&s, 1);             /* asks s2 and s3 */
    scene_answer(&s, 3, true, "", 0);
    scene_hello(&s, 3, 1, 2, 1);   /* meanwhile s3 has made n2 the primary */
    ck_assert(scene_group(&s)->primary == scene_node(&s, 2)->id);
    scene_answer(&s, 2, true, "", 0);
    ck_assert(!scene_seat(&s, 2)->says_down);
    scene_answer(&s, 3, true, "", 0);
    scene_kill(&s, 2);
    ck_assert(scene_node(&s, 2)->sdown);
    ck_assert(!scene_group(&s)->odown);
    scene_fini(&s);
}
END_TEST

/* What a peer said is forgotten after five asking periods, also when we never agreed. */
START_TEST(test_what_peers_said_grows_old)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_answer(&s, 2, true, "", 0);
    ck_assert(scene_seat(&s, 2)->says_down);
    scene_pass(&s, 5100);
    ck_assert(!scene_seat(&s, 2)->says_down);
    scene_fini(&s);
}
END_TEST

/* Who was promoted by another was heard by that one: its silence counts from the news of it, however long we had not heard it. */
START_TEST(test_a_new_primary_has_its_time)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_mute(&s, 2);
    scene_pass(&s, 9000);
    ck_assert(scene_node(&s, 2)->sdown);
    scene_hello(&s, 2, 1, 2, 1);
    ck_assert(scene_group(&s)->primary == scene_node(&s, 2)->id);
    ck_assert(!scene_node(&s, 2)->sdown);
    scene_pass(&s, 4900);
    ck_assert(!scene_node(&s, 2)->sdown);
    scene_pass(&s, 300);
    ck_assert(scene_node(&s, 2)->sdown);
    scene_fini(&s);
}
END_TEST

SUITE(health, test_silence, test_silence_of_a_replica, test_a_short_pause_is_none, test_what_has_arrived_is_heard_first,
      test_our_own_lateness_is_not_its_silence, test_lateness_between_deadlines_is_noticed, test_who_is_slow_is_given_longer, test_evidence_is_down_at_once,
      test_no_evidence, test_quorum_and_its_age, test_who_denied_is_asked_back, test_wrong_role, test_reboot, test_tilt_begins_the_window_anew,
      test_clock_goes_back, test_stuck_links_are_dropped, test_busy_script, test_peer_down, test_a_late_answer_is_about_another,
      test_what_peers_said_grows_old, test_a_new_primary_has_its_time)
