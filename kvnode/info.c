/* One function per section, one row per section. Fields that count something kvnode does not have
 * (cluster, modules, eviction) are there with their zero when programs look for them. */
#include "kvnode/info.h"

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/clock.h"
#include "kvnode/client/tracking.h"
#include "kvnode/disk/snapshot.h"
#include "kvnode/ha/ha.h"
#include "kvnode/repl/feed.h"
#include "kvnode/repl/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

static void line_i(struct str *out, const char *name, int64_t v) { str_printf(out, "%s:%" PRId64 "\r\n", name, v); }
static void line_s(struct str *out, const char *name, const char *v) { str_printf(out, "%s:%s\r\n", name, v); }

static void line_human(struct str *out, const char *name, size_t bytes)
{
    char text[32];

    num_put_size_human(text, sizeof text, bytes);
    line_i(out, name, (int64_t)bytes);
    str_printf(out, "%s_human:%s\r\n", name, text);
}

size_t info_rss_bytes(void)
{
    unsigned long size, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f) {
        if (fscanf(f, "%lu %lu", &size, &resident) != 2)
            resident = 0;
        fclose(f);
    }
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void section_server(struct server *srv, struct str *out)
{
    struct utsname u;
    int64_t up_s = (server_now_ms(srv) - srv->started_at_ms) / 1000;
    char exe[512];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

    exe[n > 0 ? n : 0] = '\0';
    uname(&u);
    line_s(out, "redis_version", COMPAT_VERSION);
    line_s(out, INFO_KVORUM_VERSION, KVORUM_VERSION);
    line_s(out, "redis_git_sha1", "00000000");
    line_s(out, "redis_git_dirty", "0");
    line_s(out, "redis_build_id", "0");
    line_s(out, "redis_mode", "standalone");
    str_printf(out, "os:%s %s %s\r\n", u.sysname, u.release, u.machine);
    line_i(out, "arch_bits", (int64_t)sizeof(void *) * 8);
    line_s(out, "multiplexing_api", "epoll");
    str_printf(out, "gcc_version:%d.%d.%d\r\n", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
    line_i(out, "process_id", getpid());
    line_s(out, "process_supervised", getenv("NOTIFY_SOCKET") ? "systemd" : "no");
    line_s(out, INFO_RUN_ID, srv->run_id);
    line_i(out, "tcp_port", srv->opt.port);
    line_i(out, "server_time_usec", clock_wall_us());
    line_i(out, "uptime_in_seconds", up_s);
    line_i(out, "uptime_in_days", up_s / 86400);
    if (srv->stopping.on)
        line_i(out, "shutdown_in_milliseconds", ms_max(srv->stopping.until_ms - server_now_ms(srv), 0));
    line_i(out, "hz", srv->opt.hz);
    line_i(out, "configured_hz", srv->opt.hz);
    line_i(out, "lru_clock", (server_wall_ms(srv) / 1000) & 0xFFFFFF);
    line_s(out, "executable", exe);
    line_s(out, "config_file", srv->boot.config_path ? srv->boot.config_path : "");
    line_i(out, "io_threads_active", 0);
}

static void section_clients(struct server *srv, struct str *out)
{
    int64_t clients = 0, blocked = (int64_t)srv->resp.nwaiting;
    size_t in_max = 0, out_max = 0;

    list_each(struct session, s, &srv->resp.sessions, link) {
        clients += s->class != SESSION_REPLICA;
        blocked += client_of(s) && (client_of(s)->waiting || client_of(s)->shutdown_waiting);
        if (buf_len(stream_in(s->stream)) > in_max)
            in_max = buf_len(stream_in(s->stream));
        if (buf_len(stream_out(s->stream)) > out_max)
            out_max = buf_len(stream_out(s->stream));
    }
    line_i(out, "connected_clients", clients);
    line_i(out, "cluster_connections", 0);
    line_i(out, "maxclients", srv->opt.maxclients);
    line_i(out, "client_recent_max_input_buffer", (int64_t)in_max);
    line_i(out, "client_recent_max_output_buffer", (int64_t)out_max);
    line_i(out, "blocked_clients", blocked);
    line_i(out, "tracking_clients", (int64_t)tracking_clients(srv));
    line_i(out, "clients_in_timeout_table", 0);
}

static void section_memory(struct server *srv, struct str *out)
{
    size_t used = mem_used(), rss = info_rss_bytes(), peak = mem_peak();
    size_t overhead = 0, total = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    char text[32];

    for (int i = 0; i < srv->ks->ndbs; i++)
        overhead += db_overhead(keyspace_db(srv->ks, i));
    line_human(out, "used_memory", used);
    line_human(out, "used_memory_rss", rss);
    line_human(out, "used_memory_peak", peak);
    str_printf(out, "used_memory_peak_perc:%.2f%%\r\n", peak ? 100.0 * (double)used / (double)peak : 0.0);
    line_i(out, "used_memory_overhead", (int64_t)overhead);
    line_i(out, "used_memory_startup", (int64_t)srv->mem_at_start);
    line_i(out, "used_memory_dataset", used > overhead + srv->mem_at_start ? (int64_t)(used - overhead - srv->mem_at_start) : 0);
    line_human(out, "total_system_memory", total);
    line_i(out, "used_memory_lua", 0);
    line_i(out, "used_memory_scripts", 0);
    line_i(out, "number_of_cached_scripts", 0);
    num_put_size_human(text, sizeof text, (uint64_t)srv->opt.maxmemory);
    line_i(out, "maxmemory", srv->opt.maxmemory);
    line_s(out, "maxmemory_human", text);
    line_s(out, "maxmemory_policy", "noeviction");
    str_printf(out, "mem_fragmentation_ratio:%.2f\r\n", used ? (double)rss / (double)used : 0.0);
    line_i(out, "mem_fragmentation_bytes", (int64_t)rss - (int64_t)used);
    line_i(out, "mem_not_counted_for_evict", 0);
    line_i(out, "mem_replication_backlog", backlog_active(srv->backlog) ? (int64_t)srv->backlog->size : 0);
    line_i(out, "mem_total_replication_buffers",
           (backlog_active(srv->backlog) ? (int64_t)srv->backlog->size : 0) + (int64_t)feed_memory(srv->feed));
    line_i(out, "mem_clients_slaves", (int64_t)feed_memory(srv->feed));
    line_i(out, "mem_aof_buffer", 0);
    line_s(out, "mem_allocator", "jemalloc");
    line_i(out, "active_defrag_running", 0);
    line_i(out, "lazyfree_pending_objects", (int64_t)srv->ks->ndead);
    line_i(out, "lazyfreed_objects", 0);
}

static void section_persistence(struct server *srv, struct str *out) { snapshot_info(srv->snapshot, out); }

static void section_stats(struct server *srv, struct str *out)
{
    const struct resp_server_stats *st = &srv->resp.stats;
    const struct feed_stats *fs = feed_stats(srv->feed);

    line_i(out, "total_connections_received", (int64_t)(st->connections - srv->base.connections));
    line_i(out, "total_commands_processed", (int64_t)(st->commands - srv->base.commands));
    line_i(out, "instantaneous_ops_per_sec", srv->rate.ops);
    line_i(out, "total_net_input_bytes", (int64_t)(st->bytes_in - srv->base.bytes_in));
    line_i(out, "total_net_output_bytes", (int64_t)(st->bytes_out - srv->base.bytes_out));
    str_printf(out, "instantaneous_input_kbps:%.2f\r\n", srv->rate.kbps_in);
    str_printf(out, "instantaneous_output_kbps:%.2f\r\n", srv->rate.kbps_out);
    line_i(out, "rejected_connections", (int64_t)(st->rejected - srv->base.rejected));
    line_i(out, "sync_full", (int64_t)fs->full);
    line_i(out, "sync_partial_ok", (int64_t)fs->partial_ok);
    line_i(out, "sync_partial_err", (int64_t)fs->partial_err);
    line_i(out, "expired_keys", (int64_t)srv->ks->expired);
    line_i(out, "evicted_keys", 0);
    line_i(out, "evicted_clients", 0);
    line_i(out, "keyspace_hits", (int64_t)srv->ks->hits);
    line_i(out, "keyspace_misses", (int64_t)srv->ks->misses);
    line_i(out, "pubsub_channels", (int64_t)dict_count(&srv->pubsub.channels));
    line_i(out, "pubsub_patterns", (int64_t)pubsub_pattern_count(&srv->pubsub));
    line_i(out, "pubsubshard_channels", 0);
    line_i(out, "latest_fork_usec", snapshot_last_fork_us(srv->snapshot));
    line_i(out, "total_forks", (int64_t)snapshot_forks(srv->snapshot));
    line_i(out, "migrate_cached_sockets", 0);
    line_i(out, "slave_expires_tracked_keys", 0);
    line_i(out, "tracking_total_keys", (int64_t)tracking_keys(srv));
    line_i(out, "tracking_total_items", (int64_t)tracking_items(srv));
    line_i(out, "tracking_total_prefixes", (int64_t)tracking_prefixes(srv));
    line_i(out, "unexpected_error_replies", 0);
    line_i(out, "total_error_replies", (int64_t)(st->error_replies - srv->base.error_replies));
}

static void section_replication(struct server *srv, struct str *out)
{
    report_replication(srv, out);
    ha_info_replication(srv, out);
}

static void section_ha(struct server *srv, struct str *out) { ha_info(srv, out); }

static void put_cpu(struct str *out, const char *what, int who)
{
    struct rusage u;

    getrusage(who, &u);
    str_printf(out, "used_cpu_sys%s:%ld.%06ld\r\n", what, (long)u.ru_stime.tv_sec, (long)u.ru_stime.tv_usec);
    str_printf(out, "used_cpu_user%s:%ld.%06ld\r\n", what, (long)u.ru_utime.tv_sec, (long)u.ru_utime.tv_usec);
}

static void section_cpu(struct server *srv, struct str *out)
{
    (void)srv;
    put_cpu(out, "", RUSAGE_SELF);
    put_cpu(out, "_children", RUSAGE_CHILDREN);
    put_cpu(out, "_main_thread", RUSAGE_THREAD);
}

static void section_modules(struct server *srv, struct str *out)
{
    (void)srv;
    (void)out;
}

static void section_commandstats(struct server *srv, struct str *out)
{
    char name[64];

    for (size_t i = 0; i < COMMAND_STATS; i++) {
        const struct command_stat *st = &srv->stats[i].st;

        if (!srv->stats[i].cmd || (st->calls == 0 && st->rejected == 0))
            continue;
        str_printf(out, "cmdstat_%s:calls=%" PRIu64 ",usec=%" PRIu64 ",usec_per_call=%.2f,rejected_calls=%" PRIu64
                        ",failed_calls=%" PRIu64 "\r\n",
                   command_full_name(srv->stats[i].cmd, &srv->commands, name), st->calls, st->us,
                   st->calls ? (double)st->us / (double)st->calls : 0.0, st->rejected, st->failed);
    }
}

static void section_errorstats(struct server *srv, struct str *out)
{
    struct dict_iter it;
    struct dict_entry *e;

    dict_iter_init(&it, &srv->error_stats);
    while ((e = dict_iter_next(&it)))
        str_printf(out, "errorstat_%s:count=%" PRIu64 "\r\n", e->key, e->v.u);
    dict_iter_fini(&it);
}

static void section_cluster(struct server *srv, struct str *out)
{
    (void)srv;
    line_i(out, "cluster_enabled", 0);
}

static void section_keyspace(struct server *srv, struct str *out)
{
    for (int i = 0; i < srv->ks->ndbs; i++) {
        struct db *d = keyspace_db(srv->ks, i);

        if (db_count(d) > 0)
            str_printf(out, "db%d:keys=%zu,expires=%zu,avg_ttl=%" PRId64 "\r\n", i, db_count(d), d->with_deadline,
                       db_avg_ttl_ms(d, &srv->rng));
    }
}

static const struct {
    const char *name, *title;
    bool by_default;
    void (*write)(struct server *srv, struct str *out);
} sections[] = {
    {"server", "Server", true, section_server},
    {"clients", "Clients", true, section_clients},
    {"memory", "Memory", true, section_memory},
    {"persistence", "Persistence", true, section_persistence},
    {"stats", "Stats", true, section_stats},
    {"replication", "Replication", true, section_replication},
    {"ha", "Ha", true, section_ha},
    {"cpu", "CPU", true, section_cpu},
    {"modules", "Modules", true, section_modules},
    {"commandstats", "Commandstats", false, section_commandstats},
    {"errorstats", "Errorstats", true, section_errorstats},
    {"cluster", "Cluster", true, section_cluster},
    {"keyspace", "Keyspace", true, section_keyspace},
};

static bool wanted(size_t i, int argc, const struct slice *argv)
{
    if (argc == 0)
        return sections[i].by_default;
    for (int k = 0; k < argc; k++) {
        if (slice_is_nocase(argv[k], sections[i].name) || slice_is_nocase(argv[k], "all") || slice_is_nocase(argv[k], "everything"))
            return true;
        if (slice_is_nocase(argv[k], "default") && sections[i].by_default)
            return true;
    }
    return false;
}

void info_text(struct server *srv, int argc, const struct slice *argv, struct str *out)
{
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (!wanted(i, argc, argv))
            continue;
        str_printf(out, "%s# %s\r\n", out->len ? "\r\n" : "", sections[i].title);
        sections[i].write(srv, out);
    }
}
