/* Every mode, and what it cannot write. */
#include "agent/core/escape.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct { enum escape_mode mode; const char *in, *out; } cases[] = {
    {ESCAPE_NONE, "a'b\n", "a'b\n"},
    {ESCAPE_SHELL, "", "''"},
    {ESCAPE_SHELL, "a b;$(c)\n", "'a b;$(c)\n'"},
    {ESCAPE_SHELL, "it's", "'it'\\''s'"},
    {ESCAPE_SYSTEMD, "50% \"x\" \\ \n", "50%% \\\"x\\\" \\\\ \\n"},
    {ESCAPE_JSON, "\"\\\n\t\x01 \xc3\xa4", "\\\"\\\\\\n\\t\\u0001 \xc3\xa4"},
    {ESCAPE_HAPROXY, "a b#c\\\"'\n", "a\\ b\\#c\\\\\\\"\\'\\n"},
    {ESCAPE_HTML, "<a href=\"x\">&'", "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"},
};

START_TEST(test_modes)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct str s = {0};
        struct err e;

        ck_assert_int_eq(escape_append(cases[i].mode, cases[i].in, strlen(cases[i].in), &s, &e), 0);
        ck_assert_str_eq(str_c(&s), cases[i].out);
        str_fini(&s);
    }
}
END_TEST

START_TEST(test_what_cannot_be_written)
{
    struct str s = {0};
    struct err e = {0};

    ck_assert_int_eq(escape_append(ESCAPE_SYSTEMD, "a\x01", 2, &s, &e), ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "systemd"));
    ck_assert_int_eq(escape_append(ESCAPE_HAPROXY, "\x1b", 1, &s, &e), ERR_FORMAT);
    str_fini(&s);
}
END_TEST

START_TEST(test_words)
{
    for (int i = 0; escape_words[i]; i++)
        ck_assert_int_eq((int)escape_from_word(escape_words[i]), i);
}
END_TEST

SUITE(escape, test_modes, test_what_cannot_be_written, test_words)
