/* The world's own round: links come and go, who is silent for long is called down, clients write and
 * read, and what plain sentinels and operators do beside a group that is to be formed. */
#include "tests/sim/ha_world_inside.h"

#include "common/base/mem.h"

static bool apart_long(struct hs_world *w, int a, int b)
{
    return (w->cut[a][b] > 0 && w->now_us - w->cut_since_us[a][b] > 700 * HS_MS) ||
           (w->cut[b][a] > 0 && w->now_us - w->cut_since_us[b][a] > 700 * HS_MS);
}

static void links_turn(struct hs_world *w, struct hs_proc *v)
{
    for (int i = 0; i < w->n_procs; i++) {
        struct hs_proc *o = &w->proc[i];
        if (o == v)
            continue;
        if (!o->node) {
            bool up = o->alive && !apart_long(w, v->id, o->id) && (v->v.peers[i] || !hs_apart(w, v->id, o->id));
            if (up != v->v.peers[i]) {
                v->v.peers[i] = up;
                hs_give(w, v, (struct hs_item){.kind = IN_PEER, .proc = i, .yes = up});
            }
        } else if (v->v.links[i] == 0) {
            if (o->alive && !hs_apart(w, v->id, o->id)) {
                v->v.links[i] = o->n.voter_link[v->id] = ++w->links_made;
                v->v.heard_us[i] = w->now_us;
                hs_give(w, o, (struct hs_item){.kind = IN_VOTER_UP, .proc = v->id, .x = v->v.links[i]});
                hs_give(w, v, (struct hs_item){.kind = IN_NODE, .proc = i, .yes = true});
            }
        } else if (apart_long(w, v->id, o->id)) {
            hs_give(w, o, (struct hs_item){.kind = IN_LINK_GONE, .x = v->v.links[i]});
            hs_give(w, v, (struct hs_item){.kind = IN_NODE, .proc = i});
            v->v.links[i] = o->n.voter_link[v->id] = 0;
        } else if (o->alive && !o->paused && !hs_apart(w, v->id, o->id)) {
            v->v.heard_us[i] = w->now_us;      /* a ping was answered */
        }
    }
}

static bool sees_down(struct hs_world *w, struct hs_proc *v, int node)
{
    return v->alive && !v->paused && w->now_us - v->v.heard_us[node] > w->sc.timing.down_after_ms * HS_MS;
}

static void health_turn(struct hs_world *w, struct hs_proc *v)
{
    const struct ha_record *r = &formed_voter(v->v.f)->f.rec;
    int node = r->gid ? hs_by_name(w, r->primary) : -1, n = 0;
    bool down = false;

    if (node >= 0 && sees_down(w, v, node)) {
        for (int i = 0; i < w->n_procs; i++)
            n += !w->proc[i].node && (i == v->id || !hs_apart(w, i, v->id)) && sees_down(w, &w->proc[i], node);
        down = n >= ha_majority(w->sc.voters);
    }
    if (down != v->v.odown) {
        v->v.odown = down;
        hs_trace(w, "%s odown %d", v->name, down);
        hs_give(w, v, (struct hs_item){.kind = IN_ODOWN, .yes = down});
    }
}

static void clients_turn(struct hs_world *w)
{
    struct hs_proc *best = hs_primary(w), *p;

    for (int i = 0; i < 2 && !w->clients_off; i++) {
        p = best && rng_chance(&w->rng, 700) ? best : &w->proc[w->sc.voters + w->sc.spares + (int)rng_below(&w->rng, (uint64_t)w->sc.nodes)];
        if (!p->alive)
            continue;
        if (rng_chance(&w->rng, 700))
            hs_give(w, p, (struct hs_item){.kind = IN_WRITE, .x = ++w->values});
        else
            hs_give(w, p, (struct hs_item){.kind = IN_READ, .y = w->dissolves, .z = w->sure_writes});
    }
}

static bool is_dissolved(struct hs_world *w)
{
    const struct ha_record *r = hs_newest_kept(w);

    return r && r->dissolved;
}

/* What plain sentinels do beside all this: a plain node that follows nobody, or another, is pointed at the primary, which is the one with the longest log. */
static void plain_turn(struct hs_world *w)
{
    struct hs_proc *best = NULL;

    for (int i = 0; i < w->n_procs; i++) {
        struct hs_proc *p = &w->proc[i];
        if (!p->node)
            continue;
        if (!p->alive || p->n.m.f.used)
            return;                    /* who is down may be the primary; a formed group looks after itself */
        if (p->n.follows < 0 && (p->n.m.phase == MP_PLAIN || p->n.m.phase == MP_BOUND || p->n.m.phase == MP_FENCED) && (!best || p->n.log.n > best->n.log.n))
            best = p;
    }
    for (int i = 0; best && i < w->n_procs; i++) {
        struct hs_proc *p = &w->proc[i];
        if (p->node && p != best && p->n.follows != best->id && member_takes_plain_orders(&p->n.m) && p->n.m.phase == MP_PLAIN && !p->paused &&
            !p->saving && p->n.next >= p->n.out.n)
            hs_node_role(w, p, best->id);
    }
}

static void ask(struct hs_world *w, struct hs_proc *v, enum formed_event_kind kind, const char *id, bool yes)
{
    static struct formed_want want;

    want = (struct formed_want){.mode = w->sc.mode, .fsync = w->sc.fsync, .k = w->sc.k, .voters = w->sc.voters, .timing = w->sc.timing,
                                .member_drop_after_ms = w->sc.drop_after_ms};
    hs_ask(w, v, &(struct formed_event){.kind = kind, .want = &want, .id = id, .yes = yes});
}

/* The one with the longest log, now and then another: it is her word. */
static struct hs_proc *chosen(struct hs_world *w)
{
    int first = w->sc.voters + w->sc.spares;
    struct hs_proc *best = &w->proc[first + (int)rng_below(&w->rng, (uint64_t)w->sc.nodes)];

    for (int i = first; i < w->n_procs && rng_chance(&w->rng, 980); i++)
        if (w->proc[i].n.log.n > best->n.log.n)
            best = &w->proc[i];
    return best;
}

/* Whoever was left out when the group was dissolved by force is there again: it is said once more. */
static bool left_out(struct hs_world *w)
{
    const struct ha_record *r = hs_newest(w);

    for (int i = 0; r && r->dissolved && i < w->n_procs; i++)
        if (w->proc[i].node && w->proc[i].alive && w->proc[i].n.m.f.gid == r->gid && !ha_member(r, w->proc[i].name))
            return true;
    return false;
}

static void form_turn(struct hs_world *w)
{
    struct hs_proc *v = &w->proc[rng_below(&w->rng, (uint64_t)w->sc.voters)];
    bool choice = false, again = left_out(w);

    for (int i = 0; i < w->n_procs && !again; i++)
        if (w->proc[i].node && w->proc[i].n.opened_any)
            return;
    if (w->now_us < w->next_form_us || !v->alive)
        return;
    w->next_form_us = w->now_us + rng_between(&w->rng, 300, 1500) * HS_MS;
    (void)formed_forming_lacks(v->v.f, &choice);
    if (again)
        ask(w, v, FV_DISSOLVE, NULL, true);
    else
        ask(w, v, FV_FORM, choice ? chosen(w)->name : NULL, false);
    if (choice && rng_chance(&w->rng, 200))        /* another operator at another sentinel */
        ask(w, &w->proc[rng_below(&w->rng, (uint64_t)w->sc.voters)], FV_FORM, chosen(w)->name, false);
}

/* All nodes had lost their memory: nobody was left to be let go. */
static void nobody_bound(struct hs_world *w)
{
    for (int i = 0; i < w->n_procs; i++)
        if (w->proc[i].node && w->proc[i].n.kept.gid != 0)
            return;
    if (w->sure.n > 0 && hs_newest_kept(w))
        hs_judge_released(w, hs_newest_kept(w)->gid);
}

void hs_turn(struct hs_world *w)
{
    for (int i = 0; i < w->n_procs; i++) {
        struct hs_proc *p = &w->proc[i];
        if (!p->alive)
            continue;
        if (p->node) {
            if (!is_dissolved(w) && member_takes_plain_orders(&p->n.m) && p->n.m.f.gid == 0 && hs_primary(w) && hs_primary(w)->n.opened_any &&
                hs_primary(w)->id != p->n.follows && hs_primary(w) != p && !p->paused && !p->saving && p->n.next >= p->n.out.n)
                hs_node_role(w, p, hs_primary(w)->id);     /* a plain node beside the group: somebody points it there */
            hs_log_turn(w, p);
        } else {
            links_turn(w, p);
            health_turn(w, p);
        }
    }
    if (is_dissolved(w))
        nobody_bound(w);
    if (!w->sc.formed || w->t.dissolved > 0 || is_dissolved(w)) {
        plain_turn(w);
        form_turn(w);
    }
    clients_turn(w);
    for (size_t i = w->links.n; i-- > 0;)
        if (!w->links.at[i]->open) {
            hs_link_free(w->links.at[i]);
            vec_remove(&w->links, i);
        }
    hs_due(w, rng_between(&w->rng, 10, 30) * HS_MS, (struct hs_item){.kind = HD_TURN});
}
