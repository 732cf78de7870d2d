/* The metrics of this daemon, one row each. */
#include "kvnode/metrics.h"

#include "common/base/mem.h"
#include "kvnode/client/held.h"
#include "kvnode/disk/snapshot.h"
#include "kvnode/ha/ha.h"
#include "kvnode/info.h"
#include "kvnode/repl/feed.h"
#include "kvnode/role/role.h"
#include "kvnode/server.h"

#include <stdio.h>

static struct held_figures figures(const struct server *s)
{
    struct held_figures f;

    held_figures(s, &f);
    return f;
}

#define VALUE(name, expr)                                                                \
    static void name(const void *from, struct str *out, const struct metric *m)           \
    {                                                                                     \
        const struct server *s = from;                                                    \
        (void)s;                                                                          \
        metric_sample(out, m, NULL, (double)(expr));                                      \
    }

VALUE(read_up, 1)
VALUE(read_uptime, (server_now_ms(s) - s->started_at_ms) / 1000)
VALUE(read_loading, s->loading.on)
VALUE(read_clients, s->resp.nsessions)
VALUE(read_connections, s->resp.stats.connections)
VALUE(read_rejected, s->resp.stats.rejected)
VALUE(read_commands, s->resp.stats.commands)
VALUE(read_commands_s, (double)s->stat_commands_us / 1e6)
VALUE(read_errors, s->resp.stats.error_replies)
VALUE(read_in, s->resp.stats.bytes_in)
VALUE(read_out, s->resp.stats.bytes_out)
VALUE(read_memory, mem_used())
VALUE(read_memory_peak, mem_peak())
VALUE(read_rss, info_rss_bytes())
VALUE(read_maxmemory, s->opt.maxmemory)
VALUE(read_hits, s->ks->hits)
VALUE(read_misses, s->ks->misses)
VALUE(read_expired, s->ks->expired)
VALUE(read_dirty, snapshot_dirty(s->snapshot))
VALUE(read_last_save, snapshot_last_good_s(s->snapshot))
VALUE(read_saving, snapshot_running(s->snapshot))
VALUE(read_replicas, feed_replicas(s->feed))
VALUE(read_good_replicas, feed_good_replicas(s->feed))
VALUE(read_offset, feed_offset(s->feed))
VALUE(read_link, role_link_up(s->role))
VALUE(read_ha_lease, (double)ha_lease_left_ms(s) / 1000)
VALUE(read_ha_links, ha_control_links(s))
VALUE(read_ha_confirmed, ha_confirmed(s))
VALUE(read_waiting_clients, figures(s).clients)
VALUE(read_waiting_bytes, figures(s).bytes)
VALUE(read_waiting_s, (double)figures(s).oldest_ms / 1000)
VALUE(read_unconfirmed, figures(s).given_up)

static void read_ha_phase(const void *from, struct str *out, const struct metric *m)
{
    const struct server *s = from;

    for (int i = 0; i < MP_PHASES; i++) {
        const char *labels[] = {"state", member_phase_name((enum member_phase)i), NULL};

        metric_sample(out, m, labels, ha_phase(s) == (enum member_phase)i);
    }
}

static void read_role(const void *from, struct str *out, const struct metric *m)
{
    const struct server *s = from;

    for (int i = 0; i < ROLE_STATES; i++) {
        const char *labels[] = {"role", role_state_name(i), NULL};

        metric_sample(out, m, labels, s->role->state == (enum role_state)i);
    }
}

static void per_db(const void *from, struct str *out, const struct metric *m, bool deadlines)
{
    const struct server *s = from;
    char db[16];

    for (int i = 0; i < s->ks->ndbs; i++) {
        const struct db *d = keyspace_db(s->ks, i);
        const char *labels[] = {"db", db, NULL};

        if (db_count(d) == 0)
            continue;
        snprintf(db, sizeof db, "db%d", i);
        metric_sample(out, m, labels, (double)(deadlines ? d->with_deadline : db_count(d)));
    }
}

static void read_keys(const void *from, struct str *out, const struct metric *m) { per_db(from, out, m, false); }
static void read_deadlines(const void *from, struct str *out, const struct metric *m) { per_db(from, out, m, true); }

static void read_calls(const void *from, struct str *out, const struct metric *m)
{
    const struct server *s = from;
    char name[64];

    for (size_t i = 0; i < COMMAND_STATS; i++)
        if (s->stats[i].cmd && s->stats[i].st.calls > 0) {
            const char *labels[] = {"command", command_full_name(s->stats[i].cmd, &s->commands, name), NULL};

            metric_sample(out, m, labels, (double)s->stats[i].st.calls);
        }
}

const struct metric kv_metrics[] = {
    {"kvnode_up", METRIC_GAUGE, "Always 1: the node answers.", read_up},
    {"kvnode_uptime_seconds", METRIC_GAUGE, "Since the start.", read_uptime},
    {"kvnode_role", METRIC_GAUGE, "1 for the role that the node has.", read_role},
    {"kvnode_loading", METRIC_GAUGE, "1 while a data set is being read.", read_loading},
    {"kvnode_clients", METRIC_GAUGE, "Connections, replicas included.", read_clients},
    {"kvnode_connections_total", METRIC_COUNTER, "Connections accepted.", read_connections},
    {"kvnode_connections_rejected_total", METRIC_COUNTER, "Connections refused (maxclients).", read_rejected},
    {"kvnode_commands_total", METRIC_COUNTER, "Requests of clients.", read_commands},
    {"kvnode_command_calls_total", METRIC_COUNTER, "Calls by command.", read_calls},
    {"kvnode_command_seconds_total", METRIC_COUNTER, "Time spent in commands.", read_commands_s},
    {"kvnode_errors_total", METRIC_COUNTER, "Error replies.", read_errors},
    {"kvnode_net_in_bytes_total", METRIC_COUNTER, "Bytes read from clients.", read_in},
    {"kvnode_net_out_bytes_total", METRIC_COUNTER, "Bytes written to clients.", read_out},
    {"kvnode_memory_used_bytes", METRIC_GAUGE, "Memory handed out.", read_memory},
    {"kvnode_memory_peak_bytes", METRIC_GAUGE, "The most there ever was.", read_memory_peak},
    {"kvnode_memory_rss_bytes", METRIC_GAUGE, "Resident memory of the process.", read_rss},
    {"kvnode_memory_max_bytes", METRIC_GAUGE, "maxmemory; 0: no limit.", read_maxmemory},
    {"kvnode_keys", METRIC_GAUGE, "Keys by database.", read_keys},
    {"kvnode_keys_with_deadline", METRIC_GAUGE, "Keys that will expire, by database.", read_deadlines},
    {"kvnode_keyspace_hits_total", METRIC_COUNTER, "Reads that found their key.", read_hits},
    {"kvnode_keyspace_misses_total", METRIC_COUNTER, "Reads that did not.", read_misses},
    {"kvnode_expired_keys_total", METRIC_COUNTER, "Keys dropped because their time was over.", read_expired},
    {"kvnode_rdb_changes_since_save", METRIC_GAUGE, "Changes that are not on disk.", read_dirty},
    {"kvnode_rdb_last_save_timestamp_seconds", METRIC_GAUGE, "When the data was last saved well.", read_last_save},
    {"kvnode_rdb_saving", METRIC_GAUGE, "1 while a background save runs.", read_saving},
    {"kvnode_replicas", METRIC_GAUGE, "Replicas attached.", read_replicas},
    {"kvnode_replicas_good", METRIC_GAUGE, "Replicas that acknowledged lately.", read_good_replicas},
    {"kvnode_replication_offset", METRIC_GAUGE, "Bytes of the replication stream.", read_offset},
    {"kvnode_primary_link_up", METRIC_GAUGE, "1 while a replica is connected to its primary.", read_link},
    {"kvnode_ha_state", METRIC_GAUGE, "How the node stands in its formed group; plain: it is in none.", read_ha_phase},
    {"kvnode_ha_lease_seconds", METRIC_GAUGE, "What is left of the lease; -1: it has none, or needs none.", read_ha_lease},
    {"kvnode_ha_confirmed_offset", METRIC_GAUGE, "Up to where the primary's log is confirmed; -1: it is no primary.", read_ha_confirmed},
    {"kvnode_ha_waiting_clients", METRIC_GAUGE, "Clients whose answers wait to be confirmed.", read_waiting_clients},
    {"kvnode_ha_waiting_bytes", METRIC_GAUGE, "Bytes of such answers.", read_waiting_bytes},
    {"kvnode_ha_waiting_seconds", METRIC_GAUGE, "How long the oldest of them has waited.", read_waiting_s},
    {"kvnode_ha_unconfirmed_clients_total", METRIC_COUNTER, "Clients that were told UNCONFIRMED and closed.", read_unconfirmed},
    {"kvnode_ha_control_links", METRIC_GAUGE, "Control links of sentinels and replicas.", read_ha_links},
};
const size_t kv_metrics_n = sizeof kv_metrics / sizeof kv_metrics[0];
