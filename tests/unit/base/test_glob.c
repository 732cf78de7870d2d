/* Globs: a table, a slow plain matcher as judge, and a pattern made to be slow. */
#include "common/base/glob.h"
#include "common/base/rng.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_table)
{
    static const struct {
        const char *pat, *s;
        bool hit;
    } cases[] = {
        {"*", "", true}, {"*", "x", true}, {"", "", true}, {"", "x", false}, {"a*c", "abc", true}, {"a*c", "ac", true},
        {"a*c", "abd", false}, {"a?c", "abc", true}, {"a?c", "ac", false}, {"[abc]x", "bx", true}, {"[^abc]x", "bx", false},
        {"[^abc]x", "zx", true}, {"[a-c]", "b", true}, {"[c-a]", "b", true}, {"[a-c]", "d", false}, {"\\*", "*", true},
        {"\\*", "x", false}, {"a\\", "a\\", true}, {"[\\]]", "]", true}, {"[a", "a", true}, {"[a", "b", false},
        {"[]", "a", false}, {"[^]", "a", true}, {"h*llo*", "hello world", true}, {"**a**", "bab", true}, {"*a", "aab", false},
        {"*[0-9]", "key7", true}, {"user:*:name", "user:12:name", true}, {"user:*:name", "user:12:nam", false},
        {"?*", "", false}, {"a*b*c*d", "aXbXcXbXd", true}, {"[a-]", "-", false}, {"__key*__:*", "__keyspace@0__:foo", true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(glob_match_z(cases[i].pat, cases[i].s) == cases[i].hit, "'%s' '%s'", cases[i].pat, cases[i].s);
    ck_assert(glob_match("AB*", 3, "abc", 3, true) && !glob_match("AB*", 3, "abc", 3, false));
    ck_assert(glob_match("[A-C]", 5, "b", 1, true));
    ck_assert(glob_match("a\0*", 3, "a\0b", 3, false));
}
END_TEST

static bool plainly(const char *p, const char *s)
{
    if (*p == '\0')
        return *s == '\0';
    if (*p == '*')
        return plainly(p + 1, s) || (*s && plainly(p, s + 1));
    return *s && (*p == '?' || *p == *s) && plainly(p + 1, s + 1);
}

START_TEST(test_like_a_plain_matcher)
{
    struct rng r;

    rng_seed(&r, 9);
    for (int i = 0; i < 100000; i++) {
        char p[9], s[9];
        size_t np = rng_below(&r, sizeof p), ns = rng_below(&r, sizeof s);

        for (size_t k = 0; k < np; k++)
            p[k] = "ab*?"[rng_below(&r, 4)];
        for (size_t k = 0; k < ns; k++)
            s[k] = "ab"[rng_below(&r, 2)];
        p[np] = s[ns] = '\0';
        if (glob_match_z(p, s) != plainly(p, s))
            ck_abort_msg("'%s' '%s'", p, s);
    }
}
END_TEST

START_TEST(test_no_pattern_takes_forever)
{
    char p[2001], s[20001];

    for (size_t i = 0; i < 2000; i += 2)
        memcpy(p + i, "a*", 2);
    p[1999] = 'b';
    p[2000] = '\0';
    memset(s, 'a', sizeof s - 1);
    s[sizeof s - 1] = '\0';
    ck_assert(!glob_match_z(p, s));
}
END_TEST

SUITE(glob, test_table, test_like_a_plain_matcher, test_no_pattern_takes_forever)
