/* Plain, bound, waiting for a group (R0, R10). */
#include "tests/unit/role/member_play.h"

START_TEST(test_plain_is_let_be)
{
    start("n0", 10, false, 0);
    ck_assert(member_may_write(&m, now) && member_lease_valid(&m, now) && member_takes_plain_orders(&m));
    ck_assert(!member_holds_replies(&m) && member_deadline_ms(&m) == NEVER_MS && member_feeds(&m, 0));
    ck_assert_str_eq(LOG(0, 5), "");
    ck_assert_str_eq(EVENT(.kind = ME_FULL_COPY, .fresh_life = 99), "");
    ck_assert(!out.refused && m.f.life == 10);
    HEAR(.kind = HA_SEAL, .ballot = 9);
    ck_assert(!said(HA_SEALED)->ok && said(HA_SEALED)->why == HA_WHY_GROUP && m.f.sealed == 0);
    ck_assert_str_eq(HEAR(.kind = HA_LOOK), "status");
    ck_assert_int_eq(said(HA_STATUS)->state, HA_PLAIN);
    ck_assert(member_may_write(&m, now));
}
END_TEST

START_TEST(test_bind)
{
    start("n0", 10, false, 0);
    BIND(GID, 7, "n0", 99);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_STRANGER);
    BIND(GID, 7, "n1", 11);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_NOT_FOLLOWING);
    ck_assert_str_eq(BIND(GID, 7, "n0", 10), "SAVE bound");
}
END_TEST

START_TEST(test_bind_numbers)
{
    start("n1", 11, false, 0);
    EVENT(.kind = ME_ROLE, .id = "n0", .addr = {.host = "h", .port = 1});
    ck_assert_str_eq(BIND(GID, 7, "n0", 10), "SAVE bound");
    ck_assert(said(HA_BOUND)->ok && disk.gid == GID && disk.bound_ballot == 7);
    ck_assert_str_eq(BIND(GID, 7, "n0", 10), "bound");      /* said again: nothing to save */
    ck_assert(said(HA_BOUND)->ok);
    ck_assert(!member_takes_plain_orders(&m) && member_may_write(&m, now) && m.state == HA_PLAIN);
    BIND(88, 7, "n0", 10);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_OLD);
    BIND(88, 8, "n2", 12);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_BOUND);    /* another primary */
    ck_assert_str_eq(BIND(88, 8, "n0", 10), "SAVE bound");  /* a newer attempt of the same */
    HEAR(.kind = HA_BIND, .old_gid = GID, .ballot = 9);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_BOUND);
    ck_assert_str_eq(HEAR(.kind = HA_BIND, .old_gid = 88, .ballot = 9), "SAVE released bound");
    ck_assert(m.phase == MP_PLAIN && disk.gid == 0 && disk.bound_ballot == 9);
    BIND(GID, 9, "n0", 10);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_OLD);      /* a node keeps its number */
}
END_TEST

START_TEST(test_bound_starts_fenced)
{
    start("n0", 10, false, 0);
    BIND(GID, 7, "n0", 10);
    member_init(&m, &disk, 501, now);
    ck_assert(m.state == HA_FENCED && !member_may_write(&m, now) && !member_feeds(&m, 0));
    start("n0", 10, true, 5);
    BIND(88, 9, "n0", 10);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_OPENED);
    HEAR(.kind = HA_BIND, .old_gid = GID, .ballot = 9);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_OPENED);   /* used: only the last record lets it go */
    struct ha_record r = record(9, 0, 5, 3, 1);
    r.dissolved = true;
    ck_assert_str_eq(HEAR(.kind = HA_BIND, .old_gid = GID, .ballot = 9, .rec = &r), "SAVE released bound");
    ck_assert(member_takes_plain_orders(&m) && !disk.used);
}
END_TEST

START_TEST(test_waits_for_group)
{
    start("n1", 11, false, 0);
    disk.waits_for_group = true;
    member_init(&m, &disk, INC, now);
    ck_assert_int_eq(m.state, HA_FENCED);
    ck_assert_str_eq(BIND(GID, 7, "n0", 10), "SAVE bound"); /* it follows nobody: any may bind it */
    ck_assert_str_eq(HEAR(.kind = HA_BIND, .old_gid = GID, .ballot = 8), "SAVE bound");
    ck_assert_int_eq(m.state, HA_FENCED);
}
END_TEST

START_TEST(test_formation_open)
{
    struct ha_record r = record(7, 0, 7, 3, 1);

    start("n0", 10, false, 0);
    links_up();
    LOG(0, 40);
    ck_assert_str_eq(BIND(GID, 7, "n0", 10), "SAVE bound renew renew renew");
    ck_assert_str_eq(HEAR(.kind = HA_OPEN, .rec = &r), "renew renew renew");
    ck_assert(m.phase == MP_BOUND && member_may_write(&m, now));    /* goes on as it was until its first lease is there */
    grant(0, m.nonce, 7, 0);
    grant(2, m.nonce, 7, 0);
    HEAR(.kind = HA_OPEN, .rec = &r, .unproved = true);
    ck_assert_int_eq(said(HA_OPENED)->why, HA_WHY_UNPROVED);
    r.epoch = r.ballot = 8;
    HEAR(.kind = HA_OPEN, .rec = &r);
    ck_assert_int_eq(said(HA_OPENED)->why, HA_WHY_BOUND);
    r.epoch = r.ballot = 7;
    HEAR(.kind = HA_OPEN, .rec = &r);
    ck_assert(said(HA_OPENED)->ok && out.at[0].kind == MO_SAVE && disk.sealed == 7 && disk.used);
    ck_assert(member_may_write(&m, now));                   /* without a gap: its promises were asked for before */
}
END_TEST

SUITE(member_bind, test_plain_is_let_be, test_bind, test_bind_numbers, test_bound_starts_fenced, test_waits_for_group,
      test_formation_open)
