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
 * is dropped and ME_SAVE_FAILED comes next (an event that was not refused then counts as
 * refused; an MO_LEAD that was dropped opened nothing, an MO_RELEASED comes again with the
 * next event). What was to be saved is tried again before the next answer that rests on it, so
 * a node with a broken disk seals nothing, promises nothing and answers nobody; until a save
 * has come true again ME_STREAM and ME_FULL_COPY are refused (with a MO_SAVE in the list, to try).
 *
 * Until the first ME_LOG of a process no seal is answered, for its position is not known; beyond that
 * ME_LOG may come whenever it comes: after a MO_LEAD the first one may tell of writes behind the marker, too.
 *
 * A replica's events come in this order: ME_STREAM (the primary said its epoch), perhaps
 * ME_FULL_COPY, ME_LOG after a roll-back or a copy, and only then ME_FOLLOWS yes: from there on
 * each ME_LOG is acknowledged, so what it tells must be the primary's own history. */
#ifndef KV_ROLE_MEMBER_H
#define KV_ROLE_MEMBER_H

#include "kvnode/role/commit.h"

/* On disk, before anything that rests on it is said. */
struct member_facts {
    char id[ID_MAX];                   /* this node, for ever */
    uint64_t life;                     /* this memory; a process that needs a new one has it here before member_init, on disk */
    uint64_t gid;                      /* bound to this group; 0 = to none */
    uint64_t bound_ballot;             /* highest number of a BIND taken; kept when released */
    char bound_primary[ID_MAX];
    uint64_t bound_primary_life;
    bool used;                         /* opened, sealed or fed under gid: bound for good, until dissolved */
    uint64_t sealed;
    int64_t promise_max_ms;            /* the largest L_s ever promised (T5) */
    bool waits_for_group;              /* `ha-group` in the config: fenced until bound. Not from disk, said anew at each start */
};

/* What the node is doing, finer than ha_node_state; the states of the table in member.c. */
enum member_phase {
    MP_PLAIN,              /* no group; or released from it */
    MP_BOUND,              /* bound in this process: goes on as it was, takes no plain order, waits for OPEN or a stream */
    MP_FENCED,             /* follows nobody, writes nothing */
    MP_FETCHING,           /* the same, while the tail comes in */
    MP_FOLLOWER,
    MP_UNPROVED,           /* opened by somebody who did not know of a majority: no marker, no stream yet */
    MP_OPEN,               /* primary: the marker is ordered; writes as long as leased */
    MP_STOPPING,           /* primary in a hand-over: no new writes, can be called off */
    MP_PHASES
};

enum member_event_kind {
    ME_TICK,
    ME_MSG,                /* msg, link: from a voter (its link), or from a node (its replication link) */
    ME_VOTER_UP,           /* link, id, life: a voter holds this link to us: renewals go there */
    ME_LINK_GONE,          /* link: voter's or replica's, or the one to our primary */
    ME_REPLICA_UP,         /* link, id: a node of ours replicates over this link */
    ME_ROLE,               /* plain role: id, addr = whom we follow (id may be ""); no addr: we are a primary. At start and at each change */
    ME_LOG,                /* pos = end of our log (epoch of its last entry), durable = how much of it is as durable as asked;
                              yes: there are keys, wherever the log stands (a loaded file may have none of it) */
    ME_STREAM,             /* our primary's link: link, msg = its HA_STREAM. Data may be taken only if out.refused is false */
    ME_FULL_COPY,          /* a full copy is about to replace our data; fresh_life. Only if out.refused is false */
    ME_FOLLOWS,            /* yes: the link to our primary is up, roll-back done, and streams; no: it is not */
    ME_SAVE_FAILED,
    ME_HEALTH,             /* yes: well; no: the command thread is stuck, the disk full, loading: no renewals meanwhile */
    ME_LEAVE,              /* the process was told to stop: ask for a hand-over. yes: it stays after all */
    ME_FETCHED,            /* yes: the tail is here; no: it could not be had */
    ME_KINDS
};

struct member_event {
    enum member_event_kind kind;
    uint64_t link;                     /* numbers given by whoever owns links; never reused, never 0 */
    const char *id;
    uint64_t life;
    struct addr addr;
    const struct ha_msg *msg;
    struct ha_position pos;
    int64_t durable;
    bool yes;
    uint64_t fresh_life;               /* random, for whom needs one (ME_FULL_COPY) */
};

enum member_order_kind {
    MO_SAVE,
    MO_SEND,               /* link, msg */
    MO_FENCE,              /* stop: no writes, no stream, drop the link to the primary, give up a fetch; the log is frozen
                              and made durable (if it cannot be: as a failed MO_SAVE) */
    MO_FOLLOW,             /* addr, epoch: replicate from there, until told otherwise: whoever loses the link dials again. The address it
                              follows or dials already: nothing */
    MO_LEAD,               /* epoch: be primary: append the marker of `epoch` (then ME_LOG); writes wait for the lease. On a
                              replica's link the marker and what follows leave behind the HA_STREAM that is sent there */
    MO_FETCH,              /* addr, pos: roll back to the common point, copy up to pos, never a full copy; then ME_FETCHED */
    MO_SAVE_TAIL,          /* what the next roll-back drops goes to a file first; pos = our end */
    MO_CONFIRMED,          /* pos.offset: replies up to here may leave */
    MO_GIVE_UP_WAITERS,    /* replies that wait are unconfirmed: error, close */
    MO_RELEASED,           /* plain again: roles are ordinary orders' business */
    MO_KINDS
};

struct member_order {
    enum member_order_kind kind;
    uint64_t link;
    struct ha_msg msg;                 /* msg.rec borrowed from the member: good until the next step */
    struct addr addr;
    struct ha_position pos;
    uint64_t epoch;
};

#define MEMBER_LINKS_MAX 24
#define MEMBER_ORDERS_MAX (2 * MEMBER_LINKS_MAX + 16)
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
    uint64_t life;                     /* 0 = not said yet */
    bool voter;
};

/* What a voter or member has promised us: its own end each (R9), in the epoch we own. Outlives the link. */
struct member_grant {
    char id[ID_MAX];
    uint64_t life;
    bool voter;
    uint64_t epoch;
    int64_t from_ms;                   /* when we *asked* (T2) */
    int64_t most_ms;                   /* no lease from it is longer, whatever the record says; NEVER_MS = not said */
    uint64_t on_ballot;                /* voter: the record (ballot, change) that answer rests on */
    uint32_t on_change;
};

/* A configuration that arrived by JOINT and is not dropped. */
struct member_joint {
    struct ha_record rec;
    uint64_t link;                     /* who asked: READY goes there */
    int64_t upto;                      /* our log's end when it arrived */
    bool ready;                        /* READY was said */
};

#define MEMBER_GRANTS_MAX (COMMIT_CONFIGS_MAX * (HA_MEMBERS_MAX + HA_VOTERS_MAX) + 8)
#define MEMBER_ASKED_MAX 32            /* rounds of RENEW whose answers still count */
#define MEMBER_JOINTS_MAX (COMMIT_CONFIGS_MAX - 1)

struct member {
    struct member_facts f;
    uint64_t incarnation;
    enum member_phase phase;
    enum ha_node_state state;          /* the same, as others see it */
    bool save_due;                     /* f is not known to be on disk as it stands */
    bool save_out, disk_failed;        /* the last list held a MO_SAVE; the last one that was heard of failed */
    bool lead_out, release_out;        /* ... and behind it a MO_LEAD, a MO_RELEASED, which a failed save drops */
    bool opened_first;                 /* that MO_LEAD was of the formation: */
    uint64_t sealed_before;            /* so it was sealed until then */
    bool release_due;                  /* MO_RELEASED was dropped */
    bool log_known;                    /* ME_LOG came in this process */
    bool has_keys;                     /* ... and said so */
    bool unhealthy, leaving;
    /* the log, as told */
    struct ha_position end;
    int64_t durable;
    /* plain role, as told */
    char follows[ID_MAX];
    struct addr follows_addr;          /* not set: primary */
    /* as primary */
    uint64_t epoch;                    /* the one we own, or owned and lost; 0 = none in this process */
    bool ended;                        /* END was said: never again in this epoch */
    bool marker_in;                    /* ME_LOG told of the marker */
    bool leased;                       /* had its first lease, from a majority of voters with one record */
    struct ha_record rec;              /* the configuration in force, or (follower) the last one told; gid 0 = none */
    int n_joints;
    struct member_joint joint[MEMBER_JOINTS_MAX];
    uint64_t ballot_seen;              /* highest of a leader that we answered */
    struct commit commit;
    int64_t next_renew_ms;
    uint64_t nonce;                    /* of the last round asked */
    int64_t asked_at_ms[MEMBER_ASKED_MAX];     /* of round nonce % MEMBER_ASKED_MAX */
    int n_grants;
    struct member_grant grant[MEMBER_GRANTS_MAX];
    int64_t absent_since_ms[HA_MEMBERS_MAX];   /* rec.member[i] has no link to us since; 0 = it has */
    /* hand-over */
    char target[ID_MAX];
    uint64_t hand_over_ballot, hand_over_link;
    bool stopped_said;
    int64_t stop_until_ms;
    /* as follower */
    uint64_t follow_epoch;             /* as told by FOLLOW */
    uint64_t up_link, stream_gid, stream_epoch;    /* of the link to our primary; 0 = nothing said there */
    bool link_up;
    int64_t primary_heard_at_ms;       /* its last renewal, or the last that its stream brought */
    /* as member: what we promised */
    uint64_t promise_epoch;
    int64_t promise_until_ms;          /* 0 = none */
    int64_t silent_until_ms;           /* T5 */
    uint64_t ended_epoch;              /* the last one whose END we were told */
    /* the seal that waits for the promise to lapse, or for the tail */
    uint64_t seal_link, seal_ballot, seal_base;    /* ballot 0 = none waits */
    char fetch_from[ID_MAX];
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
/* May our log leave us: as the stream of a primary (fetch_ballot 0), or as a tail for a FETCH of that ballot? */
bool    member_feeds(const struct member *m, uint64_t fetch_ballot);
/* May bytes that arrive over this link change our log (roll back, copy, append)? Asked before each. A plain node, and one
 * that is only bound, take them as its role says; a member takes those of a stream that ME_STREAM let in, no others:
 * whoever answers at its primary's address without an epoch is not its primary any more. */
bool    member_may_take(const struct member *m, uint64_t link);
bool    member_marker_out(const struct member *m);         /* MO_LEAD was ordered, and we are still primary */
void    member_status(const struct member *m, int64_t now_ms, struct ha_msg *out);      /* as HA_STATUS says it */
const char *member_check(const struct member *m);          /* NULL, or what is wrong; member_step CHECKs it */
const char *member_phase_name(enum member_phase p);
const char *member_order_name(enum member_order_kind k);

/* The table itself, for tests, docs and diagrams. */
struct member_row {
    enum member_phase in;
    const char *on;
    enum member_phase then;
    const char *because;
};
bool member_row_at(size_t i, struct member_row *out);      /* false past the end */

#endif
