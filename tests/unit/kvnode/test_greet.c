#include "kvnode/repl/greet.h"

#include "tests/support/suite.h"

#include "kvnode/disk/record.h"
#include "kvnode/ha/ha.h"
#include "kvnode/repl/history.h"
#include "kvnode/server.h"

#include <string.h>

/* A node that is not started: it greets as a plain one. */
static struct server *server_with(char *user, char *password, char *ip)
{
    static struct server srv;
    static struct history history;

    if (!srv.ha) {
        ck_assert_int_eq(record_load("/nonexistent/record", false, &srv.record, NULL), 0);
        srv.loop = loop_new();
        srv.history = &history;
        ha_init(&srv);
    }
    srv.opt.masteruser = user;
    srv.opt.masterauth = password;
    srv.opt.replica_announce_ip = ip;
    srv.opt.replica_announce_port = 7000;
    return &srv;
}

static char alice[] = "alice", secret[] = "secret", address[] = "10.0.0.1", nothing[] = "";

START_TEST(says_what_is_needed)
{
    static const struct { char *user, *password, *ip; int rows; const char *has, *has_not; } cases[] = {
        {NULL, NULL, NULL, 4, "listening-port", "AUTH"},
        {nothing, nothing, nothing, 4, "7000", "ip-address"},
        {NULL, secret, NULL, 5, "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n", "alice"},
        {alice, secret, address, 6, "*3\r\n$4\r\nAUTH\r\n$5\r\nalice\r\n$6\r\nsecret\r\n", NULL},
        {alice, NULL, address, 5, "10.0.0.1", "AUTH"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct greeting g = {0};
        struct buf out = {0};
        greet_say(&g, server_with(cases[i].user, cases[i].password, cases[i].ip), &out);
        buf_append(&out, "", 1);
        ck_assert(strstr(buf_data(&out), cases[i].has) != NULL);
        ck_assert(strstr(buf_data(&out), "psync2") != NULL);
        ck_assert(cases[i].has_not == NULL || strstr(buf_data(&out), cases[i].has_not) == NULL);
        for (int n = 0; n < cases[i].rows; n++) {
            ck_assert(!greet_done(&g));
            ck_assert_int_eq(greet_answer(&g, slice_z("+OK"), NULL), 0);
        }
        ck_assert(greet_done(&g));
        buf_fini(&out);
    }
}
END_TEST

/* Which answer to which row ends the greeting (rows: AUTH, PING, port, ip, capa, ha-member). */
START_TEST(some_errors_pass)
{
    static const struct { int row; const char *line; bool passes; } cases[] = {
        {0, "-WRONGPASS invalid username-password pair", false}, {0, "-ERR anything", false},
        {1, "-NOAUTH Authentication required.", true},           {1, "-NOPERM this user", true},
        {1, "-ERR operation not permitted", true},               {1, "-LOADING Redis is loading", false},
        {1, "-MASTERDOWN Link", false},                          {1, "-ERR", false},
        {2, "-ERR unknown command", true},                       {3, "-ERR unknown option", true},
        {4, "-ERR unknown option", true},                        {5, "-ERR Unrecognized REPLCONF option: ha-member", true},
        {5, "+HA 0123456789012345678901234567890123456789 7000", true},
        {5, "+HA 0123456789012345678901234567890123456789 7000 vote from x", false},
        {5, "+HA 0123456789012345678901234567890123456789 7000 look", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct greeting g = {0};
        struct buf out = {0};
        struct err e = {0};
        greet_say(&g, server_with(alice, secret, address), &out);
        for (int n = 0; n < cases[i].row; n++)
            ck_assert_int_eq(greet_answer(&g, slice_z("+OK"), NULL), 0);
        int rc = greet_answer(&g, slice_z(cases[i].line), &e);
        ck_assert_msg((rc == 0) == cases[i].passes, "%d %s", cases[i].row, cases[i].line);
        ck_assert(rc == 0 || cases[i].row == 5 || strstr(e.text, cases[i].line) != NULL);
        ck_assert(strstr(e.text, secret) == NULL);
        buf_fini(&out);
    }
}
END_TEST

SUITE(greet, says_what_is_needed, some_errors_pass)
