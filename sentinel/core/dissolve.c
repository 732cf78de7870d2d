/* The last record of a group's id: stored like any other, then the nodes are let go (form.c), the
 * primary first (R0). An operator may have it done without those that cannot be heard. What
 * holds then, and is asked before anything is stored:
 *
 *   the record       of a majority of V; or V has no majority left because memories are lost, not
 *                    because links are down: each sentinel of V is at hand, with its life or with
 *                    another one, or another sentinel stands at its address; every node is at hand
 *                    too, and none that serves knows a newer record
 *   the primary      is let go first if it is heard. If not: fewer members than make a lease or a
 *                    confirmation are left with it (k others; async: all others), so that what it
 *                    does from now on is confirmed to nobody; voters that take the last record renew no lease, so
 *                    it may answer (async writes, reads) for at most the length of its lease
 *   those not heard  stay as they are, in the old id: fenced after a start, and without a lease at
 *                    once. They do not stand in the last record and nobody lets them go before
 *                    an operator says FORCE again, for what they have may contradict what the
 *                    plain group has done since
 *
 * Every confirmed write is then on a node that was let go: it is on k + 1 members, and at most k
 * of them were not heard. What the plain group does with it is a plain group's (R0). */
#include "common/base/check.h"
#include "sentinel/core/lead_inside.h"

#include <string.h>

static bool at_hand(const struct formed_node *n) { return n && n->up && n->status.kind == HA_STATUS; }

/* It answers, and is bound to this id. */
static bool held(const struct formed_node *n, const struct ha_record *r) { return at_hand(n) && n->status.gid == r->gid; }

/* Members of whose memory nobody knows what it does, or that is another one than the record's. */
static int missing(const struct formed *f, const struct ha_record *r)
{
    int n = 0;

    for (int i = 0; i < r->n_members; i++) {
        const struct formed_node *m = formed_node((struct formed *)f, r->member[i].id);
        n += !at_hand(m) || m->status.life != r->member[i].life;
    }
    return n;
}

static bool any_held(const struct formed *f, const struct ha_record *r)
{
    for (size_t i = 0; i < f->nodes.n; i++)
        if (held(&f->nodes.at[i], r))
            return true;
    return false;
}

const char *dissolve_lacks(const struct formed *f, const struct ha_record *own, bool force)
{
    int unheard = 0;

    if (own->dissolved)
        return any_held(f, own) ? NULL : "NOTFORMED This group is plain, and no node that is heard was left out";
    for (int i = 0; i < own->n_members; i++)
        unheard += !at_hand(formed_node((struct formed *)f, own->member[i].id));
    if (!force)
        return unheard == 0 ? NULL : "NOTATHAND A node of the group cannot be heard: bring it back or drop it (SENTINEL DROP), fail over if it is "
                                     "the primary; or SENTINEL DISSOLVE <group> FORCE: what only such nodes have is then left out";
    if (!at_hand(formed_node((struct formed *)f, own->primary)) && missing(f, own) > ha_promises_needed(own))
        return "ERR The primary and so many others cannot be heard that they may go on as this group among themselves: bring one of "
               "them back, or stop them and SENTINEL FAILOVER <group> FORCE 0 TO <host> <port> first";
    return NULL;
}

bool dissolve_left_out(const struct ha_record *own, const char *id)
{
    return own->dissolved && own->change == 0 && !ha_member(own, id);
}

/* --- the last record ------------------------------------------------------------------------------------ */

static void seat_of(const struct formed_node *n, struct ha_member *m)
{
    memset(m, 0, sizeof *m);
    memcpy(m->id, n->id, sizeof m->id);
    m->life = n->status.life;
    m->addr = n->addr;
    m->priority = 100;
    m->last = n->status.pos;
}

/* The members are whoever is heard and bound to the id, the longest of them stands for the primary: it is let go first. */
static bool only_those_heard(const struct formed *f, struct ha_record *r)
{
    const struct ha_member *best = NULL;
    const struct formed_node *n;

    r->n_members = 0;
    for (size_t i = 0; i < f->nodes.n && r->n_members < HA_MEMBERS_MAX; i++) {
        n = &f->nodes.at[i];
        if (held(n, r) && n->status.life != 0 && n->status.incarnation != 0)
            seat_of(n, &r->member[r->n_members++]);
    }
    for (int i = 0; i < r->n_members; i++)
        if (!best || ha_position_cmp(r->member[i].last, best->last) > 0)
            best = &r->member[i];
    if (!best)
        return false;
    n = formed_node((struct formed *)f, best->id);
    memcpy(r->primary, best->id, sizeof r->primary);
    r->incarnation = n->status.incarnation;
    r->k = r->n_members > 1 ? (r->k < 1 ? 1 : r->k > r->n_members - 1 ? r->n_members - 1 : r->k) : 0;
    return true;
}

static void say_left_out(struct formed *f, const struct ha_record *was, const struct ha_record *r)
{
    for (int i = 0; i < was->n_members; i++)
        if (!ha_member(r, was->member[i].id))
            formed_journal(f, "left out: %.8s was not heard; what only it has is not in the plain group. It stays fenced until "
                              "SENTINEL DISSOLVE <group> FORCE is said again while it is there", was->member[i].id);
    formed_journal(f, "the longest log of those heard is that of %.8s, up to (%llu, %lld)", r->primary,
                   (unsigned long long)ha_member(r, r->primary)->last.epoch, (long long)ha_member(r, r->primary)->last.offset);
}

void dissolve_store(struct formed *f)
{
    struct lead *l = &f->lead;
    const struct formed_node *p;

    l->next = l->base;
    l->next.ballot = l->ballot;
    l->next.change = l->base.dissolved && l->base.change == 0 ? 0 : 1;     /* said again: who was left out stays so */
    l->next.dissolved = true;
    for (size_t i = 0; i < l->votes.n; i++)
        l->votes.at[i].stored = false;
    p = formed_node(f, l->base.primary);
    if (l->want.force && (l->base.dissolved || !at_hand(p))) {
        l->lacks = dissolve_lacks(f, &l->base, true);
        if (!l->lacks && !only_those_heard(f, &l->next))
            l->lacks = "nobody of the group is heard: there is nobody to let go";
        if (l->lacks) {
            l->refused = true;
            return;
        }
        l->next.change = 0;
        say_left_out(f, &l->base, &l->next);
    }
    lead_store(f);
}

/* --- memories lost ----------------------------------------------------------------------------------------- */

/* Nobody that is at hand knows of anything newer, and everybody is. */
static const char *not_whole_or_old(const struct formed *f, const struct ha_record *top)
{
    static const char missing_node[] = "V has no majority left, and not every node is at hand: one that is not may serve this group";

    for (int i = 0; i < top->n_members; i++)
        if (!at_hand(formed_node((struct formed *)f, top->member[i].id)))
            return missing_node;
    for (size_t i = 0; i < f->nodes.n; i++) {
        if (!at_hand(&f->nodes.at[i]))
            return missing_node;
        if (held(&f->nodes.at[i], top) && f->nodes.at[i].status.promised > top->ballot && f->nodes.at[i].status.state != HA_FENCED)
            return "V has no majority left, and a node knows a newer record than any sentinel does: stop the nodes, start them again "
                   "(they wait fenced) and say it once more";
    }
    return NULL;
}

static bool has_voted(const struct formed *f, const struct ha_voter *v)
{
    for (size_t k = 0; k < f->lead.votes.n; k++)
        if (f->lead.votes.at[k].granted && f->lead.votes.at[k].life == v->life && strcmp(f->lead.votes.at[k].id, v->id) == 0)
            return true;
    return false;
}

/* This sentinel is there with another memory, or another one stands where it stood: what it held is gone. */
static bool is_lost(const struct formed *f, const struct ha_voter *v)
{
    if (strcmp(v->id, f->self.id) == 0)
        return f->voter.f.life != v->life;
    if (addr_is_set(&v->addr) && addr_equal(&v->addr, &f->self.addr))
        return true;
    for (size_t i = 0; i < f->peers.n; i++) {
        const struct formed_peer *p = &f->peers.at[i];
        bool same = strcmp(p->id, v->id) == 0;
        if (p->up && p->alive.kind == HA_ALIVE && (same ? p->alive.life != v->life : addr_is_set(&v->addr) && addr_equal(&v->addr, &p->addr)))
            return true;
    }
    return false;
}

const char *dissolve_without_majority(const struct formed *f, const struct ha_record *top)
{
    for (int i = 0; i < top->n_voters; i++)
        if (!has_voted(f, &top->voter[i]) && !is_lost(f, &top->voter[i]))
            return "no majority of V answers, and it is not known that those who do not have lost their memories: they may hold a newer record";
    return not_whole_or_old(f, top);
}

/* A sentinel that holds a record, or is not there to say that it does not. */
static bool somebody_may_hold(const struct formed *f)
{
    for (size_t i = 0; i < f->peers.n; i++) {
        const struct formed_peer *p = &f->peers.at[i];
        if (!p->up || p->alive.kind != HA_ALIVE || p->alive.gid != 0)
            return true;
    }
    return false;
}

/* No sentinel knows of the group any more, its nodes do and wait fenced. V of the record is we alone, for it needs one. */
bool dissolve_nobody_holds(const struct formed *f, struct ha_record *out, const char **lacks)
{
    struct ha_voter *v = &out->voter[0];

    memset(out, 0, sizeof *out);
    *lacks = "ERR This sentinel holds no record, but another may: ask that one, or let all sentinels of the group be at hand";
    if (somebody_may_hold(f))
        return false;
    *lacks = "NOTFORMED No node is bound to a group whose record was lost";
    for (size_t i = 0; i < f->nodes.n; i++) {
        const struct ha_msg *s = &f->nodes.at[i].status;
        if (!at_hand(&f->nodes.at[i])) {
            *lacks = "ERR No sentinel holds a record; the nodes are let go only when all of them are at hand";
            return false;
        }
        if (s->gid == 0)
            continue;
        if (s->state == HA_PRIMARY || (s->state == HA_FOLLOWER && s->flags & HA_F_LINK_UP) || (out->gid != 0 && out->gid != s->gid)) {
            *lacks = "ERR These nodes serve a group: its sentinels are others than we, or lost for ever: then stop the nodes, start them "
                     "again (they wait fenced) and say it once more";
            return false;
        }
        out->gid = s->gid;
        if (s->ballot > out->ballot)
            out->ballot = s->ballot;
        if (s->sealed > out->ballot)
            out->ballot = s->sealed;
    }
    if (out->gid == 0 || !only_those_heard(f, out))
        return false;
    memcpy(v->id, f->self.id, sizeof v->id);
    v->life = f->voter.f.life;
    v->addr = f->self.addr;
    out->n_voters = 1;
    out->ballot = out->epoch = out->ballot > 0 ? out->ballot : 1;
    out->timing = *formed_timing(f);
    out->dissolved = true;
    return true;
}
