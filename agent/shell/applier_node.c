/* Plans of settings: what the data node has is asked for and noted, all is set at once, read
 * back, and set back when it does not do well. A node that goes away in the middle is like a
 * crash of ours: the journal says what was before, and its return takes it up again. */
#include "agent/shell/applier_inside.h"

#include "agent/shell/hold.h"

#include <string.h>

static int allowed(struct applier *w, const struct plan *p, struct err *e)
{
    char name[DOC_KEY_MAX];

    if (!w->m->node)
        return err_set(e, ERR_REFUSED, "the agent's configuration names no data node (node <host> <port>)");
    for (size_t i = 0; i < p->node.set.n; i++) {
        const struct docname *other = w->m->set_by(w->m->owner, w, p->node.set.at[i].name);

        if (other)
            return err_set(e, ERR_BUSY, "set.%s: is set by %s", p->node.set.at[i].name, docname_text(other, name));
    }
    return hold_allowed(p, w->m->probe.roots, w->m->probe.allow, e);
}

/* Already as wanted? As the document writes it, or as the node answered when it was set last. */
static bool is_so(const struct applied *a, const struct node_value *v)
{
    const struct applied_setting *s = applied_setting(a, v->name);
    char want[SHA_MAX], is[SHA_MAX];

    if (strcmp(v->want, v->old) == 0)
        return true;
    if (!s)
        return false;
    sha_bytes(v->want, strlen(v->want), want);
    sha_bytes(v->old, strlen(v->old), is);
    return strcmp(s->want, want) == 0 && strcmp(s->is, is) == 0;
}

/* Of what is so only because the node has not started since, it is known; another process of the node is asked anew. */
static bool is_pending(const struct applier *w, const struct node_value *v)
{
    const struct applied_setting *s = applied_setting(&w->applied, v->name);

    return s && s->pending && strcmp(v->want, v->old) != 0 &&
           strcmp(w->applied.run_id, local_node_state(w->m->node)->run_id) == 0;
}

static void judge(struct applier *w)
{
    bool same_document = w->applied.known && strcmp(w->applied.sha, w->sha) == 0 && ack_in_force(w->applied.status);
    struct str drifted = {0}, pending = {0};
    size_t changes;

    for (size_t i = 0; i < w->values.at.n; i++) {
        struct node_value *v = &w->values.at.at[i];
        const struct applied_setting *s = applied_setting(&w->applied, v->name);

        v->differs = !is_so(&w->applied, v) || (s && s->pending && strcmp(v->want, v->old) != 0);
        v->pending = v->differs && is_so(&w->applied, v) && is_pending(w, v);
        if (v->differs && !v->pending && same_document && s && !s->pending)
            str_printf(&drifted, "%s%s", drifted.len ? ", " : "somebody changed ", v->name);
    }
    if (drifted.len)
        applier_say(w, LOG_LEVEL_NOTICE, "drift", str_c(&drifted));
    str_fini(&drifted);
    changes = node_values_changes(&w->values);
    w->stage.changes = w->stage.lines_added = w->stage.lines_removed = changes;
    if (changes) {
        applier_begin(w);
        return;
    }
    node_values_pending(&w->values, &pending);
    applier_is_so(w, pending.len ? ACK_PENDING_RESTART : ACK_OK, str_c(&pending));
    str_fini(&pending);
}

static void hold_until_it_is_there(struct applier *w, const char *words)
{
    struct err e = {0};
    char at[ADDR_TEXT_MAX];
    const char *trouble = local_node_trouble(w->m->node);

    err_set(&e, ERR_CLOSED, "the data node %s %s%s%s%s; tried again when it does", addr_text(local_node_addr(w->m->node), at), words,
            trouble[0] ? " (" : "", trouble, trouble[0] ? ")" : "");
    w->waits_for_node = true;
    applier_refuse(w, ACK_HELD, e.text);
}

static void looked(void *arg, enum node_end how, const char *why)
{
    struct applier *w = arg;

    node_job_free(w->job);
    w->job = NULL;
    w->looking = false;
    switch (how) {
    case NODE_DONE: judge(w); break;
    case NODE_LOST: hold_until_it_is_there(w, "does not answer"); break;
    case NODE_REFUSED:
    case NODE_PARTLY: applier_refuse(w, ACK_INVALID, why); break;
    }
    if (!applier_is_busy(w))
        w->m->on_idle(w->m->owner, w);
}

static void look(struct applier *w)
{
    enum local_role role = local_node_state(w->m->node)->role;

    node_values_of(&w->values, &w->plan->node);
    if (role == LOCAL_UNKNOWN) {         /* a moment yet: it becomes one of the others */
        w->waits_for_node = true;
        applier_wait(w);
    } else if (role == LOCAL_LOADING) {
        hold_until_it_is_there(w, "loads its data and takes no settings yet");
    } else if (!local_role_usable(role)) {
        hold_until_it_is_there(w, "does not answer");
    } else {
        w->looking = true;
        w->job = node_ask_old(w->m->probe.loop, w->m->node, &w->values, looked, w);
    }
}

/* --- steps --- */

static void stage(struct applier *w)
{
    char at[ADDR_TEXT_MAX];
    struct journal_begin b = {{str_c(&w->bytes), w->bytes.len}, w->sha, w->seen, &w->values,
                              addr_text(local_node_addr(w->m->node), at)};
    struct err e = {0};
    int rc = journal_start(w->m->state, &w->name, &b, w->plan, &w->stage, &e);

    applier_answer(w, rc == 0 ? AE_DONE : AE_FAILED, e.text);
}

static void check(struct applier *w) { applier_answer(w, AE_DONE, NULL); }     /* its own words are the check */

static void step_ended(struct applier *w, enum apply_event_kind kind, const char *why)
{
    node_job_free(w->job);
    w->job = NULL;
    applier_feed(w, kind, why);
}

static void was_set(void *arg, enum node_end how, const char *why)
{
    static const enum apply_event_kind said[] = {[NODE_DONE] = AE_DONE, [NODE_REFUSED] = AE_REFUSED, [NODE_PARTLY] = AE_PARTLY,
                                                 [NODE_LOST] = AE_LOST};
    struct applier *w = arg;

    w->machine.terms.pending = false;
    for (size_t i = 0; i < w->values.at.n; i++)
        w->machine.terms.pending = w->machine.terms.pending || w->values.at.at[i].pending;
    /* After a crash nobody knows how much the last run had set. */
    step_ended(w, how == NODE_REFUSED && w->resumed ? AE_PARTLY : said[how], why);
}

static void swap(struct applier *w)
{
    struct err e = {0};

    if (!w->resumed && journal_note(w->m->state, &w->name, JOURNAL_SWAPPING, ACK_OK, &e) != 0) {
        applier_answer(w, AE_FAILED, e.text);
        return;
    }
    w->job = node_set_new(w->m->probe.loop, w->m->node, &w->values, was_set, w);
}

static void did(void *arg, enum node_end how, const char *why)
{
    step_ended(arg, how == NODE_DONE ? AE_DONE : how == NODE_LOST ? AE_LOST : AE_FAILED, why);
}

static void reload(struct applier *w)
{
    if (!w->plan->node.rewrite || !node_values_changes(&w->values))
        applier_answer(w, AE_DONE, NULL);
    else
        w->job = node_rewrite(w->m->probe.loop, w->m->node, &w->values, did, w);
}

static void stayed(void *arg, enum node_end how, const char *why)
{
    struct applier *w = arg;

    if (how != NODE_DONE) {
        did(w, how, why);
        return;
    }
    node_job_free(w->job);
    w->job = NULL;
    applier_probe(w);
}

static void probe(struct applier *w)
{
    w->job = node_ask_again(w->m->probe.loop, w->m->node, &w->values, w->machine.state == AP_REPROBING, stayed, w);
}

static void restore(struct applier *w)
{
    w->job = node_set_old(w->m->probe.loop, w->m->node, &w->values, did, w);
}

static void note(struct applier *w)
{
    for (size_t i = 0; i < w->values.at.n; i++) {
        const struct node_value *v = &w->values.at.at[i];

        applied_add_setting(&w->applied, v->name, v->want, v->now ? v->now : v->old ? v->old : "", v->pending);
    }
    if (w->m->node)
        slice_copy_z(slice_z(local_node_state(w->m->node)->run_id), w->applied.run_id, sizeof w->applied.run_id);
}

static enum apply_event_kind recover(struct applier *w, struct journal *j, struct err *e)
{
    enum apply_event_kind event;
    char at[ADDR_TEXT_MAX];

    j->seen.all_new_whole = true;        /* one CONFIG SET, which can be repeated */
    event = leftovers_event(&j->seen);
    if (event != AE_LEFT_WHOLE && event != AE_LEFT_UNDOING)
        return event;
    if (!w->m->node || strcmp(addr_text(local_node_addr(w->m->node), at), j->node) != 0) {
        err_set(e, ERR_MISSING, "the last run ended while it set the data node %s, which the configuration names no more; it is left as it is",
                j->node);
        return AE_KINDS;
    }
    w->suspended = true;
    return event;
}

const struct carrier carrier_node = {
    .allowed = allowed, .look = look, .stage = stage, .check = check, .swap = swap, .reload = reload, .probe = probe,
    .restore = restore, .note = note, .recover = recover,
};
