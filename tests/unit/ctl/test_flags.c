/* Reading the command line: options anywhere, values joined or behind, the environment below all. */
#include "sentinel/ctl/flags.h"
#include "tests/support/suite.h"
#include "tests/unit/ctl/ctl_support.h"

#include <stdlib.h>
#include <string.h>

#define WORDS 24

/* The line, cut at blanks; "''" is an empty word. What is left is joined with '|'. Negative: said() has the sentence. */
static int read_line(struct ctl *c, const char *line, char left[200], bool *help)
{
    static char text[300];
    char *argv[WORDS + 1] = {(char *)"kvorumctl"}, *words[WORDS + 1];
    int argc = 1, n;

    ck_assert(strlen(line) < sizeof text);
    strcpy(text, line);
    for (char *save = NULL, *w = strtok_r(text, " ", &save); w && argc < WORDS; w = strtok_r(NULL, " ", &save))
        argv[argc++] = strcmp(w, "''") == 0 ? w + 2 : w;
    memset(c, 0, sizeof *c);
    *help = false;
    listen_to();
    n = flags_from_env(c);
    if (n == 0)
        n = flags_read(c, argc, argv, words, help);
    left[0] = 0;
    for (int i = 0; i < n; i++)
        strcat(strcat(left, i ? "|" : ""), words[i]);
    (void)heard();
    return n;
}

static const struct { const char *line, *left; } good[] = {
    {"status", "status"},
    {"-o json status", "status"},
    {"sentinel set g auth-pass -- -foo --", "sentinel|set|g|auth-pass|-foo|--"},
    {"status -o json", "status"},
    {"config -o json get files:web", "config|get|files:web"},
    {"config set files:web -", "config|set|files:web|-"},
    {"--sentinel=h:1 --output=tsv nodes", "nodes"},
    {"-s=h:1 nodes --pass=x=y", "nodes"},
    {"--watch status", "status"},
    {"--wait config set a:b {}", "config|set|a:b|{}"},
    {"failover demo --no-wait --yes", "failover|demo"},
    {"", ""},
};

START_TEST(test_options_stand_anywhere)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct ctl c;
        char left[200];
        bool help;

        ck_assert_msg(read_line(&c, good[i].line, left, &help) >= 0, "%s: %s", good[i].line, said());
        ck_assert_str_eq(left, good[i].left);
        ck_assert(!help);
    }
}
END_TEST

START_TEST(test_values)
{
    struct ctl c;
    char left[200];
    bool help;

    ck_assert_int_eq(read_line(&c, "-s a:1,b -a pw --pass=p=w --user u -A x --node-user v -d group -t 500ms --watch=3 -o table x", left, &help), 1);
    ck_assert_uint_eq(c.nsentinels, 2);
    ck_assert_str_eq(c.sentinels[0].host, "a");
    ck_assert_int_eq(c.sentinels[0].port, 1);
    ck_assert_int_eq(c.sentinels[1].port, 26379);
    ck_assert_str_eq(c.password, "p=w");                       /* the last one counts */
    ck_assert_str_eq(c.user, "u");
    ck_assert_str_eq(c.node_password, "x");
    ck_assert_str_eq(c.node_user, "v");
    ck_assert_str_eq(c.directory, "group");
    ck_assert_int_eq(c.timeout_ms, 500);
    ck_assert_int_eq(c.watch_ms, 3000);
    ck_assert(c.output == OUT_TEXT && !c.json && !c.wait && !c.yes && !c.no_wait);
    ck_assert_int_eq(read_line(&c, "-o json --wait --watch --by anna --if-sha absent", left, &help), 0);
    ck_assert(c.output == OUT_JSON && c.json && c.wait);
    ck_assert_int_eq(c.wait_ms, 30000);
    ck_assert_int_eq(c.watch_ms, 2000);
    ck_assert_str_eq(c.by, "anna");
    ck_assert_str_eq(c.if_sha, "absent");
    ck_assert_int_eq(read_line(&c, "--wait=0 --if-sha 0123abcd -s [::1]:5", left, &help), 0);
    ck_assert_int_eq(c.wait_ms, 0);
    ck_assert_str_eq(c.sentinels[0].host, "::1");
}
END_TEST

START_TEST(test_help)
{
    static const char *const lines[] = {"-h", "--help", "help", "help config", "config --help", "config -h get"};
    struct ctl c;
    char left[200];
    bool help;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        ck_assert_int_ge(read_line(&c, lines[i], left, &help), 0);
        ck_assert_msg(help, "%s", lines[i]);
    }
    ck_assert_int_eq(read_line(&c, "config help", left, &help), 2);      /* only as the first word */
    ck_assert(!help);
}
END_TEST

static const struct { const char *line, *says; } wrong[] = {
    {"--nothing status", "no option is called --nothing"},
    {"-x", "no option is called -x"},
    {"--yes=1", "no option is called --yes=1"},                           /* takes no value */
    {"--outputs json", "no option is called --outputs"},
    {"-ojson", "no option is called -ojson"},
    {"status -o", "-o needs a value: text|json|jsonl|tsv"},
    {"-o xml", "'xml' is no value for -o"},
    {"--output=", "'' is no value for --output="},
    {"-o ''", "'' is no value for -o"},
    {"-t x", "'x' is no value"},
    {"-t 1ms", "'1ms' is no value"},
    {"--watch=0", "'0' is no value"},
    {"--wait=soon", "'soon' is no value"},
    {"--if-sha 0123", "'0123' is no value"},
    {"--if-sha 0123ABCD", "'0123ABCD' is no value"},
    {"--by ''", "'' is no value"},
    {"-s 1:1,1:2,1:3,1:4,1:5,1:6,1:7,1:8,1:9,1:10,1:11,1:12,1:13,1:14,1:15,1:16,1:17", "is no value"},
};

START_TEST(test_what_is_refused)
{
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct ctl c;
        char left[200];
        bool help;

        ck_assert_msg(read_line(&c, wrong[i].line, left, &help) < 0, "%s", wrong[i].line);
        ck_assert_msg(strstr(said(), wrong[i].says) != NULL, "%s says: %s", wrong[i].line, said());
    }
}
END_TEST

START_TEST(test_the_environment)
{
    struct ctl c;
    char left[200];
    bool help;

    setenv("KVORUM_SENTINEL", "e1:1,e2:2", 1);
    setenv("KVORUM_OUTPUT", "tsv", 1);
    setenv("KVORUM_PASSWORD", "", 1);
    ck_assert_int_eq(read_line(&c, "nodes", left, &help), 1);
    ck_assert_uint_eq(c.nsentinels, 2);
    ck_assert(c.output == OUT_TSV);
    ck_assert_ptr_null(c.password);                            /* empty is unset */
    ck_assert_int_eq(read_line(&c, "-s x:9 -o json nodes", left, &help), 1);
    ck_assert_uint_eq(c.nsentinels, 1);                        /* the line replaces it, not adds to it */
    ck_assert_str_eq(c.sentinels[0].host, "x");
    ck_assert(c.output == OUT_JSON && c.json);
    setenv("KVORUM_OUTPUT", "xml", 1);
    ck_assert_int_lt(read_line(&c, "nodes", left, &help), 0);
    ck_assert_msg(strstr(said(), "KVORUM_OUTPUT='xml'") != NULL, "%s", said());
    unsetenv("KVORUM_OUTPUT");
    setenv("KVORUM_PASSWORD_FILE", "/nowhere/at/all", 1);      /* matters only where it is needed */
    ck_assert_int_eq(read_line(&c, "-a said nodes", left, &help), 1);
    ck_assert_str_eq(c.password, "said");
    ck_assert_int_eq(read_line(&c, "--help", left, &help), 0);
    ck_assert_int_lt(read_line(&c, "nodes", left, &help), 0);
    ck_assert_msg(strstr(said(), "KVORUM_PASSWORD_FILE='/nowhere/at/all'") != NULL, "%s", said());
    unsetenv("KVORUM_PASSWORD_FILE");
    unsetenv("KVORUM_SENTINEL");
    unsetenv("KVORUM_PASSWORD");
}
END_TEST

/* Every option can be said, under each of its names, and no two have one name. */
START_TEST(test_names_are_unlike)
{
    for (size_t i = 0; i < ctl_flags_n; i++)
        for (size_t k = 0; k < ctl_flags_n; k++) {
            const struct flag *a = &ctl_flags[i], *b = &ctl_flags[k];

            ck_assert(!b->alias || strcmp(a->name, b->alias) != 0);
            ck_assert(i == k || strcmp(a->name, b->name) != 0);
            ck_assert(i == k || !a->alias || !b->alias || strcmp(a->alias, b->alias) != 0);
            ck_assert(i == k || !a->env || !b->env || strcmp(a->env, b->env) != 0);
        }
}
END_TEST

SUITE(flags, test_options_stand_anywhere, test_values, test_help, test_what_is_refused, test_the_environment, test_names_are_unlike)
