/* R4: why a ballot is begun, by whom of the sentinels first, and when. Reasons are a table,
 * most urgent first; some are acted upon at once, some only when no ballot has moved for a
 * while, for they are also what a failover looks like in its middle. The one that stands
 * first among those at hand tries first, the others a little later; who lost waits E..2E,
 * and longer each time. */
#include "sentinel/core/formed_inside.h"

#include <string.h>

#define DOUBLINGS_MAX 3

typedef bool question(struct formed *f, const struct ha_record *own, struct lead_want *want);

/* --- what is known -------------------------------------------------------------------------- */

static const struct formed_node *primary(struct formed *f, const struct ha_record *own)
{
    return formed_node(f, own->primary);
}

/* May the record be sealed upon at all? An attempt at forming is another matter (FR_ATTEMPT). */
static bool stands(struct formed *f, const struct ha_record *own)
{
    return own != NULL && !own->dissolved && form_may_seal(f, own);
}

static bool renews_now(struct formed *f, const struct ha_record *own)
{
    const struct formed_node *p = primary(f, own);

    return f->renewed_epoch == own->epoch && p != NULL && f->now_ms - p->renewed_at_ms < formed_timing(f)->down_after_ms;
}

/* A slow disk and a busy machine are as bad for others: how much later than usual their word may come. */
static int64_t lateness_ms(const struct formed *f) { return 2 * (f->slow_ms + f->late_ms); }

/* --- the questions ------------------------------------------------------------------------------ */

static bool is_ended(struct formed *f, const struct ha_record *own, struct lead_want *want)
{
    (void)want;
    return stands(f, own) && f->voter.ended_epoch == own->epoch;
}

/* A renewal takes back what a late status of yesterday's process said (formed_voter_renews). */
static bool is_another_process(struct formed *f, const struct ha_record *own, struct lead_want *want)
{
    const struct formed_node *p = own != NULL ? primary(f, own) : NULL;

    (void)want;
    return stands(f, own) && p != NULL && p->up && p->status.kind == HA_STATUS && p->status.incarnation != own->incarnation;
}

static bool is_down(struct formed *f, const struct ha_record *own, struct lead_want *want)
{
    (void)want;
    return stands(f, own) && f->odown;
}

static bool wants_out(struct formed *f, const struct ha_record *own, struct lead_want *want)
{
    const struct formed_node *p = own != NULL ? primary(f, own) : NULL;

    (void)want;
    return stands(f, own) && own->n_members > 1 && renews_now(f, own) && p->status.kind == HA_STATUS &&
           (p->status.flags & HA_F_WANTS_OUT) != 0;
}

/* It says that it took this epoch: then it also asks for its lease, and as long as nobody calls it down it is not
 * deposed for being slow. */
static bool says_open(struct formed *f, const struct ha_record *own)
{
    const struct formed_node *p = own != NULL ? primary(f, own) : NULL;

    return p != NULL && p->up && p->status.kind == HA_STATUS && p->status.state == HA_PRIMARY && p->status.epoch == own->epoch &&
           p->status.incarnation == own->incarnation;
}

static int64_t first_renewal_ms(struct formed *f, const struct ha_record *own)
{
    const struct ha_timing *t = formed_timing(f);

    return f->rec_from_disk || says_open(f, own) ? t->down_after_ms : ms_max(formed_quiet_ms(f), 4 * t->election_ms) + lateness_ms(f);
}

/* R4 (1). A peer's word counts as much as our own link; after a start we have forgotten who renewed, and wait as long
 * as it takes to call a primary down. */
static bool nobody_heard_it(struct formed *f, const struct ha_record *own, struct lead_want *want)
{
    int64_t wait_ms = first_renewal_ms(f, own);

    (void)want;
    if (!stands(f, own) || f->renewed_epoch == own->epoch || f->now_ms - f->rec_at_ms < wait_ms)
        return false;
    for (size_t i = 0; i < f->peers.n; i++) {
        const struct ha_msg *a = &f->peers.at[i].alive;
        if (a->kind != HA_ALIVE || a->gid != own->gid || !f->peers.at[i].up)
            continue;
        if (a->ballot > own->ballot || (a->ballot == own->ballot && a->change > own->change))
            return false;              /* ours is not the newest: the record comes before the reason */
        if (a->epoch == own->epoch && a->ok)
            return false;
    }
    return true;
}

/* As far as the members at hand say: would a promotion find its seals? */
static bool has_seals_at_hand(struct formed *f, const struct ha_record *own)
{
    int there = 0;

    for (int i = 0; i < own->n_members; i++) {
        const struct formed_node *n = formed_node(f, own->member[i].id);
        there += n != NULL && n->up && (n->status.kind != HA_STATUS || n->status.life == own->member[i].life);
    }
    return there >= ha_seals_needed(own);
}

/* R4 (2). In whichever life, member or not (any more): it can follow nobody until the epoch is above its seal. A primary that
 * is well is not ended for it while the others take their first copies: nobody could follow it. */
static bool sealed_above(struct formed *f, const struct ha_record *own, struct lead_want *want)
{
    (void)want;
    if (!stands(f, own) || (renews_now(f, own) && !has_seals_at_hand(f, own)))
        return false;
    for (size_t i = 0; i < f->nodes.n; i++) {
        const struct formed_node *n = &f->nodes.at[i];
        if ((n->up || ha_member(own, n->id) != NULL) && n->status.kind == HA_STATUS && n->status.gid == own->gid &&
            n->status.sealed > own->epoch)
            return true;
    }
    return false;
}

/* R4 (3), (4); what membership or an operator asks for. Only on a primary that is well. */
static bool change_is_due(struct formed *f, const struct ha_record *own, struct lead_want *want)
{
    return stands(f, own) && renews_now(f, own) && change_due(f, want);
}

static bool left_in_joint(struct formed *f, const struct ha_record *own, struct lead_want *want)
{
    const struct formed_node *p = own != NULL ? primary(f, own) : NULL;

    (void)want;
    return stands(f, own) && renews_now(f, own) && p->status.kind == HA_STATUS && (p->status.flags & HA_F_JOINT) != 0;
}

/* R0: our record is of an attempt that nobody opened. A dead one is simply forgotten. Or nodes are bound to one that
 * died before it had a record. */
static bool attempt_stands_still(struct formed *f, const struct ha_record *own, struct lead_want *want)
{
    if (own == NULL || own->dissolved)
        return form_orphan(f, &want->target);
    if (!ha_record_is_formation(own) || f->renewed_epoch == own->epoch || form_may_seal(f, own))
        return false;
    for (size_t i = 0; i < f->peers.n; i++) {
        const struct ha_msg *a = &f->peers.at[i].alive;
        if (a->kind == HA_ALIVE && a->gid == own->gid && (a->ok || a->ballot > own->ballot))
            return false;              /* it was opened: we are the ones who cannot see it */
    }
    return true;
}

/* A voter promised a ballot that nobody leads any more: until there is a higher one it is one voter fewer, and what it has
 * not heard of it cannot hear. */
static bool voter_left_behind(struct formed *f, const struct ha_record *own, struct lead_want *want)
{
    if (own == NULL || (!own->dissolved && (!stands(f, own) || !renews_now(f, own))))
        return false;
    want->purpose = own->dissolved ? LEAD_DISSOLVE : LEAD_RESTORE;
    for (size_t i = 0; i < f->peers.n; i++)
        if (f->peers.at[i].up && f->peers.at[i].behind_at_ms != 0 &&
            f->now_ms - f->peers.at[i].behind_at_ms >= formed_timing(f)->down_after_ms)
            return true;
    return false;
}

static bool may_form(struct formed *f, const struct ha_record *own, struct lead_want *want)
{
    const char *lacks = NULL;

    if (!f->has_want || (own != NULL && !own->dissolved) || form_ready(f, "", &want->target, &lacks)) {
        f->forming_lacks = NULL;
        return f->has_want && (own == NULL || own->dissolved);
    }
    if (lacks == form_choice_lacks && f->forming_lacks != lacks)
        formed_journal(f, "cannot be formed: %s", lacks);
    f->forming_lacks = lacks;
    return false;
}

static const struct reason {
    enum formed_reason is;
    question *so;
    enum lead_purpose purpose;
    bool quiet;                        /* only when no ballot moved for a while */
    const char *text;
} reasons[] = {
/*    is               so                    purpose         quiet  text */
    { FR_ENDED,        is_ended,             LEAD_PROMOTE,   false, "the primary's process ended" },
    { FR_INCARNATION,  is_another_process,   LEAD_PROMOTE,   false, "the primary's process is another one" },
    { FR_ODOWN,        is_down,              LEAD_PROMOTE,   false, "a quorum sees the primary down, no member objects" },
    { FR_WANTS_OUT,    wants_out,            LEAD_HAND_OVER, false, "the primary was told to stop" },
    { FR_NOT_RENEWED,  nobody_heard_it,      LEAD_PROMOTE,   true,  "whom the record names has renewed with nobody" },
    { FR_SEALED_ABOVE, sealed_above,         LEAD_PROMOTE,   true,  "a member is sealed above the record's epoch" },
    { FR_CHANGE,       change_is_due,        LEAD_CHANGE,    true,  "membership changed" },
    { FR_JOINT,        left_in_joint,        LEAD_RESTORE,   true,  "the primary is left in a joint configuration" },
    { FR_BEHIND,       voter_left_behind,    LEAD_RESTORE,   true,  "a voter promised a ballot that nobody leads any more" },
    { FR_ATTEMPT,      attempt_stands_still, LEAD_RELEASE,   true,  "an attempt at forming stands still" },
    { FR_FORM,         may_form,             LEAD_FORM,      true,  "a mode is set and everybody is at hand" },
};

const char *formed_reason_text(enum formed_reason r)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].is == r)
            return reasons[i].text;
    return "none";
}

/* --- whose turn, and when ------------------------------------------------------------------------ */

int64_t formed_quiet_ms(const struct formed *f)
{
    const struct ha_timing *t = formed_timing(f);

    return ms_max(t->election_ms, 2 * t->heartbeat_ms);        /* a leader is heard of once a heartbeat */
}

static bool seat(const struct ha_record *own, const char *id)
{
    return own == NULL || ha_voter(own, id) != NULL;
}

static int rank(const struct formed *f, const struct ha_record *own)
{
    bool ours = seat(own, f->self.id);
    int n = 0;

    for (size_t i = 0; i < f->peers.n; i++) {
        const struct formed_peer *p = &f->peers.at[i];
        bool theirs = seat(own, p->id);
        n += p->up && ((theirs && !ours) || (theirs == ours && strcmp(p->id, f->self.id) < 0));
    }
    return n;
}

/* The first asks at once; a fifth of E is enough for his word to reach the next one, unless the machine is so busy that
 * we ourselves are later than that. */
static int64_t draw_turn_ms(struct formed *f, const struct ha_record *own)
{
    int64_t e = formed_timing(f)->election_ms;
    int place = rank(f, own);

    return place == 0 ? 0 : place * ms_max(ms_max(e / 5, 1), ms_min(f->late_ms, 2 * e)) + rng_between(&f->rng, 0, e / 20);
}

/* How long a leader may take: async waits so long for who may be longer. */
static int64_t trust_ms(const struct formed *f)
{
    int64_t e = formed_timing(f)->election_ms;

    return ms_max(10 * e, formed_timing(f)->down_after_ms + 4 * e);
}

/* Since when nothing moves. A leader that says so in its heartbeat moves, but not for ever. */
static int64_t still_since_ms(const struct formed *f)
{
    return ms_max(f->ballot_moved_at_ms, ms_min(f->leading_seen_at_ms, f->ballot_moved_at_ms + trust_ms(f)));
}

int formed_doublings(const struct formed *f)
{
    unsigned n = f->tries > 1 ? f->tries - 1 : 0;

    return (int)(n < DOUBLINGS_MAX ? n : DOUBLINGS_MAX);
}

static bool leads(const struct formed *f, const struct formed_peer *p)
{
    return p->alive.kind == HA_ALIVE && p->alive.nonce != 0 && p->alive.nonce >= f->voter.f.promised;
}

/* Somebody leads a ballot that is at least as high as any we promised, and lives: it shall have its time, but not for ever.
 * Without that it would be cut short by the next one, and that one by the next. */
static int64_t leader_until_ms(const struct formed *f)
{
    int64_t quiet_ms = ms_max(formed_quiet_ms(f), 4 * formed_timing(f)->election_ms) + lateness_ms(f), at_ms = 0;

    for (size_t i = 0; i < f->peers.n; i++) {
        const struct formed_peer *p = &f->peers.at[i];
        if (p->up && leads(f, p))
            at_ms = ms_max(at_ms, ms_min(p->heard_at_ms + quiet_ms, p->leads_since_ms + trust_ms(f) + lateness_ms(f)));
    }
    return at_ms;
}

static const struct reason *first_reason(struct formed *f, struct lead_want *want)
{
    const struct ha_record *own = formed_newest(f);

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        memset(want, 0, sizeof *want);
        want->purpose = reasons[i].purpose;
        if (reasons[i].so(f, own, want))
            return &reasons[i];
    }
    return NULL;
}

static void begin(struct formed *f, const struct reason *r, const struct lead_want *want)
{
    int64_t e = formed_timing(f)->election_ms;

    formed_journal(f, "a try is begun: %s", r->text);
    f->tries++;
    f->next_try_ms = f->now_ms + (rng_between(&f->rng, e, 2 * e) << formed_doublings(f));
    f->reason = FR_NONE;
    f->try_at_ms = NEVER_MS;
    lead_start(f, want);
}

/* An attempt that can never be opened is no record (R0). */
static bool forget_dead_attempt(struct formed *f)
{
    uint64_t gid = f->voter.f.rec.gid;
    bool save;

    if (!form_attempt_dead(f) || !voter_drop_record(&f->voter, gid, f->voter.f.rec.ballot + 1, &save))
        return false;
    if (save)
        formed_save(f);
    formed_journal(f, "an attempt at forming is dead: its record is forgotten");
    formed_record_moved(f);
    return true;
}

/* When the answer to a question may change by time alone. */
static int64_t look_again_ms(const struct formed *f)
{
    const struct ha_record *own = formed_newest(f);
    int64_t at_ms;

    if (own == NULL || f->renewed_epoch == own->epoch)
        return NEVER_MS;
    at_ms = f->rec_at_ms + first_renewal_ms((struct formed *)f, own);
    return at_ms > f->now_ms ? at_ms : NEVER_MS;
}

void formed_detect(struct formed *f)
{
    struct lead_want want;
    const struct reason *r;

    if (lead_running(f) || f->save_broken) {
        f->reason = FR_NONE;
        f->try_at_ms = NEVER_MS;
        return;
    }
    forget_dead_attempt(f);
    r = first_reason(f, &want);
    if (r == NULL) {
        f->reason = FR_NONE;
        f->try_at_ms = look_again_ms(f);
        return;
    }
    if (f->reason != r->is) {
        f->reason = r->is;
        f->reason_at_ms = f->now_ms;
        f->turn_ms = draw_turn_ms(f, formed_newest(f));
    }
    f->try_at_ms = ms_max(f->reason_at_ms + f->turn_ms, f->next_try_ms);
    if (!r->quiet)
        f->try_at_ms = ms_max(f->try_at_ms, leader_until_ms(f));
    else
        f->try_at_ms = ms_max(f->try_at_ms, still_since_ms(f) + formed_quiet_ms(f) + f->turn_ms);
    if (f->now_ms >= f->try_at_ms && (f->ticking || f->reason_at_ms == f->now_ms))
        begin(f, r, &want);
}
