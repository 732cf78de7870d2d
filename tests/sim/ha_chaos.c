/* What goes wrong in a formed group, and when: all of it from the seed. A random walk
 * alone does not reach all that the rules are for; so leaders are stopped half-way in the
 * state that hurts, records are stranded on the first voter that stored them, whoever
 * promised something is restarted at once, and operators ask in the middle of elections. */
#include "tests/sim/ha_sim.h"

#include "common/base/mem.h"

#include <string.h>

void hs_scene(uint64_t seed, struct hs_scene *s)
{
    struct rng r;

    rng_seed(&r, seed ^ 0x5eedf0f0);
    memset(s, 0, sizeof *s);
    s->voters = rng_chance(&r, 750) ? 3 : 5;
    s->nodes = (int)rng_between(&r, 2, 5);
    if (rng_chance(&r, 500))
        s->nodes = 3;
    s->members = s->nodes;
    s->formed = rng_chance(&r, 700);
    s->cold = rng_chance(&r, 250) && !s->formed;
    s->spares = s->formed && rng_chance(&r, 300);
    if (s->formed && s->nodes > 2 && rng_chance(&r, 200))
        s->members--;
    s->mode = rng_chance(&r, 100) ? HA_ASYNC : rng_chance(&r, 300) ? HA_PREFER : HA_STRICT;
    s->k = (int)rng_between(&r, 1, s->members - 1);
    if (s->mode != HA_ASYNC && rng_chance(&r, 700))
        s->k = s->members / 2;
    s->fsync = rng_chance(&r, 250);
    s->memory_only = !s->fsync && rng_chance(&r, 250);
    s->backlog = rng_chance(&r, 300) ? (int)rng_between(&r, 3, 40) : 100000;
    s->bad_clocks = rng_chance(&r, 150);
    s->amnesia = rng_chance(&r, 400);
    s->changes = rng_chance(&r, 600);
    s->handovers = rng_chance(&r, 500);
    ha_timing_profile("lan", &s->timing);
    s->timing.heartbeat_ms = 150;
    s->chaos_us = rng_between(&r, 3, 12) * 1000 * HS_MS;
    s->fault_every_us = (rng_chance(&r, 500) ? rng_between(&r, 30, 120) : rng_between(&r, 60, 500)) * HS_MS;
    s->loss_pm = rng_chance(&r, 500) ? 0 : (unsigned)rng_between(&r, 5, 150);
    s->dup_pm = (unsigned)rng_between(&r, 0, 150);
    s->late_pm = (unsigned)rng_between(&r, 0, rng_chance(&r, 500) ? 600 : 150);
    s->stop_leader_pm = rng_chance(&r, 600) ? (unsigned)rng_between(&r, 50, 400) : 0;
    s->strand_pm = rng_chance(&r, 700) ? (unsigned)rng_between(&r, 50, 500) : 0;
    s->bounce_pm = rng_chance(&r, 600) ? (unsigned)rng_between(&r, 5, 250) : 0;
    s->focus = (unsigned)rng_below(&r, 6);
    s->forces = rng_chance(&r, 60);
    s->dissolves = rng_chance(&r, 80);
    s->no_rollback = rng_chance(&r, 400);
    s->drop_after_ms = rng_chance(&r, 150) ? rng_between(&r, 1500, 5000) : 0;
    s->all_data = rng_chance(&r, 500) && s->cold;
    s->ha_group = rng_chance(&r, 200) && s->formed;
}

static struct hs_proc *any(struct hs_world *w, bool node)
{
    int first = node ? w->sc.voters + w->sc.spares : 0, n = node ? w->sc.nodes : w->sc.voters + w->sc.spares;

    return &w->proc[first + (int)rng_below(&w->rng, (uint64_t)n)];
}

/* Leaders and primaries are where it hurts. */
static struct hs_proc *victim(struct hs_world *w)
{
    struct hs_proc *p = hs_primary(w);

    if (rng_chance(&w->rng, 300) && p)
        return p;
    for (int i = 0; i < w->n_procs; i++)
        if (!w->proc[i].node && w->proc[i].alive && formed_lead(w->proc[i].v.f)->state != LD_IDLE && rng_chance(&w->rng, 300))
            return &w->proc[i];
    return any(w, rng_chance(&w->rng, 550));
}

static int64_t soon(struct hs_world *w) { return rng_chance(&w->rng, 500) ? rng_between(&w->rng, 1, 60) * HS_MS : rng_between(&w->rng, 100, 2500) * HS_MS; }

static void cut_pair(struct hs_world *w, int a, int b, int64_t for_us)
{
    if (a == b)
        return;
    hs_cut(w, a, b, true);
    hs_due(w, for_us, (struct hs_item){.kind = HD_FAULT_OVER, .x = 1, .y = (uint64_t)(a * HS_PROCS_MAX + b)});
}

static void cut_off(struct hs_world *w, int a, int64_t for_us, int ways)
{
    hs_trace(w, "CUT %s off, ways %d, %lld ms", w->proc[a].name, ways, (long long)for_us / HS_MS);
    w->t.cuts++;
    for (int i = 0; i < w->n_procs; i++) {
        if (ways & 1)
            cut_pair(w, a, i, for_us);
        if (ways & 2)
            cut_pair(w, i, a, for_us);
    }
}

static void halves(struct hs_world *w, int64_t for_us)
{
    uint64_t side = rng_u64(&w->rng);

    w->t.cuts++;
    hs_trace(w, "CUT in two, %llx, %lld ms", (unsigned long long)(side & ((1u << w->n_procs) - 1)), (long long)for_us / HS_MS);
    for (int a = 0; a < w->n_procs; a++)
        for (int b = 0; b < w->n_procs; b++)
            if (((side >> a) & 1) != ((side >> b) & 1))
                cut_pair(w, a, b, for_us);
}

/* kill -9. The sentinels see closed links and refused reconnects (hs_kill); sometimes an agent saw it, too, and tells some. */
static void kill(struct hs_world *w, struct hs_proc *p, bool power, int64_t back)
{
    uint64_t epoch = p->node && p->alive && p->n.m.state == HA_PRIMARY ? p->n.m.epoch : 0;

    hs_kill(w, p, power, back);
    if (!power && epoch != 0 && rng_chance(&w->rng, 150))
        for (int i = 0; i < w->n_procs; i++)
            if (!w->proc[i].node && w->proc[i].alive && rng_chance(&w->rng, 700))
                hs_give(w, &w->proc[i], (struct hs_item){.kind = IN_EVIDENCE, .proc = p->id, .x = epoch});
}

static void lose_disk(struct hs_world *w)
{
    struct hs_proc *p = any(w, rng_chance(&w->rng, 700));
    int gone = 0;

    for (int i = 0; i < w->n_procs; i++)
        gone += !w->proc[i].alive;
    if (gone > 0 || !p->alive)
        return;
    hs_trace(w, "DISK LOST %s", p->name);
    hs_kill(w, p, true, soon(w));
    p->disk_lost = true;
    w->t.amnesias += !p->node;
    if (!p->node) {        /* an operator sees to it, later */
        hs_due(w, rng_between(&w->rng, 200, 3000) * HS_MS, (struct hs_item){.kind = HD_FAULT_OVER, .x = 3, .proc = p->id});
    }
}

void hs_ask(struct hs_world *w, struct hs_proc *v, const struct formed_event *ev)
{
    struct formed_event *own;

    if (!v->alive)
        return;
    own = mem_alloc(sizeof *own);
    *own = *ev;
    own->ticket = hs_id(w);
    hs_give(w, v, (struct hs_item){.kind = IN_ASK, .ask = own});
}

static struct hs_proc *busy_or_any(struct hs_world *w)
{
    struct hs_proc *v = any(w, false);

    for (int i = 0; i < w->n_procs && rng_chance(&w->rng, 300); i++)
        if (!w->proc[i].node && w->proc[i].alive && formed_lead(w->proc[i].v.f)->state != LD_IDLE)
            v = &w->proc[i];
    return v;
}

static void hand_over(struct hs_world *w)
{
    w->t.handovers++;
    hs_ask(w, busy_or_any(w), &(struct formed_event){.kind = FV_HAND_OVER, .id = rng_chance(&w->rng, 500) ? "" : any(w, true)->name});
}

static void change(struct hs_world *w)
{
    static struct formed_want want;
    struct hs_proc *v = busy_or_any(w);

    w->t.changes++;
    switch (rng_below(&w->rng, 4)) {
    case 0:
    case 1:
        want = (struct formed_want){.mode = w->sc.mode, .fsync = w->sc.fsync, .timing = w->sc.timing,
                                    .member_drop_after_ms = w->sc.drop_after_ms,
                                    .voters = w->sc.voters + (int)rng_below(&w->rng, (uint64_t)w->sc.spares + 1),
                                    .k = (int)rng_between(&w->rng, 1, w->sc.members - 1)};
        hs_ask(w, v, &(struct formed_event){.kind = FV_SET, .want = &want});
        break;
    case 2:
        if (w->sc.members > 2)
            hs_ask(w, v, &(struct formed_event){.kind = FV_DROP_MEMBER, .id = any(w, true)->name});
        break;
    default:
        if (w->sc.spares)
            hs_ask(w, v, &(struct formed_event){.kind = FV_REPLACE_VOTER, .id = any(w, false)->name, .id2 = any(w, false)->name});
        break;
    }
}

/* Told that the primary is down though it is not, and taken back later. */
static void false_alarm(struct hs_world *w, struct hs_proc *v)
{
    if (!v->alive || v->v.odown)
        return;
    hs_give(w, v, (struct hs_item){.kind = IN_ODOWN, .yes = true});
    hs_due(w, rng_between(&w->rng, 10, 400) * HS_MS, (struct hs_item){.kind = HD_FAULT_OVER, .x = 4, .proc = v->id});
}

/* --- one fault of many ---------------------------------------------------------------------------------- */

typedef void fault(struct hs_world *w, struct hs_proc *p, int64_t long_us);

static void fault_kill(struct hs_world *w, struct hs_proc *p, int64_t long_us)
{
    (void)long_us;
    kill(w, p, rng_chance(&w->rng, 250), soon(w));
}

static void fault_pause(struct hs_world *w, struct hs_proc *p, int64_t long_us) { hs_pause(w, p, long_us); }

static void fault_halves(struct hs_world *w, struct hs_proc *p, int64_t long_us)
{
    (void)p;
    halves(w, long_us);
}

static void fault_cut_off(struct hs_world *w, struct hs_proc *p, int64_t long_us)
{
    cut_off(w, p->id, long_us, (int)rng_between(&w->rng, 1, 3));
}

static void fault_few_cuts(struct hs_world *w, struct hs_proc *p, int64_t long_us)
{
    (void)p;
    w->t.cuts++;
    for (int i = 0; i < 3; i++)
        cut_pair(w, (int)rng_below(&w->rng, (uint64_t)w->n_procs), (int)rng_below(&w->rng, (uint64_t)w->n_procs), long_us);
}

/* Somebody's plain order, which a bound node must not care about; or a save fails. */
static void fault_order_or_save(struct hs_world *w, struct hs_proc *p, int64_t long_us)
{
    (void)long_us;
    if (p->node && rng_chance(&w->rng, 500)) {
        struct hs_proc *o = any(w, true);
        if (o != p && p->alive && !p->paused && !p->saving && p->n.m.f.gid != 0 && member_takes_plain_orders(&p->n.m))
            hs_node_role(w, p, o->id);
    } else {
        p->save_fails = true;
    }
}

static void fault_disk(struct hs_world *w, struct hs_proc *p, int64_t long_us)
{
    (void)p;
    (void)long_us;
    if (w->sc.amnesia && rng_chance(&w->rng, 300))
        lose_disk(w);
}

static void fault_alarm(struct hs_world *w, struct hs_proc *p, int64_t long_us)
{
    (void)p;
    (void)long_us;
    hs_trace(w, "false alarm");
    for (int i = 0, n = (int)rng_between(&w->rng, 1, 3); i < n; i++)       /* several at once: their ballots collide */
        false_alarm(w, any(w, false));
}

static void fault_hand_over(struct hs_world *w, struct hs_proc *p, int64_t long_us)
{
    (void)p;
    (void)long_us;
    if (w->sc.handovers)
        hand_over(w);
}

static void fault_change(struct hs_world *w, struct hs_proc *p, int64_t long_us)
{
    (void)p;
    (void)long_us;
    if (w->sc.changes)
        change(w);
}

static void fault_unwell(struct hs_world *w, struct hs_proc *p, int64_t long_us)
{
    if (!p->node)
        return;
    hs_give(w, p, (struct hs_item){.kind = IN_HEALTH, .yes = false});
    hs_due(w, long_us, (struct hs_item){.kind = HD_FAULT_OVER, .x = 2, .proc = p->id});
}

/* SIGTERM: the primary asks for a hand-over, and goes in the end. */
static void fault_leave(struct hs_world *w, struct hs_proc *p, int64_t long_us)
{
    (void)long_us;
    p = hs_primary(w);
    if (!p || p->paused)
        return;
    hs_trace(w, "SIGTERM %s", p->name);
    w->t.left++;
    hs_give(w, p, (struct hs_item){.kind = IN_LEAVE});
    hs_due(w, rng_between(&w->rng, 100, 1500) * HS_MS, (struct hs_item){.kind = HD_FAULT_OVER, .x = 5, .y = p->gen, .proc = p->id});
}

/* The sentinels cannot hear the primary, its followers can; or it is gone. Then somebody dissolves the group. */
static void dissolve_around_primary(struct hs_world *w, int64_t long_us)
{
    struct hs_proc *p = hs_primary(w);

    if (p && rng_chance(&w->rng, 600))
        for (int i = 0; i < w->sc.voters + w->sc.spares; i++) {
            cut_pair(w, i, p->id, long_us + 1000 * HS_MS);
            cut_pair(w, p->id, i, long_us + 1000 * HS_MS);
        }
    else if (p)
        kill(w, p, rng_chance(&w->rng, 250), long_us);
    for (int i = 0; i < 6; i++)
        hs_due(w, rng_between(&w->rng, 1, 1500) * HS_MS, (struct hs_item){.kind = HD_FAULT_OVER, .x = 6});
}

static void fault_operator(struct hs_world *w, struct hs_proc *p, int64_t long_us)
{
    (void)p;
    if (w->sc.forces && rng_chance(&w->rng, 700))
        hs_ask(w, busy_or_any(w), &(struct formed_event){.kind = FV_FORCE, .id = rng_chance(&w->rng, 500) ? "" : any(w, true)->name,
                                                         .seals = (int)rng_between(&w->rng, 1, 2)});
    else if (w->sc.dissolves && rng_chance(&w->rng, 250))
        dissolve_around_primary(w, long_us);
    else if (w->sc.dissolves && rng_chance(&w->rng, 150))
        hs_ask(w, busy_or_any(w), &(struct formed_event){.kind = FV_DISSOLVE, .yes = rng_chance(&w->rng, 500)});
    else if (rng_chance(&w->rng, 200))
        hs_ask(w, busy_or_any(w), &(struct formed_event){.kind = FV_CANCEL});
}

static void fault_clock(struct hs_world *w, struct hs_proc *p, int64_t long_us)
{
    int32_t ppm;

    (void)long_us;
    if (!w->sc.bad_clocks) {
        drift_set_rate(&p->clock, w->now_us, (int32_t)rng_between(&w->rng, -9900, 9900));
        return;
    }
    ppm = rng_chance(&w->rng, 300) ? -999000 : (int32_t)rng_between(&w->rng, -600000, 900000);
    hs_trace(w, "CLOCK of %s at %d ppm", p->name, ppm);
    drift_set_rate(&p->clock, w->now_us, ppm);
    if (rng_chance(&w->rng, 200))
        drift_jump(&p->clock, w->now_us, rng_between(&w->rng, 10, 3000));
    if (p->alive)
        hs_give(w, p, (struct hs_item){.kind = IN_TICK});
}

/* One line, one share. */
static fault *const faults[] = {
    fault_kill, fault_kill,
    fault_pause,
    fault_halves,
    fault_cut_off, fault_cut_off,
    fault_few_cuts,
    fault_order_or_save,
    fault_disk,
    fault_alarm,
    fault_hand_over, fault_hand_over,
    fault_change, fault_change,
    fault_unwell,
    fault_leave,
    fault_operator,
    fault_clock,
};
#define FAULTS (sizeof faults / sizeof faults[0])

/* What some seeds have more of. */
static fault *focus(struct hs_world *w, fault *what)
{
    if (w->sc.focus == 1 && rng_chance(&w->rng, 400))
        what = fault_kill;
    if (w->sc.focus == 2 && rng_chance(&w->rng, 400))
        what = fault_cut_off;
    if (w->sc.focus == 3 && rng_chance(&w->rng, 400))
        what = fault_hand_over;
    if (w->sc.forces && rng_chance(&w->rng, 150))
        what = fault_operator;
    if (w->sc.dissolves && rng_chance(&w->rng, 60))
        what = fault_operator;
    return what;
}

static void one_fault(struct hs_world *w)
{
    struct hs_proc *p = victim(w);
    int64_t long_us = rng_between(&w->rng, 50, 3000) * HS_MS;
    fault *what = faults[rng_below(&w->rng, FAULTS)];

    focus(w, what)(w, p, long_us);
}

void hs_chaos_begin(struct hs_world *w)
{
    w->chaos = true;
    hs_due(w, 0, (struct hs_item){.kind = HD_FAULT});
}

void hs_chaos_fault(struct hs_world *w)
{
    if (!w->chaos)
        return;
    one_fault(w);
    hs_due(w, rng_between(&w->rng, w->sc.fault_every_us / 4, w->sc.fault_every_us * 2), (struct hs_item){.kind = HD_FAULT});
}

static void replace_voter(struct hs_world *w, int lost)
{
    const char *name = w->proc[lost].name;

    hs_ask(w, any(w, false), &(struct formed_event){.kind = FV_REPLACE_VOTER, .id = name, .id2 = name});
}

void hs_chaos_over(struct hs_world *w, const struct hs_item *it)
{
    if (it->x == 1)
        hs_cut(w, (int)it->y / HS_PROCS_MAX, (int)it->y % HS_PROCS_MAX, false);
    else if (it->x == 2)
        hs_give(w, &w->proc[it->proc], (struct hs_item){.kind = IN_HEALTH, .yes = true});
    else if (it->x == 4)
        hs_give(w, &w->proc[it->proc], (struct hs_item){.kind = IN_ODOWN, .yes = w->proc[it->proc].v.odown});
    else if (it->x == 5 && w->proc[it->proc].gen == it->y && w->proc[it->proc].alive)
        hs_kill(w, &w->proc[it->proc], false, soon(w));
    else if (it->x == 3)
        replace_voter(w, it->proc);
    else if (it->x == 6)
        hs_ask(w, busy_or_any(w), &(struct formed_event){.kind = FV_DISSOLVE, .yes = true});
}

void hs_chaos_heal(struct hs_world *w)
{
    hs_trace(w, "HEALED");
    w->chaos = false;
    memset(w->cut, 0, sizeof w->cut);
    w->healed_us = w->now_us;
    w->acked_at_heal = w->t.acked;
    for (int i = 0; i < w->n_procs; i++) {
        struct hs_proc *p = &w->proc[i];
        p->paused = p->save_fails = false;
        p->crash_after = -1;
        drift_set_rate(&p->clock, w->now_us, (int32_t)rng_between(&w->rng, -1000, 1000));
        if (!p->alive)
            hs_start(w, p);
        hs_give(w, p, (struct hs_item){.kind = IN_TICK});
        if (p->node)
            hs_give(w, p, (struct hs_item){.kind = IN_HEALTH, .yes = true});
    }
}

/* Whoever knows of the newest record; NULL: nobody holds one. */
static struct hs_proc *who_holds(struct hs_world *w, const struct ha_record *r)
{
    for (int i = 0; r && i < w->n_procs; i++)
        if (!w->proc[i].node && w->proc[i].alive && ha_record_same_place(&formed_voter(w->proc[i].v.f)->f.rec, r))
            return &w->proc[i];
    return NULL;
}

static struct hs_proc *longest(struct hs_world *w, const struct ha_record *r)
{
    struct hs_proc *best = NULL;

    for (int i = 0; i < w->n_procs; i++) {
        struct hs_proc *p = &w->proc[i];
        if (p->node && p->n.m.f.gid == r->gid && ha_member(r, p->name) &&
            (!best || ha_position_cmp(hs_end_of(&p->n.log), hs_end_of(&best->n.log)) > 0))
            best = p;
    }
    return best;
}

/* Nobody holds a record, and nodes serve by each other's leases: their sentinels are lost, so they are started again. */
static void restart_nodes(struct hs_world *w)
{
    for (int i = 0; i < w->n_procs; i++)
        if (w->proc[i].node && w->proc[i].alive && w->proc[i].n.m.f.gid != 0 && w->proc[i].n.m.phase != MP_FENCED)
            hs_kill(w, &w->proc[i], false, 20 * HS_MS);
}

void hs_chaos_force(struct hs_world *w, const char *excuse)
{
    const struct ha_record *r = hs_newest(w);
    struct hs_proc *v = who_holds(w, r), *best = r ? longest(w, r) : NULL;

    if (!excuse)
        return;                            /* it is on its way */
    w->forced_so_often++;
    if (w->forced_so_often % 3 == 2 && (!v || excuse == hs_voters_lost))
        restart_nodes(w);
    else if (!v)
        hs_ask(w, any(w, false), &(struct formed_event){.kind = FV_DISSOLVE, .yes = true});
    else if (excuse == hs_members_lost && best && !(ha_record_is_formation(r) && hs_end_of(&best->n.log).epoch < r->epoch))
        hs_ask(w, v, &(struct formed_event){.kind = FV_FORCE, .id = best->name, .seals = 0});
    else
        hs_ask(w, v, &(struct formed_event){.kind = FV_DISSOLVE, .yes = true});
}

/* --- where it hurts ------------------------------------------------------------------------------------ */

/* A leader entered another state, its list is not out yet: it may stop here and now, half its messages said. */
void hs_chaos_stepped(struct hs_world *w, struct hs_proc *p)
{
    enum lead_state s = formed_lead(p->v.f)->state;

    if (!w->chaos)
        return;
    if (s >= LD_STOPPING && w->sc.stop_leader_pm && rng_chance(&w->rng, w->sc.stop_leader_pm)) {
        if (rng_chance(&w->rng, 400)) {
            p->crash_after = (int)rng_between(&w->rng, 0, 8);
            p->back_in_us = soon(w);
        } else if (rng_chance(&w->rng, 500)) {
            cut_off(w, p->id, rng_between(&w->rng, 200, 2500) * HS_MS, (int)rng_between(&w->rng, 1, 3));
        } else {
            hs_pause(w, p, rng_between(&w->rng, 200, 2500) * HS_MS);
        }
    }
    if (s > LD_VOTING && w->sc.handovers && rng_chance(&w->rng, 60))
        hand_over(w);
    if (s > LD_VOTING && w->sc.changes && rng_chance(&w->rng, 60))
        change(w);
}

void hs_chaos_sent(struct hs_world *w, struct hs_proc *p, const struct ha_msg *m)
{
    if (!w->chaos)
        return;
    if (m->kind == HA_STORED && m->ok && w->sc.strand_pm && rng_chance(&w->rng, w->sc.strand_pm)) {
        /* the record stays with this one: whoever leads is cut off before it reaches another, or this one is */
        for (int i = 0; i < w->n_procs; i++)
            if (!w->proc[i].node && w->proc[i].alive && formed_lead(w->proc[i].v.f)->state == LD_STORING)
                cut_off(w, i, rng_between(&w->rng, 300, 3000) * HS_MS, 3);
        if (rng_chance(&w->rng, 500))
            cut_off(w, p->id, rng_between(&w->rng, 300, 3000) * HS_MS, 3);
    }
    if ((m->kind == HA_VOTED || m->kind == HA_LEASE || m->kind == HA_SEALED || m->kind == HA_STORED || m->kind == HA_END || m->kind == HA_BOUND ||
         m->kind == HA_READY) &&
        w->sc.bounce_pm && rng_chance(&w->rng, w->sc.bounce_pm) && rng_chance(&w->rng, m->kind == HA_LEASE ? 50 : 500)) {
        p->crash_after = (int)rng_between(&w->rng, 0, 3);
        p->back_in_us = rng_between(&w->rng, 1, 40) * HS_MS;
    }
}
