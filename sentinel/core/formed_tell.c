/* What follows from the record we hold. Whoever lacks it is sent it, a chosen primary that
 * was never opened is opened again, nodes that follow another are told whom to follow, and
 * the world is told where the primary is. All of it is the repetition of what a leader has
 * said once, and as harmless as a message that came twice. */
#include "sentinel/core/formed_inside.h"

#include <string.h>

/* --- how far it got ------------------------------------------------------------------------- */

static bool newer_elsewhere(const struct formed *f, const struct ha_record *own)
{
    for (size_t i = 0; i < f->peers.n; i++) {
        const struct ha_msg *a = &f->peers.at[i].alive;
        if (a->kind == HA_ALIVE && a->gid == own->gid &&
            (a->ballot > own->ballot || (a->ballot == own->ballot && a->change > own->change)))
            return true;
    }
    return false;
}

static bool holds(const struct formed *f, const struct ha_voter *v, const struct ha_record *own)
{
    if (strcmp(v->id, f->self.id) == 0)
        return v->life == f->voter.f.life && !f->save_broken && !f->saving;
    for (size_t i = 0; i < f->peers.n; i++) {
        const struct ha_msg *a = &f->peers.at[i].alive;
        if (strcmp(f->peers.at[i].id, v->id) == 0)
            return a->kind == HA_ALIVE && a->life == v->life && a->gid == own->gid && a->ballot == own->ballot &&
                   a->change == own->change;
    }
    return false;
}

bool formed_at_majority(const struct formed *f)
{
    const struct ha_record *own = formed_newest(f);
    int n = 0;

    if (own == NULL || newer_elsewhere(f, own))
        return false;
    for (int i = 0; i < own->n_voters; i++)
        n += holds(f, &own->voter[i], own);
    return n >= (ha_record_is_formation(own) ? own->n_voters : ha_majority(own->n_voters));
}

/* --- the world -------------------------------------------------------------------------------- */

void formed_tell(struct formed *f)
{
    const struct ha_record *own = formed_newest(f);
    const struct formed_node *p = own != NULL ? formed_node(f, own->primary) : NULL;

    if (own == NULL || own->dissolved)
        return;
    if (f->opened_said) {
        if (p != NULL && own->epoch == f->said_epoch && addr_is_set(&p->addr) && !addr_equal(&p->addr, &f->said_addr))
            formed_primary(f, own);            /* its address changed */
        return;
    }
    if (f->renewed_epoch != own->epoch && (!formed_at_majority(f) || !form_may_seal(f, own)))
        return;                                /* an attempt at forming stands once its marker was shown */
    formed_primary(f, own);
    f->opened_said = true;
    for (size_t i = 0; i < f->nodes.n; i++)
        formed_tell_node(f, &f->nodes.at[i]);
}

/* --- nodes --------------------------------------------------------------------------------------- */

/* A process that the record names, sealed for it and never opened: OPEN was lost, or its leader. Not the first
 * record of a group: that one is opened by its leader alone (R0). */
static void open_again(struct formed *f, const struct formed_node *n, const struct ha_record *own)
{
    const struct ha_msg *s = &n->status;

    if (ha_record_is_formation(own) || s->incarnation != own->incarnation || s->sealed != own->epoch ||
        s->state == HA_PRIMARY || own->epoch == f->voter.ended_epoch)
        return;
    if (lead_running(f) && f->lead.ballot >= own->ballot)
        return;                                /* ours to open, or about to be sealed higher */
    formed_trace(f, "%.8s is named in epoch %llu and not open: again, unproved", n->id, (unsigned long long)own->epoch);
    formed_to_node(f, n->id, &(struct ha_msg){.kind = HA_OPEN, .ballot = own->ballot, .change = own->change,
                                              .epoch = own->epoch, .incarnation = own->incarnation, .unproved = true,
                                              .rec = own});
}

/* The id's last record lets its nodes go, the primary first; whoever led that may be gone. */
static void release_again(struct formed *f, const struct formed_node *n, const struct ha_record *own)
{
    const struct formed_node *p = formed_node(f, own->primary);
    struct ha_msg m = {.kind = HA_BIND, .old_gid = own->gid, .ballot = own->ballot, .change = own->change, .rec = own};
    bool primary_is_free = p != NULL && p->status.kind == HA_STATUS && p->status.gid != own->gid;

    if (!formed_at_majority(f) || (n != p && !primary_is_free && f->voter.ended_epoch != own->epoch))
        return;
    if (dissolve_left_out(own, n->id))
        return;                                /* nobody knows what it went on doing: an operator lets it go */
    memcpy(m.node, own->primary, sizeof m.node);
    m.node_life = ha_member(own, own->primary)->life;
    formed_to_node(f, n->id, &m);
}

static bool follows_right(const struct ha_msg *s, const struct ha_record *own)
{
    return s->state == HA_FOLLOWER && s->epoch == own->epoch && (s->flags & HA_F_LINK_UP) != 0;
}

/* A node that waits for its group (ha-group) and has no memory of it takes no plain order: it is bound, then told whom
 * to follow, and comes in by a change. */
static void bind_waiting(struct formed *f, const struct formed_node *n, const struct ha_record *own)
{
    struct ha_msg m = {.kind = HA_BIND, .gid = own->gid, .ballot = own->ballot};

    if (n->status.state != HA_FENCED || n->status.gid != 0 || own->dissolved || !f->opened_said)
        return;
    if (n->status.ballot >= m.ballot)
        m.ballot = n->status.ballot + 1;
    formed_ballot_seen(f, m.ballot);           /* whoever lets it go must have a higher one */
    memcpy(m.node, own->primary, sizeof m.node);
    m.node_life = ha_member(own, own->primary)->life;
    formed_to_node(f, n->id, &m);
}

void formed_tell_node(struct formed *f, const struct formed_node *n)
{
    const struct ha_record *own = formed_newest(f);
    const struct ha_msg *s = &n->status;

    if (own != NULL && n->up && s->kind == HA_STATUS)
        bind_waiting(f, n, own);
    if (own == NULL || !n->up || s->kind != HA_STATUS || s->gid != own->gid)
        return;
    if (own->dissolved) {
        release_again(f, n, own);
        return;
    }
    if (strcmp(n->id, own->primary) == 0 && s->incarnation == own->incarnation) {
        open_again(f, n, own);
        return;
    }
    if (!f->opened_said || s->sealed > own->epoch || follows_right(s, own) || strcmp(n->id, own->primary) == 0)
        return;
    formed_to_node(f, n->id, &(struct ha_msg){.kind = HA_FOLLOW, .ballot = own->ballot, .change = own->change,
                                              .epoch = own->epoch, .incarnation = own->incarnation, .rec = own});
}

/* --- peers ------------------------------------------------------------------------------------------ */

/* It holds an older record than ours and has promised a ballot above it: it takes ours in no other than a new ballot. */
void formed_note_behind(struct formed *f, struct formed_peer *p)
{
    const struct ha_record *own = formed_newest(f);
    const struct ha_msg *a = &p->alive;
    const struct ha_voter *v = own != NULL ? ha_voter(own, p->id) : NULL;
    bool concerns = own != NULL && (own->dissolved || (v != NULL && v->life == a->life));      /* of the last record everybody must hear */
    bool behind = concerns && a->gid == own->gid && a->promised > own->ballot &&
                  (a->ballot < own->ballot || (a->ballot == own->ballot && a->change < own->change));

    if (!behind)
        p->behind_at_ms = 0;
    else if (p->behind_at_ms == 0)
        p->behind_at_ms = f->now_ms;
}

/* A voter that missed the record gets it, once its leader had time to bring it himself; a sentinel that does not vote,
 * once it stands. It decides as if the leader's own message had been late. */
void formed_tell_peer(struct formed *f, const struct formed_peer *p)
{
    const struct ha_record *own = formed_newest(f);
    const struct ha_msg *a = &p->alive;
    const struct ha_voter *v = own != NULL ? ha_voter(own, p->id) : NULL;
    bool votes = v != NULL && v->life == a->life;
    bool settled = f->opened_said || f->now_ms - f->rec_at_ms >= formed_quiet_ms(f);
    bool of_the_past = own != NULL && a->gid != own->gid && a->unproved && a->ballot < own->ballot;    /* the last record of an id that is no more */
    bool older = own != NULL && (a->gid == 0 || of_the_past ||
                                 (a->gid == own->gid && (a->ballot < own->ballot || (a->ballot == own->ballot && a->change < own->change))));

    if (!older || !settled || (own != NULL && a->promised > own->ballot) || (!votes && !f->opened_said && !own->dissolved))
        return;
    if (ha_record_is_formation(own) && !f->opened_said)
        return;                                /* an attempt is its leader's business */
    formed_to_voter(f, p->id, &(struct ha_msg){.kind = HA_RECORD, .ballot = own->ballot, .change = own->change, .rec = own});
}
