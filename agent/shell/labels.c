/* Facts in, steps out. One request at a time; the next follows its answer. */
#include "agent/shell/labels.h"

#include "agent/core/pod.h"
#include "agent/shell/events.h"
#include "common/base/mem.h"
#include "common/io/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAUSE_MIN_MS 200
#define PAUSE_MAX_MS 10000             /* the Service waits for the label when the API is back */
#define DENIED_MS 5000             /* rights do not come back within milliseconds */
#define FREE_TRIES 3               /* another pod that is written again and again */

struct labels {
    struct loop *loop;
    const struct agent_options *o;
    struct kube *kube;
    struct witness *witness;           /* NULL: nobody to ask */
    struct label machine;
    struct label_facts facts;
    struct timer deadline;
    struct kube_call *call;
    char pod[POD_NAME_MAX], uid[64];   /* uid: "" = any */
    char version[64];                  /* of our pod, as it was read last */
    char run_id[48];                   /* of the local node, "" = unknown */
    VEC(const char *) others;          /* borrowed from the options */
    unsigned freeing, free_tries;      /* which of them */
    uint64_t n;                        /* of the annotation */
    enum label_shown told;             /* of the last event */
    int64_t since_ms;
    uint64_t claims, conflicts;
    char why[300];
    bool gone_said;
    /* leaving */
    struct timer limit;
    void (*left)(void *arg);
    void *left_arg;
};

static void carry_out(struct labels *l, const struct label_steps *steps);

/* --- what the API is told --- */

static const char *value_of(const struct labels *l, enum label_shown s)
{
    const char *v = s == LABEL_PRIMARY ? l->o->kube_primary : s == LABEL_REPLICA ? l->o->kube_replica : l->o->kube_other;

    return v && v[0] ? v : NULL;
}

static void note_text(struct labels *l, const char *role, struct str *out)
{
    str_printf(out, "{\"role\":\"%s\",\"pod\":\"%s\",\"at\":%lld,\"n\":%llu}", role, l->pod,
               (long long)loop_wall_ms(l->loop), (unsigned long long)++l->n);
}

static void hear(struct labels *l, enum label_event_kind k, int64_t least_ms)
{
    struct label_steps steps;

    label_hear(&l->machine, k, least_ms, loop_now_ms(l->loop), &steps);
    carry_out(l, &steps);
}

/* The common part of all answers: what does it mean for the table? LE_KINDS: it was taken. */
static enum label_event_kind meaning(struct labels *l, const struct kube_answer *a)
{
    if (a->how == KUBE_OK) {
        l->why[0] = 0;
        return LE_KINDS;
    }
    snprintf(l->why, sizeof l->why, "%.299s", a->why);
    if (a->how == KUBE_MISSING)
        return LE_GONE;
    if (a->how == KUBE_CONFLICT)
        return LE_CONFLICT;
    return LE_FAILED;
}

static int64_t least_ms(const struct kube_answer *a)
{
    if (a->how == KUBE_DENIED || a->how == KUBE_WRONG)
        return a->retry_after_ms > DENIED_MS ? a->retry_after_ms : DENIED_MS;
    return a->retry_after_ms;
}

static void on_read(void *arg, const struct kube_answer *a)
{
    struct labels *l = arg;
    enum label_event_kind k = meaning(l, a);
    struct pod p;
    struct err e;
    const char *primary = value_of(l, LABEL_PRIMARY);

    l->call = NULL;
    if (k == LE_KINDS && pod_read(a->body, l->o->kube_label, &p, &e) != 0) {
        snprintf(l->why, sizeof l->why, "%.299s", e.text);
        k = LE_FAILED;
    } else if (k == LE_KINDS && l->uid[0] && strcmp(l->uid, p.uid) != 0) {
        snprintf(l->why, sizeof l->why, "pod %.200s is another one by now", l->pod);
        k = LE_GONE;
    } else if (k == LE_KINDS) {
        memcpy(l->version, p.version, sizeof l->version);
        k = p.labelled && primary && strcmp(p.label, primary) == 0 ? LE_CARRIES : LE_DONE;
    }
    hear(l, k == LE_CONFLICT ? LE_FAILED : k, least_ms(a));
}

/* A pod that is not there says nothing. */
static void freed(struct labels *l, const struct kube_answer *a, enum label_event_kind k)
{
    l->call = NULL;
    hear(l, k == LE_KINDS || k == LE_GONE ? LE_DONE : LE_FAILED, least_ms(a));
}

static void look_at_other(struct labels *l);

static void on_freed(void *arg, const struct kube_answer *a)
{
    struct labels *l = arg;
    enum label_event_kind k = meaning(l, a);

    if (k == LE_CONFLICT && ++l->free_tries < FREE_TRIES)
        look_at_other(l);
    else
        freed(l, a, k);
}

/* Its role stays as it says it, but for primary; a new version it gets in any case, by an annotation of its own. */
static void free_other(struct labels *l, const struct pod *other)
{
    const char *primary = value_of(l, LABEL_PRIMARY);
    bool says_primary = other->labelled && strcmp(other->label, primary) == 0;
    struct str note = {0}, freed_key = {0}, body = {0};
    struct pod_patch p = {.version = other->version, .label_key = l->o->kube_label, .note_key = l->o->kube_annotation};

    p.label = says_primary || !other->labelled ? NULL : other->label;
    str_printf(&freed_key, "%s-freed", l->o->kube_annotation);
    if (!says_primary)
        p.note_key = str_c(&freed_key);
    note_text(l, "none", &note);
    p.note = str_c(&note);
    pod_patch_text(&p, &body);
    l->call = kube_patch_pod(l->kube, l->others.at[l->freeing], (struct slice){str_c(&body), body.len}, on_freed, l);
    str_fini(&note);
    str_fini(&freed_key);
    str_fini(&body);
}

static void on_other(void *arg, const struct kube_answer *a)
{
    struct labels *l = arg;
    enum label_event_kind k = meaning(l, a);
    struct pod other;
    struct err e;

    if (k == LE_KINDS && pod_read(a->body, l->o->kube_label, &other, &e) == 0) {
        free_other(l, &other);
        return;
    }
    if (k == LE_KINDS) {
        snprintf(l->why, sizeof l->why, "%.299s", e.text);
        k = LE_FAILED;
    }
    freed(l, a, k);
}

static void look_at_other(struct labels *l)
{
    l->call = kube_get_pod(l->kube, l->others.at[l->freeing], on_other, l);
}

static void on_claimed(void *arg, const struct kube_answer *a)
{
    struct labels *l = arg;
    enum label_event_kind k = meaning(l, a);

    l->call = NULL;
    l->conflicts += k == LE_CONFLICT;
    hear(l, k == LE_KINDS ? LE_DONE : k, least_ms(a));
}

static void on_shown(void *arg, const struct kube_answer *a)
{
    struct labels *l = arg;
    enum label_event_kind k = meaning(l, a);

    l->call = NULL;
    hear(l, k == LE_KINDS ? LE_DONE : k == LE_CONFLICT ? LE_FAILED : k, least_ms(a));
}

/* note: with an annotation that no earlier one equals, so that it makes a new version. */
static void patch(struct labels *l, enum label_shown shown, bool note, const char *version, kube_fn *fn)
{
    struct str body = {0}, text = {0};
    struct pod_patch p = {.uid = l->uid[0] ? l->uid : NULL, .version = version, .label_key = l->o->kube_label,
                          .label = value_of(l, shown), .note_key = note ? l->o->kube_annotation : NULL};

    if (note)
        note_text(l, label_shown_name(shown), &text);
    p.note = str_c(&text);
    pod_patch_text(&p, &body);
    l->call = kube_patch_pod(l->kube, l->pod, (struct slice){str_c(&body), body.len}, fn, l);
    str_fini(&body);
    str_fini(&text);
}

static void cancel(struct labels *l)
{
    kube_cancel(l->call);
    l->call = NULL;
}

/* --- steps --- */

static void say_state(struct labels *l, const struct label_step *s)
{
    log_debug("label: %s -> %s why=\"%s\"", label_state_name(s->from), label_state_name(s->to), s->because);
    if (s->to == LB_GONE && !l->gone_said)
        agent_event("-label", "pod=%s why=\"%s\"", l->pod, l->why[0] ? l->why : s->because);
    else if ((s->to == LB_HELD || s->to == LB_OWING) && l->machine.pause_ms == PAUSE_MIN_MS)
        agent_event("-label", "pod=%s why=\"%s%s%s\"", l->pod, s->because, l->why[0] ? ": " : "", l->why);
    l->gone_said = s->to == LB_GONE || (l->gone_said && s->to != LB_ON && s->to != LB_OFF);
}

static void say_shown(struct labels *l)
{
    bool settled = l->machine.state == LB_ON || l->machine.state == LB_OFF;

    if (!settled || l->machine.shown == l->told || l->machine.shown == LABEL_UNSAID)
        return;
    agent_event("+label", "pod=%s role=%s was=%s", l->pod, label_shown_name(l->machine.shown), label_shown_name(l->told));
    l->told = l->machine.shown;
    l->since_ms = loop_now_ms(l->loop);
}

static void have_left(struct labels *l)
{
    void (*fn)(void *) = l->left;

    if (!fn)
        return;
    l->left = NULL;
    timer_clear(&l->limit);
    fn(l->left_arg);
}

static void carry_out(struct labels *l, const struct label_steps *steps)
{
    for (unsigned i = 0; i < steps->n; i++) {
        const struct label_step *s = &steps->at[i];

        switch (s->kind) {
        case LS_TRACE:
            say_state(l, s);
            break;
        case LS_CANCEL:
            cancel(l);
            break;
        case LS_READ:
            l->call = kube_get_pod(l->kube, l->pod, on_read, l);
            break;
        case LS_FREE:
            l->freeing = s->other;
            l->free_tries = 0;
            look_at_other(l);
            break;
        case LS_CLAIM:
            l->claims++;
            patch(l, LABEL_PRIMARY, true, l->version, on_claimed);
            break;
        case LS_SHOW:
            patch(l, s->shown, !s->again, NULL, on_shown);
            break;
        }
    }
    timer_set_at(&l->deadline, label_deadline_ms(&l->machine));
    say_shown(l);
    if (l->facts.leaving && label_is_off(&l->machine))
        have_left(l);
}

static void on_deadline(struct timer *t, void *arg)
{
    (void)t;
    hear(arg, LE_EXPIRED, 0);
}

/* --- facts --- */

static void look(struct labels *l)
{
    struct label_steps steps;

    label_look(&l->machine, &l->facts, loop_now_ms(l->loop), &steps);
    carry_out(l, &steps);
}

static bool is_us(const struct labels *l, const struct witness_said *s)
{
    if (l->run_id[0] && strcmp(l->run_id, s->run_id) == 0)
        return true;
    for (size_t i = 0; i < l->o->known_as.n; i++) {
        const struct addr *a = &l->o->known_as.at[i];

        if (a->port == s->primary.port && str_eq_nocase(a->host, s->primary.host))
            return true;
    }
    return false;
}

static size_t naming_us(const struct labels *l, size_t *answers)
{
    size_t us = 0;

    *answers = 0;
    for (size_t i = 0; l->witness && i < witness_count(l->witness); i++) {
        const struct witness_said *s = witness_at(l->witness, i);

        *answers += s->at_ms != 0;
        us += s->at_ms != 0 && is_us(l, s);
    }
    return us;
}

static void on_said(void *owner)
{
    struct labels *l = owner;
    size_t answers, us = naming_us(l, &answers), majority = witness_count(l->witness) / 2 + 1;

    l->facts.word = us >= majority ? LABEL_WORD_US : answers - us >= majority ? LABEL_WORD_OTHER : LABEL_WORD_UNKNOWN;
    look(l);
}

static enum label_role role_of(enum local_role r)
{
    switch (r) {
    case LOCAL_PRIMARY: return LABEL_ROLE_PRIMARY;
    case LOCAL_REPLICA:
    case LOCAL_SYNCING: return LABEL_ROLE_REPLICA;
    case LOCAL_UNKNOWN: return LABEL_ROLE_UNKNOWN;
    default: return LABEL_ROLE_OTHER;
    }
}

void labels_node(struct labels *l, const struct local_node_state *is)
{
    bool other_run = strcmp(l->run_id, is->run_id) != 0;

    l->facts.role = role_of(is->role);
    if (is->run_id[0])
        memcpy(l->run_id, is->run_id, sizeof l->run_id);
    if (l->witness && (l->facts.role == LABEL_ROLE_PRIMARY || other_run))
        witness_ask(l->witness);
    if (l->witness)
        on_said(l);
    else
        look(l);
}

static void on_limit(struct timer *t, void *arg)
{
    (void)t;
    have_left(arg);
}

void labels_leave(struct labels *l, int64_t limit_ms, void (*fn)(void *arg), void *arg)
{
    l->left = fn;
    l->left_arg = arg;
    timer_set(&l->limit, limit_ms);
    l->facts.leaving = true;
    look(l);
}

/* --- start and stop --- */

bool labels_are_wanted(const struct agent_options *o)
{
    if (o->kube == KUBE_SAID_OFF)
        return false;
    return o->kube == KUBE_SAID_ON || (o->kube_pods.n && addr_is_set(&o->node) && kube_is_around(o->kube_api, o->kube_folder));
}

static int who_are_we(struct labels *l, struct err *e)
{
    const char *name = l->o->kube_pod ? l->o->kube_pod : getenv("POD_NAME"), *uid = getenv("POD_UID");
    bool among = false;

    if (name && !slice_copy_z(slice_z(name), l->pod, sizeof l->pod))
        return err_set(e, ERR_RANGE, "'kube-pod': the name is too long");
    if (!name && gethostname(l->pod, sizeof l->pod - 1) != 0)
        return err_sys(e, "'kube-pod': the host has no name to use");
    if (!pod_name_ok(slice_z(l->pod)))
        return err_set(e, ERR_RANGE, "'kube-pod': '%s' is no name of a pod", l->pod);
    if (uid)
        slice_copy_z(slice_z(uid), l->uid, sizeof l->uid);
    for (size_t i = 0; i < l->o->kube_pods.n; i++) {
        if (strcmp(l->o->kube_pods.at[i], l->pod) == 0)
            among = true;
        else
            vec_push(&l->others, l->o->kube_pods.at[i]);
    }
    return among ? 0 : err_set(e, ERR_MISSING, "'kube-pods' must name all pods of the set, ours (%s) too", l->pod);
}

static void listen_to_sentinels(struct labels *l, const struct labels_opts *o)
{
    const struct agent_options *x = o->options;
    struct witness_opts w = {.loop = o->loop, .resolver = o->resolver, .sentinels = x->sentinels.at, .n = x->sentinels.n,
                             .group = x->kube_group ? x->kube_group : x->directory_group, .user = x->sentinel_user,
                             .password = x->sentinel_password, .owner = l, .on_said = on_said};

    l->witness = witness_new(&w);
}

int labels_new(const struct labels_opts *o, struct labels **out, struct err *e)
{
    struct labels *l = mem_zalloc(sizeof *l);
    const struct agent_options *x = o->options;
    struct kube_opts k = {.loop = o->loop, .http = o->http, .url = x->kube_api, .folder = x->kube_folder,
                          .name_space = x->kube_namespace, .request_ms = x->kube_timeout_ms};
    struct label_terms t = {.request_ms = 6 * x->kube_timeout_ms, .pause_min_ms = PAUSE_MIN_MS, .pause_max_ms = PAUSE_MAX_MS,
                            .check_ms = x->kube_check_ms};
    int rc;

    l->loop = o->loop;
    l->o = x;
    l->told = LABEL_UNSAID;
    timer_init(&l->deadline, o->loop, on_deadline, l);
    timer_init(&l->limit, o->loop, on_limit, l);
    rc = who_are_we(l, e);
    if (rc == 0)
        rc = kube_new(&k, &l->kube, e);
    if (rc != 0) {
        labels_free(l);
        return rc;
    }
    t.others = (unsigned)l->others.n;
    t.need_word = x->kube_confirm == KUBE_SAID_ON || (x->kube_confirm == KUBE_SAID_AUTO && x->sentinels.n);
    label_init(&l->machine, &t, o->seed);
    if (t.need_word)
        listen_to_sentinels(l, o);
    log_notice("kubernetes: the role of pod %s goes to %s, namespace %s, as label %s", l->pod, kube_url(l->kube),
               kube_namespace(l->kube), x->kube_label);
    *out = l;
    return 0;
}

void labels_free(struct labels *l)
{
    if (!l)
        return;
    cancel(l);
    timer_clear(&l->deadline);
    timer_clear(&l->limit);
    witness_free(l->witness);
    kube_free(l->kube);
    vec_fini(&l->others);
    loop_park(l->loop, l, mem_free);
}

void labels_view(const struct labels *l, struct labels_view *out)
{
    size_t answers;

    *out = (struct labels_view){
        .state = l->machine.state, .shown = l->machine.shown, .maybe = l->machine.maybe, .since_ms = l->since_ms,
        .claims = l->claims, .conflicts = l->conflicts, .stats = kube_stats(l->kube), .url = kube_url(l->kube),
        .name_space = kube_namespace(l->kube), .pod = l->pod, .why = l->why,
        .voices = l->witness ? witness_count(l->witness) : 0, .naming_us = naming_us(l, &answers)};
}
