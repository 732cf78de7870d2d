/* The option table: defaults hold, several words are read, nonsense is refused. */
#include "agent/shell/options.h"
#include "common/text/conf_edit.h"
#include "tests/support/suite.h"

#include <string.h>

static int load(struct agent_options *o, const char *text, struct err *e)
{
    struct conf_source s;
    int rc;

    memset(o, 0, sizeof *o);
    ck_assert_msg(option_defaults(&agent_option_table, o, e) == 0, "%s", e->text);
    conf_source_init(&s, &agent_option_table, o);
    rc = conf_apply(&s, "a.conf", text, strlen(text), e);
    conf_source_fini(&s);
    return rc != 0 ? rc : agent_options_check(o, e);
}

START_TEST(test_a_whole_file)
{
    struct agent_options o;
    struct err e = {0};

    ck_assert_msg(load(&o, "node-id n1\ngroup edge\ndirectory-sentinel 10.0.0.1 26379\ndirectory-sentinel h 26380\n"
                           "directory-group demo\nroot etc /etc/app\nroot run /run/app\nallow-command /bin/a\n"
                           "allow-command /bin/b\nallow-unit x@*\nping-interval 250ms\nresync-interval 2m\n", &e) == 0, "%s", e.text);
    ck_assert_uint_eq(o.sentinels.n, 2);
    ck_assert_str_eq(o.sentinels.at[1].host, "h");
    ck_assert_uint_eq(o.roots.at.n, 2);
    ck_assert_uint_eq(o.allow.commands.n, 2);
    ck_assert_int_eq(o.ping_ms, 250);
    ck_assert_int_eq(o.resync_ms, 120000);
    ck_assert_int_eq(o.quiesce_ms, 20);
    ck_assert_int_eq(o.poll_ms, 1000);
    ck_assert_str_eq(o.unixsocket, "/run/kvorum/agent.sock");
    agent_options_free(&o);
}
END_TEST

/* What was read is told as it stands in a file. */
static const struct { const char *option, *lines, *is; } lists[] = {
    {"directory-sentinel", "directory-sentinel 10.0.0.1 26379\ndirectory-sentinel ::1 26380\ndirectory-group g\n", "10.0.0.1 26379 ::1 26380"},
    {"directory-sentinel", "directory h 1\n", ""},
    {"directory", "directory h 1\n", "h 1"},
    {"directory", "directory-sentinel h 1\ndirectory-group g\n", ""},
    {"node", "directory h 1\nnode 10.0.0.7 6379\n", "10.0.0.7 6379"},
    {"node", "directory h 1\n", ""},
    {"node-known-as", "directory h 1\nnode-known-as a 1\nnode-known-as b 2\n", "a 1 b 2"},
    {"kube-pods", "directory h 1\nkube-pods a-0 a-1\nkube-pods a-2\n", "a-0 a-1 a-2"},
    {"root", "directory h 1\nroot a /x\nroot b /y\n", "a /x b /y"},
    {"allow-command", "directory h 1\nallow-command /bin/a /bin/b\nallow-command /c\n", "/bin/a /bin/b /c"},
    {"allow-unit", "directory h 1\nallow-unit x@* y\n", "x@* y"},
};

START_TEST(test_lists_there_and_back)
{
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct agent_options o;
        struct err e = {0};
        struct str out = {0};

        ck_assert_msg(load(&o, lists[i].lines, &e) == 0, "%s: %s", lists[i].lines, e.text);
        option_get(option_find(&agent_option_table, slice_z(lists[i].option)), &o, &out);
        ck_assert_str_eq(str_c(&out), lists[i].is);
        str_fini(&out);
        agent_options_free(&o);
    }
}
END_TEST

static const struct { const char *line; int most; } bounds[] = {
    {"directory-sentinel h 1\n", 64}, {"node-known-as h 1\n", 16}, {"kube-pods p\n", 64},
};

START_TEST(test_lists_end_somewhere)
{
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
        for (int more = 0; more <= 1; more++) {
            struct str text = {0};
            struct agent_options o;
            struct err e = {0};

            str_set_z(&text, i == 0 ? "directory-group g\n" : "directory h 1\n");
            for (int k = 0; k < bounds[i].most + more; k++)
                str_append_z(&text, bounds[i].line);
            ck_assert_msg((load(&o, str_c(&text), &e) == 0) == !more, "%s: %s", bounds[i].line, e.text);
            ck_assert(!more || strstr(e.text, "more than"));
            str_fini(&text);
            agent_options_free(&o);
        }
}
END_TEST

/* Nothing of it can be set while the agent runs: no row may promise that. */
START_TEST(test_every_row_says_that_it_needs_a_restart)
{
    for (size_t i = 0; i < agent_option_table.n; i++)
        ck_assert_msg(agent_option_table.rows[i].flags & OPT_FIXED, "%s", agent_option_table.rows[i].name);
}
END_TEST

static const struct { const char *text, *says; } wrong[] = {
    {"", "no way to the directory"},
    {"directory-sentinel h 1\n", "'directory-group' is missing"},
    {"directory h 1\ndirectory-sentinel h 1\ndirectory-group g\n", "exclude each other"},
    {"directory h 0\n", "<host> <port>"},
    {"directory h\n", "directory"},
    {"directory h 1\nroot a\n", "root"},
    {"directory h 1\nroot A /x\n", "root"},
    {"directory h 1\nroot a x\n", "absolute"},
    {"directory h 1\nroot a /x\nroot a /y\n", "twice"},
    {"directory h 1\nallow-command x\n", "absolute path"},
    {"directory h 1\nnode-id a:b\n", "node-id"},
    {"directory h 1\ngroup a:b\n", "group"},
    {"directory h 1\nquiesce-min 1s\nquiesce-max 500ms\n", "quiesce-max"},
    {"directory h 1\nno-such-thing 1\n", "no-such-thing"},
};

START_TEST(test_nonsense)
{
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct agent_options o;
        struct err e = {0};

        ck_assert_msg(load(&o, wrong[i].text, &e) != 0, "%s", wrong[i].text);
        ck_assert_msg(strstr(e.text, wrong[i].says) != NULL, "%s says: %s", wrong[i].text, e.text);
        agent_options_free(&o);
    }
}
END_TEST

START_TEST(test_the_node_is_called_as_its_host)
{
    struct agent_options o;
    struct err e = {0};

    ck_assert_int_eq(load(&o, "directory h 1\n", &e), 0);
    ck_assert(o.node_id && o.node_id[0]);
    agent_options_free(&o);
}
END_TEST

SUITE(options, test_a_whole_file, test_lists_there_and_back, test_lists_end_somewhere, test_every_row_says_that_it_needs_a_restart,
      test_nonsense, test_the_node_is_called_as_its_host)
