/* What one voter of one formed group may say. Three memories, each with its own rule: the
 * ballot it promised and whom it gave it (R1), the record it holds (R1, R0), and until when
 * it may take no record of another epoch (R2 while it runs, T5 after a start). Who asks,
 * and what follows from an answer, is formed.c's. */
#include "sentinel/core/voter.h"

#include "common/base/check.h"
#include "common/base/plant.h"
#include "common/base/str.h"

#include <string.h>

void voter_init(struct voter *v, const char *id, const struct voter_facts *f, int64_t now_ms)
{
    memset(v, 0, sizeof *v);
    v->f = *f;
    CHECK(slice_copy_z(slice_z(id), v->id, sizeof v->id));
    if (f->rec.gid == 0 || f->promise_max_ms == 0)
        return;                        /* whoever holds no record has promised nobody anything */
    v->silent_epoch = f->rec.epoch;
    v->silent_until_ms = ms_add(now_ms, f->promise_max_ms);
    v->shrink_at_ms = v->silent_until_ms;
}

static bool refuse(enum ha_why *why, enum ha_why because)
{
    *why = because;
    return false;
}

/* --- ballots ------------------------------------------------------------------------------- */

bool voter_vote(struct voter *v, uint64_t ballot, const char *candidate, uint64_t life, bool *save, enum ha_why *why)
{
    bool same = ballot == v->f.promised && v->f.voted_life == life && strcmp(v->f.voted_for, candidate) == 0;

    *save = false;
    *why = HA_WHY_NONE;
    if (candidate[0] == '\0' || life == 0)
        return refuse(why, HA_WHY_STRANGER);
    if (same)
        return true;
    if (ballot <= v->f.promised)
        return refuse(why, ballot == v->f.promised ? HA_WHY_VOTED : HA_WHY_PROMISED);
    if (!slice_copy_z(slice_z(candidate), v->f.voted_for, sizeof v->f.voted_for))
        return refuse(why, HA_WHY_STRANGER);
    v->f.promised = ballot;
    v->f.voted_life = life;
    *save = true;
    return true;
}

static void raise_promised(struct voter *v, uint64_t ballot)
{
    if (ballot <= v->f.promised)
        return;
    v->f.promised = ballot;
    v->f.voted_for[0] = '\0';
    v->f.voted_life = 0;
}

/* --- promises and silence --------------------------------------------------------------------- */

int64_t voter_held_ms(const struct voter *v, int64_t now_ms)
{
    int64_t until_ms = 0;

    if (!PLANT(PROMISE_IGNORED))
        until_ms = v->promise.until_ms;
    if (!PLANT(NO_SILENCE))
        until_ms = ms_max(until_ms, v->silent_until_ms);
    return until_ms > now_ms ? until_ms - now_ms : 0;
}

bool voter_renew(struct voter *v, uint64_t epoch, uint64_t incarnation, int64_t now_ms, bool *save, enum ha_why *why)
{
    int64_t length_ms = v->f.rec.timing.promise_ms;

    *save = false;
    *why = HA_WHY_NONE;
    if (v->f.rec.gid == 0 || v->f.rec.dissolved)
        return refuse(why, HA_WHY_GROUP);
    if (v->f.rec.epoch != epoch || epoch == v->ended_epoch)
        return refuse(why, HA_WHY_EPOCH);
    if (v->f.rec.incarnation != incarnation)
        return refuse(why, HA_WHY_INCARNATION);
    if (length_ms > v->f.promise_max_ms || (length_ms < v->f.promise_max_ms && now_ms >= v->shrink_at_ms)) {
        v->f.promise_max_ms = length_ms;
        *save = true;
    }
    v->promise.epoch = epoch;
    v->promise.incarnation = incarnation;
    v->promise.until_ms = ms_max(v->promise.until_ms, ms_add(now_ms, length_ms));
    return true;
}

void voter_end(struct voter *v, uint64_t epoch)
{
    if (epoch == 0)
        return;
    if (v->promise.epoch == epoch)
        v->promise.until_ms = 0;
    if (v->silent_epoch == epoch)
        v->silent_until_ms = 0;
    if (epoch > v->ended_epoch)
        v->ended_epoch = epoch;
}

/* --- records ------------------------------------------------------------------------------------ */

/* A formation record of another id replaces that of an attempt which it proves dead: its leader had every node bound
 * first, and the primary of both, in the same life, cannot have left an attempt that it had opened. Any other id only
 * replaces the last record of a dissolved one. */
static bool other_id_may(const struct ha_record *own, const struct ha_record *r)
{
    const struct ha_member *was = ha_member(own, own->primary);
    const struct ha_member *is = ha_member(r, r->primary);

    if (own->gid == 0 || own->dissolved)
        return true;
    return ha_record_is_formation(own) && ha_record_is_formation(r) && r->ballot > own->ballot && was != NULL &&
           is != NULL && strcmp(was->id, is->id) == 0 && was->life == is->life;
}

static void take(struct voter *v, const struct ha_record *r, int64_t now_ms)
{
    bool smaller = r->timing.promise_ms < v->f.promise_max_ms;

    if (smaller && v->f.rec.gid != 0 && v->f.rec.timing.promise_ms > r->timing.promise_ms)
        v->shrink_at_ms = ms_add(now_ms, v->f.promise_max_ms);
    if (!smaller)
        v->f.promise_max_ms = r->timing.promise_ms;
    if (v->f.rec.gid != r->gid || v->f.rec.epoch != r->epoch) {
        memset(&v->promise, 0, sizeof v->promise);
        v->silent_until_ms = 0;
        v->silent_epoch = 0;
    }
    raise_promised(v, r->ballot);
    v->f.rec = *r;
}

bool voter_record(struct voter *v, const struct ha_record *r, int64_t now_ms, bool *save, enum ha_why *why, int64_t *wait_ms)
{
    const struct ha_record *own = &v->f.rec;

    *save = false;
    *why = HA_WHY_NONE;
    *wait_ms = 0;
    if (own->gid != 0 && ha_record_same_place(own, r))
        return true;
    if (own->gid != r->gid && !other_id_may(own, r))
        return refuse(why, HA_WHY_GROUP);
    if (r->ballot < v->f.promised && !PLANT(RECORD_ANY_BALLOT))
        return refuse(why, HA_WHY_PROMISED);
    if (own->gid != 0 && ha_record_cmp(r, own) <= 0)
        return refuse(why, HA_WHY_OLD);
    if (own->gid != 0 && (own->gid != r->gid || own->epoch != r->epoch) && voter_held_ms(v, now_ms) > 0) {
        *wait_ms = voter_held_ms(v, now_ms);
        return refuse(why, HA_WHY_LEASED);
    }
    take(v, r, now_ms);
    *save = true;
    return true;
}

/* --- forgetting ------------------------------------------------------------------------------------ */

bool voter_drop_record(struct voter *v, uint64_t gid, uint64_t proof_ballot, bool *save)
{
    bool dead = ha_record_is_formation(&v->f.rec) && proof_ballot > v->f.rec.ballot;

    *save = false;
    if (v->f.rec.gid != gid || gid == 0) {
        if (proof_ballot > v->f.promised) {        /* not held: and a late copy is not taken either */
            raise_promised(v, proof_ballot);
            *save = true;
        }
        return true;
    }
    if (v->f.rec.dissolved)
        return true;                       /* kept: who missed it must still hear of it; it is nobody's obstacle */
    if (!dead)
        return false;
    raise_promised(v, proof_ballot > v->f.rec.ballot ? proof_ballot : v->f.rec.ballot);
    memset(&v->f.rec, 0, sizeof v->f.rec);
    memset(&v->promise, 0, sizeof v->promise);
    v->silent_until_ms = 0;
    v->silent_epoch = 0;
    *save = true;
    return true;
}
