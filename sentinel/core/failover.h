/* The failover of one group as a table: in a state, on an event, if a guard says so, do
 * something and be in another state, because. The table is read by the driver in
 * failover.c, by the test that looks for forgotten pairs, and by whoever draws it. */
#ifndef KV_SENTINEL_FAILOVER_H
#define KV_SENTINEL_FAILOVER_H

#include "sentinel/core/model.h"

struct core;

enum fo_event {
    FE_ODOWN,              /* a quorum sees the primary down */
    FE_RECOVERED,          /* it does not any more (not said to a forced failover) */
    FE_MANUAL,             /* SENTINEL FAILOVER */
    FE_EXPIRED,            /* the state's deadline came */
    FE_ELECTED,            /* our epoch has its majority */
    FE_LOST,               /* all reachable answered and it is no majority */
    FE_SUPPORTS,           /* we gave our vote of a newer epoch to another */
    FE_LEADER_GONE,        /* the one we voted for lost its link to us */
    FE_ANSWERED,           /* every reachable replica told its offset, none objects */
    FE_CHOSEN,             /* there is a best replica */
    FE_NONE_GOOD,          /* there is none */
    FE_VETOED,             /* a replica is still linked to the primary */
    FE_PROMOTED,           /* the chosen one says that it is primary */
    FE_REFUSED,            /* it refused the order, or died of it */
    FE_UNDONE,             /* it still says that it is a replica: the order did not arrive */
    FE_ALL_REPOINTED,      /* every reachable replica follows the new primary */
    FE_SETTLED_ELSEWHERE,  /* a newer configuration came from another sentinel, or a reset */
    FE_SAVE_FAILED,        /* the vote that this attempt stands on is not on disk */
    FO_EVENTS
};

struct fo_row {
    enum fo_state in;
    enum fo_event on;
    bool (*when)(struct core *c, struct group *g);     /* NULL = always; rows are tried in order */
    void (*act)(struct core *c, struct group *g);      /* NULL = nothing to do */
    enum fo_state then;
    const char *because;
};

extern const struct fo_row fo_table[];
extern const size_t fo_rows;

/* Pairs that may happen and mean nothing, with the reason. */
struct fo_nothing {
    enum fo_state in;
    enum fo_event on;
    const char *because;
};
extern const struct fo_nothing fo_ignored[];
extern const size_t fo_ignored_rows;

const char *fo_event_name(enum fo_event e);

#endif
