/* Which bytes are an object for everybody. What is said of wrong ones: agent_core/test_document.c. */
#include "common/base/json_scan.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_every_cut_is_wrong)
{
    static const char text[] = "{\"a\":[1,-0.5e+3,true,false,null,\"x\\u00e4\\ud83d\\ude00\\n\"],\"\xc3\xa4\":{}}";
    struct err e;

    ck_assert_int_eq(json_scan_object(text, sizeof text - 1, 2, &e), 0);
    for (size_t n = 0; n < sizeof text - 1; n++)
        ck_assert_msg(json_scan_object(text, n, 2, &e) == ERR_FORMAT, "%zu bytes", n);
}
END_TEST

START_TEST(test_depth)
{
    struct err e;

    ck_assert_int_eq(json_scan_object("{}", 2, 1, &e), 0);
    ck_assert_int_eq(json_scan_object("{\"a\":[]}", 8, 1, &e), ERR_LIMIT);
    ck_assert_str_eq(e.text, "line 1, column 6: nested deeper than 1 levels");
    ck_assert_int_eq(json_scan_object("{\"a\":[],\"b\":{}}", 15, 2, &e), 0);       /* beside each other is not deeper */
}
END_TEST

START_TEST(test_nul_is_no_end)
{
    struct err e;

    ck_assert_int_eq(json_scan_object("{}\0", 3, 9, &e), ERR_FORMAT);
    ck_assert_int_eq(json_scan_object("\0{}", 3, 9, &e), ERR_FORMAT);
}
END_TEST

SUITE(json_scan, test_every_cut_is_wrong, test_depth, test_nul_is_no_end)
