/* The words of a formed group: its record, positions in a log, and every message that
 * sentinels and data nodes of such a group send each other. Shapes, and the few questions
 * that both sides must answer alike; what follows from an answer is decided in the quiet
 * rooms (sentinel/core, kvnode/role).
 *
 * Words: a *voter* is a sentinel, a *member* a data node. A *ballot* is the number of one
 * election. An *epoch* is the ballot in which the present primary was promoted. A *life* is
 * the id of a memory, an *incarnation* the id of a process; both random, never 0. A
 * *position* is (epoch of the last entry, offset). `sealed = b`: takes nothing of an epoch
 * below b, ever. All numbers of these kinds are 64 bits, 0 = none. */
#ifndef KV_BASE_HA_H
#define KV_BASE_HA_H

#include "common/base/addr.h"
#include "common/base/timeval.h"
#include "common/base/words.h"

#include <stdbool.h>
#include <stdint.h>

#define HA_MEMBERS_MAX 9
#define HA_VOTERS_MAX 5
#define HA_ZONE_MAX 32

enum ha_mode { HA_ASYNC, HA_PREFER, HA_STRICT, HA_MODES };

struct ha_position {
    uint64_t epoch;
    int64_t offset;
};

struct ha_member {
    char id[ID_MAX];
    uint64_t life;
    struct addr addr;                  /* where clients and replicas find it: an attribute */
    int32_t priority;                  /* lower is preferred, 0 = never promote */
    char zone[HA_ZONE_MAX];            /* "" = not said */
    struct ha_position last;           /* advisory: last known; decides nothing in prefer and strict */
};

struct ha_voter {
    char id[ID_MAX];
    uint64_t life;
    struct addr addr;
};

/* All in ms. T1-T8 of ha_timing_check. */
struct ha_timing {
    int64_t heartbeat_ms;              /* H */
    int64_t promise_ms;                /* L_s: what a voter or member promises, by its own clock */
    int64_t lease_ms;                  /* L_n: how long the primary trusts it, from the moment it asked */
    int64_t down_after_ms;             /* D */
    int64_t election_ms;               /* E: a try lasts E..2E */
};

/* The one shared truth of a group, stored by each voter. Ordered by (ballot, change). */
struct ha_record {
    uint64_t gid;                      /* group id; 0 = no record */
    uint64_t ballot;
    uint32_t change;                   /* place in the ballot: 0 promotion, 1 change or base anew, 2 the change of V after it */
    bool dissolved;                    /* the id's last record: the group is plain again */
    uint64_t epoch;                    /* <= ballot */
    uint64_t born;                     /* number of the BIND it was formed with; ballot == born: the formation record itself (R0) */
    char primary[ID_MAX];              /* member id */
    uint64_t incarnation;              /* of the primary's process that owns the epoch */
    enum ha_mode mode;
    bool fsync;                        /* a copy counts after fsync, the primary's own included */
    int k;                             /* other members that must hold a write; 0 only if the primary is alone */
    int n_members, n_voters;
    struct ha_member member[HA_MEMBERS_MAX];   /* M, the primary among them */
    struct ha_voter voter[HA_VOTERS_MAX];      /* V */
    struct ha_timing timing;
    int64_t drop_after_ms;             /* strict: a member gone for so long leaves M; 0 = never */
};

int  ha_position_cmp(struct ha_position a, struct ha_position b);         /* -1, 0, 1; epoch first */
int  ha_record_cmp(const struct ha_record *a, const struct ha_record *b); /* by (ballot, change) */
bool ha_record_same_place(const struct ha_record *a, const struct ha_record *b);   /* same gid, ballot, change */
const struct ha_member *ha_member(const struct ha_record *r, const char *id);      /* NULL: not in M */
const struct ha_voter  *ha_voter(const struct ha_record *r, const char *id);       /* NULL: not in V */
int  ha_majority(int n);                                                  /* n / 2 + 1 */
int  ha_seals_needed(const struct ha_record *r);                          /* q = |M| - k; async: 1 */
int  ha_promises_needed(const struct ha_record *r);                       /* of members, for a lease: k; async: |M| - 1 */
/* What is wrong with it as a record of its own (counts, k, ids twice, epoch > ballot, primary not in M): NULL = nothing. */
const char *ha_record_check(const struct ha_record *r);
bool ha_record_is_formation(const struct ha_record *r);                   /* the group's first, not yet built upon */

/* lan, cloud, wan; false = no such profile. */
bool ha_timing_profile(const char *name, struct ha_timing *out);
/* D given, the rest in proportion: what a group gets that sets only down-after-milliseconds. */
void ha_timing_from_down_after(int64_t down_after_ms, struct ha_timing *out);
/* NULL, or the line it violates in words ("T3: promise 900 ms + heartbeat … exceeds down-after …"), written into `text`. */
#define HA_TIMING_TEXT 160
const char *ha_timing_check(const struct ha_timing *t, char text[HA_TIMING_TEXT]);
const char *ha_mode_name(enum ha_mode m);                                 /* "async" "prefer" "strict" */
bool ha_mode_named(const char *name, enum ha_mode *out);

/* --- messages ------------------------------------------------------------------------- */

/* Each is one datagram in meaning: it may be lost, late, doubled, or overtaken. Nobody waits
 * for the answer of one alone. The fields that a kind uses stand beside it; all carry gid
 * and the sender (from, life of the sender). */
enum ha_kind {
    HA_NOTHING,

    /* voter <-> voter */
    HA_VOTE,               /* ballot: may I lead it? */
    HA_VOTED,              /* ballot, ok, why; rec = the voter's record (NULL: it has none); promised */
    HA_RECORD,             /* rec: take it */
    HA_STORED,             /* ballot, change, ok, why, ms: not before so long; promised */
    HA_END,                /* epoch: its incarnation is over (R2), node, incarnation */
    HA_ALIVE,              /* heartbeat: gid, ballot, change, epoch of its record; promised; ok: the primary named there
                              renewed with it; nonce: the ballot it leads now, 0 = none;
                              unproved: that record is its id's last, the group is plain;
                              ended: I saw that primary's established link close and a reconnect refused (R2c) */

    /* voter -> node */
    HA_LOOK,               /* how are you? -> HA_STATUS */
    HA_BIND,               /* ballot = a; node, node_life = the primary bound to; gid 0 = none: released from `old_gid` */
    HA_SEAL,               /* ballot = b; epoch = the base's; ended: END(epoch) is known */
    HA_FETCH,              /* ballot = b; node, addr: take the tail from it, up to pos, then answer HA_SEAL again */
    HA_OPEN,               /* rec; unproved */
    HA_LEASE,              /* answer to HA_RENEW: epoch, incarnation, nonce, ok, why; ballot, change of the record it rests on (a member: 0) */
    HA_JOINT,              /* rec = the new configuration, ballot, change of the leader's try */
    HA_COMMITTED,          /* rec: it is at a majority */
    HA_STOP,               /* hand-over: ballot, node = target; no more writes, wait until it has all */
    HA_RESUME,             /* ... called off: ballot */
    HA_FINISH,             /* ... give it up: ballot -> HA_END */
    HA_FOLLOW,             /* rec: this is how it stands; follow its primary */

    /* node -> voter */
    HA_STATUS,             /* gid, ballot = number of the last BIND, life, incarnation, state, sealed, epoch, pos, flags; addr: whom it
                              follows, unset = nobody; promised, change: ballot and change of the record it knows; node, node_life: bound
                              and not used yet: the primary it is bound to; ms: follower: so long ago it heard its primary, 0 = never */
    HA_BOUND,              /* ballot, ok, why */
    HA_SEALED,             /* ballot, ok, why, incarnation, pos, promised-free: a counted seal if the life is right */
    HA_OPENED,             /* ballot, epoch, ok, why */
    HA_RENEW,              /* epoch, incarnation, nonce; to members too, on the replication link */
    HA_READY,              /* ballot, change, ok */
    HA_STOPPED,            /* ballot, ok, pos: the target has all of it */

    /* node -> node, on the replication link */
    HA_STREAM,             /* primary: epoch, incarnation; what follows is of this epoch */
    HA_ACK,                /* replica: epoch, pos.offset, life */
    HA_KINDS
};

/* Why not. Printed as a word; scripts and EXPLAIN read it. */
enum ha_why {
    HA_WHY_NONE,
    HA_WHY_PROMISED,       /* promised or sealed a higher ballot */
    HA_WHY_VOTED,          /* its vote of this ballot is another's */
    HA_WHY_OLD,            /* it holds something newer */
    HA_WHY_STRANGER,       /* not in V, not in M, or another life */
    HA_WHY_GROUP,          /* another group id */
    HA_WHY_LEASED,         /* a promise or a silence is not over: ms says how long */
    HA_WHY_UNSAVED,        /* its disk does not take it */
    HA_WHY_BOUND,          /* bound to another attempt */
    HA_WHY_NOT_FOLLOWING,  /* is neither the primary named nor follows it */
    HA_WHY_INCARNATION,    /* another process than the one named */
    HA_WHY_OPENED,         /* opened or sealed already */
    HA_WHY_EPOCH,          /* does not own that epoch, or its log is of it already */
    HA_WHY_UNPROVED,       /* no majority answered from one and the same record */
    HA_WHY_BEHIND,         /* the target did not catch up in time */
    HA_WHY_BUSY,           /* another hand-over or change is under way */
    HA_WHY_UNHEALTHY,      /* stuck, disk full, loading */
    HA_WHYS
};

enum ha_node_state {
    HA_PLAIN,              /* belongs to no formed group */
    HA_FENCED,             /* bound or sealed: follows nobody, takes no writes */
    HA_FOLLOWER,           /* replicates from a primary of its group */
    HA_PRIMARY,            /* owns `epoch` */
    HA_NODE_STATES
};

enum ha_flag {
    HA_F_JOINT = 1,        /* primary: still in a JOINT */
    HA_F_NEW_LIFE = 2,     /* primary: a member of another life is in sync */
    HA_F_LOST_MEMBER = 4,  /* primary: a member cannot follow */
    HA_F_MARKER = 8,       /* primary: its marker is confirmed; replica: it holds the marker of `epoch` */
    HA_F_LINK_UP = 16,     /* follower: its link to the primary is up */
    HA_F_WANTS_OUT = 32,   /* primary: was told to stop, asks for a hand-over */
    HA_F_HAS_DATA = 64,
    HA_F_USED = 128            /* was opened or sealed under its gid: bound for good */
};

struct ha_msg {
    enum ha_kind kind;
    char from[ID_MAX];                 /* sender: voter id or node id */
    uint64_t life;                     /* sender's */
    uint64_t gid, old_gid;
    uint64_t ballot, promised, epoch, incarnation, nonce, sealed;
    uint32_t change;
    char node[ID_MAX];                 /* whom it is about */
    uint64_t node_life;
    struct addr addr;
    struct ha_position pos;
    int64_t acked;
    int64_t ms;
    enum ha_why why;
    enum ha_node_state state;
    unsigned flags;                    /* enum ha_flag */
    bool ok, unproved, ended;
    const struct ha_record *rec;       /* borrowed; NULL = none */
};

const char *ha_kind_name(enum ha_kind k);      /* "vote", "voted", ... as it stands on the wire */
const char *ha_why_name(enum ha_why w);        /* "promised", "leased", ... */
const char *ha_node_state_name(enum ha_node_state s);

#endif
