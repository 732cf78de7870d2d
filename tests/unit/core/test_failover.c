/* The failover table: complete, and walked from end to end. */
#include "tests/support/suite.h"
#include "tests/unit/core/scene.h"

/* Who can feed an event, and in which states. A choice is made and left within one step,
 * so nothing that happens once can meet it; an operator is answered INPROG before the
 * table is asked. */
static bool can_happen(enum fo_state in, enum fo_event on)
{
    bool idle = in == FO_IDLE, waits = in != FO_IDLE && in != FO_CHOOSING;

    switch (on) {
    case FE_ODOWN:
        return idle || in == FO_REPOINTING;
    case FE_RECOVERED:
        return in == FO_WAITING || in == FO_BIDDING || in == FO_ASKING || in == FO_SEALING || in == FO_PROMOTING;
    case FE_MANUAL:
        return idle || in == FO_WAITING;
    case FE_EXPIRED:
        return waits;
    case FE_ELECTED:
    case FE_LOST:
        return in == FO_BIDDING;
    case FE_ANSWERED:
        return in == FO_ASKING || in == FO_SEALING;
    case FE_CHOSEN:
    case FE_NONE_GOOD:
    case FE_VETOED:
        return in == FO_CHOOSING;
    case FE_PROMOTED:
        return in == FO_PROMOTING || in == FO_HANDING || in == FO_CALLING_BACK;
    case FE_REFUSED:
        return in == FO_PROMOTING || in == FO_HANDING;
    case FE_UNDONE:
        return in == FO_PROMOTING || in == FO_CALLING_BACK;
    case FE_ALL_REPOINTED:
        return in == FO_REPOINTING;
    case FE_SUPPORTS:
    case FE_LEADER_GONE:
    case FE_SETTLED_ELSEWHERE:
    case FE_SAVE_FAILED:
        return in != FO_CHOOSING;
    case FO_EVENTS:
        break;
    }
    return false;
}

static bool has_row(enum fo_state in, enum fo_event on)
{
    for (size_t i = 0; i < fo_rows; i++)
        if (fo_table[i].in == in && fo_table[i].on == on && fo_table[i].when == NULL)
            return true;
    return false;
}

static bool is_ignored(enum fo_state in, enum fo_event on)
{
    for (size_t i = 0; i < fo_ignored_rows; i++)
        if (fo_ignored[i].in == in && fo_ignored[i].on == on)
            return true;
    return false;
}

START_TEST(test_no_pair_is_forgotten)
{
    for (int in = 0; in < FO_STATES; in++)
        for (int on = 0; on < FO_EVENTS; on++) {
            bool row = has_row(in, on), ignored = is_ignored(in, on);

            ck_assert_msg(can_happen(in, on) == (row || ignored), "%s on %s", fo_state_name(in), fo_event_name(on));
            ck_assert_msg(!(row && ignored), "%s on %s is ignored and has a row", fo_state_name(in), fo_event_name(on));
        }
}
END_TEST

START_TEST(test_rows_are_sound)
{
    for (size_t i = 0; i < fo_rows; i++) {
        ck_assert(fo_table[i].because != NULL && fo_table[i].because[0] != '\0');
        for (size_t k = 0; k < i; k++)     /* a row behind an unconditional one is never reached */
            ck_assert_msg(fo_table[k].in != fo_table[i].in || fo_table[k].on != fo_table[i].on || fo_table[k].when != NULL,
                          "row %zu hides row %zu", k, i);
    }
}
END_TEST

/* Up to the moment when the votes are in: the leader asks n2 and n3 for their offsets. */
static void elected(struct scene *s, int nodes)
{
    scene_init(s, nodes, 2);
    scene_kill(s, 1);
    ck_assert_str_eq(scene_elect(s), "+elected-leader n1; +failover-state-select-slave n1");
    ck_assert_int_eq(scene_group(s)->fo.state, FO_ASKING);
}

START_TEST(test_whole_way)
{
    struct scene s;

    elected(&s, 4);
    ck_assert_str_eq(scene_info(&s, 2, ROLE_REPLICA, 1, false, 500), "");
    ck_assert_str_eq(scene_info(&s, 3, ROLE_REPLICA, 1, false, 700), "");
    ck_assert_str_eq(scene_info(&s, 4, ROLE_REPLICA, 1, false, 600),
                     "promote n3; +selected-slave n3; +failover-state-send-slaveof-noone n3; "
                     "+failover-state-wait-promotion n3");
    ck_assert_str_eq(core_client_addr(s.c, scene_group(&s))->host, "10.0.0.1");
    ck_assert_str_eq(core_node(s.c, scene_group(&s)->fo.promoted)->addr.host, "10.0.0.3");
    scene_fini(&s);
}
END_TEST

START_TEST(test_switch)
{
    struct scene s;

    elected(&s, 4);
    scene_info(&s, 2, ROLE_REPLICA, 1, false, 500);
    scene_info(&s, 3, ROLE_REPLICA, 1, false, 700);
    scene_info(&s, 4, ROLE_REPLICA, 1, false, 600);
    ck_assert_str_eq(scene_info(&s, 3, ROLE_PRIMARY, 0, false, 700),
                     "-role-change n3; keep n3; +promoted-slave n3; +failover-state-reconf-slaves n1; save; +switch-master; "
                     "client-reconfig leader; directory n3; +slave n1; +slave n2; +slave n4; "
                     "repoint n2 -> n3; +slave-reconf-sent n2");
    ck_assert_str_eq(core_client_addr(s.c, scene_group(&s))->host, "10.0.0.3");
    ck_assert_uint_eq(scene_group(&s)->config_epoch, 1);
    /* one at a time */
    ck_assert_ptr_nonnull(strstr(scene_info(&s, 2, ROLE_REPLICA, 3, false, 700), "+slave-reconf-inprog n2"));
    ck_assert_str_eq(scene_info(&s, 2, ROLE_REPLICA, 3, true, 700),
                     "+slave-reconf-done n2; repoint n4 -> n3; +slave-reconf-sent n4");
    ck_assert_str_eq(scene_info(&s, 4, ROLE_REPLICA, 3, true, 700),
                     "+slave-reconf-inprog n4; +slave-reconf-done n4; +failover-end n3");
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_IDLE);
    /* the old primary is a replica that is down, told as one */
    ck_assert(scene_node(&s, 1)->sdown);
    scene_fini(&s);
}
END_TEST

START_TEST(test_hello_goes_out_with_the_switch)
{
    struct scene s;
    int hellos = 0;

    elected(&s, 3);
    scene_info(&s, 2, ROLE_REPLICA, 1, false, 500);
    scene_info(&s, 3, ROLE_REPLICA, 1, false, 400);
    scene_info(&s, 2, ROLE_PRIMARY, 0, false, 500);
    for (size_t i = 0; i < s.out.list.n; i++) {
        const struct action *a = &s.out.list.at[i];

        if (a->kind != ACT_HELLO)
            continue;
        hellos++;
        ck_assert_uint_eq(a->hello->config_epoch, 1);
        ck_assert_str_eq(a->hello->primary.host, "10.0.0.2");
    }
    ck_assert_int_eq(hellos, 4);           /* two peers, two nodes that are up */
    scene_fini(&s);
}
END_TEST

START_TEST(test_who_does_not_answer_is_not_waited_for)
{
    struct scene s;

    elected(&s, 3);
    scene_info(&s, 2, ROLE_REPLICA, 1, false, 500);
    scene_mute(&s, 2);
    scene_mute(&s, 3);
    scene_pass(&s, 301);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "promote n2"));
    ck_assert_int_eq(scene_node(&s, 3)->refused, REFUSED_STALE_INFO);
    scene_fini(&s);
}
END_TEST

START_TEST(test_veto)
{
    struct scene s;

    elected(&s, 3);
    scene_info(&s, 2, ROLE_REPLICA, 1, false, 500);
    scene_mute(&s, 2);
    scene_info(&s, 3, ROLE_REPLICA, 1, true, 500);         /* still linked */
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_ASKING);
    scene_pass(&s, 310);                                   /* and stays so however often it is asked */
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "-failover-withdrawn"));
    ck_assert_ptr_null(strstr(str_c(&s.all), "promote"));
    ck_assert_uint_eq(core_counts(s.c)->vetoes, 1);
    scene_fini(&s);
}
END_TEST

START_TEST(test_veto_lifted)
{
    struct scene s;

    elected(&s, 3);
    scene_info(&s, 2, ROLE_REPLICA, 1, false, 500);
    scene_info(&s, 3, ROLE_REPLICA, 1, true, 500);         /* has not noticed yet */
    s.now += 20;
    scene_tick(&s);
    ck_assert_ptr_nonnull(strstr(scene_info(&s, 3, ROLE_REPLICA, 1, false, 501), "promote n3"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_silence_knows_no_veto)
{
    struct scene s;

    scene_init(&s, 3, 2);
    scene_mute(&s, 1);
    scene_pass(&s, 6100);
    scene_elect(&s);
    for (int i = 0; i < 2; i++) {          /* the periodic question was on its way already */
        scene_info(&s, 2, ROLE_REPLICA, 1, true, 500);
        scene_info(&s, 3, ROLE_REPLICA, 1, true, 501);
    }
    ck_assert_ptr_nonnull(strstr(str_c(&s.told), "promote n3"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_primary_back_in_time)
{
    struct scene s;

    elected(&s, 3);
    scene_up(&s, scene_cmd(&s, 1));
    ck_assert_str_eq(scene_pong(&s, scene_cmd(&s, 1), PONG_OK),
                     "-crash-evidence n1; -sdown n1; -odown n1; -failover-withdrawn n1");
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_IDLE);
    scene_fini(&s);
}
END_TEST

START_TEST(test_promotion_refused)
{
    struct scene s;
    struct event done = {.kind = EV_ORDER_DONE, .u.order = {.what = ORDER_PROMOTE, .ok = false, .why = "ERR no"}};

    elected(&s, 3);
    scene_info(&s, 2, ROLE_REPLICA, 1, false, 500);
    ck_assert_ptr_nonnull(strstr(scene_info(&s, 3, ROLE_REPLICA, 1, false, 700), "promote n3"));
    done.link = scene_cmd(&s, 3);
    scene_step(&s, done);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_ASKING);
    scene_info(&s, 3, ROLE_REPLICA, 1, false, 700);        /* that was the question with the order */
    scene_info(&s, 3, ROLE_REPLICA, 1, false, 700);
    ck_assert_ptr_nonnull(strstr(scene_info(&s, 2, ROLE_REPLICA, 1, false, 500), "promote n2"));
    /* that one dies of it: nobody is left */
    scene_kill(&s, 2);
    scene_info(&s, 3, ROLE_REPLICA, 1, false, 700);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "-failover-abort-no-good-slave"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_promotion_answer_lost)
{
    struct scene s;

    elected(&s, 3);
    scene_info(&s, 2, ROLE_REPLICA, 1, false, 800);
    scene_info(&s, 3, ROLE_REPLICA, 1, false, 700);
    scene_down(&s, scene_cmd(&s, 2), HOW_CLOSED);
    scene_up(&s, scene_cmd(&s, 2));
    scene_info(&s, 2, ROLE_REPLICA, 1, false, 800);
    s.now += 1000;
    scene_tick(&s);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_ASKING);
    for (int i = 0; i < 2; i++) {
        scene_info(&s, 2, ROLE_REPLICA, 1, false, 600);    /* it restarted with less */
        scene_info(&s, 3, ROLE_REPLICA, 1, false, 700);
    }
    ck_assert_ptr_nonnull(strstr(str_c(&s.told), "promote n3"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_primary_back_while_promoting)
{
    struct scene s;

    elected(&s, 3);
    scene_info(&s, 2, ROLE_REPLICA, 1, false, 800);
    scene_info(&s, 3, ROLE_REPLICA, 1, false, 700);
    scene_up(&s, scene_cmd(&s, 1));
    ck_assert_str_eq(scene_pong(&s, scene_cmd(&s, 1), PONG_OK), "-crash-evidence n1; -sdown n1; -odown n1");
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_PROMOTING);     /* the order is out */
    ck_assert_str_eq(scene_down(&s, scene_cmd(&s, 2), HOW_CLOSED), "-failover-withdrawn n1");
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_IDLE);
    scene_fini(&s);
}
END_TEST

START_TEST(test_new_primary_dies_too)
{
    struct scene s;

    elected(&s, 3);
    scene_info(&s, 2, ROLE_REPLICA, 1, false, 800);
    scene_info(&s, 3, ROLE_REPLICA, 1, false, 700);
    scene_info(&s, 2, ROLE_PRIMARY, 0, false, 800);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_REPOINTING);
    while (scene_seat(&s, 2)->asks_stale > 0)      /* what it was asked about n1 it answers first */
        scene_answer(&s, 2, true, "", 0);
    scene_kill(&s, 2);
    s.now += 20;
    scene_answer(&s, 2, true, "", 0);
    scene_tick(&s);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_BIDDING);
    ck_assert_uint_eq(scene_group(&s)->fo.epoch, 2);
    scene_fini(&s);
}
END_TEST

START_TEST(test_operator)
{
    struct scene s;
    struct event order = {.kind = EV_FAILOVER, .ticket = 3};

    scene_init(&s, 3, 2);
    order.group = s.group;
    ck_assert_str_eq(scene_step(&s, order), "reply OK; save!; ask s2 1 s1; ask s3 1 s1; +new-epoch; +try-failover n1; "
                                            "+vote-for-leader");
    ck_assert_str_eq(scene_step(&s, order), "reply INPROG Failover already in progress");
    scene_answer(&s, 2, false, scene_id(1), 1);
    scene_info(&s, 2, ROLE_REPLICA, 1, true, 800);
    scene_info(&s, 3, ROLE_REPLICA, 1, true, 700);
    ck_assert_ptr_nonnull(strstr(str_c(&s.told), "promote n2"));
    /* the old primary lives: it is turned first, whatever parallel-syncs says */
    ck_assert_ptr_nonnull(strstr(scene_info(&s, 2, ROLE_PRIMARY, 0, false, 800), "repoint n1 -> n2"));
    scene_fini(&s);
}
END_TEST

START_TEST(test_operator_without_majority)
{
    struct scene s;
    struct event order = {.kind = EV_FAILOVER, .ticket = 3};

    scene_init(&s, 3, 4);
    order.group = s.group;
    scene_step(&s, order);
    for (int i = 2; i <= 4; i++)
        scene_answer(&s, i, false, scene_id(5), 1);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_BIDDING);
    scene_answer(&s, 5, false, scene_id(5), 1);
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_ASKING);
    scene_fini(&s);

    scene_init(&s, 1, 2);
    order.group = s.group;
    ck_assert_str_eq(scene_step(&s, order), "reply NOGOODSLAVE No suitable replica to promote");
    order.group = 99;
    ck_assert_str_eq(scene_step(&s, order), "reply ERR No such master with that name");
    scene_fini(&s);
}
END_TEST

START_TEST(test_overtaken_by_a_newer_configuration)
{
    struct scene s;

    elected(&s, 3);
    ck_assert_str_eq(scene_hello(&s, 2, 7, 3, 7),
                     "save; +new-epoch; +config-update-from; +switch-master; save; client-reconfig observer; "
                     "+slave n1; +slave n2; +sdown n1");
    ck_assert_int_eq(scene_group(&s)->fo.state, FO_IDLE);
    ck_assert_uint_eq(scene_group(&s)->config_epoch, 7);
    scene_fini(&s);
}
END_TEST

START_TEST(test_nobody_to_promote_is_not_asked_for_votes_again)
{
    struct scene s;

    scene_init(&s, 1, 2);
    scene_kill(&s, 1);
    scene_elect(&s);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "-failover-abort-no-good-slave"));
    for (int i = 0; i < 60; i++) {
        scene_answer(&s, 2, true, "", 0);
        scene_pass(&s, 1000);
    }
    ck_assert(scene_group(&s)->odown);
    ck_assert_uint_eq(core_current_epoch(s.c), 1);
    scene_fini(&s);
}
END_TEST

START_TEST(test_primary_that_forgot_it)
{
    struct scene s;
    int promoted = 0;

    scene_init(&s, 2, 2);
    scene_kill(&s, 2);                             /* nobody else is left ... */
    scene_info(&s, 1, ROLE_REPLICA, 2, false, 900);        /* ... and it was started with yesterday's configuration */
    for (int i = 0; i < 60 && !promoted; i++) {
        scene_pass(&s, 1000);
        scene_answer(&s, 2, true, scene_id(1), core_current_epoch(s.c));
        promoted = strstr(str_c(&s.all), "promote n1") != NULL;
    }
    ck_assert(promoted);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "keep n1"));
    ck_assert_ptr_null(strstr(str_c(&s.all), "-failover-abort-no-good-slave"));
    scene_info(&s, 1, ROLE_PRIMARY, 0, false, 900);
    scene_pass(&s, 1000);
    ck_assert(!scene_group(&s)->odown);
    ck_assert_ptr_null(strstr(str_c(&s.all), "+switch-master"));   /* its address was its address all the time */
    scene_fini(&s);
}
END_TEST

START_TEST(test_stragglers_time_out)
{
    struct scene s;

    elected(&s, 3);
    scene_info(&s, 2, ROLE_REPLICA, 1, false, 800);
    scene_info(&s, 3, ROLE_REPLICA, 1, false, 700);
    scene_info(&s, 2, ROLE_PRIMARY, 0, false, 800);
    ck_assert_ptr_nonnull(strstr(str_c(&s.told), "repoint n3 -> n2"));
    scene_pass(&s, 10100);
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "-slave-reconf-sent-timeout n3"));
    ck_assert_ptr_nonnull(strstr(str_c(&s.all), "+failover-end n2"));
    scene_fini(&s);
}
END_TEST

SUITE(failover, test_no_pair_is_forgotten, test_rows_are_sound, test_whole_way, test_switch,
      test_hello_goes_out_with_the_switch, test_who_does_not_answer_is_not_waited_for, test_veto, test_veto_lifted,
      test_silence_knows_no_veto, test_primary_back_in_time, test_promotion_refused, test_promotion_answer_lost,
      test_primary_back_while_promoting, test_new_primary_dies_too, test_operator, test_operator_without_majority,
      test_overtaken_by_a_newer_configuration, test_nobody_to_promote_is_not_asked_for_votes_again,
      test_primary_that_forgot_it, test_stragglers_time_out)
