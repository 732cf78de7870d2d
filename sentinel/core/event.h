/* Everything that can come in. The shell (or the simulator) makes one of these for
 * each thing that happened, hands it to core_step, and carries out the answer before
 * it makes the next. Pointers are borrowed until core_step returns.
 *
 * `now_ms` is this machine's boot-time monotonic clock; it starts above 0. Should it
 * jump back, the core goes on with the latest time it has seen.
 *
 * Addresses: one node, one text. Whoever resolves names hands in always the same form
 * for the same node (all IP addresses, or the names that were given). */
#ifndef KV_SENTINEL_EVENT_H
#define KV_SENTINEL_EVENT_H

#include "sentinel/core/model.h"

struct saved;                      /* saved.h */
struct core_timing;                /* core.h */

enum event_kind {
    /* Time: the deadline came (or the shell woke for another reason and has nothing
     * else to say). Uses nothing. Must come when core_deadline_ms is reached. */
    EV_TICK,

    /* --- settings ------------------------------------------------------------- */
    /* Our own address as peers and hellos shall see it. u.self. An empty host means:
     * the shell fills in the local address of the link that a hello goes out on. */
    EV_SELF,
    /* Watch a group: u.group_add. Answers the ticket: refused when the name is known
     * already, or empty. Opens links, tells +monitor, saves. `restored` = it stood in
     * the configuration at the start: no save. */
    EV_GROUP_ADD,
    /* Forget `group`. Closes its links, tells -monitor, saves. Answers the ticket. */
    EV_GROUP_REMOVE,
    /* A number of a group changed: `group`, u.set. Neither +set nor a save comes out
     * of this: the shell does both, since it knows the option's name and text. */
    EV_GROUP_SET,
    /* What was on disk, given once after the EV_GROUP_ADDs of the configuration and
     * before anything else: u.saved. Groups in it that are not known are ignored. */
    EV_RESTORE,
    /* New periods (SENTINEL DEBUG): u.timing, copied. */
    EV_TIMING,

    /* --- links ---------------------------------------------------------------- */
    /* `link` is up and greeted. For LINK_NODE_SUB: subscribed as well. */
    EV_LINK_UP,
    /* `link` ended, or an attempt to connect failed: u.how. One event for each failed
     * attempt; the shell goes on trying with its own back-off, and tries once *at
     * once* after HOW_CLOSED (that is what makes crash evidence fast). Replies that
     * were waiting on it will not come and are not told. */
    EV_LINK_DOWN,

    /* --- answers to what we sent ---------------------------------------------- */
    EV_PONG,                       /* `link` answered PING, a node perhaps on a link for that alone: u.pong */
    EV_INFO,                       /* `link` (LINK_NODE_CMD) answered INFO: u.info; NULL = with an error or nothing */
    /* `link` (LINK_PEER) answered ACT_ASK: `group`, u.answer. */
    EV_ANSWER,
    /* `link` (LINK_NODE_CMD) answered ACT_PROMOTE, ACT_REPOINT, ACT_SEAL, ACT_HAND_OVER, ACT_CALL_BACK or ACT_KEEP:
     * u.order. */
    EV_ORDER_DONE,

    /* --- what others say or ask ----------------------------------------------- */
    /* A hello came over `link` (LINK_NODE_SUB), or a peer published it to us (link.id
     * 0): u.hello. Our own hellos that come back are given too: they prove that the
     * subscribed link works. */
    EV_HELLO,
    /* Somebody asks IS-MASTER-DOWN-BY-ADDR: u.asked. Always answered by ACT_ANSWER with
     * the same ticket, in the same step. */
    EV_ASKED,

    /* --- disk ----------------------------------------------------------------- */
    /* The last ACT_SAVE failed. Must be the next event after it. If that save was a
     * `must`, the shell has dropped the rest of that step's list; the core now answers
     * those who waited, without the vote. */
    EV_SAVE_FAILED,
    /* A save that was tried again by the shell worked: all that core_saved() says is on disk. */
    EV_SAVED,

    /* --- the operator --------------------------------------------------------- */
    /* SENTINEL FAILOVER: `group`, `ticket`, u.coordinated: only if the primary hands over by itself (it is asked to in any
     * case, if it knows how). Answered at once: OK, INPROG, NOGOODSLAVE, NOGOODPRIMARY. */
    EV_FAILOVER,
    /* SENTINEL RESET of this one group: forget replicas, peers, state; look anew. */
    EV_GROUP_RESET,

    /* --- formed groups (formed.h): somebody else decides about their primary ----- */
    /* `group`, u.formed: the group has a record (or has none any more). It is watched as before; it is neither
     * failed over nor repaired here, gives no votes, asks for none, and follows no hello. */
    EV_GROUP_FORMED,
    /* The primary of the formed `group` is at u.switched.addr, since that epoch: its clients are told as after any
     * failover. No node gets an order. The same address again: nothing but the epoch. */
    EV_SWITCH,

    EV_KINDS
};

/* What a PING brought. The first three are good: the process is there. BUSY and ERROR
 * show a process that answers but does not work; silence is the absence of an event. */
enum pong { PONG_OK, PONG_LOADING, PONG_MASTERDOWN, PONG_BUSY, PONG_ERROR };

/* One `slaveN:` line of a primary's INFO. */
struct info_replica {
    struct addr addr;
    int64_t offset;
};

/* INFO of a node, parsed. Fields the reply lacks have the value in brackets. */
struct node_info {
    char run_id[ID_MAX];           /* [""] */
    enum node_role role;           /* [ROLE_UNKNOWN] */
    const struct info_replica *replicas;
    size_t n_replicas;
    struct addr primary;           /* replica: master_host, master_port [unset] */
    bool link_up;                  /* replica: master_link_status is up [false] */
    int64_t link_down_ms;          /* replica: master_link_down_since_seconds * 1000 [0] */
    int64_t priority;              /* slave_priority [100] */
    int64_t offset;                /* slave_repl_offset; of a primary master_repl_offset [0] */
    bool announced;                /* replica_announced [true] */
    bool loading;                  /* [false] */
    char replid[ID_MAX];           /* master_replid [""] */
    char replid2[ID_MAX];          /* master_replid2 [""; a row of zeroes is none] */
    int64_t second_offset;         /* second_repl_offset [-1] */
    enum node_hands hands;         /* master_failover_state [HANDS_UNKNOWN] */
    bool kvnode;                   /* kvorum_version is there [false] */
    uint16_t ha_port;              /* ha_port: where a kvnode has its control links [0: it has none] */
    bool bound;                    /* ha_state is not plain: it takes no plain order [false] */
    bool has_data;                 /* a line `dbN:keys=...` [false] */
};

/* The eight fields of a hello, in and out. */
struct hello {
    struct addr from;              /* the sentinel; outgoing: host may be empty, see EV_SELF */
    char id[ID_MAX];
    uint64_t current_epoch;
    char group[GROUP_NAME_MAX];
    struct addr primary;
    uint64_t config_epoch;
};

enum order { ORDER_PROMOTE, ORDER_REPOINT, ORDER_HAND_OVER, ORDER_CALL_BACK, ORDER_SEAL, ORDER_KEEP };

struct event {
    enum event_kind kind;
    int64_t now_ms;
    struct link_ref link;
    core_id group;
    uint64_t ticket;               /* whoever waits for ACT_REPLY/ACT_ANSWER; 0 = nobody */
    union {
        struct addr self;
        struct {
            const char *name;
            struct addr addr;
            int64_t quorum;
            bool restored;
        } group_add;
        struct {
            enum group_opt opt;
            int64_t value;         /* already range-checked */
        } set;
        const struct saved *saved;
        const struct core_timing *timing;
        enum link_how how;
        enum pong pong;
        const struct node_info *info;
        struct {
            uint64_t asked_epoch;  /* the epoch of the ACT_ASK that this answers */
            bool down;
            const char *leader;    /* run id, or "" for `*` */
            uint64_t leader_epoch;
        } answer;
        struct {
            enum order what;
            bool ok;               /* the whole transaction was carried out */
            bool kept;             /* ok, and CONFIG REWRITE was confirmed: it outlives a restart */
            const char *why;       /* what was refused, in the node's words; NULL or "" = nothing */
        } order;
        const struct hello *hello;
        bool coordinated;          /* EV_FAILOVER */
        struct {
            struct addr primary;   /* which group is meant: the one with this primary */
            uint64_t epoch;        /* the asker's current epoch */
            const char *candidate; /* run id = a request for our vote, "" for `*` = only asking */
        } asked;
        bool formed;
        struct {
            struct addr addr;
            uint64_t epoch;
            bool led;              /* by us: as the leader of a failover we tell the directory */
        } switched;
    } u;
};

#endif
