/* The world of one run: true time, the queue of things due, the processes and their hosts.
 *
 * It owns time: it pops the earliest thing due, hands it to whom it concerns, and lets
 * the judge look after every step. Everything random comes from one seed, so a run can be
 * repeated exactly.
 *
 * Every process lives on a host; a host has a clock and a place in the network. A
 * process may be dead (its host answers "refused"), its host may be down (nothing answers),
 * or it may be frozen or busy (what is meant for it waits in its inbox). */
#ifndef KV_SIM_WORLD_H
#define KV_SIM_WORLD_H

#include "common/base/addr.h"
#include "common/base/rng.h"
#include "common/base/str.h"
#include "common/base/vec.h"
#include "tests/sim/drift.h"
#include "tests/sim/net.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_MAX_SENTINELS 5
#define SIM_MAX_GROUPS 2
#define SIM_MAX_NODES 5                /* per group */
#define SIM_MAX_PROCS (SIM_MAX_SENTINELS + SIM_MAX_GROUPS * SIM_MAX_NODES)
#define SIM_MAX_HOSTS SIM_MAX_PROCS

struct world;
struct sentinel;
struct kvnode;
struct judge;

enum due_kind {
    DUE_NET,               /* who = connection, arg = direction: the head of that queue arrives */
    DUE_WAKE,              /* who = process: its timer */
    DUE_TIMER,             /* who = process, arg = one of its own small timers (a link to be retried) */
    DUE_DISK,              /* who = process: its save is over, well or badly */
    DUE_THAW,              /* who = process: goes on after a freeze */
    DUE_WRITES,            /* a client writes to everything that takes writes */
    DUE_FAULT,             /* the next fault */
    DUE_FAULT_STEP,        /* arg = fault slot: its second act */
    DUE_FAULT_OVER,        /* arg = fault slot: that fault ends */
    DUE_LOOK               /* the judge looks whether all is calm */
};

struct coming {
    int64_t at_us;
    uint64_t seq;          /* first in, first out among equals */
    uint32_t gen;          /* no longer wanted when it is not the owner's */
    uint16_t who;
    uint8_t kind;
    uint8_t arg;
};

enum inbox_kind { IN_UP, IN_REFUSED, IN_ACCEPTED, IN_MSG, IN_CLOSED, IN_WAKE, IN_TIMER };

/* Something that reaches a process. */
struct inbox {
    enum inbox_kind kind;
    uint32_t conn;         /* handle; IN_TIMER: which timer */
    uint32_t gen;          /* IN_TIMER */
    int32_t user;          /* what this end kept with the connection when it arrived */
    struct msg msg;        /* IN_MSG; its body is released after the hand-over */
};

struct proc {
    char name[12];         /* "s1", "n2", "b1" in the second group */
    uint8_t id;
    uint8_t host;
    bool alive;
    bool frozen;
    bool busy;             /* waits for its disk */
    uint32_t wake_gen, disk_gen, thaw_gen;
    int64_t wake_us;       /* when its timer is set, NEVER_MS: not */
    int64_t born_us;       /* when it was started last */
    int64_t thawed_us;     /* when it last went on after a freeze */
    int64_t dying_us;      /* until then its listener outlives it: connects are accepted, then reset */
    uint32_t starts;       /* how often it was started */
    VEC(struct inbox) inbox;
    size_t inbox_at;
    struct sentinel *sentinel;   /* one of the two */
    struct kvnode *node;
};

struct host {
    bool up;
    struct drift clock;
};

/* A history of writes: it goes on from its parent, which it left at `from`. */
struct history {
    int parent;            /* index, or -1 */
    int64_t from;
    int64_t acked;         /* the last write in it that a client was told of */
};

/* What happened, for the summary: numbers of 64 bits only. */
struct tally {
    int64_t virtual_us;
    uint64_t events, steps;
    uint64_t elections, split_votes, votes, failovers, fast_failovers, vetoes, handovers;
    uint64_t crashes, power_cuts, restarts, freezes, jumps, cuts, losses, duplicates;
    uint64_t seals;                /* orders to follow nobody */
    uint64_t shorter;              /* promotions that left a longer copy of the same history behind */
    uint64_t saves, saves_failed, saves_lost;
    uint64_t writes, writes_lost;
    uint64_t drills, outages, outage_sum_ms, fast_outages, fast_outage_sum_ms;    /* one clean failure and a stopwatch */
    uint64_t calms, calm_sum_ms;       /* from healing to calm */
    uint64_t calm_max_ms;              /* the longest of them: not a sum */
};

/* What the run is made of. */
struct scene {
    int sentinels, groups, nodes;      /* nodes per group */
    int quorum;
    bool evidence;
    bool knows_failover, kvnodes;      /* the nodes have FAILOVER; are kvnodes */
    bool coordinated;                  /* what the operator orders */
    int64_t down_after_ms, failover_timeout_ms;
    int64_t reboot_down_after_ms;      /* 0: a restart is no reason */
    int parallel_syncs;
    int min_replicas;                  /* min-replicas-to-write of the nodes */
    int64_t chaos_ms;                  /* how long things break before everything is healed */
    bool colocated;                    /* sentinel i stands on the host of node i of the first group */
    bool persistent;                   /* nodes keep their data over a restart */
    bool loose;                        /* ... and cannot write their configuration: it is what it was at first */
};

struct world {
    uint64_t seed;
    struct rng rng;
    struct scene scene;
    bool quiet_network;                /* stories: the same delay everywhere, clocks that agree */
    int64_t now_us;
    uint64_t seq;
    VEC(struct coming) queue;             /* a heap, earliest first */
    struct net net;
    struct host hosts[SIM_MAX_HOSTS];
    int nhosts;
    struct proc procs[SIM_MAX_PROCS];
    int nprocs;
    struct addr addrs[SIM_MAX_PROCS];
    VEC(struct history) histories;
    struct faults *faults;
    struct judge *judge;
    struct tally tally;
    bool healed;
    struct proc *reset;                /* the sentinel that was told to forget whom it knows */
    /* the story: what is told, and what is kept of it */
    bool telling;
    bool tracing;                      /* all of it to standard error */
    struct str told;
    int64_t told_from_ms;              /* what a story calls 0 */
    /* the first thing that went wrong; empty while all is well */
    char violation[512];
};

void world_init(struct world *w, uint64_t seed, const struct scene *s, bool quiet_network);
void world_start_all(struct world *w);     /* once the nodes and sentinels are configured */
void world_fini(struct world *w);

/* Runs until `until_ms` of true time, the first violation, or until the judge says that all is calm. */
void world_run(struct world *w, int64_t until_ms);
void world_run_us(struct world *w, int64_t until_us);
static inline int64_t world_ms(const struct world *w) { return w->now_us / 1000; }

void world_later(struct world *w, int64_t at_us, enum due_kind kind, int who, int arg, uint32_t gen);
void world_wake_at(struct world *w, struct proc *p, int64_t local_ms);    /* NEVER_MS: no timer */
int64_t world_local_ms(const struct world *w, const struct proc *p);
void world_deliver(struct world *w, struct proc *p, const struct inbox *in);
void world_drain(struct world *w, struct proc *p);                         /* the inbox, as far as it can */

/* Things that happen to processes. */
void world_start(struct world *w, struct proc *p);
void world_kill(struct world *w, struct proc *p);                /* kill -9: the host says goodbye for it */
void world_power_cut(struct world *w, int host);                 /* nobody says goodbye */
void world_power_on(struct world *w, int host);                  /* and its processes start */
void world_freeze(struct world *w, struct proc *p, int64_t for_ms);
void world_thaw(struct world *w, struct proc *p);
struct proc *world_proc(struct world *w, const char *name);      /* NULL if there is none */

/* Addresses: host h of the world is 10.0.0.<h+1>; sentinels on 26379, nodes on 6379 + group. */
static inline const struct addr *world_addr(const struct world *w, int proc) { return &w->addrs[proc]; }
extern const struct addr world_hole;               /* where nobody ever is */
struct proc *world_by_addr(struct world *w, const struct addr *a);         /* NULL: nobody's */
static inline struct proc *world_sentinel(struct world *w, int i) { return &w->procs[i]; }
static inline struct proc *world_node(struct world *w, int group, int i)
{
    return &w->procs[w->scene.sentinels + group * w->scene.nodes + i];
}
static inline bool world_is_sentinel(const struct world *w, const struct proc *p) { return p->id < w->scene.sentinels; }
static inline int world_group_of(const struct world *w, const struct proc *p)   /* of a node */
{
    return (p->id - w->scene.sentinels) / w->scene.nodes;
}
/* The first thing that goes wrong is kept, the run ends. */
void world_violation(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
