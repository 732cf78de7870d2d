/* One instance's line: what is read, what is junk, and that writing and reading agree. */
#include "agent/core/service_entry.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_whole_line)
{
    struct service_entry s;
    struct str out = {0};

    ck_assert(service_entry_parse(slice_z("10.0.0.7:8080;zone=a;w=7;state=drain;ttl=6000;tags=x,y;later=1;bare"), &s));
    ck_assert_str_eq(s.at.host, "10.0.0.7");
    ck_assert_int_eq(s.at.port, 8080);
    ck_assert(slice_is(s.zone, "a") && slice_is(s.tags, "x,y"));
    ck_assert_int_eq(s.weight, 7);
    ck_assert(s.drain);
    ck_assert_int_eq(s.ttl_ms, 6000);
    service_entry_put(&s, &out);
    ck_assert_str_eq(str_c(&out), "10.0.0.7:8080;zone=a;w=7;state=drain;ttl=6000;tags=x,y");
    str_fini(&out);
}
END_TEST

START_TEST(test_only_an_address)
{
    struct service_entry s;
    struct str out = {0};

    ck_assert(service_entry_parse(slice_z("[::1]:80"), &s));
    ck_assert(!s.drain && s.weight == 100 && s.ttl_ms == 0 && s.zone.len == 0);
    service_entry_put(&s, &out);
    ck_assert_str_eq(str_c(&out), "[::1]:80;w=100;state=up");
    str_fini(&out);
}
END_TEST

START_TEST(test_junk)
{
    static const char *const junk[] = {"", ";", "host", "host:", ":80", "h:0", "h:65536", "h:80;w=-1", "h:80;w=x", "h:80;state=maybe",
                                       "h:80;ttl=1", "h:80;ttl=99999999999", "h:80\n;w=1", "h h:80", "{\"host\":1}", "h:80;state="};
    struct service_entry s;
    struct str big = {0};

    for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++)
        ck_assert_msg(!service_entry_parse(slice_z(junk[i]), &s), "%s", junk[i]);
    str_append_z(&big, "h:80;zone=");
    while (big.len < SERVICE_ENTRY_MAX + 1)
        str_append_c(&big, 'z');
    ck_assert(!service_entry_parse((struct slice){big.p, big.len}, &s));
    str_fini(&big);
}
END_TEST

START_TEST(test_names)
{
    ck_assert(service_name_ok(slice_z("web-1.a_B@x")));
    ck_assert(!service_name_ok(slice_z("")) && !service_name_ok(slice_z("a:b")) && !service_name_ok(slice_z("a b")));
    ck_assert(service_id_ok(slice_z("node1.web:8080")));
    ck_assert(!service_id_ok(slice_z("a;b")) && !service_id_ok(slice_z("a\n")) && !service_id_ok(slice_z("")));
}
END_TEST

SUITE(service_entry, test_whole_line, test_only_an_address, test_junk, test_names)
