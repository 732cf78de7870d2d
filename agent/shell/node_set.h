/* Settings of the data node, several at once: asked for, set, read back, written down, and
 * set back. Each step is one exchange with the node and answers once, later.
 *
 * Setting is one CONFIG SET with all parameters, which a node takes whole or not at all
 * (kvnode, Redis 7.0 and later). An older one takes one parameter at a time; then what was
 * set stays set when a later one is refused (NODE_PARTLY), and the caller sets it back.
 *
 * A parameter that the node knows and does not change while it runs is left out and marked
 * pending. Values are compared as the node writes them: "2gb" has become "2147483648" when
 * it is asked for again, so what counts is what it answers after it was set. */
#ifndef KV_AGENT_NODE_SET_H
#define KV_AGENT_NODE_SET_H

#include "agent/core/plan.h"
#include "agent/source/local_node.h"

struct node_value {
    char *name, *want;
    char *old;                   /* before; NULL: not asked yet */
    char *now;                   /* as the node answered after it was set; NULL: was not set */
    bool differs;                /* is to be set; the caller's judgement */
    bool pending;                /* takes effect with a restart */
    bool secret;                 /* values stand in no sentence */
};

struct node_values {
    VEC(struct node_value) at;
};

void node_values_fini(struct node_values *v);
void node_values_of(struct node_values *v, const struct plan_node *p);       /* replaces what was in v */
struct node_value *node_values_add(struct node_values *v, const char *name, const char *want);
/* "databases: 16 -> 32; requirepass" of those that are pending, "" = none. */
void node_values_pending(const struct node_values *v, struct str *out);
size_t node_values_changes(const struct node_values *v);                     /* differ and are not pending */

enum node_end {
    NODE_DONE,
    NODE_REFUSED,                /* nothing was changed; why says what the node said */
    NODE_PARTLY,                 /* some were set, then it refused */
    NODE_LOST                    /* it answers no more; what it took is not known */
};

struct node_job;
/* why is "" when all went well; it never holds a secret. Borrowed until it returns. */
typedef void node_end_fn(void *arg, enum node_end how, const char *why);

/* v and n are borrowed until the job answered or was freed. fn is never called from inside. */
struct node_job *node_ask_old(struct loop *l, struct local_node *n, struct node_values *v, node_end_fn *fn, void *arg);
struct node_job *node_set_new(struct loop *l, struct local_node *n, struct node_values *v, node_end_fn *fn, void *arg);
struct node_job *node_set_old(struct loop *l, struct local_node *n, struct node_values *v, node_end_fn *fn, void *arg);
struct node_job *node_rewrite(struct loop *l, struct local_node *n, struct node_values *v, node_end_fn *fn, void *arg);
/* Is it still so? undone: as before, else as answered after the setting. */
struct node_job *node_ask_again(struct loop *l, struct local_node *n, struct node_values *v, bool undone, node_end_fn *fn,
                                void *arg);
void node_job_free(struct node_job *j);          /* NULL is fine; what was sent is not taken back */

#endif
