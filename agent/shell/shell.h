/* The agent as a whole: options in, directory and appliers wired together, local answers
 * out. One turn: a snapshot comes, the agent document says which documents are ours, each
 * of them is considered; what they answer goes to the directory and into the counters. */
#ifndef KV_AGENT_SHELL_H
#define KV_AGENT_SHELL_H

#include "agent/controller/controller.h"
#include "agent/controller/history.h"
#include "agent/controller/registry.h"
#include "agent/shell/acks.h"
#include "agent/shell/applier.h"
#include "agent/shell/labels.h"
#include "agent/shell/options.h"
#include "agent/shell/scale.h"
#include "agent/shell/services.h"
#include "agent/source/directory.h"
#include "agent/source/local_node.h"
#include "common/io/http_client.h"
#include "common/io/http_server.h"
#include "common/io/resp_server.h"

struct agent {
    struct agent_options *options;
    struct loop *loop;
    struct resolver *resolver;
    struct http_client *http;
    struct rng rng;
    int64_t started_wall_ms, started_at_ms;
    int lock_fd;
    struct applier_means means;
    struct directory *directory;
    struct services *services;
    struct scale *scale;
    struct heartbeat *heartbeat;
    unsigned leaving;                    /* those that have something to withdraw before the agent stops */
    void (*on_left)(void *arg);
    void *on_left_arg;
    struct timer late;
    struct controller *controller;       /* NULL, and so are its duties: the configuration says no */
    struct registry_duty *registry_duty;
    struct history_duty *history_duty;
    struct scale_duty *scale_duty;       /* ... so is this */
    struct local_node *node;             /* NULL: the configuration names none */
    struct labels *labels;               /* NULL: no Kubernetes API, or none wanted */
    struct acks *acks;
    struct inputs inputs;                /* the last snapshot, or the cache */
    bool was_live;                       /* the directory, when it was last heard of */
    bool from_cache;                     /* no snapshot came yet */
    bool force;                          /* compare with the files even if nothing changed (once) */
    struct agent_doc *in_force;
    char agent_why[ERR_TEXT_MAX];        /* what is wrong with the agent document, "" = nothing */
    VEC(struct applier *) appliers;
    struct loop_hook turn;
    bool settle_again;
    /* counters */
    uint64_t ended[ACK_STATUSES];        /* applications and refusals, by how they ended */
    uint64_t lost_pushes;                /* snapshots by resync that found a change */
    int64_t last_took_ms;
    /* local surfaces */
    struct command_table commands;
    struct resp_server server;
    struct http_server *web;
};

/* Locks the state folder, finishes what a crash left, applies the cache, opens the local surfaces, and begins to look for
 * the directory. On failure nothing is left open. */
int  agent_start(struct agent *a, struct agent_options *o, struct loop *l, struct err *e);
void agent_stop(struct agent *a);
/* Before it: what others must hear while the loop still runs: services drain, the controller's role is given back, labels
 * say none. fn is called once, perhaps at once, when it is said or given up (labels 2 s, services 30 s). */
void agent_leave(struct agent *a, void (*fn)(void *arg), void *arg);
/* Read everything again, compare with the files even where nothing changed, retry what failed. */
void agent_resync(struct agent *a);
struct applier *agent_find(const struct agent *a, const struct docname *name);
/* The line that systemd shows. */
void agent_show_status(struct agent *a);
/* How many documents stand how. */
struct agent_counts { size_t documents, ok, failed, busy, stuck; };
void agent_count(const struct agent *a, struct agent_counts *out);

#endif
