/* One row, one reader. */
#include "agent/shell/metrics.h"

#include "agent/shell/shell.h"
#include "common/base/words.h"

#define READER(name, value)                                                        \
    static void read_##name(const void *from, struct str *out, const struct metric *m) \
    {                                                                              \
        const struct agent *a = from;                                              \
        metric_sample(out, m, NULL, (double)(value));                              \
    }

READER(up_seconds, (loop_wall_ms(a->loop) - a->started_wall_ms) / 1000.0)
READER(live, directory_state(a->directory) == DIR_LIVE)
READER(pushes, directory_stats(a->directory)->pushes)
READER(snapshots, directory_stats(a->directory)->snapshots)
READER(resyncs, directory_stats(a->directory)->resyncs)
READER(connects, directory_stats(a->directory)->connects)
READER(lost, a->lost_pushes)
READER(waiting, acks_waiting(a->acks))
READER(delivered, acks_delivered(a->acks))
READER(last_apply, a->last_took_ms / 1000.0)

static void read_info(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;
    const char *labels[] = {"version", KVORUM_VERSION, "node", a->means.who.node, NULL};

    metric_sample(out, m, labels, 1);
}

static void read_rung(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;

    for (int r = RUNG_TRACKING; r <= RUNG_POLLING; r++) {
        const char *labels[] = {"rung", dir_rung_name((enum dir_rung)r), NULL};

        metric_sample(out, m, labels, directory_rung(a->directory) == (enum dir_rung)r);
    }
}

static void read_ended(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;

    for (int s = 0; s < ACK_STATUSES; s++) {
        const char *labels[] = {"status", ack_status_word((enum ack_status)s), NULL};

        metric_sample(out, m, labels, (double)a->ended[s]);
    }
}

static void read_documents(const void *from, struct str *out, const struct metric *m)
{
    struct agent_counts n;

    agent_count(from, &n);
    metric_sample(out, m, (const char *[]){"state", "ok", NULL}, (double)n.ok);
    metric_sample(out, m, (const char *[]){"state", "failed", NULL}, (double)n.failed);
    metric_sample(out, m, (const char *[]){"state", "busy", NULL}, (double)n.busy);
    metric_sample(out, m, (const char *[]){"state", "stuck", NULL}, (double)n.stuck);
}

static void read_applied_at(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;
    char name[DOC_KEY_MAX];

    for (size_t i = 0; i < a->appliers.n; i++) {
        const struct applier *w = a->appliers.at[i];
        const char *labels[] = {"document", docname_text(&w->name, name), NULL};

        if (w->applied.known)
            metric_sample(out, m, labels, (double)w->applied.at_wall_ms / 1000.0);
    }
}

static void read_node_role(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;

    for (int r = LOCAL_UNKNOWN; a->node && r <= LOCAL_SYNCING; r++) {
        const char *labels[] = {"role", local_role_name((enum local_role)r), NULL};

        metric_sample(out, m, labels, local_node_state(a->node)->role == (enum local_role)r);
    }
}

static void read_label(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;
    struct labels_view v;

    if (!a->labels)
        return;
    labels_view(a->labels, &v);
    for (int s = LABEL_NONE; s <= LABEL_PRIMARY; s++) {
        const char *labels[] = {"role", label_shown_name((enum label_shown)s), NULL};

        metric_sample(out, m, labels, v.shown == (enum label_shown)s);
    }
}

static void read_label_settled(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;
    struct labels_view v;

    if (!a->labels)
        return;
    labels_view(a->labels, &v);
    metric_sample(out, m, NULL, v.state == LB_ON || v.state == LB_OFF);
}

static void read_label_age(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;
    struct labels_view v;

    if (!a->labels)
        return;
    labels_view(a->labels, &v);
    if (v.since_ms)
        metric_sample(out, m, NULL, (double)(loop_now_ms(a->loop) - v.since_ms) / 1000.0);
}

static void read_kube(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;
    struct labels_view v;

    if (!a->labels)
        return;
    labels_view(a->labels, &v);
    for (int verb = 0; verb < KUBE_VERBS; verb++)
        for (int how = 0; how < KUBE_HOWS; how++) {
            const char *labels[] = {"verb", kube_verb_name((enum kube_verb)verb), "result", kube_how_name((enum kube_how)how), NULL};

            metric_sample(out, m, labels, (double)v.stats->ended[verb][how]);
        }
}

const struct metric agent_metrics[] = {
    {"kvorum_agent_info", METRIC_GAUGE, "1, with version and node.", read_info},
    {"kvorum_agent_uptime_seconds", METRIC_GAUGE, "Since the start.", read_up_seconds},
    {"kvorum_agent_directory_live", METRIC_GAUGE, "1 when the directory was read and changes will be heard of.", read_live},
    {"kvorum_agent_directory_rung", METRIC_GAUGE, "How changes are heard of.", read_rung},
    {"kvorum_agent_directory_connects_total", METRIC_COUNTER, "Times both connections were up.", read_connects},
    {"kvorum_agent_pushes_total", METRIC_COUNTER, "Messages that something changed.", read_pushes},
    {"kvorum_agent_snapshots_total", METRIC_COUNTER, "Whole readings of the directory.", read_snapshots},
    {"kvorum_agent_resyncs_total", METRIC_COUNTER, "Readings that nobody had asked for.", read_resyncs},
    {"kvorum_agent_resync_found_changes_total", METRIC_COUNTER, "Changes found by those: pushes that were lost.", read_lost},
    {"kvorum_agent_documents", METRIC_GAUGE, "Documents by how they stand.", read_documents},
    {"kvorum_agent_applications_total", METRIC_COUNTER, "Applications and refusals by how they ended.", read_ended},
    {"kvorum_agent_applied_timestamp_seconds", METRIC_GAUGE, "When a document's files came into force.", read_applied_at},
    {"kvorum_agent_last_apply_seconds", METRIC_GAUGE, "How long the last application took.", read_last_apply},
    {"kvorum_agent_node_role", METRIC_GAUGE, "What the local data node is.", read_node_role},
    {"kvorum_agent_label", METRIC_GAUGE, "The role that our pod says in Kubernetes.", read_label},
    {"kvorum_agent_label_settled", METRIC_GAUGE, "1 when the API took what the pod shall say; 0 while a request is under way or owed.", read_label_settled},
    {"kvorum_agent_label_age_seconds", METRIC_GAUGE, "Since that role changed.", read_label_age},
    {"kvorum_agent_kube_requests_total", METRIC_COUNTER, "Requests to the Kubernetes API by how they ended.", read_kube},
    {"kvorum_agent_acks_waiting", METRIC_GAUGE, "Answers the directory has not taken yet.", read_waiting},
    {"kvorum_agent_acks_delivered_total", METRIC_COUNTER, "Answers the directory took.", read_delivered},
};
const size_t agent_metrics_n = sizeof agent_metrics / sizeof agent_metrics[0];
