/* Sessions whose output waits to be allowed: what leaves, in which order, and how such a session ends. */
#include "common/io/session.h"

#include "tests/support/client.h"
#include "tests/support/serving.h"

#include <string.h>
#include <sys/socket.h>

static struct loop *l;
static struct resp_server srv;
static struct command_table table;
static struct session *who;
static int gone;

/* From the answer to this request on, output waits. */
static void cmd_wait(struct call *c)
{
    who = c->session;
    if (stream_allowed(who->stream) == STREAM_ALL)
        stream_allow(who->stream, who->request_at);
    reply_ok(c->reply);
}

static void cmd_fail(struct call *c)
{
    reply_bulk_z(c->reply, "half of it");
    session_give_up(c->session, "UNCONFIRMED no");
}

static const struct command own[] = {
    {"kept", 1, 0, cmd_wait, 0, 0, 0, "generic", "", "An answer that waits."},
    {"fail", 1, 0, cmd_fail, 0, 0, 0, "generic", "", "Gives itself up."},
};

static void on_gone(struct session *s)
{
    (void)s;
    gone++;
}

static void begin(struct cl *c)
{
    static const struct resp_server_hooks hooks = {.gone = on_gone};

    gone = 0;
    who = NULL;
    l = loop_new();
    serving_open(&srv, &table, l, own, sizeof own / sizeof own[0], &hooks, NULL);
    cl_open_at(c, l, resp_server_port(&srv));
}

static void finish(struct cl *c)
{
    cl_close(c);
    serving_close(&srv, &table);
    loop_free(l);
}

static void turns(void) { turn_times(l, 5); }

/* Sends, and after some turns this much and no more has come in all. */
static void gets(struct cl *c, const char *text, const char *want)
{
    stream_write(c->s, text, strlen(text));
    turn_until(l, c->got.len >= strlen(want) || c->ended);
    turns();
    ck_assert_str_eq(str_c(&c->got), want);
}

START_TEST(order_is_kept_behind_what_waits)
{
    struct cl c;

    begin(&c);
    gets(&c, "PING\r\nkept\r\nPING\r\n", "+PONG\r\n");
    turn_until(l, who != NULL);
    gets(&c, "ECHO x\r\n", "+PONG\r\n");
    reply_simple(session_reply(who), "PUSH");
    turns();
    ck_assert_str_eq(str_c(&c.got), "+PONG\r\n");
    session_allow(who, stream_allowed(who->stream) + 5);
    gets(&c, "", "+PONG\r\n+OK\r\n");
    session_allow(who, STREAM_ALL);
    gets(&c, "PING\r\n", "+PONG\r\n+OK\r\n+PONG\r\n$1\r\nx\r\n+PUSH\r\n+PONG\r\n");
    finish(&c);
}
END_TEST

START_TEST(quit_goes_when_all_has_left)
{
    struct cl c;

    begin(&c);
    gets(&c, "kept\r\nQUIT\r\nPING\r\n", "");
    ck_assert_int_eq(gone, 0);
    session_allow(who, STREAM_ALL);
    turn_until(l, c.ended);
    ck_assert_str_eq(str_c(&c.got), "+OK\r\n+OK\r\n");
    ck_assert_int_eq(gone, 1);
    finish(&c);
}
END_TEST

START_TEST(a_broken_request_is_told_behind_what_waits)
{
    struct cl c;

    begin(&c);
    gets(&c, "kept\r\n*1\r\n!\r\n", "");
    session_allow(who, STREAM_ALL);
    turn_until(l, c.ended);
    ck_assert(strncmp(str_c(&c.got), "+OK\r\n-ERR Protocol error", 24) == 0);
    finish(&c);
}
END_TEST

START_TEST(given_up_it_says_so_once_and_goes)
{
    struct cl c;

    begin(&c);
    gets(&c, "PING\r\nkept\r\nkept\r\nQUIT\r\n", "+PONG\r\n");
    session_give_up(who, "UNCONFIRMED by nobody");
    turn_until(l, c.ended);
    ck_assert_str_eq(str_c(&c.got), "+PONG\r\n-UNCONFIRMED by nobody\r\n");
    ck_assert_int_eq(gone, 1);
    finish(&c);
}
END_TEST

START_TEST(given_up_inside_its_own_request)
{
    struct cl c;

    begin(&c);
    gets(&c, "CLIENT REPLY SKIP\r\nkept\r\nkept\r\nCLIENT REPLY OFF\r\nfail\r\nPING\r\n", "-UNCONFIRMED no\r\n");
    turn_until(l, c.ended);
    ck_assert_int_eq(gone, 1);
    finish(&c);
}
END_TEST

START_TEST(killed_while_it_waits)
{
    struct cl c;

    begin(&c);
    gets(&c, "kept\r\n", "");
    turn_until(l, who != NULL);
    session_close(who);
    turn_until(l, c.ended);
    ck_assert_uint_eq(c.got.len, 0);
    finish(&c);
}
END_TEST

START_TEST(reply_off_takes_back_what_waits_only_of_its_own)
{
    struct cl c;

    begin(&c);
    gets(&c, "kept\r\nCLIENT REPLY SKIP\r\nkept\r\nPING\r\n", "");
    session_allow(who, STREAM_ALL);
    gets(&c, "", "+OK\r\n+PONG\r\n");
    finish(&c);
}
END_TEST

/* One who says no more, as a script at the end of a pipe, still hears the answer. */
START_TEST(half_closed_hears_its_answer)
{
    struct cl c;

    begin(&c);
    gets(&c, "PING\r\nkept\r\nPING\r\n", "+PONG\r\n");
    shutdown(stream_fd(c.s), SHUT_WR);
    turns();
    ck_assert_int_eq(gone, 0);
    session_allow(who, STREAM_ALL);
    turn_until(l, c.ended);
    ck_assert_str_eq(str_c(&c.got), "+PONG\r\n+OK\r\n+PONG\r\n");
    ck_assert_int_eq(gone, 1);
    finish(&c);
}
END_TEST

/* ... and is given up like anybody. */
START_TEST(half_closed_and_given_up)
{
    struct cl c;

    begin(&c);
    gets(&c, "kept\r\n", "");
    shutdown(stream_fd(c.s), SHUT_WR);
    turns();
    session_give_up(who, "UNCONFIRMED no");
    turn_until(l, c.ended);
    ck_assert_str_eq(str_c(&c.got), "-UNCONFIRMED no\r\n");
    finish(&c);
}
END_TEST

/* What waits counts for the client's output limit. */
START_TEST(limits_count_what_waits)
{
    struct cl c;
    char text[40 * 6 + 1] = "";

    begin(&c);
    srv.out_limit[SESSION_NORMAL].hard = 100;
    for (int i = 0; i < 40; i++)
        strcat(text, "kept\r\n");
    stream_write(c.s, text, strlen(text));
    turn_until(l, c.ended);
    ck_assert_uint_eq(c.got.len, 0);
    ck_assert_int_eq(gone, 1);
    finish(&c);
}
END_TEST

START_TEST(idle_is_not_who_waits)
{
    struct cl c;

    begin(&c);
    srv.idle_timeout_ms = 1;
    gets(&c, "kept\r\n", "");
    turn_until(l, who != NULL);
    int64_t until = clock_mono_ms() + 1300;      /* one round of looking for idle clients */
    turn_until(l, clock_mono_ms() > until);
    ck_assert(!c.ended);
    session_allow(who, STREAM_ALL);
    turn_until(l, c.ended);
    ck_assert_str_eq(str_c(&c.got), "+OK\r\n");
    finish(&c);
}
END_TEST

SUITE(session_wait, order_is_kept_behind_what_waits, quit_goes_when_all_has_left, a_broken_request_is_told_behind_what_waits,
      given_up_it_says_so_once_and_goes, given_up_inside_its_own_request, killed_while_it_waits,
      reply_off_takes_back_what_waits_only_of_its_own, half_closed_hears_its_answer, half_closed_and_given_up, limits_count_what_waits, idle_is_not_who_waits)
