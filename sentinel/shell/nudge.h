/* While a stock primary hands over (FAILOVER TO), it waits for its replica to acknowledge the last byte. A replica does so
 * once a second, and the primary does not ask it meanwhile: writers wait for half a second on average although nothing
 * is missing. But a replica that hears REPLCONF GETACK from anybody tells its primary at once where it is. That is what
 * is said to it here, on a connection of its own (the command is never answered), every few milliseconds.
 *
 * It changes nothing about who leads and what is lost: the primary gives its office away when it has heard the replica,
 * as ever. Where REPLCONF is not ours to say, it takes as long as it does without. */
#ifndef KV_SENTINEL_NUDGE_H
#define KV_SENTINEL_NUDGE_H

#include "common/base/addr.h"
#include "sentinel/core/model.h"

#include <stdint.h>

struct shell;
struct nudge;

/* Begins at once and ends by itself after for_ms; what is left then is only memory. */
struct nudge *nudge_new(struct shell *sh, core_id group, const struct addr *replica, int64_t for_ms);
void nudge_free(struct nudge *n);                /* NULL is fine */

#endif
