/* A data node of a formed group: the real member, its orders carried out one by one, its
 * small disk (facts), clients' commands and the replies that wait. */
#include "tests/sim/ha_sim.h"

#include "common/base/mem.h"

#include <string.h>

void hs_node_start(struct hs_world *w, struct hs_proc *p)
{
    struct hs_node *n = &p->n;

    if (p->disk_lost || (n->memory_only && p->gen > 1)) {
        struct member_facts fresh;
        memset(&fresh, 0, sizeof fresh);
        memcpy(fresh.id, p->name, ID_MAX);
        fresh.life = hs_id(w);
        if (!p->disk_lost) {       /* the data is gone, the node's own state is not */
            fresh = n->kept;
            fresh.life = hs_id(w);
        }
        n->kept = fresh;
        vec_clear(&n->log);
        n->synced = 0;
        w->t.amnesias++;
    }
    memset(&n->out, 0, sizeof n->out);
    n->next = 0;
    n->syncing = -1;
    n->confirmed = -1;
    n->told = -1;
    n->up = 0;
    n->streaming = n->fetching = false;
    n->take_link = 0;
    hs_packet_free(n->full);
    n->full = NULL;
    n->kept.waits_for_group = w->sc.cold || w->sc.ha_group;
    if (n->kept.gid != 0 || n->kept.waits_for_group)
        n->follows = -1;
    if (n->kept.gid == 0)
        n->opened_any = false;
    vec_clear(&n->waits);
    memset(n->voter_link, 0, sizeof n->voter_link);
    n->plain_order = n->kept.gid == 0 && n->follows >= 0;
    member_init(&n->m, &n->kept, hs_id(w), hs_now(w, p));
    hs_give(w, p, (struct hs_item){.kind = IN_ROLE});
    hs_give(w, p, (struct hs_item){.kind = IN_LOG});
}

void hs_node_role(struct hs_world *w, struct hs_proc *p, int follows)
{
    hs_trace(w, "%s obeys a plain order: follow %s", p->name, follows >= 0 ? w->proc[follows].name : "nobody");
    hs_log_leave(w, p, false);
    p->n.follows = follows;
    p->n.plain_order = true;
    hs_give(w, p, (struct hs_item){.kind = IN_ROLE});
}

void hs_node_stop(struct hs_world *w, struct hs_proc *p, bool power)
{
    struct hs_node *n = &p->n;

    if (p->saving && rng_chance(&w->rng, 500))
        n->kept = n->coming;
    w->t.unconfirmed += n->waits.n;
    vec_clear(&n->waits);
    n->out.n = n->next = 0;
    if (power && !n->memory_only && n->synced < (int64_t)n->log.n) {
        n->log.n = (size_t)n->synced;
        if (!w->sc.fsync)
            p->disk_lost = true;       /* it cannot prove that it has everything it ever acknowledged */
    }
}

/* A stream or a copy whose save failed counts as refused: nothing more is taken over that link. */
static void not_let_in(struct hs_world *w, struct hs_proc *p)
{
    struct hs_link *l = hs_link(w, p->n.full ? p->n.up : p->n.take_link);

    if (l && (p->n.full || p->n.take_link))
        hs_close(w, l);
    p->n.take_link = 0;
    hs_packet_free(p->n.full);
    p->n.full = NULL;
}

void hs_node_saved(struct hs_world *w, struct hs_proc *p)
{
    p->saving = false;
    w->t.saves++;
    if (p->save_fails) {
        p->save_fails = false;
        w->t.save_fails++;
        hs_trace(w, "%s save failed", p->name);
        p->n.out.n = p->n.next = 0;
        not_let_in(w, p);
        hs_node_step(w, p, &(struct member_event){.kind = ME_SAVE_FAILED});
        return;
    }
    p->n.kept = p->n.coming;
    hs_judge_step(w, p);
}

void hs_node_step(struct hs_world *w, struct hs_proc *p, struct member_event *ev)
{
    enum ha_node_state was = p->n.m.state;
    uint64_t sealed = p->n.m.f.sealed;

    CHECK(p->n.next >= p->n.out.n);
    p->n.next = 0;
    member_step(&p->n.m, ev, hs_now(w, p), &p->n.out);
    if (p->n.m.f.gid != 0)
        p->n.last_gid = p->n.m.f.gid;
    if (ev->kind == ME_MSG && ev->msg->kind == HA_SEAL && p->n.m.f.sealed == ev->msg->ballot && p->n.m.f.gid == ev->msg->gid &&
        p->n.m.state != HA_PRIMARY)
        hs_judge_sealed(w, p, ev->msg);
    if (was != p->n.m.state || sealed != p->n.m.f.sealed)
        hs_trace(w, "%s is %s, sealed %llu, epoch %llu, log %llu:%lld%s%s", p->name, ha_node_state_name(p->n.m.state),
                 (unsigned long long)p->n.m.f.sealed, (unsigned long long)p->n.m.epoch,
                 (unsigned long long)hs_end_of(&p->n.log).epoch, (long long)p->n.log.n, p->n.out.because ? " - " : "",
                 p->n.out.because ? p->n.out.because : "");
}

static void reply(struct hs_world *w, struct hs_proc *p, const struct hs_wait *r)
{
    if (p->n.m.epoch < w->forced_epoch)
        return;
    if (!r->read) {
        w->t.acked++;
        if (r->offset > w->sure_writes)
            w->sure_writes = r->offset;
        return;
    }
    if (!member_lease_valid(&p->n.m, hs_now(w, p))) {
        w->t.unconfirmed++;
        return;
    }
    w->t.reads++;
    if (r->offset < r->need && !w->sc.bad_clocks && r->dissolves == w->dissolves && p->n.m.epoch >= w->forced_epoch)
        hs_violation(w, "%s answered a read with %lld entries; %lld were told to clients before it was asked", p->name,
                     (long long)r->offset, (long long)r->need);
    int64_t last = r->offset;      /* what it saw is told, markers are not */
    while (last > 0 && p->n.log.at[last - 1].value == 0)
        last--;
    if (last > w->sure_writes)
        w->sure_writes = last;
}

static void confirmed(struct hs_world *w, struct hs_proc *p, int64_t offset)
{
    struct hs_node *n = &p->n;
    size_t keep = 0;

    if (offset > (int64_t)n->log.n) {
        hs_violation(w, "%s confirms %lld, its log ends at %lld", p->name, (long long)offset, (long long)n->log.n);
        return;
    }
    if (offset > n->confirmed)
        n->confirmed = offset;
    hs_judge_confirmed(w, p, offset);
    for (size_t i = 0; i < n->waits.n; i++) {
        if (n->waits.at[i].offset <= offset)
            reply(w, p, &n->waits.at[i]);
        else
            n->waits.at[keep++] = n->waits.at[i];
    }
    n->waits.n = keep;
}

/* --- orders, carried out one by one ------------------------------------------------------------------------- */

typedef void order(struct hs_world *w, struct hs_proc *p, struct member_order *o);

static void do_save(struct hs_world *w, struct hs_proc *p, struct member_order *o)
{
    (void)o;
    p->n.coming = p->n.m.f;
    p->saving = true;
    hs_due(w, hs_save_us(w), (struct hs_item){.kind = HD_SAVED, .proc = p->id, .gen = p->gen});
}

static void do_send(struct hs_world *w, struct hs_proc *p, struct member_order *o)
{
    struct hs_link *l;
    int to;

    for (int v = 0; v < w->n_procs; v++)
        if (!w->proc[v].node && p->n.voter_link[v] == o->link && o->link != 0) {
            hs_datagram(w, p->id, v, &o->msg);
            hs_chaos_sent(w, p, &o->msg);
            return;
        }
    l = hs_link(w, o->link);
    if (!l)
        return;
    to = l->src == p->id ? l->dst : l->src;
    if (hs_ruled(w, p->id, to, &o->msg))
        return;
    if (o->msg.kind == HA_STREAM && l->src == p->id)
        l->may_stream = true;
    hs_repl(w, l, l->src == p->id ? 0 : 1, hs_packet(PK_MSG, p->id, to, &o->msg));
}

static void do_fence(struct hs_world *w, struct hs_proc *p, struct member_order *o)
{
    struct hs_node *n = &p->n;

    (void)o;
    n->plain_order = false;
    hs_log_leave(w, p, true);
    n->follows = -1;
    n->fetching = false;
    n->synced = (int64_t)n->log.n;
    hs_give(w, p, (struct hs_item){.kind = IN_LOG});
}

static void do_follow(struct hs_world *w, struct hs_proc *p, struct member_order *o)
{
    struct hs_node *n = &p->n;

    n->plain_order = n->fetching = false;
    if (n->follows >= 0 && n->follows == hs_by_addr(w, &o->addr))
        return;                    /* it does, or dials */
    hs_log_leave(w, p, true);
    n->follows = hs_by_addr(w, &o->addr);
    hs_trace(w, "%s follows %s, epoch %llu", p->name, n->follows >= 0 ? w->proc[n->follows].name : "?", (unsigned long long)o->epoch);
}

static void do_lead(struct hs_world *w, struct hs_proc *p, struct member_order *o)
{
    struct hs_node *n = &p->n;

    n->fetching = false;
    hs_log_leave(w, p, false);
    n->follows = -1;
    n->confirmed = -1;
    n->opened_any = true;
    hs_judge_opens(w, p, o->epoch);
    w->t.opened++;
    if (!PLANT(NO_MARKER))
        vec_push(&n->log, ((struct hs_entry){o->epoch, 0}));
    hs_trace(w, "%s opens epoch %llu at %lld", p->name, (unsigned long long)o->epoch, (long long)n->log.n);
    for (size_t i = 0; i < w->links.n; i++)
        if (w->links.at[i]->src == p->id && !w->links.at[i]->fetch)
            w->links.at[i]->may_stream = false;    /* until the member says HA_STREAM on it */
    hs_give(w, p, (struct hs_item){.kind = IN_LOG});
}

static void do_fetch(struct hs_world *w, struct hs_proc *p, struct member_order *o)
{
    p->n.fetching = true;
    p->n.fetch_from = hs_by_addr(w, &o->addr);
    p->n.fetch_pos = o->pos;
    p->n.fetch_ballot = o->epoch;
    p->n.fetch_until_us = w->now_us + 1000 * HS_MS;
    w->t.fetches++;
}

static void do_confirmed(struct hs_world *w, struct hs_proc *p, struct member_order *o) { confirmed(w, p, o->pos.offset); }

static void do_give_up(struct hs_world *w, struct hs_proc *p, struct member_order *o)
{
    (void)o;
    w->t.unconfirmed += p->n.waits.n;
    vec_clear(&p->n.waits);
}

static void do_released(struct hs_world *w, struct hs_proc *p, struct member_order *o)
{
    (void)o;
    p->n.opened_any = false;
    p->n.plain_order = p->n.follows >= 0;      /* it goes on following, as a plain replica */
    hs_judge_released(w, p->n.last_gid);
}

static order *const orders[MO_KINDS] = {
    [MO_SAVE] = do_save, [MO_SEND] = do_send, [MO_FENCE] = do_fence, [MO_FOLLOW] = do_follow, [MO_LEAD] = do_lead,
    [MO_FETCH] = do_fetch, [MO_CONFIRMED] = do_confirmed, [MO_GIVE_UP_WAITERS] = do_give_up, [MO_RELEASED] = do_released,
};

/* Once a list is through: what it let in begins. */
static bool begin_to_take(struct hs_world *w, struct hs_proc *p)
{
    struct hs_node *n = &p->n;
    struct hs_link *l = n->take_link != 0 ? hs_link(w, n->take_link) : NULL;
    struct hs_packet *full = n->full;

    if (l)
        l->taking = true;
    n->take_link = 0;
    if (!full)
        return false;
    n->full = NULL;
    hs_log_replace(w, p, full);
    hs_packet_free(full);
    return true;
}

bool hs_node_carry(struct hs_world *w, struct hs_proc *p)
{
    struct member_order *o;

    if (p->n.next >= p->n.out.n)
        return begin_to_take(w, p);
    o = &p->n.out.at[p->n.next++];
    if (orders[o->kind])
        orders[o->kind](w, p, o);
    return true;
}

/* --- events ---------------------------------------------------------------------------------------------------- */

static void client(struct hs_world *w, struct hs_proc *p, const struct hs_item *it)
{
    struct hs_node *n = &p->n;
    struct hs_wait wait = {.read = it->kind == IN_READ, .value = it->x, .need = it->z, .dissolves = it->y};
    int64_t now = hs_now(w, p);

    if (!n->opened_any && n->m.state != HA_PRIMARY) {      /* a plain primary takes writes, unheld */
        if (n->follows < 0 && n->m.state == HA_PLAIN && !wait.read && rng_chance(&w->rng, 100))
            vec_push(&n->log, ((struct hs_entry){0, wait.value}));
        return;
    }
    if (n->m.state != HA_PRIMARY || !(wait.read ? member_lease_valid(&n->m, now) : member_may_write(&n->m, now))) {
        w->t.refused++;
        return;
    }
    if (!wait.read) {
        vec_push(&n->log, ((struct hs_entry){n->m.epoch, wait.value}));
        w->t.writes++;
    }
    wait.offset = (int64_t)n->log.n;
    if (!member_holds_replies(&n->m)) {
        if (!wait.read)
            hs_judge_told(w, p, wait.value);
        return;
    }
    if (wait.read && n->confirmed >= wait.offset)
        reply(w, p, &wait);
    else
        vec_push(&n->waits, wait);
}

/* Who it is about, as the member is told. */
static void about(const struct hs_world *w, struct member_event *ev, const struct hs_item *it)
{
    const struct hs_proc *o = &w->proc[it->proc];

    ev->link = it->x;
    ev->id = o->name;
    ev->life = o->node ? o->n.kept.life : o->v.life;
}

static void say_msg(struct member_event *ev, uint64_t link, const struct ha_msg *m)
{
    ev->kind = ME_MSG;
    ev->msg = m;
    ev->link = link;
    ev->id = m->from;
    ev->life = m->life;
}

/* false: it is the log's business, or nobody's. */
static bool over_replication(struct hs_world *w, struct hs_proc *p, const struct hs_item *it, struct member_event *ev)
{
    struct hs_link *l = hs_link(w, it->x);

    if (!l)
        return false;
    if (it->pkt->what != PK_MSG) {
        hs_log_take(w, p, l, it->pkt);
        return false;
    }
    say_msg(ev, l->id, &it->pkt->msg);
    if (ev->msg->kind != HA_STREAM || l->dst != p->id)
        return true;
    if (p->n.up != l->id)
        return false;
    ev->kind = ME_STREAM;
    hs_node_step(w, p, ev);
    if (p->n.out.refused)
        hs_close(w, l);
    else
        p->n.take_link = l->id;
    return false;
}

static void tell_role(const struct hs_world *w, const struct hs_node *n, struct member_event *ev)
{
    ev->kind = ME_ROLE;
    ev->id = n->follows >= 0 ? w->proc[n->follows].name : "";
    if (n->follows >= 0)
        ev->addr = w->proc[n->follows].addr;
}

static void tell_log(const struct hs_world *w, struct hs_node *n, struct member_event *ev)
{
    ev->kind = ME_LOG;
    ev->pos = hs_end_of(&n->log);
    ev->durable = w->sc.fsync ? n->synced : (int64_t)n->log.n;
    n->told = (int64_t)n->log.n;
}

/* false: nothing that the member hears of. */
static bool make_event(struct hs_world *w, struct hs_proc *p, const struct hs_item *it, struct member_event *ev)
{
    static const enum member_event_kind simple[] = {
        [IN_VOTER_UP] = ME_VOTER_UP, [IN_LINK_GONE] = ME_LINK_GONE, [IN_REPLICA_UP] = ME_REPLICA_UP, [IN_FOLLOWS] = ME_FOLLOWS,
        [IN_FETCHED] = ME_FETCHED, [IN_HEALTH] = ME_HEALTH, [IN_LEAVE] = ME_LEAVE,
    };
    struct hs_node *n = &p->n;

    switch (it->kind) {
    case IN_MSG:
        say_msg(ev, n->voter_link[it->pkt->from], &it->pkt->msg);
        return ev->link != 0;
    case IN_REPL:
        return over_replication(w, p, it, ev);
    case IN_VOTER_UP:
        if (n->voter_link[it->proc] != it->x)
            return false;
        break;
    case IN_ROLE:
        tell_role(w, n, ev);
        return true;
    case IN_LOG:
        tell_log(w, n, ev);
        return true;
    case IN_WRITE:
    case IN_READ:
        client(w, p, it);
        return false;
    default:
        break;
    }
    if (it->kind != IN_TICK) {
        ev->kind = simple[it->kind];
        ev->yes = it->yes;
        if (it->kind == IN_VOTER_UP || it->kind == IN_LINK_GONE || it->kind == IN_REPLICA_UP || it->kind == IN_FOLLOWS)
            about(w, ev, it);
        if (it->kind == IN_FETCHED)
            ev->pos = hs_end_of(&n->log);
    }
    return true;
}

void hs_node_take(struct hs_world *w, struct hs_proc *p, const struct hs_item *it)
{
    struct member_event ev = {.kind = ME_TICK, .fresh_life = hs_id(w)};

    if (make_event(w, p, it, &ev))
        hs_node_step(w, p, &ev);
}
