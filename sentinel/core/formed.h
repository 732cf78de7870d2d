/* One formed group in one sentinel: the door to voter (what I promised), lead (the try I
 * lead), form and change. It is told what happened and answers with a list to be carried out
 * in order, exactly as core is; core keeps one for each group that has a mode.
 *
 *     struct formed *f = formed_new(&self, &facts, seed, now_ms);
 *     formed_step(f, &(struct formed_event){.kind = FV_MSG, .msg = &m}, now_ms, &out);
 *     for each of out: carry it out, in order; FA_SAVE is on disk before the next
 *
 * Everybody is named by id (sentinel id, node id); whoever owns links maps ids to them. */
#ifndef KV_SENTINEL_FORMED_H
#define KV_SENTINEL_FORMED_H

#include "sentinel/core/lead.h"
#include "sentinel/core/voter.h"

struct formed;

struct formed_self {
    char id[ID_MAX];
    struct addr addr;
};

enum formed_event_kind {
    FV_TICK,               /* formed_deadline_ms has come, and all that had arrived before was handed in: nothing else lets time run out */
    FV_MSG,                /* msg: from a peer or from a node; msg->from says who */
    FV_SAVED,              /* the last list held an FA_SAVE and is carried out: while the disk took its time, no time of ours ran out */
    FV_SAVE_FAILED,        /* the last FA_SAVE failed, the rest of that list was dropped */
    /* whom we know: all sentinels of the group and all its data nodes */
    FV_PEER,               /* id, addr, up: a sentinel of this group is at hand or not */
    FV_NODE,               /* id, addr, up, how: the control link to a node */
    FV_FORGET,             /* id: neither any more */
    /* what the health of the plain path says about the primary of the record */
    FV_ODOWN,              /* yes: objectively down (quorum) and no member objects; no: not any more. id: of which node it is said;
                              NULL: of the record's primary */
    FV_EVIDENCE,           /* the agent on its host saw that process end (R2b); epoch: END(epoch). What sentinels see of it
                              (R2c) is counted inside: FV_NODE with `refused` is all that is needed */
    /* the operator */
    FV_FORM,               /* want: mode, k, fsync, timing, voters (how many); ticket; id: whom an operator names the primary, or NULL */
    FV_SET,                /* the same on a formed group: a change */
    FV_HAND_OVER,          /* id "" or the target; ticket */
    FV_FORCE,              /* id; seals; ticket. seals 0: the named node, of whichever life: nobody of an old life is left */
    FV_DISSOLVE,           /* ticket; yes: by force, without those that cannot be heard (dissolve.c says how far) */
    FV_REPLACE_VOTER,      /* id = old, id2 = new; ticket. Kept on disk until it is done. id "": nobody is to be replaced any more */
    FV_DROP_MEMBER,        /* id; ticket */
    FV_CANCEL,             /* ticket */
    FV_KINDS
};

struct formed_want {
    enum ha_mode mode;
    bool fsync;
    int k;                             /* 0 = the default: half of the others, at least 1 */
    int voters;                        /* 3 or 5 */
    struct ha_timing timing;
    int64_t member_drop_after_ms;      /* strict: a member gone for so long leaves M; 0 = never */
    bool no_crash_evidence;            /* crash-evidence agent|no: closed links and refused reconnects end no epoch */
};

struct formed_event {
    enum formed_event_kind kind;
    const struct ha_msg *msg;
    const char *id, *id2;
    struct addr addr;
    bool yes;                          /* up; down */
    bool refused;                      /* FV_NODE down: an established link closed, and a reconnect to the control port was refused.
                                          First the close (yes false), then, when it is known, the same again with refused */
    uint64_t epoch;
    int seals;
    const struct formed_want *want;
    uint64_t ticket;
};

enum formed_action_kind {
    FA_SAVE,               /* formed_facts() durable, then go on; if it fails drop the rest, FV_SAVE_FAILED */
    FA_TO_PEER,            /* id, msg */
    FA_TO_NODE,            /* id, msg */
    FA_REPLY,              /* ticket, ok, text */
    FA_PRIMARY,            /* id, addr: clients go there now (+switch-master); epoch */
    FA_NEWS,               /* text: an operator event of this group */
    FA_JOURNAL,            /* text: one line of the journal */
    FA_TRACE
};

struct formed_action {
    enum formed_action_kind kind;
    char id[ID_MAX];
    struct addr addr;
    uint64_t epoch, ticket;
    bool ok;
    const struct ha_msg *msg;          /* with its rec: good until formed_out_clear */
    const char *text;                  /* the same */
};

struct formed_out {
    VEC(struct formed_action) list;
    VEC(void *) kept;
};
void formed_out_init(struct formed_out *o);
void formed_out_fini(struct formed_out *o);
void formed_out_clear(struct formed_out *o);

/* facts NULL: a new memory; `new_life` is then its life (random, from whoever owns chance). */
struct voter_facts;
/* Facts that come from a disk: NULL, or why they cannot be used (static text). formed_new CHECKs it. */
const char *formed_facts_check(const struct voter_facts *facts);
struct formed *formed_new(const struct formed_self *self, const struct voter_facts *facts, uint64_t new_life,
                          uint64_t seed, int64_t now_ms);
void    formed_free(struct formed *f);
void    formed_step(struct formed *f, const struct formed_event *ev, int64_t now_ms, struct formed_out *out);
int64_t formed_deadline_ms(const struct formed *f);
const struct voter_facts *formed_facts(const struct formed *f);

/* --- the view -------------------------------------------------------------------------- */

/* What we know of a node of the group. */
struct formed_node {
    char id[ID_MAX];
    struct addr addr;
    bool up;                           /* our control link to it */
    bool crashed;                      /* closed, then refused */
    int64_t heard_at_ms;               /* its last message, 0 = never */
    int64_t renewed_at_ms;             /* primary: its last RENEW */
    int64_t bound_at_ms;               /* since when its status names the same gid and number */
    struct ha_msg status;              /* its last HA_STATUS; kind HA_NOTHING = none; rec is NULL */
};
struct formed_peer {
    char id[ID_MAX];
    struct addr addr;
    bool up;
    int64_t heard_at_ms;
    struct ha_msg alive;               /* its last HA_ALIVE; kind HA_NOTHING = none */
    int64_t leads_since_ms;            /* since when it says that it leads the ballot alive.nonce */
    int64_t behind_at_ms;              /* since when it lacks our record and has promised a higher ballot; 0 = it does not */
};
const struct voter *formed_voter(const struct formed *f);
const struct lead  *formed_lead(const struct formed *f);
size_t formed_node_count(const struct formed *f);
const struct formed_node *formed_node_at(const struct formed *f, size_t i);
size_t formed_peer_count(const struct formed *f);
const struct formed_peer *formed_peer_at(const struct formed *f, size_t i);
/* A mode is wished and there is no record: what the forming waits for (static text); NULL: nothing, or nothing is wished.
 * *choice: an operator has to name the primary (FV_FORM with an id). */
const char *formed_forming_lacks(const struct formed *f, bool *choice);

/* EXPLAIN: could it fail over now? *can, and a sentence for each thing that lacks, in order of weight. */
void formed_explain(const struct formed *f, int64_t now_ms, bool *can, char chosen[ID_MAX],
                    void (*say)(void *ctx, const char *what, const char *who, const char *why), void *ctx);

/* NULL, or what is wrong (static text); formed_step CHECKs it. */
const char *formed_check(const struct formed *f);

#endif
