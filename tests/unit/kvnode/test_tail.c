/* Tails on disk: what the backlog holds of them, their names, how many are kept. */
#include "common/io/file.h"
#include "kvnode/repl/tail.h"
#include "tests/support/folder.h"
#include "tests/support/suite.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SET "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\nx y\r\n"
#define LEN ((int64_t)sizeof SET - 1)

static char dir[FOLDER_MAX];

/* How many there are. When they are removed, the folder goes too. */
static int files(bool remove_them)
{
    struct dirent *x;
    int n = 0;
    DIR *d = opendir(dir);

    while ((x = readdir(d)) != NULL)
        n += x->d_name[0] != '.';
    closedir(d);
    if (remove_them)
        folder_remove(dir);
    return n;
}

/* n SETs from offset `first` on. */
static void fill(struct backlog *b, size_t size, int64_t first, int n)
{
    backlog_init(b);
    backlog_create(b, size, first);
    for (int i = 0; i < n; i++)
        backlog_append(b, SET, (size_t)LEN);
}

START_TEST(test_all_of_it)
{
    struct backlog b;
    struct tail_lost l;
    struct str text = {0};
    struct err e = {0};
    char name[160];

    folder_make(dir);
    fill(&b, 4096, 1, 5);
    ck_assert_int_eq(tail_save(dir, &b, 7, 3, 2 * LEN, 5 * LEN, &l, &e), 0);
    ck_assert(l.from == 2 * LEN && l.to == 5 * LEN && l.commands == 3 && l.bytes == (uint64_t)(3 * LEN) && !l.less && l.fork_known);
    snprintf(name, sizeof name, "%s/tail-3-%lld-%lld.resp", dir, (long long)(2 * LEN + 1), (long long)(5 * LEN));
    ck_assert_str_eq(l.path, name);
    ck_assert_int_eq(file_slurp(l.path, 0, &text, &e), 0);
    ck_assert_ptr_nonnull(strstr(str_c(&text), "\n" SET SET SET));
    ck_assert_int_eq(files(true), 1);
    str_fini(&text);
    backlog_fini(&b);
}
END_TEST

/* The backlog is shorter than the tail, and begins in the middle of a command. */
START_TEST(test_what_is_left_of_it)
{
    struct backlog b;
    struct tail_lost l;
    struct err e = {0};

    folder_make(dir);
    fill(&b, (size_t)(2 * LEN + 5), 1, 9);
    ck_assert_int_eq(tail_save(dir, &b, 7, 3, LEN, 9 * LEN, &l, &e), 0);
    ck_assert(l.less && l.commands == 2 && l.bytes == (uint64_t)(8 * LEN));
    ck_assert_int_eq(tail_save(dir, &b, 7, 3, -1, 9 * LEN, &l, &e), 0);
    ck_assert(!l.fork_known && l.commands == 2 && l.from == 7 * LEN);
    backlog_fini(&b);
    backlog_init(&b);
    ck_assert_int_eq(tail_save(dir, &b, 7, 3, LEN, 9 * LEN, &l, &e), ERR_MISSING);
    ck_assert(l.path[0] == '\0' && l.bytes == (uint64_t)(8 * LEN));
    ck_assert_int_eq(files(true), 1);
}
END_TEST

START_TEST(test_so_many_are_kept)
{
    struct backlog b;
    struct tail_lost l;
    struct err e = {0};

    folder_make(dir);
    fill(&b, 4096, 1, 60);
    for (int i = 0; i < TAIL_FILES + 5; i++)
        ck_assert_int_eq(tail_save(dir, &b, 7, 3, i * LEN, 60 * LEN, &l, &e), 0);
    ck_assert_int_eq(access(l.path, F_OK), 0);
    ck_assert_int_eq(files(true), TAIL_FILES);
    ck_assert_int_eq(tail_save("/nonexistent", &b, 7, 3, 0, 60 * LEN, &l, &e), ERR_SYS);
    ck_assert(l.path[0] == '\0' && l.commands == 60);
    backlog_fini(&b);
}
END_TEST

SUITE(tail, test_all_of_it, test_what_is_left_of_it, test_so_many_are_kept)
