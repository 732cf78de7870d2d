/* Counts since the start, gauges of this moment. Labels are groups and event names:
 * both are few. */
#include "sentinel/shell/metrics.h"

#include "common/base/words.h"
#include "common/io/clock.h"
#include "sentinel/shell/accounts.h"
#include "sentinel/shell/directory.h"
#include "sentinel/shell/events.h"
#include "sentinel/shell/explain.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/hooks.h"
#include "sentinel/shell/links.h"
#include "sentinel/shell/save.h"
#include "sentinel/shell/shell.h"

#include <sys/resource.h>

typedef double group_value(const struct shell *sh, const struct group *g);

static void one(struct str *out, const struct metric *m, double v)
{
    metric_sample(out, m, NULL, v);
}

static void per_group(const struct shell *sh, struct str *out, const struct metric *m, group_value *value)
{
    for (size_t i = 0; i < core_group_count(sh->core); i++) {
        const struct group *g = core_group_at(sh->core, i);

        metric_sample(out, m, (const char *const[]){"group", g->name, NULL}, value(sh, g));
    }
}

#define ONE(id, expression)                                                     \
    static void id(const void *from, struct str *out, const struct metric *m)   \
    {                                                                           \
        const struct shell *sh = from;                                          \
        (void)sh;                                                               \
        one(out, m, (double)(expression));                                      \
    }
#define GROUP(id, expression)                                                   \
    static double id##_of(const struct shell *sh, const struct group *g)        \
    {                                                                           \
        (void)sh;                                                               \
        return (double)(expression);                                            \
    }                                                                           \
    static void id(const void *from, struct str *out, const struct metric *m)   \
    {                                                                           \
        per_group(from, out, m, id##_of);                                       \
    }

static void build_info(const void *from, struct str *out, const struct metric *m)
{
    (void)from;
    metric_sample(out, m, (const char *const[]){"version", KVORUM_VERSION, NULL}, 1);
}

static void events(const void *from, struct str *out, const struct metric *m)
{
    const struct shell *sh = from;

    for (size_t i = 0; i < sentinel_events_n; i++)
        metric_sample(out, m, (const char *const[]){"event", sentinel_events[i].name, NULL}, (double)sh->event_counts[i]);
}

static double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int replicas_down(const struct group *g)
{
    int n = 0;

    for (size_t i = 0; i < g->nodes.n; i++)
        n += g->nodes.at[i]->id != g->primary && (g->nodes.at[i]->sdown || !g->nodes.at[i]->follows_up);
    return n;
}

static const struct account *account(const struct shell *sh, const struct group *g)
{
    return accounts_of(sh->accounts, g->id);
}

/* NULL: the group is plain. */
static const struct voter *formed_half(const struct shell *sh, const struct group *g)
{
    return formed_groups_is_formed(sh->formed, g->id) ? formed_voter(formed_groups_find(sh->formed, g->id)) : NULL;
}

static double lease_seconds(const struct shell *sh, const struct group *g)
{
    const struct voter *v = formed_half(sh, g);
    int64_t left_ms = v && v->promise.epoch == v->f.rec.epoch ? v->promise.until_ms - clock_mono_ms() : 0;

    return left_ms > 0 ? (double)left_ms / 1000 : 0;
}

static void parts(const struct shell *sh, struct str *out, const struct metric *m, bool sum)
{
    for (size_t i = 0; i < core_group_count(sh->core); i++) {
        const struct group *g = core_group_at(sh->core, i);
        const struct account *a = account(sh, g);

        for (int p = 0; p < PARTS && a->led > 0; p++)
            metric_sample(out, m, (const char *const[]){"group", g->name, "part", account_part_name((enum account_part)p), NULL},
                          (double)(sum ? a->part_sum_ms[p] : a->part_ms[p]) / 1000);
    }
}

static void part_seconds(const void *from, struct str *out, const struct metric *m)
{
    parts(from, out, m, false);
}

static void part_seconds_sum(const void *from, struct str *out, const struct metric *m)
{
    parts(from, out, m, true);
}

ONE(strangers, formed_groups_strangers(sh->formed))
ONE(uptime, (clock_mono_ms() - sh->started_at_ms) / 1000.0)
ONE(groups, core_group_count(sh->core))
ONE(epoch, core_current_epoch(sh->core))
ONE(votes, !core_save_broken(sh->core) && !save_trouble(sh->save))
ONE(votes_given, core_counts(sh->core)->votes_given)
ONE(bids, core_counts(sh->core)->bids)
ONE(elections_won, core_counts(sh->core)->elections_won)
ONE(failovers, core_counts(sh->core)->failovers)
ONE(failovers_failed, core_counts(sh->core)->failovers_failed)
ONE(vetoes, core_counts(sh->core)->vetoes)
ONE(tilt, core_in_tilt(sh->core))
ONE(tilts, core_counts(sh->core)->tilts)
ONE(save_seconds, (double)save_last_us(sh->save) / 1e6)
ONE(links_total, links_count(sh->links))
ONE(links_now_up, links_up(sh->links))
ONE(ha_strangers, formed_groups_strangers(sh->formed))
ONE(clients, sh->server.nsessions)
ONE(commands, sh->server.stats.commands)
ONE(scripts_running, hooks_running(sh->hooks))
ONE(scripts_queued, hooks_queued(sh->hooks))
ONE(scripts_dropped, hooks_dropped(sh->hooks))
ONE(directory_behind, directory_waiting(sh->directory))
ONE(cpu, cpu_seconds())
GROUP(primary_down, core_primary(sh->core, g)->sdown)
GROUP(primary_odown, g->odown)
GROUP(has_quorum, core_quorum(sh->core, g).quorum_ok && core_quorum(sh->core, g).majority_ok)
GROUP(usable, core_quorum(sh->core, g).usable)
GROUP(sentinels, g->seats.n + 1)
GROUP(quorum, g->opt[GOPT_QUORUM])
GROUP(replicas, g->nodes.n - 1)
GROUP(replicas_bad, replicas_down(g))
GROUP(config_epoch, g->config_epoch)
GROUP(failing_over, g->fo.state != FO_IDLE)
GROUP(can_failover, explain_can((struct shell *)sh, g))
GROUP(switches, account(sh, g)->seen)
GROUP(led, account(sh, g)->led)
GROUP(lossy, account(sh, g)->lossy)
GROUP(explained_wrong, account(sh, g)->explained_wrong)
GROUP(lost_bytes, account(sh, g)->lost_bytes)
GROUP(outage_last, account(sh, g)->outage.last_ms < 0 ? 0 : (double)account(sh, g)->outage.last_ms / 1000)
GROUP(outage_sum, (double)account(sh, g)->outage.sum_ms / 1000)
GROUP(is_formed, formed_half(sh, g) != NULL)
GROUP(formed_epoch, formed_half(sh, g) ? formed_half(sh, g)->f.rec.epoch : 0)
GROUP(members, formed_half(sh, g) ? formed_half(sh, g)->f.rec.n_members : 0)
GROUP(voters, formed_half(sh, g) ? formed_half(sh, g)->f.rec.n_voters : 0)
GROUP(ballots, account(sh, g)->votes)
GROUP(promises, account(sh, g)->renewals)
GROUP(lease, lease_seconds(sh, g))

#define P "kvorum_sentinel_"
const struct metric sentinel_metrics[] = {
    {P "build_info", METRIC_GAUGE, "Version of this program, as a label.", build_info},
    {P "uptime_seconds", METRIC_GAUGE, "Time since the start.", uptime},
    {P "groups", METRIC_GAUGE, "Groups that are watched.", groups},
    {P "current_epoch", METRIC_GAUGE, "Highest epoch seen.", epoch},
    {P "votes", METRIC_GAUGE, "1 when this sentinel may vote (its state can be saved).", votes},
    {P "votes_given_total", METRIC_COUNTER, "Votes given.", votes_given},
    {P "bids_total", METRIC_COUNTER, "Elections this sentinel asked for.", bids},
    {P "elections_won_total", METRIC_COUNTER, "Elections this sentinel won.", elections_won},
    {P "failovers_total", METRIC_COUNTER, "Failovers that this sentinel led to a new primary.", failovers},
    {P "failovers_failed_total", METRIC_COUNTER, "Failovers that this sentinel began and gave up.", failovers_failed},
    {P "vetoes_total", METRIC_COUNTER, "Crash evidence that a replica's live link denied.", vetoes},
    {P "tilt", METRIC_GAUGE, "1 while own observations do not count after a jump of the clock.", tilt},
    {P "tilts_total", METRIC_COUNTER, "How often that happened.", tilts},
    {P "save_seconds", METRIC_GAUGE, "How long the last save of the state took.", save_seconds},
    {P "links", METRIC_GAUGE, "Links to nodes and other sentinels.", links_total},
    {P "links_up", METRIC_GAUGE, "Those that are up.", links_now_up},
    {P "messages_ignored_total", METRIC_COUNTER, "SENTINEL HA of sentinels that the group does not know, or that mean nothing.", ha_strangers},
    {P "clients", METRIC_GAUGE, "Connected clients.", clients},
    {P "commands_total", METRIC_COUNTER, "Commands answered.", commands},
    {P "scripts_running", METRIC_GAUGE, "Scripts that run.", scripts_running},
    {P "scripts_queued", METRIC_GAUGE, "Scripts that run or wait.", scripts_queued},
    {P "scripts_dropped_total", METRIC_COUNTER, "Scripts that were dropped because too many waited.", scripts_dropped},
    {P "directory_waiting", METRIC_GAUGE, "Directory documents that could not be written yet.", directory_behind},
    {P "events_total", METRIC_COUNTER, "Operator events by name.", events},
    {P "process_cpu_seconds_total", METRIC_COUNTER, "CPU time of this process.", cpu},
    {P "primary_down", METRIC_GAUGE, "1 when this sentinel sees the primary down.", primary_down},
    {P "primary_objectively_down", METRIC_GAUGE, "1 when a quorum does.", primary_odown},
    {P "has_quorum", METRIC_GAUGE, "1 when enough sentinels answer for a failover.", has_quorum},
    {P "usable_sentinels", METRIC_GAUGE, "Sentinels that answer, this one included.", usable},
    {P "sentinels", METRIC_GAUGE, "Sentinels known, this one included.", sentinels},
    {P "quorum", METRIC_GAUGE, "The quorum that is set.", quorum},
    {P "replicas", METRIC_GAUGE, "Replicas known.", replicas},
    {P "replicas_not_following", METRIC_GAUGE, "Replicas that are down or without a link to their primary.", replicas_bad},
    {P "config_epoch", METRIC_GAUGE, "Epoch of the present configuration.", config_epoch},
    {P "failover_in_progress", METRIC_GAUGE, "1 while this sentinel fails the group over.", failing_over},
    {P "can_failover", METRIC_GAUGE, "1 when a failover could be completed now (SENTINEL EXPLAIN says what lacks).", can_failover},
    {P "switches_total", METRIC_COUNTER, "Times the group got another primary, whoever led.", switches},
    {P "failovers_led_total", METRIC_COUNTER, "Failovers of the group that this sentinel led to the end.", led},
    {P "explained_wrong_total", METRIC_COUNTER, "Tries that ended as SENTINEL EXPLAIN never said they would.", explained_wrong},
    {P "failovers_lossy_total", METRIC_COUNTER, "Those that may have lost something.", lossy},
    {P "failover_lost_bytes_total", METRIC_COUNTER, "Upper bounds of what they lost, added up.", lost_bytes},
    {P "failover_last_part_seconds", METRIC_GAUGE, "The last of them by parts: detection, election, seal, store, open.", part_seconds},
    {P "failover_part_seconds_total", METRIC_COUNTER, "All of them by parts, added up.", part_seconds_sum},
    {P "failover_last_outage_seconds", METRIC_GAUGE, "For how long nobody took writes in the last of them, by the proofs this sentinel had (0: none yet).", outage_last},
    {P "failover_outage_seconds_total", METRIC_COUNTER, "The same of all of them, added up.", outage_sum},
    {P "formed", METRIC_GAUGE, "1 when the group has a record (a mode).", is_formed},
    {P "formed_epoch", METRIC_GAUGE, "Epoch of its record.", formed_epoch},
    {P "formed_members", METRIC_GAUGE, "Members of its record.", members},
    {P "formed_voters", METRIC_GAUGE, "Voters of its record.", voters},
    {P "formed_votes_total", METRIC_COUNTER, "Votes given in ballots of the formed group.", ballots},
    {P "formed_lease_promises_total", METRIC_COUNTER, "Times its primary renewed its lease here.", promises},
    {P "formed_lease_seconds", METRIC_GAUGE, "How long the promise to its primary still runs.", lease},
    {P "strangers_total", METRIC_COUNTER, "Messages about formed groups that were ignored: of nobody known, of another group, or meaningless.", strangers},
};
const size_t sentinel_metrics_n = sizeof sentinel_metrics / sizeof sentinel_metrics[0];
