/* What this node promises others and when it answers a seal: SEAL, FETCH, END, and RENEW as a
 * member hears it (R3, R5, T5). A seal is persisted and obeyed at once; it is *answered* only
 * when no promise of ours and no silence can still carry somebody's lease. */
#include "kvnode/role/member_inside.h"

#include <string.h>

void member_sealed_to(struct member_turn *t, uint64_t b)
{
    struct member_facts *f = &t->m->f;

    if (b <= f->sealed && f->used)
        return;
    if (b > f->sealed)
        f->sealed = b;
    f->used = true;
    member_save(t);
}

/* --- END --------------------------------------------------------------------------------------- */

/* It voids what concerns this epoch, and nothing else. */
static void note_end(struct member *m, uint64_t epoch)
{
    if (epoch == 0)
        return;
    m->ended_epoch = epoch;
    if (m->promise_epoch == epoch)
        m->promise_until_ms = 0;
}

void member_on_end(struct member_turn *t)
{
    struct member *m = t->m;

    if (m->f.gid == 0 || t->msg->gid != m->f.gid)
        return;
    note_end(m, t->msg->epoch);
    member_heard(t, "that epoch is over");
    if (member_is_primary(m) && m->epoch == t->msg->epoch &&
        (t->msg->incarnation == 0 || t->msg->incarnation == m->incarnation))
        member_move(t, MC_ENDED);
}

/* --- SEAL --------------------------------------------------------------------------------------- */

static int64_t held_until_ms(const struct member *m)
{
    int64_t until_ms = m->promise_until_ms;

    if (m->seal_base == 0 || m->ended_epoch != m->seal_base)
        until_ms = ms_max(until_ms, m->silent_until_ms);
    return PLANT(SEAL_EARLY) ? 0 : until_ms;
}

static struct ha_msg *say_sealed(struct member_turn *t, uint64_t link, uint64_t ballot, enum ha_why why)
{
    struct ha_msg *answer = member_say(t, link, HA_SEALED);

    answer->ballot = ballot;
    answer->sealed = answer->promised = t->m->f.sealed;
    answer->ok = why == HA_WHY_NONE;
    answer->why = why;
    return answer;
}

static enum ha_why may_seal(const struct member *m, uint64_t ballot)
{
    if (ballot == 0 || ballot < m->f.sealed)
        return HA_WHY_PROMISED;
    if (member_is_primary(m) && m->epoch >= ballot)
        return HA_WHY_OPENED;
    if (m->phase == MP_FOLLOWER && ms_max((int64_t)m->follow_epoch, (int64_t)m->stream_epoch) >= (int64_t)ballot)
        return HA_WHY_EPOCH;
    return m->end.epoch >= ballot ? HA_WHY_EPOCH : HA_WHY_NONE;
}

void member_on_seal(struct member_turn *t)
{
    struct member *m = t->m;
    uint64_t ballot = t->msg->ballot;
    enum ha_why why = m->f.gid == 0 || t->msg->gid != m->f.gid ? HA_WHY_GROUP : may_seal(m, ballot);
    int64_t wait_ms;

    if (why != HA_WHY_NONE) {
        member_heard(t, "refuses the seal");
        say_sealed(t, t->ev->link, ballot, why);
        return;
    }
    if (m->phase == MP_FETCHING && ballot == m->f.sealed)
        member_heard(t, "sealed already: answers when the tail is here");
    else if (!(member_is_primary(m) && PLANT(SEAL_WITHOUT_SELF)))
        member_move(t, MC_SEALED);
    member_sealed_to(t, ballot);
    if (t->msg->ended)
        note_end(m, t->msg->epoch);
    m->seal_link = t->ev->link;
    m->seal_ballot = ballot;
    m->seal_base = t->msg->epoch;
    member_saved_first(t);
    wait_ms = held_until_ms(m) - t->now_ms;
    if (m->phase == MP_FENCED && wait_ms > 0)
        say_sealed(t, t->ev->link, ballot, HA_WHY_LEASED)->ms = wait_ms;
}

int64_t member_seal_due_ms(const struct member *m)
{
    if (m->seal_ballot == 0 || m->phase == MP_FETCHING || !m->log_known)
        return NEVER_MS;
    return held_until_ms(m);
}

/* The position is read now: the log was frozen when the seal came, or the tail has come since. */
void member_seal_due(struct member_turn *t)
{
    struct member *m = t->m;
    struct ha_msg *answer;

    if (m->seal_ballot == 0 || m->phase == MP_FETCHING)
        return;
    if (m->phase != MP_FENCED && !(member_is_primary(m) && PLANT(SEAL_WITHOUT_SELF))) {
        m->seal_ballot = 0;
        return;
    }
    if (t->now_ms < held_until_ms(m) || !m->log_known)
        return;
    member_heard(t, "no promise is left: the seal is answered");
    member_saved_first(t);
    answer = say_sealed(t, m->seal_link, m->seal_ballot, HA_WHY_NONE);
    answer->pos = m->end;
    answer->epoch = m->seal_base;
    m->seal_ballot = 0;
}

/* --- FETCH --------------------------------------------------------------------------------------- */

static enum ha_why may_fetch(const struct member *m, const struct ha_msg *msg)
{
    if (m->f.gid == 0 || msg->gid != m->f.gid)
        return HA_WHY_GROUP;
    if (m->f.sealed != msg->ballot)
        return m->f.sealed > msg->ballot ? HA_WHY_PROMISED : HA_WHY_EPOCH;
    if (PLANT(FETCH_LATE))
        return HA_WHY_NONE;
    if (member_is_primary(m))
        return HA_WHY_OPENED;
    /* a late copy would roll back what was acknowledged to the new primary */
    if (m->end.epoch >= msg->ballot || (m->phase != MP_FENCED && m->phase != MP_FETCHING))
        return HA_WHY_EPOCH;
    return HA_WHY_NONE;
}

void member_act_fetch(struct member_turn *t)
{
    struct member_order *o = member_order(t, MO_SAVE_TAIL);

    o->pos = t->m->end;
    o = member_order(t, MO_FETCH);
    o->addr = t->msg->addr;
    o->pos = t->msg->pos;
    o->epoch = t->msg->ballot;
    memcpy(t->m->fetch_from, t->msg->node, ID_MAX);
}

void member_on_fetch(struct member_turn *t)
{
    struct member *m = t->m;
    enum ha_why why = may_fetch(m, t->msg);

    if (why != HA_WHY_NONE) {
        member_heard(t, "refuses to fetch");
        say_sealed(t, t->ev->link, t->msg->ballot, why);
        return;
    }
    if (m->phase == MP_FOLLOWER || member_is_primary(m)) {
        if (m->phase == MP_FOLLOWER && PLANT(FETCH_LATE))
            member_act_fetch(t);
        return;
    }
    m->seal_link = t->ev->link;
    m->seal_ballot = t->msg->ballot;
    if (m->phase == MP_FETCHING && strcmp(m->fetch_from, t->msg->node) == 0)
        member_heard(t, "fetching already");
    else if (ha_position_cmp(m->end, t->msg->pos) >= 0)
        member_heard(t, "has that tail already");
    else
        member_move(t, MC_FETCH);
}

/* Here or not: what we have now is what the seal is answered with. */
void member_on_fetched(struct member_turn *t)
{
    if (t->m->phase == MP_FETCHING)
        member_move(t, MC_FETCHED);
}

/* --- the promise ------------------------------------------------------------------------------------ */

static enum ha_why may_promise(const struct member *m, const struct ha_msg *msg)
{
    if (m->f.gid == 0 || msg->gid != m->f.gid)
        return HA_WHY_GROUP;
    if (msg->epoch < m->f.sealed)
        return HA_WHY_PROMISED;
    if (msg->epoch == m->ended_epoch)
        return HA_WHY_EPOCH;
    if (member_is_primary(m) || m->phase == MP_BOUND)
        return HA_WHY_NOT_FOLLOWING;
    return HA_WHY_NONE;
}

/* A promise to an older epoch may still run when the first one to a newer epoch is given: one end for both. */
static void promise(struct member_turn *t)
{
    struct member *m = t->m;

    member_sealed_to(t, t->msg->epoch);
    if (m->phase == MP_FOLLOWER && m->stream_epoch != 0 && m->stream_epoch < m->f.sealed)
        member_move(t, MC_SEALED);     /* whoever feeds us is of an older epoch */
    if (m->f.promise_max_ms < t->msg->ms) {
        m->f.promise_max_ms = t->msg->ms;
        member_save(t);
    }
    member_saved_first(t);
    m->promise_epoch = t->msg->epoch;
    m->promise_until_ms = ms_max(m->promise_until_ms, ms_add(t->now_ms, t->msg->ms));
}

void member_on_renew(struct member_turn *t)
{
    enum ha_why why = may_promise(t->m, t->msg);
    struct ha_msg *answer;

    if (t->msg->ms <= 0)
        return;                        /* it does not say how long */
    if (why == HA_WHY_NONE) {
        t->m->primary_heard_at_ms = t->now_ms;
        promise(t);
    }
    member_heard(t, why == HA_WHY_NONE ? "promises the primary a lease" : "promises nothing");
    answer = member_say(t, t->ev->link, HA_LEASE);
    answer->epoch = t->msg->epoch;
    answer->incarnation = t->msg->incarnation;
    answer->nonce = t->msg->nonce;
    answer->sealed = t->m->f.sealed;
    answer->ms = why == HA_WHY_NONE ? t->msg->ms : 0;
    answer->ok = why == HA_WHY_NONE;
    answer->why = why;
}
