/* The judge keeps its own books: what each sentinel ever said, across all its lives. It
 * believes no sentinel's own account of what it promised. */
#include "tests/sim/judge.h"

#include "common/base/mem.h"
#include "sentinel/core/core.h"
#include "tests/sim/sim_kvnode.h"
#include "tests/sim/sim_sentinel.h"
#include "tests/sim/story.h"
#include "tests/sim/talk.h"

#include <stdio.h>
#include <string.h>

bool judge_by_consequence;

struct vote { uint64_t epoch; int voter, candidate; };
struct leader { uint64_t epoch; int sentinel; bool alone; };    /* alone: by an operator's order, without a majority */
struct config { uint64_t epoch; int primary; };

struct books {                     /* of one group */
    VEC(struct vote) votes;
    VEC(struct leader) leaders;
    VEC(struct config) configs;
};

struct seen {                      /* of one sentinel in its present life, per group */
    uint64_t leader_epoch, config_epoch, led_epoch;
    int primary;
};

struct judge {
    struct books books[SIM_MAX_GROUPS];
    struct seen seen[SIM_MAX_SENTINELS][SIM_MAX_GROUPS];
    uint64_t epoch[SIM_MAX_SENTINELS];
    bool expecting, strict, calm;
    int calm_primary[SIM_MAX_GROUPS];
    int64_t since_us, until_us, hold_us;
};

struct judge *judge_new(struct world *w)
{
    (void)w;
    return mem_zalloc(sizeof(struct judge));
}

void judge_free(struct judge *j)
{
    if (!j)
        return;
    for (int g = 0; g < SIM_MAX_GROUPS; g++) {
        vec_fini(&j->books[g].votes);
        vec_fini(&j->books[g].leaders);
        vec_fini(&j->books[g].configs);
    }
    mem_free(j);
}

/* --- votes ------------------------------------------------------------------------------- */

static bool on_disk(const struct sentinel *s, int group, uint64_t epoch)
{
    const struct saved *d = sentinel_on_disk(s);

    for (size_t i = 0; d && i < d->groups.n; i++)
        if (strcmp(d->groups.at[i].name, sim_group_name(group)) == 0)
            return d->groups.at[i].leader_epoch >= epoch && d->current_epoch >= epoch;
    return false;
}

static void voted(struct world *w, struct proc *p, int group, uint64_t epoch, int candidate)
{
    struct books *b = &w->judge->books[group];

    for (size_t i = b->votes.n; i-- > 0;) {
        struct vote *v = &b->votes.at[i];
        if (v->voter != p->id || v->epoch != epoch)
            continue;
        if (v->candidate != candidate)
            world_violation(w, "%s voted in epoch %llu of %s for s%d and for s%d", p->name, (unsigned long long)epoch,
                            sim_group_name(group), v->candidate + 1, candidate + 1);
        return;
    }
    vec_push(&b->votes, ((struct vote){epoch, p->id, candidate}));
    if (!judge_by_consequence && !on_disk(p->sentinel, group, epoch))
        world_violation(w, "%s said its vote for s%d in epoch %llu of %s before it was on disk", p->name, candidate + 1,
                        (unsigned long long)epoch, sim_group_name(group));
}

void judge_said(struct world *w, struct proc *p, int group, const struct action *a)
{
    int candidate = sentinel_by_id(a->id);

    if (candidate < 0)
        return;
    if (a->kind == ACT_ASK && candidate != p->id)
        world_violation(w, "%s asks for votes for s%d", p->name, candidate + 1);
    voted(w, p, group, a->epoch, candidate);
}

/* --- leaders ------------------------------------------------------------------------------- */

/* An operator may order a failover where no majority can be had. Such a leader may share
 * its epoch with an elected one; what is demanded then is only that calm comes. */
static bool ordered_alone(const struct books *b, uint64_t epoch)
{
    for (size_t i = 0; i < b->leaders.n; i++)
        if (b->leaders.at[i].epoch == epoch && b->leaders.at[i].alone)
            return true;
    return false;
}

static void leads(struct world *w, struct proc *p, int group, const struct failover *f)
{
    struct books *b = &w->judge->books[group];
    int votes = 0;
    bool majority;

    for (size_t i = 0; i < b->votes.n; i++)
        votes += b->votes.at[i].epoch == f->epoch && b->votes.at[i].candidate == p->id;
    majority = votes >= w->scene.sentinels / 2 + 1;
    if (f->by_evidence)
        w->tally.fast_failovers++;
    for (size_t i = b->leaders.n; majority && i-- > 0;)
        if (b->leaders.at[i].epoch == f->epoch && b->leaders.at[i].sentinel != p->id && !b->leaders.at[i].alone)
            world_violation(w, "s%d and %s both lead epoch %llu of %s", b->leaders.at[i].sentinel + 1, p->name,
                            (unsigned long long)f->epoch, sim_group_name(group));
    vec_push(&b->leaders, ((struct leader){f->epoch, p->id, f->forced && !majority}));
    if (!majority && !f->forced)
        world_violation(w, "%s leads epoch %llu of %s with %d of %d votes", p->name, (unsigned long long)f->epoch,
                        sim_group_name(group), votes, w->scene.sentinels);
}

static int proc_of(struct world *w, const struct addr *a)
{
    struct proc *p = world_by_addr(w, a);
    return p ? p->id : -1;
}

/* --- promotions ------------------------------------------------------------------------------ */

/* A replica that the leader can ask: all is well between the two, and has been for a while; and that no rule of its own
 * keeps out: stock sentinels do not promote who lost its primary long ago. Who lost power and was just started again is
 * not: no link ended of that, and the leader's questions go nowhere. */
static bool can_be_asked(struct world *w, struct proc *leader, struct proc *p)
{
    const struct core *c = sentinel_core(leader->sentinel);
    const struct group *g = core_group_named(c, sim_group_name(world_group_of(w, p)));
    int64_t now = world_local_ms(w, leader);

    int64_t settled_us = w->now_us - 5000000;      /* what waited for a cut to end was sent again by now */

    if (!p->alive || p->frozen || w->now_us - p->born_us < 1000000 || w->net.cut[leader->host][p->host] || w->net.cut[p->host][leader->host] ||
        w->net.lossy_us > settled_us)
        return false;
    if (w->net.cut_at_us[leader->host][p->host] > settled_us || w->net.cut_at_us[p->host][leader->host] > settled_us ||
        p->thawed_us > settled_us || leader->thawed_us > settled_us)
        return false;
    for (size_t i = 0; i < g->nodes.n; i++)
        if (proc_of(w, &g->nodes.at[i]->addr) == p->id)
            return g->nodes.at[i]->refused != REFUSED_OUT_OF_SYNC && g->nodes.at[i]->w.up && !g->nodes.at[i]->sdown && now - g->nodes.at[i]->w.up_since_ms > 1000 &&
                   now - g->nodes.at[i]->w.good_at_ms < 2000;
    return false;
}

void judge_promotes(struct world *w, struct proc *p, const struct node *n)
{
    const struct core *c = sentinel_core(p->sentinel);
    const struct group *g = core_group(c, n->group);
    struct proc *chosen = world_by_addr(w, &n->addr), *old = world_by_addr(w, &core_primary(c, g)->addr);
    int group = world_group_of(w, chosen);

    if (kvnode_offset(chosen->node) < n->offset)
        return;                    /* restarted with less a moment ago: the order goes to a link that is gone, and never arrives */
    for (int i = 0; i < w->scene.nodes; i++) {
        struct proc *r = world_node(w, group, i);
        if (r == chosen || r == old || !can_be_asked(w, p, r) || kvnode_priority(r->node) == 0 || kvnode_is_primary(r->node))
            continue;
        if ((!old->alive || kvnode_follows(r->node) == FOLLOWS_HOLE) && kvnode_history(r->node) == kvnode_history(chosen->node) &&
            kvnode_offset(r->node) > kvnode_offset(chosen->node)) {
            w->tally.shorter++;
            world_violation(w, "%s promotes %s at %lld, but %s has %lld", p->name, chosen->name,
                            (long long)kvnode_offset(chosen->node), r->name, (long long)kvnode_offset(r->node));
        }
        if (g->fo.by_evidence && old->alive && kvnode_follows(r->node) == old->id && kvnode_up_for_ms(w, r) > 1500)
            world_violation(w, "%s promotes %s by evidence, and %s is still linked to %s", p->name, chosen->name, r->name, old->name);
    }
}

/* --- epochs ---------------------------------------------------------------------------------- */

static void configured(struct world *w, struct proc *p, int group, uint64_t epoch, int primary)
{
    struct books *b = &w->judge->books[group];

    for (size_t i = b->configs.n; i-- > 0;)
        if (b->configs.at[i].epoch == epoch) {
            if (b->configs.at[i].primary != primary && !ordered_alone(b, epoch))
                world_violation(w, "%s: config epoch %llu of %s names %s, and it named %s before", p->name,
                                (unsigned long long)epoch, sim_group_name(group),
                                primary < 0 ? "?" : w->procs[primary].name, w->procs[b->configs.at[i].primary].name);
            return;
        }
    vec_push(&b->configs, ((struct config){epoch, primary}));
}

void judge_started(struct world *w, struct proc *p)
{
    memset(w->judge->seen[p->id], 0, sizeof w->judge->seen[p->id]);
    for (int g = 0; g < SIM_MAX_GROUPS; g++)
        w->judge->seen[p->id][g].primary = -1;
    w->judge->epoch[p->id] = 0;
}

void judge_step(struct world *w, struct proc *p)
{
    const struct core *c = sentinel_core(p->sentinel);
    uint64_t now = core_current_epoch(c);
    size_t n = core_group_count(c);

    if (now < w->judge->epoch[p->id])
        world_violation(w, "%s: its epoch fell from %llu to %llu", p->name, (unsigned long long)w->judge->epoch[p->id],
                        (unsigned long long)now);
    w->judge->epoch[p->id] = now;
    for (size_t i = 0; i < n; i++) {
        const struct group *g = core_group_at(c, i);
        struct seen *s = &w->judge->seen[p->id][i];
        const char *what = g->leader_epoch < s->leader_epoch ? "vote's" : g->config_epoch < s->config_epoch ? "config" : NULL;
        if (what)
            world_violation(w, "%s: the %s epoch of %s fell", p->name, what, g->name);
        if (g->leader_epoch > now || g->config_epoch > now)
            world_violation(w, "%s: an epoch of %s is beyond the current one", p->name, g->name);
        s->leader_epoch = g->leader_epoch;
        if (g->config_epoch != s->config_epoch || g->primary != s->primary) {
            s->config_epoch = g->config_epoch;
            s->primary = g->primary;
            if (g->config_epoch > 0)
                configured(w, p, (int)i, g->config_epoch, proc_of(w, &core_primary(c, g)->addr));
        }
        if (g->fo.leads && g->fo.epoch != s->led_epoch) {
            s->led_epoch = g->fo.epoch;
            leads(w, p, (int)i, &g->fo);
        }
    }
}

/* --- calm -------------------------------------------------------------------------------------- */

#define NOT_CALM(...)                                  \
    do {                                               \
        snprintf(why, cap, __VA_ARGS__);               \
        return false;                                  \
    } while (0)

static bool nodes_calm(struct world *w, int group, int *primary, char *why, size_t cap)
{
    *primary = -1;
    for (int i = 0; i < w->scene.nodes; i++) {
        struct proc *p = world_node(w, group, i);
        if (!p->alive)
            NOT_CALM("%s is dead", p->name);
        if (kvnode_is_primary(p->node)) {
            if (*primary >= 0)
                NOT_CALM("%s and %s are both primary", w->procs[*primary].name, p->name);
            *primary = p->id;
        }
    }
    if (*primary < 0)
        NOT_CALM("%s has no primary", sim_group_name(group));
    for (int i = 0; i < w->scene.nodes; i++) {
        struct proc *p = world_node(w, group, i);
        if (p->id == *primary)
            continue;
        if (kvnode_follows(p->node) < 0)
            NOT_CALM("%s follows nobody", p->name);
        if (kvnode_follows(p->node) != *primary)
            NOT_CALM("%s follows %s, not %s", p->name, w->procs[kvnode_follows(p->node)].name, w->procs[*primary].name);
        if (!kvnode_link_up(p->node))
            NOT_CALM("%s has no link to its primary %s", p->name, w->procs[*primary].name);
        if (kvnode_history(p->node) != kvnode_history(w->procs[*primary].node))
            NOT_CALM("%s has another history than %s", p->name, w->procs[*primary].name);
    }
    return true;
}

static bool sentinel_calm(struct world *w, struct proc *p, int group, int primary, char *why, size_t cap)
{
    const struct core *c = sentinel_core(p->sentinel);
    const struct group *g = c ? core_group_named(c, sim_group_name(group)) : NULL;
    int at;

    if (!g)
        NOT_CALM("%s is dead or does not know %s", p->name, sim_group_name(group));
    at = proc_of(w, core_client_addr(c, g));
    if (at != primary)
        NOT_CALM("%s says %s is primary (config epoch %llu), but it is %s", p->name, at < 0 ? "?" : w->procs[at].name,
                 (unsigned long long)g->config_epoch, w->procs[primary].name);
    if (core_in_tilt(c))
        NOT_CALM("%s is in tilt", p->name);
    if (g->fo.state != FO_IDLE)
        NOT_CALM("%s has a failover under way, state %d", p->name, g->fo.state);
    if ((int)g->nodes.n != w->scene.nodes && w->reset != p)    /* it need not find a replica of a replica again */
        NOT_CALM("%s knows %d nodes of %d", p->name, (int)g->nodes.n, w->scene.nodes);
    if ((int)g->seats.n != w->scene.sentinels - 1)
        NOT_CALM("%s knows %d other sentinels of %d", p->name, (int)g->seats.n, w->scene.sentinels - 1);
    for (size_t i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->sdown || !g->nodes.at[i]->w.up)
            NOT_CALM("%s sees a node down", p->name);
    for (size_t i = 0; i < g->seats.n; i++)
        if (g->seats.at[i].sdown)
            NOT_CALM("%s sees a sentinel down", p->name);
    return true;
}

static bool all_calm(struct world *w, int primaries[SIM_MAX_GROUPS], char *why, size_t cap)
{
    for (int g = 0; g < w->scene.groups; g++) {
        int primary;
        if (!nodes_calm(w, g, &primary, why, cap))
            return false;
        for (int s = 0; s < w->scene.sentinels; s++)
            if (!sentinel_calm(w, world_sentinel(w, s), g, primary, why, cap))
                return false;
        primaries[g] = primary;
    }
    return true;
}

void judge_expect_calm(struct world *w, int64_t hold_ms, int64_t within_ms, bool strict)
{
    struct judge *j = w->judge;

    j->expecting = true;
    j->strict = strict;
    j->calm = false;
    j->since_us = -1;
    j->hold_us = hold_ms * 1000;
    j->until_us = w->now_us + within_ms * 1000;
}

void judge_expect_nothing(struct world *w)
{
    w->judge->expecting = w->judge->calm = false;
}

bool judge_calm(const struct world *w) { return w->judge->calm; }

void judge_look(struct world *w)
{
    struct judge *j = w->judge;
    int primaries[SIM_MAX_GROUPS] = {0};
    char why[256];
    bool calm;

    if (!j->expecting || j->calm)
        return;
    calm = all_calm(w, primaries, why, sizeof why);
    if (j->since_us >= 0 && j->strict) {       /* nothing is wrong, so nothing may change */
        if (!calm)
            world_violation(w, "the calm was broken: %s", why);
        else if (memcmp(primaries, j->calm_primary, sizeof primaries) != 0)
            world_violation(w, "a failover without a reason");
    }
    if (!calm) {
        j->since_us = -1;
        if (w->now_us > j->until_us)
            world_violation(w, "no calm in time: %s", why);
        return;
    }
    if (j->since_us < 0)
        j->since_us = w->now_us;
    memcpy(j->calm_primary, primaries, sizeof primaries);
    j->calm = w->now_us - j->since_us >= j->hold_us;
}

bool judge_agreed(struct world *w, int group, int not_this)
{
    int at = -1;

    for (int i = 0; i < w->scene.sentinels; i++) {
        struct proc *p = world_sentinel(w, i);
        const struct core *c = sentinel_core(p->sentinel);
        const struct group *g = c ? core_group_named(c, sim_group_name(group)) : NULL;
        int named = g ? proc_of(w, core_client_addr(c, g)) : -1;
        if (!p->alive || p->host == w->procs[not_this].host)
            continue;
        if (named < 0 || named == not_this || (at >= 0 && at != named))
            return false;
        at = named;
    }
    return at >= 0 && w->procs[at].alive && kvnode_is_primary(w->procs[at].node);
}

int judge_primary(const struct world *w, int group) { return w->judge->calm_primary[group]; }

/* --- summing up ----------------------------------------------------------------------------------- */

/* What clients were told of, and the histories that won do not have. */
static uint64_t writes_lost(struct world *w)
{
    uint64_t lost = 0;
    int64_t *good = mem_zalloc((w->histories.n + 1) * sizeof *good);

    for (size_t i = 0; i < w->histories.n; i++)
        good[i] = w->histories.at[i].from;
    for (int g = 0; g < w->scene.groups; g++)
        for (int i = 0; i < w->scene.nodes; i++) {
            struct kvnode *n = world_node(w, g, i)->node;
            if (!kvnode_is_primary(n))
                continue;
            int64_t end = kvnode_offset(n);
            for (int h = kvnode_history(n); h >= 0; h = w->histories.at[h].parent) {
                good[h] = end > good[h] ? end : good[h];
                end = w->histories.at[h].from;
            }
        }
    for (size_t i = 0; i < w->histories.n; i++)
        if (w->histories.at[i].acked > good[i])
            lost += (uint64_t)(w->histories.at[i].acked - good[i]);
    mem_free(good);
    return lost;
}

void judge_sum_up(struct world *w)
{
    w->tally.writes_lost += writes_lost(w);
    for (int i = 0; i < w->scene.sentinels; i++)
        if (sentinel_core(world_sentinel(w, i)->sentinel))
            w->tally.vetoes += core_counts(sentinel_core(world_sentinel(w, i)->sentinel))->vetoes;
}
