/* Safety after every step; after healing, a deadline for calm.
 *
 * Safety: a sentinel votes once per (group, epoch), over all its lives, and what it
 * says is on disk before; one leader per (group, epoch), with a majority behind it; no
 * epoch goes down; one config epoch names one primary; no node is told to follow itself.
 *
 * Calm: one primary, all other nodes follow it with the link up and the same history,
 * all sentinels name it, know each other and are busy with nothing; and it stays so. */
#ifndef KV_SIM_JUDGE_H
#define KV_SIM_JUDGE_H

#include "tests/sim/world.h"

struct action;

struct judge *judge_new(struct world *w);
void judge_free(struct judge *j);

void judge_started(struct world *w, struct proc *p);                       /* a new life of a sentinel */
void judge_step(struct world *w, struct proc *p);                          /* after each core_step */
void judge_said(struct world *w, struct proc *p, int group, const struct action *a);  /* ACT_ASK, ACT_ANSWER as they leave */

/* As the order to be primary leaves: is there a reachable replica with more, or one that would object? */
struct node;
void judge_promotes(struct world *w, struct proc *p, const struct node *n);

/* From now on look for calm: it must come within within_ms and then hold for hold_ms; judge_calm
 * is true when it did. strict: calm that came must not go away again. */
void judge_expect_calm(struct world *w, int64_t hold_ms, int64_t within_ms, bool strict);
/* All living sentinels, less those that share the host of `not_this`, name one primary, which is
 * another node and takes writes. */
bool judge_agreed(struct world *w, int group, int not_this);
int  judge_primary(const struct world *w, int group);          /* of the last calm; a process */
void judge_expect_nothing(struct world *w);
void judge_look(struct world *w);
bool judge_calm(const struct world *w);
void judge_sum_up(struct world *w);                /* at the end of a run: writes lost, ... */

/* Leave out the checks that look inside a sentinel (is the vote on disk before it is said?), so that
 * only the consequences of a bug can convict it. */
extern bool judge_by_consequence;

#endif
