/* INFO replication and ROLE. */
#include "kvnode/repl/report.h"

#include "kvnode/call.h"
#include "kvnode/ha/ha_repl.h"
#include "kvnode/repl/feed_inside.h"
#include "kvnode/repl/follow.h"
#include "kvnode/repl/handover.h"
#include "kvnode/repl/roles.h"
#include "kvnode/repl/tail.h"
#include "kvnode/server.h"

static int64_t seconds_since(const struct server *srv, int64_t at_ms)
{
    return (server_now_ms(srv) - at_ms) / 1000;
}

static void line_i64(struct str *out, const char *name, int64_t v) { str_printf(out, "%s:%lld\r\n", name, (long long)v); }

static void copy_lines(struct server *srv, struct str *out)
{
    uint64_t total, got = follow_copy_bytes(srv->follow, &total);

    line_i64(out, "master_sync_total_bytes", (int64_t)total);
    line_i64(out, "master_sync_read_bytes", (int64_t)got);
    line_i64(out, "master_sync_left_bytes", total ? (int64_t)(total - got) : -(int64_t)got);
    str_printf(out, "master_sync_perc:%.2f\r\n", total ? 100.0 * (double)got / (double)total : 0.0);
    line_i64(out, "master_sync_last_io_seconds_ago", seconds_since(srv, follow_last_io_at_ms(srv->follow)));
}

static void replica_lines(struct server *srv, struct str *out)
{
    const struct role *r = srv->role;
    bool link_up = role_link_up(r);
    bool syncing = follow_loading(srv->follow);

    str_printf(out, INFO_MASTER_HOST ":%s\r\n", r->primary.host);
    line_i64(out, INFO_MASTER_PORT, r->primary.port);
    str_printf(out, INFO_MASTER_LINK_STATUS ":%s\r\n", link_up ? "up" : "down");
    line_i64(out, "master_last_io_seconds_ago", link_up ? seconds_since(srv, follow_last_io_at_ms(srv->follow)) : -1);
    line_i64(out, "master_sync_in_progress", syncing);
    line_i64(out, "slave_read_repl_offset", srv->history->offset);
    line_i64(out, INFO_SLAVE_REPL_OFFSET, srv->history->offset);
    if (syncing)
        copy_lines(srv, out);
    if (!link_up) {
        line_i64(out, INFO_MASTER_LINK_DOWN_SINCE, r->link_down_at_ms == NEVER_MS ? -1 : seconds_since(srv, r->link_down_at_ms));
        str_printf(out, "master_link_down_reason:%s%s\r\n", r->state == ROLE_STUCK ? "stopped: " : "",
                   follow_why_down(srv->follow));
    }
    line_i64(out, INFO_SLAVE_PRIORITY, srv->opt.replica_priority);
    line_i64(out, "slave_read_only", srv->opt.replica_read_only);
    line_i64(out, INFO_REPLICA_ANNOUNCED, srv->opt.replica_announced);
}

static const char *state_word(const struct feed_replica *r)
{
    switch (r->state) {
    case FEED_NEW:
    case FEED_WAIT_FORK:
    case FEED_WAIT_FILE: return "wait_bgsave";
    case FEED_SENDING: return "send_bulk";
    case FEED_ONLINE: return "online";
    }
    return "?";
}

static void attached_lines(struct server *srv, struct str *out)
{
    int n = 0;

    line_i64(out, "connected_slaves", (int64_t)feed_replicas(srv->feed));
    if (srv->opt.min_replicas_to_write > 0 && srv->opt.min_replicas_max_lag_s > 0)
        line_i64(out, "min_slaves_good_slaves", (int64_t)feed_good_replicas(srv->feed));
    list_each(struct feed_replica, r, &srv->feed->replicas, link) {
        char ip[ADDR_HOST_MAX];
        int64_t port;
        feed_replica_addr(r, ip, &port);
        str_printf(out, "slave%d:ip=%s,port=%lld,state=%s,offset=%lld,lag=%lld\r\n", n++, ip, (long long)port, state_word(r),
                   (long long)r->acked, r->state == FEED_ONLINE ? (long long)seconds_since(srv, r->acked_at_ms) : 0LL);
    }
}

/* What was lost with the last full copy: only a node that dropped something has these lines. */
static void tail_lines(const struct server *srv, struct str *out)
{
    const struct tail_lost *l = ha_repl_last_tail(srv);

    if (!l)
        return;
    line_i64(out, "last_tail_commands", (int64_t)l->commands);
    line_i64(out, "last_tail_bytes", (int64_t)l->bytes);
    line_i64(out, "last_tail_from", l->from);
    line_i64(out, "last_tail_to", l->to);
    line_i64(out, "last_tail_whole", l->fork_known && !l->less);
    line_i64(out, "last_tail_at_ms", l->at_ms);
    str_printf(out, "last_tail_file:%s\r\n", l->path);
}

void report_replication(struct server *srv, struct str *out)
{
    const struct history *h = srv->history;
    const struct backlog *b = srv->backlog;
    bool active = backlog_active(b);

    str_printf(out, INFO_ROLE ":%s\r\n", role_is_replica(srv->role) ? WORD_SLAVE : WORD_MASTER);
    if (role_is_replica(srv->role))
        replica_lines(srv, out);
    attached_lines(srv, out);
    tail_lines(srv, out);
    str_printf(out, INFO_FAILOVER_STATE ":%s\r\n", handover_state_word(srv->handover));
    str_printf(out, INFO_MASTER_REPLID ":%s\r\n" INFO_MASTER_REPLID2 ":%s\r\n", h->id, h->id2);
    line_i64(out, INFO_MASTER_REPL_OFFSET, h->offset);
    line_i64(out, INFO_SECOND_REPL_OFFSET, h->id2_until);
    line_i64(out, "repl_backlog_active", active);
    line_i64(out, "repl_backlog_size", active ? (int64_t)b->size : srv->opt.repl_backlog_size);
    line_i64(out, "repl_backlog_first_byte_offset", active ? b->first : 0);
    line_i64(out, "repl_backlog_histlen", active ? (int64_t)b->len : 0);
}

static void role_of_primary(struct server *srv, struct reply *r)
{
    size_t n = 0;

    reply_array(r, 3);
    reply_bulk_z(r, WORD_MASTER);
    reply_int(r, srv->history->offset);
    struct reply_hole hole = reply_hole(r);
    list_each(struct feed_replica, fr, &srv->feed->replicas, link) {
        char ip[ADDR_HOST_MAX];
        int64_t port;
        if (fr->state != FEED_ONLINE)
            continue;
        feed_replica_addr(fr, ip, &port);
        reply_array(r, 3);
        reply_bulk_z(r, ip);
        reply_bulk_i64(r, port);
        reply_bulk_i64(r, fr->acked);
        n++;
    }
    reply_fill_array(r, hole, n);
}

void report_role(struct call *c)
{
    struct server *srv = call_server(c);

    if (!role_is_replica(srv->role)) {
        role_of_primary(srv, c->reply);
        return;
    }
    reply_array(c->reply, 5);
    reply_bulk_z(c->reply, WORD_SLAVE);
    reply_bulk_z(c->reply, srv->role->primary.host);
    reply_int(c->reply, srv->role->primary.port);
    reply_bulk_z(c->reply, follow_state_word(srv->follow));
    reply_int(c->reply, role_link_up(srv->role) ? srv->history->offset : -1);
}
