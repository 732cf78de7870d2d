/* host and port change, every other byte stays. */
#include "sentinel/shell/directory_doc.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_edit)
{
    static const struct { const char *old, *now; } cases[] = {
        {"", "{\"host\": \"10.0.0.7\", \"port\": 6380}"},
        {"{}", "{\"host\": \"10.0.0.7\", \"port\": 6380}"},
        {"{\"host\":\"a\",\"port\":1}", "{\"host\":\"10.0.0.7\",\"port\":6380}"},
        {"{ \"port\" : 1 , \"db\": 12345678901234567890 , \"host\" : \"a\\\"}\" }\n",
         "{ \"port\" : 6380 , \"db\": 12345678901234567890 , \"host\" : \"10.0.0.7\" }\n"},
        {"{\"db\":0}", "{\"db\":0, \"host\": \"10.0.0.7\", \"port\": 6380}"},
        {"{\"host\":\"a\"}", "{\"host\":\"10.0.0.7\", \"port\": 6380}"},
        {"{\"port\":\"6379\",\"x\":[{\"host\":\"in\",\"port\":2},null],\"y\":{\"port\":3}}",
         "{\"port\":6380,\"x\":[{\"host\":\"in\",\"port\":2},null],\"y\":{\"port\":3}, \"host\": \"10.0.0.7\"}"},
        {"{\"host\":{\"a\":[1,\"}\"]},\"port\":[1]}", "{\"host\":\"10.0.0.7\",\"port\":6380}"},
    };
    struct addr to;

    ck_assert(addr_set(&to, "10.0.0.7", 8, 6380));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct str out = {0}, again = {0};
        struct err e;

        ck_assert_msg(directory_doc_edit(slice_z(cases[i].old), &to, &out, &e) == 0, "%s", e.text);
        ck_assert_str_eq(str_c(&out), cases[i].now);
        ck_assert_int_eq(directory_doc_edit((struct slice){out.p, out.len}, &to, &again, &e), 0);
        ck_assert_str_eq(str_c(&again), cases[i].now);
        str_fini(&out);
        str_fini(&again);
    }
}
END_TEST

START_TEST(test_left_alone)
{
    static const char *const bad[] = {"x", "[1]", "\"a\"", "{\"host\":\"a\"", "{\"host\":\"a\"} x", "{\"host\":1,\"host\":2}",
                                      "{\"port\":1,\"a\":1,\"port\":2}", "null", "{'host':1}"};
    struct addr to;

    ck_assert(addr_set(&to, "10.0.0.7", 8, 6380));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct str out = {0};
        struct err e;

        ck_assert_msg(directory_doc_edit(slice_z(bad[i]), &to, &out, &e) == ERR_FORMAT, "taken: %s", bad[i]);
        ck_assert_uint_eq(out.len, 0);
    }
    struct str out = {0};
    ck_assert_int_eq(directory_doc_edit((struct slice){"{}\0", 3}, &to, &out, NULL), ERR_FORMAT);
}
END_TEST

SUITE(directory_doc, test_edit, test_left_alone)
