/* Replication: who follows whom, and the words that a primary and a replica exchange. */
#include "kvnode/cmd/cmd.h"

#include "common/base/num.h"
#include "common/io/log.h"
#include "kvnode/ha/ha.h"
#include "kvnode/repl/feed.h"
#include "kvnode/repl/handover.h"
#include "kvnode/repl/report.h"
#include "kvnode/repl/roles.h"
#include "kvnode/repl/wait.h"

static bool belongs_to_group(struct call *c)
{
    if (ha_takes_plain_orders(call_server(c)))
        return false;
    reply_error(c->reply, "ERR this node belongs to a formed group, which alone says whom it follows: SENTINEL FAILOVER moves the "
                          "primary, SENTINEL DISSOLVE makes the group plain again, HA STATUS tells how it stands");
    return true;
}

static void run_replicaof(struct call *c)
{
    struct server *srv = call_server(c);
    struct addr to;
    int64_t port;
    char text[ADDR_TEXT_MAX];

    if (handover_on(srv->handover)) {
        reply_error(c->reply, "ERR REPLICAOF not allowed while failing over.");
        return;
    }
    if (belongs_to_group(c))
        return;
    if (arg_is(c, 1, "no") && arg_is(c, 2, "one")) {
        if (role_is_replica(srv->role))
            log_notice("MASTER MODE enabled (user request from a client)");
        roles_lead(srv);
        reply_ok(c->reply);
        return;
    }
    if (!num_i64_in(c->argv[2].p, c->argv[2].len, 0, 65535, &port)) {
        reply_error(c->reply, "ERR Invalid master port");
        return;
    }
    if (!addr_set(&to, c->argv[1].p, c->argv[1].len, port)) {
        reply_error(c->reply, "ERR Invalid master host");
        return;
    }
    if (role_is_replica(srv->role) && addr_equal(&to, &srv->role->primary) && srv->role->state != ROLE_STUCK &&
        srv->role->state != ROLE_WAITING) {
        reply_simple(c->reply, "OK Already connected to specified master");
        return;
    }
    log_notice("REPLICAOF %s enabled (user request from a client)", addr_text(&to, text));
    roles_follow(srv, &to);
    reply_ok(c->reply);
}

static void run_psync(struct call *c) { feed_psync(call_server(c)->feed, c); }
static void run_sync(struct call *c) { feed_sync(call_server(c)->feed, c); }
static void run_replconf(struct call *c) { feed_replconf(call_server(c)->feed, c); }

static void run_failover(struct call *c)
{
    if (!belongs_to_group(c))
        handover_command(call_server(c)->handover, c);
}


#define ORDER (CMD_ADMIN | CMD_NOSCRIPT | CMD_STALE | CMD_NO_ASYNC_LOADING | CMD_DANGEROUS)
#define SYNC (CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING | CMD_NO_MULTI | CMD_DANGEROUS)

const struct command repl_commands[] = {
/*    name         arity flags                 run            keys     group     syntax, summary */
    { "replicaof", 3,    ORDER,                run_replicaof, 0, 0, 0, "server",
      "host port | NO ONE", "Copy everything from another server, or stop doing so.", .since = "5.0.0" },
    { "slaveof",   3,    ORDER,                run_replicaof, 0, 0, 0, "server",
      "host port | NO ONE", "The older name of REPLICAOF.", .since = "1.0.0" },
    { "failover",  -1,   CMD_ADMIN | CMD_NOSCRIPT | CMD_STALE | CMD_DANGEROUS, run_failover, 0, 0, 0, "server",
      "[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]", "Give the office of primary to a replica that has everything.",
      .since = "6.2.0" },
    { "role",      1,    CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST, report_role, 0, 0, 0, "server",
      "", "Tell the role of this server, its offset and its replicas or its primary.", .since = "2.8.12", .categories = "@admin @dangerous" },
    { "psync",     -3,   SYNC,                 run_psync,     0, 0, 0, "server",
      "replicationid offset", "Ask to be fed from an offset on; replicas use it.", .since = "2.8.0" },
    { "sync",      1,    SYNC,                 run_sync,      0, 0, 0, "server",
      "", "Ask for a full copy and everything after it; the form before PSYNC.", .since = "1.0.0" },
    { "replconf",  -1,   CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_DANGEROUS, run_replconf, 0, 0, 0, "server",
      "option value [option value ...]", "What replicas say about themselves, and their acknowledgements.", .since = "3.0.0" },
    { "wait",      3,    CMD_NOSCRIPT,         wait_command,  0, 0, 0, "generic",
      "numreplicas timeout", "Wait until so many replicas have this connection's last write.", .since = "3.0.0",
      .categories = "=@connection" },
};
ROWS(repl);
