/* What the files of the world share: ha_world.c (the queue), ha_net.c, ha_proc.c, ha_turn.c. */
#ifndef KV_SIM_HA_WORLD_INSIDE_H
#define KV_SIM_HA_WORLD_INSIDE_H

#include "tests/sim/ha_sim.h"

void hs_item_free(struct hs_item *it);
/* --- ha_net.c --- */
void hs_link_free(struct hs_link *l);
void hs_link_arrives(struct hs_world *w, uint64_t id, int dir);        /* the head of its queue */
/* --- ha_proc.c --- */
void hs_inbox_clear(struct hs_proc *p);
bool hs_apart(struct hs_world *w, int a, int b);                       /* cut in one direction or both */
/* --- ha_turn.c --- */
void hs_turn(struct hs_world *w);

#endif
