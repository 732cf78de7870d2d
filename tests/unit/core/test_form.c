/* A plain group is formed: everybody is bound before anybody stores, all of V store before the primary is
 * opened; and a change of members goes through the primary before it is stored. */
#include "tests/unit/core/play.h"

static void alive(struct play *s, int from)
{
    hear(s, from, (uint64_t)(200 + from - S1), (struct ha_msg){.kind = HA_ALIVE, .ballot = 1});
}

static struct ha_msg status_of(int node, bool follows)
{
    struct ha_msg m = {.kind = HA_STATUS, .state = HA_PLAIN, .incarnation = (uint64_t)(40 + node), .ballot = 1, .pos = {0, 50}, .flags = HA_F_HAS_DATA};

    if (follows) {
        addr_set(&m.addr, "10.0.0.1", 8, 6379);
        m.flags = HA_F_LINK_UP;
    }
    return m;
}

static void hear_plain(struct play *s, int from, uint64_t life, struct ha_msg m)
{
    memcpy(m.from, id(from), ID_MAX);
    m.life = life;
    step(s, &(struct formed_event){.kind = FV_MSG, .msg = &m});
}

static void form(struct play *s)
{
    struct formed_want want = {.mode = HA_STRICT, .voters = 3};

    ck_assert(ha_timing_profile("lan", &want.timing));
    play_setup_with(s, NULL);
    for (int i = S2; i <= S3; i++)
        alive(s, i);
    for (int i = N1; i <= N3; i++)
        hear_plain(s, i, (uint64_t)(100 + i - N1), status_of(i, i != N1));
    step(s, &(struct formed_event){.kind = FV_FORM, .want = &want, .ticket = 9});
}

START_TEST(test_forming_asks_everybody_in_order)
{
    struct play s;
    const struct ha_msg *m;

    form(&s);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_BINDING_PRIMARY);
    m = said(&s, id(N1), HA_BIND);
    ck_assert_ptr_nonnull(m);
    ck_assert_uint_ne(m->gid, 0);
    ck_assert_uint_gt(m->ballot, 1);                       /* above every number a node has taken */
    ck_assert_ptr_null(said(&s, id(N2), HA_BIND));
    hear(&s, N1, 100, (struct ha_msg){.kind = HA_BOUND, .ok = true});
    ck_assert_ptr_nonnull(said(&s, id(N2), HA_BIND));
    ck_assert_ptr_null(said(&s, id(S2), HA_RECORD));
    hear(&s, N2, 101, (struct ha_msg){.kind = HA_BOUND, .ok = true});
    hear(&s, N3, 102, (struct ha_msg){.kind = HA_BOUND, .ok = true});
    ck_assert_int_eq(formed_lead(s.f)->state, LD_STORING);
    ck_assert_ptr_nonnull(said(&s, id(S2), HA_RECORD));
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_STORED, .ok = true});
    ck_assert_int_eq(formed_lead(s.f)->state, LD_STORING); /* a majority is not all of V */
    ck_assert_ptr_null(said(&s, id(N1), HA_OPEN));
    hear(&s, S3, 202, (struct ha_msg){.kind = HA_STORED, .ok = true});
    m = said(&s, id(N1), HA_OPEN);
    ck_assert_ptr_nonnull(m);
    ck_assert(!m->unproved);
    ck_assert(ha_record_is_formation(m->rec));
    ck_assert_int_eq(m->rec->k, 1);
    ck_assert_ptr_null(ha_record_check(m->rec));
    play_fini(&s);
}
END_TEST

START_TEST(test_a_node_that_refuses_ends_the_forming)
{
    struct play s;

    form(&s);
    hear(&s, N1, 100, (struct ha_msg){.kind = HA_BOUND, .ok = true});
    hear(&s, N2, 101, (struct ha_msg){.kind = HA_BOUND, .ok = false, .why = HA_WHY_BOUND});
    ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    play_fini(&s);
}
END_TEST

START_TEST(test_two_primaries_are_not_formed)
{
    struct play s;

    form(&s);
    play_fini(&s);
    play_setup_with(&s, NULL);
    for (int i = S2; i <= S3; i++)
        alive(&s, i);
    for (int i = N1; i <= N3; i++)
        hear_plain(&s, i, (uint64_t)(100 + i - N1), status_of(i, i == N3));
    step(&s, &(struct formed_event){.kind = FV_FORM, .want = &(struct formed_want){.mode = HA_STRICT, .voters = 3,
         .timing = {100, 800, 760, 1000, 100}}, .ticket = 9});
    ck_assert_int_eq(formed_lead(s.f)->state, LD_SURVEYING);
    ck_assert_ptr_null(said(&s, id(N1), HA_BIND));
    play_fini(&s);
}
END_TEST

START_TEST(test_a_returned_life_enters_through_a_joint)
{
    struct play s;
    struct ha_record base = record();
    const struct ha_msg *m;

    play_setup(&s);
    hear(&s, N1, 100, (struct ha_msg){.kind = HA_STATUS, .state = HA_PRIMARY, .incarnation = 41, .epoch = 4, .ballot = 1, .pos = {4, 9}});
    hear(&s, N3, 555, (struct ha_msg){.kind = HA_STATUS, .state = HA_FOLLOWER, .flags = HA_F_LINK_UP, .ballot = 1, .pos = {4, 9}});
    for (int i = 0; i < 300 && formed_lead(s.f)->state == LD_IDLE; i++) {
        s.now_ms += 5;
        renew(&s);
    }
    ck_assert_int_eq(formed_lead(s.f)->want.purpose, LEAD_CHANGE);
    vote(&s, S2, &base);
    m = said(&s, id(N1), HA_JOINT);
    ck_assert_ptr_nonnull(m);
    ck_assert_uint_eq(ha_member(m->rec, id(N3))->life, 555);
    ck_assert_ptr_null(said(&s, id(S2), HA_RECORD));
    hear(&s, N1, 100, (struct ha_msg){.kind = HA_READY, .ok = true, .change = 1});
    ck_assert_ptr_nonnull(said(&s, id(S2), HA_RECORD));
    ck_assert_ptr_null(said(&s, id(N1), HA_COMMITTED));
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_STORED, .ok = true, .change = 1});
    ck_assert_ptr_nonnull(said(&s, id(N1), HA_COMMITTED));
    play_fini(&s);
}
END_TEST

SUITE(form, test_forming_asks_everybody_in_order, test_a_node_that_refuses_ends_the_forming, test_two_primaries_are_not_formed,
      test_a_returned_life_enters_through_a_joint)
