/* Which documents are ours, and what becomes of them when something changed. */
#include "agent/shell/documents.h"

#include "agent/shell/events.h"
#include "agent/shell/heartbeat.h"
#include "agent/shell/journal.h"
#include "agent/shell/keep.h"
#include "agent/source/cache.h"
#include "common/io/log.h"

#include <errno.h>
#include <string.h>

static struct applier *find_or_make(struct agent *a, const struct docname *name)
{
    struct applier *w = agent_find(a, name);

    if (!w) {
        w = applier_new(&a->means, name);
        vec_push(&a->appliers, w);
    }
    return w;
}

static const struct docname *taken(void *owner, const struct applier *asker, const char *root, const char *path)
{
    struct agent *a = owner;

    for (size_t i = 0; i < a->appliers.n; i++) {
        const struct applier *w = a->appliers.at[i];

        if (w == asker || !w->listed)
            continue;
        if (applied_owns(&w->applied, root, path))
            return &w->name;
        for (size_t k = 0; w->plan && k < w->plan->files.n; k++)
            if (strcmp(w->plan->files.at[k].root, root) == 0 && strcmp(w->plan->files.at[k].path, path) == 0)
                return &w->name;
    }
    return NULL;
}

static const struct docname *set_by(void *owner, const struct applier *asker, const char *setting)
{
    struct agent *a = owner;

    for (size_t i = 0; i < a->appliers.n; i++) {
        const struct applier *w = a->appliers.at[i];

        if (w == asker || !w->listed)
            continue;
        if (applied_setting(&w->applied, setting))
            return &w->name;
        for (size_t k = 0; w->plan && k < w->plan->node.set.n; k++)
            if (strcmp(w->plan->node.set.at[k].name, setting) == 0)
                return &w->name;
    }
    return NULL;
}

/* A file may have changed hands: ask those again who wanted one that belonged to another document. */
static void retry_waiting(struct agent *a)
{
    for (size_t i = 0; i < a->appliers.n; i++)
        if (a->appliers.at[i]->waits_for_file) {
            a->appliers.at[i]->retry = true;
            documents_settle_later(a);
        }
}

static void on_ack(void *owner, struct applier *w, const struct ack *k)
{
    struct agent *a = owner;
    char name[DOC_KEY_MAX];
    bool in_force = ack_in_force(k->status);

    a->ended[k->status]++;
    a->last_took_ms = k->took_ms;
    if (k->status == ACK_ROLLBACK_FAILED)
        agent_event("+stuck", "%s why=\"%s\"", docname_text(&w->name, name), k->why);
    else if (!in_force && w->same_again)
        ;       /* tried again, failed again: said already */
    else if (!in_force)
        agent_event("-applied", "%s sha=%.8s status=%s why=\"%s\"", docname_text(&w->name, name), k->sha,
                    ack_status_word(k->status), k->why);
    else if (w->plan && w->stage.changes)
        agent_event("+applied", "%s sha=%.8s status=%s ms=%lld", docname_text(&w->name, name), k->sha,
                    ack_status_word(k->status), (long long)k->took_ms);
    if (w->listed || !w->resumed)
        acks_put(a->acks, &w->name, k, a->directory);
    if (in_force)
        retry_waiting(a);
    if (a->heartbeat)
        heartbeat_soon(a->heartbeat);
    agent_show_status(a);
}

void documents_settle_later(struct agent *a)
{
    a->settle_again = true;
    loop_again(a->loop);
}

static void on_idle(void *owner, struct applier *w)
{
    if (w->again || !w->seen[0] || !w->listed)
        documents_settle_later(owner);
}

/* The agent document of this snapshot, or the reason why the last one stays. */
static void choose_agent_doc(struct agent *a)
{
    struct whoami *who = &a->means.who;
    struct docname name = {{0}, {0}};
    struct agent_doc *fresh = NULL;
    struct err e = {0};
    int rc = agent_doc_find(&a->inputs, who, &name, &fresh, &e);
    char key[DOC_KEY_MAX], sha[SHA_MAX] = "";
    struct ack k = {.sha = sha, .status = ACK_OK, .why = "", .wall_ms = loop_wall_ms(a->loop)};
    const struct input *bytes;

    if (rc == ERR_MISSING && a->in_force) {
        name = a->in_force->name;
        k.status = ACK_VANISHED;
    } else if (rc != 0) {
        k.status = ACK_INVALID;
    }
    if (rc != 0) {
        k.why = e.text;
        if (strcmp(a->agent_why, e.text) != 0)
            agent_event("-agent-document", "%s%swhy=\"%s\"", name.type[0] ? docname_text(&name, key) : "",
                        name.type[0] ? " " : "", e.text);
        slice_copy_z(slice_z(e.text), a->agent_why, sizeof a->agent_why);
    } else {
        if (!a->in_force || !docname_equal(&a->in_force->name, &name) || a->in_force->apply.n != fresh->apply.n)
            agent_event("+agent-document", "%s documents=%zu", docname_text(&name, key), fresh->apply.n);
        a->agent_why[0] = 0;
        agent_doc_free(a->in_force);
        a->in_force = fresh;
    }
    bytes = name.type[0] ? inputs_get(&a->inputs, docname_key(&name, key)) : NULL;
    if (bytes && bytes->kind == INPUT_STRING)
        sha_bytes(str_c(&bytes->bytes), bytes->bytes.len, sha);
    if (name.type[0] && !a->from_cache)
        acks_put(a->acks, &name, &k, a->directory);
}

/* The three agent documents as the directory has them, for a boot without it. A wrong one does not displace the last
 * good one there either. */
static void cache_agent_docs(struct agent *a)
{
    const char *components[] = {a->means.who.node, a->means.who.group, "default"};
    struct docname chosen = {{0}, {0}};
    struct agent_doc *good = NULL;
    bool wrong = agent_doc_find(&a->inputs, &a->means.who, &chosen, &good, NULL) != 0 && chosen.type[0];

    for (size_t i = 0; i < 3; i++) {
        struct docname name;
        struct sources one;
        struct err e;
        char key[DOC_KEY_MAX];
        const struct input *in;

        if (!docname_make(&name, slice_z("agent"), slice_z(components[i])) || (wrong && docname_equal(&name, &chosen)))
            continue;
        in = inputs_get(&a->inputs, docname_key(&name, key));
        if (!in || in->kind != INPUT_STRING) {
            cache_forget(a->options->state_dir, &name);
            continue;
        }
        sources_init(&one);
        sources_add(&one, key);
        if (cache_save(a->options->state_dir, &name, &a->inputs, &one, loop_wall_ms(a->loop), &e) != 0)
            log_warning("cache: %s", e.text);
        sources_fini(&one);
    }
    agent_doc_free(good);
}

static void release_unlisted(struct agent *a)
{
    for (size_t i = a->appliers.n; i-- > 0;) {
        struct applier *w = a->appliers.at[i];
        char name[DOC_KEY_MAX];

        if (w->listed || applier_is_busy(w))
            continue;
        if (keep_knows(w->name.type) && (a->from_cache || !a->in_force))
            continue;        /* only an agent document that names it no more ends what is kept */
        if (!a->from_cache) {
            keep_let_go(a, &w->name);
            agent_event("+released", "%s", docname_text(&w->name, name));
            cache_forget(a->options->state_dir, &w->name);
            acks_forget(a->acks, &w->name);
        }
        vec_remove(&a->appliers, i);
        applier_free(w);
    }
}

static bool settle(struct agent *a)
{
    bool changed = false, force = a->force;

    a->force = false;
    choose_agent_doc(a);
    for (size_t i = 0; i < a->appliers.n; i++)
        a->appliers.at[i]->listed = false;
    for (size_t i = 0; a->in_force && i < a->in_force->apply.n; i++)
        find_or_make(a, &a->in_force->apply.at[i])->listed = true;
    for (size_t i = 0; a->in_force && i < a->in_force->apply.n; i++) {
        struct applier *w = agent_find(a, &a->in_force->apply.at[i]);

        w->again = false;
        applier_consider(w, &a->inputs, a->in_force, force, &changed);
    }
    release_unlisted(a);
    return changed;
}

/* At each resync: a full disk or a missing folder may have been seen to, and somebody may have changed a setting. */
static bool try_again(const struct applier *w)
{
    return w->status == ACK_SWAP_FAILED || (w->carrier == CARRY_NODE && w->answered && ack_in_force(w->status));
}

void documents_snapshot(void *owner, struct inputs *in, bool by_resync)
{
    struct agent *a = owner;
    bool was_cache = a->from_cache;

    inputs_swap(&a->inputs, in);
    a->from_cache = false;
    for (size_t i = 0; by_resync && i < a->appliers.n; i++)
        a->appliers.at[i]->retry = try_again(a->appliers.at[i]);
    cache_agent_docs(a);
    if (settle(a) && by_resync && !was_cache) {
        a->lost_pushes++;
        agent_event("+lost-push", "changes found by a resync");
    }
    agent_show_status(a);
}

static void on_turn(void *arg)
{
    struct agent *a = arg;

    if (!a->settle_again)
        return;
    a->settle_again = false;
    settle(a);
    agent_show_status(a);
}

/* --- at the start --- */

static void recover_one(void *arg, const struct docname *doc)
{
    struct agent *a = arg;
    struct applier *w = find_or_make(a, doc);

    w->listed = true;
    applier_recover(w);
}

static void left_to_keeper(void *arg, const struct docname *doc) { find_or_make(arg, doc); }

static void boot_from_cache(struct agent *a)
{
    const char *components[] = {a->means.who.node, a->means.who.group, "default"};
    struct agent_doc *found = NULL;
    struct docname name;
    int64_t at_ms;
    struct err e;

    for (size_t i = 0; i < 3; i++)
        if (docname_make(&name, slice_z("agent"), slice_z(components[i])) &&
            cache_load(a->options->state_dir, &name, &a->inputs, &at_ms, &e) != 0 &&
            !(e.code == ERR_SYS && e.sys_errno == ENOENT))
            log_warning("cache: %s", e.text);
    if (agent_doc_find(&a->inputs, &a->means.who, &name, &found, NULL) != 0)
        return;
    for (size_t i = 0; i < found->apply.n; i++) {
        int rc = cache_load(a->options->state_dir, &found->apply.at[i], &a->inputs, &at_ms, &e);

        if (rc != 0 && !(e.code == ERR_SYS && e.sys_errno == ENOENT))
            log_warning("cache: %s", e.text);
    }
    agent_doc_free(found);
    settle(a);
}

void documents_init(struct agent *a)
{
    a->means.owner = a;
    a->means.keep = keep_want;
    a->means.taken = taken;
    a->means.set_by = set_by;
    a->means.on_ack = on_ack;
    a->means.on_idle = on_idle;
    loop_hook_add(a->loop, &a->turn, on_turn, a);
}

void documents_begin(struct agent *a)
{
    journal_each(a->options->state_dir, recover_one, a);
    boot_from_cache(a);
    keep_each_left(a, left_to_keeper, a);
}

void documents_fini(struct agent *a)
{
    for (size_t i = 0; i < a->appliers.n; i++)
        applier_free(a->appliers.at[i]);
    vec_fini(&a->appliers);
    agent_doc_free(a->in_force);
}
