/* CLIENT TRACKING: who read which key, and telling them when it changes. */
#ifndef KV_CLIENT_TRACKING_H
#define KV_CLIENT_TRACKING_H

#include "kvnode/client/client.h"

void tracking_init(struct server *srv);
void tracking_fini(struct server *srv);
/* A command of this client has run and was a read: remember its keys. */
void tracking_remember(struct client *c, const struct command *cmd, int argc, const struct slice *argv);
void tracking_stop(struct client *c);
/* Send what piled up during this command or turn. */
void tracking_flush(struct server *srv);
size_t tracking_keys(const struct server *srv);
size_t tracking_items(const struct server *srv);
size_t tracking_prefixes(const struct server *srv);
size_t tracking_clients(const struct server *srv);

#endif
