/* This agent, as others see it: the hash node:<id> in the directory, written each 5 s with
 * an expiry of 15 s, so that it is gone when the agent is. It beats, so nobody may track it:
 * it is no source of any document, and whoever wants to see it asks.
 *
 *   version, boot (boot id of the host), started, t (wall ms), pid, group, role, primary,
 *   offset, lag-ms (role: of the data node beside the agent, "none" when the configuration
 *   names none), zone, labels (JSON, of the agent document), directory, push (the rung),
 *   agent-document, documents, ok, failed, busy, stuck, fingerprint
 *
 * fingerprint: SHA-256 over the names and versions (sha of the bytes) of all that is in
 * force: two nodes with the same documents in the same versions have the same one. */
#ifndef KV_AGENT_HEARTBEAT_H
#define KV_AGENT_HEARTBEAT_H

#include "common/base/str.h"

struct agent;
struct heartbeat;

#define HEARTBEAT_EVERY_MS 5000
#define HEARTBEAT_EXPIRE_S "15"
#define HEARTBEAT_LABELS_MAX 4096          /* longer labels are left out */

struct heartbeat *heartbeat_new(struct agent *a);       /* after the directory; beats as soon as that is live */
void heartbeat_free(struct heartbeat *h);
void heartbeat_soon(struct heartbeat *h);               /* something that it tells has changed: not later than in 200 ms */

#endif
