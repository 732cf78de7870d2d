/* One document on this node: from the snapshot to what is in force. Asks core what is wanted,
 * compares, and carries out the steps of core's apply table in the order given; who does
 * what the steps ask depends on the plan (applier_inside.h). */
#ifndef KV_AGENT_APPLIER_H
#define KV_AGENT_APPLIER_H

#include "agent/core/apply.h"
#include "agent/core/desired.h"
#include "agent/shell/acks.h"
#include "agent/shell/applied.h"
#include "agent/shell/node_set.h"
#include "agent/shell/probe.h"
#include "agent/shell/stage.h"
#include "common/base/rng.h"

#define KEPT_SETS 3            /* last good file sets kept for each document */

struct applier;
struct local_node;

/* What all appliers share. */
struct applier_means {
    struct probe_means probe;            /* loop, roots, allow and what probes need */
    const char *state;
    struct whoami who;
    struct rng *rng;
    struct local_node *node;             /* CARRY_NODE; NULL: the configuration names none, such documents are refused */
    const bool *from_cache;              /* the snapshot is what was cached, not what the directory says */
    void *owner;
    /* CARRY_KEEP: from now on this is wanted (p is the keeper's to read until it returns; NULL: no longer wanted).
     * Said again after each start. Returns ACK_OK, or how it was refused with why, or ACK_STATUSES: applier_kept says
     * so later. */
    enum ack_status (*keep)(void *owner, const struct docname *name, const struct plan *p, struct err *why);
    /* Another document that owns this file, or NULL. */
    const struct docname *(*taken)(void *owner, const struct applier *asker, const char *root, const char *path);
    /* Another document that sets this setting of the data node, or NULL. */
    const struct docname *(*set_by)(void *owner, const struct applier *asker, const char *setting);
    void (*on_ack)(void *owner, struct applier *w, const struct ack *k);
    void (*on_idle)(void *owner, struct applier *w);      /* an application ended; may consider again */
};

struct applier {
    struct docname name;
    const struct applier_means *m;
    struct apply machine;
    struct applied applied;              /* in force */
    /* what was considered last */
    char seen[SHA_MAX];                  /* fingerprint, "" = nothing */
    char sha[SHA_MAX];                   /* of the document's bytes */
    bool from_override;
    enum ack_status status;              /* of that */
    char why[ERR_TEXT_MAX];
    int64_t status_wall_ms;
    bool answered;                       /* status is set */
    bool same_again;                     /* the last answer was the one before it, word for word */
    /* under way */
    struct plan *plan;
    enum plan_carrier carrier;           /* of the plan under way, or of the last one */
    struct stage stage;
    struct node_values values;           /* CARRY_NODE */
    struct str bytes;                    /* of the document */
    struct inputs from;                  /* what the plan was made of, for the cache once it is in force */
    struct sources from_list;
    bool resumed;                        /* a crash is being dealt with: the old files are kept already */
    bool left_committed;                 /* of a crash: all was done, and this is how it had ended */
    enum ack_status left_status;
    int64_t started_ms, took_ms;
    struct validate *validate;
    struct hold *hold;
    struct probe *probe;
    struct node_job *job;
    bool swept;                          /* leftovers beside its files were looked for since the start */
    bool looking;                        /* CARRY_NODE: the node was asked how it stands */
    bool waits_for_node;                 /* it could not be asked; considered again when it returns */
    bool suspended;                      /* it went away in the middle; taken up again when it returns ... */
    enum apply_event_kind suspended_as;  /* ... with this event */
    unsigned losses;                     /* times it went away on the way to this version */
    struct timer deadline;
    struct { bool set; enum apply_event_kind kind; char text[ERR_TEXT_MAX]; } answer;
    /* for its owner */
    bool listed;                         /* named by the agent document in force */
    bool waits_for_file;                 /* refused because another document has one of its files */
    bool retry;                          /* consider again even if nothing changed (once) */
    bool again;                          /* the snapshot changed while it was busy */
    uint64_t applications;
};

struct applier *applier_new(const struct applier_means *m, const struct docname *name);
void applier_free(struct applier *w);
/* A snapshot: apply it when it differs from what was considered last (or in any case, when forced). Busy: remembered in
 * w->again. Documents that nobody asked the directory for (not in the snapshot) are left alone. changed: it did differ. */
void applier_consider(struct applier *w, const struct inputs *in, const struct agent_doc *agent, bool force,
                      bool *changed);
/* Finish or undo what a journal says was under way. false: there was nothing to do. */
bool applier_recover(struct applier *w);
bool applier_is_busy(const struct applier *w);
/* The data node is there (again), or another process of it: take up what waits for it, look at what was set. true: there
 * is something to consider. */
bool applier_node_is_there(struct applier *w);
/* What came of a document that was handed to a keeper, now or since it was told last. */
void applier_kept(struct applier *w, enum ack_status status, const char *why);

#endif
