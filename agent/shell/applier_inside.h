/* Between the files of the applier: how each kind of plan is looked at and carried out. A
 * carrier does what a step asks and answers it, at once (applier_answer) or later
 * (applier_feed); what differs between files and settings stands here and nowhere else. */
#ifndef KV_AGENT_APPLIER_INSIDE_H
#define KV_AGENT_APPLIER_INSIDE_H

#include "agent/shell/applier.h"
#include "agent/shell/journal.h"
#include "common/io/log.h"

struct carrier {
    /* What only this machine can say about a plan. ERR_BUSY: another document has a file of it. */
    int (*allowed)(struct applier *w, const struct plan *p, struct err *e);
    /* Is there anything to do? Ends with one of the four below, at once or later. */
    void (*look)(struct applier *w);
    /* The steps; NULL where the carrier has none. */
    void (*stage)(struct applier *w);
    void (*check)(struct applier *w);
    void (*swap)(struct applier *w);
    void (*reload)(struct applier *w);
    void (*probe)(struct applier *w);
    void (*restore)(struct applier *w);
    void (*discard)(struct applier *w);
    /* What is in force now, beyond the files. */
    void (*note)(struct applier *w);
    /* A journal's plan and stage are in w: what does it amount to? AE_KINDS: nothing can be done with it (e says why). */
    enum apply_event_kind (*recover)(struct applier *w, struct journal *j, struct err *e);
};

extern const struct carrier carrier_files, carrier_node, carrier_keep, carrier_nothing;

/* How look ends. */
void applier_begin(struct applier *w);                                                      /* something differs */
void applier_is_so(struct applier *w, enum ack_status status, const char *why);             /* nothing differs */
void applier_refuse(struct applier *w, enum ack_status status, const char *why);            /* nothing was changed */
void applier_wait(struct applier *w);                                                       /* asked again later; no answer */

void applier_answer(struct applier *w, enum apply_event_kind kind, const char *text);       /* from inside a step */
void applier_feed(struct applier *w, enum apply_event_kind kind, const char *text);         /* from a callback */
void applier_say(struct applier *w, enum log_level level, const char *step, const char *why);

/* Steps that carriers share. */
void applier_check(struct applier *w);
void applier_reload(struct applier *w);
void applier_probe(struct applier *w);

#endif
