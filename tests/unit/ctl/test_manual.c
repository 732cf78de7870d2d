/* What the tables say: every verb and every option, in each of the three. */
#include "sentinel/ctl/flags.h"
#include "sentinel/ctl/manual.h"
#include "tests/support/suite.h"
#include "tests/unit/ctl/ctl_support.h"

#include <stdio.h>
#include <string.h>

static void has(const char *text, const char *part) { ck_assert_msg(strstr(text, part) != NULL, "no '%s' in: %.500s", part, text); }

START_TEST(test_usage_names_all)
{
    const char *text;

    listen_to();
    manual_usage(stdout, NULL);
    text = heard();
    for (size_t i = 0; i < verbs_n; i++) {
        has(text, verbs[i].syntax);
        has(text, verbs[i].summary);
    }
    for (size_t i = 0; i < ctl_flags_n; i++) {
        has(text, ctl_flags[i].name);
        has(text, ctl_flags[i].summary);
    }
    has(text, "Exit codes: 0 done");
}
END_TEST

START_TEST(test_usage_of_one)
{
    for (size_t i = 0; i < verbs_n; i++) {
        const char *text;
        char first[200];

        listen_to();
        manual_usage(stdout, &verbs[i]);
        text = heard();
        snprintf(first, sizeof first, "kvorumctl %s ", verbs[i].name);
        ck_assert_int_eq(strncmp(text, first, strlen(first)), 0);
        has(text, verbs[i].help);
    }
}
END_TEST

START_TEST(test_man_page)
{
    const char *text;

    listen_to();
    ck_assert(manual_asked("--print-man"));
    text = heard();
    has(text, ".TH KVORUMCTL 1");
    for (size_t i = 0; i < verbs_n; i++) {
        char head[100];

        snprintf(head, sizeof head, ".SS \"%s", verbs[i].name);
        has(text, head);
    }
    has(text, "KVORUM_SENTINEL");
    has(text, ".SH \"EXIT STATUS\"");
}
END_TEST

/* bash itself says whether it is bash. */
START_TEST(test_completion_is_bash)
{
    const char *text;
    FILE *bash;

    listen_to();
    ck_assert(manual_asked("--print-completion"));
    text = heard();
    for (size_t i = 0; i < verbs_n; i++)
        has(text, verbs[i].name);
    for (size_t i = 0; i < ctl_flags_n; i++)
        has(text, ctl_flags[i].name);
    bash = popen("bash -n", "w");
    ck_assert_ptr_nonnull(bash);
    fputs(text, bash);
    ck_assert_int_eq(pclose(bash), 0);
}
END_TEST

START_TEST(test_other_words_are_not_about_us)
{
    listen_to();
    ck_assert(!manual_asked("--help") && !manual_asked("status") && !manual_asked(""));
    ck_assert_str_eq(heard(), "");
}
END_TEST

SUITE(manual, test_usage_names_all, test_usage_of_one, test_man_page, test_completion_is_bash, test_other_words_are_not_about_us)
