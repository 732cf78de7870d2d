/* A crash seen by a majority of the voters (R2c), a wish that is answered when it is fulfilled, the
 * last record that lets nodes go, and facts that no disk may bring. */
#include "tests/unit/core/play.h"

static void status_of(struct play *s, int node, struct ha_msg m)
{
    m.kind = HA_STATUS;
    hear(s, node, (uint64_t)(100 + node - N1), m);
}

static void looks(struct play *s, bool link_up)
{
    status_of(s, N1, (struct ha_msg){.incarnation = 41, .sealed = 4, .epoch = 4, .state = HA_PRIMARY, .pos = {4, 10}, .flags = HA_F_USED});
    for (int n = N2; n <= N3; n++)
        status_of(s, n, (struct ha_msg){.incarnation = (uint64_t)(40 + n), .sealed = 4, .epoch = 4, .state = HA_FOLLOWER, .pos = {4, 10},
                                        .flags = HA_F_USED | (link_up ? HA_F_LINK_UP : 0)});
}

static void refused(struct play *s)
{
    step(s, &(struct formed_event){.kind = FV_NODE, .id = id(N1)});
    step(s, &(struct formed_event){.kind = FV_NODE, .id = id(N1), .refused = true});
}

static void peer_saw(struct play *s, int peer, uint64_t life, bool saw)
{
    hear(s, peer, life, (struct ha_msg){.kind = HA_ALIVE, .ballot = 4, .epoch = 4, .promised = 4, .ok = true, .ended = saw});
}

static bool ended(const struct play *s) { return formed_voter(s->f)->ended_epoch == 4; }

START_TEST(test_a_majority_that_saw_it_ends_the_epoch)
{
    struct play s;

    play_setup(&s);
    looks(&s, false);
    refused(&s);
    ck_assert(said(&s, id(S2), HA_ALIVE)->ended && said(&s, id(S3), HA_ALIVE)->ended);     /* at once */
    ck_assert(said(&s, id(N2), HA_LOOK) != NULL && !ended(&s));
    peer_saw(&s, S2, 999, true);                                   /* another life does not count */
    ck_assert(!ended(&s));
    peer_saw(&s, S2, 201, true);
    ck_assert(ended(&s));
    ck_assert_int_eq(voter_held_ms(formed_voter(s.f), s.now_ms), 0);
    play_fini(&s);
}
END_TEST

START_TEST(test_a_member_that_replicates_objects)
{
    struct play s;

    play_setup(&s);
    looks(&s, true);
    refused(&s);
    peer_saw(&s, S2, 201, true);
    ck_assert(!ended(&s));
    later(&s, 10);
    ck_assert(said(&s, id(N2), HA_LOOK) != NULL);                  /* asked anew: it may have been quicker than they */
    looks(&s, false);
    ck_assert(ended(&s));
    play_fini(&s);
}
END_TEST

START_TEST(test_what_is_no_evidence)
{
    struct formed_want want = {.no_crash_evidence = true};
    struct play s;

    play_setup(&s);
    refused(&s);                                                   /* whose process was that? */
    ck_assert(!said(&s, id(S2), HA_ALIVE) || !said(&s, id(S2), HA_ALIVE)->ended);
    step(&s, &(struct formed_event){.kind = FV_NODE, .id = id(N1), .yes = true});
    looks(&s, false);
    step(&s, &(struct formed_event){.kind = FV_NODE, .id = id(N1)});
    peer_saw(&s, S2, 201, true);
    peer_saw(&s, S3, 202, true);                                   /* two others saw it: a majority without us */
    ck_assert(ended(&s));
    play_fini(&s);
    play_setup(&s);
    looks(&s, false);
    refused(&s);
    renew(&s);                                                     /* it lives: taken back, at once */
    ck_assert(!said(&s, id(S2), HA_ALIVE)->ended);
    peer_saw(&s, S2, 201, true);
    ck_assert(!ended(&s));
    play_fini(&s);
    play_setup(&s);
    step(&s, &(struct formed_event){.kind = FV_FORM, .want = &want});      /* crash-evidence no */
    looks(&s, false);
    refused(&s);
    peer_saw(&s, S2, 201, true);
    peer_saw(&s, S3, 202, true);
    ck_assert(!ended(&s));
    play_fini(&s);
}
END_TEST

START_TEST(test_settings_are_answered_when_they_are_there)
{
    struct ha_record r = record();
    struct formed_want want = {.mode = HA_STRICT, .k = 2, .voters = 3, .timing = r.timing};
    struct play s;

    play_setup(&s);
    step(&s, &(struct formed_event){.kind = FV_SET, .want = &want, .ticket = 5});
    ck_assert(reply_to(&s, 5) == NULL);                            /* how the primary is is not known yet: no answer */
    r.ballot = 5;
    r.change = 1;
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_RECORD, .ballot = 5, .change = 1, .rec = &r});
    ck_assert(reply_to(&s, 5) == NULL);
    r.ballot = 6;
    r.k = 2;
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_RECORD, .ballot = 6, .change = 1, .rec = &r});
    ck_assert(reply_to(&s, 5) != NULL && reply_to(&s, 5)->ok);
    play_fini(&s);
}
END_TEST

START_TEST(test_last_record_lets_nodes_go)
{
    struct ha_record r = record();
    struct voter_facts facts = {.life = 200, .promised = 8, .promise_max_ms = 800};
    const struct ha_msg *m;
    struct play s;

    r.ballot = 8;
    r.change = 1;
    r.dissolved = true;
    facts.rec = r;
    play_setup_with(&s, &facts);
    looks(&s, true);
    ck_assert(said(&s, id(N2), HA_BIND) == NULL);                  /* is it at a majority? */
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_ALIVE, .ballot = 8, .change = 1, .epoch = 4, .promised = 8});
    status_of(&s, N2, (struct ha_msg){.incarnation = 45, .sealed = 4, .epoch = 4, .state = HA_FOLLOWER});
    ck_assert(said(&s, id(N2), HA_BIND) == NULL);                  /* the primary first */
    status_of(&s, N1, (struct ha_msg){.incarnation = 41, .sealed = 4, .epoch = 4, .state = HA_PRIMARY});
    m = said(&s, id(N1), HA_BIND);
    ck_assert(m != NULL && m->gid == 0 && m->old_gid == 7 && m->ballot == 8 && m->rec != NULL && m->rec->dissolved);
    play_fini(&s);
}
END_TEST

START_TEST(test_facts_of_a_disk)
{
    struct voter_facts f = {.life = 200, .promised = 4, .promise_max_ms = 800, .rec = record()};

    ck_assert(formed_facts_check(&f) == NULL);
    f.promised = 3;
    ck_assert(formed_facts_check(&f) != NULL);
    f.promised = UINT64_MAX;
    ck_assert(formed_facts_check(&f) != NULL);
    f.promised = 4;
    f.life = 0;
    ck_assert(formed_facts_check(&f) != NULL);
    f.life = 200;
    f.promise_max_ms = 100;
    ck_assert(formed_facts_check(&f) != NULL);
    f.promise_max_ms = 800;
    f.rec.k = 7;
    ck_assert(formed_facts_check(&f) != NULL);
}
END_TEST

/* The chosen process was opened, told that it is over, and nobody remembers. */
START_TEST(test_a_process_that_gave_its_epoch_up)
{
    struct ha_msg m = {.kind = HA_OPENED, .epoch = 4, .incarnation = 41, .why = HA_WHY_OPENED};
    struct play s;

    play_setup(&s);
    m.incarnation = 40;
    hear(&s, N1, 100, m);
    ck_assert(!ended(&s));
    m.incarnation = 41;
    hear(&s, N2, 101, m);
    ck_assert(!ended(&s));
    hear(&s, N1, 100, m);
    ck_assert(ended(&s));
    play_fini(&s);
}
END_TEST

SUITE(evidence, test_a_majority_that_saw_it_ends_the_epoch, test_a_member_that_replicates_objects, test_what_is_no_evidence,
      test_settings_are_answered_when_they_are_there, test_last_record_lets_nodes_go, test_facts_of_a_disk,
      test_a_process_that_gave_its_epoch_up)
