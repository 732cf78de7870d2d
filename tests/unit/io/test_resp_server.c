/* Clients of a small server, over real sockets in one loop: order, pipelines, limits,
 * the commands of a session, pub/sub. */
#include "common/io/pubsub.h"
#include "common/io/session.h"

#include "common/base/mem.h"
#include "tests/support/client.h"
#include "tests/support/serving.h"

#include <stdio.h>
#include <string.h>

static struct loop *l;
static struct resp_server srv;
static struct command_table table;
static struct pubsub ps;
static int gone, errors_seen;
static bool together;                    /* who goes takes all others along, but the first that came */
static char last_error[32];
static struct session *held;

static void cmd_hold(struct call *c)
{
    held = c->session;
    session_hold(c->session);
}

static void cmd_big(struct call *c)
{
    char *p = mem_zalloc(100000);

    reply_bulk(c->reply, p, 100000);
    mem_free(p);
}

static void cmd_set(struct call *c)
{
    reply_ok(c->reply);
}

static const struct command own[] = {
    {"hold", 1, 0, cmd_hold, 0, 0, 0, "generic", "", "Answered later."},
    {"big", 1, 0, cmd_big, 0, 0, 0, "generic", "", "A large answer."},
    {"set", -3, CMD_WRITE, cmd_set, 1, 1, 1, "string", "key value", "A write."},
};

static void on_gone(struct session *s)
{
    gone++;
    if (together)
        list_each(struct session, other, &s->srv->sessions, link)
            if (other->id != 1 && !other->gone) {
                session_close(other);
                break;
            }
}

static void on_error_seen(struct resp_server *s, const char *code, size_t n)
{
    (void)s;
    errors_seen++;
    snprintf(last_error, sizeof last_error, "%.*s", (int)n, code);
}

static const char *role(struct resp_server *s)
{
    (void)s;
    return "master";
}

static void cl_open(struct cl *c) { cl_open_at(c, l, resp_server_port(&srv)); }

/* Send, and expect exactly this back; with nothing to send: expect what has come since. */
static void says(struct cl *c, const char *text, const char *want)
{
    size_t n = strlen(want);

    if (text[0]) {
        str_clear(&c->got);
        cl_send(c, text);
    }
    turn_until(l, c->got.len >= n || c->ended);
    turn_times(l, 3);                    /* anything more? */
    ck_assert_str_eq(str_c(&c->got), want);
    str_clear(&c->got);
}

static void has(struct cl *c, const char *text, const char *end, const char *part)
{
    str_clear(&c->got);
    cl_send(c, text);
    turn_until(l, c->ended || (c->got.len >= strlen(end) && strstr(str_c(&c->got), end)));
    ck_assert_msg(strstr(str_c(&c->got), part) != NULL, "no '%s' in: %s", part, str_c(&c->got));
}

static void begin(void)
{
    static const struct resp_server_hooks hooks = {.gone = on_gone, .error_seen = on_error_seen};

    l = loop_new();
    gone = errors_seen = 0;
    together = false;
    held = NULL;
    serving_open(&srv, &table, l, own, sizeof own / sizeof own[0], &hooks, NULL);
    command_table_add(&table, pubsub_commands, pubsub_commands_n);
    pubsub_init(&ps);
    srv.pubsub = &ps;
    srv.role = role;
}

static void finish(void)
{
    serving_close(&srv, &table);
    pubsub_fini(&ps);
    loop_free(l);
}

START_TEST(replies_come_in_order)
{
    struct cl c;

    begin();
    cl_open(&c);
    says(&c, "PING\r\n", "+PONG\r\n");
    says(&c, "*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n*1\r\n$4\r\nPING\r\n", "$2\r\nhi\r\n+PONG\r\n");
    says(&c, "nosuch a b\r\n", "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b' \r\n");
    says(&c, "ECHO\r\n", "-ERR wrong number of arguments for 'echo' command\r\n");
    ck_assert_int_eq(errors_seen, 2);
    ck_assert_str_eq(last_error, "ERR");
    says(&c, "\r\n*0\r\nPING x\r\n", "$1\r\nx\r\n");
    says(&c, "*1\r\n$4\r\nPI", "");
    says(&c, "NG\r\n", "+PONG\r\n");
    says(&c, "QUIT\r\nPING\r\n", "+OK\r\n");
    turn_until(l, c.ended);
    ck_assert_int_eq(gone, 1);
    cl_close(&c);
    finish();
}
END_TEST

START_TEST(long_pipelines_run_whole_and_leave_room)
{
    struct cl a, b;
    struct str many = {0};
    size_t before;

    begin();
    cl_open(&a);
    cl_open(&b);
    for (int i = 0; i < 20000; i++)
        str_append_z(&many, "PING\r\n");
    stream_write(a.s, many.p, many.len);
    cl_send(&b, "PING\r\n");
    turn_until(l, b.got.len == 7);
    before = a.got.len;
    turn_until(l, a.got.len == 20000 * 7);
    ck_assert_uint_lt(before, 20000 * 7);        /* b did not wait for all of a */
    ck_assert_uint_eq(srv.stats.commands, 20001);
    ck_assert_uint_eq(srv.stats.bytes_in, 20001 * 6);
    str_fini(&many);
    cl_close(&a);
    cl_close(&b);
    finish();
}
END_TEST

START_TEST(large_arguments)
{
    struct cl c;
    struct str one = {0};
    size_t n = 5 << 20;

    begin();
    cl_open(&c);
    str_printf(&one, "*2\r\n$4\r\nECHO\r\n$%zu\r\n", n);
    str_reserve(&one, n + 2);
    memset(one.p + one.len, 'x', n);
    one.len += n;
    str_append_z(&one, "\r\n");
    stream_write(c.s, one.p, one.len);
    turn_until(l, c.got.len >= n + 12);
    ck_assert_uint_eq(c.got.len, n + 12);
    str_fini(&one);
    cl_close(&c);
    finish();
}
END_TEST

START_TEST(held_clients_wait_in_order)
{
    struct cl c;

    begin();
    cl_open(&c);
    cl_send(&c, "PING\r\nHOLD\r\nPING after\r\n");
    turn_until(l, held && c.got.len == 7);
    reply_simple(session_reply(held), "LATE");
    says(&c, "", "+PONG\r\n+LATE\r\n");
    session_release(held);
    says(&c, "", "$5\r\nafter\r\n");
    /* a held client that goes away is noticed */
    cl_send(&c, "HOLD\r\n");
    held = NULL;
    turn_until(l, held);
    stream_close(c.s);
    turn_until(l, srv.nsessions == 0);
    ck_assert_int_eq(gone, 1);
    c.ended = true;
    cl_close(&c);
    finish();
}
END_TEST

START_TEST(protocol_errors_end_that_client_only)
{
    struct cl a, b;

    begin();
    cl_open(&a);
    cl_open(&b);
    has(&a, "*1\r\nfoo\r\nPING\r\n", "\r\n", "-ERR Protocol error: expected '$', got 'f'");
    turn_until(l, a.ended);
    ck_assert_ptr_null(strstr(str_c(&a.got), "PONG"));
    says(&b, "PING\r\n", "+PONG\r\n");
    cl_close(&a);
    cl_close(&b);
    finish();
}
END_TEST

START_TEST(passwords)
{
    struct cl c, d;

    begin();
    resp_server_set_password(&srv, "secret");
    cl_open(&c);
    says(&c, "PING\r\n", "-NOAUTH Authentication required.\r\n");
    says(&c, "AUTH wrong\r\n", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    says(&c, "AUTH secre\r\n", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    says(&c, "AUTH somebody secret\r\n", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    has(&c, "HELLO 3\r\n", "\r\n", "-NOAUTH HELLO must be called");
    has(&c, "HELLO 3 AUTH default wrong\r\n", "\r\n", "-WRONGPASS");
    says(&c, "AUTH default secret\r\n", "+OK\r\n");
    says(&c, "PING\r\n", "+PONG\r\n");
    says(&c, "ACL WHOAMI\r\n", "$7\r\ndefault\r\n");
    says(&c, "RESET\r\n", "+RESET\r\n");
    says(&c, "PING\r\n", "-NOAUTH Authentication required.\r\n");
    cl_open(&d);
    has(&d, "*1\r\n$20000\r\n", "\r\n", "-ERR Protocol error: unauthenticated bulk length");
    resp_server_set_password(&srv, NULL);
    cl_close(&d);
    cl_open(&d);
    has(&d, "AUTH x\r\n", "\r\n", "-ERR AUTH <password> called without any password configured");
    says(&d, "AUTH default x\r\n", "+OK\r\n");
    cl_close(&c);
    cl_close(&d);
    finish();
}
END_TEST

START_TEST(hello_chooses_the_protocol)
{
    struct cl c;

    begin();
    cl_open(&c);
    says(&c, "HELLO 4\r\n", "-NOPROTO unsupported protocol version\r\n");
    says(&c, "HELLO x\r\n", "-ERR Protocol version is not an integer or out of range\r\n");
    says(&c, "HELLO 3 NONSENSE\r\n", "-ERR Syntax error in HELLO option 'NONSENSE'\r\n");
    has(&c, "HELLO 2\r\n", "modules\r\n*0\r\n", "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15");
    has(&c, "HELLO 3 SETNAME me\r\n", "modules\r\n*0\r\n", "%7\r\n");
    says(&c, "CLIENT GETNAME\r\n", "$2\r\nme\r\n");
    says(&c, "CLIENT SETNAME \"\"\r\n", "+OK\r\n");
    says(&c, "CLIENT GETNAME\r\n", "_\r\n");
    cl_close(&c);
    finish();
}
END_TEST

START_TEST(client_lists_and_kills)
{
    struct cl a, b;
    char text[160];

    begin();
    cl_open(&a);
    cl_open(&b);
    says(&b, "CLIENT ID\r\n", ":2\r\n");
    says(&a, "CLIENT SETNAME \"a b\"\r\n",
         "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    says(&b, "CLIENT SETINFO lib-name redis-py\r\n", "+OK\r\n");
    has(&b, "CLIENT INFO\r\n", "\n\r\n", "flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=13 ");
    ck_assert_ptr_nonnull(strstr(str_c(&b.got), "cmd=client|info user=default redir=-1 resp=2 lib-name=redis-py"));
    has(&a, "CLIENT LIST ID 2 99\r\n", "\n\r\n", "id=2 ");
    has(&a, "CLIENT LIST TYPE pubsub\r\n", "\r\n", "$0\r\n");
    has(&a, "CLIENT LIST TYPE nonsense\r\n", "\r\n", "-ERR Unknown client type 'nonsense'");
    says(&a, "CLIENT KILL 127.0.0.1:1\r\n", "-ERR No such client\r\n");
    says(&a, "CLIENT KILL ID 0\r\n", "-ERR client-id should be greater than 0\r\n");
    says(&a, "CLIENT KILL ID 2 TYPE\r\n", "-ERR syntax error\r\n");
    says(&a, "CLIENT KILL ID 2 ADDR 1.2.3.4:5\r\n", ":0\r\n");
    says(&a, "CLIENT KILL ID 2\r\n", ":1\r\n");
    turn_until(l, b.ended);
    says(&a, "CLIENT KILL TYPE normal\r\n", ":0\r\n");
    snprintf(text, sizeof text, "CLIENT KILL 127.0.0.1:%d\r\n", stream_local(a.s).port);
    says(&a, text, "+OK\r\n");
    turn_until(l, a.ended);
    ck_assert_int_eq(gone, 2);
    cl_close(&a);
    cl_close(&b);
    finish();
}
END_TEST

START_TEST(reply_off_and_skip)
{
    struct cl c;

    begin();
    cl_open(&c);
    says(&c, "CLIENT REPLY OFF\r\nPING\r\nPING\r\nCLIENT REPLY ON\r\nPING x\r\n", "+OK\r\n$1\r\nx\r\n");
    says(&c, "CLIENT REPLY SKIP\r\nPING\r\nPING x\r\n", "$1\r\nx\r\n");
    cl_close(&c);
    finish();
}
END_TEST

START_TEST(pause_lets_writes_wait)
{
    struct cl a, b;

    begin();
    cl_open(&a);
    cl_open(&b);
    says(&a, "CLIENT PAUSE 100000 WRITE\r\n", "+OK\r\n");
    says(&b, "PING\r\nSET k v\r\nPING x\r\n", "+PONG\r\n");
    ck_assert_uint_eq(srv.nwaiting, 1);
    says(&a, "CLIENT UNPAUSE\r\n", "+OK\r\n");
    says(&b, "", "+OK\r\n$1\r\nx\r\n");
    says(&a, "CLIENT PAUSE 60\r\n", "+OK\r\n");
    says(&b, "PING\r\n", "");
    turn_until(l, b.got.len == 7);
    ck_assert(!resp_server_is_paused(&srv));
    says(&a, "CLIENT PAUSE x\r\n", "-ERR timeout is not an integer or out of range\r\n");
    cl_close(&a);
    cl_close(&b);
    finish();
}
END_TEST

START_TEST(too_many_clients)
{
    struct cl a, b;

    begin();
    srv.max_clients = 1;
    cl_open(&a);
    says(&a, "PING\r\n", "+PONG\r\n");
    cl_open(&b);
    turn_until(l, b.ended);
    ck_assert_str_eq(str_c(&b.got), "-ERR max number of clients reached\r\n");
    ck_assert_uint_eq(srv.stats.rejected, 1);
    cl_close(&a);
    cl_close(&b);
    finish();
}
END_TEST

START_TEST(slow_readers_are_dropped)
{
    struct cl a;

    begin();
    srv.out_limit[SESSION_NORMAL].hard = 1 << 20;
    cl_open(&a);
    stream_pause_reading(a.s, true);
    for (int i = 0; i < 200; i++)
        cl_send(&a, "BIG\r\n");
    turn_until(l, gone == 1);
    cl_close(&a);
    finish();
}
END_TEST

START_TEST(query_limit)
{
    struct cl a;
    char *p = mem_zalloc(100000);

    begin();
    srv.query_max_bytes = 50000;
    cl_open(&a);
    cl_send(&a, "*2\r\n$4\r\nECHO\r\n$99999\r\n");
    stream_write(a.s, p, 90000);
    turn_until(l, a.ended);
    mem_free(p);
    cl_close(&a);
    finish();
}
END_TEST

START_TEST(idle_clients_go)
{
    struct cl a, b;

    begin();
    srv.idle_timeout_ms = 10;
    cl_open(&a);
    cl_open(&b);
    has(&b, "SUBSCRIBE c\r\n", ":1\r\n", "c");
    turn_until(l, a.ended);
    ck_assert(!b.ended);
    cl_close(&a);
    cl_close(&b);
    finish();
}
END_TEST

START_TEST(publish_and_subscribe)
{
    struct cl a, b, c;

    begin();
    cl_open(&a);
    cl_open(&b);
    cl_open(&c);
    says(&a, "SUBSCRIBE x y\r\n", "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\ny\r\n:2\r\n");
    has(&b, "HELLO 3\r\n", "modules\r\n*0\r\n", "%7");
    says(&b, "PSUBSCRIBE x*\r\n", ">3\r\n$10\r\npsubscribe\r\n$2\r\nx*\r\n:1\r\n");
    says(&c, "PUBLISH x hello\r\n", ":2\r\n");
    says(&a, "", "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$5\r\nhello\r\n");
    says(&b, "", ">4\r\n$8\r\npmessage\r\n$2\r\nx*\r\n$1\r\nx\r\n$5\r\nhello\r\n");
    says(&a, "PING\r\n", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    has(&a, "SET k v\r\n", "context\r\n", "-ERR Can't execute 'set': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT");
    /* in RESP3 all commands go on; its own messages follow the reply */
    says(&b, "PUBLISH xx m\r\n", ":1\r\n>4\r\n$8\r\npmessage\r\n$2\r\nx*\r\n$2\r\nxx\r\n$1\r\nm\r\n");
    says(&c, "PUBSUB NUMSUB x nobody\r\n", "*4\r\n$1\r\nx\r\n:1\r\n$6\r\nnobody\r\n:0\r\n");
    says(&c, "PUBSUB NUMPAT\r\n", ":1\r\n");
    says(&c, "PUBSUB CHANNELS y*\r\n", "*1\r\n$1\r\ny\r\n");
    has(&a, "UNSUBSCRIBE\r\n", ":0\r\n", "unsubscribe");
    says(&a, "UNSUBSCRIBE\r\n", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n");
    says(&a, "PING\r\n", "+PONG\r\n");
    cl_close(&b);
    turn_until(l, pubsub_pattern_count(&ps) == 0);
    says(&c, "PUBLISH x hello\r\n", ":0\r\n");
    cl_close(&a);
    cl_close(&c);
    finish();
}
END_TEST

/* The end of one session may be the end of others, in the middle of a walk over all of them. */
START_TEST(some_go_together)
{
    struct cl c[6];

    begin();
    for (int i = 0; i < 6; i++)
        cl_open(&c[i]);
    says(&c[1], "SUBSCRIBE x\r\n", "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n");
    together = true;
    has(&c[0], "CLIENT KILL TYPE pubsub\r\n", "\r\n", ":1");
    turn_until(l, gone == 5);
    says(&c[0], "PING\r\n", "+PONG\r\n");
    for (int i = 1; i < 6; i++) {
        cl_close(&c[i]);
        cl_open(&c[i]);
    }
    has(&c[0], "CLIENT KILL TYPE normal\r\n", "\r\n", ":1");
    turn_until(l, gone == 10);
    for (int i = 1; i < 6; i++) {
        cl_close(&c[i]);
        cl_open(&c[i]);
    }
    for (int i = 0; i < 6; i++)
        cl_close(&c[i]);
    finish();                            /* they go with the server */
}
END_TEST

SUITE(resp_server, replies_come_in_order, long_pipelines_run_whole_and_leave_room, large_arguments,
      held_clients_wait_in_order, protocol_errors_end_that_client_only, passwords, hello_chooses_the_protocol,
      client_lists_and_kills, reply_off_and_skip, pause_lets_writes_wait, too_many_clients, slow_readers_are_dropped,
      query_limit, idle_clients_go, publish_and_subscribe, some_go_together)
