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

START_TEST(test_an_epoch_that_began_meanwhile_is_not_sealed)
{
    struct ha_record r = record();
    struct play s;

    play_setup(&s);
    begin(&s, LEAD_PROMOTE);
    r.ballot = r.epoch = formed_lead(s.f)->ballot - 1 > 4 ? formed_lead(s.f)->ballot - 1 : 5;
    memcpy(r.primary, id(N2), ID_MAX);
    r.incarnation = 45;
    hear(&s, N2, 101, (struct ha_msg){.kind = HA_STATUS, .incarnation = 45, .sealed = r.epoch, .epoch = r.epoch, .state = HA_PRIMARY, .pos = {r.epoch, 10},
                                      .flags = HA_F_USED, .ballot = 1});
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_VOTED, .ok = true, .rec = &r, .ballot = formed_lead(s.f)->ballot});
    ck_assert_int_eq(state(&s), LD_STORING);
    ck_assert_int_eq(formed_lead(s.f)->want.purpose, LEAD_RESTORE);
    ck_assert_ptr_null(said(&s, id(N2), HA_SEAL));
    ck_assert_uint_eq(formed_lead(s.f)->next.epoch, r.epoch);
    play_fini(&s);
}
END_TEST

/* A member is sealed above the epoch; `life` is what the third one has now. Is the primary, which is well, ended for it? */
static bool ends_for_a_seal(uint64_t life)
{
    struct play s;
    bool ends = false;

    play_setup(&s);
    for (int i = 0; i < 20 && !ends; i++) {
        renew(&s);
        hear(&s, N1, 100, (struct ha_msg){.kind = HA_STATUS, .incarnation = 41, .sealed = 4, .epoch = 4, .state = HA_PRIMARY, .pos = {4, 10}, .ballot = 1});
        hear(&s, N3, life, (struct ha_msg){.kind = HA_STATUS, .incarnation = 46, .sealed = 4, .epoch = 4, .state = HA_FOLLOWER, .ballot = 1});
        hear(&s, N2, 901, (struct ha_msg){.kind = HA_STATUS, .incarnation = 45, .sealed = 9, .state = HA_FENCED, .ballot = 1});
        later(&s, 100);
        ends = state(&s) == LD_VOTING && formed_lead(s.f)->want.purpose == LEAD_PROMOTE;
    }
    play_fini(&s);
    return ends;
}

START_TEST(test_a_primary_outlives_its_members_first_copies)
{
    ck_assert(!ends_for_a_seal(902));      /* two of three seals would not count: nobody could follow it */
    ck_assert(ends_for_a_seal(102));
}
END_TEST

SUITE(slow, test_a_slow_save_ends_no_try, test_who_begins_says_so_before_its_disk_does, test_a_leader_that_lives_is_not_cut_short,
      test_who_opened_late_is_not_deposed_at_once, test_an_epoch_that_began_meanwhile_is_not_sealed,
      test_a_primary_outlives_its_members_first_copies)
