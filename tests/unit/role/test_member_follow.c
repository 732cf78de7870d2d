/* FOLLOW, the stream, full copies (R8, R10). */
#include "tests/unit/role/member_play.h"

START_TEST(test_follow_stream_ack)
{
    struct ha_record r = record(5, 0, 5, 3, 1), old = record(4, 0, 4, 3, 1);

    start("n1", 11, true, 4);
    LOG(4, 90);
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &r), "save-tail follow");
    ck_assert_int_eq(disk.sealed, 4);
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &old), "");
    STREAM(40, 3);
    ck_assert(out.refused);
    ck_assert_str_eq(STREAM(40, 5), "SAVE");
    ck_assert(!out.refused && disk.sealed == 5);            /* before the first byte */
    ck_assert_str_eq(LOG(4, 80), "");                       /* rolling back: not yet the primary's history */
    ck_assert_str_eq(EVENT(.kind = ME_FOLLOWS, .yes = true), "ack");
    EVENT(.kind = ME_LOG, .pos = {5, 101}, .durable = 95);
    now += 300;
    HEAR(.kind = HA_LOOK);
    ck_assert_int_eq(said(HA_STATUS)->ms, 300);             /* so long ago its primary was heard */
    EVENT(.kind = ME_LOG, .pos = {5, 101}, .durable = 95);
    ck_assert(said(HA_ACK)->epoch == 5 && said(HA_ACK)->pos.offset == 95 && said(HA_ACK)->life == 11);
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "fence SAVE sealed");
    ck_assert_str_eq(LOG(5, 102), "");
    STREAM(41, 5);
    ck_assert(out.refused);
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &r), "");   /* below its seal */
}
END_TEST

START_TEST(test_full_copy_is_another_life)
{
    struct ha_record r = record(5, 0, 5, 3, 1);

    start("n1", 11, true, 4);
    EVENT(.kind = ME_FULL_COPY, .fresh_life = 99);
    ck_assert(out.refused);                                 /* fenced */
    LOG(4, 90);
    HEAR(.kind = HA_FOLLOW, .rec = &r);
    EVENT(.kind = ME_FULL_COPY, .fresh_life = 99);
    ck_assert(out.refused);                                 /* no stream was let in */
    STREAM(40, 5);
    disk_fails = true;
    ck_assert_str_eq(EVENT(.kind = ME_FULL_COPY, .fresh_life = 99), "SAVE!");
    ck_assert_int_eq(disk.life, 11);
    ck_assert_str_eq(STREAM(41, 5), "SAVE!");
    ck_assert(out.refused);
    disk_fails = false;
    ck_assert_str_eq(EVENT(.kind = ME_FULL_COPY, .fresh_life = 97), "SAVE");
    ck_assert(out.refused);                                 /* it is not known yet that the disk is well again */
    ck_assert_str_eq(EVENT(.kind = ME_FULL_COPY, .fresh_life = 98), "SAVE");
    ck_assert(!out.refused && disk.life == 98);
    LOG(5, 101);
    EVENT(.kind = ME_FOLLOWS, .yes = true);
    ck_assert_int_eq(said(HA_ACK)->life, 98);
    start("n1", 11, true, 4);                               /* an empty log has nothing to lose */
    HEAR(.kind = HA_FOLLOW, .rec = &r);
    STREAM(40, 5);
    ck_assert_str_eq(EVENT(.kind = ME_FULL_COPY, .fresh_life = 99), "");
    ck_assert(!out.refused && m.f.life == 11);
}
END_TEST

START_TEST(test_follow_again_disturbs_nothing)
{
    struct ha_record r = record(5, 0, 5, 3, 1), moved = record(6, 1, 5, 3, 1);

    start("n1", 11, true, 4);
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &r), "follow");
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &r), "");               /* it dials */
    EVENT(.kind = ME_LINK_GONE, .link = 40);
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &moved), "");
    ck_assert_uint_eq(m.rec.ballot, 6);
    addr_set(&moved.member[0].addr, "10.0.0.9", 8, 6000);
    moved.ballot = 7;
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &moved), "follow");     /* its primary has moved */
}
END_TEST

/* A wiped process at the primary's address has no epoch to say: not a byte of it is taken. */
START_TEST(test_bytes_of_a_stream_let_in)
{
    struct ha_record r = record(5, 0, 5, 3, 1);

    start("n1", 11, false, 0);
    ck_assert(member_may_take(&m, 40));
    EVENT(.kind = ME_ROLE, .id = "n0", .addr = {.host = "h", .port = 1});
    BIND(GID, 5, "n0", 10);
    ck_assert(member_may_take(&m, 40));                     /* bound: goes on as it was */
    STREAM(40, 5);
    ck_assert(member_may_take(&m, 40) && !member_may_take(&m, 41));
    EVENT(.kind = ME_LINK_GONE, .link = 40);
    ck_assert(!member_may_take(&m, 40) && !member_may_take(&m, 41) && !member_may_take(&m, 0));
    HEAR(.kind = HA_FOLLOW, .rec = &r);
    ck_assert(!member_may_take(&m, 41));
    STREAM(41, 5);
    ck_assert(member_may_take(&m, 41));
    HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5);
    ck_assert(!member_may_take(&m, 41));
}
END_TEST

START_TEST(test_bound_follower_joins_by_stream)
{
    start("n1", 11, false, 0);
    EVENT(.kind = ME_ROLE, .id = "n0", .addr = {.host = "h", .port = 1});
    EVENT(.kind = ME_FOLLOWS, .yes = true);
    BIND(GID, 7, "n0", 10);
    STREAM(40, 7);
    ck_assert(!out.refused && m.state == HA_FOLLOWER && disk.sealed == 7 && disk.used);
    LOG(7, 41);
    ck_assert_int_eq(said(HA_ACK)->epoch, 7);
    ck_assert_str_eq(RENEW(7, INC, 1), "SAVE lease");
    ck_assert(said(HA_LEASE)->ok);
}
END_TEST

START_TEST(test_deposed_by_follow)
{
    struct ha_record r = record(9, 0, 9, 3, 1);

    leased(3, 1);
    snprintf(r.primary, ID_MAX, "n1");
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &r), "fence give-up-waiters save-tail follow");
    ck_assert(m.state == HA_FOLLOWER && !member_may_write(&m, now));
}
END_TEST

SUITE(member_follow, test_follow_stream_ack, test_full_copy_is_another_life, test_follow_again_disturbs_nothing,
      test_bytes_of_a_stream_let_in, test_bound_follower_joins_by_stream, test_deposed_by_follow)
