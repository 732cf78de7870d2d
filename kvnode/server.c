/* Makes the rooms, wires them together, and does the work of a turn in its order. */
#include "kvnode/server.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "common/io/acl_log.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/notify.h"
#include "kvnode/call.h"
#include "kvnode/client/held.h"
#include "kvnode/client/tracking.h"
#include "kvnode/client/txn.h"
#include "kvnode/commands.h"
#include "kvnode/disk/dataset.h"
#include "kvnode/disk/record.h"
#include "kvnode/disk/snapshot.h"
#include "kvnode/ha/control.h"
#include "kvnode/ha/ha.h"
#include "kvnode/ha/ha_repl.h"
#include "kvnode/metrics.h"
#include "kvnode/overlay.h"
#include "kvnode/repl/feed.h"
#include "kvnode/repl/follow.h"
#include "kvnode/repl/roles.h"
#include "kvnode/rewrite.h"
#include "kvnode/store/expire.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define TICK_MS 100
#define HOUSEKEEP_US 1000          /* no pause over a millisecond from housekeeping */

/* --- clients --- */

/* With a port of their own control links find a place also when clients have taken all theirs. */
#define HA_PLACES 64

#define OWN_FILES 64                   /* listeners, files, the link to a primary, what libraries open */

/* Clients leave descriptors enough for control links (two each), saves and replicas: one that cannot be reached by its
 * sentinels counts as dead. */
static int64_t clients_max(const struct server *srv)
{
    struct rlimit lim;
    int64_t files;

    if (getrlimit(RLIMIT_NOFILE, &lim) != 0 || lim.rlim_cur == RLIM_INFINITY || lim.rlim_cur > INT32_MAX)
        return srv->opt.maxclients;
    files = (int64_t)lim.rlim_cur;
    return ms_min(srv->opt.maxclients, ms_max(files - OWN_FILES - HA_PLACES - 2 * CONTROL_LINKS_MAX, files / 4));
}

static void set_max_clients(struct server *srv)
{
    int64_t clients = clients_max(srv), places = clients + (srv->opt.ha_port > 0 ? HA_PLACES : 0);

    if (clients < srv->opt.maxclients && srv->resp.max_clients != places)
        log_warning("maxclients %lld needs more open files than this process may have: %lld clients get in ('ulimit -n', systemd's LimitNOFILE)",
                    (long long)srv->opt.maxclients, (long long)clients);
    srv->resp.max_clients = places;
}

static const char *admit(struct resp_server *rs, struct session *s)
{
    const struct server *srv = rs->owner;

    if (srv->opt.ha_port > 0 && (int64_t)rs->nsessions > rs->max_clients - HA_PLACES && stream_local(s->stream).port != srv->opt.ha_port)
        return "ERR max number of clients reached";
    s->user = client_new(rs->owner, s);
    return NULL;
}

static void gone(struct session *s)
{
    struct client *c = client_of(s);

    if (!c)
        return;
    rewrite_gone(c);
    held_gone(c);
    feed_gone(c->srv->feed, c);
    client_free(c);
    s->user = NULL;
}

static void rejected(struct session *s, const char *error)
{
    struct client *c = client_of(s);

    (void)error;
    if (c && c->txn != TXN_NONE)
        c->txn = TXN_BROKEN;
}

static int kill_link(struct resp_server *rs, struct slice addr)
{
    struct server *srv = rs->owner;

    return follow_kill(srv->follow, addr) ? 1 : 0;
}

#define ERROR_CODES_MAX 128

static void error_seen(struct resp_server *rs, const char *code, size_t n)
{
    struct server *srv = rs->owner;

    if (dict_count(&srv->error_stats) < ERROR_CODES_MAX || dict_find(&srv->error_stats, code, n))
        dict_put(&srv->error_stats, code, n, NULL)->v.u++;
}

static bool is_write(struct session *s, const struct command *cmd)
{
    const struct client *c = client_of(s);
    uint32_t flags = cmd->flags;

    if (c && c->txn != TXN_NONE)
        flags = cmd->flags & CMD_NO_QUEUE ? c->queue_flags : 0;    /* queueing harms nobody, EXEC may */
    return flags & (CMD_WRITE | CMD_MAY_REPLICATE);
}

static void reset(struct session *s)
{
    if (client_of(s))
        client_reset(client_of(s));
}

static const char *role_word(struct resp_server *rs)
{
    return server_is_replica(rs->owner) ? "replica" : "master";
}

/* --- expiry and events --- */

static void on_change(void *arg, enum watch_kind kind, int db, struct slice key)
{
    struct server *srv = arg;

    if (kind != WATCH_EXPIRED)
        return;
    call_feed(srv, db, 2, (struct slice[]){{"DEL", 3}, key});
    if (srv->opt.notify_events)
        notify_event(srv, EVENT_EXPIRED, "expired", db, key);
}

bool server_is_replica(const struct server *srv) { return role_is_replica(srv->role); }
bool server_has_save_points(const struct server *srv) { return srv->opt.save.n > 0; }

/* --- the turn --- */

static void on_turn(void *arg) { tracking_turn(arg); }

static void expire_some(struct server *srv)
{
    bool more;

    if (srv->over || resp_server_is_paused(&srv->resp) || srv->loading.on)
        return;
    srv->ks->now_ms = server_wall_ms(srv);
    more = srv->active_expire && !(srv->ha_bound && !ha_may_append(srv)) && expire_sweep(srv->ks, HOUSEKEEP_US, clock_mono_us);
    if (keyspace_housekeep(srv->ks, HOUSEKEEP_US, clock_mono_us) || more)
        timer_set(&srv->expire_timer, 4);        /* a fifth of the time at most */
}

static void on_expire_timer(struct timer *t, void *arg)
{
    (void)t;
    expire_some(arg);
}

static void count_rates(struct server *srv)
{
    const struct resp_server_stats *st = &srv->resp.stats;
    int64_t now = server_now_ms(srv), past = now - srv->rate.at_ms;

    if (past < 1000)
        return;
    srv->rate.ops = (int64_t)(st->commands - srv->rate.commands) * 1000 / past;
    srv->rate.kbps_in = (double)(st->bytes_in - srv->rate.in) * 1000 / (double)past / 1024;
    srv->rate.kbps_out = (double)(st->bytes_out - srv->rate.out) * 1000 / (double)past / 1024;
    srv->rate.at_ms = now;
    srv->rate.commands = st->commands;
    srv->rate.in = st->bytes_in;
    srv->rate.out = st->bytes_out;
}

static void on_tick(struct timer *t, void *arg)
{
    struct server *srv = arg;
    int64_t now = server_now_ms(srv);

    timer_set(t, TICK_MS);
    if (srv->paused_cron || srv->over)
        return;
    srv->ks->now_ms = server_wall_ms(srv);
    expire_some(srv);
    snapshot_tick(srv->snapshot, now);
    feed_tick(srv->feed, now);
    follow_tick(srv->follow, now);
    ha_repl_tick(srv);
    count_rates(srv);
}

void server_reset_stats(struct server *srv)
{
    memset(srv->stats, 0, sizeof srv->stats);
    dict_clear(&srv->error_stats, NULL);
    srv->base = srv->resp.stats;
    srv->stat_commands_us = 0;
    feed_reset_stats(srv->feed);
    srv->ks->hits = srv->ks->misses = srv->ks->expired = 0;
}

/* --- options --- */

static void copy_limits(struct server *srv)
{
    for (int i = 0; i < 3; i++) {
        srv->resp.out_limit[i].hard = (size_t)srv->opt.out_limit[i].hard;
        srv->resp.out_limit[i].soft = (size_t)srv->opt.out_limit[i].soft;
        srv->resp.out_limit[i].soft_ms = srv->opt.out_limit[i].soft_s * 1000;
    }
}

static int listen_all(struct server *srv, struct err *e)
{
    for (size_t i = 0; srv->opt.port > 0 && i < srv->opt.bind.n; i++) {
        const char *host = srv->opt.bind.at[i];

        if (resp_server_listen(&srv->resp, host, (uint16_t)srv->opt.port, (int)srv->opt.tcp_backlog, e) != 0)
            return e ? e->code : ERR_SYS;
    }
    for (size_t i = 0; srv->opt.ha_port > 0 && srv->opt.ha_port != srv->opt.port && i < srv->opt.bind.n; i++)
        if (resp_server_listen(&srv->resp, srv->opt.bind.at[i], (uint16_t)srv->opt.ha_port, (int)srv->opt.tcp_backlog, e) != 0)
            return e ? e->code : ERR_SYS;
    return 0;
}

static void remember_listening(struct server *srv)
{
    struct str bind = {0};

    for (size_t i = 0; i < srv->opt.bind.n; i++)
        str_printf(&bind, "%s ", srv->opt.bind.at[i]);
    mem_free(srv->listening.bind);
    srv->listening.bind = str_take(&bind);
    srv->listening.port = srv->opt.port;
}

/* port or bind changed while running. On failure the old ones are opened again (by the caller, who
 * puts the options back and comes here once more). */
static int listen_anew(struct server *srv, struct err *e)
{
    struct str bind = {0};
    bool same, other_port = srv->listening.port != srv->opt.port;
    int rc;

    for (size_t i = 0; i < srv->opt.bind.n; i++)
        str_printf(&bind, "%s ", srv->opt.bind.at[i]);
    same = srv->listening.port == srv->opt.port && strcmp(str_c(&bind), srv->listening.bind ? srv->listening.bind : "") == 0;
    str_fini(&bind);
    if (same)
        return 0;
    resp_server_stop_listening(&srv->resp);
    mem_free(srv->listening.bind);
    srv->listening.bind = NULL;
    srv->listening.port = -1;
    rc = listen_all(srv, e);
    if (rc != 0) {
        resp_server_stop_listening(&srv->resp);
        return err_wrap(e, other_port ? "Unable to listen on this port" : "Failed to bind to specified addresses");
    }
    if (srv->opt.unixsocket && resp_server_listen_unix(&srv->resp, srv->opt.unixsocket, (unsigned)srv->opt.unixsocketperm, e) != 0)
        return e ? e->code : ERR_SYS;
    remember_listening(srv);
    return 0;
}

void server_set_keepalive(struct server *srv) { srv->resp.keepalive_s = (int)ha_keepalive_s(srv, srv->opt.tcp_keepalive_s); }

int server_apply_options(struct server *srv, struct err *e)
{
    struct resp_server *rs = &srv->resp;

    if (srv->listening.bind && listen_anew(srv, e) != 0)
        return e ? e->code : ERR_SYS;
    if (!srv->listening.bind && srv->listening.port == -1)
        listen_anew(srv, e);
    set_max_clients(srv);
    rs->idle_timeout_ms = srv->opt.timeout_s * 1000;
    server_set_keepalive(srv);
    rs->query_max_bytes = (size_t)srv->opt.client_query_buffer_limit;
    rs->proto_max_bulk = srv->opt.proto_max_bulk_len;
    rs->protected_mode = srv->opt.protected_mode;
    if (strcmp(rs->password ? rs->password : "", srv->opt.requirepass ? srv->opt.requirepass : "") != 0)
        resp_server_set_password(rs, srv->opt.requirepass);
    acl_set_channels_default(rs->acl, srv->opt.acl_pubsub_default);
    acl_log_set_max(rs->acl_log, srv->opt.acllog_max_len);
    copy_limits(srv);
    srv->ks->limits.hash_entries = srv->opt.hash_max_listpack_entries;
    srv->ks->limits.hash_value = srv->opt.hash_max_listpack_value;
    log_set_level((enum log_level)srv->opt.loglevel);
    roles_settings(srv);
    return 0;
}

/* --- HTTP --- */

static void http_health(void *owner, const char *query, struct http_answer *out)
{
    struct server *srv = owner;

    (void)query;
    if (srv->loading.on || !srv->ready) {
        out->status = 503;
        str_append_z(&out->body, "loading\n");
        return;
    }
    str_printf(&out->body, "ok %s\n", role_word(&srv->resp));
}

/* The loop turns: all that ending the process could heal. Loading, role and peers do not matter. */
static void http_live(void *owner, const char *query, struct http_answer *out)
{
    (void)owner;
    (void)query;
    str_append_z(&out->body, "ok\n");
}

static void http_metrics(void *owner, const char *query, struct http_answer *out)
{
    (void)query;
    out->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metric_render(kv_metrics, kv_metrics_n, owner, &out->body);
}

static const struct http_route routes[] = {{"/healthz", http_health}, {"/livez", http_live}, {"/metrics", http_metrics}};

/* --- shutdown --- */

static void finish(struct server *srv)
{
    log_notice("kvnode is now ready to exit, bye bye...");
    notify_stopping();
    srv->over = true;                  /* the rest of this turn must add nothing to what was saved */
    ha_over(srv);
    resp_server_stop_listening(&srv->resp);
    loop_stop(srv->loop, 0);
}

/* The file holds everything up to here, and nothing more will be done: the next process may go on with this life. */
static int say_farewell(struct server *srv)
{
    struct err e = {0};

    if (feed_has_history(srv->feed) && record_farewell(srv->record, srv->history->id, srv->history->offset, &e) != 0)
        log_warning("a new life will begin at the next start: %s", e.text);
    return 0;
}

static int save_at_end(struct server *srv, int flags, struct err *e)
{
    bool save = (flags & SHUTDOWN_SAVE) || (!(flags & SHUTDOWN_NOSAVE) && server_has_save_points(srv));

    if (snapshot_running(srv->snapshot)) {
        log_warning("There is a child saving an .rdb. Killing it!");
        snapshot_abandon(srv->snapshot);
    }
    if (!save || (srv->loading.on && !srv->loading.serve))
        return 0;                      /* what is half loaded must not replace the whole file */
    log_notice("Saving the final RDB snapshot before exiting.");
    if (snapshot_save(srv->snapshot, e) == 0)
        return say_farewell(srv);
    log_warning("%s", e->text);
    if (flags & SHUTDOWN_FORCE)
        return 0;
    log_warning("Error trying to save the DB, can't exit.");
    return e->code;
}

static void end_waiting(struct server *srv, const char *error)
{
    srv->stopping.on = srv->stopping.handing_over = false;
    ha_stay(srv);
    timer_clear(&srv->stopping.timer);
    resp_server_unpause(&srv->resp);
    list_each(struct session, s, &srv->resp.sessions, link) {
        struct client *c = client_of(s);

        if (!c || !c->shutdown_waiting)
            continue;
        c->shutdown_waiting = false;
        if (error)
            reply_error(session_reply(s), error);
        session_release(s);
    }
}

static int lagging(const struct server *srv)
{
    return (int)feed_good_replicas(srv->feed) - (int)feed_acked(srv->feed, feed_offset(srv->feed));
}

static int stop_now(struct server *srv, int flags, struct err *e)
{
    int rc = save_at_end(srv, flags, e);

    if (rc != 0) {
        log_warning("Errors trying to shut down the server. Check the logs for more information.");
        return rc;
    }
    finish(srv);
    return 0;
}

static void hold_asker(struct session *who)
{
    if (!who)
        return;
    client_of(who)->shutdown_waiting = true;
    session_hold(who);
}

static void wait_to_stop(struct server *srv, int flags, struct session *who)
{
    srv->stopping.on = true;
    srv->stopping.flags = flags;
    srv->stopping.until_ms = server_now_ms(srv) + srv->opt.shutdown_timeout_s * 1000;
    hold_asker(who);
    timer_set(&srv->stopping.timer, 1);
}

/* A primary of a formed group goes when another has taken over; it serves until that begins. */
static bool still_handing_over(struct server *srv)
{
    if (!srv->stopping.handing_over)
        return false;
    if (ha_is_primary(srv) && server_now_ms(srv) < srv->stopping.until_ms)
        return true;
    log_notice(ha_is_primary(srv) ? "Nobody took over in time, going all the same." : "Another node takes over, going.");
    srv->stopping.handing_over = false;
    return false;
}

static void on_stopping(struct timer *t, void *arg)
{
    struct server *srv = arg;
    struct err e = {0};
    int late;

    if (still_handing_over(srv)) {
        timer_set(t, 5);
        return;
    }
    late = server_is_replica(srv) ? 0 : lagging(srv);
    if (late > 0 && server_now_ms(srv) < srv->stopping.until_ms) {
        feed_ask_acks(srv->feed);
        timer_set(t, 10);
        return;
    }
    feed_log_lag(srv->feed);
    if (stop_now(srv, srv->stopping.flags, &e) != 0)
        end_waiting(srv, "ERR Errors trying to SHUTDOWN. Check logs.");
}

int server_shutdown(struct server *srv, int flags, struct session *who, struct err *e)
{
    struct err own = {0};

    if (!e)
        e = &own;
    log_warning("User requested shutdown...");
    if ((flags & SHUTDOWN_NOW) || srv->opt.shutdown_timeout_s == 0)
        return stop_now(srv, flags, e);
    if (srv->stopping.on) {            /* asked again: it waits with whoever asked first, and no longer */
        hold_asker(who);
        return 0;
    }
    if (ha_leave(srv)) {
        log_notice("Waiting for another node of the group to take over before shutting down.");
        srv->stopping.handing_over = true;
        wait_to_stop(srv, flags, who);
        return 0;
    }
    if (!server_is_replica(srv) && lagging(srv) > 0) {
        resp_server_pause(&srv->resp, NEVER_MS, true);
        log_notice("Waiting for replicas before shutting down.");
        feed_ask_acks(srv->feed);
        wait_to_stop(srv, flags, who);
        return 0;
    }
    return stop_now(srv, flags, e);
}

bool server_shutdown_abort(struct server *srv)
{
    if (!srv->stopping.on)
        return false;
    log_warning("Shutdown manually aborted.");
    end_waiting(srv, "ERR Errors trying to SHUTDOWN. Check logs.");
    return true;
}

static void on_signal(int signum, void *arg)
{
    struct server *srv = arg;

    if (signum == SIGHUP) {
        log_reopen();
        return;
    }
    log_warning("Received %s scheduling shutdown...", signum == SIGINT ? "SIGINT" : "SIGTERM");
    if (srv->stopping.on) {            /* asked twice: do not wait any longer */
        srv->stopping.until_ms = 0;
        return;
    }
    server_shutdown(srv, 0, NULL, NULL);
}

/* --- start and end --- */

static void make_run_id(struct server *srv)
{
    uint64_t seed;

    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = (uint64_t)clock_wall_us() ^ (uint64_t)getpid() << 32;
    rng_seed(&srv->rng, seed);
    rng_hex(&srv->rng, srv->run_id, ID_HEX);
}

static int rename_commands(struct server *srv, struct err *e)
{
    for (size_t i = 0; i < srv->opt.renames.n; i++) {
        const struct command_alias *a = &srv->opt.renames.at[i];
        bool ok = a->to[0] ? command_table_rename(&srv->commands, a->from, a->to) : command_table_remove(&srv->commands, a->from);

        if (!ok)
            return err_set(e, ERR_UNKNOWN, "'rename-command': no such command '%s', or '%s' is taken", a->from, a->to);
    }
    return 0;
}

static void make_rooms(struct server *srv)
{
    static const struct resp_server_hooks hooks = {.admit = admit, .run = call_request, .rejected = rejected, .gone = gone,
                                                   .error_seen = error_seen, .is_write = is_write, .kill_link = kill_link};

    list_init(&srv->monitors);
    dict_init(&srv->error_stats);
    watch_init(&srv->watch);
    srv->ks = keyspace_new((int)srv->opt.databases);
    srv->ks->watch = &srv->watch;
    srv->ks->now_ms = server_wall_ms(srv);
    watch_add(&srv->watch, &srv->watcher, on_change, srv);
    pubsub_init(&srv->pubsub);
    resp_server_init(&srv->resp, srv->loop, &srv->commands, &hooks, srv);
    srv->resp.pubsub = &srv->pubsub;
    srv->resp.server_name = "redis";
    srv->resp.mode = "standalone";
    srv->resp.role = role_word;
    session_facts_hook = client_facts;
    session_reset_hook = reset;
    txn_init(srv);
    tracking_init(srv);
    rewrite_init(srv);
    srv->snapshot = snapshot_new(srv);
    ha_init(srv);
    roles_init(srv);
    srv->history = feed_history(srv->feed);
    srv->backlog = feed_backlog(srv->feed);
}

static int open_doors(struct server *srv, struct err *e)
{
    if (srv->opt.port == 0 && !srv->opt.unixsocket)
        return err_set(e, ERR_MISSING, "neither 'port' nor 'unixsocket' is given: nobody could connect");
    if (listen_all(srv, e) != 0)
        return e->code;
    if (srv->opt.unixsocket && resp_server_listen_unix(&srv->resp, srv->opt.unixsocket, (unsigned)srv->opt.unixsocketperm, e) != 0)
        return e->code;
    remember_listening(srv);
    if (srv->opt.http_port > 0)
        return http_server_start(srv->loop, srv->opt.http_bind, (uint16_t)srv->opt.http_port, routes,
                                 sizeof routes / sizeof routes[0], srv, &srv->http, e);
    return 0;
}

int server_init(struct server *srv, struct err *e)
{
    srv->loop = loop_new();
    srv->started_at_ms = server_now_ms(srv);
    srv->active_expire = true;
    make_run_id(srv);
    kv_commands(&srv->commands);
    if (overlay_start(srv, e) != 0)
        return e->code;
    make_rooms(srv);
    srv->mem_at_start = mem_used();
    if (rename_commands(srv, e) != 0 || server_apply_options(srv, e) != 0)
        return e->code;
    srv->resp.acl_file = srv->opt.aclfile;
    if (session_load_users(&srv->resp, &srv->opt.users, e) != 0)
        return e->code;
    log_notice("kvnode %s (speaks Redis %s), port %d, PID: %d", KVORUM_VERSION, COMPAT_VERSION, (int)srv->opt.port, (int)getpid());
    if (open_doors(srv, e) != 0)
        return e->code;
    timer_init(&srv->tick, srv->loop, on_tick, srv);
    timer_init(&srv->expire_timer, srv->loop, on_expire_timer, srv);
    timer_init(&srv->stopping.timer, srv->loop, on_stopping, srv);
    loop_hook_add(srv->loop, &srv->turn, on_turn, srv);
    timer_set(&srv->tick, TICK_MS);
    signal_watch_start(&srv->on_term, srv->loop, SIGTERM, on_signal, srv);
    signal_watch_start(&srv->on_int, srv->loop, SIGINT, on_signal, srv);
    signal_watch_start(&srv->on_hup, srv->loop, SIGHUP, on_signal, srv);
    notify_watchdog_start(srv->loop);
    roles_start(srv);
    dataset_load_at_start(srv);
    return 0;
}

void server_ready(struct server *srv)
{
    struct err e = {0};

    if (srv->ready)
        return;
    srv->ready = true;
    if (ha_start(srv, &e) != 0) {
        log_error("%s", e.text);
        loop_stop(srv->loop, 1);
        return;
    }
    log_notice("Ready to accept connections");
    notify_status("%s, port %d", role_word(&srv->resp), (int)srv->opt.port);
    notify_ready();
}

int server_run(struct server *srv) { return loop_run(srv->loop); }

void server_fini(struct server *srv)
{
    if (!srv->loop)
        return;
    if (srv->http)
        http_server_stop(srv->http);
    if (srv->tick.loop) {
        signal_watch_stop(&srv->on_term);
        signal_watch_stop(&srv->on_int);
        signal_watch_stop(&srv->on_hup);
        timer_clear(&srv->tick);
        timer_clear(&srv->expire_timer);
        timer_clear(&srv->stopping.timer);
        loop_hook_remove(&srv->turn);
    }
    if (!srv->ks) {                    /* the state folder was refused: no room was made */
        command_table_fini(&srv->commands);
        overlay_fini(srv);
        loop_free(srv->loop);
        return;
    }
    resp_server_fini(&srv->resp);      /* clients leave: they release what they hold in the rooms below */
    rewrite_fini(srv);
    ha_fini(srv);
    snapshot_free(srv->snapshot);
    roles_fini(srv);
    tracking_fini(srv);
    txn_fini(srv);
    pubsub_fini(&srv->pubsub);
    watch_remove(&srv->watcher);
    keyspace_free(srv->ks);
    slowlog_reset(&srv->slowlog);
    dict_fini(&srv->error_stats, NULL);
    buf_fini(&srv->first.bytes);
    mem_free(srv->first.argv);
    command_table_fini(&srv->commands);
    mem_free(srv->listening.bind);
    overlay_fini(srv);
    loop_free(srv->loop);
}
