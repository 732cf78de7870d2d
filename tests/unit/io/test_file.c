/* Whole files: read, replace, lock. */
#include "common/io/file.h"

#include "tests/support/folder.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[FOLDER_MAX];

START_TEST(replace_keeps_mode_and_links)
{
    struct str got = {0};
    struct err e;
    struct stat st;

    folder_enter(dir);
    ck_assert_int_eq(file_replace("a", "one", 3, 0600, &e), 0);
    ck_assert_int_eq(stat("a", &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(chmod("a", 0640), 0);
    ck_assert_int_eq(symlink("a", "link"), 0);
    ck_assert_int_eq(file_replace("link", "three", 5, 0600, &e), 0);
    ck_assert_int_eq(lstat("link", &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    ck_assert_int_eq(stat("a", &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
    ck_assert_int_eq(file_slurp("a", 0, &got, &e), 0);
    ck_assert_str_eq(str_c(&got), "three");
    str_fini(&got);
    folder_leave(dir);
}
END_TEST

START_TEST(replace_leaves_nothing_behind_on_failure)
{
    struct err e;

    folder_enter(dir);
    ck_assert_int_eq(mkdir("taken", 0700), 0);
    ck_assert_int_eq(file_replace("taken", "x", 1, 0600, &e), ERR_SYS);
    ck_assert_int_eq(file_replace("no/such/folder", "x", 1, 0600, &e), ERR_SYS);
    ck_assert_int_eq(e.sys_errno, ENOENT);
    ck_assert_int_eq(system("test \"$(ls | wc -l)\" = 1"), 0);
    folder_leave(dir);
}
END_TEST

START_TEST(slurp_has_a_limit)
{
    struct str got = {0};
    struct err e;

    folder_enter(dir);
    ck_assert_int_eq(file_slurp("none", 0, &got, &e), ERR_SYS);
    ck_assert_int_eq(e.sys_errno, ENOENT);
    ck_assert_int_eq(file_replace("a", "123456", 6, 0600, &e), 0);
    ck_assert_int_eq(file_slurp("a", 5, &got, &e), ERR_LIMIT);
    ck_assert_int_eq(file_slurp("a", 6, &got, &e), 0);
    str_fini(&got);
    folder_leave(dir);
}
END_TEST

START_TEST(lock_names_its_holder)
{
    struct err e;
    int fd, pipes[2], status;
    char c;
    pid_t pid;
    char want[64];

    folder_enter(dir);
    ck_assert_int_eq(pipe(pipes), 0);
    pid = fork();
    if (pid == 0) {
        if (file_lock("lock", &fd, &e) == 0 && write(pipes[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    ck_assert_int_eq(read(pipes[0], &c, 1), 1);
    ck_assert_int_eq(file_lock("lock", &fd, &e), ERR_BUSY);
    snprintf(want, sizeof want, "process %d", (int)pid);
    ck_assert_ptr_nonnull(strstr(e.text, want));
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    ck_assert_int_eq(file_lock("lock", &fd, &e), 0);
    close(fd);
    close(pipes[0]);
    close(pipes[1]);
    folder_leave(dir);
}
END_TEST

START_TEST(folders_and_paths)
{
    char out[PATH_MAX], want[PATH_MAX];
    struct err e;

    folder_enter(dir);
    ck_assert_int_eq(file_make_dirs("x/y/z", 0755, &e), 0);
    ck_assert_int_eq(file_make_dirs("x/y/z", 0755, &e), 0);
    ck_assert(file_exists("x/y/z"));
    ck_assert_int_eq(file_replace("x/f", "", 0, 0600, &e), 0);
    ck_assert_int_eq(file_make_dirs("x/f/g", 0755, &e), ERR_SYS);
    ck_assert_int_eq(file_absolute("x/f", out, sizeof out, &e), 0);
    ck_assert_ptr_nonnull(getcwd(want, sizeof want - 8));
    strcat(want, "/x/f");
    ck_assert_str_eq(out, want);
    folder_leave(dir);
}
END_TEST

SUITE(file, replace_keeps_mode_and_links, replace_leaves_nothing_behind_on_failure, slurp_has_a_limit,
      lock_names_its_holder, folders_and_paths)
