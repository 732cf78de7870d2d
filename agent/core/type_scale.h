/* Documents of type "scale": how many instances of a unit there shall be.
 *
 *   {"v":1,"instances":5,"min":1,"max":20,"unit":"web@.service","assign":{"n1":2,"n2":3},"cooldown":"10s"}
 *
 * A scale event (channel scale_events, "web:7") changes `instances` and nothing else, within
 * min and max, and not more often than `cooldown` allows.
 *
 * Where they run is said by the document alone, so that every agent comes to the same answer
 * without asking anybody: `assign` names the nodes, and the share of each. When the shares add
 * up to `instances` they are exact; else instances are handed out one by one, each to the node
 * that is furthest behind its share (highest averages, D'Hondt): one more instance starts one
 * and stops none. Without `assign` each node that applies the document runs all of them. A
 * node with k instances runs numbers 1 to k: web@1.service ... web@k.service.
 *
 * "statefulset":"<namespace>/<name>" in place of "unit" is read, and refused by agents that cannot do it. */
#ifndef KV_AGENT_TYPE_SCALE_H
#define KV_AGENT_TYPE_SCALE_H

#include "agent/core/doctype.h"

#define SCALE_INSTANCES_MAX 9999
#define SCALE_NODES_MAX 256                /* nodes in assign */
#define SCALE_COOLDOWN_MS 1000             /* when the document does not say */

extern const struct shape scale_shape;
int scale_read(const cJSON *doc, struct plan *p, struct err *e);

/* How many of them run on this node. */
int scale_share(const struct plan_scale *s, const char *node);

#endif
