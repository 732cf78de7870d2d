/* How a group gets its first record, and how it gives it up (R0). All nodes and all voters must
 * be at hand; the primary is bound first, then every other node; the record is stored by all of
 * V; only then the primary is opened, by the leader itself. An attempt that stands still is made
 * dead at its primary before anybody is let go. */
#include "common/base/check.h"
#include "sentinel/core/lead_inside.h"

#include <string.h>

/* --- who is at hand ---------------------------------------------------------------------------- */

static bool follows_nobody(const struct formed_node *n) { return !addr_is_set(&n->status.addr); }

/* Of those that follow nobody: the only one that has data; if none has any, the first by id. Two that have data are an
 * operator's choice. */
static const struct formed_node *the_primary(const struct formed *f, const char **lacks)
{
    const struct formed_node *full = NULL, *empty = NULL;

    for (size_t i = 0; i < f->nodes.n; i++) {
        const struct formed_node *n = &f->nodes.at[i];
        if (!follows_nobody(n))
            continue;
        if (!(n->status.flags & HA_F_HAS_DATA)) {
            if (!empty || strcmp(n->id, empty->id) < 0)
                empty = n;
        } else if (full) {
            *lacks = "two nodes that have data follow nobody: which is the primary?";
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
        memcpy(v->id, self ? f->self.id : next->id, sizeof v->id);
        v->life = self ? f->voter.f.life : next->alive.life;
        v->addr = self ? f->self.addr : next->addr;
        last = v->id;
        r->n_voters++;
    }
    return true;
}

bool form_ready(const struct formed *f, struct ha_record *target, const char **lacks)
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
        memcpy(m->id, n->id, sizeof m->id);
        m->life = n->status.life;
        m->addr = n->addr;
        m->priority = 100;
        m->last = n->status.pos;
    }
    primary = the_primary(f, lacks);
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
    m.rec = release && f->lead.want.purpose == LEAD_DISSOLVE ? r : NULL;   /* the id's last record: lets a used node go, too */
    memcpy(m.node, r->primary, sizeof m.node);
    m.node_life = ha_member(r, r->primary)->life;
    formed_to_node(f, id, &m);
}

static bool releasing(const struct formed *f) { return f->lead.want.purpose != LEAD_FORM; }

void form_bind_primary(struct formed *f)
{
    struct lead *l = &f->lead;

    CHECK(l->next.n_members > 0);          /* form_look filled it */
    for (size_t i = 0; i < f->nodes.n; i++) {      /* nothing was said with this number yet: lift it above theirs */
        const struct ha_msg *st = &f->nodes.at[i].status;
        uint64_t high = st->ballot > st->sealed ? st->ballot : st->sealed;
        if (high >= l->ballot && !PLANT(BIND_ANY_NUMBER))
            l->ballot = high + 1;
    }
    if (l->ballot > f->ballot_seen)
        f->ballot_seen = l->ballot;
    l->next.gid = rng_u64(&f->rng) | 1;
    l->next.ballot = l->next.epoch = l->next.born = l->ballot;
    l->base = l->next;
    reset_bound(f);
    formed_journal(f, "forming group %016llx with number %llu: binding %s", (unsigned long long)l->next.gid,
                   (unsigned long long)l->ballot, l->next.primary);
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
        struct formed_node *p;
        l->next = l->base;                 /* the record of the attempt */
        p = formed_node(f, l->next.primary);
        if (p && p->status.kind == HA_STATUS && p->status.ballot >= l->ballot)
            l->ballot = p->status.ballot + 1;
    }
    reset_bound(f);
    formed_journal(f, "number %llu: letting %s go", (unsigned long long)l->ballot, l->next.primary);
    bind(f, l->next.primary, true);
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

void form_store_last(struct formed *f)
{
    struct lead *l = &f->lead;

    l->next = l->base;
    l->next.ballot = l->ballot;
    l->next.change = 1;
    l->next.dissolved = true;
    for (size_t i = 0; i < l->votes.n; i++)
        l->votes.at[i].stored = false;
    lead_store(f);
}

/* --- what the driver asks -------------------------------------------------------------------------------- */

void form_again(struct formed *f)
{
    if (f->lead.state == LD_BINDING_PRIMARY)
        bind(f, f->lead.next.primary, releasing(f));
    else if (f->lead.state == LD_BINDING_REST)
        bind_open(f);
}

enum lead_event form_look(struct formed *f)
{
    struct lead *l = &f->lead;
    const struct lead_seal *p;
    const char *lacks = NULL;
    struct ha_record target;

    if (l->state == LD_SURVEYING) {
        if (!form_ready(f, &target, &lacks)) {
            formed_trace(f, "cannot form yet: %s", lacks);
            return LEAD_EVENTS;
        }
        l->next = target;
        return LE_SURVEYED;
    }
    if (l->refused)
        return LE_REFUSED;
    p = lead_seal_of(f, l->next.primary);
    if (l->state == LD_BINDING_PRIMARY)
        return p && p->bound ? LE_BOUND : LEAD_EVENTS;
    for (size_t i = 0; i < l->seals.n; i++)
        if (!l->seals.at[i].bound)
            return LEAD_EVENTS;
    return LE_BOUND;
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
    if (m->ok)
        s->bound = true;
    else if (m->why != HA_WHY_UNSAVED && m->why != HA_WHY_NOT_FOLLOWING) {     /* those may pass */
        f->lead.refused = true;
        f->lead.why = m->why;
    }
    return true;
}

/* --- attempts ------------------------------------------------------------------------------------------------ */

/* Dead for ever: its primary, of that life, left it for a higher number; or a voter of its V that does not
 * hold its record has promised a higher one. */
bool form_attempt_dead(const struct formed *f)
{
    const struct ha_record *r = formed_newest(f);
    const struct ha_member *m;

    if (!r || !ha_record_is_formation(r))
        return false;
    m = ha_member(r, r->primary);
    for (size_t i = 0; i < f->nodes.n; i++) {
        const struct ha_msg *st = &f->nodes.at[i].status;
        if (strcmp(f->nodes.at[i].id, r->primary) == 0 && st->kind == HA_STATUS && st->life == m->life &&
            st->gid != r->gid && st->ballot > r->ballot)
            return true;
    }
    for (size_t i = 0; i < f->peers.n; i++) {
        const struct ha_msg *al = &f->peers.at[i].alive;
        const struct ha_voter *v = ha_voter(r, f->peers.at[i].id);
        if (v && al->kind == HA_ALIVE && al->life == v->life && al->gid != r->gid && al->promised > r->ballot)
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
