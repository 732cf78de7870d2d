/* The network of a formed group: datagrams that are lost, late or doubled, and replication links,
 * which keep order. */
#include "tests/sim/ha_world_inside.h"

#include "common/base/mem.h"

#include <string.h>

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

void hs_link_free(struct hs_link *l)
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

void hs_link_arrives(struct hs_world *w, uint64_t id, int dir)
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
