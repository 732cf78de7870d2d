/* Formed groups of a sentinel that starts: what is on its disk, and what is not usable there. No network: its group's
 * address is one where nobody is. */
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/save.h"
#include "sentinel/wire/formed_text.h"
#include "tests/support/suite.h"
#include "tests/unit/sentinel/shell_support.h"

#include <string.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define STRANGER "cccccccccccccccccccccccccccccccccccccccc"

static core_id group(void) { return core_group_named(sh->core, "m")->id; }

static void keep(const char *text) { ck_assert_int_eq(save_formed(sh->save, "m", slice_z(text)), 0); }

static void keep_facts(const char *self, uint64_t life_in_record)
{
    struct voter_facts f = {.life = 7, .promised = 12, .promise_max_ms = 3000};
    struct ha_record *r = &f.rec;
    struct str text = {0};

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
    ck_assert(addr_set(&r->member[0].addr, "127.0.0.1", 9, 1));
    ck_assert(addr_set(&r->member[1].addr, "127.0.0.1", 9, 2));
    strcpy(r->voter[0].id, self);
    r->voter[0].life = life_in_record;
    ck_assert(addr_set(&r->voter[0].addr, "127.0.0.1", 9, 3));
    ck_assert(ha_timing_profile("cloud", &r->timing));
    formed_text_put(&text, &f);
    keep(str_c(&text));
    str_fini(&text);
}

static bool journal_says(const char *what)
{
    const char *line;
    int64_t at;
    bool found = false;

    for (size_t i = 0, n = formed_groups_journal(sh->formed, group(), 0, &at, &line); i < n; i++) {
        formed_groups_journal(sh->formed, group(), i, &at, &line);
        found |= strstr(line, what) != NULL;
    }
    return found;
}

START_TEST(test_a_plain_group_costs_nothing)
{
    folder_make(dir);
    start("");
    ck_assert_ptr_null(formed_groups_find(sh->formed, group()));
    ck_assert(!core_group(sh->core, group())->formed);
    stop();
    folder_remove(dir);
}
END_TEST

START_TEST(test_facts_on_disk_come_before_the_first_link)
{
    const struct formed *f;
    struct sentinel_conf *c;

    folder_make(dir);
    start("");
    keep_facts(core_my_id(sh->core), 7);
    stop();
    start("");
    ck_assert(formed_groups_is_formed(sh->formed, group()));
    ck_assert(core_group(sh->core, group())->formed);
    f = formed_groups_find(sh->formed, group());
    ck_assert_uint_eq(formed_facts(f)->life, 7);
    ck_assert_uint_eq(formed_facts(f)->promised, 12);
    c = &o.sentinel;
    ck_assert_int_eq(sentinel_conf_find(c, "m")->opt.mode, HA_STRICT);      /* the record says what the settings are */
    stop();
    folder_remove(dir);
}
END_TEST

START_TEST(test_facts_that_cannot_be_read_are_of_another_life)
{
    folder_make(dir);
    start("");
    keep("voter wife 7\n");
    stop();
    start("");
    ck_assert_ptr_nonnull(formed_groups_find(sh->formed, group()));
    ck_assert_uint_ne(formed_facts(formed_groups_find(sh->formed, group()))->life, 7);
    ck_assert(!formed_groups_is_formed(sh->formed, group()));
    ck_assert(journal_says("begins a new life"));
    stop();
    folder_remove(dir);
}
END_TEST

START_TEST(test_strangers)
{
    const char line[] = "vote from " STRANGER " life 7 gid 5 ballot 99";

    folder_make(dir);
    start("");
    keep_facts(core_my_id(sh->core), 7);
    stop();
    start("");
    formed_groups_peer_said(sh->formed, STRANGER, "m", slice_z(line));
    formed_groups_peer_said(sh->formed, STRANGER, "nosuch", slice_z(line));
    formed_groups_peer_said(sh->formed, core_my_id(sh->core), "m", slice_z(line));      /* as if from us */
    ck_assert_uint_eq(formed_groups_strangers(sh->formed), 3);
    ck_assert_uint_eq(formed_facts(formed_groups_find(sh->formed, group()))->promised, 12);
    formed_groups_gone(sh->formed, group());
    ck_assert_ptr_null(formed_groups_find(sh->formed, group()));
    stop();
    folder_remove(dir);
}
END_TEST

SUITE(formed_groups, test_a_plain_group_costs_nothing, test_facts_on_disk_come_before_the_first_link,
      test_facts_that_cannot_be_read_are_of_another_life, test_strangers)
