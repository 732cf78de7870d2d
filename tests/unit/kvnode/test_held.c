/* Replies that wait: over real sockets in one loop, with a pretend log (its offset is what a command makes it)
 * and a member that is the primary of an epoch because we say so. */
#include "kvnode/client/held.h"

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "kvnode/client/client.h"
#include "kvnode/ha/ha_inside.h"
#include "kvnode/repl/feed_inside.h"
#include "kvnode/server.h"
#include "tests/support/client.h"
#include "tests/support/serving.h"

#include <string.h>

static struct server srv;
static struct ha ha;
static struct feed feed;
static int ran;

/* Each is ten bytes of log. */
static void cmd_w(struct call *c)
{
    ran++;
    feed.history.offset += 10;
    reply_int(c->reply, feed.history.offset);
    held_touched(client_of(c->session), true);
}

static void cmd_r(struct call *c)
{
    ran++;
    reply_simple(c->reply, "READ");
    held_touched(client_of(c->session), false);
}

static void cmd_big(struct call *c)
{
    char *p = mem_zalloc(300000);

    feed.history.offset += 10;
    reply_bulk(c->reply, p, 300000);
    mem_free(p);
    held_touched(client_of(c->session), true);
}

/* As a slow command that moves the clock of the turn forward. */
static void cmd_slow(struct call *c)
{
    int64_t until = clock_mono_ms() + 40;

    while (clock_mono_ms() < until)
        ;
    loop_update_now(srv.loop);
    reply_ok(c->reply);
}

/* An acknowledgement that came. */
static void cmd_acked(struct call *c)
{
    held_confirmed(&srv, feed.history.offset);
    reply_ok(c->reply);
}

static const struct command own[] = {
    {"slow", 1, 0, cmd_slow, 0, 0, 0, "generic", "", "Takes long."},
    {"acked", 1, 0, cmd_acked, 0, 0, 0, "generic", "", "All is confirmed."},
    {"w", 1, CMD_WRITE, cmd_w, 0, 0, 0, "generic", "", "A write."},
    {"r", 1, CMD_READ, cmd_r, 0, 0, 0, "generic", "", "A read."},
    {"big", 1, CMD_WRITE, cmd_big, 0, 0, 0, "generic", "", "A large answer."},
};

static const char *admit(struct resp_server *rs, struct session *s)
{
    s->user = client_new(rs->owner, s);
    return NULL;
}

static void gone(struct session *s)
{
    held_gone(client_of(s));
    client_free(client_of(s));
    s->user = NULL;
}

static void lease(bool valid)
{
    ha.lease_until_ms = valid ? NEVER_MS : 1;
}

static void begin(void)
{
    static const struct resp_server_hooks hooks = {.admit = admit, .gone = gone};

    memset(&srv, 0, sizeof srv);
    memset(&ha, 0, sizeof ha);
    memset(&feed, 0, sizeof feed);
    ran = 0;
    srv.loop = loop_new();
    srv.ha = &ha;
    srv.ha_bound = true;
    srv.feed = &feed;
    feed.history.offset = 1000;
    ha.srv = &srv;
    ha.started = true;
    pthread_mutex_init(&ha.lock, NULL);
    ha.phase = ha.m.phase = MP_OPEN;
    ha.m.epoch = 7;
    ha.m.rec.timing.lease_ms = 60000;
    ha.holds = true;
    lease(true);
    held_init(&srv);
    held_confirmed(&srv, 1000);
    serving_open(&srv.resp, &srv.commands, srv.loop, own, sizeof own / sizeof own[0], &hooks, &srv);
}

static void finish(void)
{
    serving_close(&srv.resp, &srv.commands);
    held_fini(&srv);
    loop_free(srv.loop);
}

static void cl_open(struct cl *c) { cl_open_at(c, srv.loop, resp_server_port(&srv.resp)); }

static void turns(void)
{
    for (int i = 0; i < 8; i++)
        loop_run_once(srv.loop, false);
}

static void says(struct cl *c, const char *text)
{
    stream_write(c->s, text, strlen(text));
    turns();
}

/* This has come since the last look, and no more. */
#define got(c, want)                                                          \
    do {                                                                      \
        turns();                                                              \
        ck_assert_str_eq(str_c(&(c)->got), want);                             \
        str_clear(&(c)->got);                                                 \
    } while (0)

static const char *info(void)
{
    static struct str s;

    str_clear(&s);
    held_info(&srv, &s);
    return str_c(&s);
}

START_TEST(writes_wait_for_their_offset)
{
    struct cl a, b;

    begin();
    cl_open(&a);
    cl_open(&b);
    says(&a, "PING\r\nw\r\nPING\r\nw\r\n");
    ck_assert_int_eq(ran, 2);
    got(&a, "+PONG\r\n");
    says(&b, "PING\r\nw\r\n");
    says(&b, "PING\r\n");
    got(&b, "+PONG\r\n");
    ck_assert(strstr(info(), "ha_waiting_clients:2\r\nha_waiting_bytes:35\r\n") != NULL);
    held_confirmed(&srv, 1019);
    got(&a, "");                             /* a turn leaves together */
    held_confirmed(&srv, 1020);
    got(&a, ":1010\r\n+PONG\r\n:1020\r\n");
    got(&b, "");
    held_confirmed(&srv, 1030);
    got(&b, ":1030\r\n+PONG\r\n");
    ck_assert(strstr(info(), "ha_waiting_clients:0\r\nha_waiting_bytes:0\r\n") != NULL);
    cl_close(&a);
    cl_close(&b);
    finish();
}
END_TEST

START_TEST(barriers_of_one_client_in_order)
{
    struct cl a;

    begin();
    cl_open(&a);
    says(&a, "w\r\n");
    says(&a, "PING\r\nw\r\n");
    says(&a, "w\r\n");
    held_confirmed(&srv, 1010);
    got(&a, ":1010\r\n+PONG\r\n");           /* up to where the next one begins */
    held_confirmed(&srv, 1030);
    got(&a, ":1020\r\n:1030\r\n");
    cl_close(&a);
    finish();
}
END_TEST

START_TEST(confirmed_in_its_own_turn)
{
    struct cl a;

    begin();
    cl_open(&a);
    held_confirmed(&srv, 5000);              /* as a primary alone in its group has it at once */
    says(&a, "w\r\nr\r\n");
    got(&a, ":1010\r\n+READ\r\n");
    cl_close(&a);
    finish();
}
END_TEST

START_TEST(reads_in_three_modes)
{
    struct cl a, b;

    begin();
    cl_open(&a);
    cl_open(&b);
    srv.opt.ha_read = HA_READ_COMMITTED;
    says(&a, "r\r\n");
    got(&a, "+READ\r\n");                    /* all that it could have seen is confirmed */
    says(&b, "w\r\n");
    says(&a, "r\r\n");
    got(&a, "");
    held_confirmed(&srv, 1010);
    got(&a, "+READ\r\n");
    got(&b, ":1010\r\n");
    says(&b, "w\r\n");
    srv.opt.ha_read = HA_READ_LEASED;
    says(&a, "r\r\n");
    got(&a, "+READ\r\n");
    says(&b, "r\r\n");                       /* behind its own write */
    got(&b, "");
    srv.opt.ha_read = HA_READ_DIRTY;
    says(&a, "r\r\n");
    got(&a, "+READ\r\n");
    held_confirmed(&srv, 1020);
    got(&b, ":1020\r\n+READ\r\n");
    cl_close(&a);
    cl_close(&b);
    finish();
}
END_TEST

START_TEST(reads_need_the_lease_when_they_leave)
{
    struct cl a, b;

    begin();
    cl_open(&a);
    cl_open(&b);
    lease(false);
    srv.opt.ha_read = HA_READ_COMMITTED;
    says(&a, "r\r\nPING\r\n");
    says(&b, "w\r\n");
    held_confirmed(&srv, 1010);
    got(&b, ":1010\r\n");                    /* what is confirmed needs none */
    got(&a, "");
    srv.opt.ha_read = HA_READ_LEASED;
    says(&b, "r\r\n");
    got(&b, "");
    lease(true);
    got(&a, "+READ\r\n+PONG\r\n");
    got(&b, "+READ\r\n");
    lease(false);
    srv.opt.ha_read = HA_READ_DIRTY;
    says(&a, "r\r\n");
    got(&a, "+READ\r\n");
    srv.opt.ha_read = HA_READ_LEASED;
    says(&b, "w\r\n");
    says(&b, "r\r\n");                       /* joins what waits, with its need of a lease */
    held_confirmed(&srv, 1020);
    got(&b, "");
    lease(true);
    got(&b, ":1020\r\n+READ\r\n");
    cl_close(&a);
    cl_close(&b);
    finish();
}
END_TEST

START_TEST(too_late_is_unconfirmed)
{
    struct cl a, b;

    begin();
    ha.m.rec.timing.lease_ms = 200;
    srv.opt.sync_timeout_ms = 30;
    cl_open(&a);
    cl_open(&b);
    says(&a, "w\r\nPING\r\nw\r\n");
    turn_until(srv.loop, a.ended);
    ck_assert_int_eq(strncmp(str_c(&a.got), "-UNCONFIRMED executed here", 26), 0);
    ck_assert_ptr_eq(strchr(str_c(&a.got), '\n'), str_c(&a.got) + a.got.len - 1);
    ck_assert(strstr(info(), "ha_unconfirmed_clients:1\r\n") != NULL);
    says(&b, "PING\r\n");
    got(&b, "+PONG\r\n");
    srv.opt.sync_timeout_ms = 60000;         /* no longer than the lease */
    says(&b, "r\r\n");
    turn_until(srv.loop, b.ended);
    ck_assert_int_eq(strncmp(str_c(&b.got), "-UNCONFIRMED what was read", 26), 0);
    cl_close(&a);
    cl_close(&b);
    finish();
}
END_TEST

/* Time passed while nobody looked; what was confirmed meanwhile arrives in the turn in which the clock strikes. */
START_TEST(confirmed_wins_over_the_clock)
{
    struct cl a;

    begin();
    ha.m.rec.timing.lease_ms = 20;
    cl_open(&a);
    stream_write(a.s, "w\r\n", 3);
    turn_until(srv.loop, ran == 1);
    int64_t until = clock_mono_ms() + 50;
    while (clock_mono_ms() < until)
        ;
    held_confirmed(&srv, 1010);
    got(&a, ":1010\r\n");
    cl_close(&a);
    finish();
}
END_TEST

/* A slow command's turn ends late, but knows nothing of what arrived meanwhile: it tells nobody that it is too late. */
START_TEST(a_slow_command_costs_nobody_the_confirmation)
{
    struct cl a, b, c;

    begin();
    ha.m.rec.timing.lease_ms = 20;
    cl_open(&a);
    cl_open(&b);
    cl_open(&c);
    for (int i = 0; i < 3; i++) {
        stream_write(a.s, "w\r\n", 3);
        turn_until(srv.loop, ran == i + 1);
        stream_write(b.s, "slow\r\n", 6);
        loop_run_once(srv.loop, false);          /* it is in its socket now */
        stream_write(c.s, "acked\r\n", 7);
        turn_until(srv.loop, b.got.len > 0 && c.got.len > 0);
        turns();
        ck_assert_int_ne(a.got.p[0], '-');
        str_clear(&a.got);
        str_clear(&b.got);
        str_clear(&c.got);
    }
    cl_close(&a);
    cl_close(&b);
    cl_close(&c);
    finish();
}
END_TEST

/* Not at the end of the turn in which the acknowledgement came: there and then. */
START_TEST(confirmed_leaves_at_once)
{
    struct cl a, b;
    struct session *sa, *sb;

    begin();
    cl_open(&a);
    cl_open(&b);
    says(&a, "w\r\n");
    says(&b, "w\r\nQUIT\r\n");
    sa = session_by_id(&srv.resp, 1);
    sb = session_by_id(&srv.resp, 2);
    ck_assert(sa && sb);
    ck_assert_uint_eq(stream_bytes_out(sa->stream), 0);
    held_confirmed(&srv, 1010);
    ck_assert_uint_eq(stream_bytes_out(sa->stream), 7);
    ck_assert_uint_eq(stream_bytes_out(sb->stream), 0);
    held_confirmed(&srv, 1020);
    ck_assert_ptr_null(session_by_id(&srv.resp, 2));
    turn_until(srv.loop, b.ended);
    ck_assert_str_eq(str_c(&b.got), ":1020\r\n+OK\r\n");
    got(&a, ":1010\r\n");
    cl_close(&a);
    cl_close(&b);
    finish();
}
END_TEST

START_TEST(demoted_tells_everybody)
{
    struct cl a, b, c;

    begin();
    cl_open(&a);
    cl_open(&b);
    cl_open(&c);
    says(&a, "PING\r\nw\r\nQUIT\r\n");
    says(&b, "w\r\n");
    says(&b, "w\r\n");
    held_give_up(&srv, "demoted");
    turn_until(srv.loop, a.ended && b.ended);
    ck_assert_int_eq(strncmp(str_c(&a.got), "+PONG\r\n-UNCONFIRMED ", 20), 0);
    ck_assert_int_eq(strncmp(str_c(&b.got), "-UNCONFIRMED ", 13), 0);
    says(&c, "PING\r\n");
    got(&c, "+PONG\r\n");
    ck_assert(!c.ended);
    cl_close(&a);
    cl_close(&b);
    cl_close(&c);
    finish();
}
END_TEST

/* What an earlier epoch of ours confirmed says nothing of this one, whose offsets may be lower. */
START_TEST(another_epoch_confirms_anew)
{
    struct cl a;

    begin();
    held_confirmed(&srv, 9000);
    held_give_up(&srv, "demoted");
    ha.m.epoch = 9;
    cl_open(&a);
    says(&a, "w\r\n");
    got(&a, "");
    held_confirmed(&srv, 1010);
    got(&a, ":1010\r\n");
    ha.m.epoch = 11;                         /* nobody even said that it ended */
    says(&a, "r\r\n");
    got(&a, "");
    held_confirmed(&srv, 1010);
    got(&a, "+READ\r\n");
    cl_close(&a);
    finish();
}
END_TEST

START_TEST(quit_reply_off_kill_and_leave)
{
    struct cl a, b, c, d;

    begin();
    cl_open(&a);
    cl_open(&b);
    cl_open(&c);
    cl_open(&d);
    says(&a, "w\r\nQUIT\r\n");
    says(&b, "CLIENT REPLY OFF\r\nw\r\nw\r\n");
    says(&b, "CLIENT REPLY ON\r\n");
    got(&b, "+OK\r\n");                      /* nothing was answered that could wait */
    says(&c, "w\r\n");
    session_close(session_by_id(&srv.resp, 3));
    turn_until(srv.loop, c.ended);
    says(&d, "w\r\n");
    stream_close(d.s);
    d.ended = true;
    got(&a, "");
    ck_assert(!a.ended);
    ck_assert(strstr(info(), "ha_waiting_clients:2\r\n") != NULL);     /* one who says no more may still listen */
    held_confirmed(&srv, 1100);
    turn_until(srv.loop, a.ended);
    turn_until(srv.loop, srv.resp.nsessions == 1);
    ck_assert_str_eq(str_c(&a.got), ":1010\r\n+OK\r\n");
    cl_close(&a);
    cl_close(&b);
    cl_close(&c);
    cl_close(&d);
    finish();
}
END_TEST

/* One that sends for ever and hears nothing is not run for ever. */
START_TEST(a_client_that_does_not_wait_is_stopped)
{
    struct cl a;
    size_t many = 300000;
    char *text = mem_alloc(3 * many);

    begin();
    cl_open(&a);
    for (size_t i = 0; i < many; i++)
        memcpy(text + 3 * i, "w\r\n", 3);
    stream_write(a.s, text, 3 * many);
    turn_until(srv.loop, strstr(info(), "ha_waiting_stopped:1\r\n") != NULL);
    ck_assert_int_lt(ran, (1 << 20) / 8 + 2048);
    int was = ran;
    turns();
    ck_assert_int_eq(ran, was);
    int64_t until = clock_mono_ms() + 20000;
    while (ran < (int)many && clock_mono_ms() < until) {
        held_confirmed(&srv, feed.history.offset);
        turns();
    }
    ck_assert_int_eq(ran, (int)many);
    held_confirmed(&srv, feed.history.offset);
    turns();
    turn_until(srv.loop, strstr(info(), "ha_waiting_bytes:0\r\nha_waiting_stopped:0\r\n") != NULL);
    str_clear(&a.got);
    says(&a, "big\r\nbig\r\nbig\r\nbig\r\nbig\r\nbig\r\nbig\r\nbig\r\nbig\r\n");
    turn_until(srv.loop, strstr(info(), "ha_waiting_stopped:1\r\n") != NULL);
    held_give_up(&srv, "demoted");           /* while it is stopped */
    turn_until(srv.loop, a.ended);
    mem_free(text);
    cl_close(&a);
    finish();
}
END_TEST

/* Turns, not bytes: one request in each. */
START_TEST(a_client_of_many_turns_is_stopped)
{
    struct cl a;

    begin();
    cl_open(&a);
    for (int i = 0; i < 1200; i++) {
        stream_write(a.s, "w\r\n", 3);
        loop_run_once(srv.loop, false);
        loop_run_once(srv.loop, false);
    }
    turns();
    ck_assert_int_le(ran, 1026);
    ck_assert(strstr(info(), "ha_waiting_stopped:1\r\n") != NULL);
    held_confirmed(&srv, feed.history.offset);
    turn_until(srv.loop, ran == 1200);
    held_confirmed(&srv, feed.history.offset);
    turns();
    ck_assert(strstr(info(), "ha_waiting_clients:0\r\n") != NULL);
    cl_close(&a);
    finish();
}
END_TEST

SUITE(held, writes_wait_for_their_offset, barriers_of_one_client_in_order, confirmed_in_its_own_turn, reads_in_three_modes,
      reads_need_the_lease_when_they_leave, too_late_is_unconfirmed, confirmed_wins_over_the_clock,
      a_slow_command_costs_nobody_the_confirmation, confirmed_leaves_at_once, demoted_tells_everybody, another_epoch_confirms_anew, quit_reply_off_kill_and_leave, a_client_that_does_not_wait_is_stopped,
      a_client_of_many_turns_is_stopped)
