/* The door of the simulation of formed groups (ha_sim.h says what it plays). */
#ifndef KV_SIM_HA_MAIN_H
#define KV_SIM_HA_MAIN_H

#include <stdbool.h>
#include <stdint.h>

struct hs_world;

int ha_main(int argc, char **argv);    /* `sim --formed ...`; the exit code */
int ha_loaded(struct hs_world *w, int64_t from, int64_t seeds, bool trace);      /* `sim --formed --loaded ...`; ha_loaded.c */

#endif
