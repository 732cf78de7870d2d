/* What must never be: a confirmed entry that is missing or that two logs disagree on, a
 * vote given twice, an epoch of two processes, two leases at one true moment, a number on a
 * disk that went down, a seal on an attempt at forming that nobody opened, one opened that
 * not all of V hold, two entries of V changed at once. And what must come after healing: one
 * open primary that confirms, everybody following.
 *
 * All that was ever confirmed stands in one sequence, `sure`; whatever is confirmed
 * later must continue it, and whatever opens a later epoch must contain it. */
#include "tests/sim/ha_sim.h"

#include <stdio.h>
#include <string.h>

struct hs_proc *hs_primary(struct hs_world *w)
{
    struct hs_proc *best = NULL;

    for (int i = 0; i < w->n_procs; i++) {
        struct hs_proc *p = &w->proc[i];
        if (p->node && p->alive && p->n.m.state == HA_PRIMARY && (!best || p->n.m.epoch > best->n.m.epoch))
            best = p;
    }
    return best;
}

static void owns(struct hs_world *w, struct hs_proc *p, uint64_t epoch)
{
    for (size_t i = 0; i < w->owners.n; i++)
        if (w->owners.at[i].epoch == epoch) {
            if (w->owners.at[i].incarnation != p->n.m.incarnation || w->owners.at[i].gen != p->gen || w->owners.at[i].node != p->id)
                hs_violation(w, "epoch %llu belongs to %s and to another process of %s", (unsigned long long)epoch,
                             p->name, w->proc[w->owners.at[i].node].name);
            return;
        }
    vec_add(&w->owners);
    vec_last(&w->owners).epoch = epoch;
    vec_last(&w->owners).incarnation = p->n.m.incarnation;
    vec_last(&w->owners).node = p->id;
    vec_last(&w->owners).gen = p->gen;
}

void hs_judge_forces(struct hs_world *w, uint64_t ballot)
{
    for (size_t i = 0; i < w->forced.n; i++)
        if (w->forced.at[i] == ballot)
            return;
    vec_push(&w->forced, ballot);
}

/* An operator chose to go on with fewer seals: what that loses is counted, and is no promise any more. */
static bool forced(struct hs_world *w, struct hs_proc *p, uint64_t epoch)
{
    size_t same = 0;
    bool found = false;

    for (size_t i = 0; i < w->forced.n; i++)
        found |= w->forced.at[i] == epoch;
    if (!found)
        return false;
    while (same < w->sure.n && same < p->n.log.n && p->n.log.at[same].epoch == w->sure.at[same].epoch &&
           p->n.log.at[same].value == w->sure.at[same].value)
        same++;
    w->t.forced++;
    w->t.forced_lost += w->sure.n - same;
    w->sure.n = w->sure_in.n = same;
    if (w->sure_writes > (int64_t)same)
        w->sure_writes = (int64_t)same;
    w->forced_epoch = epoch;
    w->dissolves++;                    /* what was read before may be gone */
    return true;
}

/* The id's last record let a node go: from here on the group is plain, which promises nothing. */
void hs_judge_released(struct hs_world *w, uint64_t gid)
{
    bool last = gid == w->gone_gid;

    for (int i = 0; i < w->n_procs; i++)
        last |= !w->proc[i].node && w->proc[i].v.has_kept && w->proc[i].v.kept.rec.dissolved && w->proc[i].v.kept.rec.gid == gid;
    if (!last)
        return;
    hs_trace(w, "the group is plain again, %zu confirmed", w->sure.n);
    w->sure.n = w->sure_in.n = 0;
    w->told.n = 0;
    w->sure_writes = 0;
    w->dissolves++;
    w->t.dissolved++;
}

void hs_judge_told(struct hs_world *w, struct hs_proc *p, uint64_t value)
{
    int64_t at = (int64_t)p->n.log.n - 1;

    w->t.async_told++;
    while ((int64_t)w->told.n < at)
        vec_push(&w->told, ((struct hs_entry){0, 0}));
    if ((int64_t)w->told.n == at)
        vec_push(&w->told, ((struct hs_entry){p->n.m.epoch, value}));
}

/* async: what clients were told and the new primary does not have. */
static void count_lost(struct hs_world *w, const struct hs_proc *p)
{
    size_t keep = 0;

    for (size_t i = 0; i < w->told.n; i++) {
        bool has = i < p->n.log.n && p->n.log.at[i].value == w->told.at[i].value;
        if (w->told.at[i].value != 0 && !has)
            w->t.async_lost++;
        if (has)
            keep = i + 1;
    }
    w->told.n = keep;
}

/* R0: what is opened first is held by all of V; a voter without it that promised more would be the proof that it is dead. */
static void all_hold(struct hs_world *w, const struct hs_proc *p)
{
    const struct ha_record *r = &p->n.m.rec;

    if (!ha_record_is_formation(r))
        return;
    for (int i = 0; i < w->n_procs; i++) {
        const struct hs_voter *v = &w->proc[i].v;
        const struct ha_voter *seat = w->proc[i].node ? NULL : ha_voter(r, w->proc[i].name);
        if (seat && v->has_kept && v->kept.life == seat->life && v->kept.rec.gid != r->gid)
            hs_violation(w, "%s is opened by an attempt at forming that %s does not hold", p->name, w->proc[i].name);
    }
}

void hs_judge_opens(struct hs_world *w, struct hs_proc *p, uint64_t epoch)
{
    owns(w, p, epoch);
    all_hold(w, p);
    if (w->sc.mode == HA_ASYNC)
        count_lost(w, p);
    if (w->sc.mode == HA_ASYNC || forced(w, p, epoch))
        return;
    for (size_t i = 0; i < w->sure.n; i++) {
        struct hs_entry s = w->sure.at[i];
        if (w->sure_in.at[i] >= epoch)
            continue;                  /* an old OPEN that comes late: its epoch is over before it begins */
        if (i >= p->n.log.n || p->n.log.at[i].epoch != s.epoch || p->n.log.at[i].value != s.value) {
            hs_violation(w, "%s opens epoch %llu without the confirmed entry %llu:%zu (value %llu)", p->name,
                         (unsigned long long)epoch, (unsigned long long)s.epoch, i, (unsigned long long)s.value);
            return;
        }
    }
}

void hs_judge_confirmed(struct hs_world *w, struct hs_proc *p, int64_t offset)
{
    if (w->sc.mode == HA_ASYNC || p->n.m.epoch < w->forced_epoch)
        return;
    for (int64_t i = 0; i < offset; i++) {
        struct hs_entry e = p->n.log.at[i];
        if (i >= (int64_t)w->sure.n) {
            vec_push(&w->sure, e);
            vec_push(&w->sure_in, p->n.m.epoch);
        } else if (w->sure.at[i].epoch != e.epoch || w->sure.at[i].value != e.value) {
            hs_violation(w, "%s confirms %llu:%lld, but %llu:%lld was confirmed before at this place", p->name,
                         (unsigned long long)e.epoch, (long long)i, (unsigned long long)w->sure.at[i].epoch, (long long)i);
            return;
        }
    }
}

void hs_judge_voted(struct hs_world *w, uint64_t life, uint64_t ballot, const char *who)
{
    for (size_t i = w->votes.n; i-- > 0;)
        if (w->votes.at[i].life == life && w->votes.at[i].ballot == ballot) {
            if (strcmp(w->votes.at[i].who, who) != 0)
                hs_violation(w, "a voter's life voted for %s and for %s in ballot %llu", w->votes.at[i].who, who, (unsigned long long)ballot);
            return;
        }
    vec_add(&w->votes);
    vec_last(&w->votes).life = life;
    vec_last(&w->votes).ballot = ballot;
    snprintf(vec_last(&w->votes).who, ID_MAX, "%s", who);
}

/* R0: a seal on an attempt that is never opened keeps its node from every other one. */
void hs_judge_sealed(struct hs_world *w, struct hs_proc *p, const struct ha_msg *seal)
{
    bool first = false;

    for (int i = 0; i < w->n_procs; i++)
        if (!w->proc[i].node && w->proc[i].v.has_kept)
            first |= w->proc[i].v.kept.rec.gid == seal->gid && w->proc[i].v.kept.rec.born == seal->epoch;
    for (size_t i = 0; i < w->owners.n; i++)
        if (w->owners.at[i].epoch == seal->epoch)
            return;
    if (first && !w->sc.formed)
        hs_violation(w, "%s is sealed in ballot %llu on an attempt at forming that nobody opened", p->name, (unsigned long long)seal->ballot);
}

/* R9: one entry of V, in or out, at a time. */
void hs_judge_record(struct hs_world *w, struct hs_proc *p, const struct ha_record *r)
{
    const struct ha_record *base = &formed_lead(p->v.f)->base;
    int moved = 0;

    if (formed_lead(p->v.f)->state != LD_STORING || base->gid != r->gid || r->ballot != formed_lead(p->v.f)->ballot)
        return;
    for (int i = 0; i < r->n_voters; i++)
        moved += !ha_voter(base, r->voter[i].id) || ha_voter(base, r->voter[i].id)->life != r->voter[i].life;
    for (int i = 0; i < base->n_voters; i++)
        moved += !ha_voter(r, base->voter[i].id) || ha_voter(r, base->voter[i].id)->life != base->voter[i].life;
    if (moved > 1)
        hs_violation(w, "%s changes %d entries of V in one step, in ballot %llu", p->name, moved, (unsigned long long)r->ballot);
}

/* Numbers on a disk only go up, as long as the memory is the same. */
static void remember(struct hs_world *w, const struct hs_proc *p)
{
    struct hs_past now = {0}, *was = NULL;

    if (p->node)
        now = (struct hs_past){p->n.kept.life, p->n.kept.sealed, p->n.kept.bound_ballot, 0};
    else if (p->v.has_kept)
        now = (struct hs_past){p->v.kept.life, 0, 0, p->v.kept.promised};
    for (size_t i = 0; i < w->pasts.n && !was; i++)
        was = w->pasts.at[i].life == now.life ? &w->pasts.at[i] : NULL;
    if (now.life != 0 && !was) {
        vec_push(&w->pasts, now);
    } else if (was) {
        if (now.sealed < was->sealed || now.bound < was->bound || now.promised < was->promised)
            hs_violation(w, "%s went back: sealed %llu, bound %llu, promised %llu; it had %llu, %llu, %llu", p->name,
                         (unsigned long long)now.sealed, (unsigned long long)now.bound, (unsigned long long)now.promised,
                         (unsigned long long)was->sealed, (unsigned long long)was->bound, (unsigned long long)was->promised);
        *was = now;
    }
}

void hs_judge_step(struct hs_world *w, struct hs_proc *only)
{
    struct hs_proc *leased = NULL;

    if (only) {
        remember(w, only);
        return;
    }
    for (int i = 0; i < w->n_procs; i++) {
        struct hs_proc *p = &w->proc[i];
        if (!p->node || !p->alive || p->n.m.state != HA_PRIMARY || p->n.m.epoch == 0)
            continue;
        if (w->sc.bad_clocks || !member_lease_valid(&p->n.m, hs_now(w, p)))
            continue;
        if (leased && (leased->n.m.epoch < w->forced_epoch || p->n.m.epoch < w->forced_epoch))
            continue;                  /* FORCE with an old primary that is neither sealed nor ended: so it was told */
        if (leased) {
            hs_violation(w, "%s (epoch %llu) and %s (epoch %llu) hold a lease at one moment", leased->name,
                         (unsigned long long)leased->n.m.epoch, p->name, (unsigned long long)p->n.m.epoch);
            return;
        }
        leased = p;
    }
}

/* --- after healing ------------------------------------------------------------------------------ */

const struct ha_record *hs_newest(struct hs_world *w)
{
    const struct ha_record *r = NULL;

    for (int i = 0; i < w->n_procs; i++)
        if (!w->proc[i].node && w->proc[i].alive) {
            const struct ha_record *own = &formed_voter(w->proc[i].v.f)->f.rec;
            if (own->gid != 0 && (!r || ha_record_cmp(own, r) > 0))
                r = own;
        }
    return r;
}

const struct ha_record *hs_newest_kept(struct hs_world *w)
{
    const struct ha_record *r = NULL;

    for (int i = 0; i < w->n_procs; i++) {
        const struct hs_voter *v = &w->proc[i].v;
        if (!w->proc[i].node && v->has_kept && v->kept.rec.gid != 0 && (!r || ha_record_cmp(&v->kept.rec, r) > 0))
            r = &v->kept.rec;
    }
    return r;
}

bool hs_judge_calm(struct hs_world *w, const char **lacks)
{
    static char text[200];
    const struct ha_record *r = hs_newest(w);
    struct hs_proc *p = hs_primary(w);
    int id, hold = 0;

    *lacks = text;
    text[0] = 0;
    if (!r || !p) {
        snprintf(text, sizeof text, "%s", r ? "nobody is primary" : "there is no record");
        return false;
    }
    if (strcmp(p->name, r->primary) != 0 || p->n.m.epoch != r->epoch || p->n.m.incarnation != r->incarnation) {
        snprintf(text, sizeof text, "the newest record %llu.%u names %s in epoch %llu, primary is %s in %llu", (unsigned long long)r->ballot, r->change,
                 r->primary, (unsigned long long)r->epoch, p->name, (unsigned long long)p->n.m.epoch);
        return false;
    }
    if (!member_may_write(&p->n.m, hs_now(w, p)) || p->n.m.n_joints > 0) {
        snprintf(text, sizeof text, "%s %s", p->name, p->n.m.n_joints ? "is in a JOINT" : "may not write");
        return false;
    }
    for (int i = 0; i < r->n_members; i++) {
        struct hs_proc *q = (id = hs_by_name(w, r->member[i].id)) >= 0 ? &w->proc[id] : NULL;
        if (!q || q == p)
            continue;
        if (!q->alive || q->n.m.state != HA_FOLLOWER || q->n.follows != p->id || !q->n.streaming || q->n.m.f.life != r->member[i].life) {
            snprintf(text, sizeof text, "%s does not follow %s%s", q->name, p->name, q->n.m.f.life != r->member[i].life ? ": its life is another" : "");
            return false;
        }
    }
    for (int i = 0; i < w->n_procs; i++) {
        struct hs_proc *v = &w->proc[i];
        if (v->node)
            continue;
        if (v->alive && formed_lead(v->v.f)->state != LD_IDLE) {
            snprintf(text, sizeof text, "%s is busy with %s", v->name, lead_state_name(formed_lead(v->v.f)->state));
            return false;
        }
        hold += ha_voter(r, v->name) && ha_voter(r, v->name)->life == v->v.life && ha_record_same_place(&formed_voter(v->v.f)->f.rec, r);
    }
    if (hold < ha_majority(r->n_voters)) {     /* one that promised a ballot which nobody leads now may stay behind */
        snprintf(text, sizeof text, "%d voters of %d hold the record %llu.%u", hold, r->n_voters, (unsigned long long)r->ballot, r->change);
        return false;
    }
    if (w->t.acked < w->acked_at_heal + 3 && w->sc.mode != HA_ASYNC) {
        snprintf(text, sizeof text, "no write is acknowledged");
        return false;
    }
    if (w->sc.mode != HA_ASYNC)
        for (size_t i = 0; i < w->sure.n; i++)
            if (i >= p->n.log.n || p->n.log.at[i].epoch != w->sure.at[i].epoch || p->n.log.at[i].value != w->sure.at[i].value) {
                hs_violation(w, "at the end %s lacks the confirmed entry %llu:%zu", p->name, (unsigned long long)w->sure.at[i].epoch, i);
                return false;
            }
    return true;
}

const char hs_members_lost[] = "too many members lost their memory";
const char hs_voters_lost[] = "too many voters lost their memory";

const char *hs_judge_excuse(struct hs_world *w)
{
    const struct ha_record *r = hs_newest(w);
    bool marker = false;
    int voters = 0, members = 0;

    if (!r)
        return w->sc.formed || w->t.opened > 0 ? "all voters lost their memory" : NULL;
    for (int j = 0; j < w->n_procs; j++) {
        struct hs_proc *p = &w->proc[j];
        if (p->node && ha_member(r, p->name))
            members += ha_member(r, p->name)->life == p->n.m.f.life;
        if (!p->node && ha_voter(r, p->name))
            voters += ha_voter(r, p->name)->life == p->v.life;
    }
    if (voters < ha_majority(r->n_voters))
        return hs_voters_lost;
    if (members < ha_seals_needed(r) || members < r->k + 1)
        return hs_members_lost;
    for (int i = 0; i < w->n_procs; i++)
        for (size_t j = 0; w->proc[i].node && j < w->proc[i].n.log.n; j++)
            marker |= w->proc[i].n.log.at[j].epoch >= r->epoch;
    if (ha_record_is_formation(r) && !marker)
        for (int i = 0; i < w->n_procs; i++)
            if (strcmp(w->proc[i].name, r->primary) == 0 && w->proc[i].n.m.incarnation != r->incarnation)
                return "the attempt at forming waits for its dead primary";
    return NULL;
}
