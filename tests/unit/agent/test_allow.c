/* What may run. */
#include "agent/shell/allow.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_commands)
{
    struct allow a = {0};
    struct err e = {0};

    ck_assert_ptr_null(allow_command(&a, "/bin/true", &e));
    ck_assert_ptr_nonnull(strstr(e.text, "allow-command"));
    ck_assert_int_eq(allow_add_command(&a, "/usr/sbin/haproxy", &e), 0);
    ck_assert_int_ne(allow_add_command(&a, "haproxy", &e), 0);
    ck_assert_int_ne(allow_add_command(&a, "/usr/sbin/", &e), 0);
    ck_assert_str_eq(allow_command(&a, "haproxy", &e), "/usr/sbin/haproxy");
    ck_assert_str_eq(allow_command(&a, "/usr/sbin/haproxy", &e), "/usr/sbin/haproxy");
    ck_assert_ptr_null(allow_command(&a, "/tmp/haproxy", &e));
    ck_assert_ptr_null(allow_command(&a, "sbin/haproxy", &e));
    ck_assert_ptr_null(allow_command(&a, "", &e));
    allow_fini(&a);
}
END_TEST

START_TEST(test_units)
{
    struct allow a = {0};
    struct err e = {0};

    ck_assert_int_eq(allow_unit(&a, "x.service", &e), ERR_REFUSED);
    allow_add_unit(&a, "web@*.service");
    ck_assert_int_eq(allow_unit(&a, "web@1.service", &e), 0);
    ck_assert_int_eq(allow_unit(&a, "sshd.service", &e), ERR_REFUSED);
    allow_add_unit(&a, "*");
    ck_assert_int_eq(allow_unit(&a, "--root=/", &e), ERR_REFUSED);
    allow_fini(&a);
}
END_TEST

SUITE(allow, test_commands, test_units)
