/* The door of the simulation of formed groups (ha_sim.h says what it plays). */
#ifndef KV_SIM_HA_MAIN_H
#define KV_SIM_HA_MAIN_H

int ha_main(int argc, char **argv);    /* `sim --formed ...`; the exit code */

#endif
