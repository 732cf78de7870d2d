/* One consistent reading of the directory: every source in one MGET, or, when hashes are
 * among them, in one MULTI. A writer's MSET or MULTI is seen whole or not at all. */
#ifndef KV_AGENT_SNAPSHOT_H
#define KV_AGENT_SNAPSHOT_H

#include "agent/core/inputs.h"
#include "common/base/err.h"
#include "common/io/resp_link.h"

/* Sends; fn gets the one reply that snapshot_take understands. false: the link is not up. */
bool snapshot_ask(struct resp_link *k, const struct sources *want, link_reply_fn *fn, void *arg);
/* want: the same as in the question. ERR_REFUSED with the server's words, ERR_FORMAT. */
int  snapshot_take(const struct redisReply *r, const struct sources *want, struct inputs *out, struct err *e);

#endif
