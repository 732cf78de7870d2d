/* A small RESP server on a free port of 127.0.0.1: the commands of a session, and those of the test. */
#ifndef KV_TESTS_SERVING_H
#define KV_TESTS_SERVING_H

#include "common/io/session.h"
#include "tests/support/suite.h"

/* hooks and own are kept. More commands may be added to the table before anybody connects. */
static inline void serving_open(struct resp_server *srv, struct command_table *table, struct loop *l, const struct command *own,
                                size_t n, const struct resp_server_hooks *hooks, void *owner)
{
    struct err e = {0};

    command_table_init(table);
    command_table_add(table, session_commands, session_commands_n);
    command_table_add(table, own, n);
    resp_server_init(srv, l, table, hooks, owner);
    ck_assert_msg(resp_server_listen(srv, "127.0.0.1", 0, 64, &e) == 0, "%s", e.text);
}

static inline void serving_close(struct resp_server *srv, struct command_table *table)
{
    resp_server_fini(srv);
    command_table_fini(table);
}

#endif
