/* Outgoing links against a server in the same loop: greeting, order, and how they end. */
#include "common/io/pubsub.h"
#include "common/io/resp_link.h"
#include "common/io/session.h"

#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "common/text/reply_walk.h"
#include "tests/support/suite.h"
#include "tests/support/turns.h"

#include <hiredis/hiredis.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

static struct loop *l;
static struct resp_server srv;
static struct command_table table;
static struct pubsub ps;
static uint16_t port;

struct told {
    int ups, ends, replies, nulls;
    enum link_end how[8];
    char why[128];
    struct str log;
};

static void cmd_hold(struct call *c)
{
    session_hold(c->session);
}

static const struct command own[] = {{"hold", 1, 0, cmd_hold, 0, 0, 0, "generic", "", "Never answered."}};

static void serve(uint16_t at)
{
    struct err e;

    resp_server_init(&srv, l, &table, NULL, NULL);
    srv.pubsub = &ps;
    ck_assert_msg(resp_server_listen(&srv, "127.0.0.1", at, 64, &e) == 0, "%s", e.text);
    port = resp_server_port(&srv);
}

static void begin(void)
{
    l = loop_new();
    command_table_init(&table);
    command_table_add(&table, session_commands, session_commands_n);
    command_table_add(&table, pubsub_commands, pubsub_commands_n);
    command_table_add(&table, own, 1);
    pubsub_init(&ps);
    serve(0);
}

static void finish(bool serving)
{
    if (serving)
        resp_server_fini(&srv);
    pubsub_fini(&ps);
    command_table_fini(&table);
    loop_free(l);
}

static void on_up(struct resp_link *k, void *owner)
{
    (void)k;
    ((struct told *)owner)->ups++;
}

static void on_end(struct resp_link *k, enum link_end how, const char *why, void *owner)
{
    struct told *t = owner;

    (void)k;
    t->how[t->ends++ % 8] = how;
    snprintf(t->why, sizeof t->why, "%s", why);
}

static void on_reply(void *arg, const struct redisReply *r)
{
    struct told *t = arg;
    struct slice s;

    if (!r) {
        t->nulls++;
        return;
    }
    t->replies++;
    s = reply_text(r);
    str_append(&t->log, s.p, s.len);
    str_append_c(&t->log, ' ');
}

static void on_push(void *arg, const struct redisReply *r)
{
    struct told *t = arg;
    struct slice s;

    if (reply_text_at(r, 0, &s))
        str_append(&t->log, s.p, s.len);
    str_append_c(&t->log, ' ');
}

static struct resp_link_opts opts(struct told *t)
{
    struct resp_link_opts o = {.on_up = on_up, .on_end = on_end, .on_push = on_push, .owner = t, .backoff_min_ms = 5};

    memset(t, 0, sizeof *t);
    addr_set(&o.to, "127.0.0.1", 9, port);
    return o;
}

START_TEST(commands_and_replies)
{
    struct told t;
    struct resp_link_opts o;
    struct resp_link *k;
    char ip[ADDR_HOST_MAX];

    begin();
    o = opts(&t);
    o.client_name = "me";
    k = resp_link_new(l, &o);
    ck_assert(!resp_link_sendz(k, on_reply, &t, "PING", NULL));
    turn_until(l, t.ups == 1);
    ck_assert(resp_link_sendz(k, on_reply, &t, "PING", NULL));
    ck_assert(resp_link_sendz(k, on_reply, &t, "ECHO", "two", NULL));
    ck_assert(resp_link_sendz(k, on_reply, &t, "CLIENT", "GETNAME", NULL));
    ck_assert(resp_link_sendz(k, on_reply, &t, "NONSENSE", NULL));
    ck_assert_uint_eq(resp_link_pending(k), 4);
    turn_until(l, t.replies == 4);
    ck_assert_int_eq(strncmp(str_c(&t.log), "PONG two me ERR unknown command", 31), 0);
    ck_assert(resp_link_peer_ip(k, ip));
    ck_assert_str_eq(ip, "127.0.0.1");
    ck_assert(resp_link_up_since_ms(k) != NEVER_MS);
    resp_link_free(k);
    str_fini(&t.log);
    finish(true);
}
END_TEST

START_TEST(closed_then_refused)
{
    struct told t;
    struct resp_link_opts o;
    struct resp_link *k;
    struct timer pause;
    int64_t closed_at;

    begin();
    memset(&pause, 0, sizeof pause);
    o = opts(&t);
    o.reconnect_at_once = true;
    o.backoff_min_ms = 50;
    k = resp_link_new(l, &o);
    turn_until(l, t.ups == 1);
    closed_at = clock_mono_ms() + 60;
    turn_until(l, clock_mono_ms() > closed_at);
    resp_link_sendz(k, on_reply, &t, "HOLD", NULL);
    turn_until(l, srv.stats.commands == 1);
    closed_at = clock_mono_ms();
    resp_server_fini(&srv);              /* the listener and all clients, as when a process dies */
    turn_until(l, t.ends == 2);
    ck_assert_int_eq(t.how[0], LINK_CLOSED);
    ck_assert_int_eq(t.how[1], LINK_REFUSED);
    ck_assert_int_eq(t.nulls, 1);
    ck_assert_int_lt(clock_mono_ms() - closed_at, 40);   /* sooner than any back-off */
    /* it goes on trying, and finds the server when it is back */
    serve(port);
    turn_until(l, t.ups == 2);
    resp_link_free(k);
    str_fini(&t.log);
    finish(true);
}
END_TEST

START_TEST(refused_passwords)
{
    struct told t;
    struct resp_link_opts o;
    struct resp_link *k;

    begin();
    resp_server_set_password(&srv, "secret");
    o = opts(&t);
    o.password = "wrong";
    k = resp_link_new(l, &o);
    turn_until(l, t.ends >= 1);
    ck_assert_int_eq(t.how[0], LINK_AUTH);
    ck_assert_ptr_nonnull(strstr(t.why, "WRONGPASS"));
    resp_link_set_auth(k, NULL, "secret");
    resp_link_retry_now(k);
    turn_until(l, t.ups == 1);
    /* a password that is not needed is no failure */
    resp_server_set_password(&srv, NULL);
    resp_link_drop(k, "test");
    ck_assert_int_eq(t.how[(t.ends - 1) % 8], LINK_BY_US);
    turn_until(l, t.ups == 2);
    resp_link_free(k);
    finish(true);
}
END_TEST

START_TEST(messages_and_replies_apart)
{
    struct told t;
    struct resp_link_opts o;
    struct resp_link *k;

    begin();
    o = opts(&t);
    k = resp_link_new(l, &o);
    turn_until(l, t.ups == 1);
    resp_link_sendz(k, NULL, NULL, "SUBSCRIBE", "a", "b", NULL);
    resp_link_sendz(k, on_reply, &t, "PING", NULL);
    turn_until(l, t.replies == 1);
    pubsub_publish(&ps, slice_z("a"), slice_z("x"));
    turn_until(l, strstr(str_c(&t.log), "message"));
    ck_assert_uint_eq(resp_link_pending(k), 0);
    ck_assert_str_eq(str_c(&t.log), "subscribe subscribe  message ");
    resp_link_free(k);
    str_fini(&t.log);
    finish(true);
}
END_TEST

/* A peer that speaks nonsense, or too much. */
static struct stream *peer;
static const char *peer_text;

static void peer_data(struct stream *s, void *o)
{
    (void)o;
    buf_consume(stream_in(s), buf_len(stream_in(s)));
    stream_write(s, peer_text, strlen(peer_text));
}

static void peer_end(struct stream *s, enum stream_end how, int why, void *o)
{
    (void)how, (void)why, (void)o;
    stream_close(s);
    peer = NULL;
}

static const struct stream_events peer_events = {NULL, peer_data, peer_end, NULL};

static void peer_came(int fd, const struct addr *a, bool is_unix, void *arg)
{
    (void)a, (void)is_unix, (void)arg;
    peer = stream_from_fd(l, fd, &peer_events, NULL);
}

START_TEST(broken_peers)
{
    static const char *const texts[] = {
        "?nonsense\r\n",
        "*2000000000\r\n",
        "*17\r\n",                          /* more than reply_max holds */
        "*9\r\n*9\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        "$900\r\n0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
        "+PONG\r\n+unasked\r\n",
    };
    struct listener *li = NULL;
    struct err e;

    begin();
    resp_server_fini(&srv);
    ck_assert_int_eq(listener_open(l, "127.0.0.1", 0, 16, peer_came, NULL, &li, &e), 0);
    port = listener_port(li);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct told t;
        struct resp_link_opts o = opts(&t);
        struct resp_link *k;
        o.reply_max = 64;
        peer_text = texts[i];
        k = resp_link_new(l, &o);
        turn_until(l, t.ups == 1);
        resp_link_sendz(k, on_reply, &t, "PING", NULL);
        turn_until(l, t.ends >= 1);
        ck_assert_int_eq(t.how[0], LINK_PROTOCOL);
        resp_link_free(k);
        turn_until(l, !peer);
        str_fini(&t.log);
    }
    listener_close(li);
    finish(false);
}
END_TEST

START_TEST(names_are_resolved_off_the_loop)
{
    struct told t;
    struct resp_link_opts o;
    struct resp_link *k;
    struct resolver *r;
    char ip[ADDR_HOST_MAX];
    struct addrinfo *known = NULL;
    const char *name = "localhost";

    if (getaddrinfo(name, NULL, NULL, &known) != 0)
        name = "127.0.0.1";            /* a bare root without /etc/hosts knows no names */
    else
        freeaddrinfo(known);
    begin();
    r = resolver_new(l);
    o = opts(&t);
    o.resolver = r;
    addr_set(&o.to, name, strlen(name), port);
    k = resp_link_new(l, &o);
    turn_until(l, t.ups == 1);
    ck_assert(resolve_cached(r, name, ip));
    ck_assert_str_eq(ip, "127.0.0.1");
    resp_link_free(k);
    addr_set(&o.to, "no-such-host.invalid", 20, port);
    o.connect_timeout_ms = 8000;
    k = resp_link_new(l, &o);
    turn_until(l, t.ends >= 1);
    ck_assert_int_eq(t.how[0], LINK_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(t.why, "cannot resolve no-such-host.invalid"));
    resp_link_free(k);
    o.resolver = NULL;
    memset(&t, 0, sizeof t);
    k = resp_link_new(l, &o);
    turn_until(l, t.ends >= 1);
    ck_assert_int_eq(t.how[0], LINK_UNREACHABLE);
    resp_link_free(k);
    resolver_free(r);
    finish(true);
}
END_TEST

/* The owner frees the link from inside each kind of callback. */
static struct resp_link *doomed;

static void free_on_reply(void *arg, const struct redisReply *r)
{
    (void)arg, (void)r;
    resp_link_free(doomed);
    doomed = NULL;
}

static void free_on_end(struct resp_link *k, enum link_end how, const char *why, void *owner)
{
    (void)how, (void)why, (void)owner;
    resp_link_free(k);
    doomed = NULL;
}

START_TEST(freed_from_inside)
{
    struct told t;
    struct resp_link_opts o;

    begin();
    o = opts(&t);
    doomed = resp_link_new(l, &o);
    turn_until(l, t.ups == 1);
    resp_link_sendz(doomed, free_on_reply, NULL, "PING", NULL);
    resp_link_sendz(doomed, on_reply, &t, "PING", NULL);
    turn_until(l, !doomed);
    doomed = resp_link_new(l, &o);
    turn_until(l, t.ups == 2);
    resp_link_sendz(doomed, free_on_reply, NULL, "HOLD", NULL);
    resp_link_sendz(doomed, on_reply, &t, "PING", NULL);
    loop_run_once(l, true);
    resp_link_drop(doomed, "x");
    ck_assert_ptr_null(doomed);
    o.on_end = free_on_end;
    doomed = resp_link_new(l, &o);
    turn_until(l, t.ups == 3);
    resp_link_drop(doomed, "x");
    ck_assert_ptr_null(doomed);
    ck_assert_int_eq(t.replies + t.nulls, 0);
    finish(true);
}
END_TEST

SUITE(resp_link, commands_and_replies, closed_then_refused, refused_passwords, messages_and_replies_apart, broken_peers,
      names_are_resolved_off_the_loop, freed_from_inside)
