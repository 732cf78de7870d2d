/* SEAL, FETCH, END, and the silence after a start (R3, R5, T5). */
#include "tests/unit/role/member_play.h"

START_TEST(test_seal)
{
    start("n1", 11, true, 5);
    LOG(5, 100);
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "SAVE sealed");
    ck_assert(said(HA_SEALED)->ok && said(HA_SEALED)->pos.offset == 100 && said(HA_SEALED)->pos.epoch == 5);
    ck_assert_int_eq(said(HA_SEALED)->incarnation, INC);
    ck_assert_int_eq(disk.sealed, 9);
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "sealed");
    HEAR(.kind = HA_SEAL, .ballot = 8, .epoch = 5);
    ck_assert(said(HA_SEALED)->why == HA_WHY_PROMISED && said(HA_SEALED)->sealed == 9);
    HEAR(.kind = HA_SEAL, .gid = 3, .ballot = 12);
    ck_assert_int_eq(said(HA_SEALED)->why, HA_WHY_GROUP);
    LOG(9, 101);
    HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5);
    ck_assert_int_eq(said(HA_SEALED)->why, HA_WHY_EPOCH);
}
END_TEST

/* No ballot is no seal: a node that was never sealed stays as it was. */
START_TEST(test_seal_names_a_ballot)
{
    start("n1", 11, true, 0);
    disk.used = false;                                      /* bound, and neither opened nor sealed yet */
    member_init(&m, &disk, 502, now);
    LOG(0, 100);
    HEAR(.kind = HA_SEAL);
    ck_assert(!said(HA_SEALED)->ok && said(HA_SEALED)->why == HA_WHY_PROMISED);
    ck_assert(!m.f.used);
}
END_TEST

/* A process that does not know its log yet has no position to answer with. */
START_TEST(test_seal_waits_for_the_log)
{
    start("n1", 11, true, 4);
    member_init(&m, &disk, 502, now);
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "SAVE");
    ck_assert_str_eq(LOG(4, 90), "sealed");
    ck_assert(said(HA_SEALED)->ok && said(HA_SEALED)->pos.offset == 90);
}
END_TEST

START_TEST(test_seal_stops_primary)
{
    leased(3, 1);
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "fence give-up-waiters SAVE sealed");
    ck_assert(!member_may_write(&m, now) && !member_lease_valid(&m, now) && m.state == HA_FENCED);
    struct ha_record r = record(5, 0, 5, 3, 1);
    HEAR(.kind = HA_OPEN, .rec = &r);
    ck_assert_int_eq(said(HA_OPENED)->why, HA_WHY_OPENED);
}
END_TEST

START_TEST(test_seal_waits_for_promise)
{
    start("n1", 11, true, 4);
    ck_assert_str_eq(RENEW(5, INC, 1), "SAVE lease");
    ck_assert(said(HA_LEASE)->ok && disk.sealed == 5 && disk.promise_max_ms == 800);
    now += 300;
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "SAVE sealed");
    ck_assert(!said(HA_SEALED)->ok && said(HA_SEALED)->why == HA_WHY_LEASED && said(HA_SEALED)->ms == 500);
    ck_assert_int_eq(disk.sealed, 9);                       /* persisted at once, answered later */
    RENEW(5, INC, 2);
    ck_assert(!said(HA_LEASE)->ok && said(HA_LEASE)->why == HA_WHY_PROMISED);
    ck_assert_int_eq(member_deadline_ms(&m), 10800);
    now = 10799;
    ck_assert_str_eq(EVENT(.kind = ME_TICK), "");
    now = 10800;
    ck_assert_str_eq(EVENT(.kind = ME_TICK), "sealed");
    ck_assert(said(HA_SEALED)->ok);
}
END_TEST

START_TEST(test_end_voids_promise)
{
    start("n1", 11, true, 4);
    RENEW(5, INC, 1);
    HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5);
    ck_assert_str_eq(HEAR(.kind = HA_END, .epoch = 4), ""); /* of another epoch: voids nothing */
    ck_assert_str_eq(HEAR(.kind = HA_END, .epoch = 5), "sealed");
    ck_assert(said(HA_SEALED)->ok);
    start("n1", 11, true, 4);
    RENEW(5, INC, 1);
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5, .ended = true), "SAVE sealed");
    ck_assert(said(HA_SEALED)->ok);
}
END_TEST

START_TEST(test_silence_after_start)
{
    start("n1", 11, true, 5);
    RENEW(5, INC, 1);
    member_init(&m, &disk, 501, now);
    EVENT(.kind = ME_LOG);
    HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5);
    ck_assert_int_eq(said(HA_SEALED)->why, HA_WHY_LEASED);
    now += 800;
    ck_assert_str_eq(EVENT(.kind = ME_TICK), "sealed");
    member_init(&m, &disk, 502, now);
    EVENT(.kind = ME_LOG);
    HEAR(.kind = HA_SEAL, .ballot = 10, .epoch = 5, .ended = true);
    ck_assert(said(HA_SEALED)->ok);                         /* END of the base's epoch lifts it */
}
END_TEST

START_TEST(test_save_failure)
{
    start("n1", 11, true, 5);
    disk_fails = true;
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "SAVE!");
    ck_assert_int_eq(disk.sealed, 5);
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "SAVE!");
    ck_assert_str_eq(RENEW(9, INC, 1), "SAVE!");
    disk_fails = false;
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5, .ended = true), "SAVE sealed");
    ck_assert_int_eq(disk.sealed, 9);
}
END_TEST

/* A list that ends at its save: nothing behind it happened, and it is not as if it had. */
START_TEST(test_save_failure_drops_what_is_behind_it)
{
    struct ha_record r = record(7, 0, 7, 3, 1), last = r;

    start("n0", 10, false, 0);
    links_up();
    LOG(0, 40);
    BIND(GID, 7, "n0", 10);
    grant(0, m.nonce, 7, 0);
    grant(1, m.nonce, 7, 0);
    disk_fails = true;
    ck_assert_str_eq(HEAR(.kind = HA_OPEN, .rec = &r), "SAVE!");
    ck_assert(m.phase == MP_BOUND && !m.f.used && m.f.sealed == 0 && !disk.used);
    disk_fails = false;
    HEAR(.kind = HA_OPEN, .rec = &r);
    ck_assert(said(HA_OPENED)->ok && m.phase == MP_OPEN && disk.used);
    last.dissolved = true;
    last.ballot = 9;
    disk_fails = true;
    ck_assert_str_eq(hear_on(1, (struct ha_msg){.kind = HA_BIND, .old_gid = GID, .ballot = 9, .rec = &last}), "SAVE!");
    disk_fails = false;
    ck_assert_str_eq(hear_on(1, (struct ha_msg){.kind = HA_BIND, .old_gid = GID, .ballot = 9, .rec = &last}), "SAVE released bound");
    ck_assert(m.phase == MP_PLAIN && disk.gid == 0);
    ck_assert_str_eq(hear_on(1, (struct ha_msg){.kind = HA_BIND, .old_gid = GID, .ballot = 9, .rec = &last}), "bound");
}
END_TEST

START_TEST(test_fetch)
{
    start("n1", 11, true, 9);
    LOG(5, 100);
    FETCH(8, 120);
    ck_assert_int_eq(said(HA_SEALED)->why, HA_WHY_PROMISED);
    ck_assert_str_eq(FETCH(9, 120), "save-tail fetch");
    ck_assert_str_eq(FETCH(9, 120), "");
    ck_assert_str_eq(EVENT(.kind = ME_FULL_COPY, .fresh_life = 5), "");
    ck_assert(out.refused && m.f.life == 11);               /* never a full copy */
    LOG(5, 120);
    ck_assert_str_eq(EVENT(.kind = ME_FETCHED, .yes = true), "sealed");
    ck_assert(said(HA_SEALED)->ok && said(HA_SEALED)->pos.offset == 120);
    ck_assert_str_eq(FETCH(9, 120), "sealed");
    LOG(9, 121);
    FETCH(9, 140);
    ck_assert_int_eq(said(HA_SEALED)->why, HA_WHY_EPOCH);   /* a late one would roll back what it acknowledged */
    ck_assert(member_feeds(&m, 9) && !member_feeds(&m, 8) && !member_feeds(&m, 0));
}
END_TEST

SUITE(member_seal, test_seal, test_seal_names_a_ballot, test_seal_waits_for_the_log, test_seal_stops_primary,
      test_seal_waits_for_promise, test_end_voids_promise, test_silence_after_start, test_save_failure,
      test_save_failure_drops_what_is_behind_it, test_fetch)
