/* Strings and slices. */
#include "common/base/mem.h"
#include "common/base/str.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_growing)
{
    struct str s = {0};

    ck_assert_str_eq(str_c(&s), "");
    for (int i = 0; i < 5000; i++)
        str_append_c(&s, (char)('a' + i % 26));
    ck_assert_uint_eq(s.len, 5000);
    ck_assert_int_eq(s.p[4999], 'a' + 4999 % 26);
    ck_assert_int_eq(s.p[5000], '\0');
    str_drop(&s, 4998);
    ck_assert_uint_eq(s.len, 2);
    str_cut(&s, 1);
    ck_assert_uint_eq(strlen(s.p), 1);
    str_clear(&s);
    ck_assert_str_eq(s.p, "");
    str_fini(&s);
    ck_assert_ptr_null(s.p);
}
END_TEST

START_TEST(test_printing)
{
    struct str s = {0};
    char long_text[3000];

    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    str_printf(&s, "%d-%s", 42, "y");
    str_printf(&s, "%s", long_text);
    ck_assert_uint_eq(s.len, 4 + sizeof long_text - 1);
    ck_assert_int_eq(strncmp(s.p, "42-yxxx", 7), 0);
    str_set_z(&s, "ab");
    ck_assert_str_eq(str_c(&s), "ab");
    str_set(&s, "c\0d", 3);
    ck_assert_uint_eq(s.len, 3);
    str_fini(&s);
}
END_TEST

START_TEST(test_taking)
{
    struct str s = {0};
    char *p = str_take(&s);

    ck_assert_str_eq(p, "");
    mem_free(p);
    str_append_z(&s, "mine");
    p = str_take(&s);
    ck_assert_str_eq(p, "mine");
    ck_assert_uint_eq(s.len, 0);
    ck_assert_ptr_null(s.p);
    mem_free(p);
}
END_TEST

START_TEST(test_quoting)
{
    static const struct {
        const char *in;
        size_t n;
        const char *out;
    } cases[] = {
        {"", 0, "\"\""}, {"a b", 3, "\"a b\""}, {"\"\\", 2, "\"\\\"\\\\\""}, {"\n\r\t\a\b", 5, "\"\\n\\r\\t\\a\\b\""},
        {"\0\xff\x7f", 3, "\"\\x00\\xff\\x7f\""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct str s = {0};

        str_append_quoted(&s, cases[i].in, cases[i].n);
        ck_assert_str_eq(str_c(&s), cases[i].out);
        str_fini(&s);
    }
    struct str hex = {0};
    str_append_hex(&hex, "\x01\xab", 2);
    ck_assert_str_eq(str_c(&hex), "01ab");
    str_fini(&hex);
}
END_TEST

START_TEST(test_slices)
{
    char out[4];

    ck_assert(slice_is(slice_z("abc"), "abc") && !slice_is(slice_z("abc"), "abcd") && !slice_is(slice_z("abc"), "ab"));
    ck_assert(slice_is_nocase(slice_z("AbC"), "aBc") && !slice_is_nocase(slice_z("abc"), "ab"));
    ck_assert(!slice_is_nocase(slice_z("ab"), "abc") && slice_is_nocase(slice_z(""), ""));
    ck_assert(!slice_is_nocase((struct slice){"a\0", 2}, "a"));
    ck_assert(slice_eq((struct slice){NULL, 0}, slice_z("")));
    ck_assert(str_eq_nocase("YES", "yes") && !str_eq_nocase("[", "{"));
    ck_assert(slice_copy_z(slice_z("abc"), out, sizeof out));
    ck_assert_str_eq(out, "abc");
    ck_assert(!slice_copy_z(slice_z("abcd"), out, sizeof out));
    ck_assert_str_eq(out, "abc");
}
END_TEST

SUITE(str, test_growing, test_printing, test_taking, test_quoting, test_slices)
