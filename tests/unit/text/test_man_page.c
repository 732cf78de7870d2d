/* Markdown as the tables print it -> man(7). */
#include "common/text/man_page.h"

#include "tests/support/suite.h"

#include <string.h>

static struct str made;

static const char *of(const char *markdown)
{
    static const struct man_page page = {"prog", "8", "1.2", "It tries - and fails."};
    static const char head[] = ".TH PROG 8 \"\" \"Kvorum 1.2\" \"Kvorum\"\n.SH NAME\nprog \\- It tries \\- and fails\n";

    str_fini(&made);
    made = (struct str){0};
    man_page(&page, slice_z(markdown), &made);
    ck_assert_int_eq(strncmp(str_c(&made), head, sizeof head - 1), 0);
    return str_c(&made) + sizeof head - 1;
}

START_TEST(headings_and_paragraphs)
{
    ck_assert_str_eq(of("# prog\n\nOne.\ntwo\n\nThree\n\n## Settings of a group: a\n### part\n"),
                     ".PP\nOne.\ntwo\n.PP\nThree\n.SH \"SETTINGS OF A GROUP: A\"\n.SS \"part\"\n");
    ck_assert_str_eq(of("* first\n* second\n"), ".IP \\(bu 2\nfirst\n.IP \\(bu 2\nsecond\n");
    ck_assert_str_eq(of("Do:\n\n    a -b\n    .c\n\nThen.\n"), ".PP\nDo:\n.PP\n.RS 4\n.EX\na \\-b\n\\&.c\n.EE\n.RE\n.PP\nThen.\n");
}
END_TEST

START_TEST(tables)
{
    ck_assert_str_eq(of("| directive | value | default | meaning |\n|---|---|---|---|\n| `port` | a number | `` | Where. |\n| `x\\|y` | | | Why |\n"),
                     ".TP\n\\fBport\\fR\nWhere.\n(value: a number)\n.TP\n\\fBx|y\\fR\nWhy\n");
    ck_assert_str_eq(of("| a | b |\n|---|---|\n| `A` | one |\n\ntext\n\n| c | d |\n|---|---|\n| `C` | two |\n"),
                     ".TP\n\\fBA\\fR\none\n.PP\ntext\n.TP\n\\fBC\\fR\ntwo\n");
    ck_assert_str_eq(of("| a | b |\n|---|---|\n| `A` | one | two | three | 4 | 5 | 6 | 7 | 8 | 9 |\n"), ".TP\n\\fBA\\fR\none\n");
}
END_TEST

START_TEST(nothing_becomes_a_request)
{
    ck_assert_str_eq(of(".so /etc/passwd\n"), ".PP\n\\&.so /etc/passwd\n");
    ck_assert_str_eq(of("'x \\(em `a-b` **c** `open\n"), ".PP\n\\&'x \\e(em \\fBa\\-b\\fR \\fBc\\fR `open\n");
    ck_assert_str_eq(of("|\n"), "");
}
END_TEST

SUITE(man_page, headings_and_paragraphs, tables, nothing_becomes_a_request)
