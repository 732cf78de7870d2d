/* Formed groups of a sentinel that starts: what is on its disk, and what is not usable there. No network: its group's
 * address is one where nobody is. */
#include "common/io/log.h"
#include "common/text/conf_edit.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/save.h"
#include "sentinel/shell/shell.h"
#include "sentinel/wire/formed_text.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define STRANGER "cccccccccccccccccccccccccccccccccccccccc"

static char dir[64];
static struct sentinel_options o;
static struct loop *loop;
static struct shell *sh;

static void start(void)
{
    struct conf_source s;
    struct str text = {0};
    struct err err;

    memset(&o, 0, sizeof o);
    ck_assert_int_eq(option_defaults(&sentinel_option_table, &o, &err), 0);
    str_printf(&text, "port 0\nunixsocket %s/s.sock\nstate-dir %s/state\nsentinel monitor m 127.0.0.1 1 2\n", dir, dir);
    conf_source_init(&s, &sentinel_option_table, &o);
    ck_assert_msg(conf_apply(&s, "t.conf", str_c(&text), text.len, &err) == 0, "%s", err.text);
    conf_source_fini(&s);
    ck_assert_msg(sentinel_options_check(&o, &err) == 0, "%s", err.text);
    log_set_level(LOG_LEVEL_ERROR);
    loop = loop_new();
    sh = shell_new(loop, &o, NULL);
    ck_assert_msg(shell_start(sh, &err) == 0, "%s", err.text);
    str_fini(&text);
}

static void stop(void)
{
    shell_free(sh);
    loop_run_once(loop, false);
    loop_free(loop);
    sentinel_options_fini(&o);
}

static void make_dir(void)
{
    strcpy(dir, "/tmp/kvorum-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
    char cmd[128];

    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(cmd), 0);
}

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
    make_dir();
    start();
    ck_assert_ptr_null(formed_groups_find(sh->formed, group()));
    ck_assert(!core_group(sh->core, group())->formed);
    stop();
    remove_dir();
}
END_TEST

START_TEST(test_facts_on_disk_come_before_the_first_link)
{
    const struct formed *f;
    struct sentinel_conf *c;

    make_dir();
    start();
    keep_facts(core_my_id(sh->core), 7);
    stop();
    start();
    ck_assert(formed_groups_is_formed(sh->formed, group()));
    ck_assert(core_group(sh->core, group())->formed);
    f = formed_groups_find(sh->formed, group());
    ck_assert_uint_eq(formed_facts(f)->life, 7);
    ck_assert_uint_eq(formed_facts(f)->promised, 12);
    c = &o.sentinel;
    ck_assert_int_eq(sentinel_conf_find(c, "m")->opt.mode, HA_STRICT);      /* the record says what the settings are */
    stop();
    remove_dir();
}
END_TEST

START_TEST(test_facts_that_cannot_be_read_are_of_another_life)
{
    make_dir();
    start();
    keep("voter wife 7\n");
    stop();
    start();
    ck_assert_ptr_nonnull(formed_groups_find(sh->formed, group()));
    ck_assert_uint_ne(formed_facts(formed_groups_find(sh->formed, group()))->life, 7);
    ck_assert(!formed_groups_is_formed(sh->formed, group()));
    ck_assert(journal_says("begins a new life"));
    stop();
    remove_dir();
}
END_TEST

START_TEST(test_strangers)
{
    const char line[] = "vote from " STRANGER " life 7 gid 5 ballot 99";

    make_dir();
    start();
    keep_facts(core_my_id(sh->core), 7);
    stop();
    start();
    formed_groups_peer_said(sh->formed, STRANGER, "m", slice_z(line));
    formed_groups_peer_said(sh->formed, STRANGER, "nosuch", slice_z(line));
    formed_groups_peer_said(sh->formed, core_my_id(sh->core), "m", slice_z(line));      /* as if from us */
    ck_assert_uint_eq(formed_groups_strangers(sh->formed), 3);
    ck_assert_uint_eq(formed_facts(formed_groups_find(sh->formed, group()))->promised, 12);
    formed_groups_gone(sh->formed, group());
    ck_assert_ptr_null(formed_groups_find(sh->formed, group()));
    stop();
    remove_dir();
}
END_TEST

SUITE(formed_groups, test_a_plain_group_costs_nothing, test_facts_on_disk_come_before_the_first_link,
      test_facts_that_cannot_be_read_are_of_another_life, test_strangers)
