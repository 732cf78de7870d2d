/* Event, step, carry out; and before that: is there anything to do at all? */
#include "agent/shell/applier_inside.h"

#include "agent/shell/hold.h"
#include "agent/shell/journal.h"
#include "agent/shell/validate.h"
#include "agent/source/cache.h"
#include "common/base/mem.h"
#include "common/io/log.h"

#include <errno.h>
#include <string.h>

#define LOSSES_MAX 2        /* a data node that went away so often over one version is not set to it again */

static const struct carrier *const carriers[] = {
    [CARRY_FILES] = &carrier_files, [CARRY_NODE] = &carrier_node, [CARRY_KEEP] = &carrier_keep,
    [CARRY_NOTHING] = &carrier_nothing,
};
static const struct carrier *carrier_of(const struct applier *w) { return carriers[w->carrier]; }

static int64_t now_ms(const struct applier *w) { return loop_now_ms(w->m->probe.loop); }

void applier_say(struct applier *w, enum log_level level, const char *step, const char *why)
{
    char name[DOC_KEY_MAX];

    log_line(level, "document=%s sha=%.8s step=%s why=\"%s\"", docname_text(&w->name, name), w->sha, step, why);
}

/* --- answers --- */

static void answer_now(struct applier *w, enum ack_status status, const char *why)
{
    struct ack k = {.sha = w->sha, .status = status, .why = why, .took_ms = w->took_ms,
                    .wall_ms = loop_wall_ms(w->m->probe.loop), .lines_added = w->stage.lines_added,
                    .lines_removed = w->stage.lines_removed};

    if (status == ACK_OK && w->from_override)
        k.status = ACK_OVERRIDE;
    w->same_again = w->answered && w->status == k.status && strncmp(w->why, why, sizeof w->why - 1) == 0;
    w->status = k.status;
    w->status_wall_ms = k.wall_ms;
    w->answered = true;
    slice_copy_z(slice_z(why), w->why, sizeof w->why);
    w->m->on_ack(w->m->owner, w, &k);
}

/* --- steps --- */

void applier_answer(struct applier *w, enum apply_event_kind kind, const char *text)
{
    w->answer.set = true;
    w->answer.kind = kind;
    slice_copy_z(slice_z(text ? text : ""), w->answer.text, sizeof w->answer.text);
}

static void check_ended(void *arg, const char *why)
{
    struct applier *w = arg;

    validate_free(w->validate);
    w->validate = NULL;
    applier_feed(w, why ? AE_FAILED : AE_DONE, why);
}

static void reload_ended(void *arg, const char *why)
{
    struct applier *w = arg;

    hold_free(w->hold);
    w->hold = NULL;
    applier_feed(w, why ? AE_FAILED : AE_DONE, why);
}

static void probe_ended(void *arg, const char *why)
{
    struct applier *w = arg;

    probe_free(w->probe);
    w->probe = NULL;
    applier_feed(w, why ? AE_FAILED : AE_DONE, why);
}

void applier_check(struct applier *w)
{
    w->validate = validate_start(w->m->probe.loop, w->plan, &w->stage, w->m->probe.roots, w->m->probe.allow, check_ended, w);
}

void applier_reload(struct applier *w)
{
    w->hold = hold_start(w->m->probe.loop, w->plan, w->m->probe.roots, w->m->probe.allow, reload_ended, w);
}

void applier_probe(struct applier *w) { w->probe = probe_start(&w->m->probe, w->plan, probe_ended, w); }

static void drop_helpers(struct applier *w)
{
    validate_free(w->validate);
    hold_free(w->hold);
    probe_free(w->probe);
    node_job_free(w->job);
    w->job = NULL;
    w->validate = NULL;
    w->hold = NULL;
    w->probe = NULL;
}

static void forget_journal(struct applier *w)
{
    struct err e = {0};

    if (journal_forget(w->m->state, &w->name, &e) != 0)
        applier_say(w, LOG_LEVEL_WARNING, "journal", e.text);
}

/* The cache holds what is in force, never what was refused. */
static void save_cache(struct applier *w)
{
    struct err e = {0};

    if (w->from_list.at.n &&
        cache_save(w->m->state, &w->name, &w->from, &w->from_list, loop_wall_ms(w->m->probe.loop), &e) != 0)
        applier_say(w, LOG_LEVEL_WARNING, "cache", e.text);
}

static void note_applied(struct applier *w, enum ack_status status)
{
    struct err e = {0};

    applied_set(&w->applied, w->sha, w->seen, loop_wall_ms(w->m->probe.loop), status, w->plan, &w->stage);
    if (carrier_of(w)->note)
        carrier_of(w)->note(w);
    if (applied_save(w->m->state, &w->name, &w->applied, &e) != 0)
        applier_say(w, LOG_LEVEL_WARNING, "commit", e.text);
}

static void do_commit(struct applier *w, enum ack_status status)
{
    struct err e = {0};

    if (journal_note(w->m->state, &w->name, JOURNAL_COMMITTED, status, &e) != 0)
        applier_say(w, LOG_LEVEL_WARNING, "commit", e.text);
    save_cache(w);
    note_applied(w, status);
    forget_journal(w);
}

static void end_with_ack(struct applier *w, enum ack_status status)
{
    struct str pending = {0};

    w->took_ms = now_ms(w) - w->started_ms;
    if (status == ACK_PENDING_RESTART)
        node_values_pending(&w->values, &pending);
    answer_now(w, status, pending.len ? str_c(&pending) : w->machine.why);
    str_fini(&pending);
    if (w->resumed && !ack_in_force(status) && status != ACK_HELD && w->losses < LOSSES_MAX)
        w->seen[0] = 0;         /* it was the crash that failed, not the document: try it once more */
}

static void do_step(struct applier *w, const struct apply_step *s)
{
    const struct carrier *c = carrier_of(w);
    struct err e = {0};

    switch (s->kind) {
    case STEP_STAGE:
        w->resumed = false;
        c->stage(w);
        break;
    case STEP_CHECK: c->check(w); break;
    case STEP_SWAP: c->swap(w); break;
    case STEP_RELOAD: c->reload(w); break;
    case STEP_PROBE: c->probe(w); break;
    case STEP_RESTORE:
        drop_helpers(w);
        if (journal_note(w->m->state, &w->name, JOURNAL_UNDOING, ACK_OK, &e) != 0)
            applier_answer(w, AE_FAILED, e.text);
        else
            c->restore(w);
        break;
    case STEP_DISCARD:
        drop_helpers(w);
        if (c->discard)
            c->discard(w);
        forget_journal(w);
        break;
    case STEP_COMMIT:
        drop_helpers(w);
        do_commit(w, w->left_committed ? w->left_status : s->status);
        break;
    case STEP_UNDONE:
        if (journal_note(w->m->state, &w->name, JOURNAL_UNDONE, ACK_OK, &e) != 0)
            applier_say(w, LOG_LEVEL_WARNING, "undone", e.text);
        forget_journal(w);
        break;
    case STEP_ACK:
        drop_helpers(w);
        end_with_ack(w, w->left_committed ? w->left_status : s->status);
        break;
    case STEP_TRACE: {
        char name[DOC_KEY_MAX];

        log_debug("document=%s sha=%.8s state=%s->%s why=\"%s\"", docname_text(&w->name, name), w->sha,
                  apply_state_name(s->from), apply_state_name(s->to), s->because);
        break;
    }
    case STEP_KINDS: break;
    }
}

static void forget_plan(struct applier *w)
{
    w->plan = plan_free(w->plan);
    stage_fini(&w->stage);
    stage_init(&w->stage);
    node_values_fini(&w->values);
    str_fini(&w->bytes);
    inputs_clear(&w->from);
    sources_fini(&w->from_list);
    sources_init(&w->from_list);
}

/* What must be taken up again when the node returns: forward; or back, if the way back had begun or if it goes away each
 * time that this version is set. */
static void suspend(struct applier *w, enum apply_state in)
{
    bool back = in == AP_RESTORING || in == AP_RERELOADING || in == AP_REPROBING;

    w->losses += !back;
    w->suspended = true;
    w->suspended_as = back || w->losses >= LOSSES_MAX ? AE_LEFT_UNDOING : AE_LEFT_WHOLE;
}

void applier_feed(struct applier *w, enum apply_event_kind kind, const char *text)
{
    struct apply_event ev = {.kind = kind, .text = text};
    struct apply_steps steps;
    char words[ERR_TEXT_MAX];

    for (;;) {
        enum apply_state was = w->machine.state;
        bool was_busy = apply_is_busy(&w->machine);

        loop_update_now(w->m->probe.loop);     /* files were synced: that took time */
        ev.now_ms = now_ms(w);
        w->answer.set = false;
        apply_step(&w->machine, &ev, &steps);
        if (ev.kind == AE_LOST && steps.n)
            suspend(w, was);
        for (unsigned i = 0; i < steps.n; i++)
            do_step(w, &steps.at[i]);
        timer_set_at(&w->deadline, apply_deadline_ms(&w->machine));
        if (!w->answer.set) {
            if (was_busy && !applier_is_busy(w)) {
                forget_plan(w);
                w->m->on_idle(w->m->owner, w);
            }
            return;
        }
        slice_copy_z(slice_z(w->answer.text), words, sizeof words);
        ev.kind = w->answer.kind;
        ev.text = words;
    }
}

static void on_deadline(struct timer *t, void *arg)
{
    struct applier *w = arg;

    (void)t;
    drop_helpers(w);
    applier_feed(w, AE_EXPIRED, NULL);
}

/* --- considering --- */

static struct apply_terms terms_of(const struct plan *p)
{
    return (struct apply_terms){.check_ms = p->check_timeout_ms * (int64_t)(p->checks.n ? p->checks.n : 1),
                                .reload_ms = p->reload_timeout_ms, .probe_ms = p->probe.for_ms, .hold = p->hold};
}

/* The document's own sources out of the snapshot, with the operator's file in the place of the document. */
static void own_inputs(struct applier *w, const struct inputs *all, struct inputs *own, struct sources *of)
{
    char key[DOC_KEY_MAX];
    struct str bytes = {0};
    struct err e = {0};

    docname_key(&w->name, key);
    inputs_copy_one(own, all, key);
    w->from_override = override_load(w->m->state, &w->name, &bytes, &e);
    if (w->from_override)
        inputs_put_string(own, key, str_c(&bytes), bytes.len);
    else if (e.text[0])
        applier_say(w, LOG_LEVEL_WARNING, "override", e.text);
    desired_sources_of(&w->name, own, of);
    for (size_t i = 0; i < of->at.n; i++)
        if (strcmp(of->at.at[i], key) != 0)
            inputs_copy_one(own, all, of->at.at[i]);
    str_fini(&bytes);
}

static void fingerprint(const struct inputs *own, const struct sources *of, const struct agent_doc *agent,
                        char out[SHA_MAX])
{
    struct sha_pieces s;

    sha_begin(&s);
    for (size_t i = 0; agent && i < 2; i++) {
        char *text = cJSON_PrintUnformatted(tree_at(agent->tree, i ? "labels" : "vars"));

        sha_piece(&s, text ? text : "", text ? strlen(text) : 0);
        cJSON_free(text);
    }
    for (size_t i = 0; i < of->at.n; i++) {
        const struct input *in = inputs_get(own, of->at.at[i]);
        int kind = in ? (int)in->kind : INPUT_MISSING;

        sha_piece(&s, of->at.at[i], strlen(of->at.at[i]));
        sha_piece(&s, &kind, sizeof kind);
        if (!in)
            continue;
        sha_piece(&s, str_c(&in->bytes), in->bytes.len);
        for (size_t k = 0; k < in->fields.n; k++) {
            sha_piece(&s, str_c(&in->fields.at[k].name), in->fields.at[k].name.len);
            sha_piece(&s, str_c(&in->fields.at[k].value), in->fields.at[k].value.len);
        }
    }
    sha_end(&s, out);
}

void applier_is_so(struct applier *w, enum ack_status status, const char *why)
{
    bool later = status == ACK_STATUSES;

    if (w->machine.state == AP_STUCK) {
        apply_init(&w->machine);
        forget_journal(w);
    }
    if (later)
        status = ACK_OK;
    save_cache(w);
    if (!w->applied.known || strcmp(w->applied.fingerprint, w->seen) != 0 || w->applied.status != status)
        note_applied(w, status);
    applier_say(w, LOG_LEVEL_VERBOSE, ack_status_word(status), "nothing differs");
    if (!later)
        answer_now(w, status, why);
    forget_plan(w);
}

void applier_refuse(struct applier *w, enum ack_status status, const char *why)
{
    answer_now(w, status, why);
    forget_plan(w);
}

void applier_wait(struct applier *w) { forget_plan(w); }

void applier_begin(struct applier *w)
{
    w->applications++;
    w->machine.terms = terms_of(w->plan);
    applier_feed(w, AE_WANTED, NULL);
}

/* What was looked at last; *changed: it is another state of affairs than before. */
static void note_seen(struct applier *w, const char *fresh, const struct input *doc, bool *changed)
{
    bool other = strcmp(fresh, w->seen) != 0;

    w->retry = w->waits_for_node = false;
    if (other)
        w->losses = 0;
    if (changed && other)
        *changed = true;
    slice_copy_z(slice_z(fresh), w->seen, sizeof w->seen);
    w->sha[0] = 0;
    if (doc->kind == INPUT_STRING)
        sha_bytes(str_c(&doc->bytes), doc->bytes.len, w->sha);
    w->started_ms = now_ms(w);
    w->took_ms = 0;
}

/* In the place of the plan that was there. false: there is none, and why was answered. */
static bool make_plan(struct applier *w, const struct inputs *own, const struct agent_doc *agent)
{
    struct plan *plan = NULL;
    struct err e = {0};
    bool absent, vanished;
    int rc = desired_plan(&w->name, own, &w->m->who, agent, &plan, &absent, &e);

    if (rc == 0) {
        w->carrier = plan->carrier;
        rc = carrier_of(w)->allowed ? carrier_of(w)->allowed(w, plan, &e) : 0;
    }
    w->waits_for_file = rc == ERR_BUSY;
    if (rc == 0) {
        forget_plan(w);
        w->plan = plan;
        return true;
    }
    /* Gone is what was there; a document that names something new that is not there is wrong. */
    vanished = absent && w->applied.known && (!w->sha[0] || strcmp(w->sha, w->applied.sha) == 0);
    answer_now(w, vanished ? ACK_VANISHED : ACK_INVALID, e.text);
    plan_free(plan);
    return false;
}

void applier_consider(struct applier *w, const struct inputs *in, const struct agent_doc *agent, bool force,
                      bool *changed)
{
    struct inputs own;
    struct sources of;
    char fresh[SHA_MAX], key[DOC_KEY_MAX];
    const struct input *doc;

    if (applier_is_busy(w)) {
        w->again = true;
        return;
    }
    inputs_init(&own);
    sources_init(&of);
    own_inputs(w, in, &own, &of);
    doc = inputs_get(&own, docname_key(&w->name, key));
    fingerprint(&own, &of, agent, fresh);
    if (!doc || (!force && !w->retry && strcmp(fresh, w->seen) == 0))
        goto out;
    /* A crash between the swap and the commit leaves an older cache behind: what is in force is not replaced by it. */
    if (*w->m->from_cache && w->applied.known && !w->from_override && strcmp(fresh, w->applied.fingerprint) != 0)
        goto out;
    note_seen(w, fresh, doc, changed);
    if (!make_plan(w, &own, agent))
        goto out;
    str_set(&w->bytes, str_c(&doc->bytes), doc->bytes.len);
    inputs_swap(&w->from, &own);
    w->from_list = of;
    sources_init(&of);
    carrier_of(w)->look(w);
out:
    sources_fini(&of);
    inputs_fini(&own);
}

/* What it was in the middle of: the staged files, the settings, the document. Empties j of them. */
static void take_over(struct applier *w, struct journal *j)
{
    stage_fini(&w->stage);
    w->stage = j->stage;
    memset(&j->stage, 0, sizeof j->stage);
    node_values_fini(&w->values);
    w->values = j->values;
    memset(&j->values, 0, sizeof j->values);
    str_set(&w->bytes, j->bytes.p, j->bytes.len);
    slice_copy_z(slice_z(j->sha), w->sha, sizeof w->sha);
    slice_copy_z(slice_z(j->fingerprint), w->seen, sizeof w->seen);
}

bool applier_recover(struct applier *w)
{
    struct journal j;
    struct err e = {0};
    enum apply_event_kind event = AE_KINDS;
    int rc;

    journal_init(&j);
    rc = journal_load(w->m->state, &w->name, &j, &e);
    if (rc != 0)
        goto out;
    if (j.seen.begun && desired_read(&w->name, str_c(&j.bytes), j.bytes.len, &w->plan, &e) == 0) {
        w->carrier = w->plan->carrier;
        if (!carrier_of(w)->recover)
            err_set(&e, ERR_FORMAT, "the journal is of another type of document");
        else
            event = carrier_of(w)->recover(w, &j, &e);
    }
    if (e.text[0])
        applier_say(w, LOG_LEVEL_ERROR, "recover", e.text);
    if (event == AE_KINDS) {
        forget_plan(w);
        forget_journal(w);
        rc = ERR_MISSING;
        goto out;
    }
    take_over(w, &j);
    w->resumed = true;
    w->left_committed = event == AE_LEFT_COMMITTED;
    w->left_status = j.status;
    w->started_ms = now_ms(w);
    w->machine.terms = terms_of(w->plan);
    applier_say(w, LOG_LEVEL_NOTICE, "recover", apply_event_name(event));
    if (w->suspended)
        w->suspended_as = event;             /* taken up when the node is there */
    else
        applier_feed(w, event, NULL);
    w->left_committed = false;
    if (!applier_is_busy(w)) {               /* ended at once: nobody else lets go of the plan */
        if (event == AE_LEFT_STAGED)
            w->seen[0] = 0;
        forget_plan(w);
    }
out:
    journal_fini(&j);
    return rc == 0;
}

bool applier_is_busy(const struct applier *w) { return apply_is_busy(&w->machine) || w->looking || w->suspended; }

bool applier_node_is_there(struct applier *w)
{
    if (w->carrier != CARRY_NODE || w->machine.state == AP_STUCK)
        return false;
    if (w->suspended) {
        struct apply_terms terms = w->machine.terms;

        w->suspended = false;
        w->resumed = true;
        apply_init(&w->machine);
        w->machine.terms = terms;
        applier_say(w, LOG_LEVEL_NOTICE, "resume", apply_event_name(w->suspended_as));
        applier_feed(w, w->suspended_as, NULL);
        return false;
    }
    w->retry = true;
    return true;
}

void applier_kept(struct applier *w, enum ack_status status, const char *why)
{
    if (w->carrier == CARRY_KEEP && w->seen[0] && !applier_is_busy(w))
        answer_now(w, status, why);
}

struct applier *applier_new(const struct applier_means *m, const struct docname *name)
{
    struct applier *w = mem_zalloc(sizeof *w);
    struct err e = {0};

    w->name = *name;
    w->m = m;
    apply_init(&w->machine);
    stage_init(&w->stage);
    inputs_init(&w->from);
    sources_init(&w->from_list);
    timer_init(&w->deadline, m->probe.loop, on_deadline, w);
    if (applied_load(m->state, name, &w->applied, &e) != 0 && !(e.code == ERR_SYS && e.sys_errno == ENOENT))
        applier_say(w, LOG_LEVEL_WARNING, "applied", e.text);
    return w;
}

void applier_free(struct applier *w)
{
    if (!w)
        return;
    timer_clear(&w->deadline);
    drop_helpers(w);
    forget_plan(w);
    applied_fini(&w->applied);
    inputs_fini(&w->from);
    sources_fini(&w->from_list);
    loop_park(w->m->probe.loop, w, mem_free);
}
