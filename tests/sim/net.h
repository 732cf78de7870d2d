/* The network: connections with the manners of TCP between hosts that can be cut apart.
 *
 * Each direction of a connection is a queue; what was sent arrives in order, after a
 * delay. A lost packet is sent again, so loss is delay. A cut is silence: what is under way
 * waits and is tried again with growing pauses, and arrives after the cut is healed if
 * the connection still stands. A process that dies closes its connections; whoever
 * connects to it is refused, as long as its host is up. A host that lost power says
 * nothing until it is back, and then answers old connections with a reset. */
#ifndef KV_SIM_NET_H
#define KV_SIM_NET_H

#include "common/base/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct world;
struct proc;

/* What is said over a connection. kind is the business of the two ends. */
struct msg {
    uint8_t kind;
    uint8_t group;
    int16_t a, b;
    uint32_t tag;
    uint64_t x, y, z;
    void *body;            /* mem_alloc'd, or NULL; the message owns it */
    int64_t at_us;         /* earliest arrival; the network's own */
    uint8_t tries;
};

enum { MSG_SYN = 250, MSG_SYN_ACK, MSG_RST, MSG_FIN };   /* the network's own kinds */

enum conn_state { CONN_FREE, CONN_OPENING, CONN_UP, CONN_GONE };

struct conn_dir {
    VEC(struct msg) q;
    size_t at;             /* head */
    bool due;              /* the head's arrival stands in the world's queue */
    int64_t last_us;       /* nothing overtakes */
};

struct conn {
    uint16_t gen;
    uint8_t proc[2];       /* 0 opened it, 1 accepted it */
    uint32_t start[2];     /* which life of that process */
    bool open[2];          /* that end still holds it */
    enum conn_state state;
    int32_t user[2];       /* what each end remembers with it */
    struct conn_dir dir[2];    /* dir[s]: what side s sends */
};

#define NET_MAX_HOSTS 16
#define NET_MAX_CONNS 4096

struct net {
    VEC(struct conn *) conns;
    VEC(uint16_t) unused;
    uint8_t cut[NET_MAX_HOSTS][NET_MAX_HOSTS];      /* > 0: nothing gets from a to b (counts the cuts) */
    int64_t cut_at_us[NET_MAX_HOSTS][NET_MAX_HOSTS];   /* when a cut last began or ended there */
    uint8_t reject[NET_MAX_HOSTS][NET_MAX_HOSTS];   /* > 0: a firewall answers a's connections to b with a reset */
    int32_t delay_us[NET_MAX_HOSTS][NET_MAX_HOSTS];
    int32_t jitter_us;
    int64_t lossy_us;      /* when a packet was last lost */
    unsigned loss_pm;      /* packets lost, per mille */
    unsigned dup_pm;       /* for those who ask: news that arrives twice */
};

void net_init(struct world *w);
void net_fini(struct world *w);

/* Opens towards a process. The answer comes as IN_UP, IN_REFUSED, or never. */
uint32_t net_connect(struct world *w, struct proc *from, struct proc *to, int32_t user);
void     net_send(struct world *w, struct proc *from, uint32_t conn, struct msg *m);   /* takes m->body */
void     net_close(struct world *w, struct proc *by, uint32_t conn);                     /* the other end hears it */
void     net_arrive(struct world *w, int conn, int dir, uint32_t gen);                   /* DUE_NET */
void     net_proc_died(struct world *w, struct proc *p, bool silently);

/* NULL when the handle is of a connection that is over, or that end let go. */
struct conn *net_conn(struct world *w, const struct proc *p, uint32_t conn);
struct proc *net_peer(struct world *w, const struct proc *p, uint32_t conn);
int32_t      net_user(struct world *w, const struct proc *p, uint32_t conn);
void         net_set_user(struct world *w, const struct proc *p, uint32_t conn, int32_t user);

void net_cut(struct world *w, int from_host, int to_host, bool cut);     /* one way */
void net_reject(struct world *w, int from_host, int to_host, bool reject);
void net_heal(struct world *w);                                          /* all cuts, loss and duplicates end */

#endif
