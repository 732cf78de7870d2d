/* Messages and records of a formed group as words: there and back, and what is refused. */
#include "common/text/ha_text.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

static void id_of(char out[ID_MAX], int n) { snprintf(out, ID_MAX, "%040x", (unsigned)n); }

static struct ha_record full(void)
{
    struct ha_record r = {.gid = UINT64_MAX, .ballot = 9, .change = 2, .epoch = 7, .born = 3, .incarnation = 11,
                          .mode = HA_STRICT, .fsync = true, .k = 4, .n_members = HA_MEMBERS_MAX, .n_voters = HA_VOTERS_MAX};

    ck_assert(ha_timing_profile("lan", &r.timing));
    for (int i = 0; i < r.n_members; i++) {
        id_of(r.member[i].id, 100 + i);
        r.member[i].life = 200 + (uint64_t)i;
        r.member[i].priority = i;
        r.member[i].last = (struct ha_position){6, 1000 + i};
        ck_assert(addr_set(&r.member[i].addr, "fe80::1", 7, 6379 + i));
        if (i % 2)
            strcpy(r.member[i].zone, "zone-b");
    }
    for (int i = 0; i < r.n_voters; i++) {
        id_of(r.voter[i].id, 300 + i);
        r.voter[i].life = 400 + (uint64_t)i;
        ck_assert(addr_set(&r.voter[i].addr, "10.0.0.1", 8, 26379));
    }
    id_of(r.primary, 101);
    return r;
}

START_TEST(test_record_there_and_back)
{
    struct ha_record r = full(), back;
    struct str s = {0}, again = {0};
    const char *error = NULL;

    ha_text_put_record(&s, &r);
    ck_assert_msg(ha_text_record_line(s.p, s.len, &back, &error), "%s", error);
    ha_text_put_record(&again, &back);
    ck_assert_str_eq(str_c(&s), str_c(&again));
    ck_assert_int_eq(back.n_members, HA_MEMBERS_MAX);
    ck_assert_str_eq(back.member[1].zone, "zone-b");
    ck_assert_str_eq(back.member[0].zone, "");
    ck_assert(back.gid == UINT64_MAX && back.born == 3 && back.fsync && back.mode == HA_STRICT && back.k == 4);
    ck_assert_int_eq(back.timing.election_ms, 100);
    str_fini(&s);
    str_fini(&again);
}
END_TEST

START_TEST(test_every_kind)
{
    struct ha_record r = full(), rec;

    for (int k = 1; k < HA_KINDS; k++) {
        struct ha_msg m = {.kind = (enum ha_kind)k, .life = 1, .gid = 2, .old_gid = 3, .ballot = 4, .promised = 5,
                           .epoch = 6, .incarnation = 7, .nonce = 8, .sealed = 9, .change = 1, .node_life = 10,
                           .pos = {11, 12}, .acked = 13, .ms = 14, .why = HA_WHY_LEASED, .state = HA_PRIMARY,
                           .flags = HA_F_MARKER, .ok = true, .unproved = true, .ended = true, .rec = k % 2 ? &r : NULL};
        struct ha_msg back;
        struct str s = {0}, again = {0};
        const char *error = NULL;

        id_of(m.from, 1);
        id_of(m.node, 2);
        ck_assert(addr_set(&m.addr, "host.example", 12, 1));
        ha_text_put_msg(&s, &m);
        ck_assert_msg(ha_text_msg_line(s.p, s.len, &back, &rec, &error), "%s: %s", str_c(&s), error);
        ck_assert_int_eq(back.kind, k);
        ck_assert_int_eq(back.why, HA_WHY_LEASED);
        ck_assert((back.rec != NULL) == (m.rec != NULL));
        ha_text_put_msg(&again, &back);
        ck_assert_str_eq(str_c(&s), str_c(&again));
        str_fini(&s);
        str_fini(&again);
    }
}
END_TEST

START_TEST(test_refused)
{
#define ID "0000000000000000000000000000000000000001"
    static const char *const lines[] = {
        "", "nothing from " ID, "vow from " ID, "vote", "vote from", "vote from 12", "vote ballot 5",
        "vote from 000000000000000000000000000000000000000G", "vote from 000000000000000000000000000000000000000A",
        "vote from " ID " from " ID, "vote from " ID " ballot -1", "vote from " ID " ballot 9223372036854775807",
        "vote from " ID " ballot 018", "vote from " ID " ok maybe", "vote from " ID " why so", "vote from " ID " addr h",
        "vote from " ID " addr h 65536", "vote from " ID " change 3", "vote from " ID " ms -1", "vote from " ID " state 3",
        "vote from " ID " rec", "vote from " ID " rec gid 1", "vote from " ID " colour red", "vote from " ID " pos 1",
        "vote from " ID " addr \"h 1", "vote from " ID " flags 65536",
    };
    struct ha_msg m;
    struct ha_record rec;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *error = NULL;
        ck_assert_msg(!ha_text_msg_line(lines[i], strlen(lines[i]), &m, &rec, &error), "%s", lines[i]);
        ck_assert_msg(error != NULL, "%s", lines[i]);
    }
}
END_TEST

START_TEST(test_too_many_members)
{
    struct ha_record r = full(), back;
    struct str s = {0};
    const char *error = NULL;

    ha_text_put_record(&s, &r);
    str_append_z(&s, " member 0000000000000000000000000000000000000009 5 h 1 100 - 0 0");
    ck_assert(!ha_text_record_line(s.p, s.len, &back, &error));
    str_fini(&s);
    r.k = HA_MEMBERS_MAX;                  /* more than there are others */
    ha_text_put_record(&s, &r);
    ck_assert(!ha_text_record_line(s.p, s.len, &back, &error));
    str_fini(&s);
}
END_TEST

SUITE(ha_text, test_record_there_and_back, test_every_kind, test_refused, test_too_many_members)
