/* MULTI, EXEC, DISCARD, WATCH, UNWATCH. What a transaction did goes to the replicas between MULTI
 * and EXEC, only if it did something. */
#include "kvnode/cmd/cmd.h"

#include "kvnode/client/txn.h"

#define WATCHED_MAX 10000          /* of one client; each is looked at for every further WATCH */

static void cmd_multi(struct call *c)
{
    struct client *cl = call_client(c);

    if (cl->txn != TXN_NONE) {
        reply_error(c->reply, "ERR MULTI calls can not be nested");
        return;
    }
    cl->txn = TXN_QUEUEING;
    reply_ok(c->reply);
}

static void cmd_discard(struct call *c)
{
    struct client *cl = call_client(c);

    if (cl->txn == TXN_NONE) {
        reply_error(c->reply, "ERR DISCARD without MULTI");
        return;
    }
    txn_discard(cl);
    reply_ok(c->reply);
}

/* Rules may have changed since it was queued. */
static bool still_allowed(struct client *cl, const struct queued *q, struct reply *r)
{
    static const char *const why[] = {
        [ACL_NO_COMMAND] = "no permission to run the command", [ACL_NO_KEY] = "no permission to touch its keys",
        [ACL_NO_CHANNEL] = "no permission to use its channels"};
    enum acl_verdict v = session_acl_check(cl->session, q->cmd, q->argc, q->argv);

    if (v != ACL_OK)
        reply_errorf(r, "NOPERM ACLs rules changed since this command was queued: %s", why[v]);
    return v == ACL_OK;
}

static void run_queue(struct call *c)
{
    struct client *cl = call_client(c);
    struct server *srv = cl->srv;

    srv->now.in_exec = true;
    cl->in_exec = true;
    reply_array(c->reply, cl->queue.n);
    for (size_t i = 0; i < cl->queue.n; i++) {
        struct queued *q = &cl->queue.at[i];

        if (cl->session && !still_allowed(cl, q, c->reply))
            continue;
        call_execute(cl, q->cmd, q->argc, q->argv, c->reply);
    }
    cl->in_exec = false;
    call_end_exec(srv, cl->db);
    call_replace_none(c);
}

static void cmd_exec(struct call *c)
{
    struct client *cl = call_client(c);

    if (cl->txn == TXN_NONE) {
        reply_error(c->reply, "ERR EXEC without MULTI");
        return;
    }
    if (cl->txn == TXN_BROKEN) {
        reply_error(c->reply, "EXECABORT Transaction discarded because of previous errors.");
    } else if (cl->watch_broken || txn_watch_expired(cl)) {
        reply_null_array(c->reply);
    } else {
        cl->txn = TXN_NONE;
        txn_unwatch(cl);               /* what it does itself must not count against it */
        run_queue(c);
    }
    txn_discard(cl);
}

static void cmd_watch(struct call *c)
{
    struct client *cl = call_client(c);

    if (cl->txn != TXN_NONE) {
        reply_error(c->reply, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    if (cl->watching.n + (size_t)c->argc > WATCHED_MAX) {
        reply_error(c->reply, "ERR too many watched keys");
        return;
    }
    for (int i = 1; i < c->argc; i++)
        txn_watch_key(cl, c->argv[i]);
    reply_ok(c->reply);
}

static void cmd_unwatch(struct call *c)
{
    txn_unwatch(call_client(c));
    reply_ok(c->reply);
}

#define TXN CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST

const struct command txn_commands[] = {
    {"multi", 1, TXN | CMD_NO_QUEUE, cmd_multi, 0, 0, 0, "transactions", "", "From here on, commands are queued.", "1.2.0"},
    {"exec", 1, CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_NO_MONITOR | CMD_NO_QUEUE, cmd_exec, 0, 0, 0, "transactions", "",
     "Run the queued commands, all at once.", "1.2.0"},
    {"discard", 1, TXN | CMD_NO_QUEUE, cmd_discard, 0, 0, 0, "transactions", "", "Forget the queued commands.", "2.0.0"},
    {"watch", -2, TXN | CMD_NO_QUEUE, cmd_watch, 1, -1, 1, "transactions", "key [key ...]", "Let EXEC do nothing if one of these keys changes.", "2.2.0", .access = "-"},
    {"unwatch", 1, TXN, cmd_unwatch, 0, 0, 0, "transactions", "", "Forget the watched keys.", "2.2.0"},
};
ROWS(txn);
