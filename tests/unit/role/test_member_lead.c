/* Acknowledgements, JOINT, hand-over (R6, R9). */
#include "tests/unit/role/member_play.h"

START_TEST(test_confirmed)
{
    leased(3, 1);
    ck_assert(member_holds_replies(&m));
    ck_assert_str_eq(ack(1, 11, 100), "");
    ck_assert_str_eq(ack(1, 11, 101), "confirmed");
    LOG(5, 110);
    ck_assert_str_eq(ack(2, 99, 110), "");                  /* an old life */
    HEAR(.kind = HA_ACK, .from = "n2", .life = 12, .epoch = 4, .pos = {4, 110});
    ck_assert_int_eq(m.commit.confirmed, 101);              /* an ack of another epoch */
    HEAR(.kind = HA_LOOK);
    ck_assert(said(HA_STATUS)->flags & HA_F_MARKER);
    ck_assert(said(HA_STATUS)->flags & HA_F_NEW_LIFE);
    ck_assert_str_eq(said(HA_STATUS)->node, "n2");
    ck_assert_int_eq(said(HA_STATUS)->node_life, 99);
    ck_assert_str_eq(ack(2, 12, 110), "confirmed");
    ck_assert_int_eq(out.at[0].pos.offset, 110);
    HEAR(.kind = HA_LOOK);
    ck_assert(!(said(HA_STATUS)->flags & HA_F_NEW_LIFE));
}
END_TEST

START_TEST(test_joint)
{
    struct ha_record new = record(6, 1, 5, 3, 2), newer = record(8, 1, 5, 3, 1);

    leased(3, 1);
    ack(1, 11, 101);
    ck_assert_str_eq(HEAR(.kind = HA_JOINT, .rec = &new), "renew renew renew renew renew");
    LOG(5, 120);
    ck_assert_str_eq(ack(1, 11, 120), "");
    ck_assert_int_eq(m.commit.confirmed, 101);              /* both must be satisfied */
    ck_assert_str_eq(ack(2, 12, 101), "ready");             /* all up to where it arrived */
    ck_assert(said(HA_READY)->ok && said(HA_READY)->ballot == 6 && m.n_joints == 1);
    ck_assert_str_eq(HEAR(.kind = HA_JOINT, .rec = &new), "ready");
    ck_assert_str_eq(HEAR(.kind = HA_JOINT, .rec = &newer), "ready renew renew renew renew renew");
    ck_assert_int_eq(m.n_joints, 2);
    struct ha_record old = record(7, 1, 5, 3, 1);
    HEAR(.kind = HA_JOINT, .rec = &old);
    ck_assert(!said(HA_READY)->ok && said(HA_READY)->why == HA_WHY_OLD);
    HEAR(.kind = HA_LOOK);
    ck_assert(said(HA_STATUS)->flags & HA_F_JOINT);
    HEAR(.kind = HA_COMMITTED, .rec = &new);
    ck_assert(m.n_joints == 1 && m.rec.ballot == 6);        /* its own, and those of newer ones */
    ck_assert_int_eq(m.commit.confirmed, 101);
    struct ha_record anew = record(9, 1, 5, 3, 1);          /* the base stored anew ends all older ones */
    HEAR(.kind = HA_COMMITTED, .rec = &anew);
    ck_assert(m.n_joints == 0 && m.commit.confirmed == 120);
    HEAR(.kind = HA_COMMITTED, .rec = &new);
    ck_assert_int_eq(m.rec.ballot, 9);
    new.epoch = 6;
    HEAR(.kind = HA_JOINT, .rec = &new);
    ck_assert_int_eq(said(HA_READY)->why, HA_WHY_EPOCH);
}
END_TEST

/* A replica may be quicker than our own log is told of, and so may a leader. */
START_TEST(test_before_the_marker_is_told_of)
{
    struct ha_record r = record(5, 0, 5, 3, 1), next = record(6, 1, 5, 3, 2);

    start("n0", 10, true, 5);
    LOG(4, 100);
    links_up();
    HEAR(.kind = HA_OPEN, .rec = &r);
    ack(1, 11, 104);
    HEAR(.kind = HA_JOINT, .rec = &next, .ballot = 6, .change = 1);
    ck_assert(m.n_joints == 1 && m.commit.confirmed < 0);
    LOG(5, 104);                                            /* the marker and a write behind it */
    ck_assert(m.commit.confirmed < 0);                      /* the JOINT asks for two */
    ack(2, 12, 104);
    ck_assert_int_eq(m.commit.confirmed, 104);
    ck_assert(said(HA_READY)->ok);
}
END_TEST

START_TEST(test_joint_of_voters)
{
    struct ha_record new = record(6, 2, 5, 3, 1);

    leased(3, 1);
    snprintf(new.voter[0].id, ID_MAX, "s8");
    snprintf(new.voter[1].id, ID_MAX, "s9");
    HEAR(.kind = HA_JOINT, .rec = &new);
    ck_assert(!member_lease_valid(&m, now));                /* a majority of each V not dropped */
    member_grant(1, m.nonce, 11);
    ck_assert(member_lease_valid(&m, now));                 /* its members still may promise */
}
END_TEST

START_TEST(test_hand_over)
{
    leased(3, 1);
    ack(1, 11, 101);
    LOG(5, 110);
    HEAR(.kind = HA_STOP, .ballot = 6, .node = "n7");
    ck_assert_int_eq(said(HA_STOPPED)->why, HA_WHY_STRANGER);
    ck_assert_str_eq(HO(HA_STOP, 6), "");
    ck_assert(!member_may_write(&m, now) && member_lease_valid(&m, now));
    ck_assert_str_eq(HO(HA_RESUME, 6), "");
    ck_assert(member_may_write(&m, now));
    HO(HA_STOP, 7);
    ck_assert_str_eq(HO(HA_FINISH, 7), "stopped");          /* the target is behind */
    ck_assert(!said(HA_STOPPED)->ok);
    ck_assert_str_eq(ack(1, 11, 110), "confirmed");
    ck_assert_str_eq(ack(2, 12, 110), "stopped");
    ck_assert(said(HA_STOPPED)->ok && said(HA_STOPPED)->pos.offset == 110);
    ck_assert_str_eq(HO(HA_FINISH, 6), "");
    ck_assert_str_eq(HO(HA_FINISH, 7), "fence give-up-waiters end end end end end");
    ck_assert(said(HA_END)->epoch == 5 && m.state == HA_FENCED && m.ended);
    ck_assert_str_eq(HO(HA_RESUME, 7), "");                 /* irrevocable */
    ck_assert_str_eq(HO(HA_FINISH, 7), "end");
    struct ha_record r = record(5, 0, 5, 3, 1);
    HEAR(.kind = HA_OPEN, .rec = &r);
    ck_assert_int_eq(said(HA_OPENED)->why, HA_WHY_OPENED);
}
END_TEST

START_TEST(test_hand_over_expires)
{
    leased(3, 1);
    HEAR(.kind = HA_STOP, .ballot = 6, .node = "n2", .ms = 50);
    ck_assert_int_eq(member_deadline_ms(&m), now + 50);
    now += 50;
    ck_assert_str_eq(EVENT(.kind = ME_TICK), "stopped");
    ck_assert(!said(HA_STOPPED)->ok && member_may_write(&m, now));
    EVENT(.kind = ME_LEAVE);
    ck_assert(said(HA_STATUS)->flags & HA_F_WANTS_OUT);
    HEAR(.kind = HA_END, .epoch = 5, .incarnation = INC);
    ck_assert(m.state == HA_FENCED);                        /* somebody vouched for it: made true */
}
END_TEST

SUITE(member_lead, test_confirmed, test_joint, test_before_the_marker_is_told_of, test_joint_of_voters, test_hand_over,
      test_hand_over_expires)
