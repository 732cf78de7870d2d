/* UTF-8: every first byte, every edge of every length, every cut. */
#include "common/base/utf8.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct { const char *bytes; size_t n; bool good; size_t bad_at; } cases[] = {
    {"", 0, true, 0},
    {"plain\n", 6, true, 0},
    {"a\0b", 3, true, 0},
    {"\x7f", 1, true, 0},
    {"x\x80", 2, false, 1},                       /* goes on with nothing */
    {"\xc2\x80", 2, true, 0},
    {"\xdf\xbf", 2, true, 0},
    {"\xc1\xbf", 2, false, 0},                    /* overlong */
    {"\xc3", 1, false, 0},
    {"\xc3(", 2, false, 0},
    {"\xe0\xa0\x80", 3, true, 0},
    {"\xe0\x9f\xbf", 3, false, 0},                /* overlong */
    {"\xed\x9f\xbf", 3, true, 0},
    {"\xed\xa0\x80", 3, false, 0},                /* half a surrogate */
    {"\xee\x80\x80", 3, true, 0},
    {"\xef\xbf\xbf", 3, true, 0},
    {"\xe2\x82", 2, false, 0},
    {"\xf0\x90\x80\x80", 4, true, 0},
    {"\xf0\x8f\xbf\xbf", 4, false, 0},            /* overlong */
    {"\xf4\x8f\xbf\xbf", 4, true, 0},
    {"\xf4\x90\x80\x80", 4, false, 0},            /* beyond the last */
    {"\xf5\x80\x80\x80", 4, false, 0},
    {"\xff", 1, false, 0},
    {"ok \xc3\xa4 \xe2\x82\xac then \xfe", 16, false, 15},
};

START_TEST(test_edges)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t bad_at = 99;

        ck_assert_msg(utf8_is_valid(cases[i].bytes, cases[i].n, &bad_at) == cases[i].good, "case %zu", i);
        ck_assert_msg(bad_at == (cases[i].good ? 99 : cases[i].bad_at), "case %zu: bad at %zu", i, bad_at);
        ck_assert(utf8_is_valid(cases[i].bytes, cases[i].n, NULL) == cases[i].good);
    }
}
END_TEST

/* As many as there are: each point as its own bytes, and none of what UTF-8 leaves out. */
START_TEST(test_every_sequence_of_three_bytes)
{
    size_t good = 0;

    for (unsigned c = 0x800; c < 0x1000000; c++) {
        const char bytes[] = {(char)(c >> 16), (char)(c >> 8), (char)c};

        if ((c >> 16 & 0xf0) == 0xe0)
            good += utf8_is_valid(bytes, sizeof bytes, NULL);
    }
    ck_assert_uint_eq(good, 0x10000 - 0x800 - 0x800);
}
END_TEST

START_TEST(test_cut_anywhere)
{
    static const char text[] = "\xf0\x9f\x90\x98\xe2\x82\xac\xc3\xa4";
    size_t bad_at;

    for (size_t n = 0; n <= 9; n++)
        ck_assert(utf8_is_valid(text, n, &bad_at) == (n == 0 || n == 4 || n == 7 || n == 9));
    ck_assert(!utf8_is_valid(text, 8, &bad_at) && bad_at == 7);
}
END_TEST

SUITE(utf8, test_edges, test_every_sequence_of_three_bytes, test_cut_anywhere)
