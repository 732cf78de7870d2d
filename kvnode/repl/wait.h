/* WAIT: clients that want to hear when enough replicas have their last write. */
#ifndef KV_REPL_WAIT_H
#define KV_REPL_WAIT_H

#include <stdint.h>

struct server;
struct call;

void wait_command(struct call *c);                  /* WAIT numreplicas timeout: answers now or later */
void wait_check(struct server *srv);                /* somebody acknowledged: who is satisfied? */
void wait_release_all(struct server *srv);          /* the role changed: everybody is told */

#endif
