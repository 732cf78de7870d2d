/* The world of a formed group: what is due, processes, datagrams, links. */
#include "tests/sim/ha_sim.h"

#include "common/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void hs_trace(struct hs_world *w, const char *fmt, ...)
{
    va_list ap;

    if (!w->trace)
        return;
    fprintf(stderr, "%9.3f ", (double)w->now_us / 1000);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

void hs_violation(struct hs_world *w, const char *fmt, ...)
{
    va_list ap;

    if (w->violation[0])
        return;
    va_start(ap, fmt);
    vsnprintf(w->violation, sizeof w->violation, fmt, ap);
    va_end(ap);
    hs_trace(w, "VIOLATION %s", w->violation);
}

uint64_t hs_id(struct hs_world *w) { return ++w->ids * 1000 + rng_below(&w->rng, 1000); }
int64_t hs_now(const struct hs_world *w, const struct hs_proc *p) { return drift_local_ms(&p->clock, w->now_us); }

int hs_by_name(const struct hs_world *w, const char *id)
{
    for (int i = 0; i < w->n_procs; i++)
        if (strcmp(w->proc[i].name, id) == 0)
            return i;
    return -1;
}

int hs_by_addr(const struct hs_world *w, const struct addr *a)
{
    for (int i = 0; i < w->n_procs; i++)
        if (addr_equal(&w->proc[i].addr, a))
            return i;
    return -1;
}

/* --- what is due ------------------------------------------------------------------------- */

static bool before(const struct hs_item *a, const struct hs_item *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->seq < b->seq;
}

void hs_due(struct hs_world *w, int64_t in_us, struct hs_item it)
{
    size_t i;

    it.at_us = w->now_us + (in_us > 0 ? in_us : 0);
    it.seq = ++w->seq;
    vec_push(&w->heap, it);
    for (i = w->heap.n - 1; i > 0 && before(&it, &w->heap.at[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap.at[i] = w->heap.at[(i - 1) / 2];
    w->heap.at[i] = it;
}

static struct hs_item pop(struct hs_world *w)
{
    struct hs_item top = w->heap.at[0], last = vec_pop(&w->heap);
    size_t i = 0, n = w->heap.n;

    for (;;) {
        size_t c = 2 * i + 1;
        if (c >= n)
            break;
        if (c + 1 < n && before(&w->heap.at[c + 1], &w->heap.at[c]))
            c++;
        if (!before(&w->heap.at[c], &last))
            break;
        w->heap.at[i] = w->heap.at[c];
        i = c;
    }
    if (n > 0)
        w->heap.at[i] = last;
    return top;
}

static void item_free(struct hs_item *it)
{
    hs_packet_free(it->pkt);
    mem_free(it->ask);
}

/* --- packets -------------------------------------------------------------------------------- */

struct hs_packet *hs_packet(enum hs_pkt what, int from, int to, const struct ha_msg *m)
{
    struct hs_packet *p = mem_alloc(sizeof *p);

    memset(p, 0, sizeof *p);
    p->what = what;
    p->from = from;
    p->to = to;
    if (m) {
        p->msg = *m;
        if (m->rec) {
            p->rec = mem_alloc(sizeof *p->rec);
            *p->rec = *m->rec;
            p->msg.rec = p->rec;
        }
    }
    return p;
}

void hs_packet_free(struct hs_packet *p)
{
    if (!p)
        return;
    mem_free(p->rec);
    vec_fini(&p->log);
    mem_free(p);
}

void hs_log_copy(hs_log *to, const hs_log *from, int64_t at, int64_t end)
{
    vec_clear(to);
    for (int64_t i = at; i < end; i++)
        vec_push(to, from->at[i]);
}

static int64_t delay_us(struct hs_world *w)
{
    int64_t d = rng_between(&w->rng, 100, 900);

    if (w->chaos && rng_chance(&w->rng, 30))
        d += rng_between(&w->rng, 1, 60) * HS_MS;
    return d;
}

/* Some kinds hurt more when they come late. */
static bool hurts(enum ha_kind k)
{
    return k == HA_OPEN || k == HA_FETCH || k == HA_SEAL || k == HA_JOINT || k == HA_RECORD || k == HA_COMMITTED || k == HA_VOTED ||
           k == HA_BIND || k == HA_VOTE || k == HA_END || k == HA_LEASE || k == HA_FOLLOW || k == HA_RESUME || k == HA_SEALED;
}

void hs_datagram(struct hs_world *w, int from, int to, const struct ha_msg *m)
{
    struct hs_item it = {.kind = HD_PACKET, .proc = to};

    if (m->kind != HA_LOOK && m->kind != HA_STATUS && m->kind != HA_ALIVE && m->kind != HA_RENEW && m->kind != HA_LEASE)
        hs_trace(w, "%s > %s %s ballot %llu.%u epoch %llu %s%s%s", w->proc[from].name, w->proc[to].name, ha_kind_name(m->kind),
                 (unsigned long long)m->ballot, m->change, (unsigned long long)m->epoch, m->ok ? "ok " : "",
                 m->why ? ha_why_name(m->why) : "", m->unproved ? " unproved" : "");
    if (hs_ruled(w, from, to, m)) {
        w->t.dropped++;
        return;
    }
    if (w->chaos && rng_chance(&w->rng, w->sc.late_pm) && hurts(m->kind)) {
        it.pkt = hs_packet(PK_MSG, from, to, m);
        hs_due(w, rng_between(&w->rng, 100, 4000) * HS_MS, it);
        w->t.late++;
    }
    if (w->cut[from][to] > 0 || (w->chaos && rng_chance(&w->rng, w->sc.loss_pm))) {
        w->t.dropped++;
        return;
    }
    it.pkt = hs_packet(PK_MSG, from, to, m);
    hs_due(w, delay_us(w), it);
    if (w->chaos && rng_chance(&w->rng, w->sc.dup_pm)) {
        it.pkt = hs_packet(PK_MSG, from, to, m);
        hs_due(w, delay_us(w) + rng_between(&w->rng, 0, 30) * HS_MS, it);
        w->t.doubled++;
    }
}

/* --- replication links ------------------------------------------------------------------------ */

struct hs_link *hs_link(struct hs_world *w, uint64_t id)
{
    for (size_t i = 0; i < w->links.n; i++)
        if (w->links.at[i]->id == id)
            return w->links.at[i]->open ? w->links.at[i] : NULL;
    return NULL;
}

struct hs_link *hs_connect(struct hs_world *w, int src, int dst, bool fetch)
{
    struct hs_link *l = mem_alloc(sizeof *l);

    memset(l, 0, sizeof *l);
    l->id = ++w->links_made;
    l->src = src;
    l->dst = dst;
    l->open = true;
    l->fetch = fetch;
    vec_push(&w->links, l);
    return l;
}

static void link_free(struct hs_link *l)
{
    for (int d = 0; d < 2; d++) {
        for (size_t i = l->dir[d].at; i < l->dir[d].q.n; i++)
            hs_packet_free(l->dir[d].q.at[i]);
        vec_fini(&l->dir[d].q);
    }
    vec_fini(&l->asker);
    mem_free(l);
}

void hs_close(struct hs_world *w, struct hs_link *l)
{
    if (!l->open)
        return;
    l->open = false;
    hs_trace(w, "link %llu %s-%s closed", (unsigned long long)l->id, w->proc[l->src].name, w->proc[l->dst].name);
    if (!l->fetch)
        hs_give(w, &w->proc[l->src], (struct hs_item){.kind = IN_LINK_GONE, .x = l->id});
    if (w->proc[l->dst].n.up == l->id) {
        w->proc[l->dst].n.up = 0;
        if (w->proc[l->dst].n.streaming)
            hs_give(w, &w->proc[l->dst], (struct hs_item){.kind = IN_FOLLOWS, .proc = l->src});
        hs_give(w, &w->proc[l->dst], (struct hs_item){.kind = IN_LINK_GONE, .x = l->id});
        w->proc[l->dst].n.streaming = false;
    }
}

void hs_repl(struct hs_world *w, struct hs_link *l, int dir, struct hs_packet *pkt)
{
    int64_t d = delay_us(w);

    if (!l->open) {
        hs_packet_free(pkt);
        return;
    }
    vec_push(&l->dir[dir].q, pkt);
    if (!l->dir[dir].due) {
        l->dir[dir].due = true;
        hs_due(w, d, (struct hs_item){.kind = HD_LINK, .x = l->id, .y = (uint64_t)dir});
    }
}

static void link_arrives(struct hs_world *w, uint64_t id, int dir)
{
    struct hs_link *l = hs_link(w, id);
    int from, to;
    struct hs_packet *pkt;

    if (!l)
        return;
    from = dir == 0 ? l->src : l->dst;
    to = dir == 0 ? l->dst : l->src;
    l->dir[dir].due = false;
    if (l->dir[dir].at == l->dir[dir].q.n)
        return;
    if (w->cut[from][to] > 0) {
        if (l->dir[dir].stuck_us == 0)
            l->dir[dir].stuck_us = w->now_us;
        if (w->now_us - l->dir[dir].stuck_us > 1500 * HS_MS) {
            hs_close(w, l);
            return;
        }
        l->dir[dir].due = true;
        hs_due(w, 20 * HS_MS, (struct hs_item){.kind = HD_LINK, .x = id, .y = (uint64_t)dir});
        return;
    }
    l->dir[dir].stuck_us = 0;
    pkt = l->dir[dir].q.at[l->dir[dir].at++];
    if (l->dir[dir].at == l->dir[dir].q.n) {
        l->dir[dir].at = 0;
        vec_clear(&l->dir[dir].q);
    } else {
        l->dir[dir].due = true;
        hs_due(w, rng_between(&w->rng, 10, 200), (struct hs_item){.kind = HD_LINK, .x = id, .y = (uint64_t)dir});
    }
    hs_give(w, &w->proc[to], (struct hs_item){.kind = IN_REPL, .x = id, .pkt = pkt});
}

/* --- processes -------------------------------------------------------------------------------- */

void hs_give(struct hs_world *w, struct hs_proc *p, struct hs_item it)
{
    if (!p->alive) {
        item_free(&it);
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
        item_free(&it);
    }
    p->running = false;
    if (did) {
        if (p->alive && p->node && !p->paused && !p->saving)
            hs_log_flush(w, p);
        set_timer(w, p);
    }
}

static void inbox_clear(struct hs_proc *p)
{
    for (size_t i = p->in_at; i < p->inbox.n; i++)
        item_free(&p->inbox.at[i]);
    p->in_at = 0;
    vec_clear(&p->inbox);
}

static bool apart(struct hs_world *w, int a, int b) { return w->cut[a][b] > 0 || w->cut[b][a] > 0; }

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
    inbox_clear(p);
    for (size_t i = 0; i < w->links.n; i++)
        if (w->links.at[i]->open && (w->links.at[i]->src == p->id || w->links.at[i]->dst == p->id))
            hs_close(w, w->links.at[i]);
    if (p->node)
        for (int v = 0; v < w->n_procs; v++)
            if (!w->proc[v].node && w->proc[v].v.links[p->id] != 0) {
                w->proc[v].v.links[p->id] = 0;
                hs_give(w, &w->proc[v], (struct hs_item){.kind = IN_NODE, .proc = p->id});
                if (!power && !apart(w, v, p->id))     /* the kernel closes the link; a host without power says nothing */
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

/* --- the world's own round: links come and go, health, clients ---------------------------------- */

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
            bool up = o->alive && !apart_long(w, v->id, o->id) && (v->v.peers[i] || !apart(w, v->id, o->id));
            if (up != v->v.peers[i]) {
                v->v.peers[i] = up;
                hs_give(w, v, (struct hs_item){.kind = IN_PEER, .proc = i, .yes = up});
            }
        } else if (v->v.links[i] == 0) {
            if (o->alive && !apart(w, v->id, o->id)) {
                v->v.links[i] = o->n.voter_link[v->id] = ++w->links_made;
                v->v.heard_us[i] = w->now_us;
                hs_give(w, o, (struct hs_item){.kind = IN_VOTER_UP, .proc = v->id, .x = v->v.links[i]});
                hs_give(w, v, (struct hs_item){.kind = IN_NODE, .proc = i, .yes = true});
            }
        } else if (apart_long(w, v->id, o->id)) {
            hs_give(w, o, (struct hs_item){.kind = IN_LINK_GONE, .x = v->v.links[i]});
            hs_give(w, v, (struct hs_item){.kind = IN_NODE, .proc = i});
            v->v.links[i] = o->n.voter_link[v->id] = 0;
        } else if (o->alive && !o->paused && !apart(w, v->id, o->id)) {
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
            n += !w->proc[i].node && (i == v->id || !apart(w, i, v->id)) && sees_down(w, &w->proc[i], node);
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

static bool is_dissolved(const struct hs_world *w)
{
    for (int i = 0; i < w->n_procs; i++)
        if (!w->proc[i].node && w->proc[i].v.has_kept && w->proc[i].v.kept.rec.dissolved)
            return true;
    return false;
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
        if (p->n.follows < 0 && (p->n.m.phase == MP_PLAIN || p->n.m.phase == MP_BOUND) && (!best || p->n.log.n > best->n.log.n))
            best = p;
    }
    for (int i = 0; best && i < w->n_procs; i++) {
        struct hs_proc *p = &w->proc[i];
        if (p->node && p != best && p->n.follows != best->id && member_takes_plain_orders(&p->n.m) && p->n.m.phase == MP_PLAIN && !p->paused &&
            !p->saving && p->n.next >= p->n.out.n)
            hs_node_role(w, p, best->id);
    }
}

static void form_turn(struct hs_world *w)
{
    struct hs_proc *v = &w->proc[rng_below(&w->rng, (uint64_t)w->sc.voters)];
    static struct formed_want want;
    struct formed_event *ev;

    for (int i = 0; i < w->n_procs; i++)
        if (w->proc[i].node && w->proc[i].n.opened_any)
            return;
    if (w->now_us < w->next_form_us || !v->alive)
        return;
    w->next_form_us = w->now_us + rng_between(&w->rng, 300, 1500) * HS_MS;
    want = (struct formed_want){.mode = w->sc.mode, .fsync = w->sc.fsync, .k = w->sc.k, .voters = w->sc.voters, .timing = w->sc.timing};
    ev = mem_alloc(sizeof *ev);
    *ev = (struct formed_event){.kind = FV_FORM, .want = &want, .ticket = hs_id(w)};
    hs_give(w, v, (struct hs_item){.kind = IN_ASK, .ask = ev});
}

/* All nodes had lost their memory: nobody was left to be let go. */
static void nobody_bound(struct hs_world *w)
{
    for (int i = 0; i < w->n_procs; i++)
        if (w->proc[i].node && w->proc[i].n.kept.gid != 0)
            return;
    if (w->sure.n > 0)
        hs_judge_released(w);
}

static void turn(struct hs_world *w)
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
            link_free(w->links.at[i]);
            vec_remove(&w->links, i);
        }
    hs_due(w, rng_between(&w->rng, 10, 30) * HS_MS, (struct hs_item){.kind = HD_TURN});
}

bool hs_next(struct hs_world *w)
{
    struct hs_item it;
    struct hs_proc *p;

    if (w->heap.n == 0)
        return false;
    it = pop(w);
    w->now_us = it.at_us;
    w->t.events++;
    p = &w->proc[it.proc];
    switch (it.kind) {
    case HD_PACKET:
        if (p->alive)
            hs_give(w, p, (struct hs_item){.kind = IN_MSG, .pkt = it.pkt}), it.pkt = NULL;
        break;
    case HD_LINK:
        link_arrives(w, it.x, (int)it.y);
        break;
    case HD_TIMER:
        if (p->alive && p->gen == it.gen && it.x == p->timer_seq)
            hs_give(w, p, (struct hs_item){.kind = IN_TICK});
        break;
    case HD_SAVED:
        if (p->alive && p->gen == it.gen) {
            if (p->node)
                hs_node_saved(w, p);
            else
                hs_voter_saved(w, p);
        }
        break;
    case HD_SYNCED:
        if (p->alive && p->gen == it.gen)
            hs_log_synced(w, p);
        break;
    case HD_START:
        if (!p->alive && p->gen == it.gen)
            hs_start(w, p);
        break;
    case HD_THAW:
        if (p->alive && p->gen == it.gen)
            p->paused = false;
        break;
    case HD_WAKE:
        if (p->alive && p->gen == it.gen)
            p->asleep = false;
        break;
    case HD_TURN:
        turn(w);
        break;
    case HD_REDIAL:
        if (!p->alive && !apart(w, (int)it.x, p->id) && w->proc[it.x].alive && w->proc[it.x].v.links[p->id] == 0)
            hs_give(w, &w->proc[it.x], (struct hs_item){.kind = IN_NODE, .proc = p->id, .refused = true});
        break;
    case HD_FAULT:
        hs_chaos_fault(w);
        break;
    case HD_FAULT_OVER:
        hs_chaos_over(w, &it);
        break;
    default:
        break;
    }
    item_free(&it);
    for (int again = 1; again && !w->violation[0];) {     /* whoever has something to do, until nobody has */
        again = 0;
        for (int i = 0; i < w->n_procs; i++) {
            struct hs_proc *q = &w->proc[i];
            if (q->alive && !q->paused && !q->saving && !q->asleep &&
                (q->in_at < q->inbox.n || q->crash_after == 0 ||
                 (q->node ? q->n.next < q->n.out.n : q->v.saved || q->v.next < q->v.out.list.n))) {
                hs_run_proc(w, q);
                again = 1;
            }
        }
    }
    hs_judge_step(w, NULL);
    return !w->violation[0];
}

/* --- begin and end --------------------------------------------------------------------------------- */

static void formed_already(struct hs_world *w)
{
    static struct ha_record r;
    const struct hs_scene *sc = &w->sc;
    int first = sc->voters + sc->spares;

    memset(&r, 0, sizeof r);
    r.gid = hs_id(w);
    r.born = 1;
    r.ballot = r.epoch = 2;
    r.mode = sc->mode;
    r.fsync = sc->fsync;
    r.k = sc->k;
    r.timing = sc->timing;
    r.n_members = sc->members;
    r.n_voters = sc->voters;
    for (int i = 0; i < sc->members; i++) {
        struct hs_proc *p = &w->proc[first + i];
        memcpy(r.member[i].id, p->name, ID_MAX);
        r.member[i].life = p->n.kept.life;
        r.member[i].addr = p->addr;
        r.member[i].priority = sc->priority[i] ? sc->priority[i] : i == 1 ? 50 : 100;
    }
    for (int i = 0; i < sc->voters; i++) {
        memcpy(r.voter[i].id, w->proc[i].name, ID_MAX);
        r.voter[i].life = w->proc[i].v.life;
        r.voter[i].addr = w->proc[i].addr;
    }
    memcpy(r.primary, w->proc[first].name, ID_MAX);
    r.incarnation = hs_id(w);
    for (int i = 0; i < sc->voters; i++) {
        struct voter_facts *f = &w->proc[i].v.kept;
        w->proc[i].v.has_kept = true;
        f->life = w->proc[i].v.life;
        f->promised = 2;
        f->rec = r;
        f->promise_max_ms = sc->timing.promise_ms;
    }
    for (int i = 0; i < sc->nodes; i++) {
        struct hs_proc *p = &w->proc[first + i];
        vec_push(&p->n.log, ((struct hs_entry){1, 0}));
        if (i >= sc->members)
            continue;
        p->n.kept.gid = r.gid;
        p->n.kept.bound_ballot = 1;
        memcpy(p->n.kept.bound_primary, w->proc[first].name, ID_MAX);
        p->n.kept.bound_primary_life = w->proc[first].n.kept.life;
        p->n.kept.used = true;
        p->n.kept.sealed = 2;
        p->n.kept.promise_max_ms = sc->timing.promise_ms;
        vec_push(&p->n.log, ((struct hs_entry){2, 0}));
    }
    for (int i = 0; i < sc->nodes; i++)
        w->proc[first + i].n.synced = (int64_t)w->proc[first + i].n.log.n;
}

void hs_begin(struct hs_world *w, uint64_t seed, const struct hs_scene *sc)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->sc = *sc;
    w->ids = 10;
    rng_seed(&w->rng, seed * 2654435761u + 17);
    w->n_procs = sc->voters + sc->spares + sc->nodes;
    for (int i = 0; i < w->n_procs; i++) {
        struct hs_proc *p = &w->proc[i];
        char host[32];
        p->id = i;
        p->node = i >= sc->voters + sc->spares;
        p->crash_after = -1;
        snprintf(p->name, sizeof p->name, "%c%d", p->node ? 'n' : 's', p->node ? i - sc->voters - sc->spares : i);
        snprintf(host, sizeof host, "10.0.0.%d", i + 1);
        addr_set(&p->addr, host, strlen(host), p->node ? 6379 : 26379);
        drift_init(&p->clock, rng_between(&w->rng, 100000, 200000), (int32_t)rng_between(&w->rng, -9900, 9900));
        formed_out_init(&p->v.out);
        p->v.life = p->n.kept.life = hs_id(w);
        p->n.synced = 0;
        memcpy(p->n.kept.id, p->name, ID_MAX);
        p->n.memory_only = sc->memory_only;
        p->n.follows = -1;
        if (sc->cold && p->node && i == sc->voters + sc->spares)
            for (int e = 0; e < 5; e++)
                vec_push(&p->n.log, ((struct hs_entry){0, ++w->values}));
        if (p->node && !sc->cold && (!sc->formed || i - sc->voters - sc->spares >= sc->members))
            p->n.follows = i == sc->voters + sc->spares ? -1 : sc->voters + sc->spares;
    }
    if (sc->formed)
        formed_already(w);
    for (int i = 0; i < w->n_procs; i++)
        hs_due(w, rng_between(&w->rng, 0, 50) * HS_MS, (struct hs_item){.kind = HD_START, .proc = i, .gen = 0});
    hs_due(w, 60 * HS_MS, (struct hs_item){.kind = HD_TURN});
    w->next_form_us = 400 * HS_MS;
}

void hs_end(struct hs_world *w)
{
    for (int i = 0; i < w->n_procs; i++) {
        struct hs_proc *p = &w->proc[i];
        if (p->alive && !p->node)
            hs_voter_stop(w, p);
        if (p->alive && p->node)
            hs_node_stop(w, p, false);
        inbox_clear(p);
        vec_fini(&p->inbox);
        formed_out_fini(&p->v.out);
        vec_fini(&p->n.log);
        vec_fini(&p->n.waits);
        hs_packet_free(p->n.full);
    }
    for (size_t i = 0; i < w->links.n; i++)
        link_free(w->links.at[i]);
    for (size_t i = 0; i < w->heap.n; i++)
        item_free(&w->heap.at[i]);
    hs_rules_end(w);
    vec_fini(&w->links);
    vec_fini(&w->heap);
    vec_fini(&w->pasts);
    vec_fini(&w->forced);
    vec_fini(&w->told);
    vec_fini(&w->sure);
    vec_fini(&w->sure_in);
    vec_fini(&w->owners);
    vec_fini(&w->votes);
}
