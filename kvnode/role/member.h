/* The node's half of a formed group: bound, born fenced, sealed, opened, leased. It is told
 * what happened and answers with orders, to be carried out in the order given, before the
 * next event; rules R0 (BIND), R2, R3, R6, R8, R9, R10 and T1-T6.
 *
 * It stands beside `role` (which knows links and plain orders): a node that is bound takes
 * its role from here alone, and the orders MO_FOLLOW, MO_LEAD and MO_FENCE become events of
 * the role. A node of no formed group is HA_PLAIN and everything here lets it be.
 *
 *     member_init(&m, &facts, incarnation, now_ms);
 *     member_step(&m, &(struct member_event){.kind = ME_MSG, .msg = &msg, .link = l}, now_ms, &out);
 *     for (int i = 0; i < out.n; i++) carry_out(&out.at[i]);
 *     if (!member_may_write(&m, now_ms)) ...                       // before each write
 *
 * MO_SAVE: member.f is durable before the next order is carried out; if that fails the rest
 * is dropped and ME_SAVE_FAILED comes next: the node then seals nothing and answers nobody. */
#ifndef KV_ROLE_MEMBER_H
#define KV_ROLE_MEMBER_H

#include "kvnode/role/commit.h"

/* On disk, before anything that rests on it is said. */
struct member_facts {
    char id[ID_MAX];                   /* this node, for ever */
    uint64_t life;                     /* this memory */
    uint64_t gid;                      /* bound to this group; 0 = to none */
    uint64_t bound_ballot;             /* highest number of a BIND taken; kept when released */
    char bound_primary[ID_MAX];
    uint64_t bound_primary_life;
    bool used;                         /* opened or sealed under gid: bound for good, until dissolved */
    uint64_t sealed;
    int64_t promise_max_ms;            /* the largest L_s ever promised (T5) */
};

enum member_event_kind {
    ME_TICK,
    ME_MSG,                /* msg, link: from a voter (its link), or from a node (its replication link) */
    ME_VOTER_UP,           /* link, id, life: a voter holds this link to us: renewals go there */
    ME_LINK_GONE,          /* link: voter's or replica's */
    ME_REPLICA_UP,         /* link, id: a node of ours replicates over this link */
    ME_LOG,                /* pos = end of our log (epoch of its last entry), durable = how much of it is as durable as asked */
    ME_STREAM,             /* our primary's link: msg = its HA_STREAM. Data may be taken only if out.refused is false */
    ME_FULL_COPY,          /* a full copy is about to replace our data */
    ME_FOLLOWS,            /* yes: the link to our primary is up and streams; no: it is not */
    ME_SAVE_FAILED,
    ME_HEALTH,             /* yes/no: the command thread is stuck, the disk full, loading: no renewals meanwhile */
    ME_LEAVE,              /* the process was told to stop: ask for a hand-over */
    ME_FETCHED,            /* yes: the tail is here; no: it could not be had */
    ME_KINDS
};

struct member_event {
    enum member_event_kind kind;
    uint64_t link;                     /* numbers given by whoever owns links; never reused */
    const char *id;
    uint64_t life;
    const struct ha_msg *msg;
    struct ha_position pos;
    int64_t durable;
    bool yes;
    uint64_t fresh_life;               /* random, for whom needs one (ME_FULL_COPY) */
};

enum member_order_kind {
    MO_SAVE,
    MO_SEND,               /* link, msg */
    MO_FENCE,              /* stop: no writes, no stream, drop the link to the primary; the log is frozen and made durable */
    MO_FOLLOW,             /* addr, epoch: replicate from there */
    MO_LEAD,               /* epoch: be primary: append the marker of `epoch` (then ME_LOG); writes wait for the lease */
    MO_FETCH,              /* addr, pos: roll back to the common point, copy up to pos, never a full copy; then ME_FETCHED */
    MO_SAVE_TAIL,          /* what we have beyond `pos` goes to a file before it is rolled back */
    MO_CONFIRMED,          /* pos.offset: replies up to here may leave */
    MO_GIVE_UP_WAITERS,    /* replies that wait are unconfirmed: error, close */
    MO_RELEASED            /* plain again: roles are ordinary orders' business */
};

struct member_order {
    enum member_order_kind kind;
    uint64_t link;
    struct ha_msg msg;                 /* msg.rec borrowed from the member: good until the next step */
    struct addr addr;
    struct ha_position pos;
    uint64_t epoch;
};

#define MEMBER_ORDERS_MAX 64
struct member_orders {
    const char *because;               /* NULL: the event meant nothing now */
    bool refused;                      /* ME_STREAM, ME_FULL_COPY: do not */
    int n;
    struct member_order at[MEMBER_ORDERS_MAX];
};

/* A link on which messages go: of a voter, or of one of our replicas. */
struct member_link {
    uint64_t link;
    char id[ID_MAX];
    uint64_t life;
    bool voter;
    uint64_t nonce;                    /* of the last RENEW sent here */
    int64_t asked_at_ms;               /* when that was sent (T2) */
    int64_t granted_from_ms;           /* asked_at of the last one granted; 0 = none */
    uint64_t on_ballot;                /* voter: the record (ballot, change) that answer rests on */
    uint32_t on_change;
};

#define MEMBER_LINKS_MAX 24
#define MEMBER_JOINTS_MAX (COMMIT_CONFIGS_MAX - 1)

struct member {
    struct member_facts f;
    uint64_t incarnation;
    enum ha_node_state state;
    bool save_broken, unhealthy, leaving;
    /* the log, as told */
    struct ha_position end;
    int64_t durable;
    /* as primary */
    uint64_t epoch;                    /* the one we own, or owned and sealed; 0 = none in this process */
    bool proved;                       /* a majority holds this same record */
    bool marker_out;                   /* MO_LEAD was ordered */
    struct ha_record rec;              /* the configuration in force, or (follower) the last one told */
    int n_joints;
    struct ha_record joint[MEMBER_JOINTS_MAX];
    struct commit commit;
    int64_t next_renew_ms;
    uint64_t nonce;
    bool stopping;                     /* hand-over: no new writes; target in `target` */
    char target[ID_MAX];
    uint64_t hand_over_ballot;
    bool ended;                        /* END was said: never again in this epoch */
    /* as member: what we promised */
    uint64_t promise_epoch;
    int64_t promise_until_ms;          /* 0 = none */
    int64_t silent_until_ms;           /* T5 */
    /* seals that wait for the promise to lapse */
    uint64_t seal_link, seal_ballot;   /* 0 = none waits */
    int n_links;
    struct member_link link[MEMBER_LINKS_MAX];
};

void    member_init(struct member *m, const struct member_facts *f, uint64_t incarnation, int64_t now_ms);
void    member_step(struct member *m, const struct member_event *ev, int64_t now_ms, struct member_orders *out);
int64_t member_deadline_ms(const struct member *m);

/* Asked before each command and before the replies of a batch leave (T6). A plain node: always true. */
bool    member_lease_valid(const struct member *m, int64_t now_ms);
int64_t member_lease_until_ms(const struct member *m);     /* 0 = none; NEVER_MS = needs none */
bool    member_may_write(const struct member *m, int64_t now_ms);
bool    member_holds_replies(const struct member *m);      /* prefer and strict: replies wait for MO_CONFIRMED */
bool    member_takes_plain_orders(const struct member *m); /* REPLICAOF by hand or by a plain sentinel */
void    member_status(const struct member *m, struct ha_msg *out);        /* as HA_STATUS says it */
const char *member_check(const struct member *m);          /* NULL, or what is wrong; member_step CHECKs it */

#endif
