/* One row, one reader. */
#include "agent/shell/metrics.h"

#include "agent/controller/scale.h"
#include "agent/shell/shell.h"
#include "common/base/words.h"

#define READER(name, value)                                                        \
    static void read_##name(const void *from, struct str *out, const struct metric *m) \
    {                                                                              \
        const struct agent *a = from;                                              \
        metric_sample(out, m, NULL, (double)(value));                              \
    }

READER(up_seconds, (loop_now_ms(a->loop) - a->started_at_ms) / 1000.0)
READER(live, directory_state(a->directory) == DIR_LIVE)
READER(pushes, directory_stats(a->directory)->pushes)
READER(snapshots, directory_stats(a->directory)->snapshots)
READER(resyncs, directory_stats(a->directory)->resyncs)
READER(connects, directory_stats(a->directory)->connects)
READER(lost, a->lost_pushes)
READER(waiting, acks_waiting(a->acks))
READER(delivered, acks_delivered(a->acks))
READER(last_apply, a->last_took_ms / 1000.0)

static void read_services(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;
    const struct services_counts *n = services_count(a->services);

    for (int s = 0; s < SV_STATES; s++)
        metric_sample(out, m, (const char *[]){"state", service_state_name((enum service_state)s), NULL}, (double)n->in[s]);
}

static void read_checks(const void *from, struct str *out, const struct metric *m)
{
    const struct services_counts *n = services_count(((const struct agent *)from)->services);

    metric_sample(out, m, (const char *[]){"result", "good", NULL}, (double)n->checks_good);
    metric_sample(out, m, (const char *[]){"result", "bad", NULL}, (double)n->checks_bad);
}

static void read_controller(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;

    metric_sample(out, m, NULL, a->controller && controller_is_ours(a->controller));
}

static void read_scale(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;
    const struct scale_duty_stats *n = a->scale_duty ? scale_duty_stats(a->scale_duty) : NULL;

    if (!n)
        return;
    metric_sample(out, m, (const char *[]){"as", "changed", NULL}, (double)n->changed);
    metric_sample(out, m, (const char *[]){"as", "same", NULL}, (double)n->same);
    metric_sample(out, m, (const char *[]){"as", "junk", NULL}, (double)n->junk);
    metric_sample(out, m, (const char *[]){"as", "unknown", NULL}, (double)n->unknown);
    metric_sample(out, m, (const char *[]){"as", "refused", NULL}, (double)n->refused);
    metric_sample(out, m, (const char *[]){"as", "dropped", NULL}, (double)n->dropped);
}

static void read_registry(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;
    struct registry_duty_stats n;

    if (!a->registry_duty || !controller_is_ours(a->controller))
        return;
    registry_duty_stats(a->registry_duty, &n);
    metric_sample(out, m, (const char *[]){"what", "up", NULL}, (double)n.counts.up);
    metric_sample(out, m, (const char *[]){"what", "draining", NULL}, (double)n.counts.draining);
    metric_sample(out, m, (const char *[]){"what", "lapsed", NULL}, (double)n.counts.lapsed);
    metric_sample(out, m, (const char *[]){"what", "unleased", NULL}, (double)n.counts.unleased);
    metric_sample(out, m, (const char *[]){"what", "junk", NULL}, (double)n.counts.junk);
}

static void read_mirrored(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;
    struct registry_duty_stats n;

    if (!a->registry_duty || !controller_is_ours(a->controller))
        return;
    registry_duty_stats(a->registry_duty, &n);
    metric_sample(out, m, (const char *[]){"owner", "kvorum", NULL}, (double)n.counts.mirrored);
    metric_sample(out, m, (const char *[]){"owner", "foreign", NULL}, (double)n.counts.foreign);
}

static void read_preserving(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;
    struct registry_duty_stats n = {.preserving = false};

    if (a->registry_duty)
        registry_duty_stats(a->registry_duty, &n);
    metric_sample(out, m, NULL, n.preserving);
}

static void read_acts(const void *from, struct str *out, const struct metric *m)
{
    const struct agent *a = from;
    struct registry_duty_stats n;
    struct history_duty_stats h;

    if (!a->registry_duty)
        return;
    registry_duty_stats(a->registry_duty, &n);
    history_duty_stats(a->history_duty, &h);
    metric_sample(out, m, (const char *[]){"act", "reaped", NULL}, (double)n.reaped);
    metric_sample(out, m, (const char *[]){"act", "mirrored", NULL}, (double)n.mirrored);
    metric_sample(out, m, (const char *[]){"act", "overwritten", NULL}, (double)n.overwritten);
    metric_sample(out, m, (const char *[]){"act", "logged", NULL}, (double)h.logged);
    metric_sample(out, m, (const char *[]){"act", "restored", NULL}, (double)h.restored);
    metric_sample(out, m, (const char *[]){"act", "republished", NULL}, (double)h.republished);
    metric_sample(out, m, (const char *[]){"act", "vanished", NULL}, (double)h.vanished);
    metric_sample(out, m, (const char *[]){"act", "refused", NULL}, (double)(n.refused + h.refused));
}

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
    {"kvorum_agent_services", METRIC_GAUGE, "Instances that this agent vouches for, by state.", read_services},
    {"kvorum_agent_service_checks_total", METRIC_COUNTER, "Their checks by how they ended.", read_checks},
    {"kvorum_agent_is_controller", METRIC_GAUGE, "1 while it holds the controller's role.", read_controller},
    {"kvorum_scale_events_total", METRIC_COUNTER, "Controller: messages on scale_events by what came of them.", read_scale},
    {"kvorum_registry_lines", METRIC_GAUGE, "Controller: lines of svcs:* by what they are.", read_registry},
    {"kvorum_registry_names", METRIC_GAUGE, "Controller: names in the hash services by whose they are.", read_mirrored},
    {"kvorum_registry_self_preservation", METRIC_GAUGE, "Controller: 1 while nothing is taken away because too many lapsed at one time.", read_preserving},
    {"kvorum_controller_acts_total", METRIC_COUNTER, "What this agent did as controller.", read_acts},
};
const size_t agent_metrics_n = sizeof agent_metrics / sizeof agent_metrics[0];
