/* Documents of type "node": settings of the data node beside the agent.
 *
 *   {"v":1,"set":{"maxmemory":"2gb","maxmemory-policy":"allkeys-lru","hz":"20"},"rewrite":true}
 *
 * They are set together or not at all, read back, and set again when somebody changed them.
 * What the node takes only at its start is answered with pending_restart. Settings that say
 * where the node reads and writes files are not for documents: who may write to the
 * directory does not thereby own the hosts; nor are those that belong to the failover. */
#ifndef KV_AGENT_TYPE_NODE_H
#define KV_AGENT_TYPE_NODE_H

#include "agent/core/doctype.h"

#define NODE_SETTINGS_MAX 64           /* a kvnode takes no more in one CONFIG SET */

extern const struct shape node_shape;
int node_read(const cJSON *doc, struct plan *p, struct err *e);
/* Is the value of this setting (lower case) a secret, never to be told or logged? */
bool node_setting_is_secret(const char *name);

#endif
