/* CLIENT TRACKING: who read which key, and telling them when it changes. */
#ifndef KV_CLIENT_TRACKING_H
#define KV_CLIENT_TRACKING_H

#include "kvnode/client/client.h"

void tracking_init(struct server *srv);
void tracking_fini(struct server *srv);
/* A command of this client has run and was a read: remember its keys. */
void tracking_remember(struct client *c, const struct command *cmd, int argc, const struct slice *argv);
/* redirect: session id, 0 = itself. The further switches are fields of the client, set by the caller. */
void tracking_start(struct client *c, uint64_t redirect, bool bcast);
void tracking_add_prefix(struct client *c, struct slice prefix);       /* broadcasting; "" = every key */
void tracking_stop(struct client *c);
void tracking_flush(struct server *srv);       /* after a command: tell what it invalidated */
void tracking_turn(struct server *srv);        /* end of a turn: broadcasts, size limit */
size_t tracking_keys(const struct server *srv);
size_t tracking_items(const struct server *srv);
size_t tracking_prefixes(const struct server *srv);
size_t tracking_clients(const struct server *srv);

#endif
