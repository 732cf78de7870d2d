/* One voter's promises: rows of the table of what is persisted, message by message. */
#include "sentinel/core/voter.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

#define LS 800

static const char *id(int n)
{
    static char text[4][ID_MAX];
    static int at;

    at = (at + 1) % 4;
    snprintf(text[at], ID_MAX, "%040x", (unsigned)n);
    return text[at];
}

static struct ha_record rec(uint64_t ballot, uint32_t change, uint64_t epoch)
{
    struct ha_record r = {.gid = 77, .ballot = ballot, .change = change, .epoch = epoch, .born = 1,
                          .incarnation = 1000 + epoch, .mode = HA_STRICT, .k = 1, .n_members = 3, .n_voters = 3};

    ck_assert(ha_timing_profile("lan", &r.timing));
    for (int i = 0; i < 3; i++) {
        strcpy(r.member[i].id, id(10 + i));
        r.member[i].life = 110 + (uint64_t)i;
        strcpy(r.voter[i].id, id(1 + i));
        r.voter[i].life = 101 + (uint64_t)i;
    }
    strcpy(r.primary, id(10 + (int)(epoch % 3)));
    ck_assert_ptr_null(ha_record_check(&r));
    return r;
}

static struct ha_record formation(uint64_t gid, uint64_t a)
{
    struct ha_record r = rec(a, 0, a);

    r.gid = gid;
    r.born = a;
    strcpy(r.primary, id(10));
    return r;
}

static struct voter fresh(void)
{
    struct voter v;

    voter_init(&v, id(1), &(struct voter_facts){.life = 101}, 0);
    return v;
}

static struct voter holding(uint64_t ballot, uint64_t epoch)
{
    struct voter_facts f = {.life = 101, .promised = ballot, .rec = rec(ballot, 0, epoch), .promise_max_ms = LS};
    struct voter v;

    voter_init(&v, id(1), &f, 0);
    v.silent_until_ms = 0;                 /* long after the start */
    v.shrink_at_ms = 0;
    return v;
}

/* "yes", "yes!" with a save, or the reason. */
static const char *vote(struct voter *v, uint64_t b, int who, uint64_t life)
{
    enum ha_why why;
    bool save;

    if (voter_vote(v, b, id(who), life, &save, &why))
        return save ? "yes!" : "yes";
    ck_assert(!save);
    return ha_why_name(why);
}

static const char *store(struct voter *v, const struct ha_record *r, int64_t now)
{
    enum ha_why why;
    bool save;
    int64_t wait;

    if (voter_record(v, r, now, &save, &why, &wait))
        return save ? "yes!" : "yes";
    ck_assert(!save && (wait > 0) == (why == HA_WHY_LEASED));
    return ha_why_name(why);
}

static const char *renew(struct voter *v, uint64_t e, uint64_t inc, int64_t now)
{
    enum ha_why why;
    bool save;

    if (voter_renew(v, e, inc, now, &save, &why))
        return save ? "yes!" : "yes";
    return ha_why_name(why);
}

START_TEST(test_one_vote_per_ballot)
{
    struct voter v = fresh();

    ck_assert_str_eq(vote(&v, 5, 2, 7), "yes!");
    ck_assert_str_eq(vote(&v, 5, 2, 7), "yes");            /* the answer may have been lost */
    ck_assert_str_eq(vote(&v, 5, 2, 8), "voted");          /* the same id, another memory */
    ck_assert_str_eq(vote(&v, 5, 3, 7), "voted");
    ck_assert_str_eq(vote(&v, 4, 2, 7), "promised");
    ck_assert_str_eq(vote(&v, 6, 3, 7), "yes!");
    ck_assert_str_eq(vote(&v, 5, 2, 7), "promised");       /* never taken back up */
    ck_assert_str_eq(vote(&v, 7, 2, 0), "stranger");
    ck_assert_uint_eq(v.f.promised, 6);
}
END_TEST

START_TEST(test_a_record_raises_the_promise)
{
    struct voter v = fresh();
    struct ha_record r = rec(6, 0, 6);

    ck_assert_str_eq(vote(&v, 5, 2, 7), "yes!");
    ck_assert_str_eq(store(&v, &r, 0), "yes!");
    ck_assert_str_eq(vote(&v, 6, 2, 7), "voted");          /* nobody's vote, and not to be had */
    ck_assert_uint_eq(v.f.promised, 6);
    ck_assert_int_eq(v.f.promise_max_ms, LS);
}
END_TEST

START_TEST(test_records_by_ballot_and_change)
{
    struct voter v = holding(5, 5);
    struct ha_record same = rec(5, 0, 5), change = rec(7, 1, 5), older = rec(6, 0, 6), second = rec(7, 2, 5);
    struct ha_record other = rec(9, 1, 9);

    ck_assert_str_eq(store(&v, &same, 0), "yes");
    ck_assert_str_eq(vote(&v, 7, 2, 7), "yes!");
    ck_assert_str_eq(store(&v, &older, 0), "promised");
    ck_assert_str_eq(store(&v, &change, 0), "yes!");
    ck_assert_str_eq(store(&v, &second, 0), "yes!");
    ck_assert_str_eq(store(&v, &change, 0), "old");
    other.gid = 78;
    ck_assert_str_eq(store(&v, &other, 0), "group");
    ck_assert_uint_eq(v.f.rec.change, 2);
}
END_TEST

START_TEST(test_a_promise_holds_other_epochs_off)
{
    struct voter v = holding(5, 5);
    struct ha_record next = rec(6, 0, 6), change = rec(6, 1, 5);

    ck_assert_str_eq(renew(&v, 4, 1004, 100), "epoch");
    ck_assert_str_eq(renew(&v, 5, 1, 100), "incarnation");
    ck_assert_str_eq(renew(&v, 5, 1005, 100), "yes");
    ck_assert_int_eq(voter_held_ms(&v, 300), LS - 200);
    ck_assert_str_eq(vote(&v, 6, 2, 7), "yes!");           /* elections are not held back by leases */
    ck_assert_str_eq(store(&v, &next, 899), "leased");
    ck_assert_str_eq(store(&v, &change, 899), "yes!");     /* the same epoch is */
    ck_assert_str_eq(renew(&v, 5, 1005, 899), "yes");
    next = rec(7, 0, 7);
    ck_assert_str_eq(store(&v, &next, 1698), "leased");
    ck_assert_str_eq(store(&v, &next, 1699), "yes!");
    ck_assert_str_eq(renew(&v, 5, 1005, 1700), "epoch");
}
END_TEST

START_TEST(test_end_voids_its_epoch_only)
{
    struct voter v = holding(5, 5);
    struct ha_record next = rec(6, 0, 6);

    ck_assert_str_eq(renew(&v, 5, 1005, 100), "yes");
    voter_end(&v, 4);
    voter_end(&v, 9);
    ck_assert_str_eq(store(&v, &next, 200), "leased");
    voter_end(&v, 5);
    ck_assert_str_eq(store(&v, &next, 200), "yes!");
    voter_end(&v, 6);
    ck_assert_str_eq(renew(&v, 6, 1006, 300), "yes");      /* 9 is the highest known; 6 is voided, not forgotten... */
    voter_end(&v, 12);
    v.f.rec = rec(12, 0, 12);
    v.f.promised = 12;
    ck_assert_str_eq(renew(&v, 12, 1012, 300), "epoch");   /* a renewal that comes after the end of its epoch */
}
END_TEST

START_TEST(test_silence_after_a_start)
{
    struct voter_facts f = {.life = 101, .promised = 5, .rec = rec(5, 0, 5), .promise_max_ms = 3000};
    struct ha_record next = rec(6, 0, 6), change = rec(6, 1, 5);
    struct voter v;

    voter_init(&v, id(1), &f, 1000);
    ck_assert_int_eq(voter_held_ms(&v, 1000), 3000);       /* the largest ever in force, not this record's */
    ck_assert_str_eq(vote(&v, 6, 2, 7), "yes!");
    ck_assert_str_eq(store(&v, &next, 3999), "leased");
    ck_assert_str_eq(store(&v, &change, 3999), "yes!");
    next = rec(8, 0, 8);
    voter_end(&v, 5);
    ck_assert_str_eq(store(&v, &next, 3999), "yes!");
    voter_init(&v, id(1), &(struct voter_facts){.life = 9}, 1000);
    next = rec(6, 0, 6);
    ck_assert_str_eq(store(&v, &next, 1000), "yes!");      /* no record: it promised nobody anything */
}
END_TEST

START_TEST(test_a_smaller_promise_counts_later)
{
    struct voter v = holding(5, 5);
    struct ha_record r = rec(6, 1, 5);

    ck_assert_str_eq(renew(&v, 5, 1005, 0), "yes");
    r.timing.promise_ms = 200;
    r.timing.lease_ms = 190;
    ck_assert_str_eq(store(&v, &r, 100), "yes!");
    ck_assert_int_eq(v.f.promise_max_ms, LS);
    ck_assert_str_eq(renew(&v, 5, 1005, 150), "yes");
    ck_assert_int_eq(voter_held_ms(&v, 150), LS - 150);    /* what was promised stays promised */
    ck_assert_str_eq(renew(&v, 5, 1005, 900), "yes!");
    ck_assert_int_eq(v.f.promise_max_ms, 200);
    r = rec(7, 1, 5);
    ck_assert_str_eq(store(&v, &r, 950), "yes!");          /* a larger one at once */
    ck_assert_int_eq(v.f.promise_max_ms, LS);
}
END_TEST

START_TEST(test_attempts_at_forming)
{
    struct voter v = fresh();
    struct ha_record one = formation(1, 4), two = formation(2, 6), late = formation(1, 4), elsewhere = formation(3, 9);
    bool save;

    ck_assert_str_eq(store(&v, &one, 0), "yes!");
    elsewhere.member[0].life = 999;                        /* its primary in another life proves nothing */
    ck_assert_str_eq(store(&v, &elsewhere, 0), "group");
    ck_assert_str_eq(store(&v, &two, 0), "yes!");          /* the same primary took the higher number */
    ck_assert_str_eq(store(&v, &late, 0), "group");
    ck_assert(!voter_drop_record(&v, 2, 6, &save));        /* its own number proves nothing */
    ck_assert(voter_drop_record(&v, 2, 8, &save) && save);
    ck_assert_uint_eq(v.f.rec.gid, 0);
    ck_assert_uint_eq(v.f.promised, 8);
    ck_assert_str_eq(store(&v, &two, 0), "promised");      /* a late copy */
    ck_assert(voter_drop_record(&v, 2, 8, &save) && !save);
}
END_TEST

START_TEST(test_an_opened_group_is_not_dropped)
{
    struct voter v = holding(5, 5);
    struct ha_record last = rec(6, 1, 5), fresh_one = formation(9, 7);
    bool save;

    ck_assert(!voter_drop_record(&v, 77, 99, &save));
    ck_assert_str_eq(store(&v, &fresh_one, 0), "group");
    last.dissolved = true;
    ck_assert_str_eq(store(&v, &last, 0), "yes!");
    ck_assert_str_eq(renew(&v, 5, 1005, 0), "group");
    ck_assert(voter_drop_record(&v, 77, 99, &save));
    ck_assert(v.f.rec.dissolved);                          /* kept for those who missed it */
    ck_assert_str_eq(store(&v, &fresh_one, 0), "yes!");
}
END_TEST

SUITE(voter, test_one_vote_per_ballot, test_a_record_raises_the_promise, test_records_by_ballot_and_change,
      test_a_promise_holds_other_epochs_off, test_end_voids_its_epoch_only, test_silence_after_a_start,
      test_a_smaller_promise_counts_later, test_attempts_at_forming, test_an_opened_group_is_not_dropped)
