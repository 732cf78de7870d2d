/* The tables agree with each other and with the quiet room. */
#include "sentinel/core/names.h"
#include "sentinel/shell/commands.h"
#include "sentinel/shell/events.h"
#include "sentinel/shell/group_options.h"
#include "sentinel/shell/metrics.h"
#include "sentinel/shell/options.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_every_news_is_an_event)
{
    for (int n = 0; n < NEWS_KINDS; n++)
        ck_assert_msg(op_event_find(sentinel_events, sentinel_events_n, news_name((enum news)n)) != NULL, "no row for %s",
                      news_name((enum news)n));
    for (size_t i = 0; i < sentinel_events_n; i++)
        ck_assert_ptr_eq(op_event_find(sentinel_events, sentinel_events_n, sentinel_events[i].name), &sentinel_events[i]);
}
END_TEST

START_TEST(test_group_options_have_core_names)
{
    for (int i = 0; i < GOPT_COUNT; i++) {
        const char *name = group_opt_name((enum group_opt)i);

        ck_assert_msg(option_find(&group_option_table, slice_z(name)) != NULL, "no row for %s", name);
    }
}
END_TEST

START_TEST(test_defaults_are_valid)
{
    struct sentinel_options o;
    struct group_options g;
    struct err e;

    memset(&o, 0, sizeof o);
    ck_assert_msg(option_defaults(&sentinel_option_table, &o, &e) == 0, "%s", e.text);
    ck_assert_int_eq(o.port, 26379);
    sentinel_options_fini(&o);
    group_options_init(&g);
    ck_assert_int_eq(g.parallel_syncs, 1);
    ck_assert_int_eq(g.down_after_ms, 30000);
    group_options_fini(&g);
}
END_TEST

/* What programs count: 15 commands, 72 names with subcommands. */
START_TEST(test_listed_commands)
{
    static const char *const top[] = {"ping", "info", "role", "auth", "hello", "acl", "client", "command", "sentinel", "subscribe",
                                      "psubscribe", "unsubscribe", "punsubscribe", "publish", "shutdown"};
    struct command_table t;
    size_t names = 0;

    command_table_init(&t);
    sentinel_commands(&t);
    for (size_t i = 0; i < sizeof top / sizeof top[0]; i++) {
        const struct command *c = command_find_name(&t, slice_z(top[i]));

        ck_assert_msg(c && !(c->flags & CMD_HIDDEN), "%s is not listed", top[i]);
        names++;
        for (size_t k = 0; k < c->nsubs; k++)
            names += !(c->subs[k].flags & CMD_HIDDEN);
    }
    ck_assert_uint_eq(names, 72);
    ck_assert_ptr_null(command_find_name(&t, slice_z("get")));
    ck_assert_ptr_null(command_find_name(&t, slice_z("config")));
    command_table_fini(&t);
}
END_TEST

START_TEST(test_metrics_have_good_names)
{
    for (size_t i = 0; i < sentinel_metrics_n; i++) {
        const char *name = sentinel_metrics[i].name;
        size_t n = strlen(name);
        bool total = n > 6 && strcmp(name + n - 6, "_total") == 0;

        ck_assert_int_eq(strncmp(name, "kvorum_sentinel_", 16), 0);
        ck_assert_msg(total == (sentinel_metrics[i].type == METRIC_COUNTER), "%s", name);
        for (size_t k = i + 1; k < sentinel_metrics_n; k++)
            ck_assert_str_ne(name, sentinel_metrics[k].name);
    }
}
END_TEST

SUITE(tables, test_every_news_is_an_event, test_group_options_have_core_names, test_defaults_are_valid, test_listed_commands,
      test_metrics_have_good_names)
