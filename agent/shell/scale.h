/* Keeps so many instances of a unit active on this node: looks at what is there, starts what
 * is missing, drains and stops what is too much (the highest number first, one after the
 * other), and looks again: after each change of the document, each look_ms, after a start.
 *
 *   idle -> looking -> idle                     as wanted, or why not
 *              |-> starting -> looking ...      systemctl start, all that is missing at once
 *              |-> draining -> stopping -> looking ...
 *              '-> waiting -> looking ...       something is on its way
 *
 * Units are asked for through the systemctl of the configuration, as argv, and only those
 * that `allow-unit` names. Nothing is remembered: what runs is what systemd says. A document
 * that is no longer ours leaves its instances as they are. */
#ifndef KV_AGENT_SHELL_SCALE_H
#define KV_AGENT_SHELL_SCALE_H

#include "agent/core/docname.h"
#include "agent/core/plan.h"
#include "agent/shell/allow.h"
#include "common/io/loop.h"

struct scale_opts {
    struct loop *loop;
    const struct allow *allow;       /* borrowed: allow-unit, and which systemctl */
    const char *node;                /* borrowed: our name in `assign` */
    int64_t look_ms;                 /* between two looks when all is well, 30000 when 0 */
    void *owner;
    /* The word about a document: why NULL = so many are active as it wants. Told once after each scale_want that returned
     * 0, when it is so or cannot be, and again when that changes. */
    void (*on_result)(void *owner, const struct docname *name, const char *why);
    /* The unit is going to be stopped (on), or is wanted again (off): say so to those who send it work. Returns how many
     * milliseconds from now it may be stopped; called again until that is 0. NULL: nobody needs to know. */
    int64_t (*drain)(void *owner, const char *unit, bool on);
};

struct scale;
struct scale *scale_new(const struct scale_opts *o);
void scale_free(struct scale *s);            /* instances stay as they are; a systemctl under way is ended */
/* From now on this is wanted; p is read until it returns. NULL: no longer ours. 0: it is being made so (on_result).
 * ERR_REFUSED: not allowed, or not supported here; e says which. Then, too, instances stay as they are. */
int scale_want(struct scale *s, const struct docname *name, const struct plan_scale *p, struct err *e);
void scale_look(struct scale *s);            /* all of them, now (a resync) */

/* One document's keeper, for tests. */
enum keep_state { KS_IDLE, KS_LOOKING, KS_STARTING, KS_DRAINING, KS_STOPPING, KS_WAITING, KS_STATES };

enum keep_event {
    KE_LOOK,                   /* somebody wants to know, or the time has come */
    KE_RIGHT,                  /* seen: as wanted */
    KE_FAILED,                 /* seen: started, and not up */
    KE_MISSING,                /* seen: some are to be started */
    KE_SURPLUS,                /* seen: some are to be stopped */
    KE_MOVING,                 /* seen: some are on their way */
    KE_DONE,                   /* the systemctl under way ended well, or nobody sends work any more */
    KE_BROKEN,                 /* the systemctl under way did not end well */
    KE_KINDS
};

int scale_next(enum keep_state in, enum keep_event on);                            /* -1: nothing happens */
int scale_state_of(const struct scale *s, const struct docname *name);            /* -1: it keeps none of that name */

#endif
