/* The INFO reply of a data node -> what the quiet room wants to know of it. Reads what
 * Redis 2.8 to 7, Valkey and kvnode write; unknown fields are passed over, missing ones
 * have the defaults that event.h names. */
#ifndef KV_SENTINEL_NODE_INFO_H
#define KV_SENTINEL_NODE_INFO_H

#include "common/base/str.h"
#include "sentinel/core/event.h"

struct node_info_text {
    struct node_info info;               /* info.replicas points into the next */
    VEC(struct info_replica) replicas;   /* at most GROUP_NODES_MAX */
};

void node_info_init(struct node_info_text *t);
void node_info_fini(struct node_info_text *t);
void node_info_read(struct slice text, struct node_info_text *out);    /* replaces what was in out */

#endif
