/* The last record of an id: with everybody there, by force without some, and what is refused then. */
#include "tests/unit/core/play.h"

static void told(struct play *s, int node, uint64_t life, uint64_t gid, enum ha_node_state state)
{
    struct ha_msg m = {.kind = HA_STATUS, .state = state, .incarnation = (uint64_t)(41 + node - N1), .ballot = 1, .epoch = 4,
                       .sealed = 4, .pos = {4, 100 + node}, .flags = HA_F_USED | HA_F_HAS_DATA, .gid = gid, .life = life};

    memcpy(m.from, id(node), ID_MAX);
    step(s, &(struct formed_event){.kind = FV_MSG, .msg = &m});
}

static void all_told(struct play *s)
{
    told(s, N1, 100, 7, HA_PRIMARY);
    told(s, N2, 101, 7, HA_FOLLOWER);
    told(s, N3, 102, 7, HA_FOLLOWER);
}

static void silent(struct play *s, int node) { step(s, &(struct formed_event){.kind = FV_NODE, .id = id(node)}); }

static void dissolve(struct play *s, bool force)
{
    step(s, &(struct formed_event){.kind = FV_DISSOLVE, .yes = force, .ticket = 5});
}

static const char *reply(const struct play *s)
{
    for (size_t i = 0; i < s->out.list.n; i++)
        if (s->out.list.at[i].kind == FA_REPLY)
            return s->out.list.at[i].ok ? "OK" : s->out.list.at[i].text;
    return NULL;
}

static void bound(struct play *s, int node, uint64_t life) { hear(s, node, life, (struct ha_msg){.kind = HA_BOUND, .ok = true}); }

static void stored(struct play *s, int from, uint32_t change)
{
    hear(s, from, (uint64_t)(200 + from - S1), (struct ha_msg){.kind = HA_STORED, .ok = true, .change = change});
}

START_TEST(test_with_everybody_there_the_primary_goes_first)
{
    struct play s;
    struct ha_record base = record();

    play_setup(&s);
    all_told(&s);
    dissolve(&s, false);
    vote(&s, S2, &base);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_STORING);
    stored(&s, S2, 1);
    ck_assert_ptr_nonnull(said(&s, id(N1), HA_BIND));
    ck_assert_ptr_null(said(&s, id(N2), HA_BIND));
    bound(&s, N1, 100);
    ck_assert_ptr_nonnull(said(&s, id(N2), HA_BIND));
    bound(&s, N2, 101);
    bound(&s, N3, 102);
    ck_assert_str_eq(reply(&s), "OK");
    play_fini(&s);
}
END_TEST

START_TEST(test_without_a_node_it_takes_force)
{
    struct play s;

    play_setup(&s);
    all_told(&s);
    silent(&s, N3);
    dissolve(&s, false);
    ck_assert_ptr_nonnull(strstr(reply(&s), "NOTATHAND"));
    ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    play_fini(&s);
}
END_TEST

/* k = 1 of three: without the primary two are left, one of which has whatever was confirmed. */
START_TEST(test_by_force_without_the_primary)
{
    struct play s;
    struct ha_record base = record();
    const struct ha_msg *m;

    play_setup(&s);
    all_told(&s);
    silent(&s, N1);
    dissolve(&s, true);
    vote(&s, S2, &base);
    m = said(&s, id(S2), HA_RECORD);
    ck_assert_ptr_nonnull(m);
    ck_assert(m->rec->dissolved && m->rec->change == 0);
    ck_assert_uint_eq(m->rec->epoch, 4);                           /* taken at once: a primary that comes back must not keep its lease from it */
    ck_assert_ptr_null(ha_member(m->rec, id(N1)));
    ck_assert_str_eq(m->rec->primary, id(N3));                     /* the longest of those heard */
    ck_assert_ptr_null(ha_record_check(m->rec));
    ck_assert_ptr_null(said(&s, id(N3), HA_BIND));
    stored(&s, S2, 0);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_BINDING_PRIMARY);
    bound(&s, N3, 102);
    bound(&s, N2, 101);
    ck_assert_str_eq(reply(&s), "OK");
    ck_assert(formed_newest(s.f)->dissolved);
    step(&s, &(struct formed_event){.kind = FV_PEER, .id = id(S2), .yes = true});
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_ALIVE, .ballot = formed_newest(s.f)->ballot, .promised = formed_newest(s.f)->ballot, .unproved = true});

    step(&s, &(struct formed_event){.kind = FV_NODE, .id = id(N1), .yes = true});
    told(&s, N1, 100, 7, HA_FENCED);                               /* it returns in the old id: nobody lets it go by himself */
    ck_assert_ptr_null(said(&s, id(N1), HA_BIND));
    told(&s, N2, 101, 7, HA_FOLLOWER);                             /* whoever was there and missed it is told again */
    told(&s, N3, 102, 0, HA_PLAIN);
    told(&s, N2, 101, 7, HA_FOLLOWER);
    ck_assert_ptr_nonnull(said(&s, id(N2), HA_BIND));
    play_fini(&s);
}
END_TEST

/* Said again while it is there, for those who were left out. */
START_TEST(test_force_again_lets_go_who_was_left_out)
{
    struct voter_facts facts = {.life = 200, .promised = 9, .promise_max_ms = 800, .rec = record()};
    struct ha_record base;
    struct play s;

    facts.rec.ballot = facts.rec.epoch = 9;
    facts.rec.dissolved = true;
    facts.rec.n_members = 2;
    facts.rec.member[0] = facts.rec.member[2];
    memcpy(facts.rec.primary, id(N3), ID_MAX);
    base = facts.rec;
    play_setup_with(&s, &facts);
    told(&s, N1, 100, 7, HA_FENCED);
    told(&s, N2, 101, 0, HA_PLAIN);
    told(&s, N3, 102, 0, HA_PLAIN);
    dissolve(&s, false);
    ck_assert_ptr_nonnull(strstr(reply(&s), "NOTFORMED"));
    dissolve(&s, true);
    vote(&s, S2, &base);
    ck_assert_ptr_nonnull(said(&s, id(S2), HA_RECORD));
    ck_assert_ptr_nonnull(ha_member(said(&s, id(S2), HA_RECORD)->rec, id(N1)));
    stored(&s, S2, 0);
    ck_assert_ptr_nonnull(said(&s, id(N1), HA_BIND));
    bound(&s, N1, 100);
    ck_assert_str_eq(reply(&s), "OK");
    play_fini(&s);
}
END_TEST

/* The primary and k others that are not heard may go on confirming: nobody else may be told that the group is over. */
START_TEST(test_not_without_the_primary_and_k_others)
{
    struct play s;

    play_setup(&s);
    all_told(&s);
    silent(&s, N1);
    silent(&s, N2);
    dissolve(&s, true);
    ck_assert_ptr_nonnull(strstr(reply(&s), "may go on as this group"));
    ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    step(&s, &(struct formed_event){.kind = FV_NODE, .id = id(N1), .yes = true});
    told(&s, N1, 100, 7, HA_PRIMARY);
    dissolve(&s, true);                    /* the primary is there: whoever else is not has nobody to follow */
    ck_assert_int_eq(formed_lead(s.f)->state, LD_VOTING);
    play_fini(&s);
}
END_TEST

static void alive(struct play *s, int from, uint64_t life)
{
    hear(s, from, life, (struct ha_msg){.kind = HA_ALIVE, .ballot = 1, .gid = 0});
}

/* Two of three voters lost their disks: nobody could ever have a majority again. */
START_TEST(test_by_force_with_what_is_left_of_the_voters)
{
    struct play s;

    play_setup(&s);
    all_told(&s);
    alive(&s, S2, 901);
    dissolve(&s, true);
    for (int i = 0; i < 200 && formed_lead(s.f)->state == LD_VOTING; i++)
        later(&s, 5);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);            /* the third one may still have a memory */
    alive(&s, S3, 902);
    dissolve(&s, true);
    for (int from = S2; from <= S3; from++)
        hear(&s, from, (uint64_t)(899 + from), (struct ha_msg){.kind = HA_VOTED, .ok = true});
    for (int i = 0; i < 40 && formed_lead(s.f)->state <= LD_STORING && formed_lead(s.f)->state != LD_IDLE &&
                    formed_lead(s.f)->state != LD_BINDING_PRIMARY; i++)
        later(&s, 5);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_BINDING_PRIMARY);
    ck_assert(formed_newest(s.f)->dissolved);
    play_fini(&s);
}
END_TEST

/* All of them did. */
START_TEST(test_by_force_where_nobody_holds_a_record)
{
    struct play s;
    const struct ha_msg *m;

    play_setup_with(&s, NULL);
    for (int i = N1; i <= N3; i++)
        told(&s, i, (uint64_t)(100 + i - N1), 7, HA_FENCED);
    dissolve(&s, true);
    ck_assert_ptr_nonnull(strstr(reply(&s), "another may"));       /* nothing was heard of the others yet */
    for (int from = S2; from <= S3; from++) {
        struct ha_msg a = {.kind = HA_ALIVE, .life = (uint64_t)(900 + from)};
        memcpy(a.from, id(from), ID_MAX);
        step(&s, &(struct formed_event){.kind = FV_MSG, .msg = &a});
    }
    told(&s, N1, 100, 7, HA_PRIMARY);
    dissolve(&s, true);
    ck_assert_ptr_nonnull(strstr(reply(&s), "its sentinels are others"));
    told(&s, N1, 100, 7, HA_FENCED);
    dissolve(&s, true);
    m = said(&s, id(N3), HA_BIND);
    ck_assert_ptr_nonnull(m);
    ck_assert(m->gid == 0 && m->old_gid == 7 && m->rec && m->rec->dissolved && m->ballot > 4);
    ck_assert_ptr_null(ha_record_check(m->rec));
    bound(&s, N3, 102);
    bound(&s, N1, 100);
    bound(&s, N2, 101);
    ck_assert_str_eq(reply(&s), "OK");
    play_fini(&s);
}
END_TEST

SUITE(dissolve, test_with_everybody_there_the_primary_goes_first, test_without_a_node_it_takes_force, test_by_force_without_the_primary,
      test_force_again_lets_go_who_was_left_out, test_not_without_the_primary_and_k_others, test_by_force_with_what_is_left_of_the_voters,
      test_by_force_where_nobody_holds_a_record)
