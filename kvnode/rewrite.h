/* CONFIG REWRITE. What is to be written is put together at once; reading the old file, writing and both
 * syncs happen beside the loop, because it comes right after a switch of roles, when every command counts.
 * The answer is owed meanwhile: what the client was answered before it leaves, it and what stands behind it (the
 * rest of an EXEC) follow when the new text is durable. Others do not wait. One is written at a time, in order. */
#ifndef KV_REWRITE_H
#define KV_REWRITE_H

#include "common/text/command.h"

struct server;
struct client;

void rewrite_init(struct server *srv);
void rewrite_fini(struct server *srv);         /* waits for the one that is being written; later ones are not */
void rewrite_command(struct call *c);
void rewrite_asked(struct client *c);          /* its request is over: whether it is answered at all is known now */
void rewrite_gone(struct client *c);           /* nobody is there to be answered; it is written all the same */

#endif
