/* Addresses. */
#include "common/base/addr.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_parsing)
{
    static const struct {
        const char *text, *host;      /* host NULL: not an address */
        int port;
        const char *shown;
    } cases[] = {
        {"127.0.0.1:6379", "127.0.0.1", 6379, "127.0.0.1:6379"}, {"host.example:1", "host.example", 1, "host.example:1"},
        {"[::1]:7000", "::1", 7000, "[::1]:7000"}, {"::1:7000", "::1", 7000, "[::1]:7000"},
        {"fe80::1%eth0:80", "fe80::1%eth0", 80, "[fe80::1%eth0]:80"}, {"h:0", "h", 0, "h:0"}, {"h:65535", "h", 65535, "h:65535"},
        {"h:65536", NULL}, {"h:", NULL}, {":80", NULL}, {"h", NULL}, {"", NULL}, {"h:-1", NULL}, {"h:8x", NULL},
        {"[::1:80", NULL}, {"a b:80", NULL}, {"[]:80", NULL}, {"h:080", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct addr a = {.host = "kept", .port = 9};
        char text[ADDR_TEXT_MAX];

        ck_assert_msg(addr_parse(cases[i].text, strlen(cases[i].text), &a) == (cases[i].host != NULL), "'%s'", cases[i].text);
        ck_assert_str_eq(a.host, cases[i].host ? cases[i].host : "kept");
        ck_assert_int_eq(a.port, cases[i].host ? cases[i].port : 9);
        if (cases[i].host)
            ck_assert_str_eq(addr_text(&a, text), cases[i].shown);
    }
}
END_TEST

START_TEST(test_limits)
{
    struct addr a = {0}, b = {0};
    char host[300];

    ck_assert(!addr_is_set(&a));
    memset(host, 'h', sizeof host);
    ck_assert(!addr_set(&a, host, ADDR_HOST_MAX, 1));
    ck_assert(!addr_is_set(&a));
    ck_assert(addr_set(&a, host, ADDR_HOST_MAX - 1, 1));
    ck_assert_uint_eq(strlen(a.host), 253);
    ck_assert(!addr_set(&a, "", 0, 1) && !addr_set(&a, "h", 1, -1) && !addr_set(&a, "h", 1, 65536));
    ck_assert(!addr_set(&a, "h\0i", 3, 1) && !addr_set(&a, "h\n", 2, 1));
    ck_assert(addr_set(&a, "h", 1, 5) && addr_set(&b, "h", 1, 5) && addr_equal(&a, &b));
    b.port = 6;
    ck_assert(!addr_equal(&a, &b));
}
END_TEST

START_TEST(test_literals)
{
    static const char *const ips[] = {"1.2.3.4", "0.0.0.0", "255.255.255.255", "::", "::1", "1::", "fe80::1%eth0",
                                      "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "2001:db8::ff00:42:8329", "1:2:3:4:5:6:1.2.3.4"};
    static const char *const not_ips[] = {"", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.04", "1.2.3.4x", ":1",
                                          "1:", "1:2", "1::2::3", ":::", ":::1", "1:2:3:4:5:6:7:8:9", "12345::", "g::1",
                                          "fe80::1%", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4:5", "1:2:3:4:5:6:7::8"};

    for (size_t i = 0; i < sizeof ips / sizeof ips[0]; i++)
        ck_assert_msg(addr_is_ip(ips[i]), "%s", ips[i]);
    for (size_t i = 0; i < sizeof not_ips / sizeof not_ips[0]; i++)
        ck_assert_msg(!addr_is_ip(not_ips[i]), "%s", not_ips[i]);
}
END_TEST

SUITE(addr, test_parsing, test_limits, test_literals)
