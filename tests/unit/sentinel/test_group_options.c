/* How a group is to be formed: what may be set, what it comes to, what a record brings back. */
#include "common/base/ha.h"
#include "sentinel/core/formed.h"
#include "sentinel/shell/group_options.h"
#include "tests/support/suite.h"

#include <string.h>

static struct group_options g;
static struct err trouble;

static int put(const char *name, const char *value)
{
    const struct option *o = option_find(&group_option_table, slice_z(name));
    struct slice v = slice_z(value);

    ck_assert_msg(o != NULL, "no row for %s", name);
    memset(&trouble, 0, sizeof trouble);
    return option_set(o, &g, 1, &v, NULL, &trouble);
}

static char lines[512];

static void one(void *arg, const char *key, const char *text)
{
    (void)arg;
    (void)key;
    strcat(lines, text);
    strcat(lines, ";");
}

static const char *written(void)
{
    lines[0] = '\0';
    group_options_lines(&g, "m", one, NULL);
    return lines;
}

START_TEST(test_words)
{
    group_options_init(&g);
    ck_assert_int_eq(g.mode, GROUP_MODE_NONE);
    ck_assert_str_eq(written(), "");
    ck_assert_int_eq(put("mode", "STRICT"), 0);
    ck_assert_int_eq(g.mode, HA_STRICT);
    ck_assert_int_eq(put("sync-acks", "2"), 0);
    ck_assert_int_eq(put("profile", "lan"), 0);
    ck_assert_int_eq(put("voters", "5"), 0);
    ck_assert_int_eq(put("member-drop-after", "5000"), 0);
    ck_assert_str_eq(written(), "sentinel mode m strict;sentinel sync-acks m 2;sentinel profile m lan;sentinel voters m 5;"
                                "sentinel member-drop-after m 5000;");
    ck_assert_int_eq(put("mode", "plain"), 0);
    ck_assert_int_eq(put("profile", ""), 0);
    ck_assert_int_eq(put("voters", "3"), 0);
    ck_assert_str_eq(written(), "sentinel sync-acks m 2;sentinel member-drop-after m 5000;");
    group_options_fini(&g);
}
END_TEST

START_TEST(test_refusals_say_why)
{
    static const struct {
        const char *name, *value, *says;
    } bad[] = {
        {"mode", "sync", "plain, async, prefer or strict"},
        {"mode", "strict+disk", "plain, async, prefer or strict"},
        {"mode", "plain+fsync", "plain, async, prefer or strict"},
        {"mode", "strict+fsync", "append-only file"},
        {"profile", "moon", "lan, cloud or wan"},
        {"voters", "4", "3 or 5 voters"},
        {"voters", "", "3 or 5 voters"},
        {"sync-acks", "9", "sync-acks"},
        {"member-drop-after", "-1", "member-drop-after"},
        {"crash-evidence", "agent", "starts no data node"},
        {"crash-evidence", "maybe", "yes or no"},
    };

    group_options_init(&g);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(put(bad[i].name, bad[i].value) != 0, "%s %s", bad[i].name, bad[i].value);
        ck_assert_msg(strstr(trouble.text, bad[i].says) != NULL, "%s %s: %s", bad[i].name, bad[i].value, trouble.text);
    }
    ck_assert_str_eq(written(), "");
    group_options_fini(&g);
}
END_TEST

START_TEST(test_timing)
{
    struct formed_want w;
    const char *wrong;

    group_options_init(&g);
    ck_assert(!group_options_want(&g, &w, &wrong));
    ck_assert_int_eq(put("mode", "prefer"), 0);
    ck_assert(group_options_want(&g, &w, &wrong));
    ck_assert_msg(wrong == NULL, "%s", wrong);
    ck_assert_int_eq(w.timing.down_after_ms, 30000);
    ck_assert_int_eq(w.timing.promise_ms, 20000);
    ck_assert_int_eq(put("profile", "lan"), 0);            /* brings its own down-after */
    ck_assert_int_eq(group_options_down_after(&g), 1000);
    ck_assert(group_options_want(&g, &w, &wrong));
    ck_assert_ptr_null(wrong);
    ck_assert_int_eq(w.timing.promise_ms, 800);
    ck_assert_int_eq(w.voters, 3);
    ck_assert_int_eq(put("down-after-milliseconds", "5000"), 0);
    ck_assert_int_eq(group_options_down_after(&g), 5000);
    ck_assert_int_eq(put("down-after-milliseconds", "850"), 0);
    ck_assert(group_options_want(&g, &w, &wrong));
    ck_assert_ptr_nonnull(wrong);
    ck_assert_msg(strncmp(wrong, "T3: ", 4) == 0, "%s", wrong);
    ck_assert_int_eq(put("mode", "plain"), 0);             /* a plain group has no such lines */
    ck_assert(!group_options_want(&g, &w, &wrong));
    ck_assert_ptr_null(wrong);
    group_options_fini(&g);
}
END_TEST

/* What another sentinel was told arrives with the record. */
START_TEST(test_follow)
{
    struct ha_record r;
    struct formed_want w;
    const char *wrong;

    memset(&r, 0, sizeof r);
    r.gid = 1;
    r.mode = HA_STRICT;
    r.k = 1;
    r.n_voters = 3;
    r.n_members = 3;
    r.drop_after_ms = 7000;
    ck_assert(ha_timing_profile("lan", &r.timing));
    group_options_init(&g);
    ck_assert(group_options_follow(&g, &r));
    ck_assert_int_eq(g.mode, HA_STRICT);
    ck_assert_str_eq(g.profile, "lan");
    ck_assert_int_eq(g.sync_acks, 0);
    ck_assert_int_eq(g.member_drop_after_ms, 7000);        /* of the group, not of each sentinel */
    ck_assert(!group_options_follow(&g, &r));
    ck_assert(group_options_want(&g, &w, &wrong));
    ck_assert(memcmp(&w.timing, &r.timing, sizeof r.timing) == 0);

    ha_timing_from_down_after(5000, &r.timing);
    r.n_voters = 5;
    ck_assert(group_options_follow(&g, &r));
    ck_assert_ptr_null(g.profile);
    ck_assert_int_eq(g.down_after_ms, 5000);
    ck_assert_int_eq(g.voters, 5);
    r.n_voters = 4;                                        /* on the way from 5 to 5: no wish */
    ck_assert(!group_options_follow(&g, &r));

    r.k = 2;                                               /* more than the default: it was said elsewhere */
    ck_assert(group_options_follow(&g, &r));
    ck_assert_int_eq(g.sync_acks, 2);
    r.mode = HA_PREFER;
    r.n_members = 2;
    r.k = 1;                                               /* fell with the members: 2 goes on being wished for */
    ck_assert(group_options_follow(&g, &r));
    ck_assert_int_eq(g.sync_acks, 2);
    r.n_members = 4;
    ck_assert(group_options_follow(&g, &r));
    ck_assert_int_eq(g.sync_acks, 1);

    r.dissolved = true;
    ck_assert(group_options_follow(&g, &r));
    ck_assert_int_eq(g.mode, GROUP_MODE_NONE);
    ck_assert(!group_options_follow(&g, &r));
    group_options_fini(&g);
}
END_TEST

SUITE(group_options, test_words, test_refusals_say_why, test_timing, test_follow)
