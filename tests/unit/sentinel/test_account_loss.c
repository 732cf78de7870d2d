/* What is said of a loss, from what was known. */
#include "common/base/str.h"
#include "sentinel/shell/accounts.h"
#include "tests/support/suite.h"

#include <string.h>

static const char *text(const struct account_loss *l)
{
    static char out[400];
    struct str s = {0};

    account_loss_text(l, &s);
    strncpy(out, str_c(&s), sizeof out - 1);
    str_fini(&s);
    return out;
}

START_TEST(test_plain)
{
    static const struct {
        int64_t old, ago, other, chosen, bytes;
        enum account_sure sure;
    } rows[] = {
        {1000, 50, 900, 900, 100, SURE_SEEN},
        {1000, 50, 1200, 1100, 100, SURE_SEEN},        /* another replica had more */
        {1000, 50, 1200, 1200, 0, SURE_SEEN},
        {-1, 50, 1200, 1200, 0, SURE_SEEN},
        {-1, 50, -1, 1200, -1, SURE_UNKNOWN},
        {1000, 50, 900, -1, -1, SURE_UNKNOWN},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct account_loss l = account_plain_loss(rows[i].old, rows[i].ago, rows[i].other, rows[i].chosen);

        ck_assert_msg(l.bytes == rows[i].bytes && l.sure == rows[i].sure, "row %zu: %lld %s", i, (long long)l.bytes,
                      account_sure_name(l.sure));
        ck_assert(l.bytes <= 0 || l.to - l.from == l.bytes);
    }
    struct account_loss l = account_plain_loss(1000, 50, 900, 900);
    ck_assert_str_eq(text(&l), "at most 100 bytes between offsets 900 and 1000 lost; as seen 50 ms before: what the old "
                               "primary wrote after that is not counted");
}
END_TEST

static struct ha_record base, next;
static struct lead_seal seals[3];

static void scene(enum ha_mode mode, int k, int counted)
{
    static const char *const ids[] = {"a", "b", "c"};

    memset(&base, 0, sizeof base);
    memset(seals, 0, sizeof seals);
    base.gid = base.epoch = 1;
    base.mode = mode;
    base.k = k;
    base.n_members = 3;
    for (int i = 0; i < 3; i++) {
        strcpy(base.member[i].id, ids[i]);
        strcpy(seals[i].id, ids[i]);
        seals[i].pos = (struct ha_position){1, 1000 + 100 * (2 - i)};      /* a 1200, b 1100, c 1000 */
        seals[i].counted = i > 2 - counted;
    }
    strcpy(base.primary, "a");
    next = base;
    strcpy(next.primary, "b");
    next.ballot = next.epoch = 2;
}

START_TEST(test_formed)
{
    struct account_loss l;

    scene(HA_STRICT, 1, 2);
    l = account_formed_loss(&base, &next, LEAD_PROMOTE, seals, 3, 1200);
    ck_assert(l.sure == SURE_PROVED && l.bytes == 0 && l.counted == 2 && l.needed == 2);
    ck_assert_msg(strncmp(text(&l), "0 lost; 2 of 3 members sealed, 2 needed; proved", 47) == 0, "%s", text(&l));

    scene(HA_STRICT, 1, 1);                                /* an operator's order, with a seal too few */
    strcpy(next.primary, "c");
    l = account_formed_loss(&base, &next, LEAD_FORCE, seals, 3, 1200);
    ck_assert(l.sure == SURE_SEEN && l.bytes == 200);
    l = account_formed_loss(&base, &next, LEAD_FORCE, seals, 3, -1);
    ck_assert(l.sure == SURE_UNKNOWN && l.bytes == -1);
    ck_assert_msg(strncmp(text(&l), "loss unknown; 1 of 3", 20) == 0, "%s", text(&l));

    scene(HA_ASYNC, 0, 3);                                 /* the old one was sealed too: its end is known */
    l = account_formed_loss(&base, &next, LEAD_PROMOTE, seals, 3, 5000);
    ck_assert(l.sure == SURE_BOUND && l.bytes == 100 && l.from == 1100 && l.to == 1200);
    seals[0].pos = seals[1].pos;
    l = account_formed_loss(&base, &next, LEAD_PROMOTE, seals, 3, 5000);
    ck_assert(l.sure == SURE_BOUND && l.bytes == 0);

    scene(HA_ASYNC, 0, 2);
    l = account_formed_loss(&base, &next, LEAD_PROMOTE, seals, 3, 1150);
    ck_assert(l.sure == SURE_SEEN && l.bytes == 50);

    scene(HA_ASYNC, 0, 2);
    l = account_formed_loss(&base, &next, LEAD_HAND_OVER, seals, 3, 1150);
    ck_assert(l.sure == SURE_PROVED && l.bytes == 0);
}
END_TEST

SUITE(account_loss, test_plain, test_formed)
