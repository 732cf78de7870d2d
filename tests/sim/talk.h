/* What processes say to each other here: the protocol of the real ones without its bytes.
 * Fields of struct msg used by each kind stand behind it. */
#ifndef KV_SIM_TALK_H
#define KV_SIM_TALK_H

#include "tests/sim/world.h"

enum talk_order { TALK_PROMOTE, TALK_REPOINT, TALK_HAND_OVER, TALK_CALL_BACK, TALK_SEALED, TALK_KEPT };      /* as enum order */

#define FOLLOWS_HOLE (-2)      /* an address where nobody is: sealed */

enum talk {
    /* to a node or a sentinel */
    TALK_GREET,            /* CLIENT SETNAME and the like; the other end is there when it answers */
    TALK_GREETED,
    TALK_PING,
    TALK_PONG,
    TALK_HELLO,            /* a: sentinel, b: primary (process), group, x: current epoch, y: config epoch */
    /* to a node */
    TALK_SUBSCRIBE,
    TALK_SUBSCRIBED,
    TALK_INFO,
    TALK_INFO_IS,          /* body: struct talk_info */
    TALK_ORDER,            /* a: process to follow, -1: be primary, FOLLOWS_HOLE; b: enum talk_order; then EXEC's answer */
    TALK_ORDER_DONE,       /* b: enum talk_order, a: it was carried out (FAILOVER: it has begun), x: and written down */
    TALK_FAILOVER,         /* a: process to hand over to, or -1: ABORT; x: TIMEOUT */
    TALK_KEEP,             /* CONFIG REWRITE */
    /* to a sentinel */
    TALK_ASK,              /* a: primary (process), b: candidate (sentinel) or -1, x: epoch, tag: asker's group */
    TALK_ANSWER,           /* a: down, b: leader (sentinel) or -1, x: asked epoch, y: leader's epoch, tag */
    /* between nodes */
    TALK_SYNC,             /* a: history, x: offset: let me continue from there; b: and lead (PSYNC FAILOVER) */
    TALK_CONTINUE,         /* a: history, b: older history, x: offset, y: where the older one ends */
    TALK_COPY,             /* the same, with all the data */
    TALK_NOT_NOW,          /* no link to my own primary; a: I shall not lead */
    TALK_GETACK,
    TALK_STREAM,           /* x: offset up to which you now have everything */
    TALK_ACK               /* x: offset */
};

struct talk_info {
    bool primary, link_up;
    int follows;           /* process, -1 none, FOLLOWS_HOLE */
    int64_t link_down_ms;
    int priority;
    int64_t offset;
    int history, older;    /* older: the one it went on from, -1 none */
    int64_t older_end;
    uint64_t run;          /* makes the run id */
    bool handing;          /* master_failover_state */
    int n;
    struct { int proc; int64_t offset; } replica[SIM_MAX_NODES];
};

#endif
