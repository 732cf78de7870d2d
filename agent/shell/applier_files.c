/* Plans of files: looked at on disk, written beside their targets, renamed over them. */
#include "agent/shell/applier_inside.h"

#include "agent/shell/hold.h"
#include "agent/shell/validate.h"

static int allowed(struct applier *w, const struct plan *p, struct err *e)
{
    const struct applier_means *m = w->m;
    char name[DOC_KEY_MAX];
    int rc;

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

static void look(struct applier *w)
{
    struct err e = {0};
    char id[9];

    if (!w->swept)
        stage_sweep(w->plan, w->m->probe.roots);
    w->swept = true;
    rng_hex(w->m->rng, id, 8);
    if (stage_look(&w->stage, w->plan, w->m->probe.roots, id, &e) != 0)
        applier_refuse(w, ACK_SWAP_FAILED, e.text);
    else if (w->stage.changes == 0)
        applier_is_so(w, ACK_OK, "");
    else
        applier_begin(w);
}

static void stage(struct applier *w)
{
    struct journal_begin b = {{str_c(&w->bytes), w->bytes.len}, w->sha, w->seen, NULL, NULL};
    struct err e = {0};
    int rc = kept_folder(w->m->state, &w->name, KEPT_SETS, &w->stage.keep_dir, &e);

    if (rc == 0)
        rc = journal_start(w->m->state, &w->name, &b, w->plan, &w->stage, &e);
    if (rc == 0)
        rc = stage_write(&w->stage, w->plan, w->m->probe.roots, &e);
    applier_answer(w, rc == 0 ? AE_DONE : AE_FAILED, e.text);
}

static void swap(struct applier *w)
{
    struct err e = {0};
    size_t renamed = 0;
    int rc = 0;

    if (!w->resumed) {
        rc = stage_keep(&w->stage, w->plan, w->m->probe.roots, &e);
        if (rc == 0)
            rc = journal_note(w->m->state, &w->name, JOURNAL_SWAPPING, ACK_OK, &e);
        /* After the journal, so that one commit of the file system carries all of it. What is not whole after a loss
         * of power is recognised by its digest (AE_LEFT_TORN). */
        if (rc == 0)
            rc = stage_sync(&w->stage, w->plan, w->m->probe.roots, &e);
    }
    if (rc == 0)
        rc = stage_swap(&w->stage, w->plan, w->m->probe.roots, &renamed, &e);
    applier_answer(w, rc == 0 ? AE_DONE : renamed || w->resumed ? AE_PARTLY : AE_FAILED, e.text);
}

static void restore(struct applier *w)
{
    struct err e = {0};
    int rc = stage_restore(&w->stage, w->plan, w->m->probe.roots, &e);

    applier_answer(w, rc == 0 ? AE_DONE : AE_FAILED, e.text);
}

static void discard(struct applier *w) { stage_discard(&w->stage, w->plan, w->m->probe.roots); }

static enum apply_event_kind recover(struct applier *w, struct journal *j, struct err *e)
{
    if (w->plan->files.n != j->stage.files.n) {
        err_set(e, ERR_FORMAT, "the journal does not fit its document; its files are left as they are");
        return AE_KINDS;
    }
    j->seen.all_new_whole = stage_whole(&j->stage, w->plan, w->m->probe.roots);
    return leftovers_event(&j->seen);
}

const struct carrier carrier_files = {
    .allowed = allowed, .look = look, .stage = stage, .check = applier_check, .swap = swap, .reload = applier_reload,
    .probe = applier_probe, .restore = restore, .discard = discard, .recover = recover,
};
