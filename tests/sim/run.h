/* One seed: set the scene, let everybody get to know each other, break things, heal
 * them, demand calm. */
#ifndef KV_SIM_RUN_H
#define KV_SIM_RUN_H

#include "tests/sim/world.h"

struct run_result {
    struct tally tally;
    char violation[512];           /* empty: all is well */
    char scene[160];
};

void run_seed(uint64_t seed, bool trace, struct run_result *out);

/* Nodes of a new world: the first of each group is primary, the others follow it. */
void run_place_nodes(struct world *w);

#endif
