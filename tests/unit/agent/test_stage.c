/* Files of one application: every step, what is left untouched, and what a crash between
 * any two of them leaves to be finished or undone. */
#include "agent/shell/stage.h"
#include "common/base/mem.h"
#include "tests/support/suite.h"
#include "tests/unit/agent/agent_support.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void look(struct scene *s, struct plan *p, struct stage *st)
{
    struct err e = {0};
    struct str keep = {0};

    stage_init(st);
    ck_assert_msg(stage_look(st, p, &s->roots, "0123abcd", &e) == 0, "%s", e.text);
    str_printf(&keep, "%s/keep", s->folder);
    st->keep_dir = str_take(&keep);
}

START_TEST(test_the_whole_way)
{
    struct scene s;
    struct plan *p = scene_plan("old", "new bytes\n", "sub/fresh", "fresh\n", "same", "same\n", NULL);
    struct stage st;
    struct stat before, after;
    struct err e = {0};
    char path[256];
    size_t renamed;

    scene_init(&s);
    scene_write(&s, "root/old", "old bytes\n");
    scene_write(&s, "root/same", "same\n");
    snprintf(path, sizeof path, "%s/same", s.root);
    chmod(path, 0640);
    stat(path, &before);
    look(&s, p, &st);
    ck_assert_uint_eq(st.changes, 2);
    ck_assert(st.files.at[0].differs && st.files.at[0].had && !st.files.at[0].diff.create);
    ck_assert(st.files.at[1].differs && !st.files.at[1].had && st.files.at[1].diff.create);
    ck_assert(!st.files.at[2].differs);
    ck_assert_uint_eq(st.lines_added, 2);
    ck_assert_uint_eq(st.lines_removed, 1);
    ck_assert_int_eq(stage_write(&st, p, &s.roots, &e), 0);
    ck_assert_str_eq(scene_list(&s, "root"), ".old.agent-0123abcd old same sub");
    ck_assert_str_eq(scene_read(&s, "root/.old.agent-0123abcd"), "new bytes\n");
    ck_assert(stage_whole(&st, p, &s.roots));
    ck_assert_int_eq(stage_keep(&st, p, &s.roots, &e), 0);
    ck_assert_str_eq(scene_read(&s, "root/old"), "old bytes\n");
    ck_assert_int_eq(stage_swap(&st, p, &s.roots, &renamed, &e), 0);
    ck_assert_uint_eq(renamed, 2);
    ck_assert_str_eq(scene_read(&s, "root/old"), "new bytes\n");
    ck_assert_str_eq(scene_read(&s, "root/sub/fresh"), "fresh\n");
    ck_assert_str_eq(scene_list(&s, "root"), "old same sub");
    ck_assert(stage_whole(&st, p, &s.roots));
    snprintf(path, sizeof path, "%s/old", s.root);
    stat(path, &after);
    ck_assert_int_eq(after.st_mode & 0777, 0640);
    /* Again is nothing new, and the way back is all the way. */
    ck_assert_int_eq(stage_swap(&st, p, &s.roots, &renamed, &e), 0);
    ck_assert_int_eq(stage_restore(&st, p, &s.roots, &e), 0);
    ck_assert_str_eq(scene_read(&s, "root/old"), "old bytes\n");
    ck_assert(!scene_has(&s, "root/sub/fresh"));
    ck_assert_int_eq(stage_restore(&st, p, &s.roots, &e), 0);
    ck_assert_str_eq(scene_list(&s, "root"), "old same sub");
    snprintf(path, sizeof path, "%s/same", s.root);
    stat(path, &after);
    ck_assert(before.st_ino == after.st_ino);
    stage_fini(&st);
    plan_free(p);
    scene_fini(&s);
}
END_TEST

START_TEST(test_discarding)
{
    struct scene s;
    struct plan *p = scene_plan("a", "x", "b", "y", NULL);
    struct stage st;
    struct err e = {0};

    scene_init(&s);
    look(&s, p, &st);
    ck_assert_int_eq(stage_write(&st, p, &s.roots, &e), 0);
    stage_discard(&st, p, &s.roots);
    ck_assert_str_eq(scene_list(&s, "root"), "");
    ck_assert(!stage_whole(&st, p, &s.roots));
    stage_fini(&st);
    plan_free(p);
    scene_fini(&s);
}
END_TEST

START_TEST(test_a_swap_that_stops_half_way)
{
    struct scene s;
    struct plan *p = scene_plan("a", "new", "b", "new", NULL);
    struct stage st;
    struct err e = {0};
    size_t renamed;
    char path[256];

    scene_init(&s);
    scene_write(&s, "root/a", "old");
    scene_write(&s, "root/b", "old");
    look(&s, p, &st);
    ck_assert_int_eq(stage_write(&st, p, &s.roots, &e), 0);
    ck_assert_int_eq(stage_keep(&st, p, &s.roots, &e), 0);
    snprintf(path, sizeof path, "%s/.b.agent-0123abcd", s.root);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_ne(stage_swap(&st, p, &s.roots, &renamed, &e), 0);
    ck_assert_uint_eq(renamed, 1);
    ck_assert(!stage_whole(&st, p, &s.roots));
    ck_assert_int_eq(stage_restore(&st, p, &s.roots, &e), 0);
    ck_assert_str_eq(scene_read(&s, "root/a"), "old");
    ck_assert_str_eq(scene_read(&s, "root/b"), "old");
    stage_fini(&st);
    plan_free(p);
    scene_fini(&s);
}
END_TEST

START_TEST(test_a_damaged_new_file_is_not_whole)
{
    struct scene s;
    struct plan *p = scene_plan("a", "new", NULL);
    struct stage st;
    struct err e = {0};

    scene_init(&s);
    look(&s, p, &st);
    ck_assert_int_eq(stage_write(&st, p, &s.roots, &e), 0);
    scene_write(&s, "root/.a.agent-0123abcd", "ne");
    ck_assert(!stage_whole(&st, p, &s.roots));
    stage_fini(&st);
    plan_free(p);
    scene_fini(&s);
}
END_TEST

START_TEST(test_only_mode_differs)
{
    struct scene s;
    struct plan *p = scene_plan("a", "x", NULL);
    struct stage st;
    char path[256];

    scene_init(&s);
    scene_write(&s, "root/a", "x");
    snprintf(path, sizeof path, "%s/a", s.root);
    chmod(path, 0600);
    look(&s, p, &st);
    ck_assert(st.files.at[0].diff.mode && !st.files.at[0].diff.bytes);
    ck_assert_uint_eq(st.changes, 1);
    stage_fini(&st);
    plan_free(p);
    scene_fini(&s);
}
END_TEST

START_TEST(test_targets_that_are_refused)
{
    struct scene s;
    struct plan *p = scene_plan("a", "x", NULL);
    struct stage st;
    struct err e = {0};
    char path[256];

    scene_init(&s);
    snprintf(path, sizeof path, "%s/a", s.root);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    stage_init(&st);
    ck_assert_int_eq(stage_look(&st, p, &s.roots, "0123abcd", &e), ERR_REFUSED);
    ck_assert_ptr_nonnull(strstr(e.text, "symbolic link"));
    stage_fini(&st);
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    stage_init(&st);
    ck_assert_int_eq(stage_look(&st, p, &s.roots, "0123abcd", &e), ERR_REFUSED);
    stage_fini(&st);
    mem_free(p->files.at[0].root);
    p->files.at[0].root = mem_strdup("nowhere");
    stage_init(&st);
    ck_assert_int_eq(stage_look(&st, p, &s.roots, "0123abcd", &e), ERR_REFUSED);
    ck_assert_ptr_nonnull(strstr(e.text, "'nowhere' is not named here"));
    stage_fini(&st);
    plan_free(p);
    scene_fini(&s);
}
END_TEST

START_TEST(test_paths_for_checks)
{
    struct scene s;
    struct plan *p = scene_plan("sub/a", "new", "same", "same", NULL);
    struct stage st;
    struct err e = {0};
    struct str got = {0}, want = {0};
    size_t renamed;
    char path[256];

    scene_init(&s);
    scene_write(&s, "root/same", "same");
    snprintf(path, sizeof path, "%s/same", s.root);
    chmod(path, 0640);
    look(&s, p, &st);
    ck_assert_int_eq(stage_write(&st, p, &s.roots, &e), 0);
    ck_assert_int_eq(stage_path(&st, p, &s.roots, slice_z("sub/a"), &got, &e), 0);
    str_printf(&want, "%s/sub/.a.agent-0123abcd", s.root);
    ck_assert_str_eq(str_c(&got), str_c(&want));
    str_clear(&got);
    ck_assert_int_eq(stage_path(&st, p, &s.roots, slice_z("same"), &got, &e), 0);
    ck_assert_str_eq(str_c(&got), path);
    str_clear(&got);
    ck_assert_int_eq(stage_swap(&st, p, &s.roots, &renamed, &e), 0);
    ck_assert_int_eq(stage_path(&st, p, &s.roots, slice_z("sub/a"), &got, &e), 0);
    str_clear(&want);
    str_printf(&want, "%s/sub/a", s.root);
    ck_assert_str_eq(str_c(&got), str_c(&want));
    ck_assert_int_eq(stage_path(&st, p, &s.roots, slice_z("x"), &got, &e), ERR_MISSING);
    str_fini(&got);
    str_fini(&want);
    stage_fini(&st);
    plan_free(p);
    scene_fini(&s);
}
END_TEST

/* What a loss of power may leave beside a target goes; what only looks like it stays. */
START_TEST(test_sweep)
{
    struct scene s;
    struct plan *p = scene_plan("a", "x\n", NULL);

    scene_init(&s);
    scene_write(&s, "root/a", "x\n");
    scene_write(&s, "root/.a.agent-0123abcd", "left");
    scene_write(&s, "root/.a.agent-ffffffff", "left");
    scene_write(&s, "root/.a.agent-0123abc", "short");
    scene_write(&s, "root/.a.agent-0123abcde", "long");
    scene_write(&s, "root/.b.agent-0123abcd", "another's");
    scene_write(&s, "root/.a.agent-0123abcX", "no digits");
    stage_sweep(p, &s.roots);
    ck_assert_str_eq(scene_list(&s, "root"), ".a.agent-0123abc .a.agent-0123abcX .a.agent-0123abcde .b.agent-0123abcd a");
    plan_free(p);
    scene_fini(&s);
}
END_TEST

SUITE(stage, test_sweep, test_the_whole_way, test_discarding, test_a_swap_that_stops_half_way, test_a_damaged_new_file_is_not_whole,
      test_only_mode_differs, test_targets_that_are_refused, test_paths_for_checks)
