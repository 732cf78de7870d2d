/* The stream itself: bytes get an offset, go into the backlog and to whoever is attached.
 * How replicas get attached is feed_attach.c's. */
#include "kvnode/repl/feed.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/log.h"
#include "common/text/resp_request.h"
#include "kvnode/disk/snapshot.h"
#include "kvnode/ha/ha_repl.h"
#include "kvnode/repl/feed_inside.h"
#include "kvnode/repl/roles.h"
#include "kvnode/repl/wait.h"
#include "kvnode/server.h"

#include <string.h>
#include <unistd.h>

#define DEFAULT_BACKLOG (1 << 20)
#define MEMBER_BACKLOG (64 << 20)

static void new_id(struct feed *f, char id[ID_MAX]) { rng_hex(&f->srv->rng, id, ID_HEX); }

#define EARLY_BYTES (16u << 10)          /* formed groups: replicas begin with so much before the turn is over */

static void on_turn(void *arg)
{
    struct feed *f = arg;

    if (f->want_acks) {
        static const struct slice getack[] = {{"REPLCONF", 8}, {"GETACK", 6}, {"*", 1}};
        f->want_acks = false;
        f->asked_from = f->history.offset;
        feed_command(f, -1, 3, getack);
        f->asked_to = f->history.offset;
        list_each(struct feed_replica, r, &f->replicas, link)
            if (r->state == FEED_ONLINE)
                stream_flush_some(r->client->session->stream);
    }
    feed_pump(f);
}

struct feed *feed_new(struct server *s)
{
    struct feed *f = mem_zalloc(sizeof *f);
    char id[ID_MAX];

    f->srv = s;
    new_id(f, id);
    history_init(&f->history, id);
    backlog_init(&f->backlog);
    list_init(&f->replicas);
    f->stream_db = -1;
    f->good_told = SIZE_MAX;
    f->last_ping_at_ms = server_now_ms(s);
    s->history = &f->history;
    s->backlog = &f->backlog;
    loop_hook_add(s->loop, &f->turn, on_turn, f);
    snapshot_on_done(s->snapshot, feed_snapshot_done, f);
    return f;
}

void feed_free(struct feed *f)
{
    if (f == NULL)
        return;
    while (!list_empty(&f->replicas))
        feed_gone(f, list_first(&f->replicas, struct feed_replica, link)->client);
    loop_hook_remove(&f->turn);
    backlog_fini(&f->backlog);
    buf_fini(&f->scratch);
    mem_free(f);
}

struct history *feed_history(struct feed *f) { return &f->history; }
struct backlog *feed_backlog(struct feed *f) { return &f->backlog; }
int64_t feed_offset(const struct feed *f) { return f->history.offset; }
bool feed_has_history(const struct feed *f) { return backlog_active(&f->backlog) || f->restored; }
int feed_stream_db(const struct feed *f) { return f->stream_db; }
void feed_set_stream_db(struct feed *f, int db) { f->stream_db = db; }
size_t feed_replicas(const struct feed *f) { return f->nreplicas; }
const struct feed_stats *feed_stats(const struct feed *f) { return &f->stats; }
void feed_reset_stats(struct feed *f) { f->stats = (struct feed_stats){0}; }
void feed_ask_acks(struct feed *f) { f->want_acks = true; }

struct buf *feed_replica_out(const struct feed_replica *r) { return stream_out(r->client->session->stream); }

/* --- bytes --- */

void feed_verbatim(struct feed *f, const void *p, size_t n)
{
    f->history.offset += (int64_t)n;
    if (backlog_active(&f->backlog))
        backlog_append(&f->backlog, p, n);
    list_each(struct feed_replica, r, &f->replicas, link) {
        if (r->state == FEED_ONLINE) {
            stream_write(r->client->session->stream, p, n);
            if (f->srv->ha_bound && buf_len(feed_replica_out(r)) >= EARLY_BYTES)
                stream_flush_some(r->client->session->stream);
        } else if (r->state != FEED_WAIT_FORK) {
            buf_append(&r->pending, p, n);
        }
    }
}

void feed_command(struct feed *f, int db, int argc, const struct slice *argv)
{
    if (!backlog_active(&f->backlog) || server_is_replica(f->srv) || f->srv->over)
        return;
    buf_clear(&f->scratch);
    if (db >= 0 && db != f->stream_db) {
        char num[NUM_I64_MAX];
        struct slice select[2] = {{"SELECT", 6}, {num, num_put_i64(num, db)}};
        resp_put_request(&f->scratch, 2, select);
        f->stream_db = db;
    }
    resp_put_request(&f->scratch, argc, argv);
    feed_verbatim(f, buf_data(&f->scratch), buf_len(&f->scratch));
    buf_shrink(&f->scratch, 1u << 20);
}

void feed_begin(struct feed *f, int db) { feed_command(f, db, 1, &(struct slice){"MULTI", 5}); }
void feed_commit(struct feed *f, int db) { feed_command(f, db, 1, &(struct slice){"EXEC", 4}); }

/* --- history --- */

/* Left as it is, repl-backlog-size is too small for a member: whoever stands further behind at a failover would need a full
 * copy, hence a new life, and would not count until its group admits it. */
static size_t backlog_size(const struct feed *f)
{
    const struct kv_options *o = &f->srv->opt;
    int64_t most = o->maxmemory > 0 ? o->maxmemory / 16 : MEMBER_BACKLOG;

    if (!f->srv->ha_bound || o->repl_backlog_size != DEFAULT_BACKLOG || most < DEFAULT_BACKLOG)
        return (size_t)o->repl_backlog_size;
    return (size_t)(most < MEMBER_BACKLOG ? most : MEMBER_BACKLOG);
}

void feed_keep_backlog(struct feed *f)
{
    if (backlog_active(&f->backlog))
        return;
    backlog_create(&f->backlog, backlog_size(f), f->history.offset + 1);
    f->alone_since_ms = server_now_ms(f->srv);
}

void feed_begin_history(struct feed *f, int64_t offset)
{
    char id[ID_MAX];

    new_id(f, id);
    history_restart(&f->history, id);
    if (f->history.offset < offset)
        f->history.offset = offset;
    feed_keep_backlog(f);
}

void feed_shift_id(struct feed *f)
{
    char id[ID_MAX];

    new_id(f, id);
    history_shift(&f->history, id);
    ha_repl_own_history(f->srv);
    f->stream_db = -1;
    f->alone_since_ms = server_now_ms(f->srv);
    log_notice("Setting secondary replication ID to %s, valid up to offset: %lld. New replication ID is %s",
               f->history.id2, (long long)f->history.id2_until, f->history.id);
}

void feed_replace_history(struct feed *f, const char id[ID_MAX], int64_t offset)
{
    history_replace(&f->history, id, offset);
    backlog_create(&f->backlog, backlog_size(f), offset + 1);
    f->restored = false;
    f->fork_foreign = snapshot_running(f->srv->snapshot);
    f->alone_since_ms = server_now_ms(f->srv);
}

void feed_restore_history(struct feed *f, const char id[ID_MAX], int64_t offset, bool as_replica)
{
    char fresh[ID_MAX];

    history_replace(&f->history, id, offset);
    f->restored = true;
    feed_keep_backlog(f);
    if (!as_replica) {
        new_id(f, fresh);
        history_shift(&f->history, fresh);
        ha_repl_own_history(f->srv);
    }
}

void feed_settings(struct feed *f) { backlog_resize(&f->backlog, backlog_size(f)); }

/* --- who is there --- */

void feed_replica_addr(const struct feed_replica *r, char ip[ADDR_HOST_MAX], int64_t *port)
{
    memcpy(ip, r->announced_ip[0] ? r->announced_ip : r->peer_ip, ADDR_HOST_MAX);
    *port = r->listening_port;
}

const char *feed_replica_name(const struct feed_replica *r, char out[ADDR_TEXT_MAX])
{
    struct addr a = {0};
    int64_t port;

    feed_replica_addr(r, a.host, &port);
    a.port = (uint16_t)port;
    return addr_text(&a, out);
}

void feed_gone(struct feed *f, struct client *c)
{
    struct feed_replica *r = c->replica;
    char name[ADDR_TEXT_MAX];

    if (r == NULL)
        return;
    ha_repl_gone(c);
    c->replica = NULL;
    if (r->state != FEED_NEW) {
        log_notice("Connection with replica %s lost.", feed_replica_name(r, name));
        list_leave(&r->link);
        r->state = FEED_NEW;           /* for a walk that stands on it: its end may have been that of others */
        if (--f->nreplicas == 0)
            f->alone_since_ms = server_now_ms(f->srv);
        feed_tell_good(f);
    }
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    buf_fini(&r->pending);
    loop_park(f->srv->loop, r, mem_free);
}

void feed_drop(struct feed *f, struct feed_replica *r, const char *why)
{
    char name[ADDR_TEXT_MAX];
    struct session *se = r->client->session;

    log_warning("%s %s", why, feed_replica_name(r, name));
    feed_gone(f, r->client);
    session_close(se);
}

void feed_drop_replicas(struct feed *f, const char *why)
{
    while (!list_empty(&f->replicas))
        feed_drop(f, list_first(&f->replicas, struct feed_replica, link), why);
}

static bool is_good(const struct feed *f, const struct feed_replica *r)
{
    return r->state == FEED_ONLINE &&
           server_now_ms(f->srv) - r->acked_at_ms <= f->srv->opt.min_replicas_max_lag_s * 1000;
}

size_t feed_good_replicas(const struct feed *f)
{
    size_t n = 0;

    list_each(struct feed_replica, r, &f->replicas, link)
        n += is_good(f, r);
    return n;
}

void feed_tell_good(struct feed *f)
{
    size_t good = feed_good_replicas(f);

    if (good == f->good_told)
        return;
    f->good_told = good;
    roles_tell(f->srv, &(struct role_event){.kind = ROLE_EV_GOOD_REPLICAS, .n = (int)good});
}

bool feed_refuses_writes(const struct feed *f)
{
    return f->srv->opt.min_replicas_to_write > 0 && !server_is_replica(f->srv) &&
           (int64_t)feed_good_replicas(f) < f->srv->opt.min_replicas_to_write;
}

size_t feed_acked(const struct feed *f, int64_t offset)
{
    size_t n = 0;

    list_each(struct feed_replica, r, &f->replicas, link)
        n += r->state == FEED_ONLINE && r->acked >= offset;
    return n;
}

bool feed_has_all(const struct feed *f, const struct feed_replica *r)
{
    bool only_asked = !f->want_acks && f->asked_to == f->history.offset;

    return r->acked >= f->history.offset || (only_asked && r->acked >= f->asked_from);
}

void feed_log_lag(struct feed *f)
{
    size_t online = 0, level = 0;
    char name[ADDR_TEXT_MAX];

    list_each(struct feed_replica, r, &f->replicas, link) {
        if (r->state != FEED_ONLINE)
            continue;
        online++;
        if (r->acked >= f->history.offset)
            level++;
        else
            log_notice("Lagging replica %s reported offset %lld behind master, lag=%lld, state=online.",
                       feed_replica_name(r, name), (long long)(f->history.offset - r->acked),
                       (long long)((server_now_ms(f->srv) - r->acked_at_ms) / 1000));
    }
    if (online > 0)
        log_notice("%zu of %zu replicas are in sync when shutting down.", level, online);
}

size_t feed_memory(const struct feed *f)
{
    size_t n = 0;

    list_each(struct feed_replica, r, &f->replicas, link)
        n += r->pending.cap + feed_replica_out(r)->cap;
    return n;
}

void feed_online(struct feed *f, struct feed_replica *r)
{
    char name[ADDR_TEXT_MAX];

    r->state = FEED_ONLINE;
    r->acked_at_ms = server_now_ms(f->srv);
    if (buf_len(&r->pending) > 0)
        stream_write(r->client->session->stream, buf_data(&r->pending), buf_len(&r->pending));
    buf_fini(&r->pending);
    memset(&r->pending, 0, sizeof r->pending);
    log_notice("Synchronization with replica %s succeeded", feed_replica_name(r, name));
    feed_tell_good(f);
}

/* --- time --- */

static bool overfull(struct feed *f, struct feed_replica *r, int64_t now_ms)
{
    const struct out_limit *lim = &f->srv->opt.out_limit[SESSION_REPLICA];
    int64_t n = (int64_t)buf_len(&r->pending);

    if (lim->soft == 0 || n <= lim->soft)
        r->pending_over_since_ms = 0;
    else if (r->pending_over_since_ms == 0)
        r->pending_over_since_ms = now_ms;
    return (lim->hard > 0 && n > lim->hard) ||
           (r->pending_over_since_ms > 0 && now_ms - r->pending_over_since_ms > lim->soft_s * 1000);
}

static const char *fault_of(struct feed *f, struct feed_replica *r, int64_t now_ms)
{
    int64_t timeout_ms = f->srv->opt.repl_timeout_s * 1000, silence_ms = ha_repl_silence_ms(f->srv);
    uint64_t out = stream_bytes_out(r->client->session->stream);

    if (out != r->moved_bytes) {
        r->moved_bytes = out;
        r->moved_at_ms = now_ms;
    }
    if (r->state == FEED_ONLINE && !r->silent && now_ms - r->acked_at_ms > timeout_ms)
        return "Disconnecting timedout replica (streaming sync):";
    if (r->state == FEED_ONLINE && r->ha.told != 0 && silence_ms != 0 && now_ms - r->acked_at_ms > ms_max(2 * silence_ms, 1000))
        return "Disconnecting a member that acknowledges nothing:";
    if (r->state == FEED_SENDING && now_ms - r->moved_at_ms > timeout_ms)
        return "Disconnecting timedout replica (full sync):";
    if (overfull(f, r, now_ms))
        return "Disconnecting a replica that is too far behind, for its output limit:";
    return NULL;
}

static void keep_waiting_ones_alive(struct feed *f, int64_t now_ms)
{
    if (now_ms - f->last_newline_at_ms < 1000)
        return;
    f->last_newline_at_ms = now_ms;
    list_each(struct feed_replica, r, &f->replicas, link)
        if (r->state == FEED_WAIT_FORK || r->state == FEED_WAIT_FILE)
            stream_write(r->client->session->stream, "\n", 1);
}

static void ping(struct feed *f, int64_t now_ms)
{
    static const struct slice words[] = {{"PING", 4}};

    if (server_is_replica(f->srv) || f->nreplicas == 0)
        f->last_ping_at_ms = now_ms;
    if (resp_server_is_paused(&f->srv->resp) || now_ms - f->last_ping_at_ms < f->srv->opt.repl_ping_replica_period_s * 1000)
        return;
    f->last_ping_at_ms = now_ms;
    feed_command(f, -1, 1, words);
}

static void age_backlog(struct feed *f, int64_t now_ms)
{
    int64_t ttl_ms = f->srv->opt.repl_backlog_ttl_s * 1000;
    char id[ID_MAX];

    if (ttl_ms == 0 || f->nreplicas > 0 || f->srv->ha_bound || !backlog_active(&f->backlog) || server_is_replica(f->srv) ||
        now_ms - f->alone_since_ms < ttl_ms)
        return;
    new_id(f, id);
    history_restart(&f->history, id);
    backlog_release(&f->backlog);
    f->restored = false;
    log_notice("Replication backlog freed after %lld seconds without connected replicas.", (long long)(ttl_ms / 1000));
}

void feed_tick(struct feed *f, int64_t now_ms)
{
    list_each_safe(struct feed_replica, r, &f->replicas, link) {
        const char *why = r->state == FEED_NEW ? NULL : fault_of(f, r, now_ms);
        if (why)
            feed_drop(f, r, why);
    }
    keep_waiting_ones_alive(f, now_ms);
    ping(f, now_ms);
    age_backlog(f, now_ms);
    feed_tell_good(f);
    feed_start_snapshot(f);
}
