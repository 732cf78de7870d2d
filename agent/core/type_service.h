/* The type "service": an instance that this agent vouches for. Shape and plan; what follows from
 * checks is core/service.h, the line in the directory core/service_entry.h. */
#ifndef KV_AGENT_TYPE_SERVICE_H
#define KV_AGENT_TYPE_SERVICE_H

#include "agent/core/doctype.h"

extern const struct shape service_shape;
int service_read(const cJSON *doc, struct plan *p, struct err *e);

#endif
