/* A sentinel of a formed group: the real door, its list carried out in order, its disk. */
#include "tests/sim/ha_sim.h"

#include "common/base/mem.h"

#include <string.h>

static int seals(const struct lead *l)
{
    int n = 0;

    for (size_t i = 0; i < l->seals.n; i++)
        n += l->seals.at[i].counted;
    return n;
}

static void step(struct hs_world *w, struct hs_proc *p, const struct formed_event *ev)
{
    const struct lead *l;

    formed_out_clear(&p->v.out);
    p->v.next = 0;
    formed_step(p->v.f, ev, hs_now(w, p), &p->v.out);
    l = formed_lead(p->v.f);
    if (l->state != p->v.last_state) {
        hs_trace(w, "%s leads %llu: %s %s", p->name, (unsigned long long)l->ballot, lead_purpose_name(l->want.purpose), lead_state_name(l->state));
        if (l->state == LD_VOTING)
            w->t.elections++;
        w->t.named += l->state == LD_BINDING_PRIMARY && l->want.purpose == LEAD_FORM && l->want.node[0] != '\0';
        w->t.by_force += l->state == LD_BINDING_PRIMARY && l->next.dissolved && l->want.force && (l->next.change == 0 || l->few_voters);
        p->v.last_state = l->state;
        hs_chaos_stepped(w, p);
    }
    if (l->state != LD_IDLE && l->want.purpose == LEAD_RELEASE && l->want.target.dissolved)
        w->gone_gid = l->want.target.gid;
    if (l->state >= LD_STORING && l->want.purpose == LEAD_FORCE && seals(l) < ha_seals_needed(&l->base))
        hs_judge_forces(w, l->ballot);
    for (size_t i = 0; i < l->votes.n; i++)
        if (l->state > LD_VOTING && l->votes.at[i].granted && strcmp(l->votes.at[i].id, p->name) == 0)
            hs_judge_voted(w, l->votes.at[i].life, l->ballot, p->name);
}

void hs_voter_start(struct hs_world *w, struct hs_proc *p)
{
    struct formed_self self;

    memset(&self, 0, sizeof self);
    memcpy(self.id, p->name, ID_MAX);
    self.addr = p->addr;
    if (p->disk_lost) {
        p->v.has_kept = false;
        p->v.life = hs_id(w);
    }
    p->v.f = formed_new(&self, p->v.has_kept ? &p->v.kept : NULL, p->v.life, rng_u64(&w->rng), hs_now(w, p));
    p->v.odown = p->v.saved = false;
    p->v.last_state = LD_IDLE;
    memset(p->v.links, 0, sizeof p->v.links);
    memset(p->v.peers, 0, sizeof p->v.peers);
    for (int i = 0; i < w->n_procs; i++)       /* whom its configuration knows */
        if (i != p->id)
            hs_give(w, p, (struct hs_item){.kind = w->proc[i].node ? IN_NODE : IN_PEER, .proc = i});
}

void hs_voter_stop(struct hs_world *w, struct hs_proc *p)
{
    if (p->saving && rng_chance(&w->rng, 500)) {
        p->v.kept = p->v.coming;
        p->v.has_kept = true;
    }
    formed_out_clear(&p->v.out);
    p->v.next = 0;
    formed_free(p->v.f);
    p->v.f = NULL;
}

void hs_voter_saved(struct hs_world *w, struct hs_proc *p)
{
    p->saving = false;
    w->t.saves++;
    if (p->save_fails) {
        p->save_fails = false;
        w->t.save_fails++;
        hs_trace(w, "%s save failed", p->name);
        p->v.saved = false;
        formed_out_clear(&p->v.out);
        p->v.next = 0;
        step(w, p, &(struct formed_event){.kind = FV_SAVE_FAILED});
        return;
    }
    p->v.kept = p->v.coming;
    p->v.has_kept = true;
    hs_judge_step(w, p);
}

bool hs_voter_carry(struct hs_world *w, struct hs_proc *p)
{
    struct formed_action *a;
    int to;

    if (p->v.next >= p->v.out.list.n) {
        if (!p->v.saved)
            return false;
        p->v.saved = false;
        step(w, p, &(struct formed_event){.kind = FV_SAVED});
        return true;
    }
    a = &p->v.out.list.at[p->v.next++];
    switch (a->kind) {
    case FA_SAVE:
        p->v.saved = true;
        p->v.coming = *formed_facts(p->v.f);
        p->saving = true;
        hs_due(w, hs_save_us(w), (struct hs_item){.kind = HD_SAVED, .proc = p->id, .gen = p->gen});
        break;
    case FA_TO_PEER:
    case FA_TO_NODE:
        to = hs_by_name(w, a->id);
        if (to < 0 || (a->kind == FA_TO_NODE && p->v.links[to] == 0))
            break;
        if (a->msg->kind == HA_VOTED && a->msg->ok)
            hs_judge_voted(w, a->msg->life, a->msg->ballot, a->id);
        if (a->msg->kind == HA_RECORD && a->msg->rec)
            hs_judge_record(w, p, a->msg->rec);
        hs_datagram(w, p->id, to, a->msg);
        hs_chaos_sent(w, p, a->msg);
        break;
    case FA_PRIMARY:
        hs_trace(w, "%s: clients go to %s, epoch %llu", p->name, a->id, (unsigned long long)a->epoch);
        break;
    case FA_REPLY:
        hs_trace(w, "%s answers %llu: %s %s", p->name, (unsigned long long)a->ticket, a->ok ? "OK" : "ERR", a->text ? a->text : "");
        break;
    case FA_NEWS:
    case FA_JOURNAL:
    case FA_TRACE:
        hs_trace(w, "%s %s: %s", p->name, a->kind == FA_NEWS ? "news" : a->kind == FA_JOURNAL ? "journal" : "trace", a->text ? a->text : "");
        break;
    }
    return true;
}

void hs_voter_take(struct hs_world *w, struct hs_proc *p, const struct hs_item *it)
{
    const struct hs_proc *o = &w->proc[it->proc];
    struct formed_event ev = {.kind = FV_TICK};

    switch (it->kind) {
    case IN_MSG:
        ev.kind = FV_MSG;
        ev.msg = &it->pkt->msg;
        p->v.heard_us[it->pkt->from] = w->now_us;
        break;
    case IN_PEER:
    case IN_NODE:
        ev.kind = it->kind == IN_PEER ? FV_PEER : FV_NODE;
        ev.id = o->name;
        ev.addr = o->addr;
        ev.yes = it->yes;
        ev.refused = it->refused;
        break;
    case IN_ODOWN:
        ev.kind = FV_ODOWN;
        ev.yes = it->yes;
        break;
    case IN_EVIDENCE:
        ev.kind = FV_EVIDENCE;
        ev.epoch = it->x;
        ev.id = o->name;
        hs_trace(w, "%s has evidence: epoch %llu is over", p->name, (unsigned long long)it->x);
        break;
    case IN_ASK:
        ev = *it->ask;
        hs_trace(w, "%s is asked: %d %s %s", p->name, (int)ev.kind, ev.id ? ev.id : "", ev.id2 ? ev.id2 : "");
        break;
    default:
        break;
    }
    step(w, p, &ev);
}
