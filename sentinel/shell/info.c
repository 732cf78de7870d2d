/* INFO: sections in a table, the field names those of Redis. */
#include "common/base/words.h"
#include "common/io/clock.h"
#include "sentinel/shell/clients.h"
#include "sentinel/shell/crash.h"
#include "sentinel/shell/directory.h"
#include "sentinel/shell/explain.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/hooks.h"
#include "sentinel/shell/links.h"
#include "sentinel/shell/save.h"
#include "sentinel/shell/shell.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

static void server(struct shell *sh, struct str *out)
{
    int64_t up_s = (clock_mono_ms() - sh->started_at_ms) / 1000;
    struct utsname u;

    memset(&u, 0, sizeof u);
    uname(&u);
    str_printf(out, "redis_version:%s\r\nkvorum_version:%s\r\nredis_mode:sentinel\r\nos:%s %s %s\r\narch_bits:%d\r\n"
               "monotonic_clock:POSIX clock_gettime\r\nmultiplexing_api:epoll\r\nprocess_id:%ld\r\nrun_id:%s\r\ntcp_port:%lld\r\n"
               "server_time_usec:%lld\r\nuptime_in_seconds:%lld\r\nuptime_in_days:%lld\r\nconfig_file:%s\r\n",
               COMPAT_VERSION, KVORUM_VERSION, u.sysname, u.release, u.machine, (int)sizeof(void *) * 8, (long)getpid(),
               sh->run_id, (long long)sh->opt->port, (long long)clock_wall_us(), (long long)up_s, (long long)(up_s / 86400),
               sh->config_path ? sh->config_path : "");
}

static void clients(struct shell *sh, struct str *out)
{
    str_printf(out, "connected_clients:%zu\r\nmaxclients:%lld\r\nblocked_clients:0\r\n", sh->server.nsessions,
               (long long)sh->server.max_clients);
}

static void cpu(struct shell *sh, struct str *out)
{
    struct rusage u;

    (void)sh;
    getrusage(RUSAGE_SELF, &u);
    str_printf(out, "used_cpu_sys:%ld.%06ld\r\nused_cpu_user:%ld.%06ld\r\n", (long)u.ru_stime.tv_sec,
               (long)u.ru_stime.tv_usec, (long)u.ru_utime.tv_sec, (long)u.ru_utime.tv_usec);
}

static void stats(struct shell *sh, struct str *out)
{
    const struct resp_server_stats *s = &sh->server.stats;

    str_printf(out, "total_connections_received:%llu\r\ntotal_commands_processed:%llu\r\ntotal_net_input_bytes:%llu\r\n"
               "total_net_output_bytes:%llu\r\nrejected_connections:%llu\r\npubsub_channels:%zu\r\npubsub_patterns:%zu\r\n"
               "total_error_replies:%llu\r\n",
               (unsigned long long)s->connections, (unsigned long long)s->commands, (unsigned long long)s->bytes_in,
               (unsigned long long)s->bytes_out, (unsigned long long)s->rejected, dict_count(&sh->pubsub.channels),
               pubsub_pattern_count(&sh->pubsub), (unsigned long long)s->error_replies);
}

static void one_formed(struct shell *sh, size_t i, const struct group *g, struct str *out)
{
    const struct formed *f = formed_groups_find(sh->formed, g->id);
    const struct ha_record *r = f ? &formed_voter(f)->f.rec : NULL;
    struct explanation x;

    if (!formed_groups_is_formed(sh->formed, g->id))
        return;
    explain_group(sh, g, &x);
    str_printf(out, "formed%zu:name=%s,mode=%s,epoch=%llu,ballot=%llu,change=%u,sync_acks=%d,members=%d,members_usable=%d,seals_needed=%d,"
               "voters=%d,voters_usable=%d,can_failover=%s\r\n", i, g->name, ha_mode_name(r->mode), (unsigned long long)r->epoch,
               (unsigned long long)r->ballot, (unsigned)r->change, r->k, r->n_members, x.members_usable, x.seals_needed, r->n_voters,
               x.voters_usable, x.can ? "yes" : "no");
    explain_fini(&x);
}

static void sentinel(struct shell *sh, struct str *out)
{
    const struct core_counts *n = core_counts(sh->core);
    int64_t tilt_ms = core_tilt_since_ms(sh->core);
    const char *trouble = save_trouble(sh->save);

    str_printf(out, "sentinel_masters:%zu\r\nsentinel_tilt:%d\r\nsentinel_tilt_since_seconds:%lld\r\n"
               "sentinel_running_scripts:%zu\r\nsentinel_scripts_queue_length:%zu\r\nsentinel_simulate_failure_flags:%u\r\n",
               core_group_count(sh->core), core_in_tilt(sh->core),
               core_in_tilt(sh->core) && tilt_ms ? (long long)((clock_mono_ms() - tilt_ms) / 1000) : -1LL, hooks_running(sh->hooks),
               hooks_queued(sh->hooks), crash_flags());
    for (size_t i = 0; i < core_group_count(sh->core); i++) {
        const struct group *g = core_group_at(sh->core, i);
        const struct node *p = core_primary(sh->core, g);
        struct addr shown = shell_shown(sh, &p->addr);
        char at[ADDR_TEXT_MAX];

        str_printf(out, "master%zu:name=%s,status=%s,address=%s,slaves=%zu,sentinels=%zu\r\n", i, g->name,
                   g->odown ? "odown" : p->sdown ? "sdown" : "ok", addr_text(&shown, at), g->nodes.n - 1, g->seats.n + 1);
    }
    str_printf(out, "kvorum_votes:%s\r\nkvorum_current_epoch:%llu\r\nkvorum_votes_given:%llu\r\nkvorum_failovers:%llu\r\n"
               "kvorum_failovers_failed:%llu\r\nkvorum_links_up:%zu\r\nkvorum_links:%zu\r\nkvorum_directory_waiting:%zu\r\n",
               core_save_broken(sh->core) || trouble ? "no" : "yes", (unsigned long long)core_current_epoch(sh->core),
               (unsigned long long)n->votes_given, (unsigned long long)n->failovers, (unsigned long long)n->failovers_failed,
               links_up(sh->links), links_count(sh->links), directory_waiting(sh->directory));
    if (trouble)
        str_printf(out, "kvorum_save_trouble:%s\r\n", trouble);
    str_printf(out, "kvorum_strangers:%llu\r\n", (unsigned long long)formed_groups_strangers(sh->formed));
    for (size_t i = 0; i < core_group_count(sh->core); i++)
        one_formed(sh, i, core_group_at(sh->core, i), out);
}

static const struct {
    const char *name, *title;
    void (*write)(struct shell *sh, struct str *out);
} sections[] = {
    {"server", "Server", server}, {"clients", "Clients", clients}, {"cpu", "CPU", cpu}, {"stats", "Stats", stats},
    {"sentinel", "Sentinel", sentinel},
};

static bool wanted(const char *section, const struct slice *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_is_nocase(names[i], section) || slice_is_nocase(names[i], "all") || slice_is_nocase(names[i], "default") ||
            slice_is_nocase(names[i], "everything"))
            return true;
    return n == 0;
}

void info_write(struct shell *sh, const struct slice *names, size_t n, struct str *out)
{
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        if (wanted(sections[i].name, names, n)) {
            str_printf(out, "%s# %s\r\n", out->len ? "\r\n" : "", sections[i].title);
            sections[i].write(sh, out);
        }
}
