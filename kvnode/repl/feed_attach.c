/* How a replica gets its data: continue where it was, or the file of a snapshot and the
 * stream since the fork. Also what replicas say about themselves. */
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/log.h"
#include "kvnode/call.h"
#include "kvnode/disk/snapshot.h"
#include "kvnode/ha/ha_repl.h"
#include "kvnode/repl/feed_inside.h"
#include "kvnode/repl/follow.h"
#include "kvnode/repl/handover.h"
#include "kvnode/repl/wait.h"
#include "kvnode/role/role.h"
#include "kvnode/server.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP (256u << 10)
#define PUMP_MAX (8u << 20)        /* per replica and turn */
#define OUT_HIGH (1u << 20)        /* enough waits in its socket's queue */

static struct feed_replica *replica_of(struct client *c)
{
    if (c->replica == NULL) {
        c->replica = mem_zalloc(sizeof *c->replica);
        c->replica->client = c;
        c->replica->fd = -1;
        struct addr peer = stream_peer(c->session->stream);
        memcpy(c->replica->peer_ip, peer.host, sizeof peer.host);
        list_init(&c->replica->link);
    }
    return c->replica;
}

static void enlist(struct feed *f, struct feed_replica *r, enum feed_state st)
{
    struct session *se = r->client->session;

    r->state = st;
    r->moved_at_ms = r->acked_at_ms = server_now_ms(f->srv);
    list_append(&f->replicas, &r->link);
    f->nreplicas++;
    se->class = SESSION_REPLICA;
    se->exempt_idle = true;
    stream_set_keepalive(se->stream, 60);
}

/* --- full --- */

static void say_fullresync(struct feed *f, struct feed_replica *r, int64_t offset)
{
    r->state = FEED_WAIT_FILE;
    if (!r->silent) {
        buf_printf(feed_replica_out(r), "+FULLRESYNC %s %lld\r\n", f->history.id, (long long)offset);
        stream_flush_later(r->client->session->stream);
    }
}

/* A snapshot that is already running will do, when the stream since its fork is still at hand. */
static bool join_running(struct feed *f, struct feed_replica *r)
{
    int64_t fork_offset = snapshot_fork_offset(f->srv->snapshot);

    if (!snapshot_running(f->srv->snapshot) || f->fork_foreign || fork_offset > f->history.offset ||
        !backlog_copy(&f->backlog, fork_offset + 1, &r->pending))
        return false;
    log_notice("Waiting for end of BGSAVE for SYNC");
    say_fullresync(f, r, fork_offset);
    return true;
}

void feed_start_snapshot(struct feed *f)
{
    struct err e = {0};
    size_t waiting = 0;

    list_each(struct feed_replica, r, &f->replicas, link)
        waiting += r->state == FEED_WAIT_FORK;
    if (waiting == 0 || snapshot_running(f->srv->snapshot))
        return;
    log_notice("Starting BGSAVE for SYNC with target: disk");
    f->stream_db = server_is_replica(f->srv) ? f->stream_db : -1;
    f->fork_foreign = false;
    int rc = snapshot_start(f->srv->snapshot, &e);
    f->fork_ours = rc == 0;
    list_each_safe(struct feed_replica, r, &f->replicas, link) {
        if (r->state != FEED_WAIT_FORK)
            continue;
        if (rc == 0)
            say_fullresync(f, r, snapshot_fork_offset(f->srv->snapshot));
        else
            feed_drop(f, r, "BGSAVE for replication failed, closing the link to replica");
    }
}

static void open_file(struct feed *f, struct feed_replica *r, const char *path)
{
    struct stat st;

    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0 || fstat(r->fd, &st) != 0) {
        log_warning("Can't open the file for the replica: %s: %s", path, strerror(errno));
        feed_drop(f, r, "No file to send to replica");
        return;
    }
    r->file_left = (uint64_t)st.st_size;
    r->state = FEED_SENDING;
    r->moved_at_ms = server_now_ms(f->srv);
    buf_printf(feed_replica_out(r), "$%llu\r\n", (unsigned long long)r->file_left);
    stream_flush_later(r->client->session->stream);
}

bool feed_wants_file(const struct feed *f)
{
    list_each(struct feed_replica, r, &f->replicas, link)
        if (r->state == FEED_WAIT_FILE)
            return true;
    return false;
}

void feed_snapshot_done(void *arg, const char *path, const struct err *e)
{
    struct feed *f = arg;

    list_each_safe(struct feed_replica, r, &f->replicas, link) {
        if (r->state != FEED_WAIT_FILE)
            continue;
        if (e)
            feed_drop(f, r, "SYNC failed, the snapshot for it failed; closing the link to replica");
        else
            open_file(f, r, path);
    }
    if (e == NULL && f->fork_ours && f->srv->opt.rdb_del_sync_files && !server_has_save_points(f->srv)) {
        log_notice("Removing the RDB file %s used to feed replicas in a persistence-less instance", path);
        unlink(path);                  /* those that send it have it open */
    }
    f->fork_ours = f->fork_foreign = false;
    feed_start_snapshot(f);
    loop_again(f->srv->loop);
}

static void file_sent(struct feed *f, struct feed_replica *r)
{
    close(r->fd);
    r->fd = -1;
    if (r->rdb_only) {
        struct session *se = r->client->session;
        feed_gone(f, r->client);
        session_close_when_sent(se);
        return;
    }
    feed_online(f, r);
}

static void pump_one(struct feed *f, struct feed_replica *r)
{
    struct stream *s = r->client->session->stream;
    struct buf *out = stream_out(s);
    size_t moved = 0;

    while (r->file_left > 0 && moved < PUMP_MAX && buf_len(out) < OUT_HIGH) {
        ssize_t n = read(r->fd, buf_tail(out, READ_STEP), READ_STEP);
        if (n <= 0) {
            if (n < 0 && errno == EINTR)
                continue;
            feed_drop(f, r, "The file ended early while it was sent to replica");
            return;
        }
        buf_added(out, (size_t)n);
        moved += (size_t)n;
        r->file_left -= (uint64_t)n < r->file_left ? (uint64_t)n : r->file_left;
        if (buf_len(out) >= OUT_HIGH)
            stream_flush_some(s);
    }
    if (moved > 0) {
        stream_flush_some(s);          /* (calls nobody back: a broken connection would take r with it) */
        stream_flush_later(s);
    }
    if (r->file_left == 0)
        file_sent(f, r);
    else if (buf_len(out) < OUT_HIGH)
        loop_again(f->srv->loop);
}

void feed_pump(struct feed *f)
{
    list_each_safe(struct feed_replica, r, &f->replicas, link)
        if (r->state == FEED_SENDING)
            pump_one(f, r);
}

static void full(struct feed *f, struct feed_replica *r)
{
    char name[ADDR_TEXT_MAX];

    f->stats.full++;
    enlist(f, r, FEED_WAIT_FORK);
    if (!backlog_active(&f->backlog)) {
        /* What was written while nobody counted has no offset: nobody may continue from before. */
        feed_begin_history(f, 0);
        log_notice("Replication backlog created, my new replication IDs are '%s' and '%s'", f->history.id, f->history.id2);
    }
    log_notice("Full resync requested by replica %s", feed_replica_name(r, name));
    if (!join_running(f, r))
        feed_start_snapshot(f);
}

/* --- partial --- */

/* By its replication id; or by its position, when it says one in our group's epochs. */
static enum history_answer can_continue(const struct feed *f, struct feed_replica *r, struct slice id, int64_t want)
{
    const struct backlog *b = &f->backlog;

    if (!backlog_active(b))
        return HISTORY_TOO_OLD;
    switch (ha_repl_continues(r->client, want)) {
    case HA_REPL_BY_ID: break;
    case HA_REPL_OUT_OF_HISTORY: return HISTORY_PAST_SHIFT;
    case HA_REPL_IN_HISTORY:
        if (want < b->first || want > b->first + (int64_t)b->len)
            return HISTORY_TOO_OLD;
        if (r->psync2)
            return HISTORY_CONTINUE;
        break;
    }
    return history_can_continue(&f->history, id, want, b->first, (int64_t)b->len);
}

static bool partial(struct feed *f, struct feed_replica *r, struct slice id, int64_t want)
{
    const struct backlog *b = &f->backlog;
    struct buf *out = feed_replica_out(r);
    char name[ADDR_TEXT_MAX];
    enum history_answer a = can_continue(f, r, id, want);

    if (a != HISTORY_CONTINUE) {
        log_notice("Partial resynchronization not accepted for replica %s: %s (asked for %.*s:%lld, we are %s:%lld)",
                   feed_replica_name(r, name), history_answer_name(a), (int)(id.len < ID_HEX ? id.len : ID_HEX), id.p,
                   (long long)want, f->history.id, (long long)f->history.offset);
        return false;
    }
    if (r->psync2)
        buf_printf(out, "+CONTINUE %s\r\n", f->history.id);
    else
        buf_append_z(out, "+CONTINUE\r\n");
    size_t before = buf_len(out);
    enlist(f, r, FEED_ONLINE);
    backlog_copy(b, want, out);
    stream_flush_later(r->client->session->stream);
    r->acked = want - 1;
    f->stats.partial_ok++;
    log_notice("Partial resynchronization request from %s accepted. Sending %zu bytes of backlog starting from offset %lld.",
               feed_replica_name(r, name), buf_len(out) - before, (long long)want);
    feed_tell_good(f);
    return true;
}

/* --- commands --- */

static bool may_sync(struct feed *f, struct call *c, bool *full_too)
{
    struct client *cl = call_client(c);
    struct addr who = {0};
    const char *refused;
    int64_t port;

    if (cl->session == NULL || (cl->replica && cl->replica->state != FEED_NEW))
        return false;
    feed_replica_addr(replica_of(cl), who.host, &port);
    who.port = (uint16_t)port;
    refused = ha_repl_refuses(cl, full_too);
    if (!refused && *full_too)         /* a tail is taken from a node that follows nobody */
        refused = role_may_feed(f->srv->role, &who);
    if (refused) {
        reply_error(c->reply, refused);
        return false;
    }
    if (f->srv->loading.on) {
        reply_error(c->reply, TEXT_LOADING);
        return false;
    }
    return true;
}

void feed_psync(struct feed *f, struct call *c)
{
    bool full_too;
    int64_t want;

    if (c->argc > 3 && slice_is_nocase(c->argv[3], "failover") && !handover_take(f->srv, c))
        return;
    if (!may_sync(f, c, &full_too))
        return;
    if (!num_i64_in(c->argv[2].p, c->argv[2].len, -1, INT64_MAX, &want)) {
        reply_error(c->reply, TEXT_NOT_INT);
        return;
    }
    struct feed_replica *r = replica_of(call_client(c));
    bool wants_full = slice_is(c->argv[1], "?");
    if (!wants_full && partial(f, r, c->argv[1], want))
        return;
    f->stats.partial_err += !wants_full;
    if (full_too)
        full(f, r);
    else
        reply_error(c->reply, "NOMASTERLINK the log here does not go on from there, and a tail is no full copy");
}

void feed_sync(struct feed *f, struct call *c)
{
    bool full_too;

    if (!may_sync(f, c, &full_too))
        return;
    struct feed_replica *r = replica_of(call_client(c));
    if (!full_too) {
        reply_error(c->reply, "NOMASTERLINK SYNC is no way to fetch a tail");
        return;
    }
    r->silent = true;
    full(f, r);
}

/* REPLCONF ACK <offset> [ha-epoch <epoch> ha-life <life>] */
static void acked(struct feed *f, struct client *cl, int argc, const struct slice *argv)
{
    struct feed_replica *r = cl->replica;
    uint64_t epoch, life;
    int64_t offset;

    if (r == NULL || r->state == FEED_NEW || !num_i64(argv[2].p, argv[2].len, &offset))
        return;
    if (argc == 7 && r->state == FEED_ONLINE && slice_is_nocase(argv[3], "ha-epoch") && num_u64(argv[4].p, argv[4].len, &epoch) &&
        slice_is_nocase(argv[5], "ha-life") && num_u64(argv[6].p, argv[6].len, &life))
        ha_repl_acked(cl, offset, epoch, life);
    if (offset > r->acked)
        r->acked = offset;
    r->acked_at_ms = server_now_ms(f->srv);
    feed_tell_good(f);
    wait_check(f->srv);
}

/* One pair. false: answered with an error. */
static bool replconf_pair(struct call *c, struct slice name, struct slice value)
{
    struct feed_replica *r = replica_of(call_client(c));
    int64_t n = 0;

    if (slice_is_nocase(name, "listening-port")) {
        if (!num_i64_in(value.p, value.len, 0, 65535, &n)) {
            reply_error(c->reply, TEXT_NOT_INT);
            return false;
        }
        r->listening_port = n;
    } else if (slice_is_nocase(name, "ip-address")) {
        if (!slice_copy_z(value, r->announced_ip, sizeof r->announced_ip)) {
            reply_errorf(c->reply, "ERR REPLCONF ip-address provided by replica instance is too long: %zu bytes", value.len);
            return false;
        }
    } else if (slice_is_nocase(name, "capa")) {
        r->psync2 = r->psync2 || slice_is_nocase(value, "psync2");
    } else if (slice_is_nocase(name, "rdb-only")) {
        if (!num_i64_in(value.p, value.len, 0, 1, &n)) {
            reply_error(c->reply, TEXT_NOT_INT);
            return false;
        }
        r->rdb_only = n == 1;
    } else if (!slice_is_nocase(name, "version")) {
        reply_errorf(c->reply, "ERR Unrecognized REPLCONF option: %.*s", (int)(name.len < 128 ? name.len : 128), name.p);
        return false;
    }
    return true;
}

void feed_replconf(struct feed *f, struct call *c)
{
    struct client *cl = call_client(c);

    if (cl->session == NULL)
        return;
    if (c->argc > 1 && slice_is_nocase(c->argv[1], "ha-member")) {
        replica_of(cl);
        ha_repl_greeted(c);
        return;
    }
    if (c->argc % 2 == 0) {
        reply_error(c->reply, TEXT_SYNTAX);
        return;
    }
    for (int i = 1; i + 1 < c->argc; i += 2) {
        if (slice_is_nocase(c->argv[i], "ack")) {
            if (i == 1)
                acked(f, cl, c->argc, c->argv);      /* never answered */
            return;
        }
        if (slice_is_nocase(c->argv[i], "getack")) {
            follow_ack_now(f->srv->follow);  /* whoever says it; never answered */
            return;
        }
        if (!replconf_pair(c, c->argv[i], c->argv[i + 1]))
            return;
    }
    reply_ok(c->reply);
}
