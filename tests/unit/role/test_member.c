/* The table of phases, and what a primary says of its members. */
#include "tests/unit/role/member_play.h"

START_TEST(test_lost_member_is_told)
{
    leased(3, 1);
    EVENT(.kind = ME_LINK_GONE, .link = 12);
    now += 999;
    HEAR(.kind = HA_LOOK);
    ck_assert(!(said(HA_STATUS)->flags & HA_F_LOST_MEMBER));
    now += 1;
    HEAR(.kind = HA_LOOK);
    ck_assert(said(HA_STATUS)->flags & HA_F_LOST_MEMBER);
    ck_assert_str_eq(said(HA_STATUS)->node, "n2");
    EVENT(.kind = ME_REPLICA_UP, .link = 13, .id = "n2");
    HEAR(.kind = HA_LOOK);
    ck_assert(!(said(HA_STATUS)->flags & HA_F_LOST_MEMBER));
}
END_TEST

/* Each row of the table once per (phase, cause), each phase can be left, and sealing leaves no phase as it was. */
START_TEST(test_table)
{
    struct member_row a, b;
    bool sealed_from[MP_PHASES] = {false}, left[MP_PHASES] = {false};

    for (size_t i = 0; member_row_at(i, &a); i++) {
        ck_assert(a.because != NULL);
        for (size_t j = 0; j < i && member_row_at(j, &b); j++)
            ck_assert_msg(a.in != b.in || strcmp(a.on, b.on) != 0, "%s %s twice", member_phase_name(a.in), a.on);
        left[a.in] = left[a.in] || a.then != a.in;
        if (strcmp(a.on, "sealed") == 0) {
            sealed_from[a.in] = true;
            ck_assert_int_eq(a.then, MP_FENCED);
        }
    }
    for (int p = 0; p < MP_PHASES; p++) {
        ck_assert_msg(left[p], "%s is never left", member_phase_name((enum member_phase)p));
        ck_assert_int_eq(sealed_from[p], p != MP_PLAIN);
    }
}
END_TEST

SUITE(member, test_lost_member_is_told, test_table)
