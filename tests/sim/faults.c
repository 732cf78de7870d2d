/* Breaking things. A fault takes a slot, does its harm, and ends when its time is over.
 * Moments of change attract more trouble: after a primary was hit, the next fault comes soon,
 * while the election runs. */
#include "tests/sim/faults.h"

#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "tests/sim/sim_kvnode.h"
#include "tests/sim/sim_sentinel.h"
#include "tests/sim/story.h"

#include <string.h>

#define SLOTS 24

enum fault_kind {
    F_KILL_PRIMARY, F_KILL_NODE, F_KILL_SENTINEL, F_POWER, F_FREEZE_PRIMARY, F_FREEZE, F_PARTITION, F_ONE_WAY,
    F_ISOLATE, F_PAIR, F_LOSS, F_DUPLICATES, F_SLOW_DISK, F_BAD_DISK, F_CRASHY_SAVES, F_JUMP, F_RATE, F_OPERATOR,
    F_BLINK, F_RESTART, F_BACK_UNSEEN, F_REJECT, F_RESET, FAULT_KINDS
};

static const struct {
    const char *name;
    int weight;
    int64_t min_ms, max_ms;        /* how long it lasts */
} kinds[FAULT_KINDS] = {
    [F_KILL_PRIMARY] =   { "kill-primary",   14, 30, 9000 },
    [F_KILL_NODE] =      { "kill-node",       6, 30, 9000 },
    [F_KILL_SENTINEL] =  { "kill-sentinel",   9, 30, 9000 },
    [F_POWER] =          { "power-cut",       6, 1000, 12000 },
    [F_FREEZE_PRIMARY] = { "freeze-primary",  6, 100, 9000 },
    [F_FREEZE] =         { "freeze",          6, 50, 9000 },
    [F_PARTITION] =      { "partition",       8, 100, 12000 },
    [F_ONE_WAY] =        { "one-way-cut",     7, 100, 10000 },
    [F_ISOLATE] =        { "isolate",         6, 100, 12000 },
    [F_PAIR] =           { "pair-cut",        5, 100, 10000 },
    [F_LOSS] =           { "loss",            5, 300, 8000 },
    [F_DUPLICATES] =     { "duplicates",      2, 300, 8000 },
    [F_SLOW_DISK] =      { "slow-disk",       4, 300, 8000 },
    [F_BAD_DISK] =       { "bad-disk",        4, 300, 8000 },
    [F_CRASHY_SAVES] =   { "crashy-saves",    6, 500, 8000 },
    [F_JUMP] =           { "clock-jump",      3, 0, 0 },
    [F_RATE] =           { "clock-rate",      3, 500, 15000 },
    [F_OPERATOR] =       { "operator",        3, 0, 0 },
    [F_BLINK] =          { "blink",           4, 1, 40 },     /* all links of a host for a moment */
    [F_RESTART] =        { "quick-restart",   4, 1, 200 },    /* a primary that is back at once */
    [F_BACK_UNSEEN] =    { "back-unseen",     3, 500, 4000 }, /* the same, but the sentinels do not see it return */
    [F_REJECT] =         { "reject",          5, 50, 4000 },  /* a firewall resets sentinels that speak to a primary */
    [F_RESET] =          { "reset",           2, 0, 0 },      /* SENTINEL RESET: one forgets whom it knows */
};

struct slot {
    bool taken;
    enum fault_kind kind;
    uint32_t gen;
    int who;                       /* process or host */
    bool cut[NET_MAX_HOSTS][NET_MAX_HOSTS];
    unsigned rejected;             /* sentinels, as bits */
    unsigned pm;
};

struct faults {
    bool on;
    int64_t pace_ms;               /* how far apart they are, on average about */
    struct slot slots[SLOTS];
    struct { bool broken, slow, crashy; enum save_fate next; bool has_next; } disk[SIM_MAX_SENTINELS];
};

struct faults *faults_new(struct world *w)
{
    (void)w;
    return mem_zalloc(sizeof(struct faults));
}

void faults_free(struct faults *f) { mem_free(f); }

void faults_scene(uint64_t seed, struct scene *s)
{
    static const int64_t down_after[] = {500, 1000, 2000, 5000}, failover[] = {3000, 6000, 12000};
    struct rng r;

    rng_seed(&r, seed ^ 0x5ce7e5ce7eULL);
    memset(s, 0, sizeof *s);
    s->sentinels = rng_chance(&r, 600) ? 3 : 5;
    s->groups = rng_chance(&r, 750) ? 1 : 2;
    s->nodes = (int)rng_between(&r, 2, s->groups == 1 ? 5 : 4);
    s->quorum = rng_chance(&r, 700) ? s->sentinels / 2 + 1 : (int)rng_between(&r, 1, s->sentinels);
    s->evidence = rng_chance(&r, 750);
    s->kvnodes = seed % 2 == 1;        /* without a draw: other worlds stay as they are */
    s->knows_failover = s->kvnodes || seed % 4 == 2;
    s->coordinated = seed % 8 > 4;
    s->loose = seed % 16 == 9;         /* two in sixteen stock and kvnode worlds */
    s->down_after_ms = down_after[rng_below(&r, 4)];
    s->failover_timeout_ms = failover[rng_below(&r, 3)];
    s->chaos_ms = rng_between(&r, 15000, 45000);
    s->colocated = rng_chance(&r, 300);
    s->persistent = rng_chance(&r, 850);
    s->reboot_down_after_ms = rng_chance(&r, 250) ? rng_between(&r, 1, 2000) : 0;
    s->parallel_syncs = rng_chance(&r, 700) ? 1 : (int)rng_between(&r, 2, 4);
    s->min_replicas = rng_chance(&r, 250) ? 1 : 0;
}

void faults_begin(struct world *w)
{
    struct faults *f = w->faults;

    f->on = true;
    f->pace_ms = rng_between(&w->rng, 400, 4000);
    world_later(w, w->now_us + 1000, DUE_FAULT, 0, 0, 0);
}

/* --- choosing ---------------------------------------------------------------------------- */

static enum fault_kind choose_kind(struct world *w)
{
    int sum = 0, at;

    for (int k = 0; k < FAULT_KINDS; k++)
        sum += kinds[k].weight;
    at = (int)rng_below(&w->rng, (uint64_t)sum);
    for (int k = 0; k < FAULT_KINDS; k++)
        if ((at -= kinds[k].weight) < 0)
            return (enum fault_kind)k;
    return F_KILL_PRIMARY;
}

static struct proc *random_node(struct world *w)
{
    return &w->procs[w->scene.sentinels + (int)rng_below(&w->rng, (uint64_t)(w->nprocs - w->scene.sentinels))];
}

static struct proc *random_sentinel(struct world *w)
{
    return world_sentinel(w, (int)rng_below(&w->rng, (uint64_t)w->scene.sentinels));
}

static struct proc *a_primary(struct world *w)
{
    int g = (int)rng_below(&w->rng, (uint64_t)w->scene.groups);

    for (int i = 0; i < w->scene.nodes; i++)
        if (world_node(w, g, i)->alive && kvnode_is_primary(world_node(w, g, i)->node))
            return world_node(w, g, i);
    return random_node(w);
}

static struct slot *free_slot(struct faults *f)
{
    for (int i = 0; i < SLOTS; i++)
        if (!f->slots[i].taken)
            return &f->slots[i];
    return NULL;
}

/* --- doing -------------------------------------------------------------------------------- */

static void cut(struct world *w, struct slot *s, int a, int b)
{
    if (a == b || s->cut[a][b])
        return;
    s->cut[a][b] = true;
    net_cut(w, a, b, true);
}

static void cut_sets(struct world *w, struct slot *s, unsigned left, bool both_ways)
{
    for (int a = 0; a < w->nhosts; a++)
        for (int b = 0; b < w->nhosts; b++)
            if ((left >> a & 1) && !(left >> b & 1)) {
                cut(w, s, a, b);
                if (both_ways)
                    cut(w, s, b, a);
            }
    w->tally.cuts++;
    if (story_on(w)) {
        char text[128];
        size_t n = 0;
        for (int i = 0; i < w->nprocs && n + 8 < sizeof text; i++)
            if (left >> w->procs[i].host & 1) {
                memcpy(text + n, w->procs[i].name, 2);
                text[n + 2] = ' ';
                n += 3;
            }
        text[n] = '\0';
        story_note(w, "%s: %s%s the rest", kinds[s->kind].name, text, both_ways ? "<-/->" : "-/->");
    }
}

static void reject(struct world *w, struct slot *s, bool on)
{
    for (int i = 0; i < w->scene.sentinels; i++)
        if (s->rejected >> i & 1)
            net_reject(w, world_sentinel(w, i)->host, s->who, on);
    story_note(w, "a firewall %s sentinels that speak to the host of the primary", on ? "resets" : "lets through");
}

static int host_of(struct world *w)
{
    return rng_chance(&w->rng, 400) ? a_primary(w)->host : (int)rng_below(&w->rng, (uint64_t)w->nhosts);
}

static void strike(struct world *w, struct slot *s)
{
    struct faults *f = w->faults;
    struct rng *r = &w->rng;

    switch (s->kind) {
    case F_KILL_PRIMARY:
    case F_RESTART: s->who = a_primary(w)->id; world_kill(w, &w->procs[s->who]); break;
    case F_KILL_NODE: s->who = random_node(w)->id; world_kill(w, &w->procs[s->who]); break;
    case F_KILL_SENTINEL: s->who = random_sentinel(w)->id; world_kill(w, &w->procs[s->who]); break;
    case F_POWER: s->who = host_of(w); world_power_cut(w, s->who); break;
    case F_FREEZE_PRIMARY: s->who = a_primary(w)->id; world_freeze(w, &w->procs[s->who], NEVER_MS); break;
    case F_FREEZE:
        s->who = (int)rng_below(r, (uint64_t)w->nprocs);
        world_freeze(w, &w->procs[s->who], NEVER_MS);
        break;
    case F_PARTITION: cut_sets(w, s, (unsigned)rng_u64(r), true); break;
    case F_ONE_WAY: cut_sets(w, s, rng_chance(r, 500) ? (unsigned)rng_u64(r) : 1u << host_of(w), false); break;
    case F_ISOLATE:
    case F_BLINK: cut_sets(w, s, 1u << host_of(w), true); break;
    case F_PAIR: {
        int a = host_of(w), b = (int)rng_below(r, (uint64_t)w->nhosts);
        cut(w, s, a, b);
        if (rng_chance(r, 500))
            cut(w, s, b, a);
        w->tally.cuts++;
        break;
    }
    case F_BACK_UNSEEN: {
        struct proc *p = a_primary(w);
        s->who = p->id;
        world_kill(w, p);
        world_later(w, w->now_us + rng_between(r, 2000, 60000), DUE_FAULT_STEP, 0, (int)(s - f->slots), s->gen);
        w->tally.cuts++;
        break;
    }
    case F_REJECT:
        s->who = a_primary(w)->host;
        s->rejected = rng_chance(r, 500) ? 0x1f : (unsigned)rng_u64(r) & 0x1f;
        reject(w, s, true);
        w->tally.cuts++;
        break;
    case F_LOSS: s->pm = (unsigned)rng_between(r, 5, 400); w->net.loss_pm += s->pm; break;
    case F_DUPLICATES: s->pm = (unsigned)rng_between(r, 50, 500); w->net.dup_pm += s->pm; break;
    case F_SLOW_DISK: s->who = random_sentinel(w)->id; f->disk[s->who].slow = true; break;
    case F_BAD_DISK: s->who = random_sentinel(w)->id; f->disk[s->who].broken = true; break;
    case F_CRASHY_SAVES: s->who = random_sentinel(w)->id; f->disk[s->who].crashy = true; break;
    case F_JUMP:
        drift_jump(&w->hosts[rng_below(r, (uint64_t)w->nhosts)].clock, w->now_us,
                   rng_chance(r, 500) ? rng_between(r, 1, 3000) : rng_between(r, 1, 60000));
        w->tally.jumps++;
        break;
    case F_RATE:
        s->who = (int)rng_below(r, (uint64_t)w->nhosts);
        drift_set_rate(&w->hosts[s->who].clock, w->now_us, (int32_t)rng_between(r, -100000, 100000));
        w->tally.jumps++;
        break;
    case F_OPERATOR:
        sentinel_order_failover(w, random_sentinel(w), (int)rng_below(r, (uint64_t)w->scene.groups));
        break;
    /* One sentinel of a run at most: if all forget a node that is away, it is forgotten. And not with a
     * small quorum, where one that has forgotten all others may lead alone: as users know it. */
    case F_RESET:
        if (w->scene.quorum > w->scene.sentinels / 2)
            sentinel_order_reset(w, w->reset ? w->reset : random_sentinel(w), (int)rng_below(r, (uint64_t)w->scene.groups));
        break;
    case FAULT_KINDS: break;
    }
}

static void undo(struct world *w, struct slot *s)
{
    struct faults *f = w->faults;

    s->taken = false;
    s->gen++;
    for (int a = 0; a < w->nhosts; a++)
        for (int b = 0; b < w->nhosts; b++)
            if (s->cut[a][b]) {
                s->cut[a][b] = false;
                net_cut(w, a, b, false);
            }
    switch (s->kind) {
    case F_KILL_PRIMARY: case F_KILL_NODE: case F_KILL_SENTINEL: case F_RESTART: case F_BACK_UNSEEN:
        world_start(w, &w->procs[s->who]);
        break;
    case F_POWER: world_power_on(w, s->who); break;
    case F_FREEZE_PRIMARY: case F_FREEZE: world_thaw(w, &w->procs[s->who]); break;
    case F_REJECT: reject(w, s, false); break;
    case F_LOSS: w->net.loss_pm -= s->pm; break;
    case F_DUPLICATES: w->net.dup_pm -= s->pm; break;
    case F_SLOW_DISK: f->disk[s->who].slow = false; break;
    case F_BAD_DISK: f->disk[s->who].broken = false; break;
    case F_CRASHY_SAVES: f->disk[s->who].crashy = false; break;
    case F_RATE: drift_set_rate(&w->hosts[s->who].clock, w->now_us, 0); break;
    default: break;
    }
    if (kinds[s->kind].weight && (s->kind == F_PARTITION || s->kind == F_ONE_WAY || s->kind == F_ISOLATE))
        story_note(w, "%s is over", kinds[s->kind].name);
}

static void take_slot(struct world *w, struct slot *s, int64_t for_ms)
{
    s->taken = true;
    world_later(w, w->now_us + for_ms * 1000, DUE_FAULT_OVER, 0, (int)(s - w->faults->slots), s->gen);
}

void faults_next(struct world *w)
{
    struct faults *f = w->faults;
    struct slot *s;
    bool soon;

    if (!f->on)
        return;
    s = free_slot(f);
    if (s) {
        int64_t min, max;
        s->kind = choose_kind(w);
        min = kinds[s->kind].min_ms;
        max = kinds[s->kind].max_ms;
        strike(w, s);
        if (max > 0) {      /* short ones are as likely as long ones */
            if (rng_chance(&w->rng, 500))
                max = min + (max - min) / 10;
            take_slot(w, s, rng_between(&w->rng, min, max));
        }
    }
    soon = s && (s->kind == F_KILL_PRIMARY || s->kind == F_FREEZE_PRIMARY || s->kind == F_POWER) && rng_chance(&w->rng, 600);
    world_later(w, w->now_us + 1000 * (soon ? rng_between(&w->rng, 0, 300) : rng_between(&w->rng, 20, f->pace_ms * 2)),
                DUE_FAULT, 0, 0, 0);
}

/* It is back, and from now on no sentinel hears of it. */
void faults_step(struct world *w, int slot, uint32_t gen)
{
    struct slot *s = &w->faults->slots[slot];

    if (!s->taken || s->gen != gen)
        return;
    for (int i = 0; i < w->scene.sentinels; i++)
        cut(w, s, world_sentinel(w, i)->host, w->procs[s->who].host);
    world_start(w, &w->procs[s->who]);
}

void faults_over(struct world *w, int slot, uint32_t gen)
{
    struct slot *s = &w->faults->slots[slot];

    if (s->taken && s->gen == gen)
        undo(w, s);
}

void faults_heal(struct world *w)
{
    struct faults *f = w->faults;

    f->on = false;
    story_note(w, "everything is healed");
    for (int i = 0; i < SLOTS; i++)
        if (f->slots[i].taken)
            undo(w, &f->slots[i]);
    memset(f->disk, 0, sizeof f->disk);
    net_heal(w);
    for (int i = 0; i < w->nhosts; i++) {
        drift_set_rate(&w->hosts[i].clock, w->now_us, 0);
        if (!w->hosts[i].up)
            world_power_on(w, i);
    }
    for (int i = 0; i < w->nprocs; i++) {
        world_thaw(w, &w->procs[i]);
        world_start(w, &w->procs[i]);
    }
    w->healed = true;
}

/* --- saves ---------------------------------------------------------------------------------- */

enum save_fate faults_save(struct world *w, struct proc *p, int64_t *takes_us)
{
    struct faults *f = w->faults;
    struct rng *r = &w->rng;

    *takes_us = w->quiet_network ? 1000 : rng_between(r, 50, 4000);
    if (f->disk[p->id].slow)
        *takes_us = rng_between(r, 10000, 2000000);
    if (f->disk[p->id].has_next) {
        f->disk[p->id].has_next = false;
        return f->disk[p->id].next;
    }
    if (f->disk[p->id].broken)
        return SAVE_FAILS;
    if (f->on && rng_chance(r, f->disk[p->id].crashy ? 300 : 25))
        return (enum save_fate)rng_between(r, SAVE_CRASH_BEFORE, SAVE_CRASH_SAID);
    if (f->on && rng_chance(r, 10))
        return SAVE_FAILS;
    return SAVE_GOOD;
}

void faults_break_disk(struct world *w, struct proc *p, bool broken)
{
    w->faults->disk[p->id].broken = broken;
}

void faults_next_save(struct world *w, struct proc *p, enum save_fate fate)
{
    w->faults->disk[p->id].next = fate;
    w->faults->disk[p->id].has_next = true;
}

void faults_will_return(struct world *w, struct proc *p)
{
    struct slot *s = free_slot(w->faults);

    if (w->quiet_network)
        return;            /* a story starts it by hand */
    if (!s || w->healed) {
        world_start(w, p);
        return;
    }
    s->kind = F_KILL_SENTINEL;
    s->who = p->id;
    take_slot(w, s, rng_between(&w->rng, 1, rng_chance(&w->rng, 600) ? 100 : 4000));
}
