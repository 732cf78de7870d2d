/* Sentences of failures. */
#include "common/base/err.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <string.h>

START_TEST(test_filling)
{
    struct err e;
    char long_text[2000];

    ck_assert_int_eq(err_set(&e, ERR_RANGE, "port %d", 7), ERR_RANGE);
    ck_assert_str_eq(e.text, "port 7");
    ck_assert_int_eq(err_wrap(&e, "reading %s", "x"), ERR_RANGE);
    ck_assert_str_eq(e.text, "reading x: port 7");
    errno = ENOENT;
    ck_assert_int_eq(err_sys(&e, "open %s", "f"), ERR_SYS);
    ck_assert_str_eq(e.text, "open f: No such file or directory");
    ck_assert_int_eq(e.sys_errno, ENOENT);
    ck_assert_int_eq(errno, ENOENT);
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    err_wrap(&e, "%s", long_text);
    ck_assert_uint_eq(strlen(e.text), ERR_TEXT_MAX - 1);
    ck_assert_int_eq(e.code, ERR_SYS);
    ck_assert_int_eq(err_set(NULL, ERR_LIMIT, "nobody listens"), ERR_LIMIT);
    ck_assert_int_eq(err_sys(NULL, "nobody listens"), ERR_SYS);
}
END_TEST

START_TEST(test_names)
{
    for (int code = ERR_OK; code >= ERR_VERIFY; code--)
        ck_assert_str_ne(err_code_name(code), "?");
    ck_assert_str_eq(err_code_name(-99), "?");
}
END_TEST

SUITE(err, test_filling, test_names)
