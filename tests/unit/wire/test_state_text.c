/* State as lines and back; the seal tells whole files from broken ones, byte by byte. */
#include "common/text/conf_lex.h"
#include "sentinel/wire/state_text.h"
#include "tests/support/suite.h"

#include <string.h>

#define ID "0123456789abcdef0123456789abcdef01234567"
#define ID2 "89abcdef0123456789abcdef0123456701234567"

static int64_t quorum(void *arg, const char *group)
{
    (void)arg;
    (void)group;
    return 2;
}

static void line(void *arg, const char *key, const char *text)
{
    ck_assert_int_eq(strncmp(key, "sentinel ", 9), 0);
    str_printf(arg, "%s\n", text);
}

static void fill(struct saved *s, const char *name)
{
    struct saved_group *g;
    struct saved_peer p;
    struct addr a;

    saved_init(s);
    strcpy(s->id, ID);
    s->current_epoch = 9;
    g = saved_find_or_add(s, name);
    ck_assert(addr_set(&g->primary, "10.0.0.1", 8, 6379));
    g->config_epoch = 8;
    g->leader_epoch = 9;
    strcpy(g->leader, ID2);
    ck_assert(addr_set(&a, "10.0.0.2", 8, 6379));
    vec_push(&g->replicas, a);
    ck_assert(addr_set(&a, "fe80::1", 7, 6379));
    vec_push(&g->replicas, a);
    memset(&p, 0, sizeof p);
    strcpy(p.run_id, ID2);
    ck_assert(addr_set(&p.addr, "10.0.0.3", 8, 26379));
    vec_push(&g->peers, p);
}

static void read_body(struct slice body, struct saved *out)
{
    struct conf_words w;
    struct err e;
    int64_t q = 0;
    bool mine;

    saved_init(out);
    conf_words_init(&w);
    for (const char *p = body.p, *end = body.p + body.len; p < end;) {
        size_t n = strcspn(p, "\n");

        ck_assert_int_eq(conf_lex(p, n, &w, &e), 0);
        ck_assert_int_eq(state_line_read(out, w.argc - 1, w.argv + 1, &mine, &q, &e), 0);
        ck_assert(mine);
        p += n + 1;
    }
    ck_assert_int_eq(q, 2);
    conf_words_fini(&w);
}

static void round_trip(const char *name)
{
    struct saved s, back;
    struct str body = {0};
    struct state_writer w = {quorum, line, &body, true};
    struct saved_group *g;

    fill(&s, name);
    state_lines(&s, &w);
    read_body((struct slice){body.p, body.len}, &back);
    ck_assert_str_eq(back.id, ID);
    ck_assert_uint_eq(back.current_epoch, 9);
    ck_assert_uint_eq(back.groups.n, 1);
    g = &back.groups.at[0];
    ck_assert_str_eq(g->name, name);
    ck_assert_uint_eq(g->config_epoch, 8);
    ck_assert_uint_eq(g->leader_epoch, 9);
    ck_assert_str_eq(g->leader, ID2);
    ck_assert_uint_eq(g->replicas.n, 2);
    ck_assert_str_eq(g->replicas.at[1].host, "fe80::1");
    ck_assert_uint_eq(g->peers.n, 1);
    ck_assert_str_eq(g->peers.at[0].run_id, ID2);
    saved_fini(&s);
    saved_fini(&back);
    str_fini(&body);

}

START_TEST(test_round_trip)
{
    round_trip("orders");
    round_trip("with \"quotes\" and blanks\n");
}
END_TEST

START_TEST(test_bad_lines)
{
    static const char *const bad[] = {
        "myid short", "current-epoch -1", "current-epoch x", "monitor m 10.0.0.1 0 2", "monitor m 10.0.0.1 6379 0",
        "monitor m 10.0.0.1 6379", "config-epoch m", "leader-epoch m abc", "known-replica m 10.0.0.1",
        "known-replica m 10.0.0.1 70000", "known-sentinel m 10.0.0.1 26379 nothex", "voted-leader m 1", "config-epoch \"\" 1",
    };
    struct conf_words w;
    struct saved s;
    struct err e;

    saved_init(&s);
    conf_words_init(&w);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t q;
        bool mine;
        ck_assert_int_eq(conf_lex(bad[i], strlen(bad[i]), &w, &e), 0);
        ck_assert_msg(state_line_read(&s, w.argc, w.argv, &mine, &q, &e) != 0, "taken: %s", bad[i]);
    }
    conf_words_fini(&w);
    saved_fini(&s);
}
END_TEST

START_TEST(test_same_twice)
{
    static const char *const lines[] = {"known-replica m 10.0.0.1 6379", "known-slave m 10.0.0.1 6379",
                                        "known-sentinel m 10.0.0.2 26379 " ID, "known-sentinel m 10.0.0.3 26379 " ID};
    struct conf_words w;
    struct saved s;
    struct err e;

    saved_init(&s);
    conf_words_init(&w);
    for (size_t i = 0; i < 4; i++) {
        int64_t q;
        bool mine;
        ck_assert_int_eq(conf_lex(lines[i], strlen(lines[i]), &w, &e), 0);
        ck_assert_int_eq(state_line_read(&s, w.argc, w.argv, &mine, &q, &e), 0);
    }
    ck_assert_uint_eq(s.groups.at[0].replicas.n, 1);
    ck_assert_uint_eq(s.groups.at[0].peers.n, 1);
    ck_assert_str_eq(s.groups.at[0].peers.at[0].addr.host, "10.0.0.3");
    conf_words_fini(&w);
    saved_fini(&s);
}
END_TEST

SUITE(state_text, test_round_trip, test_bad_lines, test_same_twice)
