/* The hello line: what is written is read back; what is almost one is refused. */
#include "sentinel/wire/hello.h"
#include "tests/support/suite.h"

#include <string.h>

#define ID "0123456789abcdef0123456789abcdef01234567"

START_TEST(test_round_trip)
{
    struct hello h, back;
    struct str line = {0};
    struct err e;

    memset(&h, 0, sizeof h);
    strcpy(h.id, ID);
    strcpy(h.group, "orders");
    ck_assert(addr_set(&h.from, "10.0.0.1", 8, 26379));
    ck_assert(addr_set(&h.primary, "::1", 3, 6379));
    h.current_epoch = UINT64_C(18446744073709551615);
    h.config_epoch = 7;
    hello_write(&h, &line);
    ck_assert_str_eq(str_c(&line), "10.0.0.1,26379," ID ",18446744073709551615,orders,::1,6379,7");
    ck_assert_int_eq(hello_read((struct slice){line.p, line.len}, &back, &e), 0);
    ck_assert_int_eq(memcmp(&h, &back, sizeof h), 0);
    str_fini(&line);
}
END_TEST

START_TEST(test_refused)
{
    static const char *const bad[] = {
        "", ",", ",,,,,,,", "10.0.0.1,26379," ID ",1,orders,10.0.0.2,6379", /* seven fields */
        "10.0.0.1,26379," ID ",1,orders,10.0.0.2,6379,1,",                   /* nine */
        "10.0.0.1,26379,short,1,orders,10.0.0.2,6379,1",
        "10.0.0.1,65536," ID ",1,orders,10.0.0.2,6379,1",
        "10.0.0.1,-1," ID ",1,orders,10.0.0.2,6379,1",
        "10.0.0.1,26379," ID ",-1,orders,10.0.0.2,6379,1",
        "10.0.0.1,26379," ID ",1,,10.0.0.2,6379,1",
        "10.0.0.1,26379," ID ",1,orders,,6379,1",
        "10.0.0.1,26379," ID ",1,orders,10.0.0.2,0,1",
        "10.0.0.1,26379," ID ",1,orders,10.0.0.2,6379,1 ",
        "10.0.0.1,26379,0123456789abcdef0123456789abcdef0123456g,1,orders,10.0.0.2,6379,1",
    };
    struct hello h;
    struct err e;

    memset(&h, 'x', sizeof h);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(hello_read(slice_z(bad[i]), &h, &e) == ERR_FORMAT, "taken: %s", bad[i]);
    ck_assert_int_eq(h.id[0], 'x');      /* untouched */
}
END_TEST

START_TEST(test_long_name)
{
    struct str line = {0};
    struct hello h;
    char name[GROUP_NAME_MAX + 1];

    memset(name, 'n', sizeof name);
    name[GROUP_NAME_MAX] = '\0';
    str_printf(&line, "10.0.0.1,26379," ID ",1,%s,10.0.0.2,6379,1", name);
    ck_assert_int_ne(hello_read((struct slice){line.p, line.len}, &h, NULL), 0);
    name[GROUP_NAME_MAX - 1] = '\0';
    str_clear(&line);
    str_printf(&line, "10.0.0.1,26379," ID ",1,%s,10.0.0.2,6379,1", name);
    ck_assert_int_eq(hello_read((struct slice){line.p, line.len}, &h, NULL), 0);
    ck_assert_str_eq(h.group, name);
    str_fini(&line);
}
END_TEST

SUITE(hello, test_round_trip, test_refused, test_long_name)
