/* The data node beside this agent (the `node` setting): is it there, what is it, and a way
 * to ask it things. One connection that keeps itself alive; ROLE and INFO replication each
 * poll_ms, at once after a reconnect, and at once when somebody says so.
 *
 * What it says is for labels, heartbeats and settings. It is never an input to who may
 * write: that is between the sentinels and the node. */
#ifndef KV_AGENT_LOCAL_NODE_H
#define KV_AGENT_LOCAL_NODE_H

#include "common/base/addr.h"
#include "common/io/loop.h"
#include "common/io/resolve.h"
#include "common/io/resp_link.h"

enum local_role {
    LOCAL_UNKNOWN,       /* not asked yet, or the connection is down for less than down_after_ms */
    LOCAL_DOWN,          /* or refuses to be asked: local_node_trouble says so */
    LOCAL_LOADING,
    LOCAL_PRIMARY,       /* says master and accepts writes (kvnode: not fenced, not sealed) */
    LOCAL_FENCED,        /* says master and would refuse writes, or waits for its group and follows nobody (kvnode) */
    LOCAL_REPLICA,       /* its link to the primary is up */
    LOCAL_SYNCING        /* a replica whose link is down or still being filled */
};

struct local_node_state {
    enum local_role role;
    struct addr primary;             /* of a replica; unset otherwise */
    int64_t offset;                  /* master_repl_offset or slave_repl_offset, -1 = unknown */
    int64_t lag_ms;                  /* replica: since it heard its primary, -1 = unknown */
    char run_id[48], version[32];    /* "" = unknown */
    int64_t since_ms;                /* loop time of the last change of role */
};

struct local_node_opts {
    struct loop *loop;
    struct resolver *resolver;
    struct addr at;                  /* copied */
    const char *user, *password;     /* NULL = none; copied */
    int64_t poll_ms;                 /* 200 when 0 */
    int64_t down_after_ms;           /* 1000 when 0 */
    void *owner;
    void (*on_change)(void *owner, const struct local_node_state *was, const struct local_node_state *is);  /* may be NULL */
};

struct local_node;
struct local_node *local_node_new(const struct local_node_opts *o);
void local_node_free(struct local_node *n);
const struct local_node_state *local_node_state(const struct local_node *n);
/* A command on its connection. fn as in resp_link_send. false: not connected. */
bool local_node_ask(struct local_node *n, int argc, const struct slice *argv, link_reply_fn *fn, void *arg);
/* Replies to what was asked with this arg are told to nobody any more (for an arg that is going to be freed). Freeing the
 * node forgets all. */
void local_node_forget(struct local_node *n, const void *arg);
const struct addr *local_node_addr(const struct local_node *n);
/* Why it could not be asked last, "" = it was. Borrowed until the next turn. */
const char *local_node_trouble(const struct local_node *n);
/* It is there and takes commands (master, fenced, slave, syncing). */
bool local_role_usable(enum local_role r);
const char *local_role_name(enum local_role r);          /* "master", "slave", "fenced", "syncing", "loading", "down", "unknown" */

#endif
