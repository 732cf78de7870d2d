/* Elections on a slow disk and a busy machine: time that a save takes is nobody's fault, who leads
 * says so before its disk does, and is not cut short while it lives. */
#include "tests/unit/core/play.h"

/* A heartbeat of a peer that leads `ballot`; 0 = none. */
static void leads(struct play *s, int from, uint64_t ballot)
{
    hear(s, from, (uint64_t)(200 + from - S1),
         (struct ha_msg){.kind = HA_ALIVE, .ballot = 4, .epoch = 4, .promised = 4, .ok = true, .nonce = ballot});
}

static void odown(struct play *s) { step(s, &(struct formed_event){.kind = FV_ODOWN, .yes = true}); }
static enum lead_state state(const struct play *s) { return formed_lead(s->f)->state; }

static void quiet_past(struct play *s)
{
    s->now_ms += 2000;
    renew(s);
}

START_TEST(test_a_slow_save_ends_no_try)
{
    struct play s;

    play_setup(&s);
    quiet_past(&s);
    odown(&s);
    ck_assert_int_eq(state(&s), LD_VOTING);
    s.now_ms += 3000;                      /* so long took our own vote: the others are asked now */
    step(&s, &(struct formed_event){.kind = FV_SAVED});
    later(&s, 1);
    ck_assert_int_eq(state(&s), LD_VOTING);
    later(&s, 200);                        /* whoever is at hand and has not answered is slow */
    ck_assert_int_eq(state(&s), LD_VOTING);
    vote(&s, S2, formed_newest(s.f));
    ck_assert_int_eq(state(&s), LD_SEALING);
    play_fini(&s);
}
END_TEST

START_TEST(test_who_begins_says_so_before_its_disk_does)
{
    struct play s;
    int alive = -1, save = -1;

    play_setup(&s);
    quiet_past(&s);
    odown(&s);
    for (size_t i = s.out.list.n; i-- > 0;) {
        if (s.out.list.at[i].kind == FA_SAVE)
            save = (int)i;
        if (s.out.list.at[i].kind == FA_TO_PEER && s.out.list.at[i].msg->kind == HA_ALIVE &&
            s.out.list.at[i].msg->nonce == formed_lead(s.f)->ballot)
            alive = (int)i;
    }
    ck_assert(alive >= 0 && save >= 0 && alive < save);
    play_fini(&s);
}
END_TEST

START_TEST(test_a_leader_that_lives_is_not_cut_short)
{
    struct play s;

    play_setup(&s);
    quiet_past(&s);
    leads(&s, S2, 5);
    odown(&s);
    for (int i = 0; i < 9; i++) {          /* it is slow, and is heard of */
        ck_assert_int_eq(state(&s), LD_IDLE);
        leads(&s, S2, 5);
        later(&s, 100);
    }
    leads(&s, S2, 0);                      /* it gave up */
    later(&s, 60);
    ck_assert_int_eq(state(&s), LD_VOTING);
    play_fini(&s);

    play_setup(&s);
    quiet_past(&s);
    leads(&s, S2, 5);
    odown(&s);
    later(&s, 100);
    ck_assert_int_eq(state(&s), LD_IDLE);
    step(&s, &(struct formed_event){.kind = FV_PEER, .id = id(S2)});       /* its link closed */
    later(&s, 60);
    ck_assert_int_eq(state(&s), LD_VOTING);
    play_fini(&s);

    play_setup(&s);
    quiet_past(&s);
    leads(&s, S2, 5);
    odown(&s);
    for (int i = 0; i < 30 && state(&s) == LD_IDLE; i++) {      /* not for ever */
        leads(&s, S2, 5);
        later(&s, 100);
    }
    ck_assert_int_eq(state(&s), LD_VOTING);
    play_fini(&s);
}
END_TEST

START_TEST(test_who_opened_late_is_not_deposed_at_once)
{
    struct play s;

    play_setup(&s);
    begin(&s, LEAD_PROMOTE);
    vote(&s, S2, formed_newest(s.f));
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_END, .epoch = 4, .incarnation = 41, .ballot = 9});
    seal(&s, N2, 101, 4, 10);
    seal(&s, N3, 102, 4, 10);
    later(&s, 60);
    ck_assert_int_eq(state(&s), LD_STORING);
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_STORED, .ok = true});
    ck_assert_int_eq(state(&s), LD_OPENING);
    s.now_ms += 390;                       /* the node was slow */
    hear(&s, N2, 101, (struct ha_msg){.kind = HA_OPENED, .ok = true, .epoch = formed_lead(s.f)->ballot});
    later(&s, 1);
    ck_assert_int_eq(state(&s), LD_IDLE);
    later(&s, 200);
    ck_assert_int_eq(state(&s), LD_IDLE);  /* it asks for its lease now */
    for (int i = 0; i < 30 && state(&s) == LD_IDLE; i++)
        later(&s, 100);
    ck_assert_int_eq(state(&s), LD_VOTING);    /* but if it never does it is replaced */
    play_fini(&s);
}
END_TEST

SUITE(slow, test_a_slow_save_ends_no_try, test_who_begins_says_so_before_its_disk_does, test_a_leader_that_lives_is_not_cut_short,
      test_who_opened_late_is_not_deposed_at_once)
