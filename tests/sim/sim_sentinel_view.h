/* What clients of a sentinel see, for those who must not look into its core: the two
 * quiet rooms keep their own words, and no file here needs both. */
#ifndef KV_SIM_SENTINEL_VIEW_H
#define KV_SIM_SENTINEL_VIEW_H

#include "tests/sim/world.h"

/* GET-MASTER-ADDR-BY-NAME as a process number, -1 if that sentinel does not answer. */
int sentinel_view_primary(struct world *w, int sentinel, int group);

#endif
