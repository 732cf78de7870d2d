/* Versions as the controller wrote them; whatever else stands there is none. */
#include "sentinel/ctl/version.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

static bool read_text(const char *number, const char *text, struct version *out)
{
    struct val v = {.kind = VAL_TEXT, .text = (char *)text, .len = strlen(text)};

    return version_read(number, &v, out);
}

START_TEST(test_a_version)
{
    struct version v;
    struct val nil = {.kind = VAL_NIL};

    ck_assert(read_text("17", "abc 1767225601000 anna b\n{\"a\":\n1}", &v));
    ck_assert_int_eq(v.number, 17);
    ck_assert_int_eq(v.at_ms, 1767225601000);
    ck_assert_str_eq(v.sha, "abc");
    ck_assert_str_eq(v.by, "anna b");
    ck_assert(slice_is(v.bytes, "{\"a\":\n1}"));
    ck_assert(read_text("1", "abc 1 x\n", &v) && v.bytes.len == 0);
    ck_assert(!version_read("1", &nil, &v) && !version_read("1", NULL, &v));
}
END_TEST

START_TEST(test_junk)
{
    static const char *const texts[] = {"", "x", "\n", "\n\n", "a b", "a b\n{}", "a b c", "a b c\n{}", "a 1\n{}", "a 1x by\n{}",
                                        "0123456789012345678901234567890123456789012345678901234567890123456789 1 x\n{}"};
    static const char *const numbers[] = {"", "0", "-1", "x", "1x", "99999999999999999999", " 1"};
    struct version v;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ck_assert_msg(!read_text("1", texts[i], &v), "%s", texts[i]);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        ck_assert_msg(!read_text(numbers[i], "a 1 x\n{}", &v), "%s", numbers[i]);
}
END_TEST

START_TEST(test_oldest_first)
{
    struct version v[3] = {{.number = 10}, {.number = 9}, {.number = INT64_MAX}};

    qsort(v, 3, sizeof v[0], version_order);
    ck_assert(v[0].number == 9 && v[1].number == 10 && v[2].number == INT64_MAX);
}
END_TEST

SUITE(version, test_a_version, test_junk, test_oldest_first)
