/* Looking ahead in what a pipelining client, or our primary, has sent: the keys of its next requests are brought
 * into the cache together, so that their memory latencies overlap. A hint only: nothing is decided
 * here, and whatever does not look like a plain request ends the look. */
#ifndef KV_CLIENT_AHEAD_H
#define KV_CLIENT_AHEAD_H

#include "common/base/buf.h"
#include "kvnode/client/client.h"

/* A request of this client is about to run; argv lie in its input buffer (a session's, or the primary's stream). */
void ahead_look(struct client *c, const struct buf *in, int argc, const struct slice *argv);

#endif
