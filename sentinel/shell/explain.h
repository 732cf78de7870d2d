/* Could this group fail over now, to whom, and what lacks? The same answer goes to SENTINEL
 * EXPLAIN, CKQUORUM, the metrics and INFO. It is an answer of this sentinel and of this
 * moment: nobody is asked for it. */
#ifndef KV_SENTINEL_EXPLAIN_H
#define KV_SENTINEL_EXPLAIN_H

#include "sentinel/core/formed.h"
#include "sentinel/core/model.h"

struct shell;

/* One thing that lacks. Words for machines: what, who, why; a sentence for people: text. */
struct lack {
    char what[24];                     /* quorum majority votes seals record replica replicas member voter sentinel node primary failover ... */
    char who[ID_MAX];                  /* a node's or sentinel's id or run id; "-" = nobody in particular */
    struct addr addr;                  /* of who; unset = not known */
    char why[32];                      /* "disconnected", "priority-zero", "not-at-hand", ... */
    char text[256];
    bool blocks;                       /* without more it forbids the failover; else: good to know */
};

struct explanation {
    bool formed;                       /* by its record; else as a plain group */
    bool can;
    char to[ID_MAX];                   /* id of who would lead, as far as known now; "" = nobody */
    struct addr to_addr;
    VEC(struct lack) lacks;            /* by weight */
    const char *promises;              /* one sentence: what a failover of this group can be held to; static */
    /* figures */
    int voters, voters_usable, voters_needed;          /* plain: sentinels, quorum or majority, whichever is more */
    int members, members_usable, seals_needed;         /* formed; usable: without the primary */
};

/* out is initialised here; explain_fini it. */
void explain_group(struct shell *sh, const struct group *g, struct explanation *out);
void explain_fini(struct explanation *x);
bool explain_can(struct shell *sh, const struct group *g);

#endif
