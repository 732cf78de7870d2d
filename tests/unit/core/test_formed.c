/* The door of a formed group: what is said behind which save, who hears of the record, and
 * when a try is begun. */
#include "tests/unit/core/play.h"

/* Where in the list: the first FA_SAVE, the first message of a kind to somebody; -1 = nowhere. */
static int save_at(const struct play *s)
{
    for (size_t i = 0; i < s->out.list.n; i++)
        if (s->out.list.at[i].kind == FA_SAVE)
            return (int)i;
    return -1;
}

static int said_at(const struct play *s, const char *to, enum ha_kind kind)
{
    for (size_t i = 0; i < s->out.list.n; i++) {
        const struct formed_action *a = &s->out.list.at[i];
        if ((a->kind == FA_TO_PEER || a->kind == FA_TO_NODE) && strcmp(a->id, to) == 0 && a->msg->kind == kind)
            return (int)i;
    }
    return -1;
}

static const struct formed_action *primary_said(const struct play *s)
{
    for (size_t i = 0; i < s->out.list.n; i++)
        if (s->out.list.at[i].kind == FA_PRIMARY)
            return &s->out.list.at[i];
    return NULL;
}

/* A heartbeat of a peer that holds the record of `ballot`. */
static void alive(struct play *s, int from, uint64_t ballot, uint32_t change, uint64_t epoch, bool renewed)
{
    hear(s, from, (uint64_t)(200 + from - S1), (struct ha_msg){.kind = HA_ALIVE, .ballot = ballot, .change = change,
                                                               .epoch = epoch, .promised = ballot, .ok = renewed});
}

static struct ha_msg status(int node, uint64_t incarnation, uint64_t sealed, uint64_t epoch, enum ha_node_state state)
{
    (void)node;
    return (struct ha_msg){.kind = HA_STATUS, .ballot = 1, .incarnation = incarnation, .sealed = sealed, .epoch = epoch,
                           .state = state, .pos = {epoch, 10}, .flags = HA_F_USED | HA_F_LINK_UP};
}

static void save_failed(struct play *s)
{
    step(s, &(struct formed_event){.kind = FV_SAVE_FAILED});
}

START_TEST(test_vote_is_behind_its_save)
{
    struct play s;
    const struct ha_msg *m;

    play_setup(&s);
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_VOTE, .ballot = 9});
    m = said(&s, id(S2), HA_VOTED);
    ck_assert(m != NULL && m->ok && m->ballot == 9 && m->promised == 9 && m->life == 200 && m->gid == 7);
    ck_assert(m->rec != NULL && m->rec->ballot == 4);
    ck_assert_int_ge(save_at(&s), 0);
    ck_assert_int_lt(save_at(&s), said_at(&s, id(S2), HA_VOTED));
    hear(&s, S3, 202, (struct ha_msg){.kind = HA_VOTE, .ballot = 9});
    m = said(&s, id(S3), HA_VOTED);
    ck_assert(m != NULL && !m->ok && m->why == HA_WHY_VOTED);
    play_fini(&s);
}
END_TEST

START_TEST(test_unsaved_vote_is_told_after_the_next_save)
{
    struct play s;

    play_setup(&s);
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_VOTE, .ballot = 9});
    save_failed(&s);
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_VOTE, .ballot = 9});
    ck_assert(said(&s, id(S2), HA_VOTED)->ok);
    /* the answer is behind a save, which again may fail */
    save_failed(&s);
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_VOTE, .ballot = 9});
    ck_assert_int_ge(save_at(&s), 0);
    ck_assert_int_lt(save_at(&s), said_at(&s, id(S2), HA_VOTED));
    save_failed(&s);
    renew(&s);                             /* a lease rests on the record: it waits for the disk too */
    ck_assert_int_lt(save_at(&s), said_at(&s, id(N1), HA_LEASE));
    ck_assert_int_ge(save_at(&s), 0);
    play_fini(&s);
}
END_TEST

START_TEST(test_own_vote_is_saved_before_others_are_asked)
{
    struct play s;
    bool asked = false;

    play_setup(&s);
    s.now_ms += 1000;
    step(&s, &(struct formed_event){.kind = FV_ODOWN, .yes = true});
    ck_assert_int_eq(formed_lead(s.f)->state, LD_VOTING);          /* first in rank: at once */
    for (int i = S2; i <= S3; i++) {
        ck_assert_int_lt(save_at(&s), said_at(&s, id(i), HA_VOTE));
        asked = true;
    }
    ck_assert(asked && save_at(&s) >= 0);
    ck_assert_uint_eq(formed_facts(s.f)->promised, formed_lead(s.f)->ballot);
    save_failed(&s);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    later(&s, 5000);                       /* a heartbeat is behind a save, and that one comes true */
    later(&s, 5);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_VOTING);
    play_fini(&s);
}
END_TEST

START_TEST(test_lease_and_what_it_rests_on)
{
    struct play s;
    const struct ha_msg *m;
    struct ha_msg old = {.kind = HA_RENEW, .ballot = 1, .epoch = 3, .incarnation = 40, .nonce = 5};

    play_setup(&s);
    renew(&s);
    m = said(&s, id(N1), HA_LEASE);
    ck_assert(m != NULL && m->ok && m->epoch == 4 && m->incarnation == 41 && m->nonce == 1 && m->ballot == 4);
    ck_assert_int_eq(voter_held_ms(formed_voter(s.f), s.now_ms), 800);
    hear(&s, N1, 100, old);
    m = said(&s, id(N1), HA_LEASE);
    ck_assert(!m->ok && m->why == HA_WHY_EPOCH && m->nonce == 5);
    old.epoch = 4;
    old.incarnation = 41;
    hear(&s, N2, 101, old);
    ck_assert(!said(&s, id(N2), HA_LEASE)->ok);                    /* another node does not renew for it */
    play_fini(&s);
}
END_TEST

START_TEST(test_record_waits_for_the_promise)
{
    struct play s;
    struct ha_record r = record();
    const struct ha_msg *m;

    play_setup(&s);
    r.ballot = r.epoch = 6;
    r.incarnation = 45;
    memcpy(r.primary, id(N2), ID_MAX);
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_RECORD, .ballot = 6, .rec = &r});
    m = said(&s, id(S2), HA_STORED);
    ck_assert(m != NULL && !m->ok && m->why == HA_WHY_LEASED && m->ms == 800);
    later(&s, 801);
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_RECORD, .ballot = 6, .rec = &r});
    m = said(&s, id(S2), HA_STORED);
    ck_assert(m != NULL && m->ok && m->ballot == 6 && m->change == 0);
    ck_assert_int_lt(save_at(&s), said_at(&s, id(S2), HA_STORED));
    ck_assert_ptr_null(primary_said(&s));                          /* one voter is no majority */
    alive(&s, S2, 6, 0, 6, false);
    ck_assert_ptr_nonnull(primary_said(&s));
    ck_assert_str_eq(primary_said(&s)->id, id(N2));
    alive(&s, S3, 6, 0, 6, true);
    ck_assert_ptr_null(primary_said(&s));                          /* once */
    r.n_members = 0;
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_RECORD, .ballot = 8, .rec = &r});
    ck_assert_ptr_null(said(&s, id(S2), HA_STORED));
    play_fini(&s);
}
END_TEST

START_TEST(test_strays_are_told_whom_to_follow)
{
    struct play s;

    play_setup(&s);
    hear(&s, N2, 101, status(N2, 45, 4, 4, HA_FOLLOWER));
    ck_assert_ptr_null(said(&s, id(N2), HA_FOLLOW));
    hear(&s, N2, 101, status(N2, 45, 3, 3, HA_FOLLOWER));
    ck_assert_ptr_nonnull(said(&s, id(N2), HA_FOLLOW));
    hear(&s, N3, 102, status(N3, 46, 3, 3, HA_PRIMARY));           /* yesterday's primary is back */
    ck_assert_ptr_nonnull(said(&s, id(N3), HA_FOLLOW));
    hear(&s, N3, 102, status(N3, 46, 9, 3, HA_FENCED));            /* sealed above: that is a leader's */
    ck_assert_ptr_null(said(&s, id(N3), HA_FOLLOW));
    play_fini(&s);
}
END_TEST

START_TEST(test_lost_open_is_repeated_unproved)
{
    struct voter_facts facts = {.life = 200, .promised = 4, .promise_max_ms = 800, .rec = record()};
    const struct ha_msg *m;
    struct play s;

    play_setup_with(&s, &facts);
    hear(&s, N1, 100, status(N1, 41, 4, 3, HA_FENCED));
    m = said(&s, id(N1), HA_OPEN);
    ck_assert(m != NULL && m->unproved && m->rec != NULL && m->rec->ballot == 4);
    hear(&s, N1, 100, status(N1, 41, 5, 3, HA_FENCED));            /* sealed = e, or nothing */
    ck_assert_ptr_null(said(&s, id(N1), HA_OPEN));
    hear(&s, N1, 100, status(N1, 41, 4, 4, HA_PRIMARY));
    ck_assert_ptr_null(said(&s, id(N1), HA_OPEN));
    play_fini(&s);
    facts.rec.born = 4;                                            /* the first record is opened by its leader alone */
    play_setup_with(&s, &facts);
    hear(&s, N1, 100, status(N1, 41, 4, 3, HA_FENCED));
    ck_assert_ptr_null(said(&s, id(N1), HA_OPEN));
    play_fini(&s);
}
END_TEST

START_TEST(test_a_peer_that_missed_the_record_gets_it)
{
    struct play s;

    play_setup(&s);
    alive(&s, S2, 4, 0, 4, true);
    ck_assert_ptr_null(said(&s, id(S2), HA_RECORD));
    alive(&s, S2, 3, 0, 3, true);
    ck_assert_ptr_nonnull(said(&s, id(S2), HA_RECORD));
    ck_assert_uint_eq(said(&s, id(S2), HA_RECORD)->rec->ballot, 4);
    play_fini(&s);
}
END_TEST

/* It was there when an earlier group was dissolved, and does not vote in this one: it took itself for plain for ever. */
START_TEST(test_a_peer_that_holds_the_end_of_another_id_hears_of_this_one)
{
    struct ha_msg a = {.kind = HA_ALIVE, .gid = 6, .ballot = 3, .change = 1, .promised = 3, .unproved = true, .life = 333};
    struct play s;

    play_setup(&s);
    step(&s, &(struct formed_event){.kind = FV_PEER, .id = id(7), .yes = true});
    memcpy(a.from, id(7), ID_MAX);
    step(&s, &(struct formed_event){.kind = FV_MSG, .msg = &a});
    ck_assert_ptr_nonnull(said(&s, id(7), HA_RECORD));
    a.ballot = 9;                          /* a later id's end: ours is of the past */
    step(&s, &(struct formed_event){.kind = FV_MSG, .msg = &a});
    ck_assert_ptr_null(said(&s, id(7), HA_RECORD));
    play_fini(&s);
}
END_TEST

START_TEST(test_reasons)
{
    struct play s;

    play_setup(&s);                                                /* a new process of the primary is down at once */
    s.now_ms += 1000;
    hear(&s, N1, 100, status(N1, 99, 4, 4, HA_FENCED));
    ck_assert_int_eq(formed_lead(s.f)->state, LD_VOTING);
    play_fini(&s);

    play_setup(&s);                                                /* so is one whose end was seen */
    s.now_ms += 1000;
    step(&s, &(struct formed_event){.kind = FV_EVIDENCE});
    ck_assert_int_eq(formed_lead(s.f)->state, LD_VOTING);
    ck_assert_ptr_nonnull(said(&s, id(S2), HA_END));
    ck_assert_ptr_nonnull(said(&s, id(N2), HA_END));
    ck_assert_int_eq(voter_held_ms(formed_voter(s.f), s.now_ms), 0);
    play_fini(&s);

    play_setup(&s);                                                /* sealed above the epoch: when it is quiet */
    s.now_ms += 150;
    renew(&s);
    alive(&s, S2, 4, 0, 4, true);
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_VOTE, .ballot = 9});
    hear(&s, N2, 101, status(N2, 45, 9, 4, HA_FENCED));
    ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    later(&s, 150);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    later(&s, 250);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_VOTING);
    ck_assert_uint_eq(formed_lead(s.f)->ballot, 10);
    play_fini(&s);
}
END_TEST

START_TEST(test_a_record_nobody_renewed)
{
    struct voter_facts facts = {.life = 200, .promised = 4, .promise_max_ms = 800, .rec = record()};
    struct play s;

    play_setup_with(&s, &facts);
    alive(&s, S2, 4, 0, 4, true);                                  /* a peer heard it: our link is what is missing */
    later(&s, 5000);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    alive(&s, S2, 4, 0, 4, false);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_VOTING);
    play_fini(&s);
}
END_TEST

START_TEST(test_the_second_waits_for_the_first)
{
    struct voter_facts facts = {.life = 201, .promised = 4, .promise_max_ms = 800, .rec = record()};
    struct formed_self self = {0};
    struct play s = {.now_ms = 100000};

    memcpy(self.id, id(S2), ID_MAX);
    s.f = formed_new(&self, &facts, 0, 1, s.now_ms);
    s.now_ms += 5;
    step(&s, &(struct formed_event){.kind = FV_PEER, .id = id(S1), .yes = true});
    step(&s, &(struct formed_event){.kind = FV_ODOWN, .yes = true});
    ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    ck_assert_int_le(formed_deadline_ms(s.f), s.now_ms + 100);
    hear(&s, S1, 200, (struct ha_msg){.kind = HA_VOTE, .ballot = 5});
    later(&s, 90);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);            /* it has our vote, and E to make use of it */
    later(&s, 200);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_VOTING);
    play_fini(&s);
}
END_TEST

START_TEST(test_strangers_and_nonsense)
{
    struct play s;
    uint64_t promised;

    play_setup(&s);
    promised = formed_facts(s.f)->promised;
    hear(&s, 7, 1, (struct ha_msg){.kind = HA_VOTE, .ballot = 90});                /* not one of this group's */
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_VOTE, .ballot = UINT64_MAX});
    hear(&s, N2, 101, (struct ha_msg){.kind = HA_END, .epoch = 4, .incarnation = 41});
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_RENEW, .epoch = 4, .incarnation = 41});
    ck_assert_uint_eq(formed_facts(s.f)->promised, promised);
    ck_assert_uint_eq(formed_voter(s.f)->ended_epoch, 0);
    play_fini(&s);
}
END_TEST

/* One command is enough: the wish outlives the process that was told, and ends when it is fulfilled. */
START_TEST(test_a_voter_to_be_replaced_is_not_forgotten)
{
    struct play s;
    struct voter_facts kept;
    struct ha_record next = record();
    bool saved = false;

    play_setup(&s);
    hear(&s, S3, 999, (struct ha_msg){.kind = HA_ALIVE, .ballot = 4, .epoch = 4, .promised = 4});      /* it lost its memory */
    step(&s, &(struct formed_event){.kind = FV_REPLACE_VOTER, .id = id(S3), .id2 = id(S3), .ticket = 3});
    for (size_t i = 0; i < s.out.list.n; i++) {
        saved |= s.out.list.at[i].kind == FA_SAVE;
        ck_assert(s.out.list.at[i].kind != FA_REPLY);          /* answered when it is done */
    }
    ck_assert(saved);
    kept = *formed_facts(s.f);
    ck_assert_ptr_null(formed_facts_check(&kept));
    play_fini(&s);

    play_setup_with(&s, &kept);                                /* another process */
    renew(&s);
    hear(&s, N1, 100, (struct ha_msg){.kind = HA_STATUS, .state = HA_PRIMARY, .incarnation = 41, .epoch = 4, .ballot = 1, .pos = {4, 9}});
    for (int i = 0; i < 300; i++) {                            /* nobody goes before the new one is there */
        s.now_ms += 5;
        renew(&s);
        ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    }
    hear(&s, S3, 999, (struct ha_msg){.kind = HA_ALIVE, .ballot = 4, .epoch = 4, .promised = 4});
    for (int i = 0; i < 300 && formed_lead(s.f)->state == LD_IDLE; i++) {
        s.now_ms += 5;
        renew(&s);
    }
    ck_assert_int_eq(formed_lead(s.f)->want.purpose, LEAD_CHANGE_VOTERS);
    ck_assert_int_eq(formed_lead(s.f)->want.target.n_voters, 2);

    next.ballot = 90;
    next.change = 2;
    next.voter[2].life = 999;
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_RECORD, .ballot = 90, .change = 2, .rec = &next});
    ck_assert_str_eq(formed_facts(s.f)->replace_in, "");
    play_fini(&s);
}
END_TEST

START_TEST(test_the_memory_that_votes_is_not_replaced)
{
    struct play s;

    play_setup(&s);
    hear(&s, S3, 202, (struct ha_msg){.kind = HA_ALIVE, .ballot = 4, .epoch = 4, .promised = 4});
    step(&s, &(struct formed_event){.kind = FV_REPLACE_VOTER, .id = id(S3), .id2 = id(S3), .ticket = 3});
    ck_assert_str_eq(formed_facts(s.f)->replace_in, "");
    hear(&s, S3, 999, (struct ha_msg){.kind = HA_ALIVE, .ballot = 4, .epoch = 4, .promised = 4});
    step(&s, &(struct formed_event){.kind = FV_REPLACE_VOTER, .id = id(S3), .id2 = id(S3), .ticket = 4});
    ck_assert_str_eq(formed_facts(s.f)->replace_in, id(S3));
    step(&s, &(struct formed_event){.kind = FV_REPLACE_VOTER, .id = "", .id2 = "", .ticket = 5});
    ck_assert_str_eq(formed_facts(s.f)->replace_in, "");
    play_fini(&s);
}
END_TEST

SUITE(formed, test_vote_is_behind_its_save, test_unsaved_vote_is_told_after_the_next_save,
      test_own_vote_is_saved_before_others_are_asked, test_lease_and_what_it_rests_on, test_record_waits_for_the_promise,
      test_strays_are_told_whom_to_follow, test_lost_open_is_repeated_unproved, test_a_peer_that_missed_the_record_gets_it,
      test_a_peer_that_holds_the_end_of_another_id_hears_of_this_one,
      test_reasons, test_a_record_nobody_renewed, test_the_second_waits_for_the_first, test_strangers_and_nonsense,
      test_a_voter_to_be_replaced_is_not_forgotten, test_the_memory_that_votes_is_not_replaced)
