/* Our voter, spoken to by peers, by the primary, and by ourselves. It says yes or no; here
 * the answer is put into words behind its save, and the rest of the room learns what it
 * means: a ballot moved, the record is another one, an epoch is over. */
#include "common/base/check.h"
#include "sentinel/core/formed_inside.h"

#include <string.h>

void formed_ballot_seen(struct formed *f, uint64_t ballot)
{
    if (ballot <= f->ballot_seen)
        return;
    f->ballot_seen = ballot;
    f->ballot_moved_at_ms = f->now_ms;
}

/* Somebody else's turn: as long as a try of E..2E may last we do not cut in. */
static void stand_back(struct formed *f)
{
    int64_t e = formed_timing(f)->election_ms;

    f->next_try_ms = ms_max(f->next_try_ms, f->now_ms + rng_between(&f->rng, e, 2 * e));
}

static bool of_us(const struct formed *f, const struct ha_msg *m) { return strcmp(m->from, f->self.id) == 0; }

static struct ha_msg answer(const struct formed *f, enum ha_kind k, const struct ha_msg *m)
{
    const struct ha_record *own = formed_newest(f);

    return (struct ha_msg){.kind = k, .gid = own != NULL ? own->gid : m->gid, .ballot = m->ballot, .change = m->change};
}

/* --- votes ------------------------------------------------------------------------------------- */

/* A group's ballots are not another's business. A candidate that holds no record (gid 0) may ask, and one of a group
 * of which we hold no record. */
static bool other_group(const struct formed *f, const struct ha_msg *m)
{
    const struct ha_record *own = formed_newest(f);

    return own != NULL && !own->dissolved && m->gid != 0 && m->gid != own->gid;
}

static void hear_vote(struct formed *f, const struct ha_msg *m)
{
    struct ha_msg a = answer(f, HA_VOTED, m);
    bool save = false;

    if (other_group(f, m))
        a.why = HA_WHY_GROUP;
    else
        a.ok = voter_vote(&f->voter, m->ballot, m->from, m->life, &save, &a.why);
    a.rec = formed_newest(f);
    a.promised = f->voter.f.promised;
    if (save && !PLANT(VOTE_UNSAVED))
        formed_save(f);
    formed_answer_voter(f, m->from, &a);
    if (save && PLANT(VOTE_UNSAVED))
        formed_save(f);
    if (!a.ok) {
        formed_trace(f, "no vote for %.8s in ballot %llu: %s", m->from, (unsigned long long)m->ballot, ha_why_name(a.why));
        return;
    }
    formed_ballot_seen(f, m->ballot);
    if (of_us(f, m) || !save)
        return;
    formed_journal(f, "ballot %llu: voted for %.8s", (unsigned long long)m->ballot, m->from);
    stand_back(f);
    lead_overtaken(f, m->ballot);
}

/* --- records ------------------------------------------------------------------------------------ */

/* The new one votes, and the old one does not in the life it was to leave with; they may be one sentinel in two lives. */
static bool replaced(const struct voter_facts *v, const struct ha_record *own)
{
    const struct ha_voter *out = ha_voter(own, v->replace_out);

    if (own->dissolved)
        return true;
    return ha_voter(own, v->replace_in) != NULL && !(out != NULL && out->life == v->replace_life);
}

void formed_settle_replacement(struct formed *f, const struct ha_record *own)
{
    struct voter_facts *v = &f->voter.f;

    if (v->replace_in[0] == '\0' || !replaced(v, own))
        return;
    v->replace_in[0] = v->replace_out[0] = '\0';
    v->replace_life = 0;
    formed_save(f);
    formed_reply(f, f->voter_ticket, own->dissolved ? "ABORTED the group was dissolved" : NULL);
    f->voter_ticket = 0;
}

/* The record says what the group is. A wish that it fulfils is none any more. */
static void settle_wishes(struct formed *f, const struct ha_record *own)
{
    const struct formed_want *w = &f->want;
    bool same_timing = memcmp(&w->timing, &own->timing, sizeof own->timing) == 0;

    if (w->mode == own->mode && w->fsync == own->fsync && (w->k == 0 || w->k == own->k) && same_timing &&
        w->voters == own->n_voters && w->member_drop_after_ms == own->drop_after_ms)
        f->want_set = false;
    if (!f->want_set && f->set_ticket != 0) {
        formed_reply(f, f->set_ticket, NULL);
        f->set_ticket = 0;
    }
    formed_settle_replacement(f, own);
    if (f->want_set)
        return;
    f->want.mode = own->mode;
    f->want.fsync = own->fsync;
    f->want.k = own->k;
    f->want.voters = own->n_voters;
    f->want.timing = own->timing;
    f->want.member_drop_after_ms = own->drop_after_ms;
}

void formed_record_moved(struct formed *f)
{
    const struct ha_record *own = formed_newest(f);

    f->rec_at_ms = f->now_ms;
    f->rec_from_disk = false;
    f->opened_said = false;
    f->tries = 0;
    f->reason = FR_NONE;
    f->next_alive_ms = f->now_ms;
    if (own == NULL || own->epoch != f->renewed_epoch)
        f->renewed_epoch = 0;
    if (own == NULL)
        return;
    if (own->epoch != f->said_epoch)
        f->odown = false;              /* that was said of another primary */
    settle_wishes(f, own);
    if (own->dissolved)
        f->has_want = false;
}

static void hear_record(struct formed *f, const struct ha_msg *m)
{
    struct ha_msg a = answer(f, HA_STORED, m);
    struct ha_record before = f->voter.f.rec;
    const char *wrong = m->rec == NULL ? "none" : ha_record_check(m->rec);
    bool save;

    if (wrong != NULL) {
        formed_trace(f, "a record of %.8s is refused: %s", m->from, wrong);
        return;
    }
    a.ok = voter_record(&f->voter, m->rec, f->now_ms, &save, &a.why, &a.ms);
    a.gid = m->rec->gid;
    a.ballot = m->rec->ballot;
    a.change = m->rec->change;
    a.epoch = m->rec->epoch;
    a.promised = f->voter.f.promised;
    if (save)
        formed_save(f);
    formed_answer_voter(f, m->from, &a);
    if (!a.ok) {
        if (a.why != HA_WHY_OLD)
            formed_trace(f, "record %llu.%u of %.8s is not taken: %s", (unsigned long long)m->rec->ballot,
                         (unsigned)m->rec->change, m->from, ha_why_name(a.why));
        if (a.why == HA_WHY_LEASED)
            f->ballot_moved_at_ms = f->now_ms;     /* a leader waits for our promise */
        return;
    }
    formed_ballot_seen(f, m->rec->ballot);
    if (!save)
        return;
    f->ballot_moved_at_ms = f->now_ms;
    formed_journal(f, "record %llu.%u: epoch %llu, primary %.8s", (unsigned long long)m->rec->ballot,
                   (unsigned)m->rec->change, (unsigned long long)m->rec->epoch, m->rec->primary);
    if (before.epoch != m->rec->epoch && before.gid == m->rec->gid)
        formed_trace(f, "epoch %llu follows %llu", (unsigned long long)m->rec->epoch, (unsigned long long)before.epoch);
    formed_record_moved(f);
    if (!of_us(f, m))
        lead_overtaken(f, m->rec->ballot);
}

/* BIND(none) among voters: an attempt was released, its record is forgotten. Nothing else may be said so. */
static void hear_bind(struct formed *f, const struct ha_msg *m)
{
    struct ha_msg a = answer(f, HA_BOUND, m);
    bool save = false, held = f->voter.f.rec.gid == m->old_gid;

    if (m->gid != 0 || m->old_gid == 0)
        return;
    a.gid = 0;
    a.old_gid = m->old_gid;
    a.ok = voter_drop_record(&f->voter, m->old_gid, m->ballot, &save);
    a.why = a.ok ? HA_WHY_NONE : HA_WHY_OPENED;
    a.promised = f->voter.f.promised;
    if (save)
        formed_save(f);
    formed_answer_voter(f, m->from, &a);
    if (a.ok && held) {
        formed_journal(f, "the record of an attempt at forming is forgotten (ballot %llu)", (unsigned long long)m->ballot);
        formed_record_moved(f);
    }
}

bool formed_voter_hears(struct formed *f, const struct ha_msg *m)
{
    switch (m->kind) {
    case HA_VOTE: hear_vote(f, m); return true;
    case HA_RECORD: hear_record(f, m); return true;
    case HA_BIND: hear_bind(f, m); return true;
    default: return false;
    }
}

/* --- leases -------------------------------------------------------------------------------------- */

void formed_voter_renews(struct formed *f, struct formed_node *n, const struct ha_msg *m)
{
    const struct ha_record *own = formed_newest(f);
    struct ha_msg a = {.kind = HA_LEASE, .gid = m->gid, .epoch = m->epoch, .incarnation = m->incarnation, .nonce = m->nonce};
    bool save = false;

    if (own == NULL || m->gid != own->gid)
        a.why = HA_WHY_GROUP;
    else if (strcmp(n->id, own->primary) != 0)
        a.why = HA_WHY_EPOCH;
    else
        a.ok = voter_renew(&f->voter, m->epoch, m->incarnation, f->now_ms, &save, &a.why);
    if (own != NULL) {
        a.ballot = own->ballot;
        a.change = own->change;
        a.ms = a.ok ? own->timing.promise_ms : 0;
    }
    if (save)
        formed_save(f);
    formed_to_node(f, n->id, &a);
    if (!a.ok) {
        formed_tell_node(f, n);
        return;
    }
    n->renewed_at_ms = f->now_ms;
    n->crashed = false;                            /* whatever was refused, it lives */
    if (n->status.kind != HA_NOTHING && n->status.incarnation != m->incarnation)
        n->status.kind = HA_NOTHING;               /* what we knew was of an earlier process */
    if (n->status.kind != HA_NOTHING)
        n->status.flags = m->flags | (n->status.flags & HA_F_HAS_DATA);
    if (ha_record_is_formation(own) && m->state != HA_PRIMARY)
        return;                                    /* it is bound and waits for OPEN: nothing is open yet */
    if (f->renewed_epoch != m->epoch) {
        f->renewed_epoch = m->epoch;
        f->next_alive_ms = f->now_ms;              /* others that cannot hear it shall know */
        formed_trace(f, "the primary of epoch %llu renewed with us", (unsigned long long)m->epoch);
    }
}

/* --- ends ------------------------------------------------------------------------------------------ */

void formed_ended(struct formed *f, uint64_t epoch, uint64_t incarnation, bool spread)
{
    const struct ha_record *own = formed_newest(f);
    struct ha_msg m = {.kind = HA_END, .epoch = epoch, .incarnation = incarnation};
    bool fresh = epoch > f->voter.ended_epoch;

    voter_end(&f->voter, epoch);
    if (own != NULL && own->epoch == epoch) {
        memcpy(m.node, own->primary, sizeof m.node);
        m.incarnation = own->incarnation;
    }
    memcpy(m.from, f->self.id, sizeof m.from);
    m.life = f->voter.f.life;
    lead_answer(f, &m);
    if (!fresh || !spread || own == NULL)
        return;
    formed_journal(f, "epoch %llu is over: its primary ended it", (unsigned long long)epoch);
    for (int i = 0; i < own->n_voters; i++)
        if (strcmp(own->voter[i].id, f->self.id) != 0)
            formed_to_voter(f, own->voter[i].id, &m);
    for (int i = 0; i < own->n_members; i++)
        if (strcmp(own->member[i].id, own->primary) != 0)
            formed_to_node(f, own->member[i].id, &m);
}
