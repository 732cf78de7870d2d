/* The role label of our own pod: core/label.h decides, the Kubernetes API is told.
 *
 * Facts come from the local data node (is it primary, and would it take writes?) and, where
 * sentinels are configured, from each of them (does a majority name this node?). The API is an
 * output: nothing but the label waits for it, and what it says is no reason for anything else.
 *
 * On each pod stand two things: the label (kube-label), and an annotation (kube-annotation) whose JSON
 * says role, since when and who wrote it:
 *
 *     {"role":"primary","pod":"demo-kvnode-1","at":1767225600123,"n":7}
 *
 * "n" goes up with each write, so that each makes a new version of the pod (core/label.h says why). Who becomes primary looks
 * at every other pod and writes it, on condition that it is still what was seen: "primary" is taken off, another role
 * stays, and the new version comes of the annotation <kube-annotation>-freed. */
#ifndef KV_AGENT_LABELS_H
#define KV_AGENT_LABELS_H

#include "agent/core/label.h"
#include "agent/shell/options.h"
#include "agent/source/kube.h"
#include "agent/source/local_node.h"
#include "agent/source/witness.h"

struct labels;

struct labels_opts {
    struct loop *loop;
    struct resolver *resolver;
    struct http_client *http;
    const struct agent_options *options;         /* kept */
    uint64_t seed;
};

/* Are labels asked for (kube on; or auto, with kube-pods and an API around)? */
bool labels_are_wanted(const struct agent_options *o);
/* ERR_MISSING and others: no API, no token, a name that is none. */
int  labels_new(const struct labels_opts *o, struct labels **out, struct err *e);
void labels_free(struct labels *l);
/* The local node: when it changed, and once at the start. */
void labels_node(struct labels *l, const struct local_node_state *is);
/* The agent ends: take "primary" off our pod. fn is called once, when that is done, when there was nothing to do, or
 * after limit_ms. May be called from inside. */
void labels_leave(struct labels *l, int64_t limit_ms, void (*fn)(void *arg), void *arg);

struct labels_view {
    enum label_state state;
    enum label_shown shown;                      /* what our pod says, or is being told */
    bool maybe;                                  /* it may say primary */
    int64_t since_ms;                            /* loop time of the last change of shown */
    uint64_t claims, conflicts;
    const struct kube_stats *stats;
    const char *url, *name_space, *pod, *why;    /* why: the last request that was not taken; "" = none */
    size_t voices, naming_us;                    /* sentinels, and how many of them name this node now */
};
void labels_view(const struct labels *l, struct labels_view *out);

#endif
