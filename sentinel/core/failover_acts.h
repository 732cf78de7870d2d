/* The acts of the failover table, by the file that has them. An act does; which state comes
 * next stands in the table's row, and only the driver in failover.c assigns it. */
#ifndef KV_SENTINEL_FAILOVER_ACTS_H
#define KV_SENTINEL_FAILOVER_ACTS_H

#include "sentinel/core/inside.h"

#define ATTEMPT_AGAIN_MS 1000      /* nobody to promote: look again after this, doubled each time */

typedef void failover_act(struct core *c, struct group *g);

/* --- attempt.c: waiting, asking for votes, giving up --- */
failover_act attempt_wait_turn, attempt_wait_more, attempt_bid, attempt_bid_by_order, attempt_withdraw_bid, attempt_withdraw,
    attempt_give_up_bid, attempt_stand_back, attempt_hurry, attempt_drop_unsaved;
void attempt_fail(struct core *c, struct group *g, int64_t base_ms);   /* counted; not again before base, doubled each time */
void attempt_end(struct group *g);

/* --- leading.c: asking, choosing, promoting, handing over --- */
failover_act leading_lead, leading_promote, leading_no_good, leading_vetoed, leading_ask_again, leading_without_it, leading_seal,
    leading_hand_over, leading_call_back, leading_not_handed_over, leading_take_it, leading_call_off,
    leading_call_off_unsaved, leading_promotion_late;
bool leading_objects(const struct core *c, const struct group *g, const struct node *n);   /* it is still linked to the primary */
const struct node *leading_who_objects(const struct core *c, const struct group *g);       /* asked only of a crash; NULL: nobody */

/* --- repoint.c: after the promotion --- */
failover_act repoint_switch_over, repoint_settle, repoint_settle_late, repoint_begin_again;
bool repoint_some(struct core *c, struct group *g);        /* true: nobody who can be reached is left */

#endif
