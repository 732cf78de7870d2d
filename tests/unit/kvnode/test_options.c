#include "kvnode/options.h"
#include "tests/support/suite.h"

#include <string.h>

static struct kv_options opt;

static struct slice z(const char *s) { return (struct slice){s, strlen(s)}; }

static int set(const char *name, const char *value, struct err *e)
{
    struct slice v = z(value);
    const struct option *o = option_find(&kv_option_table, z(name));

    ck_assert_msg(o != NULL, "%s", name);
    return option_set(o, &opt, 1, &v, NULL, e);
}

static void expect(const char *name, const char *value)
{
    struct str s = {0};

    option_get(option_find(&kv_option_table, z(name)), &opt, &s);
    ck_assert_str_eq(str_c(&s), value);
    str_fini(&s);
}

static void begin(void)
{
    struct err e = {0};

    memset(&opt, 0, sizeof opt);
    ck_assert_msg(option_defaults(&kv_option_table, &opt, &e) == 0, "%s", e.text);
}

START_TEST(test_defaults_are_those_of_redis)
{
    static const char *const rows[][2] = {
        {"port", "6379"}, {"save", "3600 1 300 100 60 10000"}, {"databases", "16"}, {"maxclients", "10000"},
        {"bind", "* -::*"}, {"dbfilename", "dump.rdb"}, {"repl-backlog-size", "1048576"}, {"replicaof", ""},
        {"maxmemory-policy", "noeviction"}, {"appendonly", "no"}, {"notify-keyspace-events", ""},
        {"client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"},
        {"hash-max-listpack-entries", "512"}, {"hash-max-ziplist-value", "64"}, {"slave-priority", "100"}};

    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect(rows[i][0], rows[i][1]);
    kv_options_free(&opt);
}
END_TEST

START_TEST(test_values_come_back_as_they_went_in)
{
    static const char *const rows[][3] = {
        {"save", "900 1 300 10", "900 1 300 10"}, {"save", "", ""}, {"bind", "127.0.0.1 ::1", "127.0.0.1 ::1"},
        {"notify-keyspace-events", "KEA", "AKE"}, {"notify-keyspace-events", "g$x", "g$x"}, {"notify-keyspace-events", "", ""},
        {"client-output-buffer-limit", "replica 1mb 0 60", "normal 0 0 0 slave 1048576 0 60 pubsub 33554432 8388608 60"},
        {"replicaof", "10.0.0.1 6380", "10.0.0.1 6380"}, {"replicaof", "no one", ""}, {"maxmemory", "100mb", "104857600"}};

    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err e = {0};

        ck_assert_msg(set(rows[i][0], rows[i][1], &e) == 0, "%s: %s", rows[i][0], e.text);
        expect(rows[i][0], rows[i][2]);
    }
    kv_options_free(&opt);
}
END_TEST

START_TEST(test_wrong_values_change_nothing)
{
    static const char *const rows[][2] = {
        {"save", "900"}, {"save", "0 1"}, {"save", "a b"}, {"notify-keyspace-events", "Q"}, {"replicaof", "host"},
        {"replicaof", "host port"}, {"client-output-buffer-limit", "nobody 1 1 1"}, {"client-output-buffer-limit", "normal 1 1"},
        {"appendonly", "yes"}, {"maxmemory-policy", "allkeys-lru"}, {"tls-port", "6380"},
        {"cluster-enabled", "yes"}, {"port", "65536"}, {"maxclients", "0"}};
    struct str before = {0}, after = {0};

    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct option *o = option_find(&kv_option_table, z(rows[i][0]));
        struct err e = {0};

        str_clear(&before);
        str_clear(&after);
        option_get(o, &opt, &before);
        ck_assert_msg(set(rows[i][0], rows[i][1], &e) != 0, "%s %s", rows[i][0], rows[i][1]);
        ck_assert_uint_gt(strlen(e.text), 0);
        option_get(o, &opt, &after);
        ck_assert_str_eq(str_c(&before), str_c(&after));
    }
    str_fini(&before);
    str_fini(&after);
    kv_options_free(&opt);
}
END_TEST

START_TEST(test_no_name_twice)
{
    for (size_t i = 0; i < kv_option_table.n; i++)
        for (size_t k = 0; k < kv_option_table.n; k++) {
            const struct option *a = &kv_option_table.rows[i], *b = &kv_option_table.rows[k];

            ck_assert_msg(i == k || strcmp(a->name, b->name) != 0, "%s", a->name);
            ck_assert_msg(!b->alias || strcmp(a->name, b->alias) != 0, "%s", a->name);
        }
}
END_TEST

SUITE(options, test_defaults_are_those_of_redis, test_values_come_back_as_they_went_in, test_wrong_values_change_nothing,
      test_no_name_twice)
