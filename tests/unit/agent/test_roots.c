/* Nothing leads out of a root. */
#include "agent/shell/roots.h"
#include "tests/support/suite.h"
#include "tests/unit/agent/agent_support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void link_to(const struct scene *s, const char *to, const char *path)
{
    char at[512];

    snprintf(at, sizeof at, "%s/%s", s->folder, path);
    ck_assert_int_eq(symlink(to, at), 0);
}

START_TEST(test_names)
{
    struct roots r = {0};
    struct err e = {0};

    ck_assert_int_eq(roots_add(&r, "a", "/x//", &e), 0);
    ck_assert_str_eq(roots_find(&r, "a")->path, "/x");
    ck_assert_int_eq(roots_add(&r, "a", "/y", &e), ERR_BUSY);
    ck_assert_int_eq(roots_add(&r, "b", "y", &e), ERR_RANGE);
    ck_assert_ptr_null(roots_find(&r, "b"));
    roots_fini(&r);
}
END_TEST

START_TEST(test_folders_are_made_on_request)
{
    struct scene s;
    struct err e = {0};
    const char *base;
    int fd = -1;

    scene_init(&s);
    ck_assert_int_eq(roots_open_dir(&s.roots.at.at[0], "a/b/c", false, &fd, &base, &e), ERR_SYS);
    ck_assert(!scene_has(&s, "root/a"));
    ck_assert_msg(roots_open_dir(&s.roots.at.at[0], "a/b/c", true, &fd, &base, &e) == 0, "%s", e.text);
    ck_assert_str_eq(base, "c");
    close(fd);
    ck_assert(scene_has(&s, "root/a/b") && !scene_has(&s, "root/a/b/c"));
    ck_assert_int_eq(roots_open_dir(&s.roots.at.at[0], "top", true, &fd, &base, &e), 0);
    ck_assert_str_eq(base, "top");
    close(fd);
    scene_write(&s, "root/file", "x");
    ck_assert_int_ne(roots_open_dir(&s.roots.at.at[0], "file/x", true, &fd, &base, &e), 0);
    scene_fini(&s);
}
END_TEST

START_TEST(test_no_way_out)
{
    struct scene s;
    struct err e = {0};
    const char *base;
    int fd = -1;

    scene_init(&s);
    link_to(&s, "..", "root/up");
    link_to(&s, "/tmp", "root/tmp");
    link_to(&s, "inside", "root/fine");
    ck_assert_int_eq(roots_open_dir(&s.roots.at.at[0], "inside/x", true, &fd, &base, &e), 0);
    close(fd);
    ck_assert_int_eq(roots_open_dir(&s.roots.at.at[0], "fine/x", false, &fd, &base, &e), 0);
    close(fd);
    ck_assert_int_eq(roots_open_dir(&s.roots.at.at[0], "up/x", true, &fd, &base, &e), ERR_REFUSED);
    ck_assert_int_eq(roots_open_dir(&s.roots.at.at[0], "tmp/x", true, &fd, &base, &e), ERR_REFUSED);
    ck_assert_ptr_nonnull(strstr(e.text, "leaves root 'r'"));
    ck_assert_int_eq(roots_open_dir(&s.roots.at.at[0], "../x", true, &fd, &base, &e), ERR_REFUSED);
    scene_fini(&s);
}
END_TEST

START_TEST(test_files_by_absolute_path)
{
    struct scene s;
    struct err e = {0};
    char path[512];
    int fd = -1;

    scene_init(&s);
    scene_write(&s, "root/pid", "1\n");
    scene_write(&s, "state/pid", "1\n");
    snprintf(path, sizeof path, "%s/pid", s.root);
    ck_assert_int_eq(roots_open_file(&s.roots, path, &fd, &e), 0);
    close(fd);
    snprintf(path, sizeof path, "%s/pid", s.state);
    ck_assert_int_eq(roots_open_file(&s.roots, path, &fd, &e), ERR_REFUSED);
    snprintf(path, sizeof path, "%s/../state/pid", s.root);
    ck_assert_int_ne(roots_open_file(&s.roots, path, &fd, &e), 0);
    snprintf(path, sizeof path, "%sx/pid", s.root);
    ck_assert_int_eq(roots_open_file(&s.roots, path, &fd, &e), ERR_REFUSED);
    scene_fini(&s);
}
END_TEST

SUITE(roots, test_names, test_folders_are_made_on_request, test_no_way_out, test_files_by_absolute_path)
