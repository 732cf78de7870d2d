/* What this sentinel believes: groups, their data nodes, and the other sentinels
 * (peers). Plain structs, readable by everybody through core.h's const view, written
 * by the files of this room only.
 *
 * Everything is named by a small id. An id is never 0, is not given to anybody else
 * for a long time after its owner is gone (2047 reuses of its slot), and says nothing
 * about sockets: whoever owns links keeps a map from ids to them. An id that no longer
 * names anything is normal: an event about it is ignored.
 *
 * A *node* is one data node of one group (a server in two groups is two nodes). It
 * keeps its id through role changes: after a failover the group's `primary` is another
 * node, no node was made or lost. A *peer* is another sentinel, known by its 40-digit
 * run id, one for all groups; what a peer says about one group is its *seat* there. */
#ifndef KV_SENTINEL_MODEL_H
#define KV_SENTINEL_MODEL_H

#include "common/base/addr.h"
#include "common/base/timeval.h"
#include "common/base/vec.h"
#include "common/base/words.h"

#include <stdbool.h>
#include <stdint.h>

#define GROUP_NAME_MAX 256         /* 255 characters and '\0' */
#define GROUP_NODES_MAX 1024       /* what one group may make us hold */
#define GROUP_PEERS_MAX 128
#define LINEAGE_MAX 8

typedef int32_t core_id;           /* 0 = nobody */

/* A link is named by what it leads to. A node has two: commands, and the one that is
 * subscribed to the hello channel. A peer has one, shared by all groups. */
enum link_kind { LINK_NODE_CMD, LINK_NODE_SUB, LINK_PEER };
struct link_ref {
    enum link_kind kind;
    core_id id;                    /* node id, or peer id */
};

/* How a link, or an attempt to make one, ended. Only the first two together are
 * evidence of a crash: an established link that closes, then a refused reconnect. */
enum link_how {
    HOW_CLOSED,                    /* was up; the other side ended it (EOF, reset) */
    HOW_REFUSED,                   /* connect was refused: host alive, nobody listens */
    HOW_UNREACHABLE,               /* connect failed in another way; the name is unknown */
    HOW_TIMEOUT,                   /* connect took too long */
    HOW_GARBAGE,                   /* the peer does not speak the protocol */
    HOW_DENIED,                    /* greeting refused (AUTH) */
    HOW_BY_US                      /* we dropped it */
};

enum node_role { ROLE_UNKNOWN, ROLE_PRIMARY, ROLE_REPLICA };

/* FAILOVER on a node, as its INFO tells (master_failover_state). */
enum node_hands { HANDS_UNKNOWN, HANDS_IDLE, HANDS_OVER };     /* it has no such command; nothing runs; it is at it */

/* Both kinds of target, nodes and peers, are watched the same way. */
struct watch {
    bool up;                       /* the command link is established and greeted */
    int64_t up_since_ms;           /* NEVER_MS when it is not */
    int64_t ping_sent_at_ms;       /* last PING, 0 = never */
    int64_t waiting_since_ms;      /* oldest PING without a good answer; 0 = none waits */
    int64_t good_at_ms;            /* last good answer, or when we began to look */
    int64_t answer_at_ms;          /* last answer of any kind, or when we began to look */
    int64_t late_before_ms;        /* core.late_total_ms when the PING of waiting_since_ms left */
    int64_t slow_ms;               /* how long its answers took of late: the longest, fading with each quicker one */
};

/* A place in the heap of deadlines. */
struct due {
    int64_t at_ms;                 /* NEVER_MS = nothing to do */
    int heap_at;                   /* index in the heap, -1 = not in it */
    bool is_peer;                  /* else a group */
    core_id id;
};

/* Where one replica stands in the repointing after a failover. */
enum reconf { RECONF_NONE, RECONF_SENT, RECONF_IN_PROGRESS, RECONF_DONE };

/* Why choose.c did not take a replica. REFUSED_NOT means it was eligible. */
enum refusal {
    REFUSED_NOT,
    REFUSED_NOT_ASKED,             /* no choice was made yet */
    REFUSED_PRIMARY,               /* it is the primary that is being replaced */
    REFUSED_DOWN,                  /* subjectively or objectively down */
    REFUSED_DISCONNECTED,          /* our link to it is down */
    REFUSED_PRIORITY_ZERO,         /* its owner said never */
    REFUSED_SILENT,                /* no good answer to a PING for 5 s */
    REFUSED_STALE_INFO,            /* no recent INFO, or none since we asked */
    REFUSED_OUT_OF_SYNC,           /* it lost its primary long before we did */
    REFUSED_NOT_REPLICA,           /* it says that it is no replica */
    REFUSED_ORDER,                 /* it refused or failed the order to become primary, or to be sealed for that */
    REFUSED_LINEAGE                /* what it has never was this group's, or is less than the primary has that waits for it */
};

/* Drawn off the old primary before a choice (seal.h): it follows the black hole. */
enum seal { SEAL_NONE, SEAL_SENT, SEAL_DONE };

struct node {
    core_id id, group;
    struct addr addr;
    char run_id[ID_MAX];           /* "" until INFO told */
    struct watch w;
    bool sub_up;
    int64_t sub_since_ms;
    int64_t heard_at_ms;           /* last message on the subscribed link, or when it came up */
    int64_t hello_sent_at_ms;

    /* subjectively down, and why we think so at once */
    bool sdown;
    int64_t sdown_at_ms;           /* when it began, 0 if it is not */
    int64_t up_again_at_ms;        /* when sdown last ended, or when we began to look */
    bool was_closed;               /* an established link closed and none came up since */
    bool was_refused;              /* a connect was refused and none came up since */
    bool crashed;                  /* both, and no link stands: evidence */
    int64_t crashed_at_ms;
    bool rebooted;                 /* run id changed and no PONG since (LOADING does not count) */
    int64_t rebooted_at_ms;

    /* what INFO said */
    int64_t info_sent_at_ms, info_at_ms;        /* 0 = never */
    int info_open;                 /* INFOs sent on this link and not answered yet */
    int info_until_fresh;          /* how many of them come before the one we count on; 0 = it came */
    bool fresh;                    /* one that we counted on came since the replicas were last asked */
    enum node_role said_role;
    int64_t said_role_at_ms;       /* since when it says so */
    struct addr follows;           /* replica: its primary as it says; unset if none */
    int64_t follows_at_ms;         /* since when it says so */
    bool follows_up;               /* replica: its link to its primary */
    int64_t follows_down_ms;       /* replica: for how long it is down, as told; 0 if up */
    int64_t priority;              /* replica: default 100; 0 = never promote */
    int64_t offset;                /* replica: bytes of history it has; primary: bytes it made */
    bool announced;                /* replica: may be shown to clients */
    bool loading;
    bool bound;                    /* to a formed group, or it waits for one: others tell it whom to follow */
    bool has_data;
    char replid[ID_MAX];           /* of its history */
    char replid2[ID_MAX];          /* of the history it went on from, good below second_offset; "" = none */
    int64_t second_offset;
    enum node_hands hands;
    bool kvnode;                   /* one of ours */
    int64_t took_at_ms;            /* last proof that it takes writes: PONG of a primary, INFO that says so; 0 = never */

    /* what came of our orders */
    enum seal seal;
    bool owed;                     /* it leads by our order, and has not answered yet that this is written down */
    bool loose;                    /* its CONFIG REWRITE failed: what we made it would not survive its restart */

    /* in a failover */
    enum refusal refused;
    enum reconf reconf;
    int64_t reconf_at_ms;
    int64_t repaired_at_ms;        /* last order of repair.c, 0 = never */
};

struct peer {
    core_id id;
    char run_id[ID_MAX];
    struct addr addr;              /* port 0 = unusable, not dialled */
    struct watch w;
    VEC(core_id) groups;           /* where it sits; in none = it is forgotten */
    struct due due;                /* its own chores */
};

struct seat {
    core_id peer;
    int64_t hello_at_ms;           /* its last hello for this group, or when we met */
    int64_t hello_sent_at_ms;
    bool sdown;                    /* judged by this group's down-after */
    int64_t sdown_at_ms;
    int64_t asked_at_ms;           /* last question (is-master-down) sent, 0 = none */
    int asks_open;                 /* questions sent on this link and not answered yet */
    int asks_stale;                /* so many of them, the oldest, were about the primary of before */
    bool says_down;                /* its last answer */
    int64_t says_at_ms;            /* when it came, 0 = never */
    char voted_for[ID_MAX];        /* its vote as it told us; "" = none */
    uint64_t voted_epoch;
};

/* Settings of a group that judgement uses. Passwords, scripts, renamed commands are
 * the shell's and never come here. */
enum group_opt {
    GOPT_QUORUM,                   /* >= 1 */
    GOPT_DOWN_AFTER_MS,            /* >= 1 */
    GOPT_FAILOVER_TIMEOUT_MS,      /* >= 1 */
    GOPT_PARALLEL_SYNCS,           /* >= 1 */
    GOPT_REBOOT_DOWN_AFTER_MS,     /* >= 0; 0 = a restart is no reason by itself */
    GOPT_CRASH_EVIDENCE,           /* 0 no, 1 yes */
    GOPT_SEAL,                     /* 0 no, 1 yes: replicas are sealed before one is promoted */
    GOPT_COUNT
};

enum fo_state {
    FO_IDLE, FO_WAITING, FO_BIDDING, FO_ASKING, FO_CHOOSING, FO_PROMOTING, FO_REPOINTING,
    FO_HANDING,                    /* the primary itself was told to hand over: FAILOVER TO */
    FO_CALLING_BACK,               /* ... and told to leave it: FAILOVER ABORT; which came first is not known yet */
    FO_SEALING,                    /* the replicas are drawn off a primary that is down, and told to say again where they are */
    FO_STATES
};

/* How the chosen one gets the office. */
enum fo_way {
    WAY_TAKE,                      /* it is told to lead, whatever the old one does */
    WAY_HAND_OVER,                 /* the old one hands over; if it cannot in good time, it is taken */
    WAY_HAND_OVER_ONLY             /* ... if it cannot, it keeps it */
};

struct failover {
    enum fo_state state;
    int64_t state_at_ms;           /* since when; set by the driver alone */
    int64_t deadline_ms;           /* when FE_EXPIRED comes; NEVER_MS in FO_IDLE */
    uint64_t epoch;                /* of the present or last attempt */
    int64_t started_at_ms;         /* the present or last attempt, 0 = never */
    bool forced;                   /* an operator's order: no majority needed, no veto */
    enum fo_way way;
    bool hand_refused;             /* the primary answered FAILOVER with an error */
    bool by_evidence;              /* the primary is down by evidence, not by silence */
    bool leads;                    /* we own `epoch` */
    core_id promoted;              /* the chosen node, 0 = none yet */
    core_id replaced;              /* the primary that it replaces */
    int64_t asked_at_ms;           /* when the replicas were asked for offsets */
    int64_t not_before_ms;         /* no new attempt earlier than this */
    int tries;                     /* attempts in a row that came to nothing: back-off */
};

struct group {
    core_id id;
    char name[GROUP_NAME_MAX];
    int64_t opt[GOPT_COUNT];
    core_id primary;               /* never 0 */
    VEC(struct node *) nodes;      /* the primary among them */
    VEC(struct seat) seats;
    uint64_t config_epoch;         /* of the failover that made `primary` the primary; 0 = configured */
    char leader[ID_MAX];           /* our last vote in this group, "" = none known */
    uint64_t leader_epoch;         /* its epoch: we vote in it never again */
    char lineage[LINEAGE_MAX][ID_MAX];     /* replication ids that its primaries had while they were it, newest first */
    bool formed;                   /* has a record: its primary is not chosen here (EV_GROUP_FORMED) */
    bool odown;
    int64_t odown_at_ms;           /* when it began, 0 if it is not */
    int64_t switched_at_ms;        /* when `primary` last became another node, 0 = never */
    struct failover fo;
    struct due due;                /* its chores, and those of its nodes and seats */
    int64_t next_ms;               /* while it is worked through: its next deadline as far as known */
    bool touched;                  /* something about it changed in this step */
    struct {                       /* as the last step left them: invariant.c compares */
        uint64_t config_epoch, leader_epoch;
        char leader[ID_MAX];
    } was;
};

#endif
