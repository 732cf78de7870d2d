/* Documents of type "redis": keyword arguments of redis-py's client and nothing else,
 *
 *   {"host":"10.0.0.7","port":6379,"db":0,"password":"..."}
 *
 * because programs call redis.Redis(**document). They are kept by the leader of a failover
 * and read by programs; an agent looks at them, says whether they are well formed, and
 * never writes one. A name that is no keyword argument would make every such program
 * fail, and a document without host would send them all to their own machine. */
#ifndef KV_AGENT_TYPE_REDIS_H
#define KV_AGENT_TYPE_REDIS_H

#include "agent/core/doctype.h"

extern const struct shape redis_shape;
int redis_read(const cJSON *doc, struct plan *p, struct err *e);

#endif
