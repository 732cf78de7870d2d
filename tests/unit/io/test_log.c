/* Line forms, levels, and a log that was moved away. */
#include "common/io/log.h"

#include "common/io/file.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static const char *written(const char *where)
{
    static struct str text;
    struct err e;

    str_clear(&text);
    ck_assert_int_eq(file_slurp(where, 0, &text, &e), 0);
    return str_c(&text);
}

START_TEST(forms_and_levels)
{
    struct err e;
    const char *text;
    char want[64];

    snprintf(path, sizeof path, "/tmp/kvlog-%d", (int)getpid());
    ck_assert_int_eq(log_open_file(path, &e), 0);
    log_set_role('X');
    log_debug("not this");
    log_warning("one\ntwo %d", 3);
    text = written(path);
    ck_assert_ptr_null(strstr(text, "not this"));
    snprintf(want, sizeof want, "%d:X ", (int)getpid());
    ck_assert_int_eq(strncmp(text, want, strlen(want)), 0);
    ck_assert_ptr_nonnull(strstr(text, " # one two 3\n"));
    log_set_form(LOG_FORM_PLAIN);
    log_notice("plain");
    ck_assert_ptr_nonnull(strstr(written(path), " notice plain\n"));
    log_set_form(LOG_FORM_JOURNAL);
    log_notice("journal");
    ck_assert_ptr_nonnull(strstr(written(path), "\n<5>journal\n"));
    unlink(path);
}
END_TEST

START_TEST(reopens_after_rotation)
{
    struct err e;
    char moved[80];

    snprintf(path, sizeof path, "/tmp/kvlog-%d", (int)getpid());
    snprintf(moved, sizeof moved, "%s.1", path);
    ck_assert_int_eq(log_open_file(path, &e), 0);
    log_notice("first");
    ck_assert_int_eq(rename(path, moved), 0);
    log_notice("second");
    log_reopen();
    log_notice("third");
    ck_assert_ptr_nonnull(strstr(written(moved), "second"));
    ck_assert_ptr_nonnull(strstr(written(path), "third"));
    unlink(path);
    unlink(moved);
    ck_assert_int_eq(log_open_file("/no/such/folder/log", &e), ERR_SYS);
}
END_TEST

START_TEST(long_lines_are_cut)
{
    struct err e;
    char *text = malloc(20000);
    const char *line;

    snprintf(path, sizeof path, "/tmp/kvlog-%d", (int)getpid());
    memset(text, 'x', 19999);
    text[19999] = '\0';
    ck_assert_int_eq(log_open_file(path, &e), 0);
    log_notice("%s", text);
    line = written(path);
    ck_assert_uint_lt(strlen(line), 4097);
    ck_assert_int_eq(line[strlen(line) - 1], '\n');
    free(text);
    unlink(path);
}
END_TEST

SUITE(log, forms_and_levels, reopens_after_rotation, long_lines_are_cut)
