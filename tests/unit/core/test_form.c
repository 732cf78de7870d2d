/* A plain group is formed: everybody is bound before anybody stores, all of V store before the primary is
 * opened; and a change of members goes through the primary before it is stored. */
#include "tests/unit/core/play.h"

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

/* A sentinel that holds no record. */
static void alive(struct play *s, int from) { hear_plain(s, from, (uint64_t)(200 + from - S1), (struct ha_msg){.kind = HA_ALIVE}); }

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

/* They wait for their group (ha-group), all of them with data: nobody chooses but an operator, and what is lost is told. */
START_TEST(test_an_operator_names_the_primary)
{
    struct formed_want want = {.mode = HA_STRICT, .voters = 3, .timing = record().timing};
    struct play s;
    bool choice = false, told = false;

    play_setup_with(&s, NULL);
    for (int i = S2; i <= S3; i++)
        alive(&s, i);
    for (int i = N1; i <= N3; i++) {
        struct ha_msg m = status_of(i, false);
        m.state = HA_FENCED;
        hear_plain(&s, i, (uint64_t)(100 + i - N1), m);
    }
    step(&s, &(struct formed_event){.kind = FV_FORM, .want = &want});
    for (int i = 0; i < 100; i++)
        later(&s, 20);
    ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    ck_assert_ptr_nonnull(strstr(formed_forming_lacks(s.f, &choice), "SENTINEL FORM <group> PRIMARY"));
    ck_assert(choice);
    step(&s, &(struct formed_event){.kind = FV_FORM, .want = &want, .id = id(N2), .ticket = 9});
    ck_assert_int_eq(formed_lead(s.f)->state, LD_BINDING_PRIMARY);
    ck_assert_ptr_nonnull(said(&s, id(N2), HA_BIND));
    for (size_t i = 0; i < s.out.list.n; i++)
        told |= s.out.list.at[i].kind == FA_JOURNAL && strstr(s.out.list.at[i].text, "replaced by a copy") != NULL;
    ck_assert(told);
    hear(&s, N2, 101, (struct ha_msg){.kind = HA_BOUND, .ok = true});
    ck_assert_str_eq(said(&s, id(N1), HA_BIND)->node, id(N2));
    play_fini(&s);
}
END_TEST

/* A word that cannot be followed is answered with why. */
START_TEST(test_a_follower_is_not_named)
{
    struct formed_want want = {.mode = HA_STRICT, .voters = 3, .timing = record().timing};
    const struct formed_action *reply = NULL;
    struct play s;

    play_setup_with(&s, NULL);
    for (int i = S2; i <= S3; i++)
        alive(&s, i);
    for (int i = N1; i <= N3; i++)
        hear_plain(&s, i, (uint64_t)(100 + i - N1), status_of(i, i != N1));
    step(&s, &(struct formed_event){.kind = FV_FORM, .want = &want, .id = id(N2), .ticket = 9});
    for (int i = 0; i < 400 && !reply; i++) {
        later(&s, 5);
        for (size_t k = 0; k < s.out.list.n; k++)
            if (s.out.list.at[k].kind == FA_REPLY)
                reply = &s.out.list.at[k];
    }
    ck_assert_ptr_nonnull(reply);
    ck_assert_ptr_nonnull(strstr(reply->text, "follows another"));
    play_fini(&s);
}
END_TEST

/* Whoever holds a record of this group would not take another one: it is formed there, or that comes to an end first. */
START_TEST(test_a_record_elsewhere_is_waited_for)
{
    struct play s;

    play_setup_with(&s, NULL);
    alive(&s, S2);
    hear_plain(&s, S3, 202, (struct ha_msg){.kind = HA_ALIVE, .gid = 7, .ballot = 3, .promised = 3});
    for (int i = N1; i <= N3; i++)
        hear_plain(&s, i, (uint64_t)(100 + i - N1), status_of(i, i != N1));
    step(&s, &(struct formed_event){.kind = FV_FORM, .want = &(struct formed_want){.mode = HA_STRICT, .voters = 3,
         .timing = {100, 800, 760, 1000, 100}}, .ticket = 9});
    ck_assert_int_eq(formed_lead(s.f)->state, LD_SURVEYING);
    hear_plain(&s, S3, 202, (struct ha_msg){.kind = HA_ALIVE, .gid = 7, .ballot = 4, .promised = 4, .unproved = true});
    later(&s, 60);                         /* the id's last record is nobody's obstacle */
    ck_assert_int_eq(formed_lead(s.f)->state, LD_BINDING_PRIMARY);
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

/* Two of three members can hold a write now: a JOINT that asks for both others would stand in the way of all writes. */
START_TEST(test_what_cannot_be_satisfied_is_not_begun)
{
    struct formed_want want = {.mode = HA_STRICT, .k = 2, .voters = 3, .timing = record().timing};
    struct play s;

    play_setup(&s);
    hear(&s, N1, 100, (struct ha_msg){.kind = HA_STATUS, .state = HA_PRIMARY, .incarnation = 41, .epoch = 4, .ballot = 1, .pos = {4, 9}});
    hear(&s, N2, 101, (struct ha_msg){.kind = HA_STATUS, .state = HA_FOLLOWER, .flags = HA_F_LINK_UP, .ballot = 1, .pos = {4, 9}});
    step(&s, &(struct formed_event){.kind = FV_SET, .want = &want, .ticket = 3});
    for (int i = 0; i < 300; i++) {
        s.now_ms += 5;
        renew(&s);
        ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    }
    hear(&s, N3, 102, (struct ha_msg){.kind = HA_STATUS, .state = HA_FOLLOWER, .flags = HA_F_LINK_UP, .ballot = 1, .pos = {4, 9}});
    for (int i = 0; i < 300 && formed_lead(s.f)->state == LD_IDLE; i++) {
        s.now_ms += 5;
        renew(&s);
    }
    ck_assert_int_eq(formed_lead(s.f)->want.purpose, LEAD_CHANGE);
    ck_assert_int_eq(formed_lead(s.f)->want.target.k, 2);
    play_fini(&s);
}
END_TEST

/* Its leader died before OPEN: the primary asks for its lease, and yet nothing is open. */
START_TEST(test_bound_and_waiting_is_not_open)
{
    struct voter_facts facts = {.life = 200, .promised = 4, .promise_max_ms = 800, .rec = record()};
    struct play s;

    facts.rec.born = 4;
    play_setup_with(&s, &facts);
    ck_assert(ha_record_is_formation(formed_newest(s.f)));
    renew(&s);
    ck_assert(said(&s, id(N1), HA_LEASE)->ok);                     /* promised all the same */
    for (int i = 0; i < 600 && formed_lead(s.f)->state == LD_IDLE; i++) {
        s.now_ms += 5;
        renew(&s);
    }
    ck_assert_int_eq(formed_lead(s.f)->want.purpose, LEAD_RELEASE);
    later(&s, 60);
    ck_assert(said(&s, id(N1), HA_BIND)->gid == 0);
    hear(&s, N1, 999, (struct ha_msg){.kind = HA_BOUND, .ok = true});       /* another memory: what had the old one done? */
    ck_assert_int_eq(formed_lead(s.f)->state, LD_BINDING_PRIMARY);
    hear(&s, N1, 100, (struct ha_msg){.kind = HA_BOUND, .ok = true});
    ck_assert_int_eq(formed_lead(s.f)->state, LD_BINDING_REST);
    play_fini(&s);
}
END_TEST

static struct ha_msg bound_to(int node, uint64_t life)
{
    struct ha_msg m = status_of(node, true);

    m.gid = 9;
    m.ballot = 3;
    memcpy(m.node, id(N1), ID_MAX);
    m.node_life = life;
    return m;
}

/* An attempt died before it had a record: whoever is bound to it would refuse every other one. */
START_TEST(test_orphans_are_let_go)
{
    struct play s;

    play_setup_with(&s, NULL);
    for (int i = S2; i <= S3; i++)
        alive(&s, i);
    for (int i = 0; i < 1000 && formed_lead(s.f)->state == LD_IDLE; i++) {
        hear_plain(&s, N1, 555, status_of(N1, false));             /* the one they were bound to lost its memory */
        hear_plain(&s, N2, 101, bound_to(N2, 100));
        later(&s, 5);
    }
    ck_assert_int_eq(formed_lead(s.f)->want.purpose, LEAD_RELEASE);
    ck_assert_ptr_nonnull(said(&s, id(S2), HA_VOTE));              /* without its word, that of the voters */
    for (int i = S2; i <= S3; i++) {
        ck_assert_int_eq(formed_lead(s.f)->state, LD_BINDING_PRIMARY);
        hear_plain(&s, i, (uint64_t)(200 + i - S1), (struct ha_msg){.kind = HA_ALIVE, .promised = formed_lead(s.f)->ballot});
        later(&s, 150);
    }
    ck_assert_int_eq(formed_lead(s.f)->state, LD_BINDING_REST);
    ck_assert(said(&s, id(N2), HA_BIND)->gid == 0 && said(&s, id(N2), HA_BIND)->old_gid == 9);
    play_fini(&s);
}
END_TEST

START_TEST(test_a_node_that_waits_for_its_group_is_bound)
{
    struct ha_msg m = {.kind = HA_STATUS, .state = HA_FENCED, .incarnation = 77, .ballot = 6};
    struct play s;

    play_setup(&s);
    hear(&s, S2, 201, (struct ha_msg){.kind = HA_ALIVE, .ballot = 4, .epoch = 4, .promised = 4, .ok = true});
    hear_plain(&s, N3, 888, m);
    ck_assert_ptr_nonnull(said(&s, id(N3), HA_BIND));
    ck_assert(said(&s, id(N3), HA_BIND)->gid == 7 && said(&s, id(N3), HA_BIND)->ballot == 7);
    ck_assert_str_eq(said(&s, id(N3), HA_BIND)->node, id(N1));
    play_fini(&s);
}
END_TEST

static void until_change(struct play *s)
{
    for (int i = 0; i < 300 && formed_lead(s->f)->state == LD_IDLE; i++) {
        s->now_ms += 5;
        renew(s);
        if (formed_lead(s->f)->state == LD_IDLE)
            step(s, &(struct formed_event){.kind = FV_TICK});
    }
    ck_assert_int_eq(formed_lead(s->f)->want.purpose, LEAD_CHANGE);
}

/* Its disk was lost, and its id with it. */
START_TEST(test_a_newcomer_takes_the_place_of_who_was_there)
{
    struct ha_record r = record();
    const struct ha_record *t;
    struct play s;

    play_setup(&s);
    hear(&s, N1, 100, (struct ha_msg){.kind = HA_STATUS, .state = HA_PRIMARY, .incarnation = 41, .epoch = 4, .ballot = 1, .pos = {4, 9}});
    hear(&s, N2, 101, (struct ha_msg){.kind = HA_STATUS, .state = HA_FOLLOWER, .flags = HA_F_LINK_UP, .ballot = 1, .pos = {4, 9}});
    step(&s, &(struct formed_event){.kind = FV_NODE, .id = id(N3)});
    step(&s, &(struct formed_event){.kind = FV_NODE, .id = id(7), .addr = r.member[2].addr, .yes = true});
    hear_plain(&s, 7, 700, (struct ha_msg){.kind = HA_STATUS, .state = HA_PLAIN, .incarnation = 9, .flags = HA_F_LINK_UP, .pos = {4, 9}});
    until_change(&s);
    t = &formed_lead(s.f)->want.target;
    ck_assert_int_eq(t->n_members, 3);
    ck_assert(ha_member(t, id(N3)) == NULL && ha_member(t, id(7)) != NULL && ha_member(t, id(7))->life == 700);
    play_fini(&s);
}
END_TEST

/* It left M (prefer) and follows again: used under this group's own id is no obstacle, under another's it is. */
START_TEST(test_a_former_member_comes_back)
{
    struct voter_facts facts = {.life = 200, .promised = 4, .promise_max_ms = 800, .rec = record()};
    struct ha_msg m = {.kind = HA_STATUS, .state = HA_FOLLOWER, .flags = HA_F_LINK_UP | HA_F_USED, .gid = 8, .ballot = 1, .pos = {4, 9}};
    struct play s;

    facts.rec.mode = HA_PREFER;
    facts.rec.n_members = 2;
    play_setup_with(&s, &facts);
    renew(&s);
    hear(&s, N1, 100, (struct ha_msg){.kind = HA_STATUS, .state = HA_PRIMARY, .incarnation = 41, .epoch = 4, .ballot = 1, .pos = {4, 9}});
    hear(&s, N2, 101, (struct ha_msg){.kind = HA_STATUS, .state = HA_FOLLOWER, .flags = HA_F_LINK_UP, .ballot = 1, .pos = {4, 9}});
    hear_plain(&s, N3, 102, m);
    for (int i = 0; i < 400 && (i < 100 || formed_lead(s.f)->state != LD_IDLE); i++) {
        s.now_ms += 5;
        renew(&s);
        step(&s, &(struct formed_event){.kind = FV_TICK});
    }
    ck_assert_int_eq(formed_lead(s.f)->state, LD_IDLE);
    m.gid = 7;
    hear_plain(&s, N3, 102, m);
    until_change(&s);
    ck_assert(ha_member(&formed_lead(s.f)->want.target, id(N3)) != NULL);
    play_fini(&s);
}
END_TEST

SUITE(form, test_forming_asks_everybody_in_order, test_a_node_that_refuses_ends_the_forming, test_two_primaries_are_not_formed,
      test_an_operator_names_the_primary, test_a_follower_is_not_named,
      test_a_record_elsewhere_is_waited_for, test_a_returned_life_enters_through_a_joint, test_what_cannot_be_satisfied_is_not_begun,
      test_bound_and_waiting_is_not_open, test_orphans_are_let_go, test_a_node_that_waits_for_its_group_is_bound,
      test_a_newcomer_takes_the_place_of_who_was_there, test_a_former_member_comes_back)
