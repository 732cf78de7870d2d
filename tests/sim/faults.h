/* What goes wrong, and when: all of it from the seed. Each fault ends by itself after a
 * while; faults_heal ends them all. */
#ifndef KV_SIM_FAULTS_H
#define KV_SIM_FAULTS_H

#include "tests/sim/world.h"

/* What a save meets. The crash plans are carried out by the sentinel's shell. */
enum save_fate {
    SAVE_GOOD,
    SAVE_FAILS,
    SAVE_CRASH_BEFORE,     /* the process dies while the save is under way */
    SAVE_CRASH_AFTER,      /* it dies when the save is done, before it says a word */
    SAVE_CRASH_SAID        /* it dies when the rest of that step's list has been said */
};

struct faults *faults_new(struct world *w);
void faults_free(struct faults *f);
void faults_scene(uint64_t seed, struct scene *out);     /* how big a world this seed has */
void faults_begin(struct world *w);                      /* from now on things go wrong */
void faults_next(struct world *w);                       /* DUE_FAULT */
void faults_step(struct world *w, int slot, uint32_t gen);    /* DUE_FAULT_STEP */
void faults_over(struct world *w, int slot, uint32_t gen);
void faults_heal(struct world *w);                       /* everything is well again, and stays so */

enum save_fate faults_save(struct world *w, struct proc *p, int64_t *takes_us);
/* Stories break a disk by hand. */
void faults_break_disk(struct world *w, struct proc *p, bool broken);
/* Stories: the next save of p meets this. */
/* A process that a save killed: it is started again after a while, unless a story does that. */
void faults_will_return(struct world *w, struct proc *p);
void faults_next_save(struct world *w, struct proc *p, enum save_fate fate);

#endif
