/* One door for every command: of a client's request, of a transaction's queue, of the primary's
 * stream. What may not run is answered here; what ran is passed on, counted and told. */
#include "kvnode/call.h"

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "kvnode/client/ahead.h"
#include "kvnode/client/held.h"
#include "kvnode/client/tracking.h"
#include "kvnode/client/txn.h"
#include "kvnode/disk/snapshot.h"
#include "kvnode/ha/ha.h"
#include "kvnode/repl/feed.h"
#include "kvnode/rewrite.h"
#include "kvnode/role/role.h"
#include "kvnode/server.h"
#include "kvnode/slowlog.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define TEXT_OOM "OOM command not allowed when used memory > 'maxmemory'."
#define TEXT_MISCONF                                                                                        \
    "MISCONF the last save to disk failed and stop-writes-on-bgsave-error is yes: writes are refused until a " \
    "save succeeds. The log says why it failed."

#define TEXT_NO_DEBUG                                                                                    \
    "ERR DEBUG command not allowed. enable-debug-command in the configuration file, followed by a restart, " \
    "allows it: 'yes' for everybody, 'local' for connections from this machine."

struct db *call_db(const struct call *c)
{
    struct client *cl = call_client(c);

    return keyspace_db(cl->srv->ks, cl->db);
}

/* --- statistics --- */

struct command_stat *call_stat(struct server *srv, const struct command *cmd)
{
    size_t i = ((uintptr_t)cmd / sizeof(void *)) * 0x9E3779B97F4A7C15ull >> 54;

    for (;; i = (i + 1) % COMMAND_STATS) {
        if (srv->stats[i].cmd == cmd)
            return &srv->stats[i].st;
        if (!srv->stats[i].cmd) {
            srv->stats[i].cmd = cmd;
            return &srv->stats[i].st;
        }
    }
}

/* --- may it? --- */

/* A node of a formed group asks for its lease, with the clock read anew (T6). PUBLISH on a replica stays there. */
static const char *group_refusal(struct server *srv, uint32_t flags)
{
    bool here = (flags & CMD_MAY_REPLICATE) && !server_is_replica(srv);

    if ((flags & CMD_WRITE) || here)
        return ha_refusal(srv, true);
    return flags & CMD_READ ? ha_refusal(srv, false) : NULL;
}

/* What waits for replicas does not count: a slow one must not stop the writers. */
static bool is_full(const struct server *srv)
{
    size_t most = (size_t)srv->opt.maxmemory;

    return mem_used() > most && mem_used() > most + feed_memory(srv->feed);
}

/* The error for a command with these flags that must not run now, NULL = it may. */
static const char *refusal(struct server *srv, uint32_t flags)
{
    bool write = flags & CMD_WRITE;
    enum role_verdict v;
    const char *no = srv->ha_bound ? group_refusal(srv, flags) : NULL;

    if (no)
        return no;
    if ((flags & CMD_DENYOOM) && srv->opt.maxmemory > 0 && is_full(srv))
        return TEXT_OOM;
    if ((flags & (CMD_WRITE | CMD_HEALTH)) && snapshot_refuses_writes(srv->snapshot) && !server_is_replica(srv))
        return TEXT_MISCONF;
    if (write || (flags & CMD_MAY_REPLICATE)) {
        v = role_may_write(srv->role);
        if (v != ROLE_OK && (write || v == ROLE_IS_FENCED))
            return role_error(v);
        if (write && feed_refuses_writes(srv->feed))
            return role_error(ROLE_NOREPLICAS);
    }
    if (!(flags & CMD_STALE) && role_may_read(srv->role) != ROLE_OK)
        return role_error(ROLE_MASTERDOWN);
    if (srv->loading.on && !srv->loading.serve && !(flags & CMD_LOADING))
        return TEXT_LOADING;
    return NULL;
}

static bool debug_ok(const struct call *c)
{
    int sw = call_server(c)->opt.enable_debug_command;
    struct addr a = stream_peer(c->session->stream);

    if (sw != SW_LOCAL)
        return sw == SW_YES;
    return stream_is_unix(c->session->stream) || strncmp(a.host, "127.", 4) == 0 || strcmp(a.host, "::1") == 0;
}

static void feed_monitors(struct server *srv, struct client *cl, const struct command *cmd, int argc, const struct slice *argv)
{
    struct str line = {0};
    int64_t us = clock_wall_us();

    str_printf(&line, "+%lld.%06lld [%d ", (long long)(us / 1000000), (long long)(us % 1000000), cl->db);
    if (cl->session) {
        struct addr peer = stream_peer(cl->session->stream);
        char text[ADDR_TEXT_MAX];

        if (stream_is_unix(cl->session->stream))
            str_printf(&line, "unix:%s]", peer.host);
        else
            str_printf(&line, "%s]", addr_text(&peer, text));
    } else {
        str_append_z(&line, "primary]");
    }
    for (int i = 0; i < argc; i++) {
        str_append_c(&line, ' ');
        struct slice shown = call_shown_arg(cmd, argc, argv, i);

        str_append_quoted(&line, shown.p, shown.len);
    }
    str_append_z(&line, "\r\n");
    list_each(struct client, m, &srv->monitors, monitor_link)
        reply_raw(session_reply(m->session), line.p, line.len);
    str_fini(&line);
}

/* --- run --- */

void call_execute(struct client *cl, const struct command *cmd, int argc, const struct slice *argv, struct reply *r)
{
    struct server *srv = cl->srv;
    struct keyspace *ks = srv->ks;
    struct call c = {cmd, argc, argv, r, cl->session, cl};
    struct command_stat *st = call_stat(srv, cmd);
    typeof(srv->now) outer = srv->now;
    uint64_t dirty = ks->dirty;
    uint64_t errors = r->errors;
    enum expired_keys mode = ks->expired_keys;
    bool was_caching = cl->track_caching;
    int64_t begin, took;

    if (!list_empty(&srv->monitors) && !(cmd->flags & (CMD_NO_MONITOR | CMD_ADMIN)))
        feed_monitors(srv, cl, cmd, argc, argv);
    srv->now.client = cl;
    srv->now.cmd = cmd;
    srv->now.replaced = srv->now.also = false;
    srv->now.depth++;
    ks->now_ms = loop_wall_ms(srv->loop);
    if (cl->is_primary)
        ks->expired_keys = KEEP_EXPIRED;
    else if (mode == DROP_EXPIRED && srv->resp.paused_until_ms > 0)
        ks->expired_keys = HIDE_EXPIRED;    /* CLIENT PAUSE: the data set must not move */

    begin = clock_mono_us();
    atomic_store_explicit(&srv->turned_us, begin, memory_order_relaxed);
    cmd->run(&c);
    took = clock_mono_us() - begin;

    if (cl->is_primary)
        ks->expired_keys = mode;
    else if (mode == DROP_EXPIRED && !server_is_replica(srv))
        ks->expired_keys = DROP_EXPIRED;
    if ((ks->dirty != dirty || srv->now.also) && !srv->now.replaced)
        call_feed(srv, cl->db, argc, argv);
    if (ks->dirty != dirty)
        cl->last_write_offset = feed_offset(srv->feed);
    bool in_exec = srv->now.in_exec, exec_opened = srv->now.exec_opened;
    srv->now = outer;
    srv->now.in_exec = in_exec;
    srv->now.exec_opened = exec_opened;

    st->calls++;
    st->us += (uint64_t)took;
    st->failed += r->errors != errors;
    srv->stat_commands_us += (uint64_t)took;
    if (cl->tracking && (cmd->flags & CMD_READ))
        tracking_remember(cl, cmd, argc, argv);
    if (was_caching && !cl->in_exec && cl->txn == TXN_NONE)
        cl->track_caching = false;
    if (srv->now.depth == 0)
        tracking_flush(srv);
    slowlog_note(srv, cl, cmd, argc, argv, took);
}

static bool is_exec(const struct call *c)
{
    return (c->cmd->flags & CMD_NO_QUEUE) && call_client(c)->txn != TXN_NONE && strcmp(c->cmd->name, "exec") == 0;
}

static void reject(struct call *c, const char *text)
{
    struct client *cl = call_client(c);

    if (cl->txn != TXN_NONE)
        cl->txn = TXN_BROKEN;
    call_stat(cl->srv, c->cmd)->rejected++;
    if (is_exec(c)) {
        reply_errorf(c->reply, "EXECABORT Transaction discarded because of: %s", text);
        txn_discard(cl);
    } else {
        reply_error(c->reply, text);
    }
}

/* A write that changed nothing tells what it found: it waits as a write, and needs the lease as a read. PUBLISH
 * is neither: a message is for those who listen now, and sentinels must be answered whatever can be confirmed. */
static void hold_reply(struct client *cl, uint32_t flags, bool changed)
{
    if (changed || (flags & CMD_WRITE))
        held_touched(cl, true);
    if (!changed && (flags & (CMD_WRITE | CMD_READ)))
        held_touched(cl, false);
}

void call_request(struct call *c)
{
    struct client *cl = c->user = client_of(c->session);
    struct server *srv = cl->srv;
    bool queueing = cl->txn != TXN_NONE && !(c->cmd->flags & CMD_NO_QUEUE);
    uint32_t flags = c->cmd->flags;
    uint64_t dirty = srv->ks->dirty;
    const char *text;

    if (srv->over) {
        session_close_when_sent(c->session);
        return;
    }
    ahead_look(cl, stream_in(c->session->stream), c->argc, c->argv);
    if (!resp_server_may_run(c)) {
        call_stat(srv, c->cmd)->rejected++;
        if (cl->txn != TXN_NONE)
            cl->txn = TXN_BROKEN;
        return;
    }
    if (queueing && (flags & CMD_NO_MULTI)) {
        reject(c, "ERR Command not allowed inside a transaction");
        return;
    }
    if ((flags & CMD_PROTECTED) && !debug_ok(c)) {
        reject(c, TEXT_NO_DEBUG);
        return;
    }
    /* what EXEC is going to do counts as if it were asked for now */
    if (is_exec(c))
        flags |= cl->queue_flags & (CMD_WRITE | CMD_READ | CMD_MAY_REPLICATE | CMD_DENYOOM);
    text = refusal(srv, flags);
    if (text) {
        reject(c, text);
        if ((flags & CMD_WRITE) && client_is_left_over(cl))
            session_close_when_sent(cl->session);
        return;
    }
    if (queueing && (int64_t)cl->queue_bytes > srv->opt.client_query_buffer_limit) {
        reject(c, "ERR the transaction holds more than client-query-buffer-limit");
        return;
    }
    if (queueing) {
        txn_queue(cl, c->cmd, c->argc, c->argv);
        reply_simple(c->reply, "QUEUED");
        return;
    }
    call_execute(cl, c->cmd, c->argc, c->argv, c->reply);
    if (cl->owed_from != STREAM_ALL)
        rewrite_asked(cl);
    if (srv->ha_bound && ha_holds_replies(srv))
        hold_reply(cl, flags, srv->ks->dirty != dirty);
}

int call_apply(struct client *cl, int argc, const struct slice *argv, struct reply *r, struct err *e)
{
    const struct command *cmd = argc > 0 ? command_find(&cl->srv->commands, argc, argv) : NULL;

    if (!cmd || !cmd->run)
        return err_set(e, ERR_UNKNOWN, "unknown command '%.*s'", argc > 0 ? (int)(argv[0].len < 64 ? argv[0].len : 64) : 0,
                       argc > 0 ? argv[0].p : "");
    if (!command_arity_ok(cmd, argc))
        return err_set(e, ERR_FORMAT, "wrong number of arguments (%d) for '%s'", argc, cmd->name);
    if (cl->txn != TXN_NONE && !(cmd->flags & CMD_NO_QUEUE)) {
        txn_queue(cl, cmd, argc, argv);
        return 0;
    }
    call_execute(cl, cmd, argc, argv, r);
    return 0;
}

/* --- what a command says about itself --- */

void changed_in(struct call *c, int db, struct slice key, enum event_class class, const char *event)
{
    struct server *srv = call_server(c);

    srv->ks->dirty++;
    watch_tell(&srv->watch, WATCH_CHANGED, db, key);
    if (event && srv->opt.notify_events)
        notify_event(srv, class, event, db, key);
}

void changed(struct call *c, struct slice key, enum event_class class, const char *event)
{
    changed_in(c, call_client(c)->db, key, class, event);
}

void notify_event(struct server *srv, enum event_class class, const char *event, int db, struct slice key)
{
    int on = srv->opt.notify_events;
    struct str channel = {0};

    if (!(on & (int)class) || !(on & (EVENT_KEYSPACE | EVENT_KEYEVENT)))
        return;
    if (on & EVENT_KEYSPACE) {
        str_printf(&channel, "__keyspace@%d__:", db);
        str_append(&channel, key.p, key.len);
        pubsub_publish(&srv->pubsub, (struct slice){channel.p, channel.len}, slice_z(event));
        str_clear(&channel);
    }
    if (on & EVENT_KEYEVENT) {
        str_printf(&channel, "__keyevent@%d__:%s", db, event);
        pubsub_publish(&srv->pubsub, (struct slice){channel.p, channel.len}, key);
    }
    str_fini(&channel);
}

void call_replace_none(struct call *c) { call_server(c)->now.replaced = true; }

void call_replace(struct call *c, int argc, const struct slice *argv)
{
    call_server(c)->now.replaced = true;
    call_feed(call_server(c), call_client(c)->db, argc, argv);
}

void call_also(struct call *c) { call_server(c)->now.also = true; }

/* The first thing that a transaction does is kept back: if it stays the only one, it needs no MULTI
 * around it. */
static void keep_back(struct server *srv, int db, int argc, const struct slice *argv)
{
    struct first_write *w = &srv->first;

    w->kept = true;
    w->db = db;
    buf_clear(&w->bytes);
    w->argv = mem_realloc(w->argv, (size_t)argc * sizeof *w->argv);
    w->argc = argc;
    for (int i = 0; i < argc; i++)
        buf_append(&w->bytes, argv[i].p, argv[i].len);
    for (int i = 0, at = 0; i < argc; at += (int)argv[i].len, i++)
        w->argv[i] = (struct slice){buf_data(&w->bytes) + at, argv[i].len};
}

void call_feed(struct server *srv, int db, int argc, const struct slice *argv)
{
    if (server_is_replica(srv) || (srv->ha_bound && !ha_may_append(srv)))
        return;
    if (srv->now.in_exec && !srv->now.exec_opened) {
        if (!srv->first.kept) {
            keep_back(srv, db, argc, argv);
            return;
        }
        srv->now.exec_opened = true;
        srv->first.kept = false;
        feed_begin(srv->feed, srv->first.db);
        feed_command(srv->feed, srv->first.db, srv->first.argc, srv->first.argv);
    }
    feed_command(srv->feed, db, argc, argv);
}

void call_end_exec(struct server *srv, int db)
{
    if (srv->now.exec_opened)
        feed_commit(srv->feed, db);
    else if (srv->first.kept)
        feed_command(srv->feed, srv->first.db, srv->first.argc, srv->first.argv);
    srv->now.in_exec = srv->now.exec_opened = srv->first.kept = false;
}
