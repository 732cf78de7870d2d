/* The documents of this agent: a snapshot comes, the agent document in it (or the last good one) says which documents
 * are ours, each of them has an applier that is asked to consider it; one that is named no more is let go. What the
 * appliers answer goes to the directory and into the counters. */
#ifndef KV_AGENT_DOCUMENTS_H
#define KV_AGENT_DOCUMENTS_H

#include "agent/shell/shell.h"

/* Fills what a->means has for the appliers' questions and answers, and hooks into the turn. */
void documents_init(struct agent *a);
/* Before the directory is looked for: finish what a crash left, apply the cache, know what is still kept. */
void documents_begin(struct agent *a);
void documents_fini(struct agent *a);
/* For directory_opts: owner is the agent. in is emptied. */
void documents_snapshot(void *owner, struct inputs *in, bool by_resync);
/* All of them are looked at again at the end of this turn, from the snapshot that is there. */
void documents_settle_later(struct agent *a);

#endif
