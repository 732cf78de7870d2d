/* What a voter must not forget, as text and back. */
#include "sentinel/wire/formed_text.h"
#include "tests/support/suite.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct voter_facts example(void)
{
    struct voter_facts f = {.life = 7, .promised = 12, .voted_for = A, .voted_life = 9, .promise_max_ms = 3000};
    struct ha_record *r = &f.rec;

    r->gid = 5;
    r->ballot = 11;
    r->epoch = r->born = 3;
    strcpy(r->primary, A);
    r->incarnation = 77;
    r->mode = HA_STRICT;
    r->k = 1;
    r->n_members = 2;
    r->n_voters = 1;
    strcpy(r->member[0].id, A);
    strcpy(r->member[1].id, B);
    r->member[0].life = 1;
    r->member[1].life = 2;
    ck_assert(addr_set(&r->member[0].addr, "10.0.0.1", 8, 6379));
    ck_assert(addr_set(&r->member[1].addr, "10.0.0.2", 8, 6379));
    strcpy(r->voter[0].id, A);
    r->voter[0].life = 7;
    ck_assert(addr_set(&r->voter[0].addr, "10.0.0.3", 8, 26379));
    ck_assert(ha_timing_profile("cloud", &r->timing));
    return f;
}

static int read_back(const struct voter_facts *f, struct voter_facts *out)
{
    struct str text = {0};
    struct err e;
    int rc;

    formed_text_put(&text, f);
    rc = formed_text_read((struct slice){str_c(&text), text.len}, out, &e);
    str_fini(&text);
    return rc;
}

START_TEST(test_there_and_back)
{
    struct voter_facts f = example(), g, none = {.life = 3};

    ck_assert_int_eq(read_back(&f, &g), 0);
    ck_assert_uint_eq(g.life, 7);
    ck_assert_uint_eq(g.promised, 12);
    ck_assert_str_eq(g.voted_for, A);
    ck_assert_uint_eq(g.voted_life, 9);
    ck_assert_int_eq(g.promise_max_ms, 3000);
    ck_assert(ha_record_same_place(&f.rec, &g.rec));
    ck_assert_int_eq(g.rec.n_members, 2);
    ck_assert_int_eq(read_back(&none, &g), 0);
    ck_assert_uint_eq(g.rec.gid, 0);
    ck_assert_uint_eq(g.life, 3);
}
END_TEST

START_TEST(test_what_no_voter_can_hold)
{
    struct voter_facts f, g;

    f = example();
    f.life = 0;
    ck_assert_int_lt(read_back(&f, &g), 0);
    f = example();
    f.promised = 10;
    ck_assert_int_lt(read_back(&f, &g), 0);
    f = example();
    f.promise_max_ms = 2999;
    ck_assert_int_lt(read_back(&f, &g), 0);
    f = example();
    f.rec.k = 2;
    ck_assert_int_lt(read_back(&f, &g), 0);
}
END_TEST

START_TEST(test_refused)
{
    static const char *const bad[] = {
        "", "\n", "voter", "voter life 0\n", "voter life 1 life 1\n", "voter life x\n", "voter life 1 colour 3\n",
        "voter life 1\nvoter life 1\n", "voter life 1\nrecord\n", "record gid 1\n", "voter life 1 voted-for " A "\n",
        "voter life 1 promised 99999999999999999999\n", "voter life 1 promise-max -1\n", "voter  life 1\n",
        "voter life 1 promised 3 voted-for " A " \n", "voter life 1\n\n",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct voter_facts f;
        struct err e = {0};

        ck_assert_msg(formed_text_read(slice_z(bad[i]), &f, &e) < 0, "taken: %s", bad[i]);
    }
}
END_TEST

SUITE(formed_text, test_there_and_back, test_what_no_voter_can_hold, test_refused)
