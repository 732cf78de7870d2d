/* Processes of a formed group: what reaches them waits in their inbox until they can come to it;
 * they are started, paused, killed and cut apart. */
#include "tests/sim/ha_world_inside.h"

#include <string.h>

void hs_give(struct hs_world *w, struct hs_proc *p, struct hs_item it)
{
    if (!p->alive) {
        hs_item_free(&it);
        return;
    }
    if (w->sc.wake_us > 0 && !p->asleep && !p->running && p->in_at == p->inbox.n) {
        p->asleep = true;
        hs_due(w, rng_between(&w->rng, 0, rng_chance(&w->rng, 50) ? 3 * w->sc.wake_us : w->sc.wake_us),
               (struct hs_item){.kind = HD_WAKE, .proc = p->id, .gen = p->gen});
    }
    vec_push(&p->inbox, it);
}

int64_t hs_save_us(struct hs_world *w)
{
    if (w->sc.save_max_us > 0)
        return rng_between(&w->rng, w->sc.save_min_us, w->sc.save_max_us);
    return rng_between(&w->rng, 100, w->chaos && rng_chance(&w->rng, 50) ? 80000 : 2000);
}

static void set_timer(struct hs_world *w, struct hs_proc *p)
{
    int64_t at_ms, at_us;

    if (!p->alive)
        return;
    at_ms = p->node ? member_deadline_ms(&p->n.m) : formed_deadline_ms(p->v.f);
    if (at_ms == NEVER_MS)
        return;
    at_us = drift_true_us(&p->clock, at_ms);
    if (at_us == NEVER_MS)
        return;
    p->timer_seq++;
    hs_due(w, at_us > w->now_us ? at_us - w->now_us : 50, (struct hs_item){.kind = HD_TIMER, .proc = p->id, .gen = p->gen, .x = p->timer_seq});
}

/* What has come is heard before time runs out: a tick goes behind it. */
static bool comes_later(struct hs_proc *p, struct hs_item tick)
{
    if (p->in_at == p->inbox.n)
        return false;
    for (size_t i = p->in_at; i < p->inbox.n; i++)
        if (p->inbox.at[i].kind == IN_TICK)
            return true;
    vec_push(&p->inbox, tick);
    return true;
}

void hs_run_proc(struct hs_world *w, struct hs_proc *p)
{
    bool did = false;

    p->running = true;
    while (p->alive && !p->paused && !p->saving && !p->asleep && !w->violation[0]) {
        struct hs_item it;
        if (p->crash_after == 0) {
            p->running = false;
            hs_kill(w, p, rng_chance(&w->rng, 300), p->back_in_us);
            return;
        }
        if (p->crash_after > 0)
            p->crash_after--;
        if (p->node ? hs_node_carry(w, p) : hs_voter_carry(w, p)) {
            did = true;
            continue;
        }
        if (p->node && p->n.told >= 0 && p->n.told != (int64_t)p->n.log.n) {       /* it knows its log before it hears of anything else */
            it = (struct hs_item){.kind = IN_LOG};
            hs_node_take(w, p, &it);
            continue;
        }
        if (p->in_at == p->inbox.n) {
            p->in_at = 0;
            vec_clear(&p->inbox);
            break;
        }
        it = p->inbox.at[p->in_at++];
        if (it.kind == IN_TICK && w->sc.wake_us > 0 && comes_later(p, it))
            continue;
        w->t.steps++;
        did = true;
        if (p->node)
            hs_node_take(w, p, &it);
        else
            hs_voter_take(w, p, &it);
        hs_item_free(&it);
    }
    p->running = false;
    if (did) {
        if (p->alive && p->node && !p->paused && !p->saving)
            hs_log_flush(w, p);
        set_timer(w, p);
    }
}

void hs_inbox_clear(struct hs_proc *p)
{
    for (size_t i = p->in_at; i < p->inbox.n; i++)
        hs_item_free(&p->inbox.at[i]);
    p->in_at = 0;
    vec_clear(&p->inbox);
}

bool hs_apart(struct hs_world *w, int a, int b) { return w->cut[a][b] > 0 || w->cut[b][a] > 0; }

void hs_kill(struct hs_world *w, struct hs_proc *p, bool power, int64_t back_in_us)
{
    if (!p->alive)
        return;
    hs_trace(w, "%s %s", power ? "POWER CUT" : "KILL -9", p->name);
    power ? w->t.powers++ : w->t.kills++;
    if (p->node)
        hs_node_stop(w, p, power);
    else
        hs_voter_stop(w, p);
    p->alive = p->paused = p->saving = p->asleep = false;
    p->crash_after = -1;
    p->gen++;
    hs_inbox_clear(p);
    for (size_t i = 0; i < w->links.n; i++)
        if (w->links.at[i]->open && (w->links.at[i]->src == p->id || w->links.at[i]->dst == p->id))
            hs_close(w, w->links.at[i]);
    if (p->node)
        for (int v = 0; v < w->n_procs; v++)
            if (!w->proc[v].node && w->proc[v].v.links[p->id] != 0) {
                w->proc[v].v.links[p->id] = 0;
                hs_give(w, &w->proc[v], (struct hs_item){.kind = IN_NODE, .proc = p->id});
                if (!power && !hs_apart(w, v, p->id))     /* the kernel closes the link; a host without power says nothing */
                    hs_due(w, rng_between(&w->rng, 50, 3000), (struct hs_item){.kind = HD_REDIAL, .proc = p->id, .gen = p->gen, .x = (uint64_t)v});
            }
    if (!p->node)
        for (int n = 0; n < w->n_procs; n++)
            if (w->proc[n].node && w->proc[n].n.voter_link[p->id] != 0) {
                hs_give(w, &w->proc[n], (struct hs_item){.kind = IN_LINK_GONE, .x = w->proc[n].n.voter_link[p->id]});
                w->proc[n].n.voter_link[p->id] = 0;
            }
    for (int v = 0; v < w->n_procs && !p->node; v++)
        if (!w->proc[v].node && w->proc[v].v.peers[p->id]) {
            w->proc[v].v.peers[p->id] = false;
            hs_give(w, &w->proc[v], (struct hs_item){.kind = IN_PEER, .proc = p->id});
        }
    if (back_in_us >= 0)
        hs_due(w, back_in_us, (struct hs_item){.kind = HD_START, .proc = p->id, .gen = p->gen});
}

void hs_start(struct hs_world *w, struct hs_proc *p)
{
    if (p->alive)
        return;
    p->alive = true;
    p->gen++;
    p->crash_after = -1;
    p->paused = p->saving = p->save_fails = false;
    hs_trace(w, "start %s%s", p->name, p->disk_lost ? " with an empty disk" : "");
    if (p->node)
        hs_node_start(w, p);
    else
        hs_voter_start(w, p);
    p->disk_lost = false;
    hs_give(w, p, (struct hs_item){.kind = IN_TICK});
}

void hs_pause(struct hs_world *w, struct hs_proc *p, int64_t for_us)
{
    if (!p->alive || p->paused)
        return;
    p->paused = true;
    w->t.pauses++;
    hs_trace(w, "pause %s for %lld ms", p->name, (long long)for_us / HS_MS);
    hs_due(w, for_us, (struct hs_item){.kind = HD_THAW, .proc = p->id, .gen = p->gen});
}

void hs_cut(struct hs_world *w, int a, int b, bool on)
{
    if (a == b)
        return;
    w->cut[a][b] += on ? 1 : -1;
    if (w->cut[a][b] < 0)
        w->cut[a][b] = 0;
    if (on && w->cut[a][b] == 1)
        w->cut_since_us[a][b] = w->now_us;
}
