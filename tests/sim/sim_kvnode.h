/* A data node: the real kvnode_role, with a pretend dataset (a history and an offset), the
 * replication protocol in outline, and what its configuration file says about whom to
 * follow. */
#ifndef KV_SIM_KVNODE_H
#define KV_SIM_KVNODE_H

#include "tests/sim/world.h"

struct kvnode *kvnode_new(struct world *w, struct proc *p);
void kvnode_free(struct kvnode *n);
void kvnode_start(struct world *w, struct proc *p);
void kvnode_stop(struct world *w, struct proc *p);
void kvnode_take(struct world *w, struct proc *p, const struct inbox *in);

/* Clients ask a sentinel where the primary is and write there. */
void kvnode_clients_write(struct world *w);

/* Before the first start: whom its configuration says to follow, and its priority. */
void kvnode_configure(struct kvnode *n, int follows, int priority);

/* For the judge and for stories. */
bool kvnode_is_primary(const struct kvnode *n);
int  kvnode_follows(const struct kvnode *n);          /* process, -1 = nobody */
int  kvnode_priority(const struct kvnode *n);
bool kvnode_link_up(const struct kvnode *n);
int64_t kvnode_up_for_ms(const struct world *w, const struct proc *p);   /* how long its link to its primary stands; 0: it does not */
int  kvnode_history(const struct kvnode *n);
int64_t kvnode_offset(const struct kvnode *n);

#endif
