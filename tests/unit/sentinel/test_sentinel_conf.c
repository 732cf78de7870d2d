/* `sentinel ...` lines: any order, what is refused, and the way back into both homes. */
#include "sentinel/shell/options.h"
#include "sentinel/wire/state_text.h"
#include "tests/support/suite.h"

#include <string.h>

#define ID "0123456789abcdef0123456789abcdef01234567"

static struct sentinel_options o;
static struct err err;

static int load(const char *text)
{
    struct conf_source s;
    int rc;

    memset(&o, 0, sizeof o);
    ck_assert_int_eq(option_defaults(&sentinel_option_table, &o, &err), 0);
    conf_source_init(&s, &sentinel_option_table, &o);
    rc = conf_apply(&s, "s.conf", text, strlen(text), &err);
    conf_source_fini(&s);
    return rc ? rc : sentinel_options_check(&o, &err);
}

START_TEST(test_options_before_monitor)
{
    struct conf_group *g;

    ck_assert_msg(load("# a\nsentinel down-after-milliseconds m 20000\nsentinel parallel-syncs m 2\nsentinel rename-command m CONFIG cfg\n"
                       "sentinel monitor m 10.0.0.1 30000 2\nport 1\nport 2\nrepl-diskless-sync-delay 0\nenable-debug-command yes\n") == 0,
                  "%s", err.text);
    ck_assert_int_eq(o.port, 2);
    g = sentinel_conf_find(&o.sentinel, "m");
    ck_assert_int_eq(g->opt.down_after_ms, 20000);
    ck_assert_int_eq(g->opt.parallel_syncs, 2);
    ck_assert_int_eq(g->opt.quorum, 2);
    ck_assert_int_eq(g->opt.failover_timeout_ms, 180000);
    ck_assert(g->opt.crash_evidence);
    ck_assert_str_eq(group_options_renamed(&g->opt, "config"), "cfg");
    ck_assert_str_eq(group_options_renamed(&g->opt, "PING"), "PING");
    sentinel_options_fini(&o);
}
END_TEST

START_TEST(test_refused)
{
    static const struct { const char *text, *says; } bad[] = {
        {"sentinel monitor m 10.0.0.1 6379\n", "s.conf:1"},
        {"port 1\nsentinel monitor m 10.0.0.1 6379 0\n", "s.conf:2"},
        {"sentinel monitor m 10.0.0.1 6379 2\nsentinel monitor m 10.0.0.1 6379 2\n", "Duplicate"},
        {"sentinel down-after-milliseconds m 100\n", "No such master"},
        {"sentinel monitor m 10.0.0.1 6379 2\nsentinel down-after-milliseconds m 0\n", "s.conf:2"},
        {"sentinel monitor m 10.0.0.1 6379 2\nsentinel nonsense m 1\n", "Unrecognized"},
        {"sentinel monitor m localhost 6379 2\n", "resolve-hostnames"},
        {"tls-port 6380\n", "not supported yet"},
        {"appendonly yes\n", "not supported yet"},
        {"user alice on +nosuch\n", "Unknown command or category name"},
        {"user alice on\nuser alice off\n", "Duplicate user"},
        {"port 70000\n", "port"},
        {"nonsense 1\n", "nonsense"},
        {"port 0\n", "nobody could talk"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(load(bad[i].text) != 0, "taken: %s", bad[i].text);
        ck_assert_msg(strstr(err.text, bad[i].says) != NULL, "'%s' does not say '%s'", err.text, bad[i].says);
        sentinel_options_fini(&o);
    }
}
END_TEST

START_TEST(test_accepted)
{
    ck_assert_msg(load("tls-port 0\nappendonly no\nuser default on nopass ~* &* +@all\nlatency-tracking-info-percentiles 50 99 99.9\n"
                       "save 900 1\nsentinel resolve-hostnames yes\nsentinel monitor m localhost 6379 2\nsentinel myid " ID "\n"
                       "sentinel known-slave m 10.0.0.2 6379\n") == 0, "%s", err.text);
    ck_assert_str_eq(o.sentinel.saved.id, ID);
    ck_assert_uint_eq(o.sentinel.saved.groups.at[0].replicas.n, 1);
    sentinel_options_fini(&o);
}
END_TEST

static void rewritten(const char *old, struct str *out)
{
    struct conf_lines *lines = conf_lines_new();

    conf_lines_from_options(lines, &sentinel_option_table, &o);
    sentinel_conf_to_file(&o.sentinel, &o.sentinel.saved, lines);
    str_clear(out);
    conf_rewrite(old, strlen(old), lines, sentinel_conf_key, out);
    conf_lines_free(lines);
}

START_TEST(test_rewrite_keeps_places)
{
    static const char old[] = "# one\nsentinel down-after-milliseconds m 20000\n# two\nsentinel monitor m 10.0.0.1 30000 2\n"
                              "# three\nsentinel known-slave m 10.0.0.7 6379\nport 5000\n";
    struct saved_group *g;
    struct str text = {0}, again = {0};

    ck_assert_int_eq(load(old), 0);
    strcpy(o.sentinel.saved.id, ID);
    g = saved_find(&o.sentinel.saved, "m");
    ck_assert(addr_set(&g->primary, "10.0.0.9", 8, 30001));
    g->config_epoch = 4;
    rewritten(old, &text);
    ck_assert_ptr_nonnull(strstr(str_c(&text), "# one\nsentinel down-after-milliseconds m 20000\n# two\n"
                                               "sentinel monitor m 10.0.0.9 30001 2\n# three\nsentinel known-"));
    ck_assert_ptr_nonnull(strstr(str_c(&text), "sentinel myid " ID "\n"));
    ck_assert_ptr_nonnull(strstr(str_c(&text), "sentinel config-epoch m 4\n"));
    rewritten(str_c(&text), &again);             /* nothing moves any more */
    ck_assert_str_eq(str_c(&text), str_c(&again));
    /* back to the default, replica gone, group gone: the lines go */
    sentinel_conf_find(&o.sentinel, "m")->opt.down_after_ms = 30000;
    vec_clear(&g->replicas);
    rewritten(str_c(&again), &text);
    ck_assert_ptr_null(strstr(str_c(&text), "down-after"));
    ck_assert_ptr_null(strstr(str_c(&text), "known-"));
    sentinel_conf_remove(&o.sentinel, "m");
    rewritten(str_c(&text), &again);
    ck_assert_ptr_null(strstr(str_c(&again), "monitor m"));
    ck_assert_ptr_null(strstr(str_c(&again), "epoch m"));
    ck_assert_ptr_nonnull(strstr(str_c(&again), "# three\n"));
    str_fini(&text);
    str_fini(&again);
    sentinel_options_fini(&o);
}
END_TEST

/* The state beside a read-only file: runtime changes and removals come back, the file's own values rule otherwise. */
static void to_state(struct str *body)
{
    sentinel_conf_self_state(&o.sentinel, &o.sentinel.saved, body);
    for (size_t k = 0; k < o.sentinel.saved.groups.n; k++)
        sentinel_conf_group_state(&o.sentinel, &o.sentinel.saved.groups.at[k], body);
}

START_TEST(test_state_over_file)
{
    static const char file[] = "sentinel monitor m 10.0.0.1 6379 2\nsentinel parallel-syncs m 5\nsentinel monitor gone 10.0.0.2 6379 1\n";
    struct conf_group *g;
    struct str body = {0};

    ck_assert_int_eq(load(file), 0);
    g = sentinel_conf_find(&o.sentinel, "m");
    g->opt.parallel_syncs = 1;                       /* the default, yet not what the file says */
    g->opt.down_after_ms = 777;
    strcpy(o.sentinel.saved.id, ID);
    o.sentinel.saved.current_epoch = 12;
    saved_find(&o.sentinel.saved, "m")->leader_epoch = 11;
    ck_assert(addr_set(&saved_find(&o.sentinel.saved, "m")->primary, "10.0.0.5", 8, 6380));
    sentinel_conf_remove(&o.sentinel, "gone");
    g = sentinel_conf_add(&o.sentinel, "new");       /* SENTINEL MONITOR */
    g->monitored = true;
    g->opt.quorum = 3;
    g->opt.parallel_syncs = 7;
    ck_assert(addr_set(&saved_find_or_add(&o.sentinel.saved, "new")->primary, "10.0.0.6", 8, 6379));
    o.sentinel.announce_port = 7000;
    to_state(&body);
    sentinel_options_fini(&o);

    ck_assert_int_eq(load(file), 0);
    ck_assert_msg(sentinel_conf_state(&o.sentinel, (struct slice){body.p, body.len}, &err) == 0, "%s", err.text);
    ck_assert_str_eq(o.sentinel.saved.id, ID);
    ck_assert_uint_eq(o.sentinel.saved.current_epoch, 12);
    ck_assert_uint_eq(saved_find(&o.sentinel.saved, "m")->leader_epoch, 11);
    g = sentinel_conf_find(&o.sentinel, "m");
    ck_assert_int_eq(g->opt.parallel_syncs, 1);
    ck_assert_int_eq(g->opt.down_after_ms, 777);
    ck_assert_int_eq(g->opt.quorum, 2);
    ck_assert_str_eq(g->configured.host, "10.0.0.1");
    ck_assert_str_eq(saved_find(&o.sentinel.saved, "m")->primary.host, "10.0.0.5");
    ck_assert_ptr_null(sentinel_conf_find(&o.sentinel, "gone"));
    g = sentinel_conf_find(&o.sentinel, "new");
    ck_assert_ptr_nonnull(g);
    ck_assert_int_eq(g->opt.quorum, 3);
    ck_assert_int_eq(g->opt.parallel_syncs, 7);
    sentinel_options_fini(&o);
    /* the address in the file was edited meanwhile: it counts */
    ck_assert_int_eq(load("sentinel monitor m 10.0.0.77 6379 2\n"), 0);
    ck_assert_msg(sentinel_conf_state(&o.sentinel, (struct slice){body.p, body.len}, &err) == 0, "%s", err.text);
    ck_assert_str_eq(saved_find(&o.sentinel.saved, "m")->primary.host, "10.0.0.77");
    str_fini(&body);
    sentinel_options_fini(&o);
}
END_TEST

/* A setting changed at run time counts, until somebody edits that very line of the file. */
START_TEST(test_an_edited_file_wins_line_by_line)
{
    static const char was[] = "sentinel monitor m 10.0.0.1 6379 2\nsentinel down-after-milliseconds m 3000\nsentinel auth-pass m first\n"
                              "sentinel announce-port 7000\n";
    static const char edited[] = "sentinel monitor m 10.0.0.1 6379 2\nsentinel down-after-milliseconds m 9000\nsentinel auth-pass m first\n"
                                 "sentinel failover-timeout m 4000\nsentinel announce-port 7001\n";
    struct str body = {0};
    struct conf_group *g;

    ck_assert_int_eq(load(was), 0);
    g = sentinel_conf_find(&o.sentinel, "m");
    g->opt.down_after_ms = 777;
    mem_free(g->opt.auth_pass);
    g->opt.auth_pass = mem_strdup("second");
    g->opt.parallel_syncs = 5;
    o.sentinel.announce_port = 7777;
    strcpy(o.sentinel.saved.id, ID);
    to_state(&body);
    ck_assert_ptr_null(strstr(str_c(&body), "first"));       /* no old secrets in there */
    sentinel_options_fini(&o);

    ck_assert_int_eq(load(was), 0);
    ck_assert_msg(sentinel_conf_state(&o.sentinel, (struct slice){body.p, body.len}, &err) == 0, "%s", err.text);
    g = sentinel_conf_find(&o.sentinel, "m");
    ck_assert_int_eq(g->opt.down_after_ms, 777);
    ck_assert_str_eq(g->opt.auth_pass, "second");
    ck_assert_int_eq(g->opt.parallel_syncs, 5);
    ck_assert_int_eq(o.sentinel.announce_port, 7777);
    sentinel_options_fini(&o);

    ck_assert_int_eq(load(edited), 0);
    ck_assert_msg(sentinel_conf_state(&o.sentinel, (struct slice){body.p, body.len}, &err) == 0, "%s", err.text);
    g = sentinel_conf_find(&o.sentinel, "m");
    ck_assert_int_eq(g->opt.down_after_ms, 9000);
    ck_assert_str_eq(g->opt.auth_pass, "second");
    ck_assert_int_eq(g->opt.failover_timeout_ms, 4000);
    ck_assert_int_eq(g->opt.parallel_syncs, 5);
    ck_assert_int_eq(o.sentinel.announce_port, 7001);
    sentinel_options_fini(&o);
    str_fini(&body);
}
END_TEST

START_TEST(test_what_was_promised_is_a_line_of_the_file)
{
    struct str text = {0};

    ck_assert_int_eq(load("sentinel monitor m 10.0.0.1 6379 2\n"), 0);
    strcpy(o.sentinel.saved.id, ID);
    sentinel_conf_set_formed(&o.sentinel, "m", slice_z("promised 5\nrecord \"x\"\n"));
    rewritten("sentinel monitor m 10.0.0.1 6379 2\n", &text);
    ck_assert_ptr_nonnull(strstr(str_c(&text), "sentinel formed m \"promised 5\\nrecord \\\"x\\\"\\n\"\n"));
    sentinel_options_fini(&o);
    ck_assert_int_eq(load(str_c(&text)), 0);
    ck_assert_str_eq(sentinel_conf_formed(&o.sentinel, "m"), "promised 5\nrecord \"x\"\n");
    sentinel_conf_remove(&o.sentinel, "m");
    ck_assert_ptr_null(sentinel_conf_formed(&o.sentinel, "m"));
    sentinel_options_fini(&o);
    str_fini(&text);
}
END_TEST

SUITE(sentinel_conf, test_an_edited_file_wins_line_by_line, test_what_was_promised_is_a_line_of_the_file, test_options_before_monitor, test_refused, test_accepted, test_rewrite_keeps_places, test_state_over_file)
