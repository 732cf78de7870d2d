/* How a group gets its first record, and how it gives it up (R0). All nodes and all voters must
 * be at hand; the primary is bound first, then every other node; the record is stored by all of
 * V; only then the primary is opened, by the leader itself. An attempt that stands still is made
 * dead at its primary before anybody is let go. */
#include "common/base/check.h"
#include "sentinel/core/lead_inside.h"

#include <string.h>

/* --- who is at hand ---------------------------------------------------------------------------- */

static bool follows_nobody(const struct formed_node *n) { return !addr_is_set(&n->status.addr); }

const char form_choice_lacks[] = "two nodes that have data follow nobody, which is the primary? SENTINEL FORM <group> PRIMARY <host> <port> "
                                 "says it; what the others have is then replaced by a copy";

/* Nobody else is asked to follow it unless it can lead; whoever follows nobody and takes plain orders is not ours to overrule. */
static const struct formed_node *named_primary(const struct formed *f, const char *named, const char **lacks)
{
    const struct formed_node *n = formed_node((struct formed *)f, named);

    if (!n || !follows_nobody(n)) {
        *lacks = n ? "the node that was named follows another" : "the node that was named is not known";
        return NULL;
    }
    for (size_t i = 0; i < f->nodes.n; i++) {
        const struct formed_node *o = &f->nodes.at[i];
        if (o != n && follows_nobody(o) && o->status.state == HA_PLAIN && o->status.gid == 0) {
            *lacks = "another node is a primary that takes plain orders: let it follow the one named first (REPLICAOF)";
            return NULL;
        }
    }
    return n;
}

/* Of those that follow nobody: whom an operator named; else the only one that has data; if none has any, the first by id.
 * Two that have data, and nobody was named: an operator's choice. */
static const struct formed_node *the_primary(const struct formed *f, const char *named, const char **lacks)
{
    const struct formed_node *full = NULL, *empty = NULL;

    if (named[0] != '\0')
        return named_primary(f, named, lacks);

    for (size_t i = 0; i < f->nodes.n; i++) {
        const struct formed_node *n = &f->nodes.at[i];
        if (!follows_nobody(n))
            continue;
        if (!(n->status.flags & HA_F_HAS_DATA)) {
            if (!empty || strcmp(n->id, empty->id) < 0)
                empty = n;
        } else if (full) {
            *lacks = full->status.state == HA_FENCED || n->status.state == HA_FENCED
                         ? form_choice_lacks : "two nodes that have data follow nobody: which is the primary?";
            return NULL;
        } else {
            full = n;
        }
    }
    if (!full && !empty)
        *lacks = "no node is primary";
    return full ? full : empty;
}

/* The first `want.voters` of the sentinels by id: every sentinel picks the same. */
static bool pick_voters(const struct formed *f, struct ha_record *r, const char **lacks)
{
    const struct ha_record *own = formed_newest(f);
    const char *last = "";

    r->n_voters = 0;
    while (r->n_voters < f->want.voters) {
        const struct formed_peer *next = NULL;
        struct ha_voter *v = &r->voter[r->n_voters];
        bool self = strcmp(f->self.id, last) > 0;
        for (size_t i = 0; i < f->peers.n; i++)
            if (strcmp(f->peers.at[i].id, last) > 0 && (!next || strcmp(f->peers.at[i].id, next->id) < 0))
                next = &f->peers.at[i];
        if (next && self)
            self = strcmp(f->self.id, next->id) < 0;
        if (!next && !self) {
            *lacks = "fewer sentinels are known than shall vote";
            return false;
        }
        if (!self && (!next->up || next->alive.kind != HA_ALIVE || next->alive.life == 0)) {
            *lacks = "a sentinel that shall vote is not at hand";
            return false;
        }
        if (!self && own && next->alive.gid == own->gid &&
            (next->alive.ballot < own->ballot || (next->alive.ballot == own->ballot && next->alive.change < own->change))) {
            *lacks = "a sentinel that shall vote has not heard yet that the group was dissolved";
            return false;              /* once we hold another record, nobody tells it */
        }
        if (!self && next->alive.gid != 0 && !next->alive.unproved && !(own && next->alive.gid == own->gid)) {
            *lacks = "a sentinel that shall vote holds a record of this group: it is formed there, or an attempt is to be let go";
            return false;
        }
        memcpy(v->id, self ? f->self.id : next->id, sizeof v->id);
        v->life = self ? f->voter.f.life : next->alive.life;
        v->addr = self ? f->self.addr : next->addr;
        last = v->id;
        r->n_voters++;
    }
    return true;
}

/* It would refuse any attempt but one of the primary, in that life, which it is bound to. */
static bool bound_elsewhere(const struct formed *f, const struct formed_node *n, const char *named)
{
    const char *lacks;
    const struct formed_node *p = the_primary(f, named, &lacks);

    return n->status.gid != 0 && n->status.node[0] != '\0' && p &&
           (strcmp(n->status.node, p->id) != 0 || n->status.node_life != p->status.life);
}

bool form_ready(const struct formed *f, const char *named, struct ha_record *target, const char **lacks)
{
    const struct formed_node *primary;

    memset(target, 0, sizeof *target);
    if (f->nodes.n == 0 || f->nodes.n > HA_MEMBERS_MAX) {
        *lacks = f->nodes.n == 0 ? "no node is known" : "more nodes than a formed group may have";
        return false;
    }
    for (size_t i = 0; i < f->nodes.n; i++) {
        const struct formed_node *n = &f->nodes.at[i];
        struct ha_member *m = &target->member[target->n_members++];
        if (!n->up || n->status.kind != HA_STATUS || n->status.life == 0) {
            *lacks = "a node is not at hand, or does not speak HA (a stock server)";
            return false;
        }
        if (n->status.flags & HA_F_USED) {
            *lacks = "a node was opened or sealed in another group: dissolve that first";
            return false;
        }
        if (bound_elsewhere(f, n, named)) {
            *lacks = "a node is bound to an earlier attempt under another primary: it is let go first";
            return false;
        }
        memcpy(m->id, n->id, sizeof m->id);
        m->life = n->status.life;
        m->addr = n->addr;
        m->priority = 100;
        m->last = n->status.pos;
    }
    primary = the_primary(f, named, lacks);
    if (!primary || !pick_voters(f, target, lacks))
        return false;
    memcpy(target->primary, primary->id, sizeof target->primary);
    target->incarnation = primary->status.incarnation;
    target->mode = f->want.mode;
    target->fsync = f->want.fsync;
    target->k = f->want.k > 0 ? f->want.k : (target->n_members - 1 + 1) / 2;
    if (target->k > target->n_members - 1)
        target->k = target->n_members - 1;
    target->timing = f->want.timing;
    target->drop_after_ms = f->want.member_drop_after_ms;
    return true;
}

/* --- binding ----------------------------------------------------------------------------------------- */

static void reset_bound(struct formed *f)
{
    vec_clear(&f->lead.seals);             /* one entry per node that must answer */
    for (int i = 0; i < f->lead.next.n_members; i++) {
        struct lead_seal *s = vec_add(&f->lead.seals);
        memcpy(s->id, f->lead.next.member[i].id, sizeof s->id);
    }
}

static void bind(struct formed *f, const char *id, bool release)
{
    const struct ha_record *r = &f->lead.next;
    struct ha_msg m = lead_msg(f, HA_BIND);

    m.gid = release ? 0 : r->gid;
    m.old_gid = r->gid;
    m.rec = release && r->dissolved ? r : NULL;    /* the id's last record: lets a used node go, too */
    memcpy(m.node, r->primary, sizeof m.node);
    m.node_life = ha_member(r, r->primary)->life;
    formed_to_node(f, id, &m);
}

static bool attempt_dead(const struct formed *f, const struct ha_record *r);

static bool releasing(const struct formed *f) { return f->lead.want.purpose != LEAD_FORM; }

/* Nothing was said with this number yet: it is lifted above all that nodes have taken. */
static void lift_number(struct formed *f)
{
    struct lead *l = &f->lead;

    for (size_t i = 0; i < f->nodes.n; i++) {
        const struct ha_msg *st = &f->nodes.at[i].status;
        uint64_t high = st->ballot > st->sealed ? st->ballot : st->sealed;
        if (st->kind == HA_STATUS && high >= l->ballot && !PLANT(BIND_ANY_NUMBER))
            l->ballot = high + 1;
    }
    if (l->ballot > f->ballot_seen)
        f->ballot_seen = l->ballot;
}

/* The primary that could leave the attempt lost its memory, or is nobody we know: a voter that promised a higher
 * number without holding the record is the other proof. They are asked to; their heartbeats tell. */
static void ask_for_proof(struct formed *f)
{
    struct lead *l = &f->lead;
    const struct formed_node *p = formed_node(f, l->next.primary);
    const struct ha_member *seat = ha_member(&l->next, l->next.primary);
    struct ha_msg m = lead_msg(f, HA_VOTE);

    if (l->want.purpose != LEAD_RELEASE || (p && (p->status.kind != HA_STATUS || p->status.life == seat->life)))
        return;
    formed_to_voter(f, f->self.id, &m);
    for (size_t i = 0; i < f->peers.n; i++)
        if (l->next.n_voters == 0 || ha_voter(&l->next, f->peers.at[i].id))
            formed_to_voter(f, f->peers.at[i].id, &m);
}

/* By an operator's word: what the others have of their own is nobody's any more. */
static void say_given_up(struct formed *f)
{
    for (size_t i = 0; i < f->nodes.n; i++) {
        const struct formed_node *n = &f->nodes.at[i];
        if (follows_nobody(n) && n->status.flags & HA_F_HAS_DATA && strcmp(n->id, f->lead.next.primary) != 0)
            formed_journal(f, "an operator named %.8s the primary: what %.8s has, up to (%llu, %lld), is replaced by a copy of it",
                           f->lead.next.primary, n->id, (unsigned long long)n->status.pos.epoch, (long long)n->status.pos.offset);
    }
}

void form_bind_primary(struct formed *f)
{
    struct lead *l = &f->lead;

    CHECK(l->next.n_members > 0);          /* form_look filled it */
    lift_number(f);
    l->next.gid = rng_u64(&f->rng) | 1;
    l->next.ballot = l->next.epoch = l->next.born = l->ballot;
    l->base = l->next;
    reset_bound(f);
    formed_journal(f, "forming group %016llx with number %llu: binding %s", (unsigned long long)l->next.gid,
                   (unsigned long long)l->ballot, l->next.primary);
    if (l->want.node[0] != '\0')
        say_given_up(f);
    bind(f, l->next.primary, false);
}

static void bind_open(struct formed *f)
{
    for (size_t i = 0; i < f->lead.seals.n; i++)
        if (!f->lead.seals.at[i].bound)
            bind(f, f->lead.seals.at[i].id, releasing(f));
}

void form_bind_rest(struct formed *f) { bind_open(f); }

void form_release_primary(struct formed *f)
{
    struct lead *l = &f->lead;

    if (l->want.purpose == LEAD_RELEASE) {
        l->next = l->base;                 /* the record of the attempt */
        lift_number(f);
    }
    reset_bound(f);
    formed_journal(f, "number %llu: letting %s go", (unsigned long long)l->ballot, l->next.primary);
    bind(f, l->next.primary, true);
    ask_for_proof(f);
}

void form_release_rest(struct formed *f) { bind_open(f); }

/* Every node is free: the voters may forget the record. */
void form_forget(struct formed *f)
{
    struct ha_msg m = lead_msg(f, HA_BIND);

    m.gid = 0;
    m.old_gid = f->lead.next.gid;
    for (int i = 0; i < f->lead.next.n_voters; i++)
        formed_to_voter(f, f->lead.next.voter[i].id, &m);
    formed_journal(f, "group %016llx is plain again", (unsigned long long)m.old_gid);
    lead_say_done(f);
}

void form_store(struct formed *f)
{
    vec_clear(&f->lead.votes);
    lead_store(f);
}

/* --- what the driver asks -------------------------------------------------------------------------------- */

void form_again(struct formed *f)
{
    if (f->lead.state == LD_BINDING_PRIMARY) {
        bind(f, f->lead.next.primary, releasing(f));
        ask_for_proof(f);
    } else if (f->lead.state == LD_BINDING_REST)
        bind_open(f);
}

enum lead_event form_look(struct formed *f)
{
    struct lead *l = &f->lead;
    const struct lead_seal *p;
    const char *lacks = NULL;
    struct ha_record target;

    if (l->state == LD_SURVEYING) {
        if (!form_ready(f, l->want.node, &target, &lacks)) {
            formed_trace(f, "cannot form yet: %s", lacks);
            l->lacks = lacks;
            return LEAD_EVENTS;
        }
        l->next = target;
        l->lacks = NULL;
        return LE_SURVEYED;
    }
    if (l->refused)
        return LE_REFUSED;
    p = lead_seal_of(f, l->next.primary);
    if (l->state == LD_BINDING_PRIMARY)
        return (p && p->bound) || (l->want.purpose == LEAD_RELEASE && attempt_dead(f, &l->next)) ? LE_BOUND : LEAD_EVENTS;
    for (size_t i = 0; i < l->seals.n; i++) {
        const struct formed_node *n = formed_node(f, l->seals.at[i].id);
        if (!l->seals.at[i].bound && !(l->want.force && !(n && n->up)))
            return LEAD_EVENTS;
    }
    return LE_BOUND;
}

/* The word of the primary counts only of the memory that was bound: another one cannot say what that had done. A node that
 * left for another attempt is not held by this one. */
static void hear_released(struct formed *f, struct lead_seal *s, const struct ha_msg *m)
{
    const struct ha_record *r = &f->lead.next;
    bool left = !m->ok && m->why == HA_WHY_BOUND && m->promised > r->ballot;

    if (f->lead.state == LD_BINDING_PRIMARY && m->life != ha_member(r, r->primary)->life)
        return;
    if (m->ok || left || (f->lead.state == LD_BINDING_REST && m->why == HA_WHY_BOUND))
        s->bound = true;
    else if (m->why != HA_WHY_UNSAVED) {
        f->lead.refused = true;
        f->lead.why = m->why;
    }
}

bool form_answer(struct formed *f, const struct ha_msg *m)
{
    struct lead_seal *s;

    if (m->kind != HA_BOUND)
        return false;
    if (f->lead.state != LD_BINDING_PRIMARY && f->lead.state != LD_BINDING_REST)
        return true;
    s = lead_seal_of(f, m->from);
    if (!s)
        return true;
    s->why = m->why;
    if (f->lead.want.purpose == LEAD_RELEASE)
        hear_released(f, s, m);
    else if (m->ok)
        s->bound = true;
    else if (m->why != HA_WHY_UNSAVED && m->why != HA_WHY_NOT_FOLLOWING) {     /* those may pass */
        f->lead.refused = true;
        f->lead.why = m->why;
    }
    return true;
}

/* --- attempts ------------------------------------------------------------------------------------------------ */

static bool promised_without(const struct ha_record *r, uint64_t gid, uint64_t promised)
{
    return gid != r->gid && promised > r->ballot;
}

/* V of an attempt without a record is unknown, but stands among the sentinels that we know: all of them must have
 * promised a higher number and hold nothing of it. */
static bool all_promised_without(const struct formed *f, const struct ha_record *r)
{
    if (f->peers.n < 2 || !promised_without(r, f->voter.f.rec.gid, f->voter.f.promised))
        return false;
    for (size_t i = 0; i < f->peers.n; i++) {
        const struct ha_msg *al = &f->peers.at[i].alive;
        if (!f->peers.at[i].up || al->kind != HA_ALIVE || !promised_without(r, al->gid, al->promised))
            return false;
    }
    return true;
}

/* Dead for ever: its primary, of that life, left it for a higher number; or a voter of its V that does not
 * hold its record has promised a higher one. */
bool form_attempt_dead(const struct formed *f)
{
    const struct ha_record *r = formed_newest(f);

    return r && ha_record_is_formation(r) && attempt_dead(f, r);
}

/* The nodes' words, of an attempt that nobody at hand holds a record of, and that did not move for as long as it takes
 * to call somebody down. */
bool form_orphan(const struct formed *f, struct ha_record *out)
{
    const struct formed_node *first = NULL;
    struct ha_member *m;

    for (size_t i = 0; i < f->nodes.n && !first; i++) {
        const struct ha_msg *st = &f->nodes.at[i].status;
        if (f->nodes.at[i].up && st->kind == HA_STATUS && st->gid != 0 && st->node[0] != '\0' && !(st->flags & HA_F_USED) &&
            f->now_ms - f->nodes.at[i].bound_at_ms >= formed_timing(f)->down_after_ms)
            first = &f->nodes.at[i];
    }
    for (size_t i = 0; first && i < f->peers.n; i++)
        if (!f->peers.at[i].up || f->peers.at[i].alive.kind != HA_ALIVE || f->peers.at[i].alive.gid == first->status.gid)
            return false;
    if (!first || f->voter.f.rec.gid == first->status.gid)
        return false;
    memset(out, 0, sizeof *out);
    out->gid = first->status.gid;
    memcpy(out->primary, first->status.node, sizeof out->primary);
    m = &out->member[out->n_members++];
    memcpy(m->id, first->status.node, sizeof m->id);
    m->life = first->status.node_life;
    for (size_t i = 0; i < f->nodes.n; i++) {
        const struct ha_msg *st = &f->nodes.at[i].status;
        if (st->gid != out->gid || out->n_members == HA_MEMBERS_MAX)
            continue;
        if (st->ballot > out->ballot)
            out->ballot = out->epoch = out->born = st->ballot;
        if (strcmp(f->nodes.at[i].id, out->primary) == 0)
            continue;
        m = &out->member[out->n_members++];
        memcpy(m->id, f->nodes.at[i].id, sizeof m->id);
        m->life = st->life;
    }
    return true;
}

static bool attempt_dead(const struct formed *f, const struct ha_record *r)
{
    const struct ha_member *m = ha_member(r, r->primary);

    if (r->n_voters == 0 && all_promised_without(f, r))
        return true;
    for (size_t i = 0; i < f->nodes.n; i++) {
        const struct ha_msg *st = &f->nodes.at[i].status;
        if (strcmp(f->nodes.at[i].id, r->primary) == 0 && st->kind == HA_STATUS && st->life == m->life &&
            st->gid != r->gid && st->ballot > r->ballot)
            return true;
    }
    for (size_t i = 0; i < f->peers.n; i++) {
        const struct ha_msg *al = &f->peers.at[i].alive;
        const struct ha_voter *v = ha_voter(r, f->peers.at[i].id);
        if (v && al->kind == HA_ALIVE && al->life == v->life && promised_without(r, al->gid, al->promised))
            return true;
    }
    return false;
}

/* A seal on an attempt that is never opened would keep its node from every other one: some node must
 * have shown the marker of the first epoch before. */
bool form_may_seal(const struct formed *f, const struct ha_record *base)
{
    if (!ha_record_is_formation(base) || PLANT(SEAL_BEFORE_MARKER))
        return true;
    for (size_t i = 0; i < f->nodes.n; i++) {
        const struct ha_msg *st = &f->nodes.at[i].status;
        if (st->kind == HA_STATUS && st->gid == base->gid && st->pos.epoch == base->epoch)
            return true;
    }
    return false;
}
