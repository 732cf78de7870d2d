/* The leader's table: complete, and walked from end to end by messages as voters and members
 * send them. */
#include "tests/unit/core/play.h"

/* --- the table ------------------------------------------------------------------------------------ */

/* As the driver finds it: the first row that fits. */
static bool row_for(enum lead_state in, enum lead_event on, enum lead_purpose p, struct lead_row *r)
{
    for (size_t i = 0; lead_row_at(i, r); i++)
        if (r->in == in && r->on == on && (r->purposes == 0 || r->purposes & 1u << p))
            return true;
    return false;
}

static bool has_row(enum lead_state in, enum lead_event on, enum lead_purpose p)
{
    struct lead_row r;
    return row_for(in, on, p, &r);
}

/* Which states a purpose passes through: what can be reached over its rows. */
static void reach(enum lead_purpose p, bool seen[LD_STATES])
{
    struct lead_row r;
    bool more = true;

    memset(seen, 0, LD_STATES * sizeof seen[0]);
    seen[LD_IDLE] = true;
    while (more) {
        more = false;
        for (int in = 0; in < LD_STATES; in++)
            for (int on = 0; on < LEAD_EVENTS; on++)
                if (seen[in] && row_for((enum lead_state)in, (enum lead_event)on, p, &r) && !seen[r.then]) {
                    seen[r.then] = true;
                    more = true;
                }
    }
}

START_TEST(test_every_waiting_state_ends)
{
    for (int p = 0; p < LEAD_PURPOSES; p++) {
        bool seen[LD_STATES];
        reach((enum lead_purpose)p, seen);
        for (int s = 0; s < LD_STATES; s++) {
            if (!seen[s] || s == LD_IDLE)
                continue;
            ck_assert_msg(has_row((enum lead_state)s, LE_EXPIRED, (enum lead_purpose)p), "%s never expires for %s",
                          lead_state_name((enum lead_state)s), lead_purpose_name((enum lead_purpose)p));
            ck_assert_msg(has_row((enum lead_state)s, LE_OVERTAKEN, (enum lead_purpose)p), "%s cannot be overtaken for %s",
                          lead_state_name((enum lead_state)s), lead_purpose_name((enum lead_purpose)p));
        }
    }
}
END_TEST

START_TEST(test_purposes_pass_where_they_should)
{
    static const struct { enum lead_purpose p; enum lead_state s; bool wanted; } want[] = {
        { LEAD_PROMOTE, LD_SEALING, true },     { LEAD_PROMOTE, LD_STOPPING, false },   { LEAD_PROMOTE, LD_JOINING, false },
        { LEAD_HAND_OVER, LD_STOPPING, true },  { LEAD_HAND_OVER, LD_OPENING, true },   { LEAD_CHANGE, LD_JOINING, true },
        { LEAD_CHANGE, LD_SEALING, false },     { LEAD_CHANGE, LD_OPENING, false },     { LEAD_CHANGE_VOTERS, LD_JOINING, true },
        { LEAD_RESTORE, LD_COMMITTING, true },  { LEAD_RESTORE, LD_SEALING, false },    { LEAD_FORM, LD_BINDING_REST, true },
        { LEAD_FORM, LD_VOTING, false },        { LEAD_FORM, LD_OPENING, true },        { LEAD_DISSOLVE, LD_BINDING_PRIMARY, true },
        { LEAD_RELEASE, LD_STORING, false },    { LEAD_FORCE, LD_SEALING, true },
    };

    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        bool seen[LD_STATES];
        reach(want[i].p, seen);
        ck_assert_msg(seen[want[i].s] == want[i].wanted, "%s and %s", lead_purpose_name(want[i].p), lead_state_name(want[i].s));
    }
}
END_TEST

START_TEST(test_rows_and_events_have_names)
{
    struct lead_row r;
    bool used[LEAD_EVENTS] = {false};

    for (size_t i = 0; lead_row_at(i, &r); i++) {
        used[r.on] = true;
        ck_assert_str_ne(lead_state_name(r.in), "?");
        ck_assert_ptr_nonnull(r.because);
    }
    for (int e = 0; e < LEAD_EVENTS; e++) {
        ck_assert_str_ne(lead_event_name((enum lead_event)e), "?");
        ck_assert_msg(used[e], "no row for %s", lead_event_name((enum lead_event)e));
    }
}
END_TEST

START_TEST(test_promotion_takes_the_longest_of_q_seals)
{
    struct play s;
    struct ha_record base = record();
    const struct ha_msg *m;

    play_setup(&s);
    begin(&s, LEAD_PROMOTE);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_VOTING);
    vote(&s, S2, &base);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_SEALING);
    ck_assert_ptr_nonnull(said(&s, id(N1), HA_SEAL));      /* the old primary like any other */
    ck_assert_ptr_nonnull(said(&s, id(N3), HA_SEAL));
    seal(&s, N2, 101, 4, 500);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_SEALING); /* q = 3 - 1 = 2 */
    seal(&s, N3, 102, 4, 700);
    later(&s, 60);                                         /* nobody else is worth waiting for longer */
    ck_assert_int_eq(formed_lead(s.f)->state, LD_STORING);
    later(&s, 900);                                        /* what our own voter promised the old primary has lapsed */
    m = said(&s, id(S2), HA_RECORD);
    ck_assert_ptr_nonnull(m);
    ck_assert_str_eq(m->rec->primary, id(N3));
    ck_assert_uint_eq(m->rec->epoch, formed_lead(s.f)->ballot);
    ck_assert_uint_eq(m->rec->incarnation, (uint64_t)(40 + N3));
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_STORED, .ok = true});
    ck_assert_int_eq(formed_lead(s.f)->state, LD_OPENING); /* ours and this one: a majority */
    hear(&s, N3, 102, (struct ha_msg){.kind = HA_OPENED, .ok = true, .epoch = formed_lead(s.f)->ballot});
    ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    play_fini(&s);
}
END_TEST

START_TEST(test_epoch_comes_before_offset)
{
    struct play s;
    struct ha_record base = record();

    play_setup(&s);
    begin(&s, LEAD_PROMOTE);
    vote(&s, S3, &base);
    seal(&s, N1, 100, 3, 9000);                            /* longer, and of an older epoch: a dead branch */
    seal(&s, N2, 101, 4, 10);
    later(&s, 60);
    ck_assert_str_eq(formed_lead(s.f)->chosen, id(N2));
    play_fini(&s);
}
END_TEST

START_TEST(test_another_life_does_not_count)
{
    struct play s;
    struct ha_record base = record();

    play_setup(&s);
    begin(&s, LEAD_PROMOTE);
    vote(&s, S2, &base);
    seal(&s, N2, 999, 4, 500);
    seal(&s, N3, 102, 4, 500);
    later(&s, 60);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_SEALING);
    seal(&s, N1, 100, 4, 400);
    later(&s, 60);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_STORING);
    play_fini(&s);
}
END_TEST

START_TEST(test_base_is_the_highest_of_the_majority_and_stays)
{
    struct play s;
    struct ha_record mine = record(), newer = record(), newest = record();

    newer.change = 1;
    newest.change = 2;
    play_setup(&s);
    begin(&s, LEAD_PROMOTE);
    vote(&s, S2, &newer);
    ck_assert_int_eq(ha_record_cmp(&formed_lead(s.f)->base, &newer), 0);
    vote(&s, S3, &newest);                                 /* too late */
    ck_assert_int_eq(ha_record_cmp(&formed_lead(s.f)->base, &newer), 0);
    ck_assert_int_gt(ha_record_cmp(&newer, &mine), 0);
    play_fini(&s);
}
END_TEST

START_TEST(test_a_higher_ballot_ends_the_try)
{
    struct play s;
    struct ha_record base = record();

    play_setup(&s);
    begin(&s, LEAD_PROMOTE);
    vote(&s, S2, &base);
    hear(&s, N2, 101, (struct ha_msg){.kind = HA_SEALED, .ok = false, .why = HA_WHY_PROMISED, .sealed = 99});
    ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    play_fini(&s);
}
END_TEST

START_TEST(test_hand_over_is_called_off_before_finish)
{
    struct play s;
    struct ha_record base = record();

    play_setup(&s);
    for (int i = N2; i <= N3; i++)
        hear(&s, i, (uint64_t)(100 + i - N1), (struct ha_msg){.kind = HA_STATUS, .state = HA_FOLLOWER, .flags = HA_F_LINK_UP,
                                                              .ballot = 1, .pos = {4, i == N3 ? 9 : 5}});
    begin(&s, LEAD_HAND_OVER);
    vote(&s, S2, &base);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_STOPPING);
    ck_assert_str_eq(formed_lead(s.f)->chosen, id(N3));
    ck_assert_ptr_nonnull(said(&s, id(N1), HA_STOP));
    later(&s, 500);                                        /* 2E is over: the target did not catch up */
    ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    ck_assert_ptr_nonnull(said(&s, id(N1), HA_RESUME));
    play_fini(&s);
}
END_TEST

/* All memories were lost at once: no seal will ever count, and a try that waits for them must not keep the operator out. */
START_TEST(test_an_operator_gets_past_a_try_that_waits_for_ever)
{
    struct play s;
    struct ha_record base = record();
    const struct ha_record *r;

    play_setup(&s);
    begin(&s, LEAD_PROMOTE);
    vote(&s, S2, &base);
    for (int i = N1; i <= N3; i++)
        seal(&s, i, (uint64_t)(900 + i), 4, 500);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_SEALING);
    step(&s, &(struct formed_event){.kind = FV_FORCE, .id = "", .seals = 0, .ticket = 6});
    ck_assert(reply_to(&s, 6) != NULL && !reply_to(&s, 6)->ok);    /* of whichever life, but which node? */
    step(&s, &(struct formed_event){.kind = FV_FORCE, .id = id(N3), .seals = 0, .ticket = 7});
    ck_assert_ptr_null(reply_to(&s, 7));
    ck_assert_str_eq(lead_purpose_name(formed_lead(s.f)->want.purpose), "force");
    vote(&s, S2, &base);
    seal(&s, N2, 902, 4, 600);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_SEALING);
    seal(&s, N3, 903, 4, 400);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_STORING);
    r = &formed_lead(s.f)->next;
    ck_assert_str_eq(r->primary, id(N3));
    ck_assert_uint_eq(ha_member(r, id(N3))->life, 903);            /* OPEN asks for the memory that is there */
    ck_assert_uint_eq(ha_member(r, id(N2))->life, 101);            /* the others come in by a change */
    play_fini(&s);

    play_setup(&s);
    begin(&s, LEAD_PROMOTE);
    vote(&s, S2, &base);
    for (int i = N1; i <= N3; i++)
        hear(&s, i, (uint64_t)(900 + i), (struct ha_msg){.kind = HA_STATUS, .state = HA_FENCED, .incarnation = 41, .ballot = 1, .pos = {4, 9}});
    step(&s, &(struct formed_event){.kind = FV_DISSOLVE, .ticket = 8});
    ck_assert_ptr_null(reply_to(&s, 8));
    ck_assert_str_eq(lead_purpose_name(formed_lead(s.f)->want.purpose), "dissolve");
    play_fini(&s);
}
END_TEST

/* async counts on one seal and waits for who was known to be longer, up to down-after: longer than a sealing state lasts
 * before everybody is asked again, which begins nothing anew. */
START_TEST(test_async_waits_for_who_was_longer)
{
    struct voter_facts facts = {.life = 200, .promised = 4, .promise_max_ms = 800, .rec = record()};
    struct ha_record base;
    struct play s;
    uint64_t ballot;
    int64_t sealed_ms;

    facts.rec.mode = HA_ASYNC;
    facts.rec.member[2].last = (struct ha_position){4, 900};
    base = facts.rec;
    play_setup_with(&s, &facts);
    renew(&s);
    step(&s, &(struct formed_event){.kind = FV_NODE, .id = id(N3)});
    begin(&s, LEAD_PROMOTE);
    ballot = formed_lead(s.f)->ballot;
    vote(&s, S2, &base);
    seal(&s, N1, 100, 4, 400);
    seal(&s, N2, 101, 4, 500);
    sealed_ms = s.now_ms;
    while (s.now_ms - sealed_ms < base.timing.down_after_ms - 50) {
        later(&s, 20);
        ck_assert_int_eq(formed_lead(s.f)->state, LD_SEALING);
    }
    for (int i = 0; i < 10 && formed_lead(s.f)->state == LD_SEALING; i++)
        later(&s, 20);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_STORING);
    ck_assert_uint_eq(formed_lead(s.f)->ballot, ballot);
    ck_assert_str_eq(formed_lead(s.f)->next.primary, id(N2));
    play_fini(&s);
}
END_TEST

/* It says with each heartbeat that it leads: the others have the same reason, and do not cut in. */
START_TEST(test_nobody_cuts_in_while_another_seals)
{
    struct voter_facts facts = {.life = 200, .promised = 4, .promise_max_ms = 800, .rec = record()};
    struct play s;

    facts.rec.mode = HA_ASYNC;
    play_setup_with(&s, &facts);
    renew(&s);
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_VOTE, .ballot = 5});
    step(&s, &(struct formed_event){.kind = FV_ODOWN, .yes = true});
    for (int i = 0; i < 10; i++) {         /* as long as async waits for who may be longer */
        hear(&s, S2, 201, (struct ha_msg){.kind = HA_ALIVE, .ballot = 4, .epoch = 4, .promised = 5, .nonce = 5});
        later(&s, 100);
        ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    }
    for (int i = 0; i < 100 && formed_lead(s.f)->state == LD_IDLE; i++)        /* it fell silent */
        later(&s, 20);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_VOTING);
    play_fini(&s);
}
END_TEST

SUITE(lead, test_every_waiting_state_ends, test_purposes_pass_where_they_should, test_rows_and_events_have_names,
      test_promotion_takes_the_longest_of_q_seals, test_epoch_comes_before_offset, test_another_life_does_not_count,
      test_base_is_the_highest_of_the_majority_and_stays, test_a_higher_ballot_ends_the_try,
      test_hand_over_is_called_off_before_finish, test_an_operator_gets_past_a_try_that_waits_for_ever,
      test_async_waits_for_who_was_longer, test_nobody_cuts_in_while_another_seals)
