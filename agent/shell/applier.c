/* Event, step, carry out; and before that: is there anything to do at all? */
#include "agent/shell/applier.h"

#include "agent/shell/hold.h"
#include "agent/shell/journal.h"
#include "agent/shell/validate.h"
#include "agent/source/cache.h"
#include "common/base/mem.h"
#include "common/io/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int64_t now_ms(const struct applier *w) { return loop_now_ms(w->m->probe.loop); }

static void say(struct applier *w, enum log_level level, const char *step, const char *why)
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

static void answer_later(struct applier *w, enum apply_event_kind kind, const char *text)
{
    w->answer.set = true;
    w->answer.kind = kind;
    slice_copy_z(slice_z(text ? text : ""), w->answer.text, sizeof w->answer.text);
}

static void feed(struct applier *w, enum apply_event_kind kind, const char *text);

static void check_ended(void *arg, const char *why)
{
    struct applier *w = arg;

    validate_free(w->validate);
    w->validate = NULL;
    feed(w, why ? AE_FAILED : AE_DONE, why);
}

static void reload_ended(void *arg, const char *why)
{
    struct applier *w = arg;

    hold_free(w->hold);
    w->hold = NULL;
    feed(w, why ? AE_FAILED : AE_DONE, why);
}

static void probe_ended(void *arg, const char *why)
{
    struct applier *w = arg;

    probe_free(w->probe);
    w->probe = NULL;
    feed(w, why ? AE_FAILED : AE_DONE, why);
}

static void drop_helpers(struct applier *w)
{
    validate_free(w->validate);
    hold_free(w->hold);
    probe_free(w->probe);
    w->validate = NULL;
    w->hold = NULL;
    w->probe = NULL;
}

static void do_stage(struct applier *w)
{
    struct journal_begin b = {{str_c(&w->bytes), w->bytes.len}, w->sha, w->seen};
    struct err e = {0};
    int rc = kept_folder(w->m->state, &w->name, KEPT_SETS, &w->stage.keep_dir, &e);

    w->resumed = false;
    if (rc == 0)
        rc = journal_start(w->m->state, &w->name, &b, w->plan, &w->stage, &e);
    if (rc == 0)
        rc = stage_write(&w->stage, w->plan, w->m->probe.roots, &e);
    answer_later(w, rc == 0 ? AE_DONE : AE_FAILED, e.text);
}

static void do_swap(struct applier *w)
{
    struct err e = {0};
    size_t renamed = 0;
    int rc = 0;

    if (!w->resumed) {
        rc = stage_keep(&w->stage, w->plan, w->m->probe.roots, &e);
        if (rc == 0)
            rc = journal_note(w->m->state, &w->name, JOURNAL_SWAPPING, ACK_OK, &e);
    }
    if (rc == 0)
        rc = stage_swap(&w->stage, w->plan, w->m->probe.roots, &renamed, &e);
    answer_later(w, rc == 0 ? AE_DONE : renamed || w->resumed ? AE_PARTLY : AE_FAILED, e.text);
}

static void do_restore(struct applier *w)
{
    struct err e = {0};
    int rc;

    drop_helpers(w);
    rc = journal_note(w->m->state, &w->name, JOURNAL_UNDOING, ACK_OK, &e);
    if (rc == 0)
        rc = stage_restore(&w->stage, w->plan, w->m->probe.roots, &e);
    answer_later(w, rc == 0 ? AE_DONE : AE_FAILED, e.text);
}

static void forget_journal(struct applier *w)
{
    struct err e = {0};

    if (journal_forget(w->m->state, &w->name, &e) != 0)
        say(w, LOG_LEVEL_WARNING, "journal", e.text);
}

static void do_commit(struct applier *w, enum ack_status status)
{
    struct err e = {0};

    if (journal_note(w->m->state, &w->name, JOURNAL_COMMITTED, status, &e) != 0)
        say(w, LOG_LEVEL_WARNING, "commit", e.text);
    applied_set(&w->applied, w->sha, w->seen, loop_wall_ms(w->m->probe.loop), status, w->plan, &w->stage);
    if (applied_save(w->m->state, &w->name, &w->applied, &e) != 0)
        say(w, LOG_LEVEL_WARNING, "commit", e.text);
    forget_journal(w);
}

static void end_with_ack(struct applier *w, enum ack_status status)
{
    w->took_ms = now_ms(w) - w->started_ms;
    answer_now(w, status, w->machine.why);
    if (w->resumed && status != ACK_OK)
        w->seen[0] = 0;         /* it was the crash that failed, not the document: try it once more */
}

static void do_step(struct applier *w, const struct apply_step *s)
{
    const struct applier_means *m = w->m;
    struct err e = {0};

    switch (s->kind) {
    case STEP_STAGE: do_stage(w); break;
    case STEP_CHECK:
        w->validate = validate_start(m->probe.loop, w->plan, &w->stage, m->probe.roots, m->probe.allow, check_ended, w);
        break;
    case STEP_SWAP: do_swap(w); break;
    case STEP_RELOAD:
        w->hold = hold_start(m->probe.loop, w->plan, m->probe.roots, m->probe.allow, reload_ended, w);
        break;
    case STEP_PROBE: w->probe = probe_start(&m->probe, w->plan, probe_ended, w); break;
    case STEP_RESTORE: do_restore(w); break;
    case STEP_DISCARD:
        drop_helpers(w);
        stage_discard(&w->stage, w->plan, m->probe.roots);
        forget_journal(w);
        break;
    case STEP_COMMIT:
        drop_helpers(w);
        do_commit(w, w->left_committed ? w->left_status : s->status);
        break;
    case STEP_UNDONE:
        if (journal_note(m->state, &w->name, JOURNAL_UNDONE, ACK_OK, &e) != 0)
            say(w, LOG_LEVEL_WARNING, "undone", e.text);
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
    str_fini(&w->bytes);
}

static void feed(struct applier *w, enum apply_event_kind kind, const char *text)
{
    struct apply_event ev = {.kind = kind, .text = text};
    struct apply_steps steps;
    char words[ERR_TEXT_MAX];

    for (;;) {
        bool was_busy = apply_is_busy(&w->machine);

        loop_update_now(w->m->probe.loop);     /* files were synced: that took time */
        ev.now_ms = now_ms(w);
        w->answer.set = false;
        apply_step(&w->machine, &ev, &steps);
        for (unsigned i = 0; i < steps.n; i++)
            do_step(w, &steps.at[i]);
        timer_set_at(&w->deadline, apply_deadline_ms(&w->machine));
        if (!w->answer.set) {
            if (was_busy && !apply_is_busy(&w->machine)) {
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
    feed(w, AE_EXPIRED, NULL);
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
        say(w, LOG_LEVEL_WARNING, "override", e.text);
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

/* What only this machine can say about a plan: roots, allowed programs, files of other documents. */
static int allowed_here(struct applier *w, const struct plan *p, struct err *e)
{
    const struct applier_means *m = w->m;
    char name[DOC_KEY_MAX];
    int rc;

    if (p->carrier == CARRY_NODE || p->carrier == CARRY_KEEP)
        return err_set(e, ERR_REFUSED, "documents of type '%s' are not supported yet", w->name.type);
    for (size_t i = 0; i < p->files.n; i++) {
        const struct plan_file *f = &p->files.at[i];
        const struct docname *other;

        if (!roots_find(m->probe.roots, f->root))
            return err_set(e, ERR_REFUSED, "%.200s: root '%s' is not named here (root in the agent's configuration)", f->path,
                           f->root);
        other = m->taken(m->owner, w, f->root, f->path);
        if (other)
            return err_set(e, ERR_BUSY, "%s/%.200s belongs to %s", f->root, f->path, docname_text(other, name));
    }
    rc = validate_allowed(p, m->probe.allow, e);
    return rc != 0 ? rc : hold_allowed(p, m->probe.roots, m->probe.allow, e);
}

static void nothing_to_do(struct applier *w)
{
    struct err e = {0};

    if (w->machine.state == AP_STUCK) {
        apply_init(&w->machine);
        forget_journal(w);
    }
    if (!w->applied.known || strcmp(w->applied.fingerprint, w->seen) != 0 || w->applied.status != ACK_OK) {
        applied_set(&w->applied, w->sha, w->seen, loop_wall_ms(w->m->probe.loop), ACK_OK, w->plan, &w->stage);
        if (applied_save(w->m->state, &w->name, &w->applied, &e) != 0)
            say(w, LOG_LEVEL_WARNING, "commit", e.text);
    }
    say(w, LOG_LEVEL_VERBOSE, "ok", "nothing differs");
    answer_now(w, ACK_OK, "");
    forget_plan(w);
}

static void begin(struct applier *w)
{
    struct err e = {0};
    char id[9];

    rng_hex(w->m->rng, id, 8);
    if (stage_look(&w->stage, w->plan, w->m->probe.roots, id, &e) != 0) {
        answer_now(w, ACK_SWAP_FAILED, e.text);
        forget_plan(w);
    } else if (w->stage.changes == 0) {
        nothing_to_do(w);
    } else {
        w->applications++;
        w->machine.terms = terms_of(w->plan);
        feed(w, AE_WANTED, NULL);
    }
}

void applier_consider(struct applier *w, const struct inputs *in, const struct agent_doc *agent, bool force,
                      bool *changed)
{
    struct inputs own;
    struct sources of;
    char fresh[SHA_MAX], key[DOC_KEY_MAX];
    const struct input *doc;
    struct plan *plan = NULL;
    struct err e = {0};
    bool absent;
    int rc;

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
    w->retry = false;
    if (changed && strcmp(fresh, w->seen) != 0)
        *changed = true;
    slice_copy_z(slice_z(fresh), w->seen, sizeof w->seen);
    w->sha[0] = 0;
    if (doc->kind == INPUT_STRING)
        sha_bytes(str_c(&doc->bytes), doc->bytes.len, w->sha);
    w->started_ms = now_ms(w);
    w->took_ms = 0;
    rc = desired_plan(&w->name, &own, &w->m->who, agent, &plan, &absent, &e);
    if (rc == 0)
        rc = allowed_here(w, plan, &e);
    w->waits_for_file = rc == ERR_BUSY;
    if (rc != 0) {
        /* Gone is what was there; a document that names something new that is not there is wrong. */
        bool vanished = absent && w->applied.known && (!w->sha[0] || strcmp(w->sha, w->applied.sha) == 0);

        answer_now(w, vanished ? ACK_VANISHED : ACK_INVALID, e.text);
        plan_free(plan);
        goto out;
    }
    if (cache_save(w->m->state, &w->name, &own, &of, loop_wall_ms(w->m->probe.loop), &e) != 0)
        say(w, LOG_LEVEL_WARNING, "cache", e.text);
    forget_plan(w);
    w->plan = plan;
    str_set(&w->bytes, str_c(&doc->bytes), doc->bytes.len);
    begin(w);
out:
    sources_fini(&of);
    inputs_fini(&own);
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
    if (j.seen.begun && desired_read(&w->name, str_c(&j.bytes), j.bytes.len, &w->plan, &e) == 0 &&
        w->plan->files.n == j.stage.files.n) {
        j.seen.all_new_whole = stage_whole(&j.stage, w->plan, w->m->probe.roots);
        event = leftovers_event(&j.seen);
    } else if (j.seen.begun) {
        say(w, LOG_LEVEL_ERROR, "recover", e.text[0] ? e.text : "the journal does not fit its document; its files are left as they are");
    }
    if (event == AE_KINDS) {
        forget_plan(w);
        forget_journal(w);
        rc = ERR_MISSING;
        goto out;
    }
    stage_fini(&w->stage);
    w->stage = j.stage;
    memset(&j.stage, 0, sizeof j.stage);
    str_set(&w->bytes, j.bytes.p, j.bytes.len);
    slice_copy_z(slice_z(j.sha), w->sha, sizeof w->sha);
    slice_copy_z(slice_z(j.fingerprint), w->seen, sizeof w->seen);
    w->resumed = true;
    w->left_committed = event == AE_LEFT_COMMITTED;
    w->left_status = j.status;
    w->started_ms = now_ms(w);
    w->machine.terms = terms_of(w->plan);
    say(w, LOG_LEVEL_NOTICE, "recover", apply_event_name(event));
    feed(w, event, NULL);
    w->left_committed = false;
    if (!apply_is_busy(&w->machine)) {       /* ended at once: nobody else lets go of the plan */
        if (event == AE_LEFT_STAGED)
            w->seen[0] = 0;
        forget_plan(w);
    }
out:
    journal_fini(&j);
    return rc == 0;
}

bool applier_is_busy(const struct applier *w) { return apply_is_busy(&w->machine); }

struct applier *applier_new(const struct applier_means *m, const struct docname *name)
{
    struct applier *w = mem_zalloc(sizeof *w);
    struct err e = {0};

    w->name = *name;
    w->m = m;
    apply_init(&w->machine);
    stage_init(&w->stage);
    timer_init(&w->deadline, m->probe.loop, on_deadline, w);
    if (applied_load(m->state, name, &w->applied, &e) != 0 && !(e.code == ERR_SYS && e.sys_errno == ENOENT))
        say(w, LOG_LEVEL_WARNING, "applied", e.text);
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
    loop_park(w->m->probe.loop, w, mem_free);
}
