/* OPEN, renewals and how long a lease lasts (R2, R3, R10). */
#include "tests/unit/role/member_play.h"

START_TEST(test_open_refused)
{
    struct ha_record r = record(5, 0, 5, 3, 1);
    static const struct { uint64_t sealed, life, incarnation; enum ha_why why; } rows[] = {
        {6, 10, INC, HA_WHY_PROMISED}, {4, 10, INC, HA_WHY_EPOCH}, {5, 99, INC, HA_WHY_STRANGER}, {5, 10, 499, HA_WHY_INCARNATION},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start("n0", 10, true, rows[i].sealed);
        r.member[0].life = rows[i].life;
        r.incarnation = rows[i].incarnation;
        HEAR(.kind = HA_OPEN, .rec = &r);
        ck_assert_int_eq(said(HA_OPENED)->why, rows[i].why);
        ck_assert(!said(HA_OPENED)->ok && m.state == HA_FENCED);
    }
}
END_TEST

START_TEST(test_open_unproved)
{
    struct ha_record r = record(5, 0, 5, 3, 1);

    start("n0", 10, true, 5);
    links_up();
    ck_assert_str_eq(HEAR(.kind = HA_OPEN, .rec = &r, .unproved = true), "opened renew renew renew");
    ck_assert(m.state == HA_PRIMARY && !member_marker_out(&m) && !member_feeds(&m, 0) && !member_may_write(&m, now));
    ck_assert_str_eq(grant(0, m.nonce, 5, 0), "");
    ck_assert_str_eq(grant(1, m.nonce, 6, 1), "");          /* the same epoch, another record: proves nothing */
    ck_assert(!member_marker_out(&m));
    ck_assert_str_eq(grant(2, m.nonce, 5, 0), "lead stream stream");
    ck_assert(member_may_write(&m, now));
    ck_assert_str_eq(HEAR(.kind = HA_OPEN, .rec = &r), "opened");  /* said again */
    ck_assert(said(HA_OPENED)->ok);
}
END_TEST

START_TEST(test_lease_runs_from_sending)
{
    int64_t asked;
    uint64_t nonce;

    opened(3, 1);
    ck_assert(!member_may_write(&m, now) && !member_lease_valid(&m, now));
    asked = now;
    nonce = m.nonce;
    now += 90;
    grant(0, nonce, 5, 0);
    ck_assert(!member_may_write(&m, now));
    grant(0, nonce, 5, 0);                                  /* doubled */
    ck_assert(!member_may_write(&m, now));
    grant(1, nonce, 5, 0);
    ck_assert(member_may_write(&m, now));
    ck_assert_int_eq(member_lease_until_ms(&m), asked + 760);
    ck_assert(member_lease_valid(&m, asked + 759) && !member_lease_valid(&m, asked + 760));
    ck_assert(!member_may_write(&m, asked + 5000));         /* a gap of the loop */
    grant(2, nonce + 1, 5, 0);                              /* never asked */
    ck_assert_int_eq(member_lease_until_ms(&m), asked + 760);
}
END_TEST

START_TEST(test_lease_of_strangers)
{
    opened(3, 1);
    grant(0, m.nonce, 5, 0);
    struct ha_msg msg = {.kind = HA_LEASE, .from = "s1", .life = 99, .epoch = 5, .incarnation = INC, .nonce = m.nonce, .ok = true,
                         .ballot = 5};
    hear_on(2, msg);
    ck_assert(!member_lease_valid(&m, now));                /* another life */
    msg.life = 21;
    msg.incarnation = 499;
    hear_on(2, msg);
    ck_assert(!member_lease_valid(&m, now));
    msg.incarnation = INC;
    msg.ok = false;
    hear_on(2, msg);
    ck_assert(!member_lease_valid(&m, now));
    msg.ok = true;
    msg.ms = 101;                                           /* it promised less than our record says */
    hear_on(2, msg);
    ck_assert_int_eq(member_lease_until_ms(&m), now + 99);
}
END_TEST

START_TEST(test_lease_first_from_one_record)
{
    opened(3, 1);
    grant(0, m.nonce, 5, 0);
    grant(1, m.nonce, 6, 1);
    ck_assert(!member_lease_valid(&m, now));
    member_grant(1, m.nonce, 11);
    ck_assert(!member_lease_valid(&m, now));                /* members never give the first */
    grant(2, m.nonce, 5, 0);
    ck_assert(member_lease_valid(&m, now));
}
END_TEST

START_TEST(test_lease_from_members)
{
    uint64_t first;

    leased(3, 2);
    first = m.nonce;
    now += 100;
    ck_assert_str_eq(EVENT(.kind = ME_TICK), "renew renew renew renew renew");
    member_grant(1, m.nonce, 11);
    ck_assert_int_eq(member_lease_until_ms(&m), 10760);     /* k = 2: one member is not enough */
    member_grant(2, m.nonce, 99);
    ck_assert_int_eq(member_lease_until_ms(&m), 10760);
    member_grant(2, m.nonce, 12);
    ck_assert_int_eq(member_lease_until_ms(&m), 10860);
    ck_assert_int_eq(m.nonce, first + 1);
    EVENT(.kind = ME_HEALTH, .yes = false);
    now += 100;
    ck_assert_str_eq(EVENT(.kind = ME_TICK), "");           /* stuck: no renewals */
}
END_TEST

START_TEST(test_lease_async_all)
{
    struct ha_record r = record(5, 0, 5, 3, 1);

    r.mode = HA_ASYNC;
    start("n0", 10, true, 5);
    links_up();
    HEAR(.kind = HA_OPEN, .rec = &r);
    grant(0, m.nonce, 5, 0);
    grant(1, m.nonce, 5, 0);
    ck_assert(!member_holds_replies(&m));
    now += 100;
    EVENT(.kind = ME_TICK);
    member_grant(1, m.nonce, 11);
    ck_assert_int_eq(member_lease_until_ms(&m), 10760);     /* all n, whatever k says */
    member_grant(2, m.nonce, 12);
    ck_assert_int_eq(member_lease_until_ms(&m), 10860);
}
END_TEST

START_TEST(test_alone_needs_no_lease)
{
    struct ha_record r = record(5, 0, 5, 1, 0), two = record(6, 1, 5, 2, 1);

    start("n0", 10, true, 5);
    links_up();
    HEAR(.kind = HA_OPEN, .rec = &r);
    LOG(5, 1);
    ck_assert(member_lease_until_ms(&m) == NEVER_MS && member_may_write(&m, now));
    ck_assert_int_eq(m.commit.confirmed, 1);
    HEAR(.kind = HA_JOINT, .rec = &two);
    ck_assert(!member_may_write(&m, now));                  /* alone, but not in every configuration */
}
END_TEST

SUITE(member_lease, test_open_refused, test_open_unproved, test_lease_runs_from_sending, test_lease_of_strangers,
      test_lease_first_from_one_record, test_lease_from_members, test_lease_async_all, test_alone_needs_no_lease)
