/* One voter's half of one formed group: what it has promised, the record it holds, whom it
 * promised a lease, and what it therefore must not do. Rules R1, R2 and T5.
 *
 * The part in `struct voter_facts` must be on disk before anything that was decided here is
 * said: every function that changes it returns true in `*save`, and the caller orders the
 * save before the message. Promises and silence live in memory; T5 covers their loss.
 *
 * No function here sends, waits or asks the time. */
#ifndef KV_SENTINEL_VOTER_H
#define KV_SENTINEL_VOTER_H

#include "common/base/ha.h"

struct voter_facts {
    uint64_t life;                     /* this sentinel's memory */
    uint64_t promised;                 /* highest ballot promised */
    char voted_for[ID_MAX];            /* in ballot `promised`; "" = nobody (raised by a record) */
    uint64_t voted_life;               /* ... of that candidate: one that lost its memory may have picked the same number twice */
    struct ha_record rec;              /* gid 0 = none */
    int64_t promise_max_ms;            /* the largest L_s ever in force (T5) */
    /* an operator's wish that takes two changes (R9): this voter, in this life, out, then that sentinel in; "" = none */
    char replace_out[ID_MAX], replace_in[ID_MAX];
    uint64_t replace_life;
};

struct voter {
    struct voter_facts f;
    char id[ID_MAX];
    /* in memory */
    int64_t silent_until_ms;           /* after a start: no record of another epoch (T5) */
    uint64_t silent_epoch;             /* ... than this one's; END of it lifts the silence */
    struct {
        uint64_t epoch, incarnation;
        int64_t until_ms;              /* NEVER_MS is not used; 0 = none */
    } promise;
    uint64_t ended_epoch;              /* highest epoch known to be over (R2) */
    int64_t shrink_at_ms;              /* promises of promise_max_ms have run out then: a smaller L_s may take its place (T5) */
};

/* A process starts: facts as they were on disk, or with a new life in them if the disk was lost. */
void voter_init(struct voter *v, const char *id, const struct voter_facts *f, int64_t now_ms);

/* VOTE(ballot) of `candidate` (id, life): true = granted (say it after the save). *why says why not. The same question
 * from the same memory gets the same answer again: an answer may be lost. A candidate need not stand in V; whether the
 * voter itself does (id, life) is for the candidate to count. */
bool voter_vote(struct voter *v, uint64_t ballot, const char *candidate, uint64_t life, bool *save, enum ha_why *why);

/* RECORD(r): true = taken, or held already. r passed ha_record_check. HA_WHY_LEASED: *wait_ms says how long a promise or a silence still runs. */
bool voter_record(struct voter *v, const struct ha_record *r, int64_t now_ms, bool *save, enum ha_why *why, int64_t *wait_ms);

/* RENEW(epoch, incarnation) of the primary: true = promised until now + L_s of the record held. */
bool voter_renew(struct voter *v, uint64_t epoch, uint64_t incarnation, int64_t now_ms, bool *save, enum ha_why *why);

/* END(epoch): voids the promise and the silence that concern it, and no other. */
void voter_end(struct voter *v, uint64_t epoch);

/* How long from now until a record of another epoch than the held one's may be taken; 0 = now. */
int64_t voter_held_ms(const struct voter *v, int64_t now_ms);

/* Formation (R0): forgets the record of `gid` if it is of an attempt that `proof_ballot` killed: a number above it with
 * which its primary was let go or bound anew, or that a voter of its V promised without holding it. A higher number is
 * then promised, so that a late copy is not taken. True = no obstacle (any more): not held, forgotten, or the last
 * record of a dissolved id, which is kept for those who missed it. */
bool voter_drop_record(struct voter *v, uint64_t gid, uint64_t proof_ballot, bool *save);

#endif
