/* Journals: what was written is read back; a torn end is no record. */
#include "agent/shell/journal.h"
#include "common/base/mem.h"
#include "common/io/file.h"
#include "tests/support/suite.h"
#include "tests/unit/agent/agent_support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct docname doc = {"files", "web"};

static void start(struct scene *s)
{
    struct plan *p = scene_plan("a", "new \xc3\xa4", "b", "x", NULL);
    struct journal_begin b = {slice_z("{\"the\":\"bytes \\u0001\"}"), "aa", "bb"};
    struct stage st;
    struct err e = {0};

    scene_write(s, "root/a", "old");
    stage_init(&st);
    ck_assert_int_eq(stage_look(&st, p, &s->roots, "0123abcd", &e), 0);
    st.keep_dir = mem_strdup("/keep/1");
    ck_assert_msg(journal_start(s->state, &doc, &b, p, &st, &e) == 0, "%s", e.text);
    stage_fini(&st);
    plan_free(p);
}

START_TEST(test_there_and_back)
{
    struct scene s;
    struct journal j;
    struct err e = {0};

    scene_init(&s);
    start(&s);
    journal_init(&j);
    ck_assert_int_eq(journal_load(s.state, &doc, &j, &e), 0);
    ck_assert(j.seen.begun && !j.seen.swapping && !j.seen.committed);
    ck_assert_str_eq(str_c(&j.bytes), "{\"the\":\"bytes \\u0001\"}");
    ck_assert_str_eq(j.sha, "aa");
    ck_assert_str_eq(j.fingerprint, "bb");
    ck_assert_uint_eq(j.stage.files.n, 2);
    ck_assert_str_eq(j.stage.files.at[0].tmp, ".a.agent-0123abcd");
    ck_assert(j.stage.files.at[0].had && !j.stage.files.at[1].had);
    ck_assert_str_eq(j.stage.keep_dir, "/keep/1");
    journal_fini(&j);
    ck_assert_int_eq(journal_note(s.state, &doc, JOURNAL_SWAPPING, ACK_OK, &e), 0);
    ck_assert_int_eq(journal_note(s.state, &doc, JOURNAL_COMMITTED, ACK_PROBE_FAILED, &e), 0);
    journal_init(&j);
    ck_assert_int_eq(journal_load(s.state, &doc, &j, &e), 0);
    ck_assert(j.seen.swapping && j.seen.committed && !j.seen.undoing);
    ck_assert_int_eq(j.status, ACK_PROBE_FAILED);
    journal_fini(&j);
    ck_assert_int_eq(journal_forget(s.state, &doc, &e), 0);
    ck_assert_int_eq(journal_forget(s.state, &doc, &e), 0);
    journal_init(&j);
    ck_assert_int_eq(journal_load(s.state, &doc, &j, &e), ERR_SYS);
    ck_assert_int_eq(e.sys_errno, ENOENT);
    journal_fini(&j);
    scene_fini(&s);
}
END_TEST

/* Cut at every length: a record counts when its line is whole, and never before. */
START_TEST(test_torn_at_every_byte)
{
    struct scene s;
    struct str whole = {0};
    struct err e = {0};
    char path[256];
    size_t first;

    scene_init(&s);
    start(&s);
    ck_assert_int_eq(journal_note(s.state, &doc, JOURNAL_SWAPPING, ACK_OK, &e), 0);
    snprintf(path, sizeof path, "%s/journal/files/web", s.state);
    ck_assert_int_eq(file_slurp(path, 0, &whole, &e), 0);
    first = (size_t)(strchr(whole.p, '\n') - whole.p) + 1;
    for (size_t n = 0; n <= whole.len; n++) {
        struct journal j;

        ck_assert_int_eq(truncate(path, 0), 0);
        ck_assert_int_eq(file_replace(path, whole.p, n, 0600, &e), 0);
        journal_init(&j);
        ck_assert_int_eq(journal_load(s.state, &doc, &j, &e), 0);
        ck_assert(j.seen.begun == (n >= first));
        ck_assert(j.seen.swapping == (n == whole.len));
        journal_fini(&j);
    }
    /* One damaged byte ends it there. */
    for (size_t n = 0; n < first - 1; n += 7) {
        struct journal j;

        whole.p[n] ^= 1;
        ck_assert_int_eq(file_replace(path, whole.p, whole.len, 0600, &e), 0);
        journal_init(&j);
        journal_load(s.state, &doc, &j, &e);
        ck_assert(!j.seen.begun && !j.seen.swapping);
        journal_fini(&j);
        whole.p[n] ^= 1;
    }
    str_fini(&whole);
    scene_fini(&s);
}
END_TEST

static void count(void *arg, const struct docname *name)
{
    ck_assert(docname_equal(name, &doc));
    ++*(int *)arg;
}

START_TEST(test_all_that_are_there)
{
    struct scene s;
    int n = 0;

    scene_init(&s);
    journal_each(s.state, count, &n);
    ck_assert_int_eq(n, 0);
    start(&s);
    journal_each(s.state, count, &n);
    ck_assert_int_eq(n, 1);
    journal_each("/nowhere", count, &n);
    ck_assert_int_eq(n, 1);
    scene_fini(&s);
}
END_TEST

START_TEST(test_settings)
{
    static const struct docname node = {"files", "stat"};      /* scenes have a folder for that type */
    struct plan *p = mem_zalloc(sizeof *p);
    struct node_values v = {0};
    struct journal_begin b = {slice_z("{}"), "aa", "bb", &v, "10.0.0.7:6379"};
    struct stage st;
    struct scene s;
    struct journal j;
    struct err e = {0};

    scene_init(&s);
    stage_init(&st);
    node_values_add(&v, "hz", "20")->old = mem_strdup("10");
    node_values_add(&v, "requirepass", "")->old = mem_strdup("old \"x\"");
    v.at.at[1].differs = true;
    ck_assert_msg(journal_start(s.state, &node, &b, p, &st, &e) == 0, "%s", e.text);
    journal_init(&j);
    ck_assert_int_eq(journal_load(s.state, &node, &j, &e), 0);
    ck_assert(j.seen.begun);
    ck_assert_str_eq(j.node, "10.0.0.7:6379");
    ck_assert_uint_eq(j.values.at.n, 1);      /* what is as wanted already is not set and not set back */
    ck_assert_str_eq(j.values.at.at[0].name, "requirepass");
    ck_assert_str_eq(j.values.at.at[0].want, "");
    ck_assert_str_eq(j.values.at.at[0].old, "old \"x\"");
    ck_assert(j.values.at.at[0].differs && j.values.at.at[0].secret && !j.values.at.at[0].now);
    journal_fini(&j);
    node_values_fini(&v);
    stage_fini(&st);
    plan_free(p);
    scene_fini(&s);
}
END_TEST

SUITE(journal, test_there_and_back, test_settings, test_torn_at_every_byte, test_all_that_are_there)
