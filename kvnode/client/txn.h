/* MULTI, EXEC, DISCARD, WATCH: the queue of a client and the keys it watches. */
#ifndef KV_CLIENT_TXN_H
#define KV_CLIENT_TXN_H

#include "kvnode/client/client.h"

void txn_init(struct server *srv);
void txn_fini(struct server *srv);
void txn_queue(struct client *c, const struct command *cmd, int argc, const struct slice *argv);
void txn_discard(struct client *c);            /* forget the queue and the watched keys */
void txn_watch_key(struct client *c, struct slice key);
void txn_unwatch(struct client *c);
void txn_swapped(struct server *srv, int a, int b);      /* databases a and b are about to be exchanged */
bool txn_watch_expired(struct client *c);      /* a watched key's deadline passed since */

#endif
