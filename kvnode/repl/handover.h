/* FAILOVER: a primary gives its office to one of its replicas and loses nothing by it.
 *
 *   none ──FAILOVER──► waiting ──the target has all of it──► going ──it took over──► none (a replica now)
 *                         │                                    │
 *                         └── ABORT, TIMEOUT: none (primary) ──┘ refused, ABORT
 *
 * Waiting: writes pause, the replicas are asked how far they are. Going: we follow the target
 * already and ask it, with our PSYNC, to take over; until it answers nobody takes writes. Once
 * that question has left nobody but the target knows whether it leads, so from then on only its
 * answer or an operator's ABORT ends it; before, TIMEOUT does. Both sides speak with redis-server. */
#ifndef KV_REPL_HANDOVER_H
#define KV_REPL_HANDOVER_H

#include <stdbool.h>

struct server;
struct call;
struct handover;

struct handover *handover_new(struct server *srv);
void handover_free(struct handover *h);

void handover_command(struct handover *h, struct call *c);       /* FAILOVER ... */
bool handover_on(const struct handover *h);                      /* waiting or going */
const char *handover_state_word(const struct handover *h);       /* INFO's master_failover_state */

/* Of follow.c. Shall this PSYNC ask the target to lead? Then it is about to leave. */
bool handover_asks(struct handover *h);
/* The target's answer to it; why: its words when it refused. May change the role: call it when nothing else is to be done. */
void handover_taken(struct handover *h);
void handover_refused(struct handover *h, const char *why);

/* Of feed_attach.c: PSYNC id offset FAILOVER came. true: we lead now (or did before), answer it as any PSYNC;
 * false: it was answered with an error. */
bool handover_take(struct server *srv, struct call *c);

#endif
