/* The client-visible outage of a failover: for how long nobody took writes, as far as the sentinel
 * that led it knows.
 *
 *     from  the last proof that the old primary took writes
 *             plain:   it said +PONG while its INFO said primary, or an INFO said so (not loading, not handing
 *                      over), or it answered FAILOVER with OK
 *             formed:  it asked for its lease to be renewed (RENEW of its epoch); in a hand-over the order to stop
 *     to    the first proof that the new one does
 *             plain:   an INFO says that it is primary
 *             formed:  its status says that the marker of its epoch is confirmed
 *
 * Proofs are asked for every so often, so the old primary may have gone on for up to one period after the last
 * (PING: a tenth of down-after; RENEW: the heartbeat), and the figure is that much too high; what a client needs to find
 * the new address is not in it. A try that came to nothing ends no outage: the next one goes on from the same proof. */
#ifndef KV_SENTINEL_OUTAGE_H
#define KV_SENTINEL_OUTAGE_H

#include "sentinel/core/formed.h"
#include "sentinel/core/model.h"

struct shell;

struct outage {
    int64_t since_ms;                  /* the last proof of the old one; 0 = none is known */
    uint64_t epoch;                    /* formed: the epoch whose first proof is waited for; 0 = none */
    uint64_t told;                     /* how many were measured */
    int64_t last_ms, sum_ms;           /* the last of them, all of them; -1 = none yet */
};

void outage_init(struct outage *o);
/* Another proof of the old one: the latest counts. 0 = none. */
void outage_proof(struct outage *o, int64_t at_ms);
/* Over: at_ms is the first proof of the new one. Said as event and in the journal of the group. */
void outage_end(struct outage *o, struct shell *sh, const struct group *g, int64_t at_ms);
/* A formed group after a step: has the new primary proved itself? */
void outage_look(struct outage *o, struct shell *sh, const struct group *g, const struct formed *f, int64_t now_ms);

#endif
