/* What the two files behind ha_repl.h share.
 *
 *   ha_repl.c         the log: epochs, markers, orders of the member, copies and their tails
 *   ha_repl_links.c   greetings, acknowledgements, who may be fed and who feeds us */
#ifndef KV_HA_HA_REPL_INSIDE_H
#define KV_HA_HA_REPL_INSIDE_H

#include "common/base/list.h"
#include "common/io/loop.h"
#include "kvnode/ha/ha.h"
#include "kvnode/ha/ha_repl.h"
#include "kvnode/repl/epochs.h"
#include "kvnode/repl/tail.h"

struct ha_repl {
    struct epochs table;
    bool keep_due;                     /* the table is newer than the record's copy */
    struct epochs theirs;              /* of the primary whose copy comes in: for the tail, only inside one call */
    bool tail_due;                     /* the next copy's tail is asked for */
    struct tail_lost last_tail;        /* at_ms 0: none yet */
    /* the link to our primary */
    uint64_t link;                     /* number of the one that greeted; 0 = none */
    bool follows_told;                 /* ME_FOLLOWS yes was the last word */
    uint64_t stream_epoch;             /* its HA_STREAM was taken; 0 = it said none */
    struct list_link held;             /* greetings that are not answered yet, oldest first */
    struct timer held_timer;
    /* FETCH */
    bool fetching;
    struct ha_position fetch_upto;
};

void ha_repl_links_init(struct server *srv);
void ha_repl_links_fini(struct server *srv);
void ha_repl_answer_held(struct server *srv);      /* an epoch began here */

#endif
