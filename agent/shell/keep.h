/* Those who keep a document true from now on, by its type: instances that are vouched for,
 * instances of a unit. The applier hands documents over (applier_means.keep); what is listed
 * no more is said to them too, also when that happened while the agent was away. */
#ifndef KV_AGENT_KEEP_H
#define KV_AGENT_KEEP_H

#include "agent/core/apply.h"
#include "agent/core/docname.h"
#include "agent/core/plan.h"

struct agent;

/* As applier_means.keep; owner is the agent. */
enum ack_status keep_want(void *owner, const struct docname *name, const struct plan *p, struct err *why);
bool keep_knows(const char *type);
/* It is ours no more: tells its keeper, and forgets the record of it. Other types: nothing. */
void keep_let_go(struct agent *a, const struct docname *name);
/* At start: calls fn for each document that a keeper had when the agent ended. */
void keep_each_left(struct agent *a, void (*fn)(void *arg, const struct docname *name), void *arg);

#endif
