/* The verb `config` on a node whose answers are known: what it prints, what it asks, in which order. */
#include "sentinel/ctl/config.h"
#include "tests/support/suite.h"
#include "tests/unit/ctl/ctl_support.h"

#include <string.h>

#define ONE "{\"a\":1}"
#define TWO "{\"a\": 2}"
#define SHA_ONE "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
#define NIL "$-1\r\n"
#define NAME "files:web"

static const struct canned two_versions[] = {
    {"HGETALL cfglog:files:web", "*6\r\n$1\r\n2\r\n$18\r\nbb 2000 ben\n{\"a\":1\r\n$1\r\n1\r\n$17\r\naa 1000 an\n{\"a\":1\r\n$1\r\nx\r\n$4\r\njunk\r\n"},
    {"HGETALL cfgmeta:files:web", "*4\r\n$3\r\nver\r\n$1\r\n2\r\n$5\r\nstate\r\n$4\r\nlive\r\n"},
    {NULL, NULL},
};

START_TEST(test_history_is_sorted)
{
    struct scene s;

    scene_init(&s, two_versions);
    s.c.output = OUT_TSV;
    listen_to();
    ck_assert_int_eq(config_history(&s.c, s.k, NAME, 0, NULL), EXIT_OK_);
    ck_assert_str_eq(heard(), "version\ttime\tbytes\tsha\tsha8\tby\tcurrent\n"
                              "1\t1970-01-01T00:00:01Z\t6\taa\taa\tan\t\n"
                              "2\t1970-01-01T00:00:02Z\t6\tbb\tbb\tben\tlive\n");
    scene_fini(&s);
}
END_TEST

START_TEST(test_no_history)
{
    static const struct canned answers[] = {{"HGETALL cfglog:files:web", "*0\r\n"}, {"HGETALL cfgmeta:files:web", "*0\r\n"}, {NULL, NULL}};
    struct scene s;

    scene_init(&s, answers);
    listen_to();
    ck_assert_int_eq(config_history(&s.c, s.k, NAME, 0, NULL), EXIT_FAILED);
    ck_assert_ptr_nonnull(strstr(said(), "nobody wrote a history of files:web"));
    ck_assert_int_eq(config_history(&s.c, s.k, "files:other", 0, NULL), EXIT_REFUSED);      /* an error is not "none" */
    scene_fini(&s);
}
END_TEST

static const struct canned to_compare[] = {
    {"HGETALL cfgmeta:files:web", "*2\r\n$3\r\nver\r\n$1\r\n2\r\n"},
    {"HGET cfglog:files:web 1", "$18\r\naa 1000 an\n" ONE "\r\n"},
    {"HGET cfglog:files:web 3", "$19\r\ncc 1000 an\n" TWO "\r\n"},
    {"HGET cfglog:files:web 9", NIL},
    {"GET config:files:web", "$7\r\n" ONE "\r\n"},
    {NULL, NULL},
};

START_TEST(test_diff)
{
    char *three[] = {(char *)"3"}, *nine[] = {(char *)"9"}, *both[] = {(char *)"1", (char *)"3"};
    struct scene s;

    scene_init(&s, to_compare);
    listen_to();
    ck_assert_int_eq(config_diff(&s.c, s.k, NAME, 1, three), EXIT_OK_);
    ck_assert_str_eq(heard(), "- a = 2\n+ a = 1\n");
    listen_to();
    ck_assert_int_eq(config_diff(&s.c, s.k, NAME, 2, both), EXIT_OK_);
    ck_assert_str_eq(heard(), "- a = 1\n+ a = 2\n");
    listen_to();
    ck_assert_int_eq(config_diff(&s.c, s.k, NAME, 1, nine), EXIT_FAILED);
    ck_assert_ptr_nonnull(strstr(said(), "files:web has no version 9"));
    s.c.output = OUT_JSONL;
    listen_to();
    ck_assert_int_eq(config_diff(&s.c, s.k, NAME, 2, both), EXIT_OK_);
    ck_assert_str_eq(heard(), "{\"apiVersion\":\"kvorum/v1\",\"kind\":\"Diff\",\"document\":\"files:web\",\"from\":\"aa\",\"to\":\"cc\","
                              "\"lines\":[\"- a = 1\",\"+ a = 2\"]}\n");
    scene_fini(&s);
}
END_TEST

/* The version before and what is in force: the same values, whatever the bytes. */
START_TEST(test_diff_of_the_same)
{
    struct scene s;

    scene_init(&s, to_compare);
    listen_to();
    ck_assert_int_eq(config_diff(&s.c, s.k, NAME, 0, NULL), EXIT_OK_);
    ck_assert_str_eq(heard(), "");
    ck_assert_ptr_nonnull(strstr(said(), "other bytes (aa, 015abd7f), the same values"));
    s.c.output = OUT_JSONL;
    listen_to();
    ck_assert_int_eq(config_diff(&s.c, s.k, NAME, 0, NULL), EXIT_OK_);
    ck_assert_str_eq(heard(), "{\"apiVersion\":\"kvorum/v1\",\"kind\":\"Diff\",\"document\":\"files:web\",\"from\":\"aa\",\"to\":\"" SHA_ONE "\","
                              "\"lines\":[]}\n");
    scene_fini(&s);
}
END_TEST

/* Who may write the document but not what is known of it: the second transaction leaves the name out. */
START_TEST(test_push_without_a_name)
{
    static const struct canned answers[] = {
        {"WATCH config:files:web", "+OK\r\n"},
        {"GET config:files:web", NIL},
        {"MULTI", "+OK\r\n"},
        {"SET config:files:web {}", "+QUEUED\r\n"},
        {"HSET cfgmeta:files:web said_by an_na said_sha 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "-NOPERM no\r\n"},
        {"DISCARD", "+OK\r\n"},
        {"EXEC", "*1\r\n+OK\r\n"},
        {NULL, NULL},
    };
    struct str doc = {0};
    struct scene s;

    scene_init(&s, answers);
    s.c.by = "an na";
    str_set_z(&doc, "{}");
    listen_to();
    ck_assert_int_eq(config_push(&s.c, s.k, NAME, &doc, "absent"), EXIT_OK_);
    ck_assert_str_eq(heard(), "config:files:web: 2 bytes set, sha 44136fa3\n");
    ck_assert_str_eq(said(), "");
    ck_assert_ptr_nonnull(strstr(str_c(&s.asked), "DISCARD\nWATCH config:files:web\nGET config:files:web\nMULTI\nSET config:files:web {}\nEXEC\n"));
    str_fini(&doc);
    scene_fini(&s);
}
END_TEST

START_TEST(test_push_over_another_version)
{
    static const struct canned answers[] = {{"WATCH config:files:web", "+OK\r\n"}, {"GET config:files:web", "$7\r\n" ONE "\r\n"}, {NULL, NULL}};
    struct str doc = {0};
    struct scene s;

    scene_init(&s, answers);
    str_set_z(&doc, "{}");
    listen_to();
    ck_assert_int_eq(config_push(&s.c, s.k, NAME, &doc, "01234567"), EXIT_REFUSED);
    ck_assert_ptr_nonnull(strstr(said(), "is 015abd7f and not 01234567; nothing was written"));
    listen_to();
    ck_assert_int_eq(config_push(&s.c, s.k, NAME, &doc, "absent"), EXIT_REFUSED);
    ck_assert_ptr_null(strstr(str_c(&s.asked), "MULTI"));
    str_fini(&doc);
    scene_fini(&s);
}
END_TEST

static const struct { const char *line; int code; } lines[] = {
    {"fly", EXIT_USAGE},      {"get", EXIT_USAGE},           {"get files:web x", EXIT_USAGE},
    {"get web", EXIT_USAGE},  {"rollback a:b", EXIT_USAGE},  {"diff a:b 1 2 3", EXIT_USAGE},
    {"list a b", EXIT_USAGE}, {"watch Not:good", EXIT_USAGE},
};

START_TEST(test_words)
{
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char text[100], *argv[8];
        struct ctl c = {0};
        int argc = 0;

        strcpy(text, lines[i].line);
        for (char *save = NULL, *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save))
            argv[argc++] = w;
        listen_to();
        ck_assert_msg(run_config(&c, argc, argv) == lines[i].code, "%s", lines[i].line);
        ck_assert_msg(strncmp(said(), "kvorumctl: ", 11) == 0, "%s: %s", lines[i].line, said());
        ck_assert_str_eq(heard(), "");
    }
}
END_TEST

SUITE(config, test_history_is_sorted, test_no_history, test_diff, test_diff_of_the_same, test_push_without_a_name,
      test_push_over_another_version, test_words)
