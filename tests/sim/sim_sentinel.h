/* A sentinel: the real sentinel_core, with a shell made of the simulator's network and
 * disk. It does what the real shell does: a step, then its actions in the order given; a
 * save holds everything up until it is on disk; a link is kept up until it is closed. */
#ifndef KV_SIM_SENTINEL_H
#define KV_SIM_SENTINEL_H

#include "sentinel/core/core.h"
#include "tests/sim/world.h"

struct sentinel *sentinel_new(struct world *w, struct proc *p);
void sentinel_free(struct sentinel *s);
void sentinel_start(struct world *w, struct proc *p);
void sentinel_stop(struct world *w, struct proc *p);
void sentinel_take(struct world *w, struct proc *p, const struct inbox *in);
void sentinel_disk_done(struct world *w, struct proc *p);

/* An operator's SENTINEL FAILOVER for one group. */
void sentinel_order_failover(struct world *w, struct proc *p, int group);

void sentinel_order_reset(struct world *w, struct proc *p, int group);

const struct core *sentinel_core(const struct sentinel *s);     /* NULL while it is dead */
core_id sentinel_group_id(const struct sentinel *s, int group);
const struct saved *sentinel_on_disk(const struct sentinel *s); /* NULL: nothing yet */
const char *sentinel_id(const struct sentinel *s);
/* A run id -> which sentinel, -1 for "" or a stranger's. */
int sentinel_by_id(const char *id);
const char *sim_group_name(int group);

/* Timing of the core for all sentinels of this world; set before they start. */
void sentinel_timing(struct world *w, const struct core_timing *t);
void sentinel_retime(struct world *w, struct proc *p, const struct core_timing *t);   /* one that runs */

#endif
